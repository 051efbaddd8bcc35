//go:build unix

package dbtest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/migrations"
	"github.com/citaplanner/realtime/db/store"
)

// The roles of every test database. The password is only asked for by a server of TEST_DATABASE_URL.
const (
	ownerRole    = "prisma_owner" // made the app's tables, as the app's own role did
	appRole      = "realtime_app" // the server's: rows of the app's tables, and a schema of its own
	rolePassword = "dbtest-only"
)

// PostgresURL makes a fresh database with the app's tables, the server's own, and no rows, and returns its URLs in Prisma's
// form: as the role that the server has, and as the role that owns the app's tables. The database is dropped when the test
// ends, whoever is connected.
func PostgresURL(t testing.TB) (serverURL, ownerURL string) {
	t.Helper()
	name := createDatabase(t, migrated)
	return roleURL(t, appRole, name), roleURL(t, ownerRole, name)
}

// PrismasPostgresURL is PostgresURL before the server has ever seen the database: the app's tables alone are there.
func PrismasPostgresURL(t testing.TB) (serverURL, ownerURL string) {
	t.Helper()
	name := createDatabase(t, template)
	return roleURL(t, appRole, name), roleURL(t, ownerRole, name)
}

// EmptyPostgresURL is PostgresURL for a database without a single table.
func EmptyPostgresURL(t testing.TB) (serverURL, ownerURL string) {
	t.Helper()
	name := createDatabase(t, func() (string, error) { return "template0", nil })
	return roleURL(t, appRole, name), roleURL(t, ownerRole, name)
}

// SuperuserURL is the URL of the database of serverURL for a superuser, for tests that plant faults.
func SuperuserURL(t testing.TB, serverURL string) string {
	t.Helper()
	admin, err := server()
	require.NoError(t, err)
	u, err := url.Parse(admin)
	require.NoError(t, err)
	of, err := url.Parse(serverURL)
	require.NoError(t, err)
	u.Path = of.Path
	return u.String()
}

// PlainURL is a Prisma URL without the parameters that PostgreSQL's own drivers refuse.
func PlainURL(prisma string) string {
	u, err := url.Parse(prisma)
	if err != nil {
		return prisma
	}
	q := u.Query()
	for _, name := range []string{"schema", "connection_limit", "pool_timeout", "pgbouncer", "socket_timeout"} {
		q.Del(name)
	}
	u.RawQuery = q.Encode()
	return u.String()
}

// Exec runs statements in the database of a URL, each by itself.
func Exec(t testing.TB, url string, statements ...string) {
	t.Helper()
	require.NoError(t, execAll(t.Context(), url, statements...))
}

func createDatabase(t testing.TB, from func() (string, error)) string {
	t.Helper()
	if _, err := server(); err != nil {
		t.Fatalf("this test needs PostgreSQL: %v", err)
	}
	_, err := template() // makes the roles, too
	require.NoError(t, err)
	source, err := from()
	require.NoError(t, err)
	name := "rt_" + strings.ToLower(rand.Text())
	require.NoError(t, administer(t.Context(),
		`CREATE DATABASE `+name+` TEMPLATE `+source+` OWNER `+ownerRole,
		`GRANT CONNECT, CREATE ON DATABASE `+name+` TO `+appRole,
		`ALTER DATABASE `+name+` SET timezone TO 'America/Mexico_City'`))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		if err := administer(ctx, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return name
}

// admin is the connection that makes and drops databases. It is one for the whole process: a connection is a process of
// the server's, and costs more than a database.
var admin struct {
	mu   sync.Mutex
	conn *pgx.Conn
}

// administer runs statements as a superuser, each by itself.
func administer(ctx context.Context, statements ...string) error {
	admin.mu.Lock()
	defer admin.mu.Unlock()
	if admin.conn == nil || admin.conn.IsClosed() {
		url, err := server()
		if err != nil {
			return err
		}
		if admin.conn, err = pgx.Connect(ctx, url); err != nil {
			return err
		}
	}
	return execOn(ctx, admin.conn, statements...)
}

// template is the name of the database with the app's tables, and migrated that of the one with the server's own as well:
// each test's is copied from one of them. Each is made once on a server, by whichever test process comes first; its name
// changes with the migrations.
var (
	template = sync.OnceValues(func() (string, error) {
		return makeOnce("rt_template", "template0", func(ctx context.Context, draft string) error {
			owner, err := draftURL(ownerRole, draft)
			if err != nil {
				return err
			}
			return makeAppTables(ctx, owner)
		}, migrations.App(true))
	})
	migrated = sync.OnceValues(func() (string, error) {
		source, err := template()
		if err != nil {
			return "", err
		}
		return makeOnce("rt_migrated", source, func(ctx context.Context, draft string) error {
			app, err := draftURL(appRole, draft)
			if err != nil {
				return err
			}
			return makeOwnTables(ctx, app)
		}, migrations.App(true), migrations.Own(true))
	})
)

// makeOnce returns the name of a database that is a copy of source and that fill has filled.
func makeOnce(
	prefix, source string, fill func(ctx context.Context, draft string) error, sets ...migrations.Set,
) (string, error) {
	url, err := server()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	// Keeps test processes on one server apart; it goes with the connection.
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(7226311505)`); err != nil {
		return "", err
	}
	if err := makeRoles(ctx, conn); err != nil {
		return "", fmt.Errorf("make the roles: %w", err)
	}
	name, err := hashed(prefix, sets)
	if err != nil {
		return "", err
	}
	var there bool
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)`, name).Scan(&there)
	if err != nil || there {
		return name, err
	}
	draft := "rt_draft_" + strings.ToLower(rand.Text())
	err = execOn(ctx, conn, `CREATE DATABASE `+draft+` OWNER `+ownerRole+` TEMPLATE `+source,
		`GRANT CONNECT, CREATE ON DATABASE `+draft+` TO `+appRole)
	if err == nil {
		err = fill(ctx, draft)
	}
	if err == nil {
		err = execOn(ctx, conn, `ALTER DATABASE `+draft+` RENAME TO `+name)
	}
	if err != nil {
		return "", fmt.Errorf("make the template: %w", err)
	}
	return name, nil
}

