package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// TriggerVersion is the version of the triggers' definitions, which each trigger carries as its argument. What they do is
// in functions of the schema realtime, which Migrate keeps current.
const TriggerVersion = "1"

// triggerName is how every trigger of ours is called on the app's tables.
const triggerName = "citaplanner_realtime"

// watched are the tables of the app's that have a trigger, and its function.
var watched = [...]struct{ table, function string }{
	{"appointments", "appointment_changed"}, {"working_hours", "working_hours_changed"},
}

// TriggerStatus is the state of one table's trigger.
type TriggerStatus struct {
	Table     string
	Installed bool
	Version   string // of what is installed
	Enabled   bool   // it fires on ordinary writes (not after ALTER TABLE … DISABLE TRIGGER)
}

// Current reports whether the trigger is as InstallTriggers would make it.
func (t TriggerStatus) Current() bool { return t.Installed && t.Enabled && t.Version == TriggerVersion }

// errNoTriggers is for the embedded database.
var errNoTriggers = errors.New("triggers are for the app's own PostgreSQL database")

// Triggers is the state of each trigger.
func (s *Store) Triggers(ctx context.Context) ([]TriggerStatus, error) {
	if s.dialect != Postgres {
		return nil, errNoTriggers
	}
	return s.triggerStatus(ctx, s.sql)
}

// querier is a *sql.DB or *sql.Tx.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func (s *Store) triggerStatus(ctx context.Context, db querier) ([]TriggerStatus, error) {
	found := map[string]TriggerStatus{}
	rows, err := db.QueryContext(ctx, `SELECT CAST(c.relname AS text), t.tgargs, t.tgenabled IN ('O', 'A')
		FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND t.tgname = $2`, s.schema, triggerName)
	if err != nil {
		return nil, fmt.Errorf("look at the triggers: %w", fault(err))
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		t := TriggerStatus{Installed: true}
		var args []byte // each ends with a NUL
		if err := rows.Scan(&t.Table, &args, &t.Enabled); err != nil {
			return nil, fmt.Errorf("look at the triggers: %w", err)
		}
		t.Version = strings.TrimRight(string(args), "\x00")
		found[t.Table] = t
	}
	list := make([]TriggerStatus, len(watched))
	for i, w := range watched {
		list[i] = found[w.table]
		list[i].Table = w.table
	}
	return list, fault(rows.Err())
}

// TriggersInstalled reports whether any trigger of ours may write occurrences.
func (s *Store) TriggersInstalled(ctx context.Context) (bool, error) {
	if s.dialect != Postgres {
		return false, nil
	}
	var one []int
	n, err := s.find(ctx, "triggers.installed", &one, `SELECT 1 FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
		JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = ? AND t.tgname = ? AND t.tgenabled <> 'D' LIMIT 1`, s.schema, triggerName)
	if err != nil {
		return false, fmt.Errorf("look for triggers: %w", err)
	}
	return n > 0, nil
}

// InstallTriggers makes the triggers that are missing, of another version or switched off, all or none, and returns the
// tables whose trigger it made. The role must own the tables and may use the schema realtime. It waits five seconds at
// most for a table that is in use: whoever wants to write to it waits behind.
func (s *Store) InstallTriggers(ctx context.Context) (made []string, err error) {
	err = s.changeTriggers(ctx, func(tx *sql.Tx, status TriggerStatus, function string) error {
		if status.Current() {
			return nil
		}
		if status.Installed {
			if err := s.dropTrigger(ctx, tx, status.Table); err != nil {
				return err
			}
		}
		made = append(made, status.Table)
		_, err := tx.ExecContext(ctx, `CREATE TRIGGER `+triggerName+` AFTER INSERT OR UPDATE OR DELETE ON `+s.t(status.Table)+
			` FOR EACH ROW EXECUTE FUNCTION realtime.`+function+`('`+TriggerVersion+`')`)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("install triggers: %w", err)
	}
	return made, nil
}

// RemoveTriggers removes the triggers, all or none, and returns the tables that had one.
func (s *Store) RemoveTriggers(ctx context.Context) (removed []string, err error) {
	err = s.changeTriggers(ctx, func(tx *sql.Tx, status TriggerStatus, _ string) error {
		if !status.Installed {
			return nil
		}
		removed = append(removed, status.Table)
		return s.dropTrigger(ctx, tx, status.Table)
	})
	if err != nil {
		return nil, fmt.Errorf("remove triggers: %w", err)
	}
	return removed, nil
}

func (s *Store) dropTrigger(ctx context.Context, tx *sql.Tx, table string) error {
	_, err := tx.ExecContext(ctx, `DROP TRIGGER `+triggerName+` ON `+s.t(table))
	return err
}

// changeTriggers runs change for each table in one transaction, and tells the nodes.
func (s *Store) changeTriggers(
	ctx context.Context, change func(tx *sql.Tx, status TriggerStatus, function string) error,
) (err error) {
	if s.dialect != Postgres {
		return errNoTriggers
	}
	db, done, err := s.migrationDB(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fault(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, `SET LOCAL lock_timeout = '5s'`); err != nil {
		return fault(err)
	}
	list, err := s.triggerStatus(ctx, tx)
	if err != nil {
		return err
	}
	for i, status := range list {
		if err := change(tx, status, watched[i].function); err != nil {
			return s.explainTrigger(ctx, status.Table, err)
		}
	}
	// Every node looks again which of its emits a trigger has seen, too (Absorb).
	if _, err := tx.ExecContext(ctx, `SELECT pg_notify($1, 'triggers')`, OutboxChannel); err != nil {
		return fault(err)
	}
	return fault(tx.Commit())
}

// explainTrigger says what to do about an error on a table.
func (s *Store) explainTrigger(ctx context.Context, table string, err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return fault(err)
	}
	var role []string
	_, _ = s.find(ctx, "triggers", &role, `SELECT CAST(current_user AS text)`)
	name := strings.Join(role, "")
	switch pg.Code {
	case "42501": // insufficient_privilege
		return fmt.Errorf("%w: run it with a DATABASE_URL (or DIRECT_URL) of the role that owns the table %s; unless that is "+
			`the server's own role, grant it first, as the server's role: GRANT USAGE ON SCHEMA realtime TO <owner>; `+
			`GRANT EXECUTE ON FUNCTION realtime.appointment_changed(), realtime.working_hours_changed() TO <owner> `+
			`(this was the role %q)`, err, table, name)
	case "42P01": // undefined_table
		return fmt.Errorf("%w: the app's tables are not in the schema %q; is schema in DATABASE_URL right?", err, s.schema)
	case "42883", "3F000": // undefined_function, invalid_schema_name
		return fmt.Errorf("%w: the server's own schema is missing or old: run \"realtime migrate\" first", err)
	case "55P03": // lock_not_available
		return fmt.Errorf("%w: the table %s is in use by a long transaction; nothing was changed, try again", err, table)
	}
	return fault(err)
}
