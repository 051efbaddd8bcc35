package frontdoor

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"
)

// keptIdle is how long an unused connection to Next.js is kept. Node closes its own after 5 s (http.Server's
// keepAliveTimeout): a POST on one that is being closed would fail, and may not be repeated.
const keptIdle = 4 * time.Second

// streamGrace is how long answers under way may go on after Close: an event stream never ends by itself.
const streamGrace = 2 * time.Second

// Options of New. Upstream is needed.
type Options struct {
	Upstream      *url.URL      // scheme and host of Next.js
	DialTimeout   time.Duration // how long connecting may take; 0 is 5 s
	AnswerTimeout time.Duration // how long the answer's header may take once the request is sent; 0 is for ever
	BodyIdle      time.Duration // how long a client may pause within a body; 0 is 1 min
	Logger        *slog.Logger  // nil discards
	Metrics       *Metrics      // nil counts for nobody
}

// Door is an http.Handler that passes requests on.
type Door struct {
	opts      Options
	proxy     *httputil.ReverseProxy
	transport *http.Transport
	open      context.Context // ends with Close
	close     context.CancelFunc
	streams   context.Context // ends streamGrace later
	cut       context.CancelFunc
	down      atomic.Bool // the last request did not reach Next.js
}

// New returns a Door that works at once; Close ends it.
func New(o Options) *Door {
	if o.DialTimeout <= 0 {
		o.DialTimeout = 5 * time.Second
	}
	if o.BodyIdle <= 0 {
		o.BodyIdle = time.Minute
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	d := &Door{opts: o, transport: &http.Transport{
		DialContext:           (&net.Dialer{Timeout: o.DialTimeout, KeepAlive: 30 * time.Second}).DialContext,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       keptIdle,
		ResponseHeaderTimeout: o.AnswerTimeout,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true, // what the browser accepts is the browser's to say
	}}
	d.open, d.close = context.WithCancel(context.Background())
	d.streams, d.cut = context.WithCancel(context.Background())
	d.proxy = &httputil.ReverseProxy{
		Rewrite:        d.rewrite,
		Transport:      d.transport,
		FlushInterval:  -1, // each write at once: a streamed page, an event
		ErrorLog:       slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
		ModifyResponse: func(*http.Response) error { d.reached(); return nil },
		ErrorHandler:   d.failed,
	}
	return d
}

// ServeHTTP passes a request on. The request must have come through Forwarded.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	until := d.streams
	if r.Header.Get("Upgrade") != "" { // it leaves net/http's hands: a stop would neither see nor end it
		until = d.open
	}
	defer context.AfterFunc(until, cancel)()
	r = r.WithContext(ctx)
	if r.ContentLength != 0 { // -1 in chunks
		b := &body{ReadCloser: r.Body, conn: http.NewResponseController(w), idle: d.opts.BodyIdle}
		defer b.release()
		r.Body = b
	}
	d.proxy.ServeHTTP(w, r)
}

// Close ends upgraded connections, and a little later what is still being answered.
func (d *Door) Close() error {
	d.close()
	time.AfterFunc(streamGrace, d.cut)
	d.transport.CloseIdleConnections()
	return nil
}

// rewrite changes where a request goes and nothing else: Next.js compares the Host with the Origin, and NextAuth makes
// addresses of it.
func (d *Door) rewrite(p *httputil.ProxyRequest) {
	p.Out.URL.Scheme, p.Out.URL.Host = d.opts.Upstream.Scheme, d.opts.Upstream.Host
	p.Out.URL.RawQuery = p.In.URL.RawQuery // ReverseProxy drops what it cannot parse
	p.Out.Host = p.In.Host
	for _, name := range kept { // ReverseProxy drops them; Forwarded has made them true
		if v := p.In.Header.Get(name); v != "" {
			p.Out.Header.Set(name, v)
		}
	}
}

// reached notes that Next.js answered.
func (d *Door) reached() {
	d.opts.Metrics.requests.WithLabelValues("ok").Inc()
	if d.down.CompareAndSwap(true, false) {
		d.opts.Logger.Info("the app behind the front door answers again")
	}
}

// failed answers a request that got no answer.
func (d *Door) failed(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil { // the client left, or the server stops
		d.opts.Metrics.requests.WithLabelValues("left").Inc()
		panic(http.ErrAbortHandler)
	}
	status, outcome := http.StatusBadGateway, "unreachable"
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		status, outcome = http.StatusGatewayTimeout, "timeout"
	}
	d.opts.Metrics.requests.WithLabelValues(outcome).Inc()
	// Once, not for each request, and only for what no client can bring about with a broken body.
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" && d.down.CompareAndSwap(false, true) {
		d.opts.Logger.Error("the app behind the front door does not answer", slog.String("upstream", d.opts.Upstream.Host),
			slog.Any("error", err))
	}
	writeDown(w, r, status)
}
