package e2e_test

import (
	"database/sql"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/store"
)

// owned is a database whose tables are the server's role's, as where it has the app's own DATABASE_URL, and the app's
// connection to it.
func owned(t *testing.T) (url string, app *sql.DB) {
	t.Helper()
	_, url = dbtest.EmptyPostgresURL(t)
	st, err := store.Open(t.Context(), store.Options{URL: url})
	require.NoError(t, err)
	_, err = st.Migrate(t.Context(), store.MigrateOptions{})
	require.NoError(t, err)
	require.NoError(t, st.Close())
	app, err = sql.Open("pgx", dbtest.PlainURL(url))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, app.Close()) })
	return url, app
}

// realtime runs the command on a database.
func realtime(t *testing.T, url string, args ...string) (out string, code int) {
	t.Helper()
	cmd := command(t, t.TempDir(), settings(url), args...)
	b, err := cmd.CombinedOutput()
	if err != nil {
		require.NotNil(t, cmd.ProcessState, "%v", err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

func TestAnAppEmitsWithoutALineOfCode(t *testing.T) {
	url, app := owned(t)
	out, code := realtime(t, url, "triggers", "status")
	require.Equal(t, 1, code)
	require.Contains(t, out, "appointments    not installed")
	out, code = realtime(t, url, "triggers", "install")
	require.Zerof(t, code, "%s", out)
	require.Contains(t, out, "installed on appointments and working_hours")
	out, code = realtime(t, url, "triggers", "install")
	require.Zero(t, code)
	require.Contains(t, out, "nothing to do")
	out, code = realtime(t, url, "triggers", "status")
	require.Zero(t, code)
	require.Contains(t, out, "working_hours   version 1, fires")

	s := start(t, url) // seeding the world makes appointments, too: six are told to nobody who is here yet
	n := startNode(t)
	a := s.world.A
	require.Eventually(t, func() bool { // 'sent' is committed, and may still be on its way to the sockets
		var left int
		err := app.QueryRow(`SELECT count(*) FROM realtime.occurrences WHERE state IN ('pending', 'sent') AND source <> 'canary'`).Scan(&left)
		return err == nil && left == 0
	}, patience, 5*time.Millisecond)
	calendar, professional := n.connect(s.url, s.as(a.Admin)), n.connect(s.url, s.as(a.Professional))
	other := n.connect(s.url, s.as(s.world.B.Admin))

	since := time.Now()
	_, err := app.Exec(`UPDATE appointments SET "startTime" = "startTime" + interval '1 hour', "endTime" = "endTime" + interval '1 hour',
		"updatedAt" = '2026-01-01' WHERE id = 'a-appointment'`)
	require.NoError(t, err)
	moved := object(t, calendar.event("appointment:rescheduled").payload())
	t.Logf("from the commit to the screen: %s", time.Since(since))
	require.Equal(t, m{"start": "2025-11-12T16:00:00.000Z", "end": "2025-11-12T16:45:00.000Z"}, moved["oldTime"])
	require.Equal(t, m{"start": "2025-11-12T17:00:00.000Z", "end": "2025-11-12T17:45:00.000Z"}, moved["newTime"])
	require.Equal(t, "Cita reprogramada: Carla Cliente", object(t, professional.event("notification:new").payload())["message"])

	_, err = app.Exec(`DELETE FROM appointments WHERE id = 'a-appointment'`)
	require.NoError(t, err)
	gone := object(t, calendar.event("appointment:deleted").payload())
	require.Equal(t, "Carla Cliente", gone["appointmentData"].(m)["clientName"])
	require.Equal(t, "Cita cancelada: Carla Cliente", object(t, professional.event("notification:new").payload())["message"])

	_, err = app.Exec(`INSERT INTO working_hours (id, "dayOfWeek", "startTime", "endTime", "branchId", "userId", "updatedAt")
		VALUES ('1', 1, '09:00', '17:00', 'a-branch', 'a-professional', '2026-01-01')`)
	require.NoError(t, err)
	require.Equal(t, "Paula Profesional", object(t, calendar.event("schedule:updated").payload())["professionalName"])

	// A route that calls the endpoint as well: whichever comes first, it is told once.
	_, err = app.Exec(`UPDATE appointments SET notes = 'x', "updatedAt" = '2026-01-02' WHERE id = 'a-appointment-2'`)
	require.NoError(t, err)
	s.emitted("appointments/updated", m{"appointmentId": a.Appointment2, "tenantId": a.ID, "actorId": a.Admin, "changes": m{"notes": "x"}})
	calendar.event("appointment:updated")
	out, code = realtime(t, url, "triggers", "remove")
	require.Zerof(t, code, "%s", out)
	_, err = app.Exec(`UPDATE appointments SET notes = 'y' WHERE id = 'a-appointment-2'`)
	require.NoError(t, err)
	_, err = app.Exec(`SELECT realtime.emit('tenant', '{"tenantId":"tenant-a","event":"last"}')`)
	require.NoError(t, err)
	calendar.event("last")
	require.NotContains(t, calendar.events(), "appointment:updated")
	other.settle()
	require.Empty(t, other.events(), "another tenant")
}

func TestARouteEmitsInItsOwnTransaction(t *testing.T) {
	url, app := owned(t)
	s := start(t, url)
	n := startNode(t)
	one := n.connect(s.url, s.as(s.world.A.Professional))
	in := func(end func(*sql.Tx) error) {
		tx, err := app.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.Exec(`UPDATE appointments SET notes = 'x' WHERE id = 'a-appointment'`)
		require.NoError(t, err)
		_, err = tx.Exec(`SELECT realtime.emit($1, $2::jsonb)`, "appointments/updated",
			`{"appointmentId":"a-appointment","tenantId":"tenant-a","actorId":"a-admin","changes":{"notes":"x"}}`)
		require.NoError(t, err)
		require.NoError(t, end(tx))
	}
	in((*sql.Tx).Rollback)
	in((*sql.Tx).Commit)
	require.Equal(t, "a-admin", object(t, one.event("appointment:updated").payload())["updatedBy"])
	one.event("notification:new")
	one.settle()
	require.Empty(t, one.events(), "a rollback tells nothing")
}

func TestDeadLettersAreListedShownReplayedAndDropped(t *testing.T) {
	t.Parallel()
	url, app := owned(t)
	s := start(t, url)
	for _, id := range []string{"nowhere", "elsewhere"} {
		_, err := app.Exec(`SELECT realtime.emit('appointments/created', jsonb_build_object('appointmentId', $1::text, 'tenantId', 'tenant-a'))`, id)
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool {
		b, err := s.store.Occurrences.Backlog(t.Context())
		return err == nil && b.Dead == 2
	}, patience, 5*time.Millisecond)
	list, err := s.store.Occurrences.List(t.Context(), 9, store.OccurrenceDead)
	require.NoError(t, err)
	first, second := list[0], list[1]

	out, code := realtime(t, url, "outbox")
	require.Zerof(t, code, "%s", out)
	require.Contains(t, out, "0 pending, 2 dead letters")
	require.Regexp(t, `(?m)^\d+ +dead +appointments/created +nowhere +emit .* 1 +NOT_FOUND: appointment not found$`, out)
	out, code = realtime(t, url, "outbox", "show", id(first))
	require.Zero(t, code)
	require.Contains(t, out, `"appointmentId": "nowhere"`)
	out, code = realtime(t, url, "doctor")
	require.Contains(t, out, "2 dead letters", code)

	s.world.AddAppointment(s.world.A, "nowhere", nil)
	out, code = realtime(t, url, "outbox", "replay", id(first))
	require.Zero(t, code)
	require.Contains(t, out, "replayed 1 dead letters")
	require.Eventually(t, func() bool { return len(s.world.Notifications()) == 1 }, patience, 5*time.Millisecond)
	out, code = realtime(t, url, "outbox", "replay", id(first))
	require.Equal(t, 1, code)
	require.Contains(t, out, "1 of 1 are no dead letters")
	out, code = realtime(t, url, "outbox", "drop", "--all")
	require.Zero(t, code)
	require.Contains(t, out, "dropped 1 dead letters")
	_, code = realtime(t, url, "outbox", "show", id(second))
	require.Equal(t, 1, code)
	for _, wrong := range [][]string{{"outbox", "replay"}, {"outbox", "drop", "x"}, {"outbox", "fry"}, {"triggers"}, {"triggers", "x"}} {
		out, code = realtime(t, url, wrong...)
		require.Equalf(t, 2, code, "%v: %s", wrong, out)
	}
	out, code = realtime(t, "sqlite:"+t.TempDir()+"/x.db", "triggers", "install")
	require.Equal(t, 1, code)
	require.Contains(t, out, "PostgreSQL")
}

func id(o store.Occurrence) string { return strconv.FormatInt(o.ID, 10) }

func redisDo(t *testing.T, addr string, args ...any) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr})
	defer func() { _ = client.Close() }()
	require.NoError(t, client.Do(t.Context(), args...).Err())
}

