package store_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/store"
)

// triggered is the world on PostgreSQL with the triggers installed by the tables' owner, and the app's own connection.
type triggered struct {
	t     *testing.T
	st    *store.Store
	w     *dbtest.World
	owner *store.Store
	app   *sql.DB // of the tables' owner, as Prisma has it; search_path without public
}

func withTriggers(t *testing.T) *triggered {
	t.Helper()
	url, owner := dbtest.PostgresURL(t)
	s := &triggered{t: t, st: dbtest.Open(t, store.Options{URL: url})}
	s.w = dbtest.Seed(t, s.st)
	grantTriggers(t, url)
	var err error
	s.owner, err = store.Open(t.Context(), store.Options{URL: owner})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.owner.Close()) })
	made, err := s.owner.InstallTriggers(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"appointments", "working_hours"}, made)
	s.app, err = sql.Open("pgx", dbtest.PlainURL(owner)+"&search_path=pg_catalog")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.app.Close()) })
	return s
}

// grantTriggers gives the tables' owner what README says.
func grantTriggers(t *testing.T, url string) {
	t.Helper()
	dbtest.Exec(t, url, `GRANT USAGE ON SCHEMA realtime TO prisma_owner`,
		`GRANT EXECUTE ON FUNCTION realtime.appointment_changed(), realtime.working_hours_changed(),
			realtime.emit(text, jsonb) TO prisma_owner`)
}

// do runs statements in one transaction of the app's.
func (s *triggered) do(statements ...string) {
	s.t.Helper()
	tx, err := s.app.BeginTx(s.t.Context(), nil)
	require.NoError(s.t, err)
	for _, statement := range statements {
		_, err := tx.ExecContext(s.t.Context(), statement)
		require.NoError(s.t, err, statement)
	}
	require.NoError(s.t, tx.Commit())
}

// seen are the occurrences since the last call, as "kind payload".
func (s *triggered) seen() []string {
	s.t.Helper()
	list := []string{}
	taken, err := s.st.Occurrences.Take(s.t.Context(), time.Now(), time.Minute, 100, "")
	require.NoError(s.t, err)
	for len(taken) > 0 {
		for _, o := range taken {
			list = append(list, o.Kind+" "+compact(s.t, o.Payload))
			require.NoError(s.t, s.st.Occurrences.Drop(s.t.Context(), o))
		}
		taken, err = s.st.Occurrences.Take(s.t.Context(), time.Now(), time.Minute, 100, "")
		require.NoError(s.t, err)
	}
	return list
}

// compact is JSON with its members in order.
func compact(t *testing.T, raw []byte) string {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal(raw, &v))
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

const newAppointment = `INSERT INTO public.appointments (id, "startTime", "endTime", status, "tenantId", "branchId", "clientId",
	"serviceId", "userId", "updatedAt") VALUES ('new', '2026-01-05 10:00', '2026-01-05 11:00', 'PENDING', 'tenant-a',
	'a-branch', 'a-client', 'a-service', 'a-professional', '2026-01-01')`

