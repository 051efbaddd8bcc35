package http1

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"
)

// maxReads is in how many pieces a head may come: reading it from the start each time costs nothing for the few of a large
// cookie, and would for one byte at a time, which is left to net/http.
const maxReads = 4

// linger is how long a client may take to read the last answer before its connection is closed: at once, with bytes of it
// unread, would reset the connection and take the answer away (RFC 9112, 9.6).
const linger = 500 * time.Millisecond

// What a connection does, for Shutdown.
const (
	idle int32 = iota
	active
	closed
)

// conn is a connection, served by one goroutine at a time.
type conn struct {
	s        *Server
	tcp      *net.TCPConn
	raw      syscall.RawConn
	remote   string
	deadline atomic.Int64 // when reading has to stop, in nanoseconds since 1970; 0 is never
	state    atomic.Int32

	in    *[]byte // what has come and is not used up; nil is nothing
	used  int     // how much of it the request under way is, in bytes
	later *later  // the answer to the last request, which may be still to come
	freed bool    // somebody else has the TCP connection

	// What goes into and comes out of one call of the kernel's: no closure for each.
	reads, writes func(fd uintptr) bool
	out           []byte
	n             int
	readErr       error
	writeErr      error
}

func newConn(s *Server, tcp *net.TCPConn, raw syscall.RawConn) *conn {
	c := &conn{s: s, tcp: tcp, raw: raw, remote: tcp.RemoteAddr().String()}
	c.reads, c.writes = c.readOnce, c.writeOnce
	c.until(s.opts.HeaderTimeout)
	return c
}

// until sets the time to stop reading; 0 is none. The janitor looks at it.
func (c *conn) until(d time.Duration) {
	if d == 0 {
		c.deadline.Store(0)
		return
	}
	c.deadline.Store(time.Now().Add(d).UnixNano())
}

// serve answers requests until the connection ends or is somebody else's.
func (c *conn) serve() {
	defer c.end()
	for c.one() {
	}
}

// one answers one request. It reports whether there may be another.
func (c *conn) one() bool {
	r, n, ok := c.head()
	if !ok {
		return false
	}
	bodyErr := c.rest(n + r.body)
	hr, sent := r.http(c.remote), body{err: bodyErr}
	if r.body > 0 {
		sent.rest = (*c.in)[n:c.used]
		hr.Body = &sent
	}
	w := &response{c: c, header: http.Header{}, last: r.last || bodyErr != nil || c.s.down.Load()}
	c.until(0)
	c.s.opts.Metrics.requests.Inc()
	c.s.opts.Handler.ServeHTTP(w, hr)
	if w.taken {
		return false
	}
	sent = body{err: http.ErrBodyReadAfterClose} // the buffer is another request's from now on
	if !w.sent && w.later == nil {
		w.send()
	}
	c.drop(c.used)
	if w.later != nil {
		c.later = w.later // and reads on, to see the client leave
		return true
	}
	if w.err != nil {
		return false
	}
	if !w.last && c.rested() {
		return true
	}
	c.goodbye()
	return false
}

// rested marks the connection as one without a request; false: the server is going down, and has or has not seen it.
func (c *conn) rested() bool {
	c.until(c.s.opts.IdleTimeout)
	return c.state.CompareAndSwap(active, idle) && !c.s.down.Load()
}

// head reads the head of the next request. ok is false when there is none for us.
func (c *conn) head() (r request, n int, ok bool) {
	for tries := 0; ; tries++ {
		if c.in != nil {
			if c.later != nil { // a client that did not wait
				c.later.wait()
				if c.later.w.last {
					return r, n, false
				}
				c.later = nil
			}
			var v verdict
			switch r, n, v = parse(*c.in, c.s.opts.Fast); {
			case v == whole:
				return r, n, c.begin()
			case v == strange, tries >= maxReads:
				c.hand()
				return r, n, false
			case tries <= 1:
				c.until(c.s.opts.HeaderTimeout)
			}
		}
		if err := c.read(); err != nil {
			if c.later != nil {
				c.later.leave()
			}
			return r, n, false
		}
	}
}

// begin marks a request as under way; false: the server has closed the connection.
func (c *conn) begin() bool { return c.state.CompareAndSwap(idle, active) || c.state.Load() == active }

