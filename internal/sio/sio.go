package sio

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/zishang520/engine.io/v2/engine"
	"github.com/zishang520/engine.io/v2/types"
	"github.com/zishang520/socket.io-go-parser/v2/parser"
	"github.com/zishang520/socket.io/v2/socket"

	"github.com/citaplanner/realtime/pkg/engineio"
)

// Options of [New]. The zero value of each field means the default named; callbacks may be nil.
type Options struct {
	// Engine are the options of the transport below.
	Engine engineio.Options

	// Namespaces that exist beside "/". Default none: CONNECT to any other is answered "Invalid namespace".
	Namespaces []string
	// MaxNamespaces is how many of them one connection may join. Default: all there are.
	MaxNamespaces int
	// MaxAttachments of one packet of a client. Default 10.
	MaxAttachments int
	// MaxBinary is the sum of the attachments of one packet of a client, in bytes. Default: Engine's MaxPayload.
	MaxBinary int64
	// MaxDepth is how deep arrays and objects in a packet of a client may nest, the packet's own array included.
	// Default 32.
	MaxDepth int
	// MaxEventName is the longest event name of a client in bytes. Default 128.
	MaxEventName int
	// MaxConnects is how many CONNECT packets a connection may send in a minute before it is closed. Default 20.
	MaxConnects int
	// MaxPendingAcks is how many acknowledgements one socket may owe (see Socket.EmitAck). Default 1000.
	MaxPendingAcks int
	// ConnectTimeout is how long a connection may be in no namespace before it is closed. Default 45 s.
	ConnectTimeout time.Duration
	// AuthTimeout bounds the context of Authenticate. Default 10 s.
	AuthTimeout time.Duration

	// Recovery of sockets whose connection broke. Default: none.
	Recovery Recovery

	// OnOpen hears of a connection before its first packet. What it returns as opened is there for Authenticate, as long as
	// the connection's Handshake is; arrived runs once: when the client has joined a namespace, was refused or went away.
	// Both may be nil. Default: nothing.
	OnOpen func(c *engineio.Conn) (opened any, arrived func())
	// Authenticate decides about a CONNECT packet; data becomes the socket's. It runs in the connection's order, so that
	// nothing else of the client is looked at meanwhile: not even its end, so ctx ends after AuthTimeout and not before.
	// Default: everybody may, data is nil.
	Authenticate func(ctx context.Context, hs Handshake) (data any, err *ConnectError)
	// OnConnect runs after the CONNECT packet was queued and before any event of the socket.
	OnConnect func(s *Socket)
	// OnEvent runs for one event of a connection at a time, in the order in which the client sent them.
	OnEvent func(s *Socket, e Event)
	// OnDisconnect runs exactly once for each OnConnect, last. The reason is Socket.IO's text, or that of Reason.
	OnDisconnect func(s *Socket, reason string)

	// Logger: default none. Payloads and credentials are never logged.
	Logger *slog.Logger
	// Metrics: default counted, shown nowhere.
	Metrics *Metrics
	// Now is the clock of MaxConnects. Default time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	positive(&o.MaxAttachments, 10)
	positive(&o.MaxDepth, 32)
	positive(&o.MaxEventName, 128)
	positive(&o.MaxConnects, 20)
	positive(&o.MaxPendingAcks, 1000)
	positive(&o.MaxNamespaces, 1+len(o.Namespaces))
	positive(&o.ConnectTimeout, 45*time.Second)
	positive(&o.AuthTimeout, 10*time.Second)
	positive(&o.Engine.MaxPayload, 1_000_000)
	positive(&o.Engine.QueueBytes, 4<<20)
	positive(&o.MaxBinary, o.Engine.MaxPayload)
	if o.Authenticate == nil {
		o.Authenticate = func(context.Context, Handshake) (any, *ConnectError) { return nil, nil }
	}
	if o.OnOpen == nil {
		o.OnOpen = func(*engineio.Conn) (any, func()) { return nil, nil }
	}
	if o.OnConnect == nil {
		o.OnConnect = func(*Socket) {}
	}
	if o.OnEvent == nil {
		o.OnEvent = func(*Socket, Event) {}
	}
	if o.OnDisconnect == nil {
		o.OnDisconnect = func(*Socket, string) {}
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

func positive[T int | int64 | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// Server is a Socket.IO server for one Engine.IO endpoint. Safe for use by many goroutines.
type Server struct {
	opts    Options
	engine  *engineio.Server
	context *types.HttpContext // shared by all connections, see sharedContext
	bound   engine.BaseServer  // where the library waits for connections
	spaces  map[string]*space  // by name; never changes after New

	recovery *recovery // nil: off
}

// space is a namespace: the library's and our rooms of it.
type space struct {
	srv   *Server
	name  string
	lib   socket.Namespace
	rooms *rooms
}

// New returns a server that serves at once. It fails on an impossible namespace name.
func New(o Options) (*Server, error) {
	s := &Server{opts: o.withDefaults(), context: sharedContext(), spaces: map[string]*space{}}
	s.recovery = newRecovery(s.opts)
	so := socket.DefaultServerOptions()
	so.SetParser(codec{failed: s.encodeFailed})
	so.SetAdapter(adapters{})
	so.SetServeClient(false)
	if s.recovery != nil { // for the ids alone (adapter.RestoreSession): the rest of it is ours
		so.SetConnectionStateRecovery(&socket.ConnectionStateRecovery{})
	}
	// The library's own timer closes a connection beside its order and leaves a ghost when a CONNECT is being handled:
	// conn.expire does it in order.
	so.SetConnectTimeout(math.MaxInt64)
	lib := socket.NewServer(nil, so)
	s.bound = engine.MakeBaseServer()
	lib.Bind(s.bound)
	for _, name := range append([]string{"/"}, s.opts.Namespaces...) {
		if !strings.HasPrefix(name, "/") || len(name) > maxNamespaceName || strings.ContainsAny(name, ",?") {
			return nil, fmt.Errorf("sio: impossible namespace %q", name)
		}
		if s.spaces[name] != nil {
			continue
		}
		ns := lib.Of(name, nil)
		a, ok := ns.Adapter().(*adapter)
		if !ok {
			return nil, fmt.Errorf("sio: namespace %q has a foreign adapter", name)
		}
		ns.Use(s.admit)
		if err := ns.On("connection", s.connected); err != nil {
			return nil, fmt.Errorf("sio: listen to namespace %q: %w", name, err)
		}
		s.spaces[name] = &space{srv: s, name: name, lib: ns, rooms: a.rooms}
	}
	s.engine = engineio.NewServer(handler{s}, s.opts.Engine)
	return s, nil
}

// ServeHTTP is the Engine.IO endpoint.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.engine.ServeHTTP(w, r) }

// Shutdown refuses new connections, sends what is queued, closes every connection so that its client comes back
// elsewhere, and waits until every OnDisconnect has returned, or for ctx.
func (s *Server) Shutdown(ctx context.Context) error {
	s.recovery.stop()
	if err := s.engine.Shutdown(ctx); err != nil {
		return fmt.Errorf("sio: shut down: %w", err)
	}
	return nil
}

// Len counts the sockets in all namespaces.
func (s *Server) Len() int {
	n := 0
	for _, sp := range s.spaces {
		n += sp.rooms.len()
	}
	return n
}

// Conns counts the connections, those in no namespace included.
func (s *Server) Conns() int { return s.engine.Len() }

// InRoom counts the sockets in a room of "/".
func (s *Server) InRoom(room string) int { return s.spaces["/"].rooms.count(room) }

// Rooms lists the rooms of "/" that somebody is in, sorted, without the room that each socket has by its id.
func (s *Server) Rooms() []string { return s.spaces["/"].rooms.names() }

// Get returns the socket of "/" with this id, or nil.
func (s *Server) Get(id string) *Socket { return s.spaces["/"].rooms.get(id) }

// Each calls f for every socket of every namespace until f returns false. No lock is held while f runs.
func (s *Server) Each(f func(*Socket) bool) {
	var all []*Socket
	for _, sp := range s.spaces {
		all = append(all, sp.rooms.all()...)
	}
	for _, sock := range all {
		if !f(sock) {
			return
		}
	}
}

func (s *Server) encodeFailed(kind parser.PacketType, err error) {
	s.opts.Metrics.encodeErrors.Inc()
	s.opts.Logger.Error("a packet cannot be encoded and was not sent", slog.String("type", kind.String()),
		slog.Any("error", err))
}

// handler is what the engine calls, one thing at a time for each connection.
type handler struct{ srv *Server }

var _ engineio.Handler = handler{}

// Open makes the library know the connection before anything of it is read.
func (h handler) Open(ec *engineio.Conn) {
	c := newConn(h.srv, ec)
	ec.SetValue(c)
	h.srv.bound.Emit("connection", c)
}

// Message returns when the library and the callbacks are done with it.
func (h handler) Message(ec *engineio.Conn, m engineio.Message) {
	if c, ok := ec.Value().(*conn); ok {
		c.message(m)
	}
}

// Close is the last thing of a connection.
func (h handler) Close(ec *engineio.Conn, reason engineio.CloseReason) {
	if c, ok := ec.Value().(*conn); ok {
		c.end(reason)
	}
}
