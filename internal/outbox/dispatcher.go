package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

// Emitter tells an occurrence; internal/emits satisfies it. settle runs in the transaction of what is stored.
type Emitter interface {
	Emit(ctx context.Context, kind string, payload []byte, byTrigger bool,
		settle func(ctx context.Context, tx *store.Store) error) error
}

// DispatcherOptions of NewDispatcher; the zero value is usable.
type DispatcherOptions struct {
	// Node is this process's name among those that share the work; Canary gets the node's own canaries, nil drops them.
	Node   string
	Canary func(ctx context.Context, token []byte)

	Triggers *Triggers // kept current; nil: none

	Workers int           // occurrences told at once; 0 is 8
	Poll    time.Duration // how often to look without being woken; 0 is 3 s
	Lease   time.Duration // how long a taken occurrence is nobody else's; 0 is 10 s

	// Backoff is the wait after the first failure; it doubles up to MaxBackoff, with jitter. 0 is 1 s and 5 min.
	// MaxAttempts is after how many an occurrence becomes a dead letter; 0 is 20, which takes over an hour. What the
	// database or a tenant's pace holds up is no attempt's fault and is tried for as long as it takes.
	Backoff, MaxBackoff time.Duration
	MaxAttempts         int

	// Keep is how long what a trigger saw is remembered after it was told, for an endpoint that is called for the same
	// change (store.Occurrences.Absorb); 0 is 30 s. DeadAge is how long a dead letter is kept; 0 is 30 days.
	Keep, DeadAge time.Duration

	StaleAfter time.Duration // how long looking may fail before Ready says so; 0 is 15 s

	Now     func() time.Time
	Logger  *slog.Logger
	Metrics *DispatcherMetrics
}

// Dispatcher tells committed occurrences, those of one subject in the order of their commits. Several processes share the
// work. It is safe for use by many goroutines; Run runs once.
type Dispatcher struct {
	st   *store.Store
	out  Emitter
	opts DispatcherOptions

	wake      chan struct{}
	retrigger chan struct{} // look at the triggers again
	listening atomic.Bool
	alive     atomic.Int64 // when looking worked last, in nanoseconds since 1970
	sick      atomic.Bool

	slots   chan struct{} // one for each worker
	running sync.WaitGroup
}

// NewDispatcher returns a dispatcher; Run makes it work.
func NewDispatcher(st *store.Store, out Emitter, o DispatcherOptions) *Dispatcher {
	o.Workers = cmp.Or(o.Workers, 8)
	o.Poll = cmp.Or(o.Poll, 3*time.Second)
	o.Lease = cmp.Or(o.Lease, 10*time.Second)
	o.Backoff = cmp.Or(o.Backoff, time.Second)
	o.MaxBackoff = cmp.Or(o.MaxBackoff, 5*time.Minute)
	o.MaxAttempts = cmp.Or(o.MaxAttempts, 20)
	o.Keep = cmp.Or(o.Keep, 30*time.Second)
	o.DeadAge = cmp.Or(o.DeadAge, 30*24*time.Hour)
	o.StaleAfter = cmp.Or(o.StaleAfter, 15*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewDispatcherMetrics(nil)
	}
	d := &Dispatcher{st: st, out: out, opts: o, wake: make(chan struct{}, 1), retrigger: make(chan struct{}, 1),
		slots: make(chan struct{}, o.Workers)}
	d.alive.Store(o.Now().UnixNano())
	return d
}

// Wake makes the dispatcher look at once. Whoever writes an occurrence in this process calls it where there is no NOTIFY.
func (d *Dispatcher) Wake() { signal(d.wake) }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run tells what is there and what comes, until ctx ends; then it finishes what it has begun.
func (d *Dispatcher) Run(ctx context.Context) error {
	defer d.running.Wait()
	var listener sync.WaitGroup
	defer listener.Wait()
	listener.Go(func() { d.listen(ctx) })
	poll := time.NewTicker(d.opts.Poll)
	defer poll.Stop()
	signal(d.retrigger)
	for {
		d.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-d.wake:
		case <-d.retrigger:
			d.refreshTriggers(ctx)
		case <-poll.C:
			d.housekeep(ctx)
		}
	}
}

