package sio

import (
	"sync/atomic"
	"time"

	"github.com/zishang520/socket.io-go-parser/v2/parser"
	"github.com/zishang520/socket.io/v2/socket"

	"github.com/citaplanner/realtime/pkg/engineio"
)

// Socket is a client in a namespace. Safe for use by many goroutines.
type Socket struct {
	id        string
	lib       *socket.Socket
	conn      *conn
	space     *space
	data      atomic.Pointer[any]
	connected atomic.Bool
	line      *line // nil without recovery
	recovered bool
	doubtful  bool
	lost      *time.Time     // see Lost
	pending   atomic.Int64   // acknowledgements that the client owes
	event     *parser.Packet // the EVENT under way; belongs to the connection's step

	memberships []membership // guarded by space.rooms.mu
}

// ID is random and, unlike the id of the connection, no secret.
func (s *Socket) ID() string { return s.id }

// Namespace that the socket is in.
func (s *Socket) Namespace() string { return s.space.name }

// Data is what Authenticate or SetData left.
func (s *Socket) Data() any {
	if v := s.data.Load(); v != nil {
		return *v
	}
	return nil
}

// SetData keeps a value of the caller's with the socket.
func (s *Socket) SetData(v any) { s.data.Store(&v) }

// Conn is the connection that the socket is on.
func (s *Socket) Conn() *engineio.Conn { return s.conn.eng }

// RemoteAddr is the peer's address, host:port.
func (s *Socket) RemoteAddr() string { return s.conn.eng.RemoteAddr() }

// Connected is true from before OnConnect until before OnDisconnect.
func (s *Socket) Connected() bool { return s.connected.Load() }

// Recovered tells that the client has come back to the socket that it had (see Recovery): it has missed nothing.
func (s *Socket) Recovered() bool { return s.recovered }

// Doubtful tells of a recovered socket that the process which had it before has not said that its client was gone: it may have
// died, and with it what it had sent in its last moment to neither the client nor Recovery.Shared.
func (s *Socket) Doubtful() bool { return s.doubtful }

// Lost tells of a client that asked for a session which it could not have any more: it has missed what came since it was last
// there. since is zero where that is not known.
func (s *Socket) Lost() (since time.Time, lost bool) {
	if s.lost == nil {
		return time.Time{}, false
	}
	return *s.lost, true
}

// Join puts the socket into rooms. A socket that is gone joins nothing.
func (s *Socket) Join(rooms ...string) { s.space.rooms.join(s.id, rooms...) }

// Leave takes the socket out of rooms.
func (s *Socket) Leave(rooms ...string) { s.space.rooms.part(s.id, rooms...) }

// Rooms lists the rooms that it joined, in that order.
func (s *Socket) Rooms() []string {
	rooms, _ := s.space.rooms.of(s.id)
	return rooms
}

// Emit sends an event. It never blocks. The error tells of a call that could never work: a reserved name, or what JSON
// cannot say. A socket that is gone, or goes meanwhile, is no error: what is sent to it is lost, as on any network.
func (s *Socket) Emit(event string, args ...any) error {
	return s.emit(false, event, args)
}

// EmitRenewed is Emit for what OnConnect sends to every socket, a recovered one too: it is not kept for a client that comes
// back, which would get it twice.
func (s *Socket) EmitRenewed(event string, args ...any) error {
	return s.emit(true, event, args)
}

func (s *Socket) emit(renewed bool, event string, args []any) error {
	t, r := Target{Namespace: s.space.name}, s.space.srv.recovery
	if r != nil && r.sharing != nil {
		t.Rooms, t.Group = []string{s.id}, s.line.group
	}
	m, err := s.space.srv.encode(t, renewed, event, args)
	if err != nil {
		return err
	}
	if m.record != nil {
		r.keep(m.record, m.packets, s.line.group)
	}
	if o := r.lock(m.record); o != nil {
		defer o.mu.Unlock()
		r.place(o, m.record, false)
	}
	_ = s.deliver(m)
	if renewed {
		r.save(s.line) // nothing else tells of its offset
	}
	return nil
}

// deliver queues an event, and remembers it where its client may have to come back for it.
func (s *Socket) deliver(m Encoded) error {
	if m.record == nil {
		return s.send(m.packets...)
	}
	o := &s.space.srv.recovery.opts
	return s.line.send(m.record, o.Time, o.Events, m.packets)
}

// send queues frames that belong together.
func (s *Socket) send(ps ...*engineio.Packet) error {
	if !s.connected.Load() {
		return engineio.ErrClosed
	}
	return s.conn.eng.Send(ps...)
}

// Kick ends the socket's connection, in its order and after what is queued: what the client sent before is still
// handled, OnDisconnect gets r.Text. See Reason for what the client does. The connection's other namespaces go with it.
// It returns at once; of several kicks the first counts.
func (s *Socket) Kick(r Reason) {
	s.conn.eng.Do(func() { s.conn.kick(s, r) })
}

// kick is a step.
func (c *conn) kick(s *Socket, r Reason) {
	defer c.settle()
	if c.leaving || !s.connected.Load() {
		return
	}
	c.srv.opts.Metrics.kicks.WithLabelValues(r.Label).Inc()
	c.why = r.Text
	if r.Reconnects {
		c.leave(engineio.CloseForced)
		return
	}
	for len(c.joined) > 0 {
		c.joined[0].lib.Disconnect(false) // writes DISCONNECT, then → departed
	}
	c.leave(engineio.CloseKicked)
}