func TestTriggersTellWhatHappensToAnAppointment(t *testing.T) {
	t.Parallel()
	s := withTriggers(t)
	update := func(set string) string {
		return `UPDATE public.appointments SET "updatedAt" = clock_timestamp(), ` + set + ` WHERE id = 'a-appointment'`
	}
	const ids = `"appointmentId":"a-appointment"`
	for _, c := range []struct {
		name       string
		statements []string
		want       []string
	}{
		{"a new one", []string{newAppointment}, []string{`appointments/created {"appointmentId":"new","tenantId":"tenant-a"}`}},
		{"its time", []string{update(`"startTime" = "startTime" + interval '1 hour', "endTime" = "endTime" + interval '1 hour'`)},
			[]string{`appointments/rescheduled {` + ids + `,"oldEndTime":"2025-11-12T16:45:00.000Z",` +
				`"oldStartTime":"2025-11-12T16:00:00.000Z","tenantId":"tenant-a"}`}},
		{"its professional, and its notes", []string{update(`"userId" = 'a-professional-2', notes = 'x'`)},
			[]string{`appointments/rescheduled {` + ids + `,"oldEndTime":"2025-11-12T17:45:00.000Z",` +
				`"oldStartTime":"2025-11-12T17:00:00.000Z","tenantId":"tenant-a"}`}},
		{"its status and notes", []string{update(`status = 'COMPLETED', notes = 'y'`)},
			[]string{`appointments/updated {` + ids + `,"changes":{"notes":"y","status":"COMPLETED"},"tenantId":"tenant-a"}`}},
		{"twice in one transaction", []string{update(`status = 'CONFIRMED'`), update(`notes = null`)},
			[]string{`appointments/updated {` + ids + `,"changes":{"notes":null,"status":"CONFIRMED"},"tenantId":"tenant-a"}`}},
		{"moved twice in one transaction", []string{update(`"endTime" = "endTime" + interval '1 hour'`),
			update(`"endTime" = "endTime" - interval '2 hour'`)},
			[]string{`appointments/rescheduled {` + ids + `,"oldEndTime":"2025-11-12T17:45:00.000Z",` +
				`"oldStartTime":"2025-11-12T17:00:00.000Z","tenantId":"tenant-a"}`}},
		{"who did it", []string{`SELECT set_config('realtime.actor', 'a-admin', true)`, update(`"isOnline" = true`)},
			[]string{`appointments/updated {"actorId":"a-admin",` + ids + `,"changes":{"isOnline":true},"tenantId":"tenant-a"}`}},
		{"what says nothing to a person", []string{update(`"notificationsSent" = true, "externalEtag" = 'e',
			"lastModifiedSource" = 'icloud', "icloudSyncEnabled" = true, "externalEventUid" = 'u'`), update(`notes = notes`)}, nil},
		{"a quiet import", []string{`SELECT set_config('realtime.quiet', 'on', true)`, update(`notes = 'q'`)}, nil},
		{"cancelled", []string{update(`status = 'CANCELLED', "startTime" = "startTime" + interval '1 minute'`)},
			[]string{`appointments/deleted {"appointmentData":{"branchId":"a-branch","clientId":"a-client",` +
				`"clientName":"Carla Cliente","endTime":"2025-11-12T16:45:00.000Z","id":"a-appointment",` +
				`"professionalId":"a-professional-2","serviceId":"a-service","serviceName":"Corte A",` +
				`"startTime":"2025-11-12T17:00:00.000Z","status":"CANCELLED","userId":"a-professional-2"},` + ids +
				`,"tenantId":"tenant-a"}`}},
		{"changed while cancelled", []string{update(`"startTime" = "startTime" - interval '1 minute'`)},
			[]string{`appointments/updated {` + ids + `,"changes":{"startTime":"2025-11-12T17:00:00"},"tenantId":"tenant-a"}`}},
		{"deleted after it was cancelled", []string{`DELETE FROM public.appointments WHERE id = 'a-appointment'`},
			[]string{`calendar/refresh {"reason":"appointment:deleted","tenantId":"tenant-a"}`}},
		{"deleted", []string{`UPDATE public.appointments SET notes = 'z' WHERE id = 'new'`, `DELETE FROM public.appointments WHERE id = 'new'`},
			[]string{`appointments/deleted {"appointmentData":{"branchId":"a-branch","clientId":"a-client",` +
				`"clientName":"Carla Cliente","endTime":"2026-01-05T11:00:00.000Z","id":"new","professionalId":"a-professional",` +
				`"serviceId":"a-service","serviceName":"Corte A","startTime":"2026-01-05T10:00:00.000Z","status":"CANCELLED",` +
				`"userId":"a-professional"},"appointmentId":"new","tenantId":"tenant-a"}`}},
		{"made and changed in one transaction", []string{newAppointment, `UPDATE public.appointments SET "startTime" = "startTime" +
			interval '1 hour', notes = 'x' WHERE id = 'new'`}, []string{`appointments/created {"appointmentId":"new","tenantId":"tenant-a"}`}},
		{"made and deleted in one transaction", []string{strings.ReplaceAll(newAppointment, "'new'", "'brief'"),
			`DELETE FROM public.appointments WHERE id = 'brief'`}, nil},
		{"a route's word in the same transaction", []string{`UPDATE public.appointments SET notes = 'w' WHERE id = 'new'`,
			`SELECT realtime.emit('appointments/updated', '{"appointmentId":"new","tenantId":"tenant-a","actorId":"a-admin"}')`},
			[]string{`appointments/updated {"actorId":"a-admin","appointmentId":"new","tenantId":"tenant-a"}`}},
		{"a route's word before", []string{
			`SELECT realtime.emit('appointments/updated', '{"appointmentId":"new","tenantId":"tenant-a","actorId":"a-admin"}')`,
			`UPDATE public.appointments SET notes = 'v' WHERE id = 'new'`},
			[]string{`appointments/updated {"actorId":"a-admin","appointmentId":"new","tenantId":"tenant-a"}`}},
	} {
		s.do(c.statements...)
		if c.want == nil {
			c.want = []string{}
		}
		require.Equal(t, c.want, s.seen(), c.name)
	}
}

