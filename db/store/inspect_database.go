package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// oldestPostgres is the oldest server version that our statements run on.
const oldestPostgres = 12

// inspectServer looks at the server itself: its version, and whether it can be written to.
func (s *Store) inspectServer(ctx context.Context, r *report) error {
	if s.dialect == SQLite {
		return s.inspectSQLite(ctx, r)
	}
	var rows []struct {
		Version  int    `gorm:"column:version"`
		Text     string `gorm:"column:text"`
		Readonly bool   `gorm:"column:readonly"`
		Role     string `gorm:"column:role"`
		Database string `gorm:"column:database"`
	}
	_, err := s.find(ctx, "inspect", &rows, `SELECT CAST(current_setting('server_version_num') AS integer) AS version,
		current_setting('server_version') AS text,
		pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on' AS readonly,
		CAST(current_user AS text) AS role, CAST(current_database() AS text) AS database`)
	if err != nil {
		return err
	}
	v := rows[0]
	switch {
	case v.Version < oldestPostgres*10000:
		r.fail("server", "PostgreSQL "+v.Text+" is too old", fmt.Sprintf("version %d or later is needed", oldestPostgres))
	case v.Readonly:
		r.fail("server", "it takes no writes: a replica, or set to read only", "point DATABASE_URL at the primary")
	default:
		r.ok("server", "PostgreSQL %s, database %s, role %s", v.Text, v.Database, v.Role)
	}
	return nil
}

// columns are the columns of the app's tables in this database, by table.
func (s *Store) columns(ctx context.Context) (map[string][]column, error) {
	query := `SELECT m.name AS tbl, i.name AS name, i.type AS typ, i."notnull" = 0 AND i.pk = 0 AS nullable,
			i.dflt_value IS NOT NULL AS has_default
		FROM sqlite_master m JOIN pragma_table_info(m.name) i WHERE m.type = 'table' ORDER BY m.name, i.cid`
	var args []any
	if s.dialect == Postgres {
		// An enum shows as its bare name, whatever the search_path.
		query = `SELECT CAST(c.relname AS text) AS tbl, CAST(a.attname AS text) AS name, NOT a.attnotnull AS nullable,
				CASE WHEN t.typtype = 'e' THEN CAST(t.typname AS text) ELSE format_type(a.atttypid, a.atttypmod) END AS typ,
				a.atthasdef OR a.attidentity <> '' AS has_default
			FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
			JOIN pg_type t ON t.oid = a.atttypid
			WHERE n.nspname = ? AND c.relkind IN ('r', 'p', 'v', 'f') AND a.attnum > 0 AND NOT a.attisdropped
			ORDER BY c.relname, a.attnum`
		args = []any{s.schema}
	}
	var rows []struct {
		Table      string `gorm:"column:tbl"`
		Name       string `gorm:"column:name"`
		Type       string `gorm:"column:typ"`
		Nullable   bool   `gorm:"column:nullable"`
		HasDefault bool   `gorm:"column:has_default"`
	}
	if _, err := s.find(ctx, "inspect", &rows, query, args...); err != nil {
		return nil, err
	}
	found, app := map[string][]column{}, appTables()
	for _, c := range rows {
		if slices.Contains(app, c.Table) {
			found[c.Table] = append(found[c.Table], column{
				table: c.Table, name: c.Name, typ: c.Type, nullable: c.Nullable, hasDefault: c.HasDefault,
			})
		}
	}
	return found, nil
}

// inspectEnums looks for the labels that the server writes. SQLite has checked text, of our own making.
func (s *Store) inspectEnums(ctx context.Context, r *report) error {
	if s.dialect == SQLite || r.empty {
		return nil
	}
	var rows []struct {
		Type  string `gorm:"column:typ"`
		Label string `gorm:"column:label"`
	}
	_, err := s.find(ctx, "inspect", &rows, `SELECT CAST(t.typname AS text) AS typ, CAST(e.enumlabel AS text) AS label
		FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid JOIN pg_namespace n ON n.oid = t.typnamespace
		WHERE n.nspname = ? ORDER BY t.typname, e.enumsortorder`, s.schema)
	if err != nil {
		return err
	}
	found := map[string][]string{}
	for _, row := range rows {
		found[row.Type] = append(found[row.Type], row.Label)
	}
	for _, name := range sortedKeys(neededLabels) {
		subject, have := "enum "+name, found[name]
		var missing, unknown []string
		for _, label := range neededLabels[name] {
			if !slices.Contains(have, label) {
				missing = append(missing, label)
			}
		}
		for _, label := range have {
			if name == "UserRole" && !slices.Contains(neededLabels[name], label) {
				unknown = append(unknown, label)
			}
		}
		switch {
		case len(have) == 0:
			r.fail(subject, "it is missing", adviceMigrateApp)
		case len(missing) > 0:
			r.fail(subject, "it lacks "+strings.Join(missing, ", "), adviceVersion)
		case len(unknown) > 0:
			r.warn(subject, "the server does not know "+strings.Join(unknown, ", ")+", and sends such users nothing by role",
				adviceVersion)
		default:
			r.ok(subject, "%d labels", len(have))
		}
	}
	return nil
}

