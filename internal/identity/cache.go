package identity

import (
	"context"
	"sync"
	"time"

	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/coalesce"
	"github.com/citaplanner/realtime/pkg/contract"
)

// cache remembers active accounts for a short time, and makes one query of the many that a user's reconnecting sockets
// would make, or a crowd's: what is asked while queries are under way shares the next (10,000 sign-ins at once: a fifth less
// CPU, make bench). What is not found, inactive or failed is not remembered: a user let in again must not wait.
type cache struct {
	load    func(ctx context.Context, ids []string) (map[string]store.Account, error)
	loads   coalesce.Group[string, answer]
	ttl     time.Duration
	size    int
	timeout time.Duration
	now     func() time.Time
	metrics *Metrics

	mu      sync.Mutex // guards what follows; never held during a query
	entries map[string]entry
	calls   map[string]*call // queries under way
	// asked numbers the questions to the database in the order in which they were asked: of two answers the one with
	// the higher number is not the older one.
	asked uint64
}

type entry struct {
	account store.Account
	since   time.Time
	asked   uint64
}

// answer is an account, and the number of the question that it answers.
type answer struct {
	account store.Account
	asked   uint64
}

// loadsAtOnce is how many queries for accounts are under way at most. One that hangs does not hold up everybody.
const loadsAtOnce = 4

// call is one question that any number of callers wait for. answer and err are set before done is closed.
type call struct {
	answer
	done  chan struct{}
	err   error
	stale bool // guarded by cache.mu: invalidated while under way, so its answer is not remembered
}

func newCache(load func(ctx context.Context, ids []string) (map[string]store.Account, error), o Options) *cache {
	c := &cache{
		load: load, ttl: o.CacheTTL, size: o.CacheSize, timeout: o.LoadTimeout, now: o.Now, metrics: o.Metrics,
		entries: map[string]entry{}, calls: map[string]*call{},
	}
	c.loads.Run, c.loads.AtOnce = c.query, loadsAtOnce
	return c
}

// get is the account of id, remembered or read. ctx ends the waiting of this caller alone: the query goes on for the
// others, within its own time limit. asked numbers the question that it answers.
func (c *cache) get(ctx context.Context, id string) (_ store.Account, asked uint64, _ error) {
	c.mu.Lock()
	if e, ok := c.entries[id]; ok && c.fresh(e) {
		c.mu.Unlock()
		c.metrics.lookups.WithLabelValues("hit").Inc()
		return e.account, e.asked, nil
	}
	under, shared := c.calls[id]
	if !shared {
		under = &call{done: make(chan struct{})}
		c.calls[id] = under
		go c.run(context.WithoutCancel(ctx), id, under)
	}
	c.mu.Unlock()
	result := "miss"
	if shared {
		result = "shared"
	}
	c.metrics.lookups.WithLabelValues(result).Inc()
	select {
	case <-under.done:
		return under.account, under.asked, under.err
	case <-ctx.Done():
		return store.Account{}, 0, ctx.Err()
	}
}

// fresh reports whether an entry still counts. One from the future does not: the clock was set back.
func (c *cache) fresh(e entry) bool {
	age := c.now().Sub(e.since)
	return age >= 0 && age < c.ttl
}

// run asks the question of a call and remembers the answer.
func (c *cache) run(ctx context.Context, id string, under *call) {
	under.answer, under.err = c.loads.Do(ctx, id)
	now := c.now()
	c.mu.Lock()
	if c.calls[id] == under {
		delete(c.calls, id)
	}
	if under.err == nil && under.account.Active && !under.stale && c.ttl > 0 {
		c.makeRoom(id)
		c.entries[id] = entry{account: under.account, since: now, asked: under.asked}
	}
	remembered := len(c.entries)
	c.mu.Unlock()
	c.metrics.cached.Set(float64(remembered))
	close(under.done)
}

// query asks for all of ids at once.
func (c *cache) query(ctx context.Context, ids []string) []coalesce.Result[answer] {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	asked := c.ask()
	accounts, err := c.load(ctx, ids)
	results := make([]coalesce.Result[answer], len(ids))
	for i, id := range ids {
		account, found := accounts[id]
		results[i] = coalesce.Result[answer]{Answer: answer{account, asked}, Err: err}
		if err == nil && !found {
			results[i].Err = contract.NewError(contract.CodeNotFound, "user not found")
		}
	}
	return results
}

// makeRoom forgets one entry where all places are taken, whichever Go's map gives first: the entries live for seconds,
// an order of use is not worth its lock. The caller holds mu.
func (c *cache) makeRoom(id string) {
	if _, there := c.entries[id]; there || len(c.entries) < c.size {
		return
	}
	for other := range c.entries {
		delete(c.entries, other)
		return
	}
}

// invalidate forgets id, and what is being read of it now: whoever asks from here on causes a new query.
func (c *cache) invalidate(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, id)
	if under, ok := c.calls[id]; ok {
		under.stale = true
		delete(c.calls, id)
	}
}

// ask numbers a question that is about to be asked.
func (c *cache) ask() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	return c.asked
}

// ids forgets what is too old and lists what is left.
func (c *cache) ids() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := make([]string, 0, len(c.entries))
	for id, e := range c.entries {
		if !c.fresh(e) {
			delete(c.entries, id)
			continue
		}
		ids = append(ids, id)
	}
	c.metrics.cached.Set(float64(len(ids)))
	return ids
}

// reconcile forgets those of ids whose account is another by now. Where what is remembered is the later answer of the
// two, forgetting it costs one query and no more.
func (c *cache) reconcile(ids []string, now map[string]store.Account) (dropped int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		e, ok := c.entries[id]
		if !ok {
			continue
		}
		if account, found := now[id]; !found || account != e.account {
			delete(c.entries, id)
			dropped++
		}
	}
	return dropped
}
