package store_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
	"gorm.io/gorm/schema"
)

// documented is the app's database as the contract describes it: a line for each column, constraint, index and type.
func documented(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/database.md")
	require.NoError(t, err)
	var lines []string
	table := ""
	for line := range strings.SplitSeq(string(text), "\n") {
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "`")
		}
		switch {
		case strings.HasPrefix(line, "### `"):
			table = strings.Trim(line[4:], "`")
		case strings.HasPrefix(line, "### "):
			table = "" // the enums
		case table != "" && strings.HasPrefix(line, "| `"):
			lines = append(lines, fmt.Sprintf("%s.%s %s null=%s default=%s", table, cells[0], cells[1], cells[2], cells[3]))
		case table == "" && strings.HasPrefix(line, "| `"):
			lines = append(lines, "enum "+cells[0]+" "+cells[1])
		case table != "" && strings.HasPrefix(line, "`"):
			for _, c := range strings.Split(strings.Trim(line, "`"), "`; `") {
				lines = append(lines, table+" "+c)
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// actual is the same of a real database.
func actual(t *testing.T, url string) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dbtest.PlainURL(url))
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(context.WithoutCancel(t.Context()))) }()
	rows, err := conn.Query(t.Context(), `
		SELECT c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' null=' ||
			CASE WHEN a.attnotnull THEN 'no' ELSE 'yes' END || ' default=' || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid
			AND d.adnum = a.attnum
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
		UNION ALL
		SELECT c.relname || ' ' || pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
		WHERE c.relnamespace = 'public'::regnamespace
		UNION ALL
		SELECT c.relname || ' ' || CASE WHEN i.indisunique THEN 'unique ' ELSE '' END || 'index ' ||
			substring(pg_get_indexdef(i.indexrelid) FROM '\(.*\)')
		FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
		WHERE c.relnamespace = 'public'::regnamespace AND NOT i.indisprimary
		UNION ALL
		SELECT 'enum ' || t.typname || ' ' || string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder)
		FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid GROUP BY t.typname`)
	require.NoError(t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	extra := regexp.MustCompile(`^(service_categories|external_calendar_connections)[. ]`)
	lines = slices.DeleteFunc(lines, extra.MatchString)
	slices.Sort(lines)
	return lines
}

func TestAnEmptyDatabaseGetsExactlyWhatPrismaWouldHaveMade(t *testing.T) {
	t.Parallel()
	_, owner := dbtest.EmptyPostgresURL(t)
	st, err := store.Open(t.Context(), store.Options{URL: owner})
	require.NoError(t, err)
	defer func() { require.NoError(t, st.Close()) }()
	applied, err := st.Migrate(t.Context(), store.MigrateOptions{})
	require.NoError(t, err)
	require.Equal(t, []string{"app/00001_app.sql", "own/00001_own.sql", "own/00002_occurrences.sql", "own/00003_reminders.sql", "own/00004_last_seen.sql"}, applied)
	require.Equal(t, documented(t), actual(t, owner))

	applied, err = st.Migrate(t.Context(), store.MigrateOptions{})
	require.NoError(t, err)
	require.Empty(t, applied)
	exercise(t, st)
}

func TestTheAppsOwnTablesAreNeverTouched(t *testing.T) {
	t.Parallel()
	url, owner := dbtest.PrismasPostgresURL(t)
	before := actual(t, owner)
	st, err := store.Open(t.Context(), store.Options{URL: url})
	require.NoError(t, err)
	defer func() { require.NoError(t, st.Close()) }()
	applied, err := st.Migrate(t.Context(), store.MigrateOptions{})
	require.NoError(t, err)
	require.Equal(t, []string{"own/00001_own.sql", "own/00002_occurrences.sql", "own/00003_reminders.sql", "own/00004_last_seen.sql"}, applied)
	require.Equal(t, before, actual(t, owner))
}

func TestADatabaseWithSomeOfTheTablesIsLeftToPrisma(t *testing.T) {
	t.Parallel()
	_, owner := dbtest.EmptyPostgresURL(t)
	dbtest.Exec(t, owner, `CREATE TABLE users (id text PRIMARY KEY)`)
	st, err := store.Open(t.Context(), store.Options{URL: owner})
	require.NoError(t, err)
	defer func() { require.NoError(t, st.Close()) }()
	applied, err := st.Migrate(t.Context(), store.MigrateOptions{})
	require.NoError(t, err)
	require.Equal(t, []string{"own/00001_own.sql", "own/00002_occurrences.sql", "own/00003_reminders.sql", "own/00004_last_seen.sql"}, applied)
	require.Equal(t, []string{"users PRIMARY KEY (id)", "users.id text null=no default="}, actual(t, owner))
}