// indexes are the indexes of a table of the app's.
func (s *Store) indexes(ctx context.Context, table string) ([]index, error) {
	query := `SELECT l.name AS name, 1 = 1 AS valid,
			(SELECT group_concat(name) FROM (SELECT name FROM pragma_index_info(l.name) ORDER BY seqno)) AS columns
		FROM pragma_index_list(?) l WHERE l.partial = 0`
	args := []any{table}
	if s.dialect == Postgres {
		query = `SELECT CAST(x.relname AS text) AS name, i.indisvalid AS valid,
				array_to_string(ARRAY(SELECT a.attname FROM unnest(i.indkey) WITH ORDINALITY AS k(n, o)
					JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n ORDER BY k.o), ',') AS columns
			FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
			JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname = ? AND c.relname = ? AND i.indpred IS NULL`
		args = []any{s.schema, table}
	}
	var rows []struct {
		Name    string `gorm:"column:name"`
		Valid   bool   `gorm:"column:valid"`
		Columns string `gorm:"column:columns"`
	}
	if _, err := s.find(ctx, "inspect", &rows, query, args...); err != nil {
		return nil, err
	}
	found := make([]index, len(rows))
	for i, row := range rows {
		found[i] = index{row.Name, row.Columns, row.Valid}
	}
	return found, nil
}

// ownVersionTable reports whether the own tables were ever made.
func (s *Store) ownVersionTable(ctx context.Context) (bool, error) {
	query := `SELECT 1 FROM sqlite_master WHERE name = 'realtime_own_version'`
	if s.dialect == Postgres {
		query = `SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname = 'realtime' AND c.relname = 'own_version'`
	}
	var one []int
	n, err := s.find(ctx, "inspect", &one, query)
	return n > 0, err
}

// roundTrip sends a time as a parameter and reads it back, with the session's zone.
func (s *Store) roundTrip(ctx context.Context, sent time.Time) (time.Time, string, error) {
	if s.dialect == SQLite {
		var rows []struct {
			Text string `gorm:"column:t"`
		}
		if _, err := s.find(ctx, "inspect", &rows, `SELECT CAST(? AS TEXT) AS t`, sent); err != nil {
			return time.Time{}, "", err
		}
		back, err := time.Parse(sqliteTime, rows[0].Text)
		return back, time.UTC.String(), err
	}
	var rows []struct {
		At   time.Time `gorm:"column:t"`
		Zone string    `gorm:"column:zone"`
	}
	_, err := s.find(ctx, "inspect", &rows,
		`SELECT CAST(? AS timestamp(3)) AS t, current_setting('timezone') AS zone`, sent)
	if err != nil {
		return time.Time{}, "", err
	}
	return rows[0].At, rows[0].Zone, nil
}

// databaseClock is the database's time now.
func (s *Store) databaseClock(ctx context.Context) (time.Time, error) {
	var rows []struct {
		At time.Time `gorm:"column:t"`
	}
	if _, err := s.find(ctx, "inspect", &rows, `SELECT clock_timestamp() AS t`); err != nil {
		return time.Time{}, err
	}
	return rows[0].At, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// inspectSQLite looks at the embedded database itself.
func (s *Store) inspectSQLite(ctx context.Context, r *report) error {
	var rows []struct {
		Version string `gorm:"column:version"`
		Check   string `gorm:"column:quick"`
		Keys    int    `gorm:"column:keys"`
	}
	_, err := s.find(ctx, "inspect", &rows, `SELECT sqlite_version() AS version,
		(SELECT quick_check FROM pragma_quick_check LIMIT 1) AS quick,
		(SELECT foreign_keys FROM pragma_foreign_keys) AS keys`)
	if err != nil {
		return err
	}
	if rows[0].Check != "ok" || rows[0].Keys != 1 {
		r.fail("server", "the SQLite file is damaged", "stop the server and restore the file from a backup")
		return nil
	}
	r.ok("server", "SQLite %s", rows[0].Version)
	return nil
}