func TestTriggersTellOfASchedulesChangeOnceForEachProfessional(t *testing.T) {
	t.Parallel()
	s := withTriggers(t)
	hours := func(id, user string) string {
		return `INSERT INTO public.working_hours (id, "dayOfWeek", "startTime", "endTime", "branchId", "userId", "updatedAt")
			VALUES ('` + id + `', 1, '09:00', '17:00', 'a-branch', ` + user + `, '2026-01-01')`
	}
	const one, two = `schedule/updated {"professionalId":"a-professional","tenantId":"tenant-a"}`,
		`schedule/updated {"professionalId":"a-professional-2","tenantId":"tenant-a"}`
	s.do(hours("1", "'a-professional'"), hours("2", "'a-professional'"), hours("3", "'a-professional'"))
	require.Equal(t, []string{one}, s.seen())
	s.do(`UPDATE public.working_hours SET "updatedAt" = clock_timestamp()`)
	require.Empty(t, s.seen())
	s.do(`DELETE FROM public.working_hours`, hours("1", "'a-professional'"), hours("2", "'a-professional-2'"))
	require.ElementsMatch(t, []string{one, two}, s.seen())
	s.do(`UPDATE public.working_hours SET "userId" = 'a-professional-2' WHERE id = '1'`)
	require.ElementsMatch(t, []string{one, two}, s.seen(), "both are concerned")
	s.do(hours("4", "NULL"), hours("5", "NULL"))
	require.Equal(t, []string{`calendar/refresh {"reason":"schedule:updated","tenantId":"tenant-a"}`}, s.seen())
}

