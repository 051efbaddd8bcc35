package returning

import (
	"context"
	"log/slog"
	"time"
)

// pruneBatch is how many rows one statement forgets, so that none runs for long or holds many locks.
const pruneBatch = 5000

// prune forgets users who have not been seen for longer than Keep: who comes back then counts as new. It leaves out a turn
// before which the clock has jumped: by a wrong clock nobody has been here for long.
func (s *Service) prune(ctx context.Context) {
	now := s.opts.Now()
	jumped := now.Sub(s.pruned).Abs() > 3*s.opts.PruneEvery
	s.pruned = now
	for !jumped && ctx.Err() == nil {
		n, err := s.st.LastSeen.Prune(ctx, now.Add(-s.opts.Keep), pruneBatch)
		if err != nil {
			if ctx.Err() == nil {
				s.opts.Logger.WarnContext(ctx, "users who have not been here for long could not be forgotten", slog.Any("error", err))
				s.opts.Metrics.errors.WithLabelValues("prune").Inc()
			}
			return
		}
		s.opts.Metrics.pruned.Add(float64(n))
		if n < pruneBatch {
			return
		}
	}
}

// defaultKeep is longer than a page may sleep and still come back signed in: a session of NextAuth ends after 30 days
// without use, unless the app says otherwise.
const defaultKeep = 60 * 24 * time.Hour
