package sio

import (
	"container/list"
	"sync"
	"sync/atomic"
	"time"

	"github.com/citaplanner/realtime/pkg/engineio"
)

// Recovery is Socket.IO's connection state recovery (protocol 5, "Connection state recovery"): a client whose connection
// broke comes back as the same socket, in the same rooms, and gets what was sent meanwhile before anything else. The
// library's own panics at its start; this one is ours. The zero value is none.
//
// Who is restored has missed nothing: where that cannot be said for certain, the client gets an ordinary new socket.
type Recovery struct {
	// Time is how long a client may be away, and how long an event is kept. 0 switches recovery off.
	Time time.Duration
	// Bytes of events kept for one group. Default 4 MiB.
	Bytes int
	// Total bytes of events kept. Default 64 MiB.
	Total int
	// Events remembered of one socket; one that missed more is not restored. Default 512.
	Events int
	// Sessions of one group whose clients are away: the oldest are given up. Default 5,000.
	Sessions int
	// TotalSessions of all groups. Default 20,000.
	TotalSessions int
	// Group tells from a socket's data who pays for what is kept, so that no group can use up another's. Default: all are
	// one group.
	Group func(data any) string
	// Restore decides whether a client for which Authenticate said now may have the session of a socket whose data was
	// before; what it returns becomes the socket's data. No lock is held while it runs. Default: it may, with now.
	Restore func(before, now any) (data any, ok bool)

	// Shared lets clients come back to other processes, and to this one after a restart. It takes what is sent to a group by its
	// name (Target.Group), and sessions whose group has one. Default: memory alone.
	Shared Shared
	// Save and Load turn a socket's data into bytes and back. Needed with Shared. No lock is held while they run; they may run
	// while a callback does.
	Save func(socketID string, data any) ([]byte, error)
	Load func(saved []byte) (data any, err error)
}

func (o Recovery) withDefaults() Recovery {
	positive(&o.Bytes, 4<<20)
	positive(&o.Total, 64<<20)
	positive(&o.Events, 512)
	positive(&o.Sessions, 5_000)
	positive(&o.TotalSessions, 20_000)
	if o.Group == nil {
		o.Group = func(any) string { return "" }
	}
	if o.Restore == nil {
		o.Restore = func(_, now any) (any, bool) { return now, true }
	}
	return o
}

// sweeps is how often in Recovery.Time what is over is looked for.
const sweeps = 8

// recovery keeps what clients may come back for. Its lock is taken before a line's; the rooms' never together with either.
type recovery struct {
	opts    Recovery
	now     func() time.Time
	metrics *Metrics
	most    int // bytes that one client may have missed: they have to fit into its queue
	seq     atomic.Uint64
	sharing *sharing // nil: not shared

	mu     sync.Mutex // guards all below
	lines  map[pid]*line
	groups map[string]*kept
	bytes  int
	away   int
	gone   departures
	sweep  *time.Timer // nil: nothing to sweep
	closed bool
}

// kept is what a group pays for.
type kept struct {
	records []*record // the oldest first; from head on
	head    int
	bytes   int
	away    *list.List // of *away, the oldest first
}

// away is a session whose client is not there.
type away struct {
	line  *line
	until time.Time
	place *list.Element
}

func newRecovery(o Options) *recovery {
	if o.Recovery.Time <= 0 {
		return nil
	}
	r := &recovery{opts: o.Recovery.withDefaults(), now: o.Now, metrics: o.Metrics, most: o.Engine.QueueBytes / 2,
		lines: map[pid]*line{}, groups: map[string]*kept{}}
	if r.opts.Shared != nil {
		r.sharing = newSharing(r.opts.Shared)
		r.seq.Store(firstOffset())
		r.startBeat()
	}
	return r
}

// record makes the record of an event that is being encoded. A nil recovery makes none.
func (r *recovery) record(renewed bool) *record {
	if r == nil {
		return nil
	}
	return &record{seq: r.seq.Add(1), at: r.now(), renewed: renewed}
}

// keep takes the frames of an event into a group's account, once, before any client gets it.
func (r *recovery) keep(rec *record, packets []*engineio.Packet, group string) {
	if rec.renewed || !rec.kept.CompareAndSwap(false, true) {
		return
	}
	for _, p := range packets {
		rec.size += p.Size() + perPacket
	}
	rec.size += perRecord
	r.mu.Lock()
	defer r.mu.Unlock()
	rec.packets = packets
	k := r.group(group)
	k.records = append(k.records, rec)
	k.bytes += rec.size
	r.bytes += rec.size
	r.expire(k, rec.at)
	for k.bytes > r.opts.Bytes {
		r.dropOldest(k)
	}
	for r.bytes > r.opts.Total { // who keeps most gives most, in large steps: the search is linear
		for k, until := r.largest(), r.bytes-r.opts.Total/8; r.bytes > until && k.bytes > 0; {
			r.dropOldest(k)
		}
	}
	r.metrics.recoveryBytes.Set(float64(r.bytes))
	r.arm()
}

// What a packet and a record count for beside their bytes.
const (
	perPacket = 64
	perRecord = 128
)

// group finds a group's account. The lock is held, as for all below.
func (r *recovery) group(name string) *kept {
	k := r.groups[name]
	if k == nil {
		k = &kept{away: list.New()}
		r.groups[name] = k
	}
	return k
}

func (r *recovery) largest() *kept {
	var most *kept
	for _, k := range r.groups {
		if most == nil || k.bytes > most.bytes {
			most = k
		}
	}
	return most
}

// dropOldest gives a group's oldest event up.
func (r *recovery) dropOldest(k *kept) {
	rec := k.records[k.head]
	k.records[k.head] = nil
	if k.head++; k.head*2 >= len(k.records) { // costs each record one move
		n := copy(k.records, k.records[k.head:])
		clear(k.records[n:])
		k.records, k.head = k.records[:n], 0
	}
	k.bytes -= rec.size
	r.bytes -= rec.size
	rec.packets = nil
	rec.gone.Store(true)
}

// expire gives up what is too old.
func (r *recovery) expire(k *kept, now time.Time) {
	since := now.Add(-r.opts.Time)
	for k.head < len(k.records) && k.records[k.head].at.Before(since) {
		r.dropOldest(k)
	}
}

// arm has the sweep run where there is something to sweep.
func (r *recovery) arm() {
	if r.sweep == nil && !r.closed && r.bytes+r.away > 0 {
		r.sweep = time.AfterFunc(r.opts.Time/sweeps, r.sweepNow)
	}
}

// sweepNow gives up all that is over.
func (r *recovery) sweepNow() {
	now := r.now()
	r.mu.Lock()
	var over []*Socket
	for name, k := range r.groups {
		r.expire(k, now)
		for e := k.away.Front(); e != nil && now.After(e.Value.(*away).until); e = k.away.Front() {
			over = append(over, r.end(e.Value.(*away).line))
		}
		if k.bytes == 0 && k.away.Len() == 0 {
			delete(r.groups, name)
		}
	}
	r.sweep = nil
	r.metrics.recoveryBytes.Set(float64(r.bytes))
	r.arm()
	r.mu.Unlock()
	forget(over)
}

// stop forgets everything but what is shared: the process ends.
func (r *recovery) stop() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.sweep != nil {
		r.sweep.Stop()
	}
	if r.sharing != nil {
		r.sharing.beat.Stop()
	}
}

// forget takes what stood for clients that are away out of their rooms.
func forget(over []*Socket) {
	for _, s := range over {
		s.space.rooms.forget(s)
	}
}
