package engineio

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// The names of the transports.
const (
	Polling   = "polling"
	WebSocket = "websocket"
)

// What Send answers.
var (
	ErrClosed = errors.New("engineio: connection closed")
	ErrSlow   = errors.New("engineio: client too slow")
)

// Handshake is the first request of a connection.
type Handshake struct {
	Header     http.Header
	Query      url.Values
	URL        string
	Host       string
	RemoteAddr string
	TLS        bool
}

// Conn is one client. Its methods are safe for use by many goroutines.
type Conn struct {
	srv    *Server
	id     string
	remote string
	first  atomic.Pointer[Handshake]
	value  atomic.Pointer[any]
	key    string        // what its address is counted by
	in     serial        // Handler's calls
	budget *rate.Limiter // bytes that may come in; nil: any. One goroutine at a time takes from it

	mu       sync.Mutex // guards all below; nothing is written and nobody is called while it is held
	queue    []*Packet
	bytes    int       // of queue and of what is being written
	oldest   time.Time // when the queue began to wait
	ws       *wsConn   // the transport in use; nil is polling
	probe    *wsConn   // a WebSocket that is upgrading
	flushed  func()    // Flushed's, until it ran
	poll     *pollRequest
	posting  bool
	writing  bool // one goroutine writes the queue to ws
	closing  *CloseReason
	final    *time.Timer // ends a closing connection that nobody fetches
	done     bool
	ended    chan struct{} // closed when done, where there is a budget
	beat     *time.Timer   // the next ping, or the end of waiting for a pong
	awaiting bool          // a ping is under way
}

// ID is the session id. It is a secret of its client.
func (c *Conn) ID() string { return c.id }

// RemoteAddr is the peer's address, host:port.
func (c *Conn) RemoteAddr() string { return c.remote }

// Handshake is the first request, nil after ReleaseHandshake.
func (c *Conn) Handshake() *Handshake { return c.first.Load() }

// ReleaseHandshake forgets the first request: its cookies may be kilobytes.
func (c *Conn) ReleaseHandshake() { c.first.Store(nil) }

// Value is what SetValue set last, or nil.
func (c *Conn) Value() any {
	if v := c.value.Load(); v != nil {
		return *v
	}
	return nil
}

// SetValue keeps a value of the caller's with the connection.
func (c *Conn) SetValue(v any) { c.value.Store(&v) }

// Transport is the name of the transport in use.
func (c *Conn) Transport() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ws != nil {
		return WebSocket
	}
	return Polling
}

// Closed reports whether the connection is closing or gone: Send takes nothing any more.
func (c *Conn) Closed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing != nil || c.done
}

// Do runs fn in the order of the Handler's calls, never at the same time as one of them, and returns at once. It reports
// false when the connection's end was handed up already, or is about to be: fn does not run then.
func (c *Conn) Do(fn func()) bool {
	return c.in.do(func() { c.guard("do", fn) }, false)
}

// Send queues packets, which stay together on the wire. It never blocks. ErrClosed: the connection is closing. ErrSlow:
// the queue is full or too old, and the connection is being closed for it.
func (c *Conn) Send(packets ...*Packet) error {
	n := 0
	for _, p := range packets {
		n += p.size()
	}
	c.mu.Lock()
	if c.closing != nil || c.done {
		c.mu.Unlock()
		return ErrClosed
	}
	if c.bytes > 0 && (c.bytes+n > c.srv.opts.QueueBytes || c.tooOld()) {
		c.mu.Unlock()
		c.srv.opts.Metrics.slow.Inc()
		c.cut(CloseSlow)
		return ErrSlow
	}
	c.enqueue(packets, n)
	c.flush()
	c.mu.Unlock()
	return nil
}

func (c *Conn) tooOld() bool {
	return len(c.queue) > 0 && c.srv.opts.Now().Sub(c.oldest) > c.srv.opts.QueueAge
}

// enqueue appends to the queue. The lock is held.
func (c *Conn) enqueue(packets []*Packet, n int) {
	if len(c.queue) == 0 {
		c.oldest = c.srv.opts.Now()
	}
	c.queue = append(c.queue, packets...)
	c.bytes += n
}

// control queues a packet of our own, whatever the bounds say: there are few. The lock is held.
func (c *Conn) control(p *Packet) {
	if c.closing == nil && !c.done {
		c.enqueue([]*Packet{p}, p.size())
		c.flush()
	}
}

// flush gets the queue on its way over the transport in use. The lock is held.
func (c *Conn) flush() {
	switch {
	case len(c.queue) == 0 && c.closing == nil:
	case c.ws != nil:
		if !c.writing {
			c.writing = true
			c.srv.writers.do(job{conn: c})
		}
	case c.poll != nil:
		c.answerPoll()
	}
}

// Flushed runs fn, once and in no particular goroutine, when all that is queued now is on the network, or the connection
// is over. A polling client may take its time to ask for it.
func (c *Conn) Flushed(fn func()) {
	c.mu.Lock()
	if c.done || len(c.queue) == 0 && !c.writing {
		c.mu.Unlock()
		fn()
		return
	}
	if before := c.flushed; before != nil {
		after := fn
		fn = func() { before(); after() }
	}
	c.flushed = fn
	c.mu.Unlock()
}

