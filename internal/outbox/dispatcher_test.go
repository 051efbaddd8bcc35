package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/emits"
	"github.com/citaplanner/realtime/internal/notify"
	"github.com/citaplanner/realtime/pkg/contract"
)

// dispatcher is one over the scene, on its clock.
func (s *scene) dispatcher(out Emitter, o DispatcherOptions) *Dispatcher {
	o.Now = s.now
	return NewDispatcher(s.st, out, o)
}

// drain looks until nothing is left, as Run does, and waits for it.
func (d *Dispatcher) drain(ctx context.Context) {
	for {
		d.look(ctx)
		d.running.Wait()
		select {
		case <-d.wake:
		default:
			return
		}
	}
}

// occur writes an occurrence.
func (s *scene) occur(kind, subject, payload string, source store.OccurrenceSource) {
	s.t.Helper()
	require.NoError(s.t, s.st.Occurrences.Add(s.t.Context(), store.Occurrence{
		Kind: kind, Payload: []byte(payload), TenantID: s.world.A.ID, Subject: subject, Source: source,
	}))
}

func (s *scene) occurrences(states ...store.OccurrenceState) []store.Occurrence {
	s.t.Helper()
	list, err := s.st.Occurrences.List(s.t.Context(), 1000, states...)
	require.NoError(s.t, err)
	return list
}

// byHand is an Emitter whose payloads are numbers and that settles what it tells.
type byHand struct {
	st   *store.Store
	mu   sync.Mutex
	told []string
	fail func(kind, payload string) error
}

func (b *byHand) Emit(
	ctx context.Context, kind string, payload []byte, _ bool, settle func(context.Context, *store.Store) error,
) error {
	if b.fail != nil {
		if err := b.fail(kind, string(payload)); err != nil {
			return err
		}
	}
	err := b.st.InTx(ctx, func(tx *store.Store) error { return settle(ctx, tx) })
	if err == nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.told = append(b.told, string(payload))
	}
	return err
}

// figure is the value of one counter or gauge.
func figure(t *testing.T, c prometheus.Collector) (sum float64) {
	t.Helper()
	reg := prometheus.NewRegistry()
	require.NoError(t, reg.Register(c))
	families, err := reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}

const (
	toTenant       = "appointment:created → tenant:tenant-a"
	toProfessional = "notification:new → user:a-professional of tenant-a"
	theFirst       = `{"appointmentId":"a-appointment","tenantId":"tenant-a","actorId":"a-admin"}`
)

func TestAnOccurrenceIsToldAsItsEndpointWould(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.occur("appointments/created", s.world.A.Appointment, theFirst, store.FromEmit)
		s.occur("tenant", s.world.A.ID, `{"tenantId":"tenant-a","event":"x","data":[1]}`, store.FromEmit)
		d := s.dispatcher(emits.Emitter{Notify: s.svc}, DispatcherOptions{Workers: 1})
		d.drain(t.Context())
		require.Equal(t, []string{toTenant, toProfessional, "x → tenant:tenant-a"}, s.out.got())
		require.Len(t, s.world.Notifications(), 1)
		b, err := s.st.Occurrences.Backlog(t.Context())
		require.NoError(t, err)
		require.Zero(t, b.Pending+b.Dead)
		require.NoError(t, s.svc.Flush(t.Context()))
		require.Empty(t, s.world.Deliveries())
		d.drain(t.Context())
		require.Len(t, s.out.got(), 3)
	})
}

