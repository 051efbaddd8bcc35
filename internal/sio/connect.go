package sio

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/zishang520/socket.io-go-parser/v2/parser"
	"github.com/zishang520/socket.io/v2/socket"

	"github.com/citaplanner/realtime/pkg/engineio"
)

// Handshake is what Authenticate decides on.
type Handshake struct {
	// Auth is the payload of the CONNECT packet; nil when there is none.
	Auth map[string]any
	// Namespace that the client wants to join.
	Namespace string
	// Opened is what OnOpen returned for the connection.
	Opened any
	// Conn is the connection; its Handshake is there until Authenticate has said yes.
	Conn *engineio.Conn
}

// ConnectError refuses a CONNECT packet: the client's connect_error event gets an Error with this message and data.
type ConnectError struct {
	Message string
	Data    any
}

// Why this package itself refuses a CONNECT packet. The client may try again with a new connection.
var (
	refusedBroken = &ConnectError{Message: "Authentication failed", Data: map[string]string{"code": "AUTH_UNAVAILABLE"}}
	refusedLimit  = &ConnectError{Message: "Too many namespaces", Data: map[string]string{"code": "NAMESPACE_LIMIT"}}
)

// attempt is a CONNECT packet on its way through the library.
type attempt struct {
	auth    map[string]any
	data    any   // Authenticate's
	line    *line // nil without recovery
	back    bool  // the line is one that the client had
	lost    *time.Time
	refusal *ConnectError
	refused bool    // a CONNECT_ERROR is being written
	socket  *Socket // who joined
}

// connect is a step: a CONNECT packet to a namespace that is not joined.
//
// The credentials stay out of the library, which would keep them for the life of the socket.
func (c *conn) connect(p *parser.Packet) {
	if c.flooding() {
		c.leave(closedFlood)
		return
	}
	sp := c.srv.spaces[p.Nsp]
	switch {
	case sp == nil:
		c.count("namespace")
		c.Emit("data", &parser.Packet{Type: parser.CONNECT, Nsp: p.Nsp}) // answered in this goroutine: "Invalid namespace"
		return
	case len(c.joined) >= c.srv.opts.MaxNamespaces:
		c.count("limit")
		c.writeError(p.Nsp, refusedLimit)
		return
	case c.eng.Handshake() == nil:
		c.leave(closedRejoin)
		return
	}
	c.attempt = &attempt{}
	c.attempt.auth, _ = p.Data.(map[string]any)
	c.decide(sp)
	// → Server.admit → Write, or Server.connected
	c.hand(&parser.Packet{Type: parser.CONNECT, Nsp: p.Nsp, Data: c.attempt.session()})
	a := c.attempt
	c.attempt = nil
	switch {
	case a.socket != nil:
		c.join(a.socket)
	case a.back:
		c.srv.recovery.left(a.line, nil)
	}
	c.arrive()
}

// decide finds out who is connecting, and whether it is a client that comes back for its session: then with the rights that
// it has now.
func (c *conn) decide(sp *space) {
	a, r := c.attempt, c.srv.recovery
	if a.data, a.refusal = c.authenticate(sp.name); a.refusal != nil || r == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.srv.opts.AuthTimeout)
	defer cancel()
	l, data, lost := r.restore(ctx, sp, a.auth, a.data)
	if l != nil {
		a.line, a.data, a.back = l, data, true
		return
	}
	a.lost = lost
	a.line = r.open(sp, a.data)
}

// session is what the library reads as the client's wish to be restored, to make its socket with the id that it had.
func (a *attempt) session() any {
	if !a.back {
		return nil
	}
	return map[string]any{"pid": "restored", "offset": a.line.id}
}

// answer is the CONNECT packet of a session: what the library writes, but for the private id, which is ours.
func (a *attempt) answer(nsp string) ([]*engineio.Packet, error) {
	e, err := encode(parser.CONNECT, nsp, nil, struct {
		SID string `json:"sid"`
		PID string `json:"pid"`
	}{a.line.id, a.line.pid.String()})
	return e.packets(), err
}

// flooding counts a CONNECT packet and tells whether there were too many: each one may cost a query.
func (c *conn) flooding() bool {
	if now := c.srv.opts.Now(); now.Sub(c.window) >= time.Minute {
		c.window, c.connects = now, 0
	}
	c.connects++
	return c.connects > c.srv.opts.MaxConnects
}