// Close ends the connection: what is queued is sent first, within WriteTimeout. It returns at once; Handler.Close follows
// in order. Of several reasons the first counts.
func (c *Conn) Close(reason CloseReason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing != nil || c.done {
		return
	}
	c.closing = &reason
	c.stopBeat()
	wait := c.srv.opts.WriteTimeout
	if c.ws == nil && c.poll == nil {
		wait = min(wait, c.srv.opts.PollGap) // nobody is there to take it: a living client polls again at once
	}
	c.final = time.AfterFunc(wait, func() { c.cut(reason) })
	c.flush()
}

// cut ends the connection now. What is queued is lost.
func (c *Conn) cut(reason CloseReason) {
	c.mu.Lock()
	if c.done {
		c.mu.Unlock()
		return
	}
	if c.closing != nil {
		reason = *c.closing
	}
	c.done = true
	c.closing = &reason
	c.stopBeat()
	if c.final != nil {
		c.final.Stop()
	}
	c.queue, c.bytes = nil, 0
	ws, probe, poll := c.ws, c.probe, c.poll
	flushed := c.flushed
	c.probe, c.poll, c.flushed = nil, nil, nil
	c.mu.Unlock()

	if c.ended != nil {
		close(c.ended)
	}
	if flushed != nil {
		flushed()
	}
	if poll != nil {
		last := byte(typeClose)
		if reason == CloseClient { // who has said so itself gets a noop, as from the reference server
			last = typeNoop
		}
		c.srv.reply(poll, pollAnswer{body: []byte{last}})
	}
	for _, w := range []*wsConn{ws, probe} {
		if w != nil {
			w.close(reason.wsCode)
		}
	}
	c.srv.forget(c, reason)
	c.in.do(func() {
		c.guard("close", func() { c.srv.handler.Close(c, reason) })
		c.srv.gone.Done()
	}, true)
}

// receive hands up one packet and returns when the Handler is done with it. It reports false when the connection is over.
func (c *Conn) receive(p incoming) bool {
	switch p.typ {
	case typeMessage:
		c.srv.opts.Metrics.received(len(p.data))
		return c.in.call(func() {
			if c.over() {
				return // closed by an earlier message of the same body
			}
			c.guard("message", func() { c.srv.handler.Message(c, Message{Data: p.data, Binary: p.bin}) })
		}) && !c.over()
	case typePong:
		c.pong()
		return true
	case typeClose:
		c.cut(CloseClient)
		return false
	}
	// A ping is the server's to send (protocol, "Heartbeat"); open, upgrade and noop have no place here.
	c.cut(CloseParse)
	return false
}

// frameCost is what every message counts for beside its bytes: a flood of empty ones costs, too.
const frameCost = 64

// throttle waits until the client may have sent n more bytes: the network's own backpressure then slows it down. It returns
// early when the connection ends.
func (c *Conn) throttle(n int) {
	if c.budget == nil {
		return
	}
	r := c.budget.ReserveN(time.Now(), min(n+frameCost, c.budget.Burst()))
	if wait := r.Delay(); wait > 0 {
		c.srv.opts.Metrics.throttled.Inc()
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-t.C:
		case <-c.ended:
		}
	}
}

// over reports whether nothing may be handed up any more.
func (c *Conn) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing != nil || c.done
}

// startBeat begins the heartbeat.
func (c *Conn) startBeat() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing == nil && !c.done {
		c.beat = time.AfterFunc(c.srv.opts.PingInterval, c.tick)
	}
}

// tick sends the ping that is due, or ends a connection whose pong did not come.
func (c *Conn) tick() {
	c.mu.Lock()
	if c.closing != nil || c.done {
		c.mu.Unlock()
		return
	}
	if c.awaiting {
		c.mu.Unlock()
		c.cut(ClosePingTimeout)
		return
	}
	c.awaiting = true
	c.control(pingPacket)
	c.beat.Reset(c.srv.opts.PingTimeout)
	c.mu.Unlock()
}

// pong takes the answer to a ping. One that nobody asked for changes nothing: it must not keep a connection alive.
func (c *Conn) pong() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.awaiting && c.closing == nil && !c.done {
		c.awaiting = false
		c.beat.Reset(c.srv.opts.PingInterval)
	}
}

func (c *Conn) stopBeat() {
	if c.beat != nil {
		c.beat.Stop()
	}
}

// guard keeps a panic of the Handler to its connection.
func (c *Conn) guard(what string, fn func()) {
	defer func() {
		if v := recover(); v != nil {
			c.srv.opts.Metrics.panics.Inc()
			c.srv.opts.Logger.Error("panic in a connection's handler", slog.String("call", what), slog.Any("panic", v),
				slog.String("stack", string(debug.Stack())))
			c.cut(ClosePanic)
		}
	}()
	fn()
}

var (
	pingPacket  = newPacket(frameText, typePing, "")
	noopPacket  = newPacket(frameText, typeNoop, "")
	probePacket = newPacket(frameText, typePong, "probe")
	closePacket = newPacket(frameText, typeClose, "")
)
