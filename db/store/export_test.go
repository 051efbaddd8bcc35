package store

import (
	"context"
	"encoding/json"
)

// DropCut is dropCut.
var DropCut = dropCut

// ExplainFind is PostgreSQL's plan of Find, with what it took.
func (r *Reminders) ExplainFind(ctx context.Context, windows []ReminderWindow, tenants []TenantMinutes) ([]string, error) {
	w, err := r.windows(windows)
	if err != nil {
		return nil, err
	}
	t, err := json.Marshal(tenantRows(tenants))
	if err != nil {
		return nil, err
	}
	var lines []string
	_, err = r.s.find(ctx, "explain", &lines, `EXPLAIN (ANALYZE, BUFFERS) `+r.findSQL(r.s.startIndexed(ctx)), w, string(t), 1000)
	return lines, err
}
