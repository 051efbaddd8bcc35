package sio

import (
	"context"
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/citaplanner/realtime/pkg/engineio"
)

// Shared keeps what clients may come back for where other processes find it, and this one after a restart. Clients are restored
// from there only where memory is not enough: see recovery.fetch. internal/sessions is one.
type Shared interface {
	// Publish keeps an event; those of a group in the order of the calls. It never blocks.
	Publish(e *SharedEvent)
	// Save keeps, soon, what build says then; several saves of one session may become one. It never blocks. keep is false where
	// the session is over; nil with keep leaves what is kept as it is.
	Save(id string, build func() (s *SharedSession, keep bool))
	// Claim looks for a session and asks allow, in the same goroutine, whether it may be had: here says that it is this process's,
	// elsewhere that other processes have published to its group since it began. Where it may, it belongs to this process when
	// Claim returns, with all that is kept for its group: what this process published before allow returned is among it. It asks
	// enough whether that will do, or what another process is about to publish is to be waited for; again about what came
	// meanwhile alone. nil where there is none, it was not allowed, or another process was faster. It waits a short time only,
	// and then answers what there is.
	Claim(ctx context.Context, id, group string, allow func(s *SharedSession, here, elsewhere bool) bool, enough func(*Claimed) bool) (
		*Claimed, error)
}

// SharedEvent is an event of a group. Nothing of it changes once it is published.
type SharedEvent struct {
	Group     string
	Seq       uint64 // the offset, unique over processes
	N         uint64 // grows with each event that a process publishes to a group; no socket gets them in another order
	Namespace string
	Rooms     []string
	All       bool
	Except    string
	Spread    bool // it was sent in parts: see Unsure
	Unsure    bool // it was sent while another one was being sent in parts: some sockets got it before, some after that one
	Gap       bool // stands for events that were not kept
	Packets   []*engineio.Packet

	Node string // who published it; Shared fills it and what follows
	Pos  uint64 // its place among all events of the group

	once sync.Once
	rec  *record // what it is in this process's memory
}

// SharedSession is a session as other processes have to know it. It belongs to who knows its id, has the same rights, and is
// there first.
type SharedSession struct {
	SID       string
	Namespace string
	Group     string
	Rooms     []string
	Data      []byte // Recovery.Save's
	N0        uint64 // what its process published up to this number is no concern of the session's
	Base      *Base  // what it was restored with; nil: it is not a restored one
	Marks     []Mark // offsets that no event of the group has, and the last one
	Away      bool   // the client is not there

	Node  string // whose it is; Shared fills it and what follows, where it is 0
	At    uint64 // the position in the group at which the session began or was restored
	After uint64 // a position: all that was for the socket and is before it was sent when Marks was made

	Moved func() `json:"-"` // called when Save finds that another process has the session by now
}

// Mark is the place of an offset: behind what the process published up to N.
type Mark struct {
	Seq, N uint64
	Last   bool
}

// Claimed is a session that belongs to this process now, and its group.
type Claimed struct {
	Session *SharedSession
	Events  []*SharedEvent // by position; they are others', too
	Node    string         // this process
	Pos     uint64         // the last position that was known when Events was read
	Trimmed uint64         // the last position of which nothing is kept any more; of all behind it there is
}

// sharing is recovery's way to Shared.
type sharing struct {
	to     Shared
	n      atomic.Uint64 // SharedEvent.N
	gen    atomic.Uint64 // counts the sessions that came from elsewhere
	orders [1024]order
	seed   maphash.Seed
	beat   *time.Timer // guarded by recovery.mu
}

// order is the order of the events of some groups: its lock is held from when an event gets its place until it is queued for its
// recipients, so that every socket gets what a group is sent in the order in which it is kept. Nothing blocks meanwhile. It is
// taken before every other lock.
type order struct {
	mu   sync.Mutex
	open map[string]*record // broadcasts that are being sent in parts, by group
}

func newSharing(to Shared) *sharing {
	s := &sharing{to: to, seed: maphash.MakeSeed()}
	s.n.Store(1) // 0 is no place
	return s
}

// firstOffset is where a process begins to count, so that no two have an offset in common.
func firstOffset() uint64 { return rand.Uint64() >> 1 }

func (s *sharing) order(group string) *order {
	return &s.orders[maphash.String(s.seed, group)%uint64(len(s.orders))]
}

// outlives tells whether clients may come back to another process.
func (r *recovery) outlives() bool { return r != nil && r.sharing != nil }

// doubts is Socket.Doubtful's.
func (r *recovery) doubts(l *line) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return l.doubt
}

// share prepares an event for other processes.
func (r *recovery) share(rec *record, t Target, packets []*engineio.Packet) {
	if r.sharing == nil || t.Group == "" {
		return
	}
	rec.group, rec.gen = t.Group, r.sharing.gen.Load()
	if !rec.renewed {
		rec.shared = &SharedEvent{Group: t.Group, Seq: rec.seq, Namespace: t.Namespace, Rooms: t.Rooms, All: t.All, Except: t.Except,
			Packets: packets}
	}
}

// lock returns the order in which a record is sent, locked; nil where there is none to keep.
func (r *recovery) lock(rec *record) *order {
	if rec == nil || rec.group == "" {
		return nil
	}
	o := r.sharing.order(rec.group)
	o.mu.Lock()
	return o
}

