package returning

import (
	"context"
	"encoding/json"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
)

const (
	// inFlight is how long before somebody was seen last a notification counts as missed: it is dated before it is committed
	// and sent. What came all the same is dropped by its id.
	inFlight = time.Second
	// retryAfter is how long after a failure the database is asked again.
	retryAfter = 5 * time.Second
	// beatSlack is how late a beat of another node may be before the node is taken for dead.
	beatSlack = 5 * time.Second
	// batch is how many users are looked up at once, and writeBatch how many are written.
	batch, writeBatch = 200, 1000
	// turns is in how many parts those who are here are noted: 10,000 rows at once kept the database busy for what those
	// waited who were served meanwhile.
	turns = 30
	// flushTime bounds what is written.
	flushTime = 5 * time.Second
)

// Broadcaster is the hub.
type Broadcaster interface {
	// ToJoined sends to the sockets of a user that signed in under that tenant, to those that t is Meant for alone.
	ToJoined(ctx context.Context, tenantID, userID string, t Telling, event string, payload any) (int, error)
	// Here reports whether the user has such a socket.
	Here(tenantID, userID string) bool
}

// Payload makes notification:new, marked as replayed, from a row; nil: it is none. notify.Replay is it.
type Payload func(row models.NotificationLog, userID string) (json.RawMessage, error)

// Event is one event of a socket.
type Event struct {
	Name    string
	Payload json.RawMessage
}

// Telling is one of the times that a user is told something.
type Telling struct {
	N    uint64 // in order, of all users; the first is 1
	From uint64 // where only lost sockets are meant: those that joined behind the telling before this one; 0: all are meant
}

// Place says behind which tellings a socket joined, so that each comes to it once: with the broadcast, or from Joined. The zero
// Place is that of a socket which has not joined.
type Place struct {
	behind atomic.Uint64 // the number of the next telling; 0: it has not joined
	lost   atomic.Bool
}

// Meant reports whether a socket has to be sent that telling. One that joined when it had begun has it from Joined.
func (p *Place) Meant(t Telling) bool {
	n := p.behind.Load()
	return n != 0 && n <= t.N && (t.From == 0 || p.lost.Load() && n >= t.From)
}

// Keep takes over the place of the socket that this one goes on for.
func (p *Place) Keep(of *Place) {
	p.lost.Store(of.lost.Load())
	p.behind.Store(of.behind.Load())
}

// Options of New; the zero value is usable.
type Options struct {
	// Limit is how many notifications are sent to who comes back, the newest; 0 is 50.
	Limit int
	// MaxAge is how old they may be; 0 is 7 days.
	MaxAge time.Duration
	// Grace is up to when an absence is none: presence's. A stop or a crash of the server is one however short it was.
	Grace time.Duration
	// Beat is how often those who are here are noted, so that a crash loses little; 0 is 30 s. The same on all nodes.
	Beat time.Duration
	// Recovery is how long a client has to come back to its socket.
	Recovery time.Duration
	// Keep is how long a user who is away is remembered; 0 is 60 days, and it is MaxAge at least. PruneEvery is how often older
	// rows are deleted; 0 is 1 h.
	Keep, PruneEvery time.Duration
	// Node names this process among those on the same database, the same after a restart if possible: after a crash it then
	// need not wait for the beat of another. Empty is fine where there is one at a time.
	Node    string
	Now     func() time.Time // nil is time.Now
	Logger  *slog.Logger     // nil discards
	Metrics *Metrics         // nil counts, unregistered
}

// Service is safe for use by many goroutines; Run has to run.
type Service struct {
	st      *store.Store
	out     Broadcaster
	payload Payload
	opts    Options
	wake    chan struct{}
	seed    maphash.Seed // of who has which turn
	pruned  time.Time    // when prune had its last turn; Run's

	mu       sync.Mutex // guards what follows; not held while the database is asked or something is sent
	here     map[store.Person]store.Owner
	waiting  map[store.Person]*arrival   // those of here about whom nothing is decided yet
	left     map[store.Person]store.Seen // not written yet
	told     told
	tellings uint64 // how many there were
}