func TestAProcessKilledBeforeOrAfterTheCommitLeavesOneNotification(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		a := s.world.A
		s.occur("appointments/created", a.Appointment, theFirst, store.FromEmit)
		s.occur("appointments/updated", a.Appointment, theFirst, store.FromEmit)
		before := &byHand{st: s.st, fail: func(string, string) error { panic("killed before the commit") }}
		dead := s.dispatcher(before, DispatcherOptions{})
		taken, err := s.st.Occurrences.Take(t.Context(), s.now(), dead.opts.Lease, 10, "")
		require.NoError(t, err)
		require.Len(t, taken, 1)

		d := s.dispatcher(emits.Emitter{Notify: s.svc}, DispatcherOptions{})
		d.drain(t.Context())
		require.Empty(t, s.out.got(), "its lease is not over")
		s.advance(dead.opts.Lease)
		s.out.kill = true // between the commit and the sending
		d.drain(t.Context())
		s.out.kill = false
		require.Len(t, s.world.Notifications(), 1)
		require.Len(t, s.world.Deliveries(), 1)
		require.Len(t, s.occurrences(store.OccurrenceSent), 1)
		d.drain(t.Context())
		require.Empty(t, s.out.got(), "what follows waits")

		s.advance(dead.opts.Lease)
		s.outbox(s.svc, Options{}).look(t.Context())
		require.Equal(t, []string{toTenant, toProfessional}, s.out.got())
		d.housekeep(t.Context())
		d.drain(t.Context())
		require.Equal(t, []string{toTenant, toProfessional, "appointment:updated → tenant:tenant-a", toProfessional}, s.out.got())
		require.Len(t, s.world.Notifications(), 2)
	})
}

func TestWhoIsSlowerThanItsLeaseStoresNothing(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.occur("appointments/created", s.world.A.Appointment, theFirst, store.FromEmit)
		d := s.dispatcher(emits.Emitter{Notify: s.svc}, DispatcherOptions{})
		slow, err := s.st.Occurrences.Take(t.Context(), s.now(), d.opts.Lease, 1, "")
		require.NoError(t, err)
		s.advance(d.opts.Lease)
		d.drain(t.Context())
		require.Len(t, s.world.Notifications(), 1)
		s.advance(time.Hour) // no claim keeps it back any more
		d.tell(t.Context(), slow[0])
		require.Len(t, s.world.Notifications(), 1)
		require.Equal(t, []string{toTenant, toProfessional}, s.out.got())
	})
}

func TestDispatchersShareTheWorkAndKeepEachSubjectsOrder(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		for i := range 60 {
			s.occur("calendar/refresh", fmt.Sprint("subject-", i%6), fmt.Sprint(100+i), store.FromEmit)
		}
		out := &byHand{st: s.st}
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		for range 3 {
			d := s.dispatcher(out, DispatcherOptions{Workers: 3, Poll: 20 * time.Millisecond})
			running.Go(func() { _ = d.Run(ctx) })
		}
		require.Eventually(t, func() bool {
			out.mu.Lock()
			defer out.mu.Unlock()
			return len(out.told) == 60
		}, time.Minute, 5*time.Millisecond)
		stop()
		running.Wait()
		for subject := range 6 {
			var want, got []string
			for i := subject; i < 60; i += 6 {
				want = append(want, fmt.Sprint(100+i))
			}
			for _, payload := range out.told {
				if slices.Contains(want, payload) {
					got = append(got, payload)
				}
			}
			require.Equal(t, want, got)
		}
		require.Empty(t, s.occurrences(store.OccurrencePending, store.OccurrenceSent, store.OccurrenceDead))
	})
}

