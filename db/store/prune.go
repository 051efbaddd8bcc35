package store

import (
	"context"
	"fmt"
	"time"
)

// Prune forgets at most limit claims older than before, and returns how many: a prune of millions of rows is many
// short statements.
func (r *Recent) Prune(ctx context.Context, before time.Time, limit int) (int64, error) {
	return r.s.prune(ctx, "recent.prune", "realtime.recent", "claimed_at", before, limit)
}

// Prune forgets at most limit keys that began before the time given, and returns how many.
func (i *Idempotency) Prune(ctx context.Context, before time.Time, limit int) (int64, error) {
	return i.s.prune(ctx, "idempotency.prune", "realtime.idempotency_keys", "created_at", before, limit)
}

// Prune forgets at most limit users who were seen last before the time given, and returns how many. It reads the whole table,
// one short row a user: an index on seen_at would cost each beat of each user more than that once an hour. Rows that somebody
// is writing are left to the next turn, so that no two wait for each other.
func (l *LastSeen) Prune(ctx context.Context, before time.Time, limit int) (int64, error) {
	table, lock := l.s.t("realtime.last_seen"), ""
	if l.s.dialect == Postgres {
		lock = ` FOR UPDATE SKIP LOCKED`
	}
	n, err := l.s.exec(ctx, "last_seen.prune", `DELETE FROM `+table+` WHERE (user_id, tenant_id) IN (
		SELECT user_id, tenant_id FROM `+table+` WHERE seen_at < ? LIMIT ?`+lock+`)`, UTC(before), limit)
	if err != nil {
		return 0, fmt.Errorf("last_seen.prune: %w", err)
	}
	return n, nil
}

func (s *Store) prune(ctx context.Context, operation, table, column string, before time.Time, limit int) (int64, error) {
	name := s.t(table)
	n, err := s.exec(ctx, operation, `DELETE FROM `+name+` WHERE key IN (SELECT key FROM `+name+` WHERE `+column+
		` < ? ORDER BY `+column+` LIMIT ?)`, UTC(before), limit)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", operation, err)
	}
	return n, nil
}
