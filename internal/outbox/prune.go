package outbox

import (
	"context"
	"log/slog"
	"time"
)

// pruneBatch is how many rows one statement forgets, so that none runs for long or holds many locks.
const pruneBatch = 5000

// prune forgets claims and idempotency keys that are older than anybody needs.
func (b *Outbox) prune(ctx context.Context) {
	now := b.opts.Now()
	for _, table := range []struct {
		name   string
		before time.Time
		some   func(ctx context.Context, before time.Time, limit int) (int64, error)
	}{
		{"claims", now.Add(-b.opts.ClaimAge), b.st.Recent.Prune},
		{"keys", now.Add(-b.opts.KeyAge), b.st.Idempotency.Prune},
	} {
		for ctx.Err() == nil {
			n, err := table.some(ctx, table.before, pruneBatch)
			if err != nil {
				if ctx.Err() == nil {
					b.opts.Logger.WarnContext(ctx, "old rows could not be deleted", slog.String("of", table.name),
						slog.Any("error", err))
				}
				break
			}
			b.opts.Metrics.pruned.WithLabelValues(table.name).Add(float64(n))
			if n < pruneBatch {
				break
			}
		}
	}
}
