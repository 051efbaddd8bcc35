package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/citaplanner/realtime/db/models"
)

// The dialects that Store.Dialect answers.
const (
	Postgres = "postgres"
	SQLite   = "sqlite"
)

// Options of Open.
type Options struct {
	// URL is the app's DATABASE_URL in Prisma's form (postgres://, postgresql://), or "sqlite:<path>" or
	// "file:<path>" for the embedded database; ":memory:" as the path keeps it in memory. Empty is an error.
	URL string

	// DirectURL is Prisma's directUrl: the same database without PgBouncer between. Migrate uses it. Empty means URL.
	DirectURL string

	// QueryTimeout bounds one statement. Default 15 s; socket_timeout of the URL goes before it. Negative: no bound.
	QueryTimeout time.Duration

	// SlowQuery is from when on a statement is logged as slow, without its values. Default 500 ms.
	SlowQuery time.Duration

	// Registry takes the metrics. nil: they are counted, but not shown.
	Registry prometheus.Registerer

	// Now is the clock. Default time.Now.
	Now func() time.Time

	// Logger takes warnings about the URL and slow or failed statements. Default: none.
	Logger *slog.Logger
}

// Store is the database. It is safe for concurrent use; the one handed out by InTx is for one goroutine.
type Store struct {
	Tenants       *Tenants
	Users         *Users
	Appointments  *Appointments
	Notifications *Notifications
	Preferences   *PreferenceRows
	Reminders     *Reminders
	Outbox        *Outbox
	Recent        *Recent
	Idempotency   *Idempotency
	Occurrences   *Occurrences
	LastSeen      *LastSeen

	*core
	db   *gorm.DB
	inTx bool
	pipe *pipeline // in InEmitTx on PostgreSQL
}

// core is what a store and the stores of its transactions share.
type core struct {
	dialect string
	names   models.Names
	schema  string // the app's schema on PostgreSQL
	bouncer bool   // a PgBouncer in transaction mode may be between
	opts    Options
	log     *slog.Logger
	now     func() time.Time
	metrics *Metrics
	sql     *sql.DB
	pool    *pgxpool.Pool // nil on SQLite

	poolTimeout time.Duration // Prisma's pool_timeout; 0: none

	// writer lets one writer at a time through on SQLite, in order of arrival: its own lock is polled, and would
	// answer "database is locked" to the unlucky. nil on PostgreSQL.
	writer chan struct{}

	// labels are the labels of "NotificationType" in this database: map[string]bool, replaced whole.
	labels atomic.Pointer[map[string]bool]

	startIndex startIndex

	closers []func()
}

// Open connects. It fails at once, with CodeUnavailable, when the database does not answer. It creates nothing on
// PostgreSQL; on SQLite it creates the file.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.QueryTimeout == 0 {
		o.QueryTimeout = 15 * time.Second
	}
	if o.SlowQuery <= 0 {
		o.SlowQuery = 500 * time.Millisecond
	}
	c := &core{opts: o, log: o.Logger, now: func() time.Time { return UTC(o.Now()) }, metrics: NewMetrics(o.Registry)}
	db, err := c.open(ctx)
	if err == nil {
		err = c.readLabels(ctx, db)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c.bind(db, false), nil
}

// open chooses the database by the URL's scheme.
func (c *core) open(ctx context.Context) (*gorm.DB, error) {
	url := c.opts.URL
	switch {
	case url == "":
		return nil, errors.New("no database: set DATABASE_URL")
	case strings.HasPrefix(url, "postgres://"), strings.HasPrefix(url, "postgresql://"):
		return c.openPostgres(ctx)
	case strings.HasPrefix(url, "sqlite:"), strings.HasPrefix(url, "file:"), url == ":memory:":
		return c.openSQLite(ctx)
	default:
		return nil, errors.New("DATABASE_URL starts with none of postgresql://, postgres://, sqlite: and file: (see Prisma)")
	}
}

// gorm makes the *gorm.DB over a dialector, as pitfalls demand: UTC clock, no implicit transactions, no values in logs.
func (c *core) gorm(d gorm.Dialector) (*gorm.DB, error) {
	db, err := gorm.Open(d, &gorm.Config{
		NamingStrategy:         c.names,
		NowFunc:                c.now,
		TranslateError:         true,
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
		Logger: notable{c.opts.SlowQuery, logger.NewSlogLogger(c.log, logger.Config{
			SlowThreshold:             c.opts.SlowQuery,
			LogLevel:                  logger.Warn,
			ParameterizedQueries:      true,
			IgnoreRecordNotFoundError: true,
		})},
	})
	if err != nil {
		return nil, fmt.Errorf("open database: %w", fault(err))
	}
	if err := db.Use(&observer{metrics: c.metrics, timeout: c.opts.QueryTimeout}); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return db, nil
}

// notable passes on the statements that are worth a line: GORM's logger writes the text of every statement before it asks
// itself that (2 % of a sign-in's CPU).
type notable struct {
	slow time.Duration
	logger.Interface
}

func (l notable) Trace(ctx context.Context, begin time.Time, fc func() (sql string, rowsAffected int64), err error) {
	if err != nil || time.Since(begin) > l.slow {
		l.Interface.Trace(ctx, begin, fc, err)
	}
}