func TestARoleThatMayMakeNoSchemaIsToldWhatToGrant(t *testing.T) {
	t.Parallel()
	url, owner := dbtest.PrismasPostgresURL(t)
	dbtest.Exec(t, owner, `DO $$ BEGIN EXECUTE format('REVOKE CREATE ON DATABASE %I FROM realtime_app',
		current_database()); END $$`)
	st, err := store.Open(t.Context(), store.Options{URL: url})
	require.NoError(t, err)
	defer func() { require.NoError(t, st.Close()) }()
	_, err = st.Migrate(t.Context(), store.MigrateOptions{})
	require.ErrorContains(t, err, "CREATE SCHEMA IF NOT EXISTS realtime")
	require.ErrorContains(t, err, "GRANT USAGE, CREATE")

	// What it says is enough.
	dbtest.Exec(t, owner, `CREATE SCHEMA IF NOT EXISTS realtime`, `GRANT USAGE, CREATE ON SCHEMA realtime TO realtime_app`)
	_, err = st.Migrate(t.Context(), store.MigrateOptions{})
	require.NoError(t, err)
	exercise(t, st)
}

func TestSeveralProcessesMayMigrateAtOnce(t *testing.T) {
	t.Parallel()
	_, postgres := dbtest.EmptyPostgresURL(t)
	for name, url := range map[string]string{"postgres": postgres, "sqlite": dbtest.SQLiteURL(t)} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var all []string
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					st, err := store.Open(t.Context(), store.Options{URL: url})
					if err != nil {
						t.Error(err)
						return
					}
					applied, err := st.Migrate(t.Context(), store.MigrateOptions{})
					if err != nil {
						t.Error(err)
					}
					mu.Lock()
					all = append(all, applied...)
					mu.Unlock()
					if err := st.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			slices.Sort(all)
			require.Equal(t, []string{"app/00001_app.sql", "own/00001_own.sql", "own/00002_occurrences.sql", "own/00003_reminders.sql", "own/00004_last_seen.sql"}, all)
		})
	}
}

func TestTheAppMayLiveInAnotherSchema(t *testing.T) {
	t.Parallel()
	_, owner := dbtest.EmptyPostgresURL(t)
	st := dbtest.Open(t, store.Options{URL: strings.Replace(owner, "schema=public", "schema=Agenda", 1)})
	exercise(t, st)
	findings, err := st.Inspect(t.Context())
	require.NoError(t, err)
	for _, f := range findings {
		require.NotEqual(t, store.LevelError, f.Level, f)
	}
	_, err = st.Users.Account(t.Context(), "a-admin")
	require.NoError(t, err)
	require.Empty(t, slices.DeleteFunc(actual(t, owner), func(l string) bool { return strings.HasPrefix(l, "enum") }),
		"nothing in public")
}

func TestMigrateGoesRoundPgBouncer(t *testing.T) {
	t.Parallel()
	_, owner := dbtest.EmptyPostgresURL(t)
	st := dbtest.Open(t, store.Options{URL: owner + "&pgbouncer=true", DirectURL: owner})
	exercise(t, st)

	_, other := dbtest.EmptyPostgresURL(t)
	agenda := strings.Replace(other, "schema=public", "schema=agenda", 1) + "&pgbouncer=true"
	pooled, err := store.Open(t.Context(), store.Options{URL: agenda})
	require.NoError(t, err)
	defer func() { require.NoError(t, pooled.Close()) }()
	_, err = pooled.Migrate(t.Context(), store.MigrateOptions{})
	require.ErrorContains(t, err, "DIRECT_URL")
}

// columnsOf lists the columns of a table in their order.
func columnsOf(t *testing.T, st *store.Store, table string) []string {
	t.Helper()
	rows, err := st.DB(t.Context()).Raw(`SELECT * FROM ` + table).Rows()
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	columns, err := rows.Columns()
	require.NoError(t, err)
	require.NoError(t, rows.Err())
	return columns
}

func TestModelsHaveExactlyTheColumnsOfTheDatabase(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		names := models.SQLiteNames()
		if st.Dialect() == store.Postgres {
			names = models.PostgresNames("public")
		}
		for _, model := range slices.Concat(models.App(), models.Own()) {
			parsed, err := schema.Parse(model, &sync.Map{}, names)
			require.NoError(t, err)
			require.Equal(t, columnsOf(t, st, names.Quoted(tableOf(model))), parsed.DBNames, "%T", model)
		}
	})
}

