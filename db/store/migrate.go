package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3/lock"
	"gorm.io/gorm/schema"

	"github.com/citaplanner/realtime/db/migrations"
	"github.com/citaplanner/realtime/db/models"
)

// migrationLock is the advisory lock that keeps two migrations of one database apart.
const migrationLock = 7_226_311_504

// MigrateOptions of Migrate.
type MigrateOptions struct {
	// OwnOnly leaves the app's tables alone even when the database is empty.
	OwnOnly bool
}

// Migrate makes what is missing: the app's tables when the database has none of them, and the server's own. It never
// touches a table of the app's that it did not make itself. It returns the names of the migrations applied, none when
// all was there. Several processes may call it at once.
func (s *Store) Migrate(ctx context.Context, o MigrateOptions) (applied []string, err error) {
	if s.inTx {
		return nil, errors.New("migrate: not within a transaction")
	}
	db, done, err := s.migrationDB(ctx)
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	defer func() { err = errors.Join(err, done()) }()

	app, err := s.appMigrations(ctx, db, o)
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	needed := []string{"realtime"}
	if app {
		needed = append(needed, s.schema)
	}
	for _, name := range needed {
		if err := s.ensureSchema(ctx, db, name); err != nil {
			return nil, fmt.Errorf("migrate: %w", err)
		}
	}
	sets := []migrations.Set{migrations.Own(s.dialect == Postgres)}
	if app {
		sets = append([]migrations.Set{migrations.App(s.dialect == Postgres)}, sets...)
	}
	for _, set := range sets {
		names, err := s.apply(ctx, db, set)
		applied = append(applied, names...)
		if err != nil {
			return applied, fmt.Errorf("migrate: %w", explainDenied(fault(err)))
		}
	}
	return applied, s.readLabels(ctx, s.db)
}

// apply applies a set, again where another process may have been at it: without a lock between processes (SQLite,
// PgBouncer) the slower one fails at what the faster has made, its transaction is undone, and then it goes on behind that. It
// may be the slower one at each migration.
func (s *Store) apply(ctx context.Context, db *sql.DB, set migrations.Set) (applied []string, err error) {
	_, all, _ := set.Versions(ctx, db) // an error where nothing is there yet
	for range all + 2 {
		var names []string
		names, err = set.Apply(ctx, db, s.log)
		applied = append(applied, names...)
		if err == nil || ctx.Err() != nil {
			break
		}
	}
	return applied, err
}

// migrationDB is the connection to migrate over, locked against other processes; done unlocks it. On PostgreSQL it is
// one of its own over DirectURL, as PgBouncer keeps neither an advisory lock nor a search_path for us.
func (s *Store) migrationDB(ctx context.Context) (*sql.DB, func() error, error) {
	if s.dialect == SQLite {
		leave, err := s.enter(ctx)
		return s.sql, func() error { leave(); return nil }, err
	}
	direct := s.opts.DirectURL
	if direct == "" {
		direct = s.opts.URL
	}
	target, err := parsePrismaURL(direct)
	if err != nil {
		return nil, nil, fmt.Errorf("DIRECT_URL: %w", err)
	}
	config := target.config.ConnConfig
	if !target.bouncer {
		config.RuntimeParams["search_path"] = `"` + s.schema + `"` // the app's, also when DirectURL names none
	}
	db := stdlib.OpenDB(*config)
	if target.bouncer {
		return db, db.Close, nil // no lock holds there; each migration is one transaction, and one of two fails
	}
	locker, err := lock.NewPostgresSessionLocker(
		lock.WithLockID(migrationLock), lock.WithLockTimeout(1, 120), lock.WithUnlockTimeout(1, 5))
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, nil, errors.Join(fault(err), db.Close())
	}
	if err := locker.SessionLock(ctx, conn); err != nil {
		return nil, nil, errors.Join(fault(err), conn.Close(), db.Close())
	}
	return db, func() error {
		// The lock goes with the session in any case; this only makes others wait less.
		_ = locker.SessionUnlock(context.WithoutCancel(ctx), conn)
		return errors.Join(conn.Close(), db.Close())
	}, nil
}

// appMigrations decides whether the app's set is ours to apply: when none of its tables is there, or when we made them.
func (s *Store) appMigrations(ctx context.Context, db *sql.DB, o MigrateOptions) (bool, error) {
	if o.OwnOnly {
		return false, nil
	}
	present, err := s.presentTables(ctx, db)
	if err != nil {
		return false, err
	}
	var missing []string
	for _, t := range appTables() {
		if !present[t] {
			missing = append(missing, t)
		}
	}
	if len(missing) == len(appTables()) {
		if s.bouncer && s.opts.DirectURL == "" && s.schema != "public" {
			return false, errors.New("the tables cannot be made through PgBouncer: set DIRECT_URL to a direct connection")
		}
		return true, nil
	}
	if present["app_version"] {
		return true, nil
	}
	if len(missing) > 0 {
		s.log.WarnContext(ctx, "the database lacks tables of the app; they are left to prisma migrate",
			"missing", strings.Join(missing, ","))
	}
	return false, nil
}

// appTables are the names of the app's tables that the models know, sorted.
func appTables() []string {
	var names []string
	for _, m := range models.App() {
		if t, ok := m.(schema.TablerWithNamer); ok {
			names = append(names, t.TableName(models.SQLiteNames()))
		}
	}
	slices.Sort(names)
	return names
}

// presentTables are the app's tables that are there, and "app_version" when we made them.
func (s *Store) presentTables(ctx context.Context, db *sql.DB) (map[string]bool, error) {
	query := `SELECT replace(name, 'realtime_app_version', 'app_version') FROM sqlite_master WHERE type = 'table'`
	var args []any
	if s.dialect == Postgres {
		query = `SELECT CAST(c.relname AS text) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE c.relkind IN ('r', 'p', 'v', 'f')
				AND (n.nspname = $1 OR n.nspname = 'realtime' AND c.relname = 'app_version')`
		args = []any{s.schema}
	}
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", fault(err))
	}
	defer func() { _ = rows.Close() }()
	present := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("list tables: %w", fault(err))
		}
		present[name] = true
	}
	return present, fault(rows.Err())
}

// ensureSchema makes a schema. Only if it is missing: where an administrator made it, we need not be allowed to.
func (s *Store) ensureSchema(ctx context.Context, db *sql.DB, name string) error {
	if s.dialect != Postgres {
		return nil
	}
	var there bool
	row := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)`, name)
	if err := row.Scan(&there); err != nil {
		return fmt.Errorf("look for the schema %s: %w", name, fault(err))
	}
	if there {
		return nil
	}
	if _, err := db.ExecContext(ctx, `CREATE SCHEMA IF NOT EXISTS `+quoteIdent(name)); err != nil {
		return explainDenied(fmt.Errorf("make the schema %s: %w", name, fault(err)))
	}
	return nil
}

func quoteIdent(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// explainDenied adds to "permission denied" what an administrator has to run.
func explainDenied(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != "42501" {
		return err
	}
	return fmt.Errorf("%w; as the owner of the database run: CREATE SCHEMA IF NOT EXISTS realtime; "+
		"GRANT USAGE, CREATE ON SCHEMA realtime TO <role of DATABASE_URL>;", err)
}