// ready waits until /readyz answers a status with the texts in it: on a busy machine a part may once not answer in time.
func (s *scene) ready(status int, texts ...string) answer {
	s.t.Helper()
	var got answer
	require.Eventuallyf(s.t, func() bool {
		got = s.do("GET", "/readyz", "")
		return got.status == status && !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(got.body, text) })
	}, patience, 20*time.Millisecond, "%s", texts)
	return got
}

func TestReadinessShowsAWedgedPartWithinSeconds(t *testing.T) {
	const wedged = `"canary":{"status":"failed","error":"no event has come through outbox`
	t.Run("postgres: a table that somebody locks", func(t *testing.T) {
		t.Parallel()
		url, _ := dbtest.PostgresURL(t)
		s := start(t, url, "CANARY_MAX_AGE", "1s")
		ready := s.ready(http.StatusOK, `"note":"listening"`)
		require.Regexp(t, `"canary":\{"status":"ok","ageMs":\d+\}`, ready.body)
		app, err := sql.Open("pgx", dbtest.PlainURL(url))
		require.NoError(t, err)
		defer func() { _ = app.Close() }()
		lock, err := app.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = lock.Exec(`LOCK TABLE realtime.occurrences IN ACCESS EXCLUSIVE MODE`)
		require.NoError(t, err)
		since := time.Now()
		s.ready(http.StatusServiceUnavailable, wedged, `"database":{"status":"ok"}`) // by itself it is well
		t.Logf("seen after %s", time.Since(since))
		require.Regexp(t, `realtime_canary_age_seconds\{leg="outbox"\} [1-9]`, s.do("GET", "/metrics", "").body)
		require.NoError(t, lock.Rollback())
		s.ready(http.StatusOK, `"canary":{"status":"ok"`)
	})
	t.Run("sqlite: a writer that does not end", func(t *testing.T) {
		t.Parallel()
		s := start(t, dbtest.MigratedSQLiteURL(t), "CANARY_MAX_AGE", "1s")
		s.ready(http.StatusOK, `"canary":{"status":"ok"`)
		require.NoError(t, s.store.InTx(t.Context(), func(*store.Store) error {
			s.ready(http.StatusServiceUnavailable, wedged)
			return nil
		}))
		s.ready(http.StatusOK, `"canary":{"status":"ok"`)
	})
	t.Run("postgres: the listening connection is lost, and events go on", func(t *testing.T) {
		t.Parallel()
		url, _ := dbtest.PostgresURL(t)
		s := start(t, url, "CANARY_MAX_AGE", "20s")
		s.ready(http.StatusOK, `"note":"listening"`)
		mend := cut(t, url) // ends every connection, and lets no new one in
		s.ready(http.StatusServiceUnavailable, `"note":"not listening`)
		mend()
		s.ready(http.StatusOK, `"note":"listening"`)
		require.Contains(t, s.do("GET", "/metrics", "").body, "realtime_occurrences_listen_lost_total 1")
	})
	t.Run("Redis, which answers a ping and passes nothing on", func(t *testing.T) {
		t.Parallel()
		addr := dbtest.Redis(t)
		s := start(t, dbtest.MigratedSQLiteURL(t), "CANARY_MAX_AGE", "1s", "REDIS_URL", "redis://"+addr)
		s.ready(http.StatusOK, `"redis":{"status":"ok"}`)
		redisDo(t, addr, "ACL", "SETUSER", "default", "resetchannels")
		s.ready(http.StatusServiceUnavailable, `no event has come through redis`, `"redis":{"status":"ok"}`)
		redisDo(t, addr, "ACL", "SETUSER", "default", "allchannels")
		s.ready(http.StatusOK, `"canary":{"status":"ok"`)
	})
}
