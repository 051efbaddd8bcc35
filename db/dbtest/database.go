//go:build unix

package dbtest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
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
)

// The roles of every test database. The password is only asked for by a server of TEST_DATABASE_URL.
const (
	ownerRole    = "prisma_owner" // made the app's tables, as the app's own role did
	appRole      = "realtime_app" // the server's: rows of the app's tables, and a schema of its own
	rolePassword = "dbtest-only"
)

// PostgresURL makes a fresh database with the app's tables and no rows, and returns its URLs in Prisma's form: as the
// role that the server has, and as the role that owns the tables. The own tables are not there yet. The database is
// dropped when the test ends, whoever is connected.
func PostgresURL(t testing.TB) (serverURL, ownerURL string) {
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
	admin, err := server()
	if err != nil {
		t.Fatalf("this test needs PostgreSQL: %v", err)
	}
	_, err = template() // makes the roles, too
	require.NoError(t, err)
	source, err := from()
	require.NoError(t, err)
	name := "rt_" + strings.ToLower(rand.Text())
	require.NoError(t, execAll(t.Context(), admin,
		`CREATE DATABASE `+name+` TEMPLATE `+source+` OWNER `+ownerRole,
		`GRANT CONNECT, CREATE ON DATABASE `+name+` TO `+appRole,
		`ALTER DATABASE `+name+` SET timezone TO 'America/Mexico_City'`))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := execAll(ctx, admin, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return name
}

// template is the name of the database that each test's is copied from. It is made once on a server, by whichever test
// process comes first; the name changes with the app's migrations.
var template = sync.OnceValues(func() (name string, err error) {
	admin, err := server()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, admin)
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
	name, err = templateName()
	if err != nil {
		return "", err
	}
	var there bool
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)`, name).Scan(&there)
	if err != nil || there {
		return name, err
	}
	if err := makeTemplate(ctx, admin, name); err != nil {
		return "", fmt.Errorf("make the template: %w", err)
	}
	return name, nil
})

// templateName holds a hash of the app's migrations and of the grants below.
func templateName() (string, error) {
	sum := sha256.New()
	if err := migrations.App(true).WriteSQL(sum); err != nil {
		return "", err
	}
	fmt.Fprint(sum, grants)
	return fmt.Sprintf("rt_template_%x", sum.Sum(nil)[:8]), nil
}

func makeTemplate(ctx context.Context, admin, name string) error {
	draft := "rt_draft_" + strings.ToLower(rand.Text())
	if err := execAll(ctx, admin, `CREATE DATABASE `+draft+` OWNER `+ownerRole+` TEMPLATE template0`); err != nil {
		return err
	}
	owner, err := withRole(admin, ownerRole, draft)
	if err != nil {
		return err
	}
	if err := makeAppTables(ctx, owner); err != nil {
		return err
	}
	return execAll(ctx, admin, `ALTER DATABASE `+draft+` RENAME TO `+name)
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

func execAll(ctx context.Context, url string, statements ...string) error {
	conn, err := pgx.Connect(ctx, PlainURL(url))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
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