// arrival is a user who came.
type arrival struct {
	owner store.Owner
	came  time.Time
	due   time.Time // when to look
	beat  time.Time // of another node, when first looked: it may have the user; zero: none

	crashed bool // was here before a server crashed

	lost  bool      // a client of the user could not have its session any more; guarded by Service.mu, as since
	since time.Time // when it was last there, the one of several that was away longest; zero: not known
	only  uint64    // the user was here meanwhile, and the lost sockets are told alone: see Telling.From
}

// New returns a service.
func New(st *store.Store, b Broadcaster, p Payload, o Options) *Service {
	if o.Limit <= 0 {
		o.Limit = 50
	}
	if o.MaxAge <= 0 {
		o.MaxAge = 7 * 24 * time.Hour
	}
	if o.Beat <= 0 {
		o.Beat = 30 * time.Second
	}
	if o.Keep <= 0 {
		o.Keep = defaultKeep
	}
	o.Keep = max(o.Keep, o.MaxAge)
	if o.PruneEvery <= 0 {
		o.PruneEvery = time.Hour
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
	return &Service{st: st, pruned: o.Now(), out: b, payload: p, opts: o, wake: make(chan struct{}, 1), seed: maphash.MakeSeed(),
		here: map[store.Person]store.Owner{}, waiting: map[store.Person]*arrival{}, left: map[store.Person]store.Seen{}, told: told{of: map[store.Person]*telling{}}}
}

// Coming is how a socket came.
type Coming int

const (
	// Anew is a socket without a past.
	Anew Coming = iota
	// Recovered is one that Socket.IO's connection state recovery gave what it missed: its user was not away.
	Recovered
	// Doubtful is a recovered one whose server crashed: its user was here until then, whether that was noted or not, and what
	// the server sent last may be lost.
	Doubtful
	// Lost is one whose client asked for its session and could not have it any more. It was away, whatever others the user has.
	Lost
)

// Joined hears of a socket that can be sent to by now, and sets its place. It returns what the socket still has to get: what
// the user's others got a moment ago. since is when the client of a Lost one was last there; zero where that is not known.
func (s *Service) Joined(u store.Owner, how Coming, since time.Time, place *Place) []Event {
	p, now := store.Person{TenantID: u.TenantID, UserID: u.ID}, s.opts.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if place.behind.CompareAndSwap(0, s.tellings+1) { // one that it kept stays: what is being told may be on its way to it
		place.lost.Store(how == Lost)
	}
	_, known := s.here[p]
	s.here[p] = u
	switch {
	case known && how == Recovered:
		return nil
	case known && how != Lost:
		return s.told.to(p, now)
	case known:
		if events := s.told.toLost(p, since, now); events != nil {
			s.tellings++ // it is behind that one
			return events
		}
		if a := s.waiting[p]; a != nil {
			a.lose(since)
			return nil
		}
		s.waiting[p] = &arrival{owner: u, came: now, due: now, lost: true, since: since, only: s.tellings + 1}
	case how != Recovered:
		a := &arrival{owner: u, came: now, due: now, crashed: how == Doubtful}
		if how == Lost {
			a.lose(since)
		}
		s.waiting[p] = a
	default:
		return nil
	}
	s.hurry()
	return nil
}

// lose notes a client that could not have its session any more. The lock is held.
func (a *arrival) lose(since time.Time) {
	if a.lost = true; a.since.IsZero() || !since.IsZero() && since.Before(a.since) {
		a.since = since
	}
}

// Left hears that a user has no socket any more and was there until seen, and whether that is so because this server stops.
func (s *Service) Left(tenantID, userID string, seen time.Time, stopping bool) {
	p, now := store.Person{TenantID: tenantID, UserID: userID}, s.opts.Now()
	back := !stopping && s.out.Here(tenantID, userID) // while this was on its way
	s.mu.Lock()
	defer s.mu.Unlock()
	owner, known := s.here[p]
	a, undecided := s.waiting[p]
	delete(s.here, p)
	delete(s.waiting, p)
	s.told.forget(p)
	switch {
	case known && (!undecided || a.only > 0):
		state := store.SeenLeft
		if stopping {
			state = store.SeenStopped
		}
		s.left[p] = store.Seen{Person: p, At: seen, State: state, Node: s.opts.Node}
	case undecided && a.crashed: // the absence goes on, though nothing may say so yet
		s.left[p] = s.supposed(p, a)
	}
	if known && back {
		s.here[p], s.waiting[p] = owner, &arrival{owner: owner, came: now, due: now}
	}
	s.hurry()
}

// supposed is since when a user was here whose server crashed before it noted that.
func (s *Service) supposed(p store.Person, a *arrival) store.Seen {
	return store.Seen{Person: p, At: s.atWorst(a.came), State: store.SeenSupposed, Node: s.opts.Node}
}

// atWorst is when a client that comes back now was last there, where nothing says so: a beat before its server crashed.
func (s *Service) atWorst(now time.Time) time.Time {
	return now.Add(-s.opts.Recovery - s.opts.Beat - beatSlack)
}

// hurry wakes Run.
func (s *Service) hurry() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run looks at who comes, writes who is here and who left, and forgets who has not come for long, until ctx ends; then it
// writes who left, bounded by 5 s.
func (s *Service) Run(ctx context.Context) error {
	beat, turn := time.NewTicker(max(s.opts.Beat/turns, time.Millisecond)), uint64(0)
	defer beat.Stop()
	prune := time.NewTicker(s.opts.PruneEvery)
	defer prune.Stop()
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			_ = s.flush(ctx) // logged there
			return nil
		case <-s.wake:
		case <-retry.C:
		case <-beat.C:
			s.beat(ctx, turn)
			turn = (turn + 1) % turns
		case <-prune.C:
			s.prune(ctx)
		}
		retry.Reset(max(s.pass(ctx), 10*time.Millisecond))
	}
}

// beat notes that those who are here and whose turn it is are. Each has the same turn every time, so that no two beats of
// one are further apart than Beat.
func (s *Service) beat(ctx context.Context, turn uint64) {
	now := s.opts.Now()
	s.mu.Lock()
	s.told.expire(now)
	seen := make([]store.Seen, 0, len(s.here)/turns)
	for p := range s.here {
		// A row about whom nothing is decided yet still says since when the user was away.
		if maphash.String(s.seed, p.UserID)%turns == turn && s.waiting[p] == nil {
			seen = append(seen, store.Seen{Person: p, At: now, State: store.SeenHere, Node: s.opts.Node})
		}
	}
	s.mu.Unlock()
	_ = s.write(ctx, seen) // logged there; the next one makes up for it
}

// flush writes who left.
func (s *Service) flush(ctx context.Context) error {
	s.mu.Lock()
	seen := make([]store.Seen, 0, len(s.left))
	for _, one := range s.left {
		seen = append(seen, one)
	}
	s.mu.Unlock()
	if err := s.write(ctx, seen); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range seen {
		if s.left[one.Person] == one { // else the user left again
			delete(s.left, one.Person)
		}
	}
	return nil
}

func (s *Service) write(ctx context.Context, seen []store.Seen) error {
	ctx, cancel := unbroken(ctx)
	defer cancel()
	for len(seen) > 0 {
		n := min(len(seen), writeBatch)
		if err := s.st.LastSeen.Write(ctx, seen[:n]); err != nil {
			s.failed(ctx, "write", err)
			return err
		}
		seen = seen[n:]
	}
	return nil
}

// unbroken is for what is written, which a stop does not break off half-way.
func unbroken(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), flushTime)
}

// failed logs and counts. Nobody is told: the user has the list.
func (s *Service) failed(ctx context.Context, part string, err error) {
	s.opts.Metrics.errors.WithLabelValues(part).Inc()
	s.opts.Logger.ErrorContext(ctx, "users who come back", slog.String("part", part), slog.Any("error", err))
}
