package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/leak"
	"github.com/citaplanner/realtime/pkg/contract"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestATransactionIsAllOrNothing(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		boom := contract.NewError(contract.CodeForbidden, "no")
		work := func(id string, end func() error) func(*store.Store) error {
			return func(tx *store.Store) error {
				// A transaction within one is the same one.
				if err := tx.InTx(t.Context(), func(inner *store.Store) error {
					return inner.Notifications.Insert(t.Context(), []models.NotificationLog{note(w, id, w.A.Admin)})
				}); err != nil {
					return err
				}
				delivery := store.Delivery{ID: id, TenantID: w.A.ID, Body: []byte("{}"), DueAt: dbtest.Now}
				if err := tx.Outbox.Add(t.Context(), delivery); err != nil {
					return err
				}
				return end()
			}
		}
		err := st.InTx(t.Context(), work("rolled-back", func() error { return boom }))
		require.Equal(t, boom, err)
		require.PanicsWithValue(t, "boom", func() {
			_ = st.InTx(t.Context(), work("panicked", func() error { panic("boom") }))
		})
		require.NoError(t, st.InTx(t.Context(), work("kept", func() error { return nil })))
		require.Len(t, w.Notifications(), 1)
		require.Equal(t, "kept", w.Notifications()[0].ID)
		require.Len(t, w.Deliveries(), 1)
	})
}

func TestReadyReallyAsks(t *testing.T) {
	t.Parallel()
	url, owner := dbtest.PostgresURL(t)
	st := dbtest.Open(t, store.Options{URL: url})
	require.NoError(t, st.Ready(t.Context()))
	dbtest.Exec(t, owner, `REVOKE SELECT ON users FROM realtime_app`)
	require.Error(t, st.Ready(t.Context()), "up, but of no use")
}

func TestADatabaseThatGoesIsUnavailableAndComesBack(t *testing.T) {
	t.Parallel()
	url, _ := dbtest.PostgresURL(t)
	st := dbtest.Open(t, store.Options{URL: url})
	admin := dbtest.SuperuserURL(t, url)
	postgres := admin[:strings.LastIndexByte(admin, '/')] + "/postgres?sslmode=disable"
	name, _, _ := strings.Cut(admin[strings.LastIndexByte(admin, '/')+1:], "?")

	dbtest.Exec(t, postgres, `ALTER DATABASE `+name+` ALLOW_CONNECTIONS false`,
		`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '`+name+`'`)
	for range 3 {
		_, err := st.Users.Account(t.Context(), "x")
		require.Equal(t, contract.CodeUnavailable, contract.CodeOf(err), "%v", err)
		require.Equal(t, "the database does not answer", contract.AsError(err).Message)
	}
	err := st.InTx(t.Context(), func(*store.Store) error { return nil })
	require.Equal(t, contract.CodeUnavailable, contract.CodeOf(err), "%v", err)
	require.Equal(t, contract.CodeUnavailable, contract.CodeOf(st.Ready(t.Context())))
	_, err = store.Open(t.Context(), store.Options{URL: url})
	require.Equal(t, contract.CodeUnavailable, contract.CodeOf(err), "%v", err)

	dbtest.Exec(t, postgres, `ALTER DATABASE `+name+` ALLOW_CONNECTIONS true`)
	require.NoError(t, st.Ready(t.Context()))
}

func TestAConnectionCutInATransactionIsUnavailable(t *testing.T) {
	t.Parallel()
	url, _ := dbtest.PostgresURL(t)
	st := dbtest.Open(t, store.Options{URL: url})
	err := st.InTx(t.Context(), func(tx *store.Store) error {
		var pid int
		require.NoError(t, tx.DB(t.Context()).Raw(`SELECT pg_backend_pid()`).Row().Scan(&pid))
		dbtest.Exec(t, dbtest.SuperuserURL(t, url), fmt.Sprintf(`SELECT pg_terminate_backend(%d, 5000)`, pid))
		return tx.Outbox.Add(t.Context(), store.Delivery{ID: "d", TenantID: "t", Body: []byte("{}"), DueAt: dbtest.Now})
	})
	require.Equal(t, contract.CodeUnavailable, contract.CodeOf(err), "%v", err)
}

func TestAClosedStoreIsUnavailable(t *testing.T) {
	t.Parallel()
	url, _ := dbtest.PostgresURL(t)
	for _, url := range []string{url, dbtest.SQLiteURL(t)} {
		st, err := store.Open(t.Context(), store.Options{URL: url})
		require.NoError(t, err)
		require.NoError(t, st.Close())
		require.NoError(t, st.Close(), "twice is fine")
		_, err = st.Users.Account(t.Context(), "x")
		require.Equal(t, contract.CodeUnavailable, contract.CodeOf(err), "%v", err)
	}
}

func TestAStatementThatTakesTooLongIsCut(t *testing.T) {
	t.Parallel()
	url, _ := dbtest.PostgresURL(t)
	const endless = `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c`
	for _, c := range []struct {
		url, statement string
		timeout        time.Duration
	}{
		{url, `SELECT pg_sleep(600)`, 3 * time.Second}, {url + "&socket_timeout=3", `SELECT pg_sleep(600)`, 5 * time.Minute},
		{dbtest.SQLiteURL(t), endless, 3 * time.Second},
	} {
		st := dbtest.Open(t, store.Options{URL: c.url, QueryTimeout: c.timeout})
		since := time.Now()
		err := st.DB(t.Context()).Exec(c.statement).Error
		require.ErrorIs(t, err, context.DeadlineExceeded, c.statement)
		require.Less(t, time.Since(since), 4*time.Minute)
		require.Eventually(t, func() bool { return st.Ready(t.Context()) == nil }, time.Minute, 10*time.Millisecond, "and the store goes on")
	}
}

func TestTheWaitForAConnectionIsBounded(t *testing.T) {
	t.Parallel()
	url, _ := dbtest.PostgresURL(t)
	url = strings.Replace(url, "connection_limit=10", "connection_limit=1", 1) + "&pool_timeout=3"
	st := dbtest.Open(t, store.Options{URL: url})
	require.NoError(t, st.InTx(t.Context(), func(tx *store.Store) error {
		require.Equal(t, 1, st.Stats().Max)
		require.Equal(t, 1, st.Stats().InUse)
		_, err := st.Users.Account(t.Context(), "x")
		require.Equal(t, contract.CodeUnavailable, contract.CodeOf(err), "%v", err)
		require.ErrorContains(t, err, "pool_timeout")
		return tx.Ready(t.Context())
	}))
}

func TestEverythingWorksInTheModeForPgBouncer(t *testing.T) {
	t.Parallel()
	url, _ := dbtest.PostgresURL(t)
	st := dbtest.Open(t, store.Options{URL: url + "&pgbouncer=true"})
	exercise(t, st)
	var prepared int
	require.NoError(t, st.DB(t.Context()).Raw(`SELECT count(*) FROM pg_prepared_statements`).Row().Scan(&prepared))
	require.Zero(t, prepared)
	findings, err := st.Inspect(t.Context())
	require.NoError(t, err)
	for _, f := range findings {
		require.NotEqual(t, store.LevelError, f.Level, f)
	}
}

func TestAMemoryDatabaseWorksAndIsApart(t *testing.T) {
	t.Parallel()
	one := dbtest.Open(t, store.Options{URL: ":memory:"})
	exercise(t, one)
	two := dbtest.Open(t, store.Options{URL: "sqlite::memory:"})
	_, err := two.Users.Account(t.Context(), "a-admin")
	require.Equal(t, contract.CodeNotFound, contract.CodeOf(err))
}

