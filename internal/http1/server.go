package http1

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Options of New.
type Options struct {
	// Handler answers. A request's context does not end when its client leaves, as net/http's does: nothing is read while a
	// handler runs. What may take long has a bound of its own, or waits behind Detach.
	Handler http.Handler
	// Fast tells whether requests to a path are answered here: their handlers do not stream, and send no more than fits into
	// memory. Paths with a percent sign never are.
	Fast func(path string) bool
	// Rest serves every other connection, with a Handler of its own.
	Rest *http.Server

	HeaderTimeout time.Duration // how long a head may take, from the connection's start or its first byte; 0 is 10 s
	BodyTimeout   time.Duration // how long a body may take behind its head; 0 is 30 s
	IdleTimeout   time.Duration // how long a connection is kept without a request; 0 is 75 s
	WriteTimeout  time.Duration // how long a client may take to read an answer; 0 is 10 s

	Logger  *slog.Logger // nil discards
	Metrics *Metrics     // nil counts for nobody
}

// Server serves connections. Its zero value is not usable.
type Server struct {
	opts  Options
	rest  *handed
	work  chan *conn // to a goroutine that waits for a connection; nil ends one
	spare atomic.Int32
	down  atomic.Bool
	over  chan struct{} // closed by Shutdown and Close
	empty chan struct{} // closed behind that, when no connection is left
	once  struct{ over, empty sync.Once }

	mu    sync.Mutex // guards what follows
	from  net.Listener
	conns map[*conn]struct{}
}

// New returns a server that serves nothing yet.
func New(o Options) *Server {
	for d, value := range map[*time.Duration]time.Duration{&o.HeaderTimeout: 10 * time.Second, &o.BodyTimeout: 30 * time.Second,
		&o.IdleTimeout: 75 * time.Second, &o.WriteTimeout: 10 * time.Second} {
		if *d <= 0 {
			*d = value
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	return &Server{opts: o, work: make(chan *conn), over: make(chan struct{}),
		empty: make(chan struct{}), conns: map[*conn]struct{}{}}
}

// Serve takes the connections of a listener until Shutdown or Close, and then returns http.ErrServerClosed. It is called
// once.
func (s *Server) Serve(l net.Listener) error {
	s.rest = &handed{conns: make(chan net.Conn), over: s.over, addr: l.Addr()}
	s.mu.Lock()
	s.from = l
	down := s.down.Load()
	s.mu.Unlock()
	if down { // and whoever stopped it saw no listener to close
		_ = l.Close()
		return http.ErrServerClosed
	}
	go func() { _ = s.opts.Rest.Serve(s.rest) }()
	go s.look()
	wait := time.Duration(0)
	for {
		nc, err := l.Accept()
		if err != nil {
			if s.down.Load() {
				return http.ErrServerClosed
			}
			if !temporary(err) {
				return errors.Join(err, s.Close())
			}
			// Out of descriptors, most of all. As net/http's Server.Serve.
			wait = min(max(2*wait, 5*time.Millisecond), time.Second)
			s.opts.Logger.Warn("a connection could not be accepted", slog.Any("error", err), slog.Duration("again_in", wait))
			select {
			case <-time.After(wait):
			case <-s.over:
			}
			continue
		}
		wait = 0
		s.take(nc)
	}
}

// temporary reports whether accepting may work again later.
func temporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

// take serves a connection that was accepted.
func (s *Server) take(nc net.Conn) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok || !canTry {
		s.give(nc)
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		_ = tcp.Close()
		return
	}
	c := newConn(s, tcp, raw)
	s.mu.Lock()
	if s.down.Load() {
		s.mu.Unlock()
		_ = tcp.Close()
		return
	}
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	select {
	case s.work <- c:
	default:
		go s.run(c)
	}
}

// run serves connections, one after the other: a goroutine that has served one has a stack that is large enough.
func (s *Server) run(c *conn) {
	for c != nil {
		c.serve()
		s.spare.Add(1)
		select {
		case c = <-s.work:
		case <-s.over:
			c = nil
		}
		s.spare.Add(-1)
	}
}

// look ends what takes too long, and goroutines that have nothing to do: half of them each time. It goes on while Shutdown
// waits, which a body that does not come must not hold up for longer than BodyTimeout.
func (s *Server) look() {
	each := min(max(min(s.opts.HeaderTimeout, s.opts.BodyTimeout)/8, 10*time.Millisecond), time.Second)
	tick := time.NewTicker(each)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-s.empty:
			return
		}
		now := time.Now().UnixNano()
		s.mu.Lock()
		for c := range s.conns {
			if at := c.deadline.Load(); at != 0 && at < now && c.deadline.CompareAndSwap(at, 0) {
				c.cut()
			}
		}
		s.mu.Unlock()
		for range (s.spare.Load() + 1) / 2 {
			select {
			case s.work <- nil:
			default:
			}
		}
	}
}

// forget takes a connection off the list.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.last()
	s.mu.Unlock()
}

// last closes empty once nothing is left and nothing can come. The lock is held.
func (s *Server) last() {
	if s.down.Load() && len(s.conns) == 0 {
		s.once.empty.Do(func() { close(s.empty) })
	}
}

// give hands a connection to net/http.
func (s *Server) give(nc net.Conn) {
	select {
	case s.rest.conns <- nc:
	case <-s.over:
		_ = nc.Close()
	}
}

// Shutdown stops listening, closes connections without a request under way, waits for the others until ctx ends, and
// returns its error then.
func (s *Server) Shutdown(ctx context.Context) error {
	s.stop()
	s.mu.Lock()
	for c := range s.conns {
		if c.state.CompareAndSwap(idle, closed) {
			c.cut()
		}
	}
	s.mu.Unlock()
	err := s.opts.Rest.Shutdown(ctx)
	select {
	case <-s.empty:
	case <-ctx.Done():
		err = errors.Join(err, ctx.Err())
	}
	return err
}

// Close stops at once.
func (s *Server) Close() error {
	s.stop()
	s.mu.Lock()
	for c := range s.conns {
		_ = c.tcp.Close()
	}
	s.mu.Unlock()
	return s.opts.Rest.Close()
}

func (s *Server) stop() {
	s.down.Store(true)
	s.once.over.Do(func() { close(s.over) })
	s.mu.Lock()
	if s.from != nil {
		_ = s.from.Close()
	}
	s.last()
	s.mu.Unlock()
}

// handed is the listener from which net/http takes its connections.
type handed struct {
	conns chan net.Conn
	over  chan struct{}
	addr  net.Addr
}

func (h *handed) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.over:
		return nil, net.ErrClosed
	}
}

func (h *handed) Close() error { return nil }

func (h *handed) Addr() net.Addr { return h.addr }