func TestWhatCannotBeToldIsADeadLetterAndCanBeReplayed(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		a := s.world.A
		s.occur("appointments/created", "nowhere", `{"appointmentId":"nowhere","tenantId":"tenant-a"}`, store.FromEmit)
		s.occur("appointments/created", "b", `{"appointmentId":"b-appointment","tenantId":"tenant-a"}`, store.FromTrigger)
		s.occur("appointments/created", "c", `{"appointmentId":5}`, store.FromEmit)
		s.occur("nothing/known", "d", `{}`, store.FromEmit)
		s.occur("appointments/created", a.Appointment, theFirst, store.FromEmit)
		d := s.dispatcher(emits.Emitter{Notify: s.svc}, DispatcherOptions{})
		d.drain(t.Context())
		require.Equal(t, []string{toTenant, toProfessional}, s.out.got())
		dead := s.occurrences(store.OccurrenceDead)
		require.Len(t, dead, 4)
		require.Equal(t, "NOT_FOUND: appointment not found", dead[0].Error)
		require.Equal(t, "NOT_FOUND: appointment not found", dead[1].Error)
		require.Contains(t, dead[2].Error, "INVALID")
		require.Contains(t, dead[3].Error, "nothing/known")
		d.housekeep(t.Context())
		require.Equal(t, 4.0, figure(t, d.opts.Metrics.backlog.WithLabelValues("dead")))

		s.world.AddAppointment(a, "nowhere", nil)
		n, err := s.st.Occurrences.Replay(t.Context(), dead[0].ID)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		d.drain(t.Context())
		require.Len(t, s.out.got(), 4)
		s.advance(31 * 24 * time.Hour)
		d.housekeep(t.Context())
		require.Empty(t, s.occurrences(store.OccurrenceDead), "dead letters are kept for a month")
	})
}

func TestAFailureIsTriedAgainLaterAndLaterAndAnOutageForAsLongAsItTakes(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.occur("calendar/refresh", "fails", "1", store.FromEmit)
		s.occur("calendar/refresh", "down", "2", store.FromEmit)
		s.occur("calendar/refresh", "panics", "3", store.FromEmit)
		tries := map[string]int{}
		out := &byHand{st: s.st, fail: func(_, payload string) error {
			tries[payload]++
			switch payload {
			case "1":
				return errors.New("odd")
			case "2":
				return contract.NewError(contract.CodeUnavailable, "down")
			}
			panic("boom")
		}}
		d := s.dispatcher(out, DispatcherOptions{MaxAttempts: 4, Workers: 1})
		for range 8 {
			d.drain(t.Context())
			d.drain(t.Context()) // not before its time
			s.advance(10 * time.Minute)
		}
		require.Equal(t, map[string]int{"1": 4, "2": 8, "3": 4}, tries)
		dead := s.occurrences(store.OccurrenceDead)
		require.Len(t, dead, 2)
		require.Equal(t, []string{"odd", "panic: boom"}, []string{dead[0].Error, dead[1].Error})
		require.Equal(t, "UNAVAILABLE: down", s.occurrences(store.OccurrencePending)[0].Error)
	})
}

func TestTheWaitDoublesWithJitterAndHasAnEnd(t *testing.T) {
	t.Parallel()
	d := NewDispatcher(nil, nil, DispatcherOptions{})
	for attempt, want := range map[int]time.Duration{
		1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 9: 256 * time.Second, 10: 5 * time.Minute, 1000: 5 * time.Minute,
	} {
		seen := map[time.Duration]bool{}
		for range 20 {
			got := d.backoff(attempt)
			require.InDelta(t, want.Seconds(), got.Seconds(), want.Seconds()/5+0.001)
			seen[got] = true
		}
		require.Greater(t, len(seen), 10)
	}
}

// owned is a scene on PostgreSQL whose server owns the app's tables, with triggers on them.
func owned(t *testing.T) (*scene, *Dispatcher) {
	t.Helper()
	_, owner := dbtest.EmptyPostgresURL(t)
	s := newScene(t, dbtest.Open(t, store.Options{URL: owner}))
	_, err := s.st.InstallTriggers(t.Context())
	require.NoError(t, err)
	triggers := NewTriggers(s.st)
	triggers.Refresh(t.Context())
	s.svc = notify.New(s.st, s.out, notify.Options{Now: s.now, Triggered: triggers.Installed})
	return s, s.dispatcher(emits.Emitter{Notify: s.svc}, DispatcherOptions{Triggers: triggers})
}

func (s *scene) sql(statement string) {
	s.t.Helper()
	require.NoError(s.t, s.st.DB(s.t.Context()).Exec(statement).Error)
}

