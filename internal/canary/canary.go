package canary

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/citaplanner/realtime/pkg/contract"
)

// Leg is one part of the way.
type Leg struct {
	Name string // for /readyz and the metric's label: outbox, hub, redis

	// Run sends the token and returns when it has arrived. It must end with ctx; one that does not is waited for by itself,
	// and not run again meanwhile.
	Run func(ctx context.Context, token string) error
}

// Options of New; the zero value is usable.
type Options struct {
	// MaxAge is how old the last whole lap may be before Ready fails; 0 is 10 s. A lap is run five times in it.
	MaxAge time.Duration

	Now     func() time.Time
	Logger  *slog.Logger
	Metrics *Metrics
}

// Canary is safe for use by many goroutines; Run runs once.
type Canary struct {
	legs []*leg
	opts Options
	laps atomic.Int64 // when the last whole lap began, in nanoseconds since 1970
	next int64

	mu      sync.Mutex
	waiting map[string]chan struct{} // tokens on their way, for Arrived
}

// leg is a Leg and when it worked last.
type leg struct {
	Leg
	worked atomic.Int64
	busy   chan struct{} // full while it runs
}

// New returns a canary that goes nowhere yet: Add says where.
func New(o Options) *Canary {
	if o.MaxAge <= 0 {
		o.MaxAge = 10 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	c := &Canary{opts: o, waiting: map[string]chan struct{}{}}
	c.laps.Store(o.Now().UnixNano()) // a start is not unready
	return c
}

// Add adds the next leg of the way; all are added before Run.
func (c *Canary) Add(l Leg) {
	one := &leg{Leg: l, busy: make(chan struct{}, 1)}
	one.worked.Store(c.opts.Now().UnixNano())
	c.legs = append(c.legs, one)
}

// Run runs lap after lap until ctx ends.
func (c *Canary) Run(ctx context.Context) error {
	tick := time.NewTicker(c.opts.MaxAge / 5)
	defer tick.Stop()
	for {
		c.Lap(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Lap sends one canary the whole way, leg after leg, and returns when it has arrived, is lost, or half of MaxAge is over.
func (c *Canary) Lap(ctx context.Context) {
	defer c.observe()
	ctx, cancel := context.WithTimeout(ctx, c.opts.MaxAge/2)
	defer cancel()
	began := c.opts.Now()
	c.next++
	token := strconv.FormatInt(began.UnixNano(), 36) + "-" + strconv.FormatInt(c.next, 36)
	for _, l := range c.legs {
		if !c.run(ctx, l, token) {
			return
		}
	}
	c.laps.Store(began.UnixNano())
}

// run runs one leg, unless it hangs since an earlier lap, and reports whether the token arrived.
func (c *Canary) run(ctx context.Context, l *leg, token string) bool {
	select {
	case l.busy <- struct{}{}:
	default:
		return false
	}
	start, ended := time.Now(), make(chan error, 1)
	go func() {
		err := safely(ctx, l.Run, token)
		<-l.busy
		ended <- err
	}()
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		select {
		case err = <-ended:
		case <-time.After(patience):
			err = ctx.Err()
		}
	}
	if err != nil {
		c.opts.Logger.DebugContext(ctx, "a canary did not arrive", slog.String("leg", l.Name), slog.Any("error", err))
		return false
	}
	l.worked.Store(c.opts.Now().UnixNano())
	c.opts.Metrics.lap.WithLabelValues(l.Name).Observe(time.Since(start).Seconds())
	return true
}

// patience is how long a leg may take to notice that its time is over.
const patience = 10 * time.Millisecond

func safely(ctx context.Context, run func(context.Context, string) error, token string) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return run(ctx, token)
}

func (c *Canary) observe() {
	c.opts.Metrics.age.WithLabelValues("all").Set(c.Age().Seconds())
	for _, l := range c.legs {
		c.opts.Metrics.age.WithLabelValues(l.Name).Set(c.since(l.worked.Load()).Seconds())
	}
}

func (c *Canary) since(ns int64) time.Duration {
	return max(0, time.Duration(c.opts.Now().UnixNano()-ns))
}

// Age is how long ago the last canary began that made the whole way.
func (c *Canary) Age() time.Duration { return c.since(c.laps.Load()) }

// Ready fails when nothing has come through a leg for MaxAge, and names the first such leg.
func (c *Canary) Ready(context.Context) error {
	c.observe()
	for _, l := range c.legs {
		if age := c.since(l.worked.Load()); age > c.opts.MaxAge {
			return contract.NewError(contract.CodeUnavailable,
				fmt.Sprintf("no event has come through %s for %d s", l.Name, int(age/time.Second)))
		}
	}
	return nil
}

// Leg is a leg whose end is told by Arrived: send hands the token to somebody else.
func (c *Canary) Leg(name string, send func(ctx context.Context, token string) error) Leg {
	return Leg{name, func(ctx context.Context, token string) error {
		arrived := make(chan struct{})
		c.mu.Lock()
		c.waiting[token] = arrived
		c.mu.Unlock()
		defer func() {
			c.mu.Lock()
			delete(c.waiting, token)
			c.mu.Unlock()
		}()
		if err := send(ctx, token); err != nil {
			return err
		}
		select {
		case <-arrived:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
}

// Arrived ends a Leg: payload is the token as JSON. A token that nobody waits for is an old one.
func (c *Canary) Arrived(_ context.Context, payload []byte) {
	var token string
	if json.Unmarshal(payload, &token) != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if arrived, ok := c.waiting[token]; ok {
		delete(c.waiting, token)
		close(arrived)
	}
}
