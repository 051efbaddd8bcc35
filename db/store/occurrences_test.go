package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/store"
)

// put adds an occurrence about a subject.
func put(t *testing.T, st *store.Store, subject, payload string) {
	t.Helper()
	require.NoError(t, st.Occurrences.Add(t.Context(), store.Occurrence{
		Kind: "calendar/refresh", Payload: []byte(payload), TenantID: "t", Subject: subject, Source: store.FromEmit,
	}))
}

// take takes what is due at now, as "subject payload".
func take(t *testing.T, st *store.Store, now time.Time) (list []store.Occurrence, names []string) {
	t.Helper()
	list, err := st.Occurrences.Take(t.Context(), now, time.Minute, 100, "me")
	require.NoError(t, err)
	names = []string{}
	for _, o := range list {
		names = append(names, o.Subject+" "+string(o.Payload))
	}
	return list, names
}

func TestOccurrencesOfASubjectAreTakenOneAfterTheOther(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		ctx, now := t.Context(), dbtest.Now
		for i, subject := range []string{"a", "b", "a", "a", "c"} {
			put(t, st, subject, strconv.Itoa(i))
		}
		first, names := take(t, st, now)
		require.Equal(t, []string{"a 0", "b 1", "c 4"}, names)
		_, names = take(t, st, now)
		require.Empty(t, names)

		mine, err := st.Occurrences.Settle(ctx, first[0], now.Add(time.Minute))
		require.NoError(t, err)
		require.True(t, mine)
		_, names = take(t, st, now)
		require.Empty(t, names, "its events are still on their way")
		require.NoError(t, st.Occurrences.Finish(ctx, first[0], now))
		second, names := take(t, st, now)
		require.Equal(t, []string{"a 2"}, names)

		require.NoError(t, st.Occurrences.Postpone(ctx, second[0], now.Add(time.Second), "no luck"))
		_, names = take(t, st, now)
		require.Empty(t, names, "what follows waits for it")
		again, names := take(t, st, now.Add(time.Second))
		require.Equal(t, []string{"a 2"}, names)
		require.Equal(t, 2, again[0].Attempts)
		require.Equal(t, "no luck", again[0].Error)

		require.NoError(t, st.Occurrences.Bury(ctx, again[0], now, "hopeless"))
		_, names = take(t, st, now)
		require.Equal(t, []string{"a 3"}, names, "a dead letter holds nobody up")
		b, err := st.Occurrences.Backlog(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 3, b.Pending)
		require.EqualValues(t, 1, b.Dead)
		require.False(t, b.Oldest.IsZero())
	})
}

func TestWhoLostItsLeaseHasNoSayAnyMore(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		ctx, now := t.Context(), dbtest.Now
		put(t, st, "a", "0")
		slow, _ := take(t, st, now)
		_, names := take(t, st, now.Add(-2*time.Hour))
		require.Equal(t, []string{"a 0"}, names, "the clock was set back")
		quick, names := take(t, st, now.Add(time.Minute))
		require.Equal(t, []string{"a 0"}, names, "the lease is over")
		require.NoError(t, st.Occurrences.Bury(ctx, slow[0], now, ""))
		require.NoError(t, st.Occurrences.Postpone(ctx, slow[0], now, ""))
		require.NoError(t, st.Occurrences.Drop(ctx, slow[0]))
		mine, err := st.Occurrences.Settle(ctx, slow[0], now)
		require.NoError(t, err)
		require.False(t, mine)
		mine, err = st.Occurrences.Settle(ctx, quick[0], now)
		require.NoError(t, err)
		require.True(t, mine)
	})
}

