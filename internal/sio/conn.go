package sio

import (
	"errors"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/zishang520/socket.io-go-parser/v2/parser"

	"github.com/citaplanner/realtime/pkg/engineio"
)

// conn is one connection, and the engine.Socket that the library sees of it (seam.go).
//
// Its fields belong to the step that is under way: a call of engineio.Handler or of Conn.Do, which never overlap. The
// library does part of a step in goroutines of its own; the step waits for them (see hand), so that these too have the
// fields to themselves.
type conn struct {
	emitter
	srv *Server
	eng *engineio.Conn
	dec decoder

	waiting bool          // the step waits for the library
	ready   chan struct{} // the library is done; one place, so that telling never blocks

	joined  []*Socket
	attempt *attempt    // the CONNECT under way
	gone    []departure // sockets whose OnDisconnect is due at the end of the step
	lost    bool        // it ends by accident: its sockets' clients may come back (see Recovery)
	why     string      // our own reason for ending the connection, instead of the transport's
	leaving bool        // nothing that still comes in counts
	closed  bool        // the end was handed up

	opened   any         // OnOpen's, as long as the engine keeps the handshake
	arrived  func()      // OnOpen's, until it ran; may be nil
	timer    *time.Timer // runs while no namespace is joined; nil otherwise
	connects int         // CONNECT packets in the minute that began at window
	window   time.Time
}

// departure is a socket that the library has closed.
type departure struct {
	socket *Socket
	reason string
}

func newConn(s *Server, ec *engineio.Conn) *conn {
	c := &conn{srv: s, eng: ec, ready: make(chan struct{}, 1)}
	c.dec.bounds = bounds{s.opts.MaxAttachments, s.opts.MaxBinary, s.opts.MaxDepth, s.opts.MaxEventName}
	c.wait()
	c.guard("OnOpen", func() { c.opened, c.arrived = s.opts.OnOpen(ec) })
	return c
}

// arrive tells that the client is no longer on its way.
func (c *conn) arrive() {
	if arrived := c.arrived; arrived != nil {
		c.arrived = nil
		c.guard("arrived", arrived)
	}
}

// hand gives a packet to the library and returns when it has done in its own goroutine what it does with it: only
// for where the library is known to start one, which calls done exactly once.
func (c *conn) hand(p *parser.Packet) {
	c.waiting = true
	c.Emit("data", p)
	<-c.ready
	c.waiting = false
}

// done tells the step that the library is done. Nothing of the connection is touched after it.
func (c *conn) done() {
	if c.waiting {
		select {
		case c.ready <- struct{}{}:
		default:
		}
	}
}

// message is a step: one message of the client.
func (c *conn) message(m engineio.Message) {
	defer c.settle()
	if c.leaving {
		return
	}
	var p *parser.Packet
	var err error
	if m.Binary {
		p, err = c.dec.binary(m.Data)
	} else {
		p, err = c.dec.text(m.Data)
	}
	switch {
	case err != nil:
		c.refuse(err)
	case p != nil:
		c.packet(p)
	}
}

// packet does what Client.ondecoded of Node's socket.io does.
func (c *conn) packet(p *parser.Packet) {
	s := c.in(p.Nsp)
	switch {
	case s == nil && p.Type == parser.CONNECT:
		c.connect(p)
	case s == nil || p.Type == parser.CONNECT:
		c.Emit("data", p) // does not fit the state: the library closes the connection, in this goroutine
	case p.Type == parser.EVENT:
		s.event = p
		c.hand(p) // → Socket.handle
		s.event = nil
	case p.Type == parser.ACK:
		s.acknowledged(*p.Id, p.Data.([]any)) // the library would do it in any order, and crash on a panic
	case p.Type == parser.DISCONNECT:
		c.hand(p) // → departed
	}
}

// in returns the socket in a namespace, or nil.
func (c *conn) in(nsp string) *Socket {
	for _, s := range c.joined {
		if s.space.name == nsp {
			return s
		}
	}
	return nil
}

// refuse ends the connection for a packet that breaks the protocol.
func (c *conn) refuse(err error) {
	label := "other"
	var r *refusal
	if errors.As(err, &r) {
		label = r.label
	}
	c.srv.opts.Metrics.refusals.WithLabelValues(label).Inc()
	c.srv.opts.Logger.Debug("packet refused", slog.String("reason", err.Error()))
	c.leave(engineio.CloseParse)
}

// leave ends the connection for a reason of ours: its sockets go in this step, the transport once it has sent what is
// queued.
func (c *conn) leave(reason engineio.CloseReason) {
	if c.leaving {
		return
	}
	c.leaving = true
	c.Emit("close", reason.Text, nil)
	c.eng.Close(reason)
}

// departed hears of every socket that the library closes, on whatever path.
func (c *conn) departed(s *Socket, reason string) {
	if !s.connected.CompareAndSwap(true, false) {
		return
	}
	if c.why != "" {
		reason = c.why
	}
	if s.line != nil {
		s.line.down()
	}
	c.joined = slices.DeleteFunc(c.joined, func(other *Socket) bool { return other == s })
	c.gone = append(c.gone, departure{s, reason})
	c.done()
}

// settle ends a step: it runs what departures left to do, in this goroutine.
func (c *conn) settle() {
	for len(c.gone) > 0 {
		d := c.gone[0]
		c.gone = c.gone[1:]
		d.socket.dropAcks()
		c.guard("OnDisconnect", func() { c.srv.opts.OnDisconnect(d.socket, d.reason) })
		if s := d.socket; s.line != nil {
			c.srv.recovery.left(s.line, s.space.rooms.standIn(s))
		}
		if len(c.joined) == 0 && !c.leaving && !c.closed {
			c.wait()
		}
	}
	c.gone = nil
}

// supersede is a step: the client has come back on another connection, before this one was known to be broken.
func (c *conn) supersede() {
	defer c.settle()
	if c.leaving || c.why != "" {
		return
	}
	c.lost = true
	c.leave(closedSuperseded)
}

// expire is a step: the time to join a namespace is over.
func (c *conn) expire() {
	if len(c.joined) == 0 {
		c.leave(engineio.CloseConnectTimeout)
	}
}

// wait gives the client ConnectTimeout to join a namespace.
func (c *conn) wait() {
	c.waitNoMore()
	c.timer = time.AfterFunc(c.srv.opts.ConnectTimeout, func() { c.eng.Do(c.expire) })
}

func (c *conn) waitNoMore() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil // for as long as it is connected, for ever mostly, it would be memory
	}
}

// end is the last step.
func (c *conn) end(reason engineio.CloseReason) {
	c.waitNoMore()
	c.arrive()
	c.lost = !c.leaving && (returning[reason.Code] || reason == engineio.CloseShutdown && c.srv.recovery.outlives())
	c.leaving, c.closed = true, true
	c.dec.partial = nil
	c.Emit("close", reason.Text, nil)
	c.settle()
}

// guard runs a callback and reports whether it panicked.
func (c *conn) guard(callback string, fn func()) (panicked bool) {
	defer func() {
		if v := recover(); v != nil {
			panicked = true
			c.srv.opts.Metrics.panics.WithLabelValues(callback).Inc()
			c.srv.opts.Logger.Error("panic in a callback", slog.String("callback", callback), slog.Any("panic", v),
				slog.String("stack", string(debug.Stack())))
		}
	}()
	fn()
	return false
}