func TestWritersOnSQLiteWaitForOneAnother(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]string{"file": dbtest.SQLiteURL(t), "memory": ":memory:"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stores := []*store.Store{dbtest.Open(t, store.Options{URL: url})}
			if name == "file" { // another process on the same file
				stores = append(stores, dbtest.Open(t, store.Options{URL: url}))
			}
			var wg sync.WaitGroup
			for worker := range 16 {
				st := stores[worker%len(stores)]
				wg.Go(func() {
					for i := range 25 {
						id := fmt.Sprintf("d-%d-%d", worker, i)
						err := st.InTx(t.Context(), func(tx *store.Store) error {
							if _, _, err := tx.Outbox.Backlog(t.Context()); err != nil { // reads, and then writes
								return err
							}
							return tx.Outbox.Add(t.Context(),
								store.Delivery{ID: id, TenantID: "t", Body: []byte("{}"), DueAt: dbtest.Now})
						})
						err = errors.Join(err, st.Ready(t.Context()), st.Outbox.Done(t.Context(), id))
						if err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			n, _, err := stores[0].Outbox.Backlog(t.Context())
			require.NoError(t, err)
			require.Zero(t, n)
		})
	}
}

func TestAReaderOnSQLiteDoesNotWaitForAWriter(t *testing.T) {
	t.Parallel()
	st := dbtest.SQLite(t)
	w := dbtest.Seed(t, st)
	require.NoError(t, st.InTx(t.Context(), func(tx *store.Store) error {
		require.NoError(t, tx.Notifications.Insert(t.Context(), []models.NotificationLog{note(w, "n", w.A.Admin)}))
		_, err := st.Users.Account(t.Context(), w.A.Admin)
		return err
	}))
}

func TestAWriterWhoWaitsLeavesWithItsContext(t *testing.T) {
	t.Parallel()
	st := dbtest.SQLite(t)
	require.NoError(t, st.InTx(t.Context(), func(*store.Store) error {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		err := st.Outbox.Done(ctx, "x")
		require.Equal(t, contract.CodeUnavailable, contract.CodeOf(err), "%v", err)
		return nil
	}))
}

func TestAnURLThatIsNoDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"":                     "DATABASE_URL",
		"mysql://root@host/db": "postgresql://",
		"postgresql://u:secret@127.0.0.1:1/db?connect_timeout=1": "does not answer",
		"postgresql://u:secret@127.0.0.1:1/db?sslmode=x":         "sslmode",
	} {
		_, err := store.Open(t.Context(), store.Options{URL: url})
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "secret")
	}
}

func TestLogsHoldNoValues(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		url := dbtest.SQLiteURL(t)
		if st.Dialect() == store.Postgres {
			url, _ = dbtest.PostgresURL(t)
		}
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		loud := dbtest.Open(t, store.Options{URL: url, Logger: logger, SlowQuery: time.Nanosecond})
		w := dbtest.Seed(t, loud)
		n := note(w, "n", "nobody")
		n.Message = "secreto médico"
		require.Error(t, loud.Notifications.Insert(t.Context(), []models.NotificationLog{n}))
		require.Contains(t, log.String(), "notification_logs")
		require.NotContains(t, log.String(), "secreto médico")
		require.NotContains(t, log.String(), "@example.com")
	})
}

func TestStatementsAreTimedByOperationAlone(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	st := dbtest.Open(t, store.Options{URL: dbtest.SQLiteURL(t), Registry: registry})
	dbtest.Open(t, store.Options{URL: dbtest.SQLiteURL(t), Registry: registry}) // shares them
	_, err := st.Users.Accounts(t.Context(), []string{"a"})
	require.NoError(t, err)
	families, err := registry.Gather()
	require.NoError(t, err)
	require.Len(t, families, 1)
	require.Equal(t, "realtime_db_statement_seconds", families[0].GetName())
	operations := map[string]uint64{}
	for _, m := range families[0].GetMetric() {
		require.Len(t, m.GetLabel(), 1)
		operations[m.GetLabel()[0].GetValue()] = m.GetHistogram().GetSampleCount()
	}
	require.EqualValues(t, 1, operations["users.accounts"])
}
