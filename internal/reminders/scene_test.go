package reminders

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/leak"
	"github.com/citaplanner/realtime/internal/notify"
	"github.com/citaplanner/realtime/pkg/contract"
)

var (
	_ Reminder           = (*notify.Service)(nil)
	_ notify.Broadcaster = (*clients)(nil)
)

func TestMain(m *testing.M) {
	leak.Main(m,
		goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"),
		goleak.IgnoreAnyFunction("github.com/jackc/pgx/v5/pgxpool.(*Pool).backgroundHealthCheck"))
}

// clients is a Broadcaster: it keeps the reminders that it sends as "<minutes> → <user>", and what else it sends as
// "<event> → <user>". kill panics instead, as if the process ended.
type clients struct {
	mu   sync.Mutex
	list []string
	kill bool
}

func (c *clients) ToUser(_ context.Context, _, userID, event string, payload any) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kill {
		panic("killed")
	}
	if event == contract.EventAppointmentReminder {
		var p struct{ MinutesBefore json.Number }
		if err := json.Unmarshal(payload.(json.RawMessage), &p); err != nil {
			return 0, err
		}
		event = p.MinutesBefore.String()
	}
	c.list = append(c.list, event+" → "+userID)
	return 1, nil
}

func (c *clients) ToTenant(context.Context, string, string, any) (int, error) {
	panic("a reminder is nobody else's")
}

func (c *clients) ToRole(context.Context, string, contract.Role, string, any) (int, error) {
	panic("a reminder is nobody else's")
}

// take is what was sent since the last take, sorted, notification:new left out.
func (c *clients) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := slices.DeleteFunc(c.list, func(s string) bool { return s[0] == 'n' })
	c.list = nil
	slices.Sort(list)
	return list
}

// scene is the world, a node, what it sends, and a clock that is moved by hand.
type scene struct {
	*Service

	t     testing.TB
	st    *store.Store
	world *dbtest.World
	a, b  dbtest.Tenant
	out   *clients
	ns    *atomic.Int64

	registry *prometheus.Registry // of the newest node
}

// start is when the first appointments begin, at 16:00, an hour after which the world is made.
var start = dbtest.Now.Truncate(time.Hour).Add(time.Hour)

// each runs fn on both databases, at half past one: appointments are at 16:00, in 26 and in 50.5 hours, and were made a week
// ago. Only tenant A has any.
func each(t *testing.T, fn func(t *testing.T, s *scene)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) { fn(t, newScene(t, st)) })
}

func newScene(t testing.TB, st *store.Store) *scene {
	s := &scene{t: t, st: st, world: dbtest.Seed(t, st), out: &clients{}, ns: &atomic.Int64{}}
	s.a, s.b = s.world.A, s.world.B
	s.at(start.Add(-150 * time.Minute))
	for _, id := range []string{s.b.Appointment, s.b.Appointment2, s.b.Appointment3} {
		s.world.DeleteAppointment(id)
	}
	s.exec(`UPDATE appointments SET "createdAt" = ?, "updatedAt" = ?`, s.now().AddDate(0, 0, -7), s.now().AddDate(0, 0, -7))
	s.Service = s.node(s.out)
	return s
}

// node is a server of its own on the same database.
func (s *scene) node(out notify.Broadcaster) *Service {
	s.registry = prometheus.NewRegistry()
	return New(s.st, notify.New(s.st, out, notify.Options{Now: s.now}), Options{Now: s.now, Batch: 3, Metrics: NewMetrics(s.registry)})
}

// results are the reminders that the newest node has counted, by result, but for none.
func (s *scene) results() map[string]float64 {
	s.t.Helper()
	families, err := s.registry.Gather()
	require.NoError(s.t, err)
	counts := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if n := m.GetCounter().GetValue(); f.GetName() == "realtime_reminders_total" && n > 0 {
				counts[m.GetLabel()[0].GetValue()] = n
			}
		}
	}
	return counts
}

func (s *scene) now() time.Time          { return time.Unix(0, s.ns.Load()).UTC() }
func (s *scene) at(t time.Time)          { s.ns.Store(t.UnixNano()) }
func (s *scene) advance(d time.Duration) { s.ns.Add(int64(d)) }

// before sets the clock to so many minutes before the first appointment, and some.
func (s *scene) before(minutes int, and time.Duration) {
	s.at(start.Add(-time.Duration(minutes)*time.Minute + and))
}

func (s *scene) exec(statement string, args ...any) {
	s.t.Helper()
	require.NoError(s.t, s.st.InTx(s.t.Context(), func(tx *store.Store) error {
		return tx.DB(s.t.Context()).Exec(statement, args...).Error
	}))
}

// set changes a column of an appointment as the app does: updatedAt becomes now.
func (s *scene) set(id, column string, value any) {
	s.t.Helper()
	s.exec(`UPDATE appointments SET "`+column+`" = ?, "updatedAt" = ? WHERE id = ?`, value, s.now(), id)
}

func (s *scene) move(id string, to time.Time) { s.t.Helper(); s.set(id, "startTime", to) }

// add makes another appointment at the same time, with the same two.
func (s *scene) add(id string) {
	s.t.Helper()
	s.world.AddAppointment(s.a, id, func(a *models.Appointment) {
		a.StartTime, a.EndTime = start, start.Add(time.Hour)
		a.CreatedAt, a.UpdatedAt = s.now().AddDate(0, 0, -7), s.now().AddDate(0, 0, -7)
	})
}

// prefer gives the first appointment's professional preferences that are a week old.
func (s *scene) prefer(change func(*models.UserNotificationPreferences)) {
	s.t.Helper()
	s.world.Prefer(s.a, s.a.Professional, func(p *models.UserNotificationPreferences) {
		p.UpdatedAt = s.now().AddDate(0, 0, -7)
		change(p)
	})
}

// settings gives tenant A settings that are a week old.
func (s *scene) settings(on bool, times string) {
	s.t.Helper()
	s.world.Insert(&models.NotificationSettings{
		ID: "settings", AppointmentReminderEnabled: on, AppointmentReminderTimes: &times, TenantID: s.a.ID,
		CreatedAt: s.now().AddDate(0, 0, -7), UpdatedAt: s.now().AddDate(0, 0, -7),
	})
}

// passed is what a pass sends.
func (s *scene) passed() []string {
	s.t.Helper()
	_, err := s.Pass(s.t.Context())
	require.NoError(s.t, err)
	return s.out.take()
}

// outcomes are the rows of realtime.reminders by "<outcome> <minutes> → <recipient>".
func (s *scene) outcomes() map[string]int {
	s.t.Helper()
	var rows []models.Reminder
	require.NoError(s.t, s.st.DB(s.t.Context()).Find(&rows).Error)
	count := map[string]int{}
	for _, r := range rows {
		count[r.Outcome+" "+r.RecipientID]++
	}
	return count
}

// The two reminders of the first appointment an hour before.
var bothAnHourBefore = []string{"60 → a-portal", "60 → a-professional"}