// hashed is a name with a hash of migrations and of the grants below.
func hashed(prefix string, sets []migrations.Set) (string, error) {
	sum := sha256.New()
	for _, set := range sets {
		if err := set.WriteSQL(sum); err != nil {
			return "", err
		}
	}
	fmt.Fprint(sum, grants)
	return fmt.Sprintf("%s_%x", prefix, sum.Sum(nil)[:8]), nil
}

func draftURL(role, draft string) (string, error) {
	url, err := server()
	if err != nil {
		return "", err
	}
	return withRole(url, role, draft)
}

func makeRoles(ctx context.Context, conn *pgx.Conn) error {
	for _, role := range []string{ownerRole, appRole} {
		_, err := conn.Exec(ctx, `DO $$ BEGIN
			IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '`+role+`') THEN
				CREATE ROLE `+role+` LOGIN PASSWORD '`+rolePassword+`';
			END IF; END $$`)
		if err != nil {
			return err
		}
	}
	return nil
}

// grants are what the server's role may do with the app's tables: as on PostgreSQL 15 and later, where nobody but the
// owner makes tables in public.
var grants = []string{
	`REVOKE CREATE ON SCHEMA public FROM PUBLIC`,
	`GRANT USAGE ON SCHEMA public TO ` + appRole,
	`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ` + appRole,
}

// makeAppTables makes the app's tables as Prisma would have, and leaves no trace of ours.
func makeAppTables(ctx context.Context, owner string) error {
	if err := execAll(ctx, owner, `CREATE SCHEMA realtime`); err != nil {
		return err
	}
	db, err := sql.Open("pgx", owner)
	if err != nil {
		return err
	}
	_, err = migrations.App(true).Apply(ctx, db, slog.New(slog.DiscardHandler))
	if closeErr := db.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return execAll(ctx, owner, append([]string{`DROP SCHEMA realtime CASCADE`}, grants...)...)
}

// makeOwnTables makes the server's own tables as the server does.
func makeOwnTables(ctx context.Context, app string) (err error) {
	st, err := store.Open(ctx, store.Options{URL: app + "&schema=public"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	_, err = st.Migrate(ctx, store.MigrateOptions{})
	return err
}

func execAll(ctx context.Context, url string, statements ...string) error {
	conn, err := pgx.Connect(ctx, PlainURL(url))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return execOn(ctx, conn, statements...)
}

func execOn(ctx context.Context, conn *pgx.Conn, statements ...string) error {
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

func roleURL(t testing.TB, role, database string) string {
	t.Helper()
	admin, err := server()
	require.NoError(t, err)
	u, err := withRole(admin, role, database)
	require.NoError(t, err)
	return u + "&schema=public&connection_limit=10"
}

func withRole(admin, role, database string) (string, error) {
	u, err := url.Parse(admin)
	if err != nil {
		return "", fmt.Errorf("TEST_DATABASE_URL is not a URL")
	}
	u.User = url.UserPassword(role, rolePassword)
	u.Path = "/" + database
	q := u.Query()
	if !q.Has("sslmode") {
		q.Set("sslmode", "prefer")
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}