// fresh brings the appointments back to what is saved, without a trigger's noticing, and forgets what was told.
func (s *scene) fresh() {
	s.t.Helper()
	require.NoError(s.t, s.st.InTx(s.t.Context(), func(tx *store.Store) error {
		for _, statement := range []string{
			`SELECT set_config('realtime.quiet', 'on', true)`, `DELETE FROM notification_logs`, `DELETE FROM appointments`,
			`INSERT INTO appointments SELECT * FROM saved`, `DELETE FROM realtime.occurrences`, `DELETE FROM realtime.recent`,
		} {
			require.NoError(s.t, tx.DB(s.t.Context()).Exec(statement).Error)
		}
		return nil
	}))
	s.out.forget()
}

// changes are the four kinds of changes, what is told of each, and the endpoint that a route may call for it as well, in
// words of its own.
var changes = []struct {
	name, sql, event string
	endpoint         func(ctx context.Context, svc *notify.Service) error
}{
	{"created", `INSERT INTO appointments SELECT 'fresh', "startTime", "endTime", status, notes, "isOnline", "notificationsSent",
		"tenantId", "branchId", "clientId", "serviceId", "userId", "createdAt", "updatedAt" FROM appointments WHERE id = 'a-appointment'`,
		"appointment:created", func(ctx context.Context, svc *notify.Service) error {
			_, err := svc.AppointmentCreated(ctx, notify.AppointmentCreated{TenantID: "tenant-a", AppointmentID: "fresh", ActorID: "a-admin"})
			return err
		}},
	{"updated", `UPDATE appointments SET notes = 'new' WHERE id = 'a-appointment'`,
		"appointment:updated", func(ctx context.Context, svc *notify.Service) error {
			_, err := svc.AppointmentUpdated(ctx, notify.AppointmentUpdated{TenantID: "tenant-a", AppointmentID: "a-appointment",
				ActorID: "a-admin", Changes: json.RawMessage(`{"other":"words"}`)})
			return err
		}},
	{"moved, which the route calls an update", `UPDATE appointments SET "startTime" = "startTime" - interval '1 hour' WHERE id = 'a-appointment'`,
		"appointment:rescheduled", func(ctx context.Context, svc *notify.Service) error {
			_, err := svc.AppointmentUpdated(ctx, notify.AppointmentUpdated{TenantID: "tenant-a", AppointmentID: "a-appointment"})
			return err
		}},
	{"rescheduled", `UPDATE appointments SET "startTime" = "startTime" - interval '1 hour' WHERE id = 'a-appointment'`,
		"appointment:rescheduled", func(ctx context.Context, svc *notify.Service) error {
			old := dbtest.Now.Truncate(time.Hour)
			_, err := svc.AppointmentRescheduled(ctx, notify.AppointmentRescheduled{TenantID: "tenant-a", AppointmentID: "a-appointment",
				ActorID: "a-admin", OldStartTime: old, OldEndTime: old.Add(time.Hour)})
			return err
		}},
	{"cancelled", `UPDATE appointments SET status = 'CANCELLED' WHERE id = 'a-appointment'`,
		"appointment:deleted", func(ctx context.Context, svc *notify.Service) error {
			_, err := svc.AppointmentDeleted(ctx, notify.AppointmentDeleted{TenantID: "tenant-a", ActorID: "a-admin",
				AppointmentData: json.RawMessage(`{"id":"a-appointment","reason":"no show"}`)})
			return err
		}},
	{"deleted", `DELETE FROM appointments WHERE id = 'a-appointment'`,
		"appointment:deleted", func(ctx context.Context, svc *notify.Service) error {
			_, err := svc.AppointmentDeleted(ctx, notify.AppointmentDeleted{TenantID: "tenant-a", ActorID: "a-admin",
				AppointmentData: json.RawMessage(`{"id":"a-appointment","professionalId":"a-professional"}`)})
			return err
		}},
}