// listen keeps a connection that wakes us; where there can be none, looking every Poll has to do.
func (d *Dispatcher) listen(ctx context.Context) {
	log := d.opts.Logger
	state := func(listening bool) {
		d.listening.Store(listening)
		d.opts.Metrics.setListening(listening)
	}
	lost := true
	err := d.st.Listen(ctx, store.OutboxChannel, func(payload string) {
		if payload == "triggers" {
			signal(d.retrigger)
		}
		d.Wake()
	}, func(err error) {
		switch {
		case err == nil && lost:
			log.InfoContext(ctx, "listening for committed occurrences")
		case err != nil && !lost:
			d.opts.Metrics.lost.Inc()
			log.WarnContext(ctx, "the listening connection is lost: occurrences wait for the next look",
				slog.Duration("every", d.opts.Poll), slog.Any("error", err))
		}
		lost = err != nil
		state(err == nil) // last: who sees it finds it counted
	})
	state(false)
	if errors.Is(err, store.ErrNoListen) && d.st.Dialect() == store.Postgres {
		log.WarnContext(ctx, "DATABASE_URL goes through PgBouncer and DIRECT_URL is not set: occurrences wait for the next look",
			slog.Duration("every", d.opts.Poll))
	}
}

// look takes what is due and hands it to workers, until nothing is left.
func (d *Dispatcher) look(ctx context.Context) {
	for ctx.Err() == nil {
		free := d.reserve(ctx)
		if free == 0 {
			return
		}
		taken, err := d.st.Occurrences.Take(ctx, d.opts.Now(), d.opts.Lease, free, d.opts.Node)
		for range free - len(taken) {
			<-d.slots
		}
		d.worked(ctx, err)
		for _, row := range taken {
			d.running.Go(func() {
				defer func() { <-d.slots }()
				d.chain(ctx, row)
			})
		}
		if len(taken) == 0 {
			return
		}
	}
}

// maxChain is how many occurrences of one subject a worker tells before others have their turn.
const maxChain = 100

// chain tells an occurrence, and those that follow it about the same subject. A stop finishes the one under way.
func (d *Dispatcher) chain(ctx context.Context, row store.Occurrence) {
	for told := 1; ; told++ {
		d.tell(context.WithoutCancel(ctx), row)
		switch {
		case row.Source == store.FromCanary || ctx.Err() != nil:
			return
		case told == maxChain:
			d.Wake()
			return
		}
		next, err := d.st.Occurrences.TakeNext(ctx, d.opts.Now(), d.opts.Lease, row.Subject)
		if err != nil || len(next) == 0 {
			return // the next look finds what there is
		}
		row = next[0]
	}
}

// reserve waits for a free worker and takes all that are free.
func (d *Dispatcher) reserve(ctx context.Context) (n int) {
	select {
	case d.slots <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	for n = 1; ; n++ {
		select {
		case d.slots <- struct{}{}:
		default:
			return n
		}
	}
}

// worked notes whether looking works.
func (d *Dispatcher) worked(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		d.alive.Store(d.opts.Now().UnixNano())
	} else {
		d.opts.Metrics.errors.Inc()
	}
	if was := d.sick.Swap(err != nil); err != nil && !was {
		d.opts.Logger.ErrorContext(ctx, "occurrences cannot be read, trying again", slog.Any("error", err))
	} else if err == nil && was {
		d.opts.Logger.InfoContext(ctx, "occurrences can be read again")
	}
}

// housekeep forgets what is kept no longer, and keeps the gauges.
func (d *Dispatcher) housekeep(ctx context.Context) {
	now := d.opts.Now()
	err := d.st.Occurrences.Expire(ctx, now, now.Add(-d.opts.DeadAge))
	if err == nil {
		var b store.OccurrenceBacklog
		if b, err = d.st.Occurrences.Backlog(ctx); err == nil {
			d.opts.Metrics.setBacklog(b, now)
		}
	}
	if err == nil {
		d.refreshTriggers(ctx)
		return
	}
	d.worked(ctx, err)
}

// refreshTriggers finds out whether triggers write occurrences.
func (d *Dispatcher) refreshTriggers(ctx context.Context) {
	if d.opts.Triggers != nil {
		d.opts.Triggers.Refresh(ctx)
	}
}

// errTaken means that the occurrence is another's by now: told by an endpoint, or taken after our lease. Nothing was stored.
var errTaken = errors.New("the occurrence is told by another")

// tell makes one occurrence's emit and says what became of it.
func (d *Dispatcher) tell(ctx context.Context, row store.Occurrence) {
	if row.Source == store.FromCanary {
		d.canary(ctx, row)
		return
	}
	log := d.opts.Logger.With(slog.Int64("occurrence", row.ID), slog.String("kind", row.Kind), slog.Int("attempt", row.Attempts))
	start := d.opts.Now()
	err := d.emit(ctx, row)
	result := "told"
	switch {
	case err == nil:
		err = d.st.Occurrences.Finish(ctx, row, d.opts.Now().Add(d.opts.Keep))
		if err != nil { // what follows it waits until Settle's time is over
			log.WarnContext(ctx, "an occurrence is told, and not yet marked so", slog.Any("error", err))
		}
	case errors.Is(err, errTaken):
		result = "taken"
	default:
		result = d.failed(ctx, log, row, err)
	}
	d.opts.Metrics.told(row, result, d.opts.Now().Sub(start))
}

