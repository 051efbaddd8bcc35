package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/store"
)

const (
	indexCreated = "index notification_logs_userId_createdAt_idx"
	indexRead    = "index notification_logs_userId_readAt_idx"
	indexPortal  = "index notification_logs_recipientId_createdAt_idx"
	indexStart   = "index appointments_startTime_idx"
)

// inspect is the findings that are not ok, by subject.
func inspect(t *testing.T, st *store.Store) map[string]store.Finding {
	t.Helper()
	findings, err := st.Inspect(t.Context())
	require.NoError(t, err)
	bad := map[string]store.Finding{}
	for _, f := range findings {
		if f.Level == store.LevelOK {
			require.Empty(t, f.Advice)
			continue
		}
		require.NotEmpty(t, f.Advice, f.Subject)
		require.NotContains(t, bad, f.Subject)
		bad[f.Subject] = f
	}
	return bad
}

func TestOfTwoRunsAtOnceEachIndexIsMadeByOne(t *testing.T) {
	t.Parallel()
	url, owner := dbtest.PostgresURL(t)
	dbtest.Open(t, store.Options{URL: url})
	made := make(chan []string, 2)
	for range 2 {
		byOwner, err := store.Open(t.Context(), store.Options{URL: owner})
		require.NoError(t, err)
		t.Cleanup(func() { _ = byOwner.Close() })
		go func() {
			names, err := byOwner.MakeIndexes(t.Context())
			if err != nil {
				t.Error(err)
			}
			made <- names
		}()
	}
	require.ElementsMatch(t, []string{"notification_logs_userId_createdAt_idx", "notification_logs_userId_readAt_idx",
		"notification_logs_recipientId_createdAt_idx", "appointments_startTime_idx"}, append(<-made, <-made...))
}

func TestPrismasDatabaseIsInOrderButForTheIndexes(t *testing.T) {
	t.Parallel()
	url, owner := dbtest.PostgresURL(t)
	st := dbtest.Open(t, store.Options{URL: url})
	bad := inspect(t, st)
	require.Len(t, bad, 4)
	for _, index := range []string{indexCreated, indexRead, indexPortal, indexStart} {
		require.Equal(t, store.LevelWarning, bad[index].Level)
		require.Contains(t, bad[index].Advice, "realtime migrate --indexes")
	}
	missing, err := st.MissingIndexes(t.Context())
	require.NoError(t, err)
	require.Len(t, missing, 4)
	_, err = st.MakeIndexes(t.Context())
	require.Error(t, err, "the server's role does not own the table")

	byOwner, err := store.Open(t.Context(), store.Options{URL: owner})
	require.NoError(t, err)
	t.Cleanup(func() { _ = byOwner.Close() })
	// One that the operator made under another name, and one that an interrupted run left behind.
	dbtest.Exec(t, owner, `CREATE INDEX mine ON notification_logs ("userId", "createdAt", id)`,
		`CREATE INDEX "notification_logs_userId_readAt_idx" ON notification_logs ("userId", "readAt")`)
	dbtest.Exec(t, dbtest.SuperuserURL(t, url), `UPDATE pg_index SET indisvalid = false
		WHERE indexrelid = (SELECT oid FROM pg_class WHERE relname = 'notification_logs_userId_readAt_idx')`)
	made, err := byOwner.MakeIndexes(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"notification_logs_userId_readAt_idx", "notification_logs_recipientId_createdAt_idx",
		"appointments_startTime_idx"}, made)
	require.Empty(t, inspect(t, st))
	made, err = byOwner.MakeIndexes(t.Context())
	require.NoError(t, err)
	require.Empty(t, made, "all are there")
}

func TestAFreshSQLiteFileIsInOrder(t *testing.T) {
	t.Parallel()
	require.Empty(t, inspect(t, dbtest.SQLite(t)))
}

func TestInspectFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		statement string
		subject   string
		level     store.Level
		problem   string
	}{
		"a table that is used": {
			`DROP TABLE user_notification_preferences`, "table user_notification_preferences", store.LevelError, "missing",
		},
		"a table that is not": {
			`DROP TABLE push_subscriptions`, "table push_subscriptions", store.LevelWarning, "missing",
		},
		"a column that is used": {
			`ALTER TABLE notification_logs DROP COLUMN "readAt"`, "column notification_logs.readAt", store.LevelError, "missing",
		},
		"a column that is not": {
			`ALTER TABLE appointments DROP COLUMN "icloudSyncEnabled"`, "column appointments.icloudSyncEnabled",
			store.LevelWarning, "missing",
		},
		"a time with a zone": {
			`ALTER TABLE appointments ALTER COLUMN "startTime" TYPE timestamptz(3)`, "column appointments.startTime",
			store.LevelError, "timestamp(3) with time zone",
		},
		"another type": {
			`ALTER TABLE notification_logs ALTER COLUMN metadata TYPE jsonb USING metadata::jsonb`,
			"column notification_logs.metadata", store.LevelError, "jsonb",
		},
		"a column that may be null": {
			`ALTER TABLE users ALTER COLUMN email DROP NOT NULL`, "column users.email", store.LevelWarning, "null",
		},
		"a column that may not": {
			`ALTER TABLE notification_logs ALTER COLUMN "userId" SET NOT NULL`, "column notification_logs.userId",
			store.LevelError, "may not be null",
		},
		"a new column that has to be filled": {
			`ALTER TABLE notification_logs ADD COLUMN "campaignId" text NOT NULL`, "column notification_logs.campaignId",
			store.LevelError, "does not know it",
		},
		"a label of a type": {
			`ALTER TYPE "NotificationType" RENAME VALUE 'PROMOTION' TO 'MARKETING'`, "enum NotificationType",
			store.LevelError, "PROMOTION",
		},
		"a role of a later version": {
			`ALTER TYPE "UserRole" ADD VALUE 'AUDITOR'`, "enum UserRole", store.LevelWarning, "AUDITOR",
		},
		"a right to read": {
			`REVOKE SELECT ON tenants FROM realtime_app`, "rights on public.tenants", store.LevelError, "SELECT",
		},
		"rights to write": {
			`REVOKE INSERT, UPDATE, DELETE ON notification_logs FROM realtime_app`, "rights on public.notification_logs",
			store.LevelError, "INSERT, UPDATE, DELETE",
		},
		"a right to the schema": {
			`REVOKE USAGE ON SCHEMA public FROM realtime_app, PUBLIC`, "rights on public.users", store.LevelError, "schema",
		},
		"a right to the own tables": {
			`REVOKE DELETE ON realtime.deliveries FROM realtime_app`, "rights on realtime.deliveries", store.LevelError,
			"DELETE",
		},
		"row-level security": {
			`ALTER TABLE users ENABLE ROW LEVEL SECURITY`, "rights on public.users", store.LevelWarning, "row-level",
		},
		"an index that is broken": {
			`CREATE INDEX broken ON notification_logs ("userId", "createdAt");
				UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass`,
			"index broken", store.LevelWarning, "not valid",
		},
		"no own tables": {`DROP SCHEMA realtime CASCADE`, "own tables", store.LevelError, "missing"},
		"old own tables": {
			`DELETE FROM realtime.own_version WHERE version_id > 0`, "own tables", store.LevelError, "version 0",
		},
		"newer own tables": {
			`INSERT INTO realtime.own_version (version_id, is_applied) VALUES (999, true)`, "own tables",
			store.LevelWarning, "999",
		},
		"a database that takes no writes": {
			`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only TO on', current_database());
				END $$`, "server", store.LevelError, "no writes",
		},
		"no table at all": {
			`DROP OWNED BY prisma_owner CASCADE`, "tables", store.LevelError, "none",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, _ := dbtest.PostgresURL(t)
			first := dbtest.Open(t, store.Options{URL: url})
			dbtest.Exec(t, dbtest.SuperuserURL(t, url), c.statement)
			require.NoError(t, first.Close())
			st, err := store.Open(t.Context(), store.Options{URL: url})
			require.NoError(t, err)
			defer func() { require.NoError(t, st.Close()) }()
			bad := inspect(t, st)
			require.Contains(t, bad, c.subject)
			require.Equal(t, c.level, bad[c.subject].Level)
			require.Contains(t, bad[c.subject].Problem, c.problem)
			for subject := range bad { // and nothing else, but for the indexes, and what follows from the fault
				related := subject == indexCreated || subject == indexRead || subject == indexPortal ||
					subject == indexStart || subject == c.subject ||
					strings.HasPrefix(c.subject, "rights") && strings.HasPrefix(subject, "rights") ||
					name == "no table at all"
				require.True(t, related, "%s: %v", subject, bad[subject])
			}
		})
	}
}

func TestAClockThatIsOffIsFound(t *testing.T) {
	t.Parallel()
	url, _ := dbtest.PostgresURL(t)
	ahead := func() time.Time { return time.Now().Add(time.Minute) }
	st := dbtest.Open(t, store.Options{URL: url, Now: ahead})
	bad := inspect(t, st)
	require.Equal(t, store.LevelWarning, bad["clock"].Level)
	require.Regexp(t, `-(1m\d|5\d)\.?\d*s`, bad["clock"].Problem, "a minute, but for what the question took")
}

func TestAMissingRightToMakeTheOwnTablesIsAdvisedUpon(t *testing.T) {
	t.Parallel()
	url, owner := dbtest.PrismasPostgresURL(t)
	st, err := store.Open(t.Context(), store.Options{URL: url})
	require.NoError(t, err)
	defer func() { require.NoError(t, st.Close()) }()
	require.Equal(t, `run "realtime migrate"`, inspect(t, st)["own tables"].Advice)
	dbtest.Exec(t, owner, `DO $$ BEGIN EXECUTE format('REVOKE CREATE ON DATABASE %I FROM realtime_app',
		current_database()); END $$`)
	require.Contains(t, inspect(t, st)["own tables"].Advice,
		`CREATE SCHEMA IF NOT EXISTS realtime AUTHORIZATION "realtime_app"`)
}

func TestFaultsOfASQLiteFileAreFound(t *testing.T) {
	t.Parallel()
	st := dbtest.SQLite(t)
	for _, statement := range []string{
		`DROP TABLE realtime_own_version`, `ALTER TABLE notification_logs DROP COLUMN metadata`,
		`DROP INDEX "notification_logs_userId_readAt_idx"`, `DROP TABLE push_subscriptions`,
	} {
		require.NoError(t, st.DB(t.Context()).Exec(statement).Error)
	}
	bad := inspect(t, st)
	require.Len(t, bad, 4)
	require.Equal(t, store.LevelError, bad["own tables"].Level)
	require.Equal(t, store.LevelError, bad["column notification_logs.metadata"].Level)
	require.Equal(t, store.LevelWarning, bad[indexRead].Level)
	require.Equal(t, store.LevelWarning, bad["table push_subscriptions"].Level)
}
