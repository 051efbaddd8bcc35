package notify

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/coalesce"
	"github.com/citaplanner/realtime/pkg/contract"
)

// Broadcaster sends an event to sockets and returns for how many it was queued. The hub satisfies it. It must not wait
// for a socket. Payloads are json.RawMessage. An error means that trying again may help.
type Broadcaster interface {
	// ToUser reaches the sockets of that user which signed in under that tenant, and no other.
	ToUser(ctx context.Context, tenantID, userID, event string, payload any) (int, error)
	ToTenant(ctx context.Context, tenantID, event string, payload any) (int, error)
	ToRole(ctx context.Context, tenantID string, role contract.Role, event string, payload any) (int, error)
}

// Options of New; the zero value is usable.
type Options struct {
	// DedupWindow is how long the same notification for the same user about the same appointment counts as a repeat.
	// 0 is 5 s, negative is never.
	DedupWindow time.Duration

	// DeliveryLease is how long this process has for sending what it committed before the outbox takes the delivery
	// for left over. 0 is 5 s.
	DeliveryLease time.Duration

	// KeyLease is how long a request with an idempotency key may run before a repeat on another process takes it for
	// crashed and starts over. 0 is 30 s.
	KeyLease time.Duration

	// KeyPoll is how often a repeat looks whether the first request, on another process, is done. 0 is 100 ms.
	KeyPoll time.Duration

	// DoneEvery is how long ids of deliveries that were made are gathered before they are deleted. It has to be well
	// below DeliveryLease. 0 is 100 ms.
	DoneEvery time.Duration

	// Triggered reports whether triggers on the app's tables write occurrences; nil is never. See pair.
	Triggered func() bool

	Now     func() time.Time // nil is time.Now
	NewID   func() string    // ids of rows and emits; nil is UUID version 7, which sorts by time
	Logger  *slog.Logger     // nil discards
	Metrics *Metrics         // nil counts, unregistered
}

// Service is safe for use by many goroutines.
type Service struct {
	st   *store.Store
	out  Broadcaster
	opts Options
	done *doneList

	commits coalesce.Group[*commitment, struct{}]
	members coalesce.Group[store.Member, store.Recipient]

	tenants struct {
		sync.Mutex
		seen map[string]time.Time // when the tenant existed; see tenantExists
	}

	flights struct {
		sync.Mutex
		running map[string]*flight // by idempotency key
	}
}

// New returns a service that works at once. Run has to run beside it, or finished deliveries are deleted in larger
// groups and by the emits themselves.
func New(st *store.Store, b Broadcaster, o Options) *Service {
	o.DedupWindow = or(o.DedupWindow, 5*time.Second)
	o.DeliveryLease = or(o.DeliveryLease, 5*time.Second)
	o.KeyLease = or(o.KeyLease, 30*time.Second)
	o.KeyPoll = or(o.KeyPoll, 100*time.Millisecond)
	o.DoneEvery = or(o.DoneEvery, 100*time.Millisecond)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = func() string { return uuid.Must(uuid.NewV7()).String() } // fails only where crypto/rand would panic
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	s := &Service{st: st, out: b, opts: o, done: newDoneList(st.Outbox, o)}
	s.commits.Run, s.commits.AtOnce = s.commitAll, commitsAtOnce
	s.members.Run, s.members.AtOnce = s.recipients, commitsAtOnce
	s.tenants.seen = map[string]time.Time{}
	s.flights.running = map[string]*flight{}
	return s
}

// Run deletes the rows of finished deliveries until ctx ends, then once more, bounded by 5 s.
func (s *Service) Run(ctx context.Context) error { return s.done.run(ctx) }

// Flush deletes the rows of all deliveries that are finished by now.
func (s *Service) Flush(ctx context.Context) error { return s.done.flush(ctx) }

func or(d, fallback time.Duration) time.Duration {
	if d == 0 {
		return fallback
	}
	return d
}