// rest reads the request's body, up to the length given with its head. The error is the handler's to see.
func (c *conn) rest(length int) error {
	if len(*c.in) < length {
		c.until(c.s.opts.BodyTimeout)
	}
	for len(*c.in) < length {
		if err := c.read(); err != nil {
			c.used = len(*c.in)
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	c.used = length
	return nil
}

// body is a request's body, all of it that will ever be there.
type body struct {
	rest []byte
	err  error // behind it; nil is io.EOF
}

func (b *body) Read(p []byte) (int, error) {
	if len(b.rest) > 0 {
		n := copy(p, b.rest)
		b.rest = b.rest[n:]
		return n, nil
	}
	if b.err != nil {
		return 0, b.err
	}
	return 0, io.EOF
}

func (b *body) Close() error { return nil }

// drop forgets the first n bytes of what has come, and does not keep a large buffer for a few that are left.
func (c *conn) drop(n int) {
	c.used = 0
	if n == len(*c.in) {
		keep(c.in)
		c.in = nil
		return
	}
	rest := (*c.in)[n:]
	if cap(*c.in) > keptBuffer && len(rest) <= keptBuffer {
		c.in, _ = buffers.Get().(*[]byte)
		*c.in = append(*c.in, rest...)
		return
	}
	*c.in = (*c.in)[:copy(*c.in, rest)]
}

// read waits for more and appends it to in. While it waits with nothing there is no buffer.
func (c *conn) read() error {
	c.readErr = nil
	if err := c.raw.Read(c.reads); err != nil {
		return err
	}
	return c.readErr
}

// readOnce reads what is there; false: nothing is.
func (c *conn) readOnce(fd uintptr) bool {
	if c.in == nil {
		c.in, _ = buffers.Get().(*[]byte)
	}
	b := *c.in
	if len(b) == cap(b) {
		b = append(b, make([]byte, len(b))...)[:len(b)]
	}
	n, again, err := tryRead(fd, b[len(b):cap(b)])
	*c.in = b[:len(b)+n]
	if len(*c.in) == 0 {
		keep(c.in)
		c.in = nil
	}
	if n == 0 && err == nil && !again {
		err = io.EOF
	}
	c.readErr = err
	return !again
}

// try writes what the kernel takes at once.
func (c *conn) try(b []byte) (int, error) {
	c.out, c.n, c.writeErr = b, 0, nil
	err := c.raw.Write(c.writes)
	c.out = nil
	if err == nil {
		err = c.writeErr
	}
	return c.n, err
}

func (c *conn) writeOnce(fd uintptr) bool {
	c.n, c.writeErr = tryWrite(fd, c.out)
	return true
}

// write writes, waiting for the peer within WriteTimeout.
func (c *conn) write(b []byte) error {
	_ = c.tcp.SetWriteDeadline(time.Now().Add(c.s.opts.WriteTimeout))
	_, err := c.tcp.Write(b)
	_ = c.tcp.SetWriteDeadline(time.Time{})
	return err
}

// cut ends the connection from outside its goroutine, which closes it.
func (c *conn) cut() { _ = c.tcp.SetReadDeadline(time.Unix(1, 0)) }

// goodbye closes behind a last answer.
func (c *conn) goodbye() {
	_ = c.tcp.CloseWrite()
	_ = c.tcp.SetReadDeadline(time.Now().Add(linger))
	_, _ = io.CopyN(io.Discard, c.tcp, 256<<10)
}

// release gives the TCP connection away, with what has come of it behind the request under way.
func (c *conn) release() (*net.TCPConn, []byte) {
	c.s.forget(c)
	c.freed = true
	_ = c.tcp.SetReadDeadline(time.Time{}) // the janitor's, at the last moment
	var rest []byte
	if c.in != nil {
		rest = bytes.Clone((*c.in)[c.used:])
		keep(c.in)
		c.in = nil
	}
	return c.tcp, rest
}

// hand gives the connection to net/http, with all that has come and was not answered.
func (c *conn) hand() {
	c.s.opts.Metrics.handed.Inc()
	tcp, rest := c.release()
	_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true})
	c.s.give(&prefixed{TCPConn: tcp, first: rest})
}

// end closes the connection, unless it is somebody else's, whatever happened to its handler.
func (c *conn) end() {
	if v := recover(); v != nil && v != http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
		c.s.opts.Logger.Error("panic in a request's handler", slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
	}
	if c.freed {
		return
	}
	c.s.forget(c)
	_ = c.tcp.Close()
	if c.in != nil {
		keep(c.in)
		c.in = nil
	}
}

// prefixed is a TCP connection of which some was read already.
type prefixed struct {
	*net.TCPConn
	first []byte
}

func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.first) > 0 {
		n := copy(b, p.first)
		p.first = p.first[n:]
		return n, nil
	}
	return p.TCPConn.Read(b)
}

// WriteTo hides that of the TCP connection, which knows nothing of what was read.
func (p *prefixed) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(p.first)
	p.first = p.first[n:]
	if err != nil {
		return int64(n), err
	}
	m, err := p.TCPConn.WriteTo(w)
	return int64(n) + m, err
}

// SyscallConn is refused until everything that was read is read again: who asks for it reads past Read.
func (p *prefixed) SyscallConn() (syscall.RawConn, error) {
	if len(p.first) > 0 {
		return nil, os.ErrInvalid
	}
	return p.TCPConn.SyscallConn()
}