// emit emits; a panic is an error, as one occurrence must not end the process, start after start.
func (d *Dispatcher) emit(ctx context.Context, row store.Occurrence) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errPanic, r)
		}
	}()
	return d.out.Emit(ctx, row.Kind, row.Payload, row.Source == store.FromTrigger, func(ctx context.Context, tx *store.Store) error {
		mine, err := tx.Occurrences.Settle(ctx, row, d.opts.Now().Add(d.opts.Lease))
		if err == nil && !mine {
			err = errTaken
		}
		return err
	})
}

// failed decides what becomes of an occurrence that could not be told.
func (d *Dispatcher) failed(ctx context.Context, log *slog.Logger, row store.Occurrence, why error) (result string) {
	now, code := d.opts.Now(), contract.CodeOf(why)
	switch code {
	case contract.CodeNotFound:
		if gone, err := d.moot(ctx, row); err == nil && gone {
			d.say(ctx, log, "an occurrence has nobody left to be told to", d.st.Occurrences.Drop(ctx, row))
			return "moot"
		}
		fallthrough
	case contract.CodeInvalid, contract.CodeForbidden, contract.CodeTooLarge, contract.CodeKeyReused:
		return d.bury(ctx, log, row, why)
	case contract.CodeUnavailable, contract.CodeRateLimited:
	default:
		if row.Attempts >= d.opts.MaxAttempts {
			return d.bury(ctx, log, row, why)
		}
	}
	wait := max(d.backoff(row.Attempts), contract.AsError(why).RetryAfter)
	log.WarnContext(ctx, "an occurrence could not be told and is tried again", slog.Duration("in", wait), slog.Any("error", why))
	d.say(ctx, log, "", d.st.Occurrences.Postpone(ctx, row, now.Add(wait), reason(why)))
	return "failed"
}

func (d *Dispatcher) bury(ctx context.Context, log *slog.Logger, row store.Occurrence, why error) string {
	log.ErrorContext(ctx, "an occurrence cannot be told: see realtime outbox", slog.Any("error", why))
	d.say(ctx, log, "", d.st.Occurrences.Bury(ctx, row, d.opts.Now(), reason(why)))
	return "dead"
}

// say logs what was done, or that it could not be: then the lease ends it.
func (d *Dispatcher) say(ctx context.Context, log *slog.Logger, done string, err error) {
	switch {
	case err != nil:
		log.WarnContext(ctx, "what became of an occurrence could not be written", slog.Any("error", err))
	case done != "":
		log.InfoContext(ctx, done)
	}
}

// moot reports whether an occurrence that is about nothing (any more) concerns nobody: its appointment's deletion is told
// next, or its tenant is gone.
func (d *Dispatcher) moot(ctx context.Context, row store.Occurrence) (bool, error) {
	if later, err := d.st.Occurrences.Superseded(ctx, row); err != nil || later {
		return later, err
	}
	if row.TenantID == "" || row.Source != store.FromTrigger { // a route that names a wrong tenant has to hear of it
		return false, nil
	}
	there, err := d.st.Tenants.Exists(ctx, row.TenantID)
	return !there, err
}

// reason is what an operator reads: the sentence that is meant to be shown, the error itself where there is none.
func reason(err error) string {
	if e := contract.AsError(err); e.Code != contract.CodeInternal {
		return string(e.Code) + ": " + e.Message
	}
	return err.Error()
}

// backoff is the wait after the attempt given: doubled each time, and a fifth more or less, so that what failed together
// does not come back together.
func (d *Dispatcher) backoff(attempt int) time.Duration {
	wait := d.opts.Backoff << min(max(attempt-1, 0), 20)
	if wait <= 0 || wait > d.opts.MaxBackoff {
		wait = d.opts.MaxBackoff
	}
	return wait - wait/5 + rand.N(2*wait/5+1) //nolint:gosec // jitter
}

func (d *Dispatcher) canary(ctx context.Context, row store.Occurrence) {
	err := d.st.Occurrences.Drop(ctx, row)
	if err == nil && d.opts.Canary != nil {
		d.opts.Canary(ctx, row.Payload)
	}
}

// Ready fails when looking for occurrences has not worked for StaleAfter.
func (d *Dispatcher) Ready(context.Context) error {
	if age := d.opts.Now().UnixNano() - d.alive.Load(); age > int64(d.opts.StaleAfter) {
		return contract.NewError(contract.CodeUnavailable, "occurrences cannot be read")
	}
	return nil
}

// Note says, for /readyz, how the dispatcher hears of new occurrences.
func (d *Dispatcher) Note() string {
	if d.listening.Load() {
		return "listening"
	}
	return fmt.Sprintf("not listening, looking every %s", d.opts.Poll)
}
