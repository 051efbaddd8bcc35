package reminders

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

// Reminder sends one reminder; internal/notify satisfies it.
type Reminder interface {
	// Remind claims, stores and sends a reminder. It is false, without an error, when somebody else has, or the
	// appointment has changed. What a crash leaves over is not delivered after until.
	Remind(ctx context.Context, r store.Reminder, until time.Time) (sent bool, err error)
}

// Options of New; the zero value is usable.
type Options struct {
	// Every is how often Run looks; 0 is 10 s. Negative: it only prunes, and an external cron calls Pass.
	Every time.Duration

	// Tolerance is how late a reminder may still be sent, and how long ahead of its time it is armed; 0 is 15 min. A
	// tenant may ask for less (see parseTimes).
	Tolerance time.Duration

	Batch   int // reminders found by one query; 0 is 2,000
	Workers int // reminders sent at once; 0 is 4

	// StaleAfter is how long passes may fail before Ready says so; 0 is 2 min.
	StaleAfter time.Duration

	// PruneEvery is how often rows of appointments that were to start before Keep ago are deleted; 0 is 1 h and 7 days.
	// Keep is also how far a clock may be set back without reminding twice.
	PruneEvery, Keep time.Duration

	Now     func() time.Time // nil is time.Now
	Logger  *slog.Logger     // nil discards
	Metrics *Metrics         // nil counts, unregistered
}

// Service is safe for use by many goroutines; Run runs once.
type Service struct {
	st   *store.Store
	out  Reminder
	opts Options

	pass   chan struct{} // holds one pass at a time
	looked time.Time     // when the last pass that succeeded looked; held with pass

	alive atomic.Int64 // when a pass succeeded last, in nanoseconds since 1970
	sick  atomic.Bool  // whether the last pass failed

	pruning struct {
		sync.Mutex
		last time.Time
	}
}

// New returns a service; Run makes it work, or whoever calls Pass.
func New(st *store.Store, out Reminder, o Options) *Service {
	o.Every = cmp.Or(o.Every, 10*time.Second)
	o.Tolerance = cmp.Or(o.Tolerance, 15*time.Minute)
	o.Batch = cmp.Or(o.Batch, 2000)
	o.Workers = cmp.Or(o.Workers, 4)
	o.StaleAfter = cmp.Or(o.StaleAfter, 2*time.Minute)
	o.PruneEvery = cmp.Or(o.PruneEvery, time.Hour)
	o.Keep = cmp.Or(o.Keep, 7*24*time.Hour)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	s := &Service{st: st, out: out, opts: o, pass: make(chan struct{}, 1)}
	s.pruning.last = o.Now()
	s.alive.Store(o.Now().UnixNano()) // a start is not unready
	return s
}

// Run passes at once and then every Every, and prunes, until ctx ends. Errors are logged and tried again.
func (s *Service) Run(ctx context.Context) error {
	var looks <-chan time.Time // never
	if s.opts.Every > 0 {
		ticker := time.NewTicker(s.opts.Every)
		defer ticker.Stop()
		looks = ticker.C
		s.look(ctx)
	}
	prune := time.NewTicker(s.opts.PruneEvery)
	defer prune.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-looks:
			s.look(ctx)
		case <-prune.C:
			s.prune(ctx)
		}
	}
}

// look is a pass of Run: an error is logged when it is news.
func (s *Service) look(ctx context.Context) {
	_, err := s.Pass(ctx)
	if ctx.Err() != nil {
		return
	}
	if was := s.sick.Swap(err != nil); err != nil && !was {
		s.opts.Logger.ErrorContext(ctx, "reminders cannot be seen to, trying again", slog.Any("error", err))
	} else if err == nil && was {
		s.opts.Logger.InfoContext(ctx, "reminders can be seen to again")
	}
}

// Ready fails when no pass has succeeded for StaleAfter, where Run passes.
func (s *Service) Ready(context.Context) error {
	if age := s.opts.Now().UnixNano() - s.alive.Load(); age > int64(s.opts.StaleAfter) {
		return contract.NewError(contract.CodeUnavailable, "reminders cannot be seen to")
	}
	return nil
}

// pruneBatch is how many rows one statement forgets, so that none runs for long or holds many locks.
const pruneBatch = 5000

// prune forgets reminders of appointments that are long past. It leaves out a turn before which the clock has jumped
// ahead: by a wrong clock everything is past, and what is forgotten would be sent again when the clock is right.
func (s *Service) prune(ctx context.Context) {
	s.pruning.Lock()
	defer s.pruning.Unlock()
	now := s.opts.Now()
	jumped := now.Sub(s.pruning.last).Abs() > 3*s.opts.PruneEvery
	s.pruning.last = now
	if jumped {
		return
	}
	for ctx.Err() == nil {
		n, err := s.st.Reminders.Prune(ctx, now.Add(-s.opts.Keep), pruneBatch)
		if err != nil {
			if ctx.Err() == nil {
				s.opts.Logger.WarnContext(ctx, "old reminders could not be deleted", slog.Any("error", err))
			}
			return
		}
		s.opts.Metrics.pruned.Add(float64(n))
		if n < pruneBatch {
			return
		}
	}
}