func (c *conn) count(result string) { c.srv.opts.Metrics.connects.WithLabelValues(result).Inc() }

// admit is the library's middleware for every namespace. It runs in the goroutine of the step; the library goes on in
// one of its own when next was called.
func (s *Server) admit(ls *socket.Socket, next func(*socket.ExtendedError)) {
	c, ok := ls.Conn().(*conn)
	if !ok || c.attempt == nil {
		next(socket.NewExtendedError(refusedBroken.Message, nil))
		return
	}
	a := c.attempt
	if a.refusal != nil {
		a.refused = true
		next(socket.NewExtendedError(a.refusal.Message, encodable(s, a.refusal.Data)))
		return
	}
	sock := &Socket{id: string(ls.Id()), lib: ls, conn: c, space: s.spaces[ls.Nsp().Name()], line: a.line, recovered: a.back, lost: a.lost}
	sock.SetData(a.data)
	sock.doubtful = a.back && s.recovery.doubts(a.line)
	if a.line != nil && !a.back {
		a.line.id = sock.id
	}
	a.socket = sock
	next(nil)
}

// authenticate asks the callback. A panic in it is an outage, not a verdict.
func (c *conn) authenticate(nsp string) (data any, refusal *ConnectError) {
	ctx, cancel := context.WithTimeout(context.Background(), c.srv.opts.AuthTimeout)
	defer cancel()
	hs := Handshake{Auth: c.attempt.auth, Namespace: nsp, Opened: c.opened, Conn: c.eng}
	if c.guard("Authenticate", func() { data, refusal = c.srv.opts.Authenticate(ctx, hs) }) {
		refusal = refusedBroken
	}
	switch {
	case refusal != nil:
		c.count("refused")
	case c.eng.Closed(): // nobody is there any more to join
		c.count("gone")
		refusal = refusedBroken
	}
	return data, refusal
}

// encodable is data as JSON, or nothing where that is not possible: a CONNECT packet must always be answered.
func encodable(s *Server, data any) any {
	if data == nil {
		return nil
	}
	var b bytes.Buffer
	if err := writeJSON(&b, data); err != nil {
		s.encodeFailed(parser.CONNECT_ERROR, err)
		return nil
	}
	return json.RawMessage(b.Bytes())
}

// connected hears that the library has written CONNECT. It runs in a goroutine of the library that ends here.
func (s *Server) connected(args ...any) {
	ls := args[0].(*socket.Socket)
	c := ls.Conn().(*conn)
	sock := c.attempt.socket
	ls.Use(func([]any, func(error)) { sock.handle() }) // never calls next: the library would go on in another goroutine
	if err := ls.On("disconnect", func(args ...any) {
		reason, _ := args[0].(string)
		c.departed(sock, reason)
	}); err != nil { // the library's emitter never fails
		s.opts.Logger.Error("cannot listen to a socket", slog.Any("error", err))
	}
	c.done()
}

// join makes the socket one that can be sent to, and tells of it.
func (c *conn) join(s *Socket) {
	c.waitNoMore()
	*s.lib.Handshake() = socket.Handshake{} // nothing reads it, and its maps would be there for as long as the socket
	c.joined = append(c.joined, s)
	s.connected.Store(true)
	if s.line != nil {
		c.srv.recovery.joined(s.line, s)
		s.line.up(c.eng)
	}
	s.space.rooms.enter(s)
	if len(c.srv.spaces) == 1 {
		c.eng.ReleaseHandshake() // headers and cookies: kilobytes, and secrets
		c.opened = nil
	}
	c.count("joined")
	if c.guard("OnConnect", func() { c.srv.opts.OnConnect(s) }) {
		c.leave(closedPanic)
	}
	c.srv.recovery.save(s.line)
}

// writeError answers a CONNECT packet that the library is not asked about.
func (c *conn) writeError(nsp string, e *ConnectError) {
	out, err := encode(parser.CONNECT_ERROR, nsp, nil, map[string]any{"message": e.Message, "data": e.Data})
	if err == nil {
		_ = c.eng.Send(out.packets()...) // an error means that the connection is ending
	}
}