func TestDeadLettersAreReplayedBehindWhatWaitsAndDiscarded(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		ctx, now := t.Context(), dbtest.Now
		put(t, st, "a", "0")
		put(t, st, "b", "1")
		dead, _ := take(t, st, now)
		for _, o := range dead {
			require.NoError(t, st.Occurrences.Bury(ctx, o, now, "why"))
		}
		put(t, st, "a", "2")
		busy, names := take(t, st, now)
		require.Equal(t, []string{"a 2"}, names)

		list, err := st.Occurrences.List(ctx, 10, store.OccurrenceDead)
		require.NoError(t, err)
		require.Len(t, list, 2)
		require.Equal(t, "why", list[0].Error)
		n, err := st.Occurrences.Replay(ctx, list[0].ID)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		n, err = st.Occurrences.Replay(ctx, list[0].ID)
		require.NoError(t, err)
		require.Zero(t, n, "it is not dead")
		_, names = take(t, st, now)
		require.Empty(t, names, "another of its subject is under way")
		require.NoError(t, st.Occurrences.Drop(ctx, busy[0]))
		_, names = take(t, st, now)
		require.Equal(t, []string{"a 0"}, names)

		n, err = st.Occurrences.Discard(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		left, err := st.Occurrences.Get(ctx, list[0].ID, list[1].ID)
		require.NoError(t, err)
		require.Len(t, left, 1)
	})
}

func TestACanaryIsItsOwnNodesAndLeavesOneRow(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		ctx, now := t.Context(), dbtest.Now
		require.NoError(t, st.Occurrences.AddCanary(ctx, "other", "x"))
		for _, token := range []string{"1", "2"} {
			require.NoError(t, st.Occurrences.AddCanary(ctx, "me", token))
		}
		_, names := take(t, st, now)
		require.Equal(t, []string{`me "2"`}, names)
		b, err := st.Occurrences.Backlog(ctx)
		require.NoError(t, err)
		require.Zero(t, b.Pending)
		require.NoError(t, st.Occurrences.Expire(ctx, time.Now().Add(2*time.Minute), now))
		theirs, err := st.Occurrences.Take(ctx, now, time.Minute, 9, "other")
		require.NoError(t, err)
		require.Empty(t, theirs, "its node is gone")
	})
}

func TestACanaryIsTakenBeforeABacklog(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		for _, subject := range []string{"a", "b", "c"} {
			require.NoError(t, st.Occurrences.Add(t.Context(), store.Occurrence{Kind: "calendar/refresh", Payload: []byte(`{}`),
				Subject: subject, Source: store.FromEmit}))
		}
		require.NoError(t, st.Occurrences.AddCanary(t.Context(), "me", "x"))
		var taken []string
		for range 3 {
			rows, err := st.Occurrences.Take(t.Context(), dbtest.Now, time.Minute, 2, "me")
			require.NoError(t, err)
			for _, row := range rows {
				taken = append(taken, row.Subject)
			}
		}
		require.Equal(t, []string{"a", "me", "b", "c"}, taken, "two at once, the canary among the first")
	})
}

// session is a transaction of the app's that is open.
type session struct {
	t  *testing.T
	tx *sql.Tx
}

func begin(t *testing.T, db *sql.DB) session {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback() })
	return session{t, tx}
}

// emit does what a route does in Prisma's $transaction.
func (s session) emit(appointment, notes string) (id int64) {
	s.t.Helper()
	var text string
	payload := fmt.Sprintf(`{"appointmentId":%q,"tenantId":"tenant-a","changes":{"notes":%q}}`, appointment, notes)
	require.NoError(s.t, s.tx.QueryRow(`SELECT realtime.emit($1, $2::jsonb)`, "appointments/updated", payload).Scan(&text))
	id, err := strconv.ParseInt(text, 10, 64)
	require.NoError(s.t, err)
	return id
}

func (s session) commit() {
	s.t.Helper()
	require.NoError(s.t, s.tx.Commit())
}

// told takes everything there is, one after the other, and returns the ids.
func told(t *testing.T, st *store.Store) (ids []int64) {
	t.Helper()
	ids = []int64{}
	for {
		list, err := st.Occurrences.Take(t.Context(), time.Now(), time.Minute, 100, "")
		require.NoError(t, err)
		if len(list) == 0 {
			return ids
		}
		for _, o := range list {
			ids = append(ids, o.ID)
			mine, err := st.Occurrences.Settle(t.Context(), o, time.Now().Add(time.Minute))
			require.NoError(t, err)
			require.True(t, mine)
			require.NoError(t, st.Occurrences.Finish(t.Context(), o, time.Now()))
		}
	}
}

// appOver is a PostgreSQL store and a connection pool of the app's, in a mode as through PgBouncer.
func appOver(t *testing.T) (*store.Store, *sql.DB) {
	t.Helper()
	url, owner := dbtest.PostgresURL(t)
	st := dbtest.Open(t, store.Options{URL: url})
	grantTriggers(t, url)
	app, err := sql.Open("pgx", dbtest.PlainURL(owner)+"&search_path=pg_catalog&default_query_exec_mode=simple_protocol")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, app.Close()) })
	return st, app
}

