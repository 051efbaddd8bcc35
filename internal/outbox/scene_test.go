package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/leak"
	"github.com/citaplanner/realtime/internal/notify"
	"github.com/citaplanner/realtime/pkg/contract"
)

var (
	_ Deliverer          = (*notify.Service)(nil)
	_ notify.Broadcaster = (*clients)(nil)
)

func TestMain(m *testing.M) {
	leak.Main(m,
		goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"),
		goleak.IgnoreAnyFunction("github.com/jackc/pgx/v5/pgxpool.(*Pool).backgroundHealthCheck"))
}

// clients is a Broadcaster: it keeps what it sends as "event → to". kill panics instead, as if the process ended.
type clients struct {
	mu   sync.Mutex
	list []string
	kill bool
}

func (c *clients) send(to, event string, payload any) (int, error) {
	if _, err := json.Marshal(payload); err != nil {
		return 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kill {
		panic("killed")
	}
	c.list = append(c.list, event+" → "+to)
	return 1, nil
}

func (c *clients) ToUser(_ context.Context, tenantID, userID, event string, payload any) (int, error) {
	return c.send("user:"+userID+" of "+tenantID, event, payload)
}

func (c *clients) ToTenant(_ context.Context, tenantID, event string, payload any) (int, error) {
	return c.send("tenant:"+tenantID, event, payload)
}

func (c *clients) ToRole(
	_ context.Context, tenantID string, role contract.Role, event string, payload any,
) (int, error) {
	return c.send("role:"+string(role)+" of "+tenantID, event, payload)
}

func (c *clients) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = nil
}

func (c *clients) got() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.list)
}

// scene is the world, a notification service whose process was killed, and a clock that is moved by hand.
type scene struct {
	t     *testing.T
	st    *store.Store
	world *dbtest.World
	out   *clients
	svc   *notify.Service
	ns    atomic.Int64
}

func each(t *testing.T, fn func(t *testing.T, s *scene)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) { fn(t, newScene(t, st)) })
}

func newScene(t *testing.T, st *store.Store) *scene {
	s := &scene{t: t, st: st, world: dbtest.Seed(t, st), out: &clients{}}
	s.ns.Store(time.Now().UnixNano())
	s.svc = notify.New(st, s.out, notify.Options{Now: s.now})
	return s
}

func (s *scene) now() time.Time          { return time.Unix(0, s.ns.Load()) }
func (s *scene) advance(d time.Duration) { s.ns.Add(int64(d)) }

// outbox is one over the scene, on its clock.
func (s *scene) outbox(d Deliverer, o Options) *Outbox {
	o.Now = s.now
	box := New(s.st, d, o)
	box.lookTime = time.Minute // of a busy machine
	return box
}

// killed emits an appointment in a process that is killed between the commit and the sending.
func (s *scene) killed(tenant dbtest.Tenant, appointmentID string) {
	s.t.Helper()
	s.out.kill = true
	require.PanicsWithValue(s.t, "killed", func() {
		_, _ = s.svc.AppointmentCreated(s.t.Context(), notify.AppointmentCreated{
			TenantID: tenant.ID, AppointmentID: appointmentID,
		})
	})
	s.out.kill = false
}

// leave puts a delivery there that is due at once.
func (s *scene) leave(id, tenantID, body string) {
	s.t.Helper()
	require.NoError(s.t, s.st.Outbox.Add(s.t.Context(), store.Delivery{
		ID: id, TenantID: tenantID, Body: []byte(body), DueAt: s.now(),
	}))
}

// deliverer is one whose deliveries are numbers: 1 sends, 2 fails, 3 is unreadable, 4 panics.
type deliverer struct {
	mu   sync.Mutex
	seen map[string]int
}

var errDown = errors.New("the bus is down")

func (d *deliverer) Deliver(_ context.Context, body []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen == nil {
		d.seen = map[string]int{}
	}
	d.seen[string(body)]++
	switch string(body) {
	case "2":
		return 0, errDown
	case "4":
		panic("boom")
	}
	return 1, nil
}

func (d *deliverer) Events(body []byte) (Reader, error) {
	if string(body) == "3" {
		return nil, contract.NewError(contract.CodeInvalid, "unreadable")
	}
	return func(userID string, role contract.Role, yield func(string, json.RawMessage, string)) {
		yield("event", body, "")
	}, nil
}

func (d *deliverer) times(body string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.seen[body]
}

// names are the names of events.
func names(events []Event) []string {
	list := []string{}
	for _, e := range events {
		list = append(list, e.Name)
	}
	return list
}
