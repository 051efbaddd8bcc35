package engineio

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Handler takes what happens on connections: one call at a time for each, in order.
type Handler interface {
	// Open is called before anything of the connection is handed up, and before its open packet can be answered.
	Open(c *Conn)
	// Message may block: the connection is not read on meanwhile.
	Message(c *Conn, m Message)
	// Close is called once, last.
	Close(c *Conn, reason CloseReason)
}

// Server is an http.Handler for one Engine.IO endpoint, whatever its path.
type Server struct {
	handler Handler
	opts    Options

	mu      sync.RWMutex // guards all to the next blank line
	conns   map[string]*Conn
	opening int            // handshakes under way, which have no entry in conns yet
	from    map[string]int // connections by address, those under way included; nil without MaxConnsPerAddr
	down    bool

	writers   *writers
	readers   *readers
	gone      sync.WaitGroup // connections whose Close has not been handed up
	lingering group          // WebSockets that are not over, and goroutines that close one
}

// NewServer returns a server that calls h.
func NewServer(h Handler, o Options) *Server {
	s := &Server{handler: h, opts: o.withDefaults(), conns: map[string]*Conn{}, writers: newWriters()}
	s.readers = newReaders(int(s.opts.MaxPayload))
	if s.opts.MaxConnsPerAddr > 0 {
		s.from = map[string]int{}
	}
	return s
}

// protocolError is one of the protocol's errors (engine.io, Server.errors).
type protocolError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`

	status int
	label  string
	after  time.Duration // Retry-After, at least a second
}

var (
	unknownTransport = protocolError{0, "Transport unknown", http.StatusBadRequest, "unknown_transport", 0}
	unknownSID       = protocolError{1, "Session ID unknown", http.StatusBadRequest, "unknown_sid", 0}
	badMethod        = protocolError{2, "Bad handshake method", http.StatusBadRequest, "bad_method", 0}
	badRequest       = protocolError{3, "Bad request", http.StatusBadRequest, "bad_request", 0}
	forbidden        = protocolError{4, "Forbidden", http.StatusForbidden, "forbidden", 0}
	unsupported      = protocolError{5, "Unsupported protocol version", http.StatusBadRequest, "unsupported_version", 0}
	full             = protocolError{3, "Too many connections", http.StatusServiceUnavailable, "full", 0}
	fullAddr         = protocolError{3, "Too many connections from this address", http.StatusTooManyRequests, "full_address", 0}
	tooFast          = protocolError{3, "Too many handshakes from this address", http.StatusTooManyRequests, "too_fast", 0}
	goingDown        = protocolError{3, "Server shutting down", http.StatusServiceUnavailable, "shutdown", 0}
)

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, e protocolError, reason string) {
	s.opts.Metrics.refusals.WithLabelValues(e.label).Inc()
	s.opts.OnRefused(r, e.Code, reason)
	body, err := json.Marshal(e)
	if err != nil { // two plain fields
		body = []byte(`{}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	if e.status == http.StatusServiceUnavailable || e.status == http.StatusTooManyRequests {
		h.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(e.after.Seconds())))))
	}
	w.WriteHeader(e.status)
	_, _ = w.Write(body)
}

// ServeHTTP answers one request. The path does not matter, the query does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.boundBody(w, r)
	q := r.URL.Query()
	transport, sid := q.Get("transport"), q.Get("sid")
	switch {
	case transport != Polling && transport != WebSocket:
		s.refuse(w, r, unknownTransport, "transport")
	case q.Get("EIO") != "4":
		s.refuse(w, r, unsupported, "EIO")
	case sid == "":
		s.handshake(w, r, transport, q)
	default:
		s.mu.RLock()
		c := s.conns[sid]
		s.mu.RUnlock()
		switch {
		case c == nil:
			s.refuse(w, r, unknownSID, "sid")
		case transport == WebSocket:
			c.serveUpgrade(w, r)
		case r.Method == http.MethodGet:
			c.servePoll(w, r)
		case r.Method == http.MethodPost:
			c.servePost(w, r)
		default:
			s.refuse(w, r, badRequest, "method")
		}
	}
}

// boundBody bounds how long a body may take to arrive, whether it is wanted or not: net/http takes what is left of it
// before it answers, and would wait for it for ever. The deadline goes with the next request, or with readPost.
func (s *Server) boundBody(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 { // -1 in chunks
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.opts.BodyTimeout))
	}
}