func TestAChangeThatARouteAlsoEmitsIsToldOnce(t *testing.T) {
	t.Parallel()
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, d := owned(t)
			s.sql(`CREATE TABLE saved AS SELECT * FROM appointments`)
			for _, first := range []string{"the trigger", "the endpoint", "the endpoint, the outbox a minute later", "both at once"} {
				s.fresh()
				s.sql(c.sql)
				emit := func() { assert.NoError(t, c.endpoint(t.Context(), s.svc)) }
				switch first {
				case "the trigger":
					d.drain(t.Context())
					s.advance(20 * time.Second) // no claim keeps it back any more
					emit()
				case "the endpoint":
					emit()
					d.drain(t.Context())
				case "the endpoint, the outbox a minute later":
					emit()
					s.advance(time.Minute)
					d.drain(t.Context())
				case "both at once":
					var both sync.WaitGroup
					both.Go(emit)
					d.drain(t.Context())
					both.Wait()
					d.drain(t.Context())
				}
				got := s.out.got()
				slices.Sort(got)
				require.Equal(t, []string{c.event + " → tenant:tenant-a", toProfessional}, got, first)
				require.Len(t, s.world.Notifications(), 1, first)
				require.Empty(t, s.occurrences(store.OccurrencePending, store.OccurrenceDead), first)
				d.drain(t.Context())
				require.Len(t, s.out.got(), 2, first)
			}
		})
	}
}

func TestTheSameChangeTwiceIsToldTwiceWhetherOrNotARouteEmitsToo(t *testing.T) {
	t.Parallel()
	s, d := owned(t)
	emit := func() {
		_, err := s.svc.AppointmentUpdated(t.Context(), notify.AppointmentUpdated{TenantID: "tenant-a", AppointmentID: "a-appointment"})
		require.NoError(t, err)
	}
	s.sql(`UPDATE appointments SET notes = 'one' WHERE id = 'a-appointment'`)
	s.sql(`UPDATE appointments SET notes = 'two' WHERE id = 'a-appointment'`)
	d.drain(t.Context())
	require.Len(t, s.world.Notifications(), 2)
	emit()
	emit()
	require.Len(t, s.world.Notifications(), 2, "a route's word for each")
	s.advance(time.Minute)
	s.sql(`UPDATE services SET name = 'other' WHERE id = 'a-service'`)
	emit()
	require.Len(t, s.world.Notifications(), 3, "a change that no trigger sees")
}

func TestAnAppointmentThatIsGoneBeforeItIsToldIsNoDeadLetter(t *testing.T) {
	t.Parallel()
	s, d := owned(t)
	s.sql(changes[0].sql)
	s.sql(`UPDATE appointments SET notes = 'x' WHERE id = 'fresh'`)
	s.sql(`DELETE FROM appointments WHERE id = 'fresh'`)
	d.drain(t.Context())
	require.Equal(t, []string{"appointment:deleted → tenant:tenant-a", toProfessional}, s.out.got())
	for _, table := range []string{"appointments", "working_hours", "notification_logs"} {
		s.sql(`DELETE FROM ` + table + ` WHERE true`)
	}
	s.sql(`DELETE FROM tenants WHERE id = 'tenant-a'`)
	d.drain(t.Context())
	require.Empty(t, s.occurrences(store.OccurrencePending, store.OccurrenceDead), "its tenant is gone")
}

