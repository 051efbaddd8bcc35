package engineio

import (
	"log/slog"
	"net/http"
	"net/netip"
	"time"
)

// Options of NewServer. Each zero value means the default named.
type Options struct {
	// PingInterval is the time between a pong and the next ping. Default 25 s.
	PingInterval time.Duration
	// PingTimeout is how long a ping may stay without its pong. Default 20 s.
	PingTimeout time.Duration
	// UpgradeTimeout is how long a WebSocket that probes may take to finish the upgrade. Default 10 s.
	UpgradeTimeout time.Duration
	// WriteTimeout bounds one write to a socket, and how long a closing connection waits for its queue to be fetched.
	// Default 10 s.
	WriteTimeout time.Duration
	// PollGap is how long a closing polling connection without a pending GET is kept for its client's next one, within
	// WriteTimeout. Default 2 s.
	PollGap time.Duration
	// MaxPayload is the largest packet and the largest polling body that a client may send, in bytes. It is announced as
	// maxPayload. Default 1,000,000.
	MaxPayload int64
	// QueueBytes bounds what may wait for one client. Default 4 MiB. One more packet closes it with CloseSlow.
	QueueBytes int
	// QueueAge bounds how long a packet may wait for one client, checked when another is queued. Default 30 s.
	QueueAge time.Duration
	// MaxConns bounds the connections of the server. Default 0: unlimited. Over it a handshake is answered with 503.
	MaxConns int
	// MaxConnsPerAddr bounds the connections of one client address (see AddrKey). Default 0: unlimited. Over it a handshake
	// is answered with 429.
	MaxConnsPerAddr int
	// AddrKey names the address of a request for MaxConnsPerAddr and Admit; "" has no limits. Default: the address without
	// its port, of IPv6 the first 64 bits, which is what one customer is given (RFC 6177).
	AddrKey func(*http.Request) string
	// Admit may put off a handshake of an address: it is answered with 429 and Retry-After. Default: nothing is put off.
	Admit func(addr string) (retryAfter time.Duration, ok bool)
	// InBytes is how many bytes a second a connection may send, and InBurst at once, which must be at least MaxPayload.
	// Who sends faster is read more slowly, and loses nothing. Default 0: unlimited.
	InBytes, InBurst int
	// BodyTimeout is how long the body of a request may take to arrive. Default PingInterval and PingTimeout together.
	BodyTimeout time.Duration
	// AllowRequest may refuse a handshake: its error becomes a 403 with the error's text. Default: all are allowed.
	AllowRequest func(*http.Request) error
	// OnRefused hears of requests that were refused, with the protocol's error code and a short reason. Default: nobody.
	OnRefused func(r *http.Request, code int, reason string)
	// Logger takes panics of the Handler. Default: none.
	Logger *slog.Logger
	// Metrics counts. Default: counted, shown nowhere.
	Metrics *Metrics
	// Now is the clock of queue ages. Default time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	for _, d := range []struct {
		v   *time.Duration
		def time.Duration
	}{
		{&o.PingInterval, 25 * time.Second}, {&o.PingTimeout, 20 * time.Second}, {&o.UpgradeTimeout, 10 * time.Second},
		{&o.WriteTimeout, 10 * time.Second}, {&o.PollGap, 2 * time.Second}, {&o.QueueAge, 30 * time.Second},
	} {
		if *d.v <= 0 {
			*d.v = d.def
		}
	}
	if o.MaxPayload <= 0 {
		o.MaxPayload = 1_000_000
	}
	if o.QueueBytes <= 0 {
		o.QueueBytes = 4 << 20
	}
	if o.BodyTimeout <= 0 {
		o.BodyTimeout = o.PingInterval + o.PingTimeout
	}
	if o.AddrKey == nil {
		o.AddrKey = AddrKey
	}
	if o.InBytes > 0 {
		o.InBurst = max(o.InBurst, int(o.MaxPayload))
	}
	if o.OnRefused == nil {
		o.OnRefused = func(*http.Request, int, string) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// AddrKey is the address of a request's peer without its port, of IPv6 the first 64 bits; "" where there is none.
func AddrKey(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	addr := peer.Addr().Unmap().WithZone("")
	if addr.Is6() {
		addr = netip.PrefixFrom(addr, 64).Masked().Addr()
	}
	return addr.String()
}