// handshake opens a connection (protocol, "Handshake").
func (s *Server) handshake(w http.ResponseWriter, r *http.Request, transport string, q url.Values) {
	if r.Method != http.MethodGet {
		s.refuse(w, r, badMethod, "method")
		return
	}
	if s.opts.AllowRequest != nil {
		if err := s.opts.AllowRequest(r); err != nil {
			e := forbidden
			e.Message = err.Error()
			s.refuse(w, r, e, "not allowed")
			return
		}
	}
	key := s.opts.AddrKey(r)
	if s.opts.Admit != nil && key != "" {
		if after, ok := s.opts.Admit(key); !ok {
			e := tooFast
			e.after = after
			s.refuse(w, r, e, "handshakes of an address")
			return
		}
	}
	if e := s.reserve(key); e != nil {
		s.refuse(w, r, *e, "no room")
		return
	}
	c := &Conn{srv: s, id: newID(), remote: r.RemoteAddr, key: key}
	if s.opts.InBytes > 0 {
		c.budget, c.ended = rate.NewLimiter(rate.Limit(s.opts.InBytes), s.opts.InBurst), make(chan struct{})
	}
	c.first.Store(&Handshake{Header: r.Header, Query: q, URL: r.URL.RequestURI(), Host: r.Host,
		RemoteAddr: r.RemoteAddr, TLS: r.TLS != nil})
	if transport == WebSocket {
		var err error
		if c.ws, err = s.accept(w, r, c); err != nil {
			s.release(key)
			return
		}
	}
	open := newPacket(frameText, typeOpen, s.openBody(c, transport))
	c.enqueue([]*Packet{open}, open.size()) // first of all, whatever Open sends
	if !s.open(c) {
		if transport == WebSocket {
			_ = c.ws.Close()
			return
		}
		s.refuse(w, r, goingDown, "shutdown")
		return
	}
	s.opts.Metrics.opened(transport)
	c.startBeat()
	if transport == Polling {
		c.servePoll(w, r)
		return
	}
	c.mu.Lock()
	ws := c.ws
	c.flush()
	c.mu.Unlock()
	ws.start() // net/http's goroutine and buffers are freed
}

// open makes a connection one that others can find, and hands it up; false when the server went down meanwhile. Both are
// one step of the connection's order, so that a Shutdown in between is handed up behind Open, never before it.
func (s *Server) open(c *Conn) bool {
	opened := false
	c.in.call(func() {
		s.mu.Lock()
		s.opening--
		if opened = !s.down; opened {
			s.conns[c.id] = c
		}
		s.mu.Unlock()
		if !opened {
			s.leave(c.key)
			s.gone.Done()
			return
		}
		c.guard("open", func() { s.handler.Open(c) })
	})
	return opened
}

// openBody is the payload of the open packet.
func (s *Server) openBody(c *Conn, transport string) []byte {
	upgrades := []string{}
	if transport == Polling {
		upgrades = append(upgrades, WebSocket)
	}
	b, err := json.Marshal(struct {
		SID          string   `json:"sid"`
		Upgrades     []string `json:"upgrades"`
		PingInterval int64    `json:"pingInterval"`
		PingTimeout  int64    `json:"pingTimeout"`
		MaxPayload   int64    `json:"maxPayload"`
	}{c.id, upgrades, s.opts.PingInterval.Milliseconds(), s.opts.PingTimeout.Milliseconds(), s.opts.MaxPayload})
	if err != nil { // strings and numbers
		return []byte(`{}`)
	}
	return b
}

// reserve makes room for a connection that is opening; open or release must follow.
func (s *Server) reserve(key string) *protocolError {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.down:
		return &goingDown
	case s.opts.MaxConns > 0 && len(s.conns)+s.opening >= s.opts.MaxConns:
		return &full
	case s.from != nil && key != "" && s.from[key] >= s.opts.MaxConnsPerAddr:
		return &fullAddr
	}
	if s.from != nil {
		s.from[key]++
	}
	s.opening++
	s.gone.Add(1)
	return nil
}

// release gives back the room of a connection that never came to be.
func (s *Server) release(key string) {
	s.mu.Lock()
	s.opening--
	s.mu.Unlock()
	s.leave(key)
	s.gone.Done()
}

// leave uncounts a connection of an address.
func (s *Server) leave(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.from == nil {
		return
	}
	if s.from[key]--; s.from[key] == 0 {
		delete(s.from, key)
	}
}

// forget takes a closed connection off the list.
func (s *Server) forget(c *Conn, reason CloseReason) {
	s.mu.Lock()
	delete(s.conns, c.id)
	s.mu.Unlock()
	s.leave(c.key)
	s.opts.Metrics.closed(reason, c.Transport())
}

// Len is the number of connections.
func (s *Server) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.conns)
}

// Shutdown refuses handshakes, sends what is queued, closes every connection with CloseShutdown, and waits until all are
// gone. When ctx ends first, it cuts them and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.down = true
	conns := make([]*Conn, 0, len(s.conns))
	for _, c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	for _, c := range conns {
		c.Close(CloseShutdown)
	}
	done := make(chan struct{})
	go func() {
		s.gone.Wait()
		s.lingering.wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		for _, c := range conns {
			c.cut(CloseShutdown)
		}
		return ctx.Err()
	}
}

// newID makes a session id: 120 random bits, 20 characters. Whoever knows it can speak for the client.
func newID() string {
	var b [15]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}