// place gives a record its place in the order, whose lock is held, and publishes it, once; more says that only some of its
// recipients get it now. It returns what was published.
func (r *recovery) place(o *order, rec *record, more bool) (e *SharedEvent) {
	open := o.open[rec.group]
	if rec.n == 0 {
		rec.unsure = open != nil
		if e = rec.shared; e == nil { // renewed
			rec.n = r.sharing.n.Load()
		} else {
			rec.n = r.sharing.n.Add(1)
			rec.shared = nil // its bytes are not the record's to keep
			e.N, e.Spread, e.Unsure = rec.n, more, rec.unsure
			r.sharing.to.Publish(e)
		}
	}
	switch {
	case more && open == nil:
		if o.open == nil {
			o.open = map[string]*record{}
		}
		o.open[rec.group] = rec
	case !more && open == rec:
		delete(o.open, rec.group)
	}
	return e
}

// late lists the sockets of sessions that came from elsewhere since an event's recipients were looked up: what other processes
// keep of it is not sent to them, as it has a place behind their coming. The order's lock is held.
func (s *Server) late(rec *record, e *SharedEvent) []*Socket {
	if e == nil || s.recovery.sharing.gen.Load() == rec.gen {
		return nil
	}
	var late []*Socket
	for _, sock := range s.Recipients(Target{Rooms: e.Rooms, All: e.All, Except: e.Except, Namespace: e.Namespace}) {
		if sock.line.gen > rec.gen && sock.line.group == rec.group {
			late = append(late, sock)
		}
	}
	return late
}

// save has a session kept for other processes.
func (r *recovery) save(l *line) {
	if r == nil || r.sharing == nil || l == nil || l.group == "" {
		return
	}
	id := l.pid
	r.sharing.to.Save(id.String(), func() (*SharedSession, bool) { return r.session(id, l.group) })
}

// session is a session as it is now; see Shared.Save.
func (r *recovery) session(id pid, group string) (s *SharedSession, keep bool) {
	s, data, keep := r.known(id, group)
	if s == nil {
		return nil, keep
	}
	var err error
	if s.Data, err = r.opts.Save(s.SID, data); err != nil {
		return nil, false
	}
	return s, true
}

// known is session without what only the caller's own Save can say.
func (r *recovery) known(id pid, group string) (s *SharedSession, data any, keep bool) {
	o := r.sharing.order(group)
	o.mu.Lock() // nothing is between its place and the sockets
	defer o.mu.Unlock()
	r.mu.Lock()
	l := r.lines[id]
	var sock *Socket
	var away bool
	if l != nil {
		sock, away = l.socket, l.away != nil
	}
	r.mu.Unlock()
	if l == nil {
		return nil, nil, false
	}
	rooms, data, known := l.space.rooms.snapshot(l.id)
	if !known || sock == nil {
		return nil, nil, true // on its way
	}
	s = &SharedSession{SID: l.id, Namespace: l.space.name, Group: l.group, Rooms: rooms, Away: away, Moved: func() { r.moved(l) }}
	if !l.tell(s) {
		return nil, nil, true
	}
	return s, data, true
}

// tell fills in what a line knows of its session: the offsets for which there is no event in its group, and the last one.
func (l *line) tell(s *SharedSession) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == lineClaimed || l.state == lineOver {
		return false
	}
	s.N0, s.Base, s.At = l.n0, l.base, l.at
	for i, rec := range l.sent {
		last := i == len(l.sent)-1
		if (rec.renewed || last) && rec.n > 0 && !rec.unsure {
			s.Marks = append(s.Marks, Mark{rec.seq, rec.n, last})
		}
	}
	s.Marks = s.Marks[max(0, len(s.Marks)-maxMarks):]
	return true
}

// maxMarks bounds what is kept of events that each connection gets anew: there are two a connection.
const maxMarks = 16

// moved hears that another process has a session: its client is there.
func (r *recovery) moved(l *line) {
	var over []*Socket
	r.mu.Lock()
	if r.lines[l.pid] != l {
		r.mu.Unlock()
		return
	}
	s := l.socket
	if l.away != nil {
		over = append(over, r.end(l))
		s = nil
	}
	r.mu.Unlock()
	forget(over)
	if s != nil && s.conn != nil {
		s.conn.eng.Do(s.conn.displace)
	}
}

// displace is a step: the client has come back to another process.
func (c *conn) displace() {
	defer c.settle()
	if !c.leaving && c.why == "" {
		c.leave(closedSuperseded)
	}
}

// beats is how often in Recovery.Time the sessions of who is there are saved, in case that the process dies.
const beats = 8

// startBeat begins to save.
func (r *recovery) startBeat() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.sharing.beat = time.AfterFunc(r.opts.Time/beats, r.beatNow)
	}
}

// beatNow saves the sessions of who is there. Those who are away are as they were.
func (r *recovery) beatNow() {
	r.mu.Lock()
	here := make([]*line, 0, len(r.lines))
	for _, l := range r.lines {
		if l.away == nil {
			here = append(here, l)
		}
	}
	if !r.closed {
		r.sharing.beat.Reset(r.opts.Time / beats)
	}
	r.mu.Unlock()
	for _, l := range here {
		r.save(l)
	}
}