// plainNames leaves names as the models say them.
type plainNames struct{ schema.NamingStrategy }

func (plainNames) TableName(name string) string { return name }

func tableOf(model any) string { return model.(schema.TablerWithNamer).TableName(plainNames{}) }

// exercise runs every repository once, on a database without rows.
func exercise(t *testing.T, st *store.Store) {
	t.Helper()
	ctx := t.Context()
	w := dbtest.Seed(t, st)
	w.Prefer(w.A, w.A.Admin, func(p *models.UserNotificationPreferences) {
		p.ReminderMinutesBefore = models.IntList{5, 10}
	})
	require.NoError(t, st.Ready(ctx))

	accounts, err := st.Users.Accounts(ctx, []string{w.A.Admin, w.A.Portal})
	require.NoError(t, err)
	require.Len(t, accounts, 2)
	recipients, err := st.Users.Recipients(ctx, w.A.ID, contract.RoleAdmin)
	require.NoError(t, err)
	require.Len(t, recipients, 2)
	require.Equal(t, []int{5, 10}, recipients[0].Preferences.ReminderMinutesBefore)
	members, err := st.Users.RecipientsOf(ctx, []store.Member{{TenantID: w.A.ID, ID: w.A.Portal}})
	require.NoError(t, err)
	require.Len(t, members, 1)
	p, err := st.Preferences.Of(ctx, w.A.ID, w.A.Admin)
	require.NoError(t, err)
	require.Equal(t, []int{5, 10}, p.ReminderMinutesBefore)
	v, err := st.Appointments.Load(ctx, w.A.ID, w.A.Appointment)
	require.NoError(t, err)
	require.Equal(t, "Carla Cliente", v.ClientName())
	there, err := st.Appointments.Exists(ctx, w.A.ID, w.A.Appointment)
	require.NoError(t, err)
	require.True(t, there)

	require.NoError(t, st.InTx(ctx, func(tx *store.Store) error {
		fresh, err := tx.Recent.Claim(ctx, "k", "h", dbtest.Now, 5e9)
		require.NoError(t, err)
		require.True(t, fresh)
		n := note(w, "n", w.A.Admin)
		n.Type = tx.Notifications.Label(contract.EventAppointmentCreated)
		n.CreatedAt = dbtest.Now
		require.NoError(t, tx.Notifications.Insert(ctx, []models.NotificationLog{n, note(w, "n2", w.A.Admin)}))
		return tx.Outbox.Add(ctx, store.Delivery{ID: "d", TenantID: w.A.ID, Body: []byte(`{}`), DueAt: dbtest.Now})
	}))
	read, err := st.Notifications.MarkRead(ctx, store.Owner{TenantID: w.A.ID, ID: w.A.Admin}, "n")
	require.NoError(t, err)
	require.True(t, read)
	count, err := st.Notifications.MarkAllRead(ctx, store.Owner{TenantID: w.A.ID, ID: w.A.Admin})
	require.NoError(t, err)
	require.EqualValues(t, 1, count)
	require.Equal(t, dbtest.Now, w.Notifications()[0].CreatedAt)

	taken, err := st.Outbox.TakeDue(ctx, dbtest.Now, 5e9, 5)
	require.NoError(t, err)
	require.Len(t, taken, 1)
	require.Equal(t, dbtest.Now.Add(5e9), taken[0].DueAt)
	_, _, err = st.Outbox.Backlog(ctx)
	require.NoError(t, err)
	require.NoError(t, st.Outbox.Done(ctx, "d"))

	for _, want := range []store.IdempotencyState{store.IdempotencyStarted, store.IdempotencyRunning} {
		r, err := st.Idempotency.Begin(ctx, "key", "f", dbtest.Now, 5e9)
		require.NoError(t, err)
		require.Equal(t, want, r.State)
	}
	require.NoError(t, st.Idempotency.Complete(ctx, "key", []byte(`{}`)))
	require.NoError(t, st.Idempotency.Release(ctx, "other"))
	pruned, err := st.Idempotency.Prune(ctx, dbtest.Now.Add(1e9), 10)
	require.NoError(t, err)
	require.EqualValues(t, 1, pruned)
	pruned, err = st.Recent.Prune(ctx, dbtest.Now.Add(1e9), 10)
	require.NoError(t, err)
	require.EqualValues(t, 1, pruned)
}