func TestAFailureInATriggerNeverBreaksTheAppsWrite(t *testing.T) {
	t.Parallel()
	s := withTriggers(t)
	for name, harm := range map[string][2]string{
		"the table is gone": {`ALTER TABLE realtime.occurrences RENAME TO elsewhere`, `ALTER TABLE realtime.elsewhere RENAME TO occurrences`},
		"a row is refused": {`ALTER TABLE realtime.occurrences ADD CONSTRAINT no CHECK (kind = '') NOT VALID`,
			`ALTER TABLE realtime.occurrences DROP CONSTRAINT no`},
	} {
		require.NoError(t, s.st.DB(t.Context()).Exec(harm[0]).Error, name)
		s.do(`UPDATE public.appointments SET notes = '` + name + `' WHERE id = 'a-appointment'`)
		require.NoError(t, s.st.DB(t.Context()).Exec(harm[1]).Error, name)
		require.Empty(t, s.seen())
		var notes string
		require.NoError(t, s.app.QueryRow(`SELECT notes FROM public.appointments WHERE id = 'a-appointment'`).Scan(&notes))
		require.Equal(t, name, notes)
	}
	// Somebody who locks the table for long holds a write up for two seconds, and no longer.
	require.NoError(t, s.st.InTx(t.Context(), func(tx *store.Store) error {
		require.NoError(t, tx.DB(t.Context()).Exec(`LOCK TABLE realtime.occurrences IN ACCESS EXCLUSIVE MODE`).Error)
		s.do(`UPDATE public.appointments SET notes = 'locked' WHERE id = 'a-appointment'`)
		return nil
	}))
	require.Empty(t, s.seen())
	s.do(`UPDATE public.appointments SET notes = 'well' WHERE id = 'a-appointment'`)
	require.Len(t, s.seen(), 1)
}

func TestARollbackTellsNothing(t *testing.T) {
	t.Parallel()
	s := withTriggers(t)
	tx, err := s.app.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.Exec(newAppointment)
	require.NoError(t, err)
	var id string
	require.NoError(t, tx.QueryRow(`SELECT realtime.emit($1, CAST($2 AS jsonb))`, "calendar/refresh",
		`{"tenantId":"tenant-a","reason":"x"}`).Scan(&id))
	require.NotEmpty(t, id)
	require.NoError(t, tx.Rollback())
	require.Empty(t, s.seen())
}

func TestInstallingTriggersIsRepeatableAndUpgradesAndAllOrNothing(t *testing.T) {
	t.Parallel()
	s := withTriggers(t)
	ctx := t.Context()
	made, err := s.owner.InstallTriggers(ctx)
	require.NoError(t, err)
	require.Empty(t, made, "they are there")
	s.do(`DROP TRIGGER citaplanner_realtime ON public.appointments`, `CREATE TRIGGER citaplanner_realtime AFTER INSERT ON
		public.appointments FOR EACH ROW EXECUTE FUNCTION realtime.appointment_changed('0')`,
		`ALTER TABLE public.working_hours DISABLE TRIGGER citaplanner_realtime`)
	list, err := s.st.Triggers(ctx)
	require.NoError(t, err)
	require.Equal(t, []store.TriggerStatus{{"appointments", true, "0", true}, {"working_hours", true, "1", false}}, list)

	lock, err := s.app.BeginTx(ctx, nil)
	require.NoError(t, err)
	_, err = lock.Exec(`LOCK TABLE public.working_hours IN ROW EXCLUSIVE MODE`)
	require.NoError(t, err)
	_, err = s.owner.InstallTriggers(ctx)
	require.ErrorContains(t, err, "in use by a long transaction")
	require.NoError(t, lock.Rollback())
	list, err = s.st.Triggers(ctx)
	require.NoError(t, err)
	require.Equal(t, "0", list[0].Version, "all or nothing")

	made, err = s.owner.InstallTriggers(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"appointments", "working_hours"}, made)
	list, err = s.st.Triggers(ctx)
	require.NoError(t, err)
	require.True(t, list[0].Current() && list[1].Current())

	removed, err := s.owner.RemoveTriggers(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"appointments", "working_hours"}, removed)
	there, err := s.st.TriggersInstalled(ctx)
	require.NoError(t, err)
	require.False(t, there)
	removed, err = s.owner.RemoveTriggers(ctx)
	require.NoError(t, err)
	require.Empty(t, removed)
	s.do(`UPDATE public.appointments SET notes = 'x' WHERE id = 'a-appointment'`)
	require.Empty(t, s.seen())
}

