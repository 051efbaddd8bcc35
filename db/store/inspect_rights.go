package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// adviceForOwn is what to do where the own tables are missing: it depends on whether we may make their schema.
func (s *Store) adviceForOwn(ctx context.Context) string {
	if s.dialect == SQLite {
		return adviceMigrateOwn
	}
	var rows []struct {
		May  bool   `gorm:"column:may"`
		Role string `gorm:"column:role"`
	}
	_, err := s.find(ctx, "inspect", &rows, `SELECT CAST(current_user AS text) AS role,
		coalesce((SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = 'realtime'),
			has_database_privilege(current_database(), 'CREATE')) AS may`)
	if err != nil || len(rows) == 0 || rows[0].May {
		return adviceMigrateOwn
	}
	return fmt.Sprintf(`as the owner of the database run: CREATE SCHEMA IF NOT EXISTS realtime AUTHORIZATION "%s"; `+
		`then %s`, rows[0].Role, adviceMigrateOwn)
}

// inspectRights looks at what the role may do with the tables that are there.
func (s *Store) inspectRights(ctx context.Context, r *report) error {
	if s.dialect == SQLite {
		return nil
	}
	var rows []struct {
		Schema string `gorm:"column:nsp"`
		Table  string `gorm:"column:tbl"`
		Rights string `gorm:"column:rights"`
		Usage  bool   `gorm:"column:usage"`
		Hidden bool   `gorm:"column:hidden"`
		Role   string `gorm:"column:role"`
	}
	_, err := s.find(ctx, "inspect", &rows, `SELECT CAST(n.nspname AS text) AS nsp, CAST(c.relname AS text) AS tbl,
			CAST(current_user AS text) AS role, has_schema_privilege(n.oid, 'USAGE') AS usage,
			row_security_active(c.oid) AS hidden,
			concat_ws(',', CASE WHEN has_table_privilege(c.oid, 'SELECT') THEN 'SELECT' END,
				CASE WHEN has_table_privilege(c.oid, 'INSERT') THEN 'INSERT' END,
				CASE WHEN has_table_privilege(c.oid, 'UPDATE') THEN 'UPDATE' END,
				CASE WHEN has_table_privilege(c.oid, 'DELETE') THEN 'DELETE' END) AS rights
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname IN (?, 'realtime') AND c.relkind IN ('r', 'p', 'v', 'f') ORDER BY 1, 2`, s.schema)
	if err != nil {
		return err
	}
	good := 0
	for _, row := range rows {
		needed := neededRights[row.Table]
		if row.Schema == "realtime" && !strings.HasSuffix(row.Table, "_version") {
			needed = ownRights
		}
		if len(needed) == 0 {
			continue
		}
		have := strings.Split(row.Rights, ",")
		missing := slices.DeleteFunc(slices.Clone(needed), func(n string) bool { return slices.Contains(have, n) })
		subject := "rights on " + row.Schema + "." + row.Table
		grant := fmt.Sprintf(`as the owner of the table run: GRANT USAGE ON SCHEMA "%s" TO "%s"; `+
			`GRANT %s ON "%s"."%s" TO "%s";`,
			row.Schema, row.Role, strings.Join(needed, ", "), row.Schema, row.Table, row.Role)
		switch {
		case !row.Usage:
			r.fail(subject, "the role may not use the schema", grant)
		case len(missing) > 0:
			r.fail(subject, "the role lacks "+strings.Join(missing, ", "), grant)
		case row.Hidden:
			r.warn(subject, "row-level security hides rows from the role",
				fmt.Sprintf(`ALTER ROLE "%s" BYPASSRLS, or a policy that lets it see all tenants`, row.Role))
		default:
			good++
		}
	}
	if good > 0 {
		r.ok("rights", "enough on %d tables", good)
	}
	return nil
}
