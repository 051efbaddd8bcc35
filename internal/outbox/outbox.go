package outbox

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

// Reader yields, in order, the events of one delivery that a socket of that user and role would have got, each with the id
// of the notification's row that it tells of, "" where it tells of none.
type Reader = func(userID string, role contract.Role, yield func(name string, payload json.RawMessage, rowID string))

// Deliverer knows what is in a delivery's body; internal/notify satisfies it.
type Deliverer interface {
	// Deliver sends the body's events to whoever is connected, and returns for how many sockets. An error means that
	// trying again may help, but for CodeInvalid: such a body will never be read.
	Deliver(ctx context.Context, body []byte) (sockets int, err error)

	// Events reads a body for sockets that join later.
	Events(body []byte) (Reader, error)
}

// Options of New; the zero value is usable.
type Options struct {
	Every time.Duration // how often to look for what is due; 0 is 2 s
	Lease time.Duration // how long a taken delivery is nobody else's; 0 is 30 s
	Batch int           // deliveries taken at once; 0 is 100

	// MaxAttempts is after how many takes a delivery is dropped; 0 is 10. MaxAge is how old it may be: what is older
	// is no news any more (its rows are in the inbox); 0 is 24 h.
	MaxAttempts int
	MaxAge      time.Duration

	// Keep is how long a taken delivery waits for sockets that join later; 0 is 30 s (a client's five tries take 17),
	// negative keeps nothing. KeepCount and KeepBytes bound what is kept, the oldest goes first; 0 is 1,000 and 8 MiB.
	Keep                 time.Duration
	KeepCount, KeepBytes int

	// StaleAfter is how long looking for deliveries may fail before Ready says so; 0 is 15 s.
	StaleAfter time.Duration

	// PruneEvery is how often old rows are forgotten; 0 is 1 h. Claims are kept for ClaimAge (0 is 1 h; more than the
	// de-duplication window), idempotency keys for KeyAge (0 is 24 h, contract/http.md).
	PruneEvery, ClaimAge, KeyAge time.Duration

	Now     func() time.Time // nil is time.Now
	Logger  *slog.Logger     // nil discards
	Metrics *Metrics         // nil counts, unregistered
}

// Outbox is safe for use by many goroutines; Run runs once.
type Outbox struct {
	st    *store.Store
	out   Deliverer
	opts  Options
	kept  *window
	alive atomic.Int64 // when looking for deliveries worked last, in nanoseconds since 1970
	sick  atomic.Bool  // whether the last look failed

	lookTime time.Duration
}

// New returns an outbox; Run makes it work.
func New(st *store.Store, d Deliverer, o Options) *Outbox {
	o.Every = cmp.Or(o.Every, 2*time.Second)
	o.Lease = cmp.Or(o.Lease, 30*time.Second)
	o.Batch = cmp.Or(o.Batch, 100)
	o.MaxAttempts = cmp.Or(o.MaxAttempts, 10)
	o.MaxAge = cmp.Or(o.MaxAge, 24*time.Hour)
	o.Keep = cmp.Or(o.Keep, 30*time.Second)
	o.KeepCount = cmp.Or(o.KeepCount, 1000)
	o.KeepBytes = cmp.Or(o.KeepBytes, 8<<20)
	o.StaleAfter = cmp.Or(o.StaleAfter, 15*time.Second)
	o.PruneEvery = cmp.Or(o.PruneEvery, time.Hour)
	o.ClaimAge = cmp.Or(o.ClaimAge, time.Hour)
	o.KeyAge = cmp.Or(o.KeyAge, 24*time.Hour)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	b := &Outbox{st: st, out: d, opts: o, kept: newWindow(o), lookTime: lookTime}
	b.alive.Store(o.Now().UnixNano()) // a start is not unready
	return b
}

// Run looks for deliveries at once and then every Every, and prunes, until ctx ends. Errors are logged and tried again.
func (b *Outbox) Run(ctx context.Context) error {
	look := time.NewTicker(b.opts.Every)
	defer look.Stop()
	prune := time.NewTicker(b.opts.PruneEvery)
	defer prune.Stop()
	b.look(ctx)
	b.prune(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
			b.look(ctx)
		case <-prune.C:
			b.prune(ctx)
		}
	}
}