func TestANotificationWakesTheDispatcherAndALostConnectionIsSeenAndComesBack(t *testing.T) {
	t.Parallel()
	url, _ := dbtest.PostgresURL(t)
	s := newScene(t, dbtest.Open(t, store.Options{URL: url + "&pgbouncer=true", DirectURL: url}))
	out := &byHand{st: s.st}
	d := s.dispatcher(out, DispatcherOptions{Poll: time.Hour}) // only NOTIFY wakes it
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	listening := func(want float64) {
		require.Eventually(t, func() bool { return figure(t, d.opts.Metrics.listening) == want }, time.Minute, time.Millisecond)
	}
	told := func(want ...string) {
		require.Eventually(t, func() bool {
			out.mu.Lock()
			defer out.mu.Unlock()
			return slices.Equal(out.told, want)
		}, time.Minute, time.Millisecond)
	}
	listening(1)
	require.Equal(t, "listening", d.Note())
	s.occur("calendar/refresh", "a", "1", store.FromEmit)
	told("1")

	admin := dbtest.SuperuserURL(t, url)
	name := admin[strings.LastIndexByte(admin, '/')+1:]
	name, _, _ = strings.Cut(name, "?")
	dbtest.Exec(t, admin, `ALTER DATABASE `+name+` CONNECTION LIMIT 0`, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE application_name = 'citaplanner-realtime-listen' AND datname = current_database()`)
	listening(0)
	require.Equal(t, "not listening, looking every 1h0m0s", d.Note())
	require.Equal(t, 1.0, figure(t, d.opts.Metrics.lost))
	dbtest.Exec(t, dbtest.PlainURL(admin), `INSERT INTO realtime.occurrences (kind, payload, subject, source, created_at)
		VALUES ('calendar/refresh', '2', 'a', 'emit', clock_timestamp())`)
	dbtest.Exec(t, admin, `ALTER DATABASE `+name+` CONNECTION LIMIT -1`)
	listening(1)
	told("1", "2") // said while nobody listened
	s.occur("calendar/refresh", "a", "3", store.FromEmit)
	told("1", "2", "3")
	stop()
	require.NoError(t, <-ended)
}

func TestAStopFinishesWhatItHasBegun(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.occur("calendar/refresh", "a", "1", store.FromEmit)
		ctx, stop := context.WithCancel(t.Context())
		out := &byHand{st: s.st, fail: func(string, string) error { stop(); return nil }}
		require.NoError(t, s.dispatcher(out, DispatcherOptions{}).Run(ctx))
		require.Equal(t, []string{"1"}, out.told)
		require.Empty(t, s.occurrences(store.OccurrencePending, store.OccurrenceSent))
	})
}

func TestTheDispatcherIsNotReadyWhenItCannotRead(t *testing.T) {
	t.Parallel()
	st, err := store.Open(t.Context(), store.Options{URL: dbtest.SQLiteURL(t)}) // no tables
	require.NoError(t, err)
	defer func() { require.NoError(t, st.Close()) }()
	now := time.Now()
	d := NewDispatcher(st, nil, DispatcherOptions{Now: func() time.Time { return now }})
	require.NoError(t, d.Ready(t.Context()))
	d.look(t.Context())
	now = now.Add(16 * time.Second)
	require.ErrorContains(t, d.Ready(t.Context()), "cannot be read")
	require.Equal(t, 1.0, figure(t, d.opts.Metrics.errors))
}

func TestALongQueueOfOneSubjectIsNotReadAgainForEachOfIt(t *testing.T) {
	t.Parallel()
	s := newScene(t, dbtest.Postgres(t))
	const n = 3 * maxChain
	s.sql(fmt.Sprintf(`INSERT INTO realtime.occurrences (kind, payload, subject, source, created_at)
		SELECT 'calendar/refresh', to_jsonb(i), 'tenant', 'emit', clock_timestamp() FROM generate_series(1, %d) i`, n))
	out := &byHand{st: s.st}
	d := s.dispatcher(out, DispatcherOptions{})
	statements := dbtest.Statements(s.st, func() { d.drain(t.Context()) })
	require.Len(t, out.told, n)
	for i, payload := range out.told {
		require.Equal(t, fmt.Sprint(i+1), payload)
	}
	require.Less(t, statements, 3*n+50, "settle, finish and take each of them, by its index")
}