func TestWhatCommitsLateIsNotSkipped(t *testing.T) {
	t.Parallel()
	st, app := appOver(t)
	late, early := begin(t, app), begin(t, app)
	lateID, earlyID := late.emit("x", "late"), early.emit("y", "early")
	require.Less(t, lateID, earlyID, "ids are handed out before commits")
	early.commit()
	require.Equal(t, []int64{earlyID}, told(t, st))
	late.commit()
	require.Equal(t, []int64{lateID}, told(t, st), "a reader that remembers the highest id seen has skipped it")
}

func TestOneAppointmentsOccurrencesAreToldInTheOrderOfTheirCommits(t *testing.T) {
	t.Parallel()
	st, app := appOver(t)
	first, second, third := begin(t, app), begin(t, app), begin(t, app)
	a, b, c := first.emit("x", "a"), second.emit("x", "b"), third.emit("x", "c")
	a2 := first.emit("x", "a2")
	third.commit()
	first.commit()
	second.commit()
	require.Equal(t, []int64{c, a, a2, b}, told(t, st), "nobody looked meanwhile, and the ids say a, b, c")
}

func TestSeveralTakersKeepTheOrderOfEachSubject(t *testing.T) {
	t.Parallel()
	st, app := appOver(t)
	const subjects, each = 5, 20
	var writers sync.WaitGroup
	for subject := range subjects {
		writers.Go(func() {
			for i := range each {
				tx, err := app.Begin()
				if err == nil {
					_, err = tx.Exec(`SELECT realtime.emit('calendar/refresh', $1::jsonb)`,
						fmt.Sprintf(`{"tenantId":"t%d","reason":"%d"}`, subject, i))
				}
				if err == nil {
					err = tx.Commit()
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var mu sync.Mutex
	got := map[string][]string{}
	ctx, stop := context.WithCancel(t.Context())
	var takers sync.WaitGroup
	for range 4 {
		takers.Go(func() {
			for ctx.Err() == nil {
				list, err := st.Occurrences.Take(t.Context(), time.Now(), time.Minute, 3, "")
				if err != nil {
					t.Error(err)
					return
				}
				for _, o := range list {
					mu.Lock()
					got[o.Subject] = append(got[o.Subject], string(o.Payload))
					mu.Unlock()
					mine, err := st.Occurrences.Settle(t.Context(), o, time.Now().Add(time.Minute))
					if err == nil && mine {
						err = st.Occurrences.Finish(t.Context(), o, time.Now())
					}
					if err != nil || !mine {
						t.Error(mine, err)
						return
					}
				}
			}
		})
	}
	writers.Wait()
	require.Eventually(t, func() bool {
		b, err := st.Occurrences.Backlog(t.Context())
		return err == nil && b.Pending == 0
	}, time.Minute, 5*time.Millisecond)
	stop()
	takers.Wait()
	for subject := range subjects {
		list := got[fmt.Sprint("t", subject)]
		require.Len(t, list, each)
		for i, payload := range list {
			require.Contains(t, payload, fmt.Sprintf(`"reason": "%d"`, i))
		}
	}
}

func TestEmitSaysWhatIsWrongWithAPayload(t *testing.T) {
	t.Parallel()
	_, app := appOver(t)
	for _, c := range [][3]string{
		{"appointments/created", `{"appointmentId":"x","tenantId":"t"}`, ""},
		{"appointments/created", `{"tenantId":"t"}`, `needs "appointmentId"`},
		{"appointments/created", `{"appointmentId":" ","tenantId":"t"}`, `needs "appointmentId"`},
		{"appointments/created", `{"appointmentId":5,"tenantId":"t"}`, `needs "appointmentId"`},
		{"appointments/created", `{"appointmentId":"` + strings.Repeat("x", 201) + `","tenantId":"t"}`, `too long`},
		{"appointments/created", `{"appointmentId":"x"}`, `needs "tenantId"`},
		{"appointments/updated", `{"appointmentId":"x","tenantId":"t","changes":{}}`, ""},
		{"appointments/updated", `{"appointmentId":"x","tenantId":"t","changes":null}`, ""},
		{"appointments/updated", `{"appointmentId":"x","tenantId":"t","changes":[]}`, `"changes"`},
		{"appointments/deleted", `{"tenantId":"t","appointmentData":{"id":"x"}}`, ""},
		{"appointments/deleted", `{"tenantId":"t","appointmentId":"x","appointmentData":{}}`, ""},
		{"appointments/deleted", `{"tenantId":"t","appointmentData":{}}`, `"appointmentId"`},
		{"appointments/deleted", `{"tenantId":"t","appointmentId":"x"}`, `"appointmentData"`},
		{"appointments/rescheduled", `{"appointmentId":"x","tenantId":"t","oldStartTime":"2026-01-05T10:00:00.000Z",
			"oldEndTime":"2026-01-05T10:00:00-06:00"}`, ""},
		{"appointments/rescheduled", `{"appointmentId":"x","tenantId":"t","oldStartTime":"2026-01-05T10:00:00.000Z"}`, `"oldEndTime"`},
		{"appointments/rescheduled", `{"appointmentId":"x","tenantId":"t","oldStartTime":"5 Jan","oldEndTime":"5 Jan"}`, "must look like"},
		{"appointments/reminder", `{"appointmentId":"x","tenantId":"t","minutesBefore":60}`, ""},
		{"appointments/reminder", `{"appointmentId":"x","tenantId":"t","minutesBefore":60.5}`, `"minutesBefore"`},
		{"appointments/reminder", `{"appointmentId":"x","tenantId":"t","minutesBefore":"60"}`, `"minutesBefore"`},
		{"schedule/updated", `{"professionalId":"x","tenantId":"t"}`, ""},
		{"schedule/conflict", `{"professionalId":"x","tenantId":"t","conflict":{"a":1}}`, ""},
		{"schedule/conflict", `{"professionalId":"x","tenantId":"t"}`, `"conflict"`},
		{"calendar/refresh", `{"tenantId":"t","reason":"x"}`, ""},
		{"calendar/refresh", `{"tenantId":"t"}`, `"reason"`},
		{"system/alert", `{"tenantId":"t","message":"x","severity":"info"}`, ""},
		{"system/alert", `{"tenantId":"t","message":"x","severity":"bad"}`, `"severity"`},
		{"notification", `{"tenantId":"t","type":"x","message":"y"}`, ""},
		{"notification", `{"tenantId":"t","type":"x"}`, `"message"`},
		{"tenant", `{"tenantId":"t","event":"x","data":1}`, ""},
		{"user", `{"userId":"u","event":"x"}`, ""},
		{"user", `{"tenantId":"t","event":"x"}`, `"userId"`},
		{"role", `{"tenantId":"t","role":"ADMIN","event":"x"}`, ""},
		{"role", `{"tenantId":"t","event":"x"}`, `"role"`},
		{"appointment:created", `{"appointmentId":"x","tenantId":"t"}`, "there is no kind"},
		{"canary", `{}`, "there is no kind"},
		{"calendar/refresh", `[]`, "a JSON object"},
		{"tenant", `{"tenantId":"t","event":"x","data":"` + strings.Repeat("x", 1<<20) + `"}`, "1 MB"},
	} {
		var id string
		err := app.QueryRowContext(t.Context(), `SELECT realtime.emit($1, $2::jsonb)`, c[0], c[1]).Scan(&id)
		if c[2] == "" {
			require.NoError(t, err, "%v", c)
			continue
		}
		require.ErrorContains(t, err, c[2], "%.80v", c)
		require.ErrorContains(t, err, "22023")
	}
	require.ErrorContains(t, app.QueryRow(`SELECT realtime.emit(NULL, '{}')`).Err(), "22023")
}

func TestTheAppsRoleNeedsNoMoreThanToExecute(t *testing.T) {
	t.Parallel()
	url, owner := dbtest.PostgresURL(t)
	st := dbtest.Open(t, store.Options{URL: url})
	app, err := sql.Open("pgx", dbtest.PlainURL(owner))
	require.NoError(t, err)
	defer func() { require.NoError(t, app.Close()) }()
	const emit = `SELECT realtime.emit('calendar/refresh', '{"tenantId":"t","reason":"x"}')`
	require.ErrorContains(t, app.QueryRow(emit).Err(), "permission denied")
	dbtest.Exec(t, url, `GRANT USAGE ON SCHEMA realtime TO prisma_owner`)
	require.ErrorContains(t, app.QueryRow(emit).Err(), "permission denied")
	dbtest.Exec(t, url, `GRANT EXECUTE ON FUNCTION realtime.emit(text, jsonb) TO prisma_owner`)
	require.NoError(t, app.QueryRow(emit).Err())
	require.Len(t, told(t, st), 1)
	require.ErrorContains(t, app.QueryRow(`SELECT 1 FROM realtime.occurrences`).Err(), "permission denied")
}

func TestAnEndpointAndATriggerTellOneChangeOnce(t *testing.T) {
	t.Parallel()
	s := withTriggers(t)
	ctx := t.Context()
	absorb := func(kind string, now time.Time) bool {
		told, err := s.st.Occurrences.Absorb(ctx, "tenant-a", kind, "a-appointment", now)
		require.NoError(t, err)
		return told
	}
	change := func(set string) { s.do(`UPDATE public.appointments SET ` + set + ` WHERE id = 'a-appointment'`) }
	now := time.Now()
	const updated, rescheduled = "appointments/updated", "appointments/rescheduled"
	change(`notes = '1'`)
	require.False(t, absorb(updated, now), "the endpoint came first, and tells it")
	require.Empty(t, told(t, s.st), "so the trigger's is gone")
	require.False(t, absorb(updated, now), "another emit, of something that no trigger has seen")

	keep := func() {
		list, err := s.st.Occurrences.Take(ctx, now, time.Minute, 1, "")
		require.NoError(t, err)
		require.Len(t, list, 1)
		_, err = s.st.Occurrences.Settle(ctx, list[0], now)
		require.NoError(t, err)
		require.NoError(t, s.st.Occurrences.Finish(ctx, list[0], now.Add(30*time.Second)))
	}
	change(`notes = '2'`)
	keep()
	require.True(t, absorb(updated, now), "the trigger came first")
	require.False(t, absorb(updated, now), "once")
	change(`notes = '3'`)
	keep()
	require.False(t, absorb(updated, now.Add(30*time.Second)), "too long ago to be the same")

	change(`"startTime" = "startTime" - interval '1 hour'`)
	require.True(t, absorb(updated, now), "an update that the trigger calls by its name")
	require.False(t, absorb("appointments/deleted", now))
	require.False(t, absorb(rescheduled, now))
	require.Empty(t, told(t, s.st))
}

func TestListeningHearsComesBackAndSaysSo(t *testing.T) {
	t.Parallel()
	url, owner := dbtest.PostgresURL(t)
	st := dbtest.Open(t, store.Options{URL: url + "&pgbouncer=true", DirectURL: url})
	ctx, stop := context.WithCancel(t.Context())
	heard, states := make(chan string, 100), make(chan error, 100)
	done := make(chan error, 1)
	go func() {
		done <- st.Listen(ctx, "c", func(p string) { heard <- p }, func(err error) { states <- err })
	}()
	listening := func() {
		for err := <-states; err != nil; { // on a busy machine not at the first try
			err = <-states
		}
	}
	listening()
	require.Empty(t, <-heard, "what came before it listened was missed")
	require.NoError(t, st.Notify(ctx, "c", "hello"))
	require.Equal(t, "hello", <-heard)
	dbtest.Exec(t, dbtest.SuperuserURL(t, url), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE application_name = 'citaplanner-realtime-listen' AND datname = current_database()`)
	require.Error(t, <-states)
	listening()
	require.Empty(t, <-heard)
	require.NoError(t, st.Notify(ctx, "c", "again"))
	require.Equal(t, "again", <-heard)
	require.NoError(t, st.ProbeListen(ctx))
	stop()
	require.ErrorIs(t, <-done, context.Canceled)

	pooled, err := store.Open(t.Context(), store.Options{URL: owner + "&pgbouncer=true"})
	require.NoError(t, err)
	defer func() { require.NoError(t, pooled.Close()) }()
	require.ErrorIs(t, pooled.Listen(t.Context(), "c", nil, nil), store.ErrNoListen)
	require.ErrorIs(t, dbtest.SQLite(t).Listen(t.Context(), "c", nil, nil), store.ErrNoListen)
}