// Ready fails when looking for deliveries has not worked for StaleAfter.
func (b *Outbox) Ready(context.Context) error {
	if age := b.opts.Now().UnixNano() - b.alive.Load(); age > int64(b.opts.StaleAfter) {
		return contract.NewError(contract.CodeUnavailable, "deliveries cannot be read")
	}
	return nil
}

// look makes good what is due, and keeps the gauges.
func (b *Outbox) look(ctx context.Context) {
	err := b.recoverDue(ctx)
	b.kept.expire(b.opts.Now())
	if err == nil {
		var count int64
		if count, _, err = b.st.Outbox.Backlog(ctx); err == nil {
			b.opts.Metrics.backlog.Set(float64(count))
		}
	}
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		b.alive.Store(b.opts.Now().UnixNano())
	} else {
		b.opts.Metrics.errors.Inc()
	}
	if was := b.sick.Swap(err != nil); err != nil && !was {
		b.opts.Logger.ErrorContext(ctx, "deliveries cannot be read, trying again", slog.Any("error", err))
	} else if err == nil && was {
		b.opts.Logger.InfoContext(ctx, "deliveries can be read again")
	}
}

// recoverDue takes everything that is due, a batch at a time.
func (b *Outbox) recoverDue(ctx context.Context) error {
	for {
		taken, err := b.st.Outbox.TakeDue(ctx, b.opts.Now(), b.opts.Lease, b.opts.Batch)
		if err != nil {
			return err
		}
		var done []string
		for _, d := range taken {
			if ctx.Err() != nil {
				break // what is not delivered comes again after its lease
			}
			if b.makeGood(ctx, d) {
				done = append(done, d.ID)
			}
		}
		// What was sent must not be sent again because we are stopping.
		if err := b.finish(context.WithoutCancel(ctx), done); err != nil {
			return err
		}
		if len(taken) < b.opts.Batch || ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (b *Outbox) finish(ctx context.Context, done []string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return b.st.Outbox.Done(ctx, done...)
}

// makeGood delivers one delivery and reports whether its row may go.
func (b *Outbox) makeGood(ctx context.Context, d store.Delivery) (done bool) {
	log := b.opts.Logger.With(slog.String("delivery", d.ID), slog.Int("attempt", d.Attempts))
	if age := b.opts.Now().Sub(d.CreatedAt); age > b.opts.MaxAge {
		b.opts.Metrics.recovered.WithLabelValues("expired").Inc()
		log.WarnContext(ctx, "a delivery is too old to be news and is dropped", slog.Duration("age", age))
		return true
	}
	err := b.deliver(ctx, d)
	switch {
	case err == nil:
		b.opts.Metrics.recovered.WithLabelValues("delivered").Inc()
		return true
	case contract.CodeOf(err) == contract.CodeInvalid || d.Attempts >= b.opts.MaxAttempts:
		b.opts.Metrics.recovered.WithLabelValues("dropped").Inc()
		log.ErrorContext(ctx, "a delivery cannot be made and is dropped", slog.Any("error", err))
		return true
	}
	b.opts.Metrics.recovered.WithLabelValues("failed").Inc()
	log.WarnContext(ctx, "a delivery failed and is tried again", slog.Any("error", err))
	return false
}

// errPanic is a Deliverer that panicked: one delivery must not end the process, start after start.
var errPanic = errors.New("panic")

// deliver keeps the delivery for sockets that join from now on, then sends it to those that are there: a socket that
// joins in between gets it twice, and none gets it never.
func (b *Outbox) deliver(ctx context.Context, d store.Delivery) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errPanic, r)
		}
	}()
	events, err := b.out.Events(d.Body)
	if err != nil {
		return err
	}
	b.kept.add(d.ID, d.TenantID, len(d.Body), events, b.opts.Now())
	_, err = b.out.Deliver(ctx, d.Body)
	return err
}