// ParamsFilter keeps values out of the texts of statements (gorm.ParamsFilter, which embedding would hide).
func (notable) ParamsFilter(_ context.Context, sql string, _ ...any) (string, []any) { return sql, nil }

// bind makes a Store over db.
func (c *core) bind(db *gorm.DB, inTx bool) *Store {
	s := &Store{core: c, db: db, inTx: inTx}
	s.Tenants = &Tenants{s}
	s.Users = &Users{s}
	s.Appointments = &Appointments{s}
	s.Notifications = &Notifications{s}
	s.Preferences = &PreferenceRows{s}
	s.Reminders = &Reminders{s}
	s.Outbox = &Outbox{s}
	s.Recent = &Recent{s}
	s.Idempotency = &Idempotency{s}
	s.Occurrences = &Occurrences{s}
	s.LastSeen = &LastSeen{s}
	return s
}

// Dialect is Postgres or SQLite.
func (s *Store) Dialect() string { return s.dialect }

// DB is GORM for this store (its transaction, if in one), for tests and the demo world. Matters use the repositories.
// Writers on SQLite go through InTx.
func (s *Store) DB(ctx context.Context) *gorm.DB { return s.op(ctx, "other") }

// InTx runs fn in one transaction: committed when fn returns nil, rolled back otherwise, a panic included. fn uses
// the store it is given and no other: on SQLite another one would wait for this very transaction. Inside a
// transaction InTx runs fn in that one, without a savepoint.
func (s *Store) InTx(ctx context.Context, fn func(tx *Store) error) error {
	if s.inTx {
		return fn(s)
	}
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	// fault leaves a *contract.Error of fn as it is, and translates what Begin and Commit say.
	return fault(s.db.WithContext(ctx).Transaction(func(db *gorm.DB) error { return fn(s.bind(db, true)) }))
}

// enter waits for the right to write; leave gives it back. Only SQLite has one to wait for.
func (s *Store) enter(ctx context.Context) (leave func(), err error) {
	if s.writer == nil || s.inTx {
		return func() {}, nil
	}
	select {
	case s.writer <- struct{}{}:
		return func() { <-s.writer }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait to write: %w", fault(ctx.Err()))
	}
}

// Ready really asks the database, for a table that every sign-in needs.
func (s *Store) Ready(ctx context.Context) error {
	var one []int
	_, err := s.find(ctx, "ready", &one, `SELECT count(*) FROM (SELECT 1 FROM `+s.t("users")+` LIMIT 1) AS u`)
	if err != nil {
		return fmt.Errorf("database: %w", err)
	}
	return nil
}

// Stats is the state of the connection pool.
type Stats struct {
	Max        int   // connections at most, 0 for unlimited
	Open       int   // connections now
	InUse      int   // of them at work
	Waits      int64 // how often a caller had to wait for one
	Statements int64 // statements since Open, BEGIN and COMMIT not counted
}

// Stats reads the pool.
func (s *Store) Stats() Stats {
	if s.pool == nil {
		st := s.sql.Stats()
		return Stats{st.MaxOpenConnections, st.OpenConnections, st.InUse, st.WaitCount, s.metrics.statements.Load()}
	}
	st := s.pool.Stat()
	return Stats{
		int(st.MaxConns()), int(st.TotalConns()), int(st.AcquiredConns()), st.EmptyAcquireCount(),
		s.metrics.statements.Load(),
	}
}

// Close ends all connections. It waits for statements under way.
func (s *Store) Close() error {
	s.close()
	return nil
}

func (c *core) close() {
	for i := len(c.closers) - 1; i >= 0; i-- {
		c.closers[i]()
	}
	c.closers = nil
}

// t is a table's name, quoted, for SQL written by hand.
func (s *Store) t(table string) string { return s.names.Quoted(table) }

// op is GORM for one statement of the operation named, which is a metric label: a constant, never a value.
func (s *Store) op(ctx context.Context, operation string) *gorm.DB {
	return s.db.WithContext(ctx).Set(operationKey, operation)
}

// find runs a query into dest (a pointer to a slice or struct) and returns the number of rows.
// Find, not Scan: GORM's Scan hands out the rows after the callbacks that bound the statement have run.
func (s *Store) find(ctx context.Context, operation string, dest any, query string, args ...any) (int64, error) {
	tx := s.op(ctx, operation).Raw(query, args...).Find(dest)
	return tx.RowsAffected, fault(tx.Error)
}

// exec runs a statement that writes and returns the number of rows it touched.
func (s *Store) exec(ctx context.Context, operation, statement string, args ...any) (int64, error) {
	leave, err := s.enter(ctx)
	if err != nil {
		return 0, err
	}
	defer leave()
	tx := s.op(ctx, operation).Exec(statement, args...)
	return tx.RowsAffected, fault(tx.Error)
}

// findWriting is find for a statement that writes and returns rows.
func (s *Store) findWriting(ctx context.Context, operation string, dest any, query string, args ...any) error {
	leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	_, err = s.find(ctx, operation, dest, query, args...)
	return err
}

// UTC is t as the app's timestamp(3) columns hold it: in UTC, cut to milliseconds (the column would round, so that
// stored and emitted times would differ).
func UTC(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }
