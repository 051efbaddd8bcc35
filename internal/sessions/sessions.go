package sessions

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/citaplanner/realtime/internal/sio"
)

var _ sio.Shared = (*Store)(nil)

// Options of New; the zero value is usable.
type Options struct {
	// Prefix of every key. Default "realtime:".
	Prefix string
	// Time is how long a client may be away. Default 2 min.
	Time time.Duration
	// Bytes of events kept for one group, 128 more for each event. Default 4 MiB.
	Bytes int
	// QueueBytes of events may wait for Redis; what is more is not kept, and who would miss it is not restored. Default 16 MiB.
	QueueBytes int
	// CacheBytes of groups are held in memory for a moment, so that many clients which come back at once read them once.
	// Default 64 MiB.
	CacheBytes int
	// Wait bounds how long a client that comes back waits for each of the two answers of Redis. Default 1 s.
	Wait time.Duration
	// Late is how long a client waits for what it got last, where the process that sent it has not given it to Redis yet. It is
	// within Wait. Default 500 ms.
	Late time.Duration
	Now  func() time.Time // nil is time.Now
	// Logger: nil discards. What was sent, and the ids of sessions, are never logged.
	Logger  *slog.Logger
	Metrics *Metrics // nil counts, unregistered
}

// ErrUnavailable is that Redis does not answer, or not in time.
var ErrUnavailable = errors.New("sessions: Redis does not answer")

// Store is safe for use by many goroutines; Run has to run.
type Store struct {
	client *redis.Client
	opts   Options
	node   string // this process, as no other was or will be named
	wake   chan struct{}
	up     atomic.Bool // the last batch was answered

	mu     sync.Mutex // guards what waits
	events []*sio.SharedEvent
	bytes  int
	queued uint64            // events that were ever in events
	taken  uint64            // those that Run has taken
	gaps   map[string]uint64 // number of the last event that a group lacks, where that is not told yet
	anew   bool              // too many lack something
	saves  map[string]build  // by session
	claims []*claim

	views views // Run's own

	batchTime, flushTime time.Duration
}

// build is sio.Shared.Save's.
type build func() (s *sio.SharedSession, keep bool)

// claim is a client that waits.
type claim struct {
	key, owner, group string
	behind            uint64 // Store.queued when it came
	enough            func(*sio.Claimed) bool
	patience          time.Time          // until when it waits for that
	session           *sio.SharedSession // nil: it is not ours yet
	waits             bool               // for what is not there yet: it is served again
	done              chan struct{}
	got               *sio.Claimed // nil: another process has it
	err               error
}

// New returns a store on a client that it does not close. The client must not try again by itself (MaxRetries -1): an event would
// be kept twice.
func New(client *redis.Client, o Options) *Store {
	if o.Prefix == "" {
		o.Prefix = "realtime:"
	}
	fill(&o.Time, 2*time.Minute)
	fill(&o.Bytes, 4<<20)
	fill(&o.QueueBytes, 16<<20)
	fill(&o.CacheBytes, 64<<20)
	fill(&o.Wait, time.Second)
	fill(&o.Late, 500*time.Millisecond)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	s := &Store{client: client, opts: o, node: uuid.NewString(), wake: make(chan struct{}, 1), gaps: map[string]uint64{},
		saves: map[string]build{}, views: views{of: map[string]*view{}}, batchTime: batchTime, flushTime: flushTime}
	s.up.Store(true)
	o.Metrics.up.Set(1)
	return s
}

func fill[T int | time.Duration](v *T, def T) {
	if *v <= 0 {
		*v = def
	}
}

// keep is how long events are kept: a client may be away for Time, and what is known of its session is up to two beats (Time/8)
// old when its process dies.
func (s *Store) keep() time.Duration { return s.opts.Time + s.opts.Time*3/8 }

// Publish is sio.Shared's.
func (s *Store) Publish(e *sio.SharedEvent) {
	size := 0
	for _, p := range e.Packets {
		size += p.Size() + perPacket
	}
	s.mu.Lock()
	if s.bytes+size > s.opts.QueueBytes && s.bytes > 0 {
		s.lack(e.Group, e.N)
		s.mu.Unlock()
		s.opts.Metrics.events.WithLabelValues("dropped").Inc()
		return
	}
	s.events = append(s.events, e)
	s.queued++
	s.bytes += size
	s.opts.Metrics.queued.Set(float64(s.bytes))
	s.mu.Unlock()
	s.hurry()
}

// perPacket is what a packet that waits counts for beside its bytes.
const perPacket = 128

// Bounds of what waits for a Redis that is down. Where more than maxGaps groups lack something, all begin anew. A session of those
// that are more than maxSaves is saved at its next beat; one that is over goes by itself.
const maxGaps, maxSaves = 10_000, 100_000

// lack notes that an event of a group is not kept, the last of those with this number. The lock is held.
func (s *Store) lack(group string, n uint64) {
	if _, known := s.gaps[group]; known || len(s.gaps) < maxGaps {
		s.gaps[group] = max(s.gaps[group], n)
		return
	}
	s.anew = true
}

// Save is sio.Shared's.
func (s *Store) Save(id string, b func() (*sio.SharedSession, bool)) {
	key := s.sessionKey(id)
	s.mu.Lock()
	if s.saves[key] != nil || len(s.saves) < maxSaves {
		s.saves[key] = b
	}
	s.mu.Unlock()
	s.hurry()
}

func (s *Store) hurry() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Claim is sio.Shared's.
func (s *Store) Claim(ctx context.Context, id, group string, allow func(found *sio.SharedSession, here, elsewhere bool) bool,
	enough func(*sio.Claimed) bool,
) (*sio.Claimed, error) {
	if !s.up.Load() { // nobody waits for what is known
		return nil, ErrUnavailable
	}
	key := s.sessionKey(id)
	found, elsewhere, err := s.look(ctx, key, group)
	if err != nil || found == nil || !allow(found, found.Node == s.node, elsewhere) {
		return nil, err
	}
	c := &claim{key: key, owner: found.Node, group: group, enough: enough, patience: time.Now().Add(s.opts.Late),
		done: make(chan struct{})}
	s.mu.Lock()
	c.behind = s.queued
	s.claims = append(s.claims, c)
	s.mu.Unlock()
	s.hurry()
	late := time.NewTimer(s.opts.Wait)
	defer late.Stop()
	select {
	case <-c.done:
		return c.got, c.err
	case <-late.C:
	case <-ctx.Done():
	}
	return nil, ErrUnavailable
}

// look is find; it waits for a session whose client has come to another process this moment, which is about to save it.
func (s *Store) look(ctx context.Context, key, group string) (found *sio.SharedSession, elsewhere bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Wait)
	defer cancel()
	for {
		var claimed bool
		found, elsewhere, claimed, err = s.find(ctx, key, group)
		if err != nil || !claimed {
			return found, elsewhere, err
		}
		select {
		case <-ctx.Done():
			return nil, false, nil
		case <-time.After(lookAgain):
		}
	}
}

// lookAgain is how long after a look at a session that is on its way the next one comes.
const lookAgain = 10 * time.Millisecond

// find looks for a session, and whether others have published to its group since. claimed says that it is on its way to a process.
func (s *Store) find(ctx context.Context, key, group string) (found *sio.SharedSession, elsewhere, claimed bool, err error) {
	got, err := s.client.Eval(ctx, scriptFind, []string{key, s.groupKey(group)}).Slice()
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			s.tell(ctx, err) // the next one does not wait
			s.hurry()
		}
		return nil, false, false, errors.Join(ErrUnavailable, err)
	}
	if len(got) != 5 {
		return nil, false, len(got) == 1, nil
	}
	found, err = s.session(got[0], got[1:4])
	if err != nil {
		return nil, false, false, err
	}
	others, _ := got[4].(int64)
	return found, others == 1, false, nil
}

// session reads owner, data and positions as a script answers them.
func (s *Store) session(owner any, v []any) (*sio.SharedSession, error) {
	node, _ := owner.(string)
	data, _ := v[0].(string)
	return decodeSession([]byte(data), node, position(v[1]), position(v[2]))
}

func (s *Store) sessionKey(id string) string {
	sum := sha256.Sum256([]byte(id)) // who reads Redis's log must not be able to take a session
	return s.opts.Prefix + "session:" + base64.RawURLEncoding.EncodeToString(sum[:])
}

func (s *Store) groupKey(group string) string  { return s.opts.Prefix + "group:" + group }
func (s *Store) streamKey(group string) string { return s.opts.Prefix + "stream:" + group }
