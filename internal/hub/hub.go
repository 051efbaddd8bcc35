package hub

import (
	"context"
	"log/slog"
	"net/http"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/identity"
	"github.com/citaplanner/realtime/internal/inbox"
	"github.com/citaplanner/realtime/internal/limits"
	"github.com/citaplanner/realtime/internal/outbox"
	"github.com/citaplanner/realtime/internal/presence"
	"github.com/citaplanner/realtime/internal/returning"
	"github.com/citaplanner/realtime/internal/sio"
	"github.com/citaplanner/realtime/internal/wire"
	"github.com/citaplanner/realtime/pkg/contract"

	"golang.org/x/time/rate"
)

// Authenticator finds out who is connecting.
type Authenticator interface {
	Authenticate(ctx context.Context, r identity.Request) (identity.User, error)
	// Prove checks the credential in the request's header, without a query; nil: there is no good one.
	Prove(r identity.Request) *identity.Proof
}

// Inbox marks notifications as read and tells the user's other devices.
type Inbox interface {
	MarkRead(ctx context.Context, u inbox.User, notificationID string) error
	MarkAllRead(ctx context.Context, u inbox.User) (int64, error)
}

// Appointments tells whether an appointment is one of the tenant's.
type Appointments interface {
	Exists(ctx context.Context, tenantID, id string) (bool, error)
}

// Returns tells users who come back what they have missed; internal/returning satisfies it.
type Returns interface {
	// Joined hears of each socket, when it can be sent to, and returns what it has to be sent.
	Joined(u store.Owner, how returning.Coming, since time.Time, place *returning.Place) []returning.Event
	// Left hears of each user who had the last socket at the time given and did not come back within the grace, or (stopping)
	// had one when the server stopped.
	Left(tenantID, userID string, seen time.Time, stopping bool)
}

// Deps are what the hub calls; all are needed, but for Missed and Returns.
type Deps struct {
	Identity     Authenticator
	Inbox        Inbox
	Appointments Appointments
	// Missed lists the events that were committed before a crash and that a socket which joins now still has to get; nil:
	// nothing.
	Missed  func(tenantID, userID string, role contract.Role) []outbox.Event
	Returns Returns // nil: nobody is told
}

// Options of New; the zero value is usable.
type Options struct {
	Socket       sio.Options   // its callbacks are the hub's to set
	Grace        time.Duration // presence: how long after its last socket a user counts as gone
	EventTimeout time.Duration // how long one client event may take; 0 is 5 s
	MaxPerUser   int           // sockets of one user; 0 is unlimited
	Events       limits.Rate   // events of one socket; the zero Rate is no limit, as for Fanout
	Fanout       limits.Rate   // deliveries of one tenant's broadcasts
	FanoutQueue  int           // bytes of broadcasts that may wait for one tenant; 0 is 16 MiB
	ArrivalWait  time.Duration // how long Settle may wait; 0: it never does
	ExpiryNotice time.Duration // how long before a session's end auth:expiring goes out; 0 is 60 s (contract/auth.md)
	Now          func() time.Time
	Logger       *slog.Logger
	Metrics      *Metrics
	Wire         *wire.Tap // shows the events to the console; nil: to nobody
}

// Hub is safe for use by many goroutines.
type Hub struct {
	deps     Deps
	opts     Options
	sio      *sio.Server
	presence *presence.Presence
	arrivals *arrivals
	pacer    *pacer

	probing, stuck atomic.Bool // Ready's
	stopping       atomic.Bool

	mu      sync.Mutex
	sockets map[string]*session   // by socket id
	users   map[string][]*session // by user id; nearly all have one
}

// session is a signed-in socket.
type session struct {
	user   identity.User
	socket *sio.Socket
	events *rate.Limiter // nil: no limit

	place   returning.Place
	before  *session                 // of a socket that is coming back; nil once it is there
	editing atomic.Pointer[[]string] // appointments that the socket was editing when it went

	expiry struct {
		sync.Mutex
		timer   *time.Timer // tells of the session's end, then ends it
		noticed bool        // the timer's own
		stopped bool
	}
}

// New returns a hub that serves at once.
func New(d Deps, o Options) (*Hub, error) {
	if o.EventTimeout <= 0 {
		o.EventTimeout = 5 * time.Second
	}
	if o.ExpiryNotice <= 0 {
		o.ExpiryNotice = time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	h := &Hub{deps: d, opts: o, arrivals: newArrivals(), sockets: map[string]*session{}, users: map[string][]*session{}}
	h.pacer = newPacer(o.Fanout, o.FanoutQueue, o.Now, o.Metrics)
	h.presence = presence.New(h, presence.Options{Grace: o.Grace, Now: o.Now, Gone: h.gone})
	so := o.Socket
	so.Authenticate, so.OnConnect, so.OnEvent, so.OnDisconnect = h.authenticate, h.connected, h.event, h.disconnected
	so.Recovery.Group, so.Recovery.Restore, so.Recovery.Save, so.Recovery.Load = tenantOf, restore, h.save, load
	if o.ArrivalWait > 0 {
		so.OnOpen = h.opened
	}
	var err error
	h.sio, err = sio.New(so)
	return h, err
}

// ServeHTTP is the Engine.IO endpoint.
func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.sio.ServeHTTP(w, r) }

// ClientBundle serves the browser's client library.
func (h *Hub) ClientBundle() http.Handler { return h.sio.ClientBundle() }

// Shutdown refuses new connections, sends what is queued, tells the clients to come back, and waits for all of it, or
// for ctx.
func (h *Hub) Shutdown(ctx context.Context) error {
	h.stopping.Store(true)
	h.pacer.flush(ctx)
	err := h.sio.Shutdown(ctx)
	if perr := h.presence.Stop(ctx); err == nil {
		err = perr
	}
	return err
}

// Conns counts the connections, those that have not signed in included.
func (h *Hub) Conns() int { return h.sio.Conns() }

// ConnectedUsers lists everybody with a socket; identity re-checks them.
func (h *Hub) ConnectedUsers() []string { return h.presence.Users() }

// UsersOf counts the users of a tenant that have a socket, each once.
func (h *Hub) UsersOf(tenantID string) int { return len(h.presence.TenantUsers(tenantID)) }

// Stats counts all sockets by tenant.
func (h *Hub) Stats() contract.SocketStats {
	users := map[string]map[string]struct{}{}
	s := contract.SocketStats{Tenants: map[string]contract.TenantStats{}}
	h.mu.Lock()
	for _, ses := range h.sockets {
		t := s.Tenants[ses.user.TenantID]
		t.Count++
		s.Tenants[ses.user.TenantID] = t
		s.TotalConnections++
		if users[ses.user.TenantID] == nil {
			users[ses.user.TenantID] = map[string]struct{}{}
		}
		users[ses.user.TenantID][ses.user.ID] = struct{}{}
	}
	h.mu.Unlock()
	for id, set := range users {
		t := s.Tenants[id]
		for u := range set {
			t.Users = append(t.Users, u)
		}
		sort.Strings(t.Users)
		s.Tenants[id] = t
	}
	return s
}