func TestWhoMayNotInstallTriggersIsToldWhatToDo(t *testing.T) {
	t.Parallel()
	url, owner := dbtest.PostgresURL(t)
	st := dbtest.Open(t, store.Options{URL: url})
	_, err := st.InstallTriggers(t.Context())
	require.ErrorContains(t, err, "of the role that owns the table appointments")
	require.ErrorContains(t, err, `"realtime_app"`)
	other, err := store.Open(t.Context(), store.Options{URL: owner})
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close()) }()
	_, err = other.InstallTriggers(t.Context())
	require.ErrorContains(t, err, "GRANT USAGE ON SCHEMA realtime TO")
	grantTriggers(t, url)
	_, err = other.InstallTriggers(t.Context())
	require.NoError(t, err, "what it says is enough")

	elsewhere, err := store.Open(t.Context(), store.Options{URL: strings.Replace(owner, "schema=public", "schema=nowhere", 1)})
	require.NoError(t, err)
	defer func() { require.NoError(t, elsewhere.Close()) }()
	_, err = elsewhere.InstallTriggers(t.Context())
	require.ErrorContains(t, err, `"nowhere"`)
	_, err = dbtest.SQLite(t).InstallTriggers(context.Background())
	require.ErrorContains(t, err, "PostgreSQL")
}

func TestTriggersWorkInAnotherSchemaOfTheApps(t *testing.T) {
	t.Parallel()
	_, owner := dbtest.EmptyPostgresURL(t)
	st := dbtest.Open(t, store.Options{URL: strings.Replace(owner, "schema=public", "schema=Agenda", 1)})
	w := dbtest.Seed(t, st)
	_, err := st.InstallTriggers(t.Context())
	require.NoError(t, err)
	w.DeleteAppointment(w.A.Appointment)
	taken, err := st.Occurrences.Take(t.Context(), time.Now(), time.Minute, 9, "")
	require.NoError(t, err)
	require.Len(t, taken, 1)
	require.Contains(t, string(taken[0].Payload), `"clientName": "Carla Cliente"`)
}

func TestInspectKnowsTriggersListeningAndDeadLetters(t *testing.T) {
	t.Parallel()
	s := withTriggers(t)
	found := func(st *store.Store) map[string]string {
		findings, err := st.Inspect(t.Context())
		require.NoError(t, err)
		by := map[string]string{}
		for _, f := range findings {
			by[f.Subject] = string(f.Level) + ": " + f.Problem
		}
		return by
	}
	all := found(s.st)
	require.Equal(t, "ok: version 1, fires", all["trigger on appointments"])
	require.Equal(t, "ok: a commit wakes the dispatcher", all["LISTEN"])
	require.Equal(t, "ok: 0 pending, no dead letters", all["outbox"])

	s.do(`UPDATE public.appointments SET notes = 'x' WHERE id = 'a-appointment'`,
		`ALTER TABLE public.appointments DISABLE TRIGGER citaplanner_realtime`, `DROP TRIGGER citaplanner_realtime ON public.working_hours`)
	taken, err := s.st.Occurrences.Take(t.Context(), time.Now(), time.Minute, 1, "")
	require.NoError(t, err)
	require.NoError(t, s.st.Occurrences.Bury(t.Context(), taken[0], time.Now(), "no"))
	all = found(s.st)
	require.Equal(t, "warning: it is switched off and does not fire", all["trigger on appointments"])
	require.Contains(t, all["trigger on working_hours"], "warning: it is missing")
	require.Equal(t, "warning: 1 dead letters, 0 pending", all["outbox"])

	s.do(`DROP TRIGGER citaplanner_realtime ON public.appointments`)
	url, _ := dbtest.PostgresURL(t)
	pooled := dbtest.Open(t, store.Options{URL: url, DirectURL: url + "&pgbouncer=true"})
	all = found(pooled)
	require.Equal(t, "ok: none: the app's routes emit by themselves", all["triggers"])
	require.Contains(t, all["LISTEN"], "warning: DATABASE_URL goes through PgBouncer")
}
