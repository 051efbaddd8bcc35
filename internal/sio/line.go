package sio

import (
	"crypto/rand"
	"encoding/base64"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/citaplanner/realtime/pkg/engineio"
)

// record is an event that carries an offset. All its recipients share it, as they share its frames.
type record struct {
	seq  uint64 // the offset; unique, and no order is read from it
	at   time.Time
	gone atomic.Bool // not kept, or no longer: a client that missed it cannot be recovered
	kept atomic.Bool // in a group's account, or was
	// renewed is what every connection gets anew at its start: it moves the client's offset on and is never sent again.
	renewed bool

	packets []*engineio.Packet // guarded by recovery.mu; nil when gone
	size    int

	// What follows is for sharing; see order, whose lock guards n, unsure and shared.
	group  string       // "": not shared
	gen    uint64       // sharing.gen when its recipients were looked up
	n      uint64       // its place; 0: it has none yet
	unsure bool         // see SharedEvent
	shared *SharedEvent // until it has its place
}

// maxOffset is the longest offset in bytes: 64 bits to the base 36.
const maxOffset = 13

// offset is the last argument of the event, as Node's adapters push it.
func (r *record) offset() string { return strconv.FormatUint(r.seq, 36) }

// parseOffset reads what a client says was the last thing that it got.
func parseOffset(v any) (seq uint64, ok bool) {
	s, isText := v.(string)
	if !isText || s == "" || len(s) > maxOffset {
		return 0, false
	}
	seq, err := strconv.ParseUint(s, 36, 64)
	return seq, err == nil && seq > 0
}

// line is the way to a client that may come back: it outlives the socket. What is sent to the socket goes through it, in
// one order for the connection and for what is remembered of it, so that what a client missed is exactly what stands
// behind its offset: no filter is asked twice, no order is guessed.
//
// Only the names of events are here (pointers to records that are shared): their bytes are recovery's to keep or drop.
type line struct {
	id    string // the socket's
	space *space
	pid   pid
	group string // who pays for what is kept

	mu    sync.Mutex // guards all below; engineio.Conn.Send, which never blocks, is called while it is held
	conn  *engineio.Conn
	sent  []*record // in the order of the connection
	floor uint64    // the offset before sent[0]; 0 is the session's start
	held  []*engineio.Packet
	state lineState
	n0    uint64 // SharedSession's, as the next two
	base  *Base
	at    uint64
	gen   uint64 // of a session that came from elsewhere: see sharing.gen; set before it is known

	// What follows is guarded by recovery.mu.
	socket  *Socket         // in its rooms: the one that is connected, or what stands for it while the client is away
	away    *away           // nil while connected
	waiting []chan struct{} // closed when the client is away, or the line over
	doubt   bool            // see Socket.Doubtful
}

type lineState uint8

const (
	lineUp      lineState = iota // goes to conn
	lineDown                     // the client is away
	lineClaimed                  // the client is joining again; what comes meanwhile is held behind what it missed
	lineOver                     // nobody can come back
)

// send remembers an event and sends it, where there is somebody.
func (l *line) send(r *record, keep time.Duration, most int, packets []*engineio.Packet) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == lineOver {
		return engineio.ErrClosed
	}
	if l.gen > r.gen && slices.Contains(l.sent, r) { // it came as one of recovery.late
		return nil
	}
	l.remember(r, keep, most)
	switch l.state {
	case lineUp:
		return l.conn.Send(packets...)
	case lineClaimed:
		if !r.renewed {
			l.held = append(l.held, packets...)
		}
	}
	return engineio.ErrClosed
}

// remember appends. Where that needs room it first lets go what is too old or gone, and of too much the oldest quarter: in
// steps, so that each costs few moves. The lock is held.
func (l *line) remember(r *record, keep time.Duration, most int) {
	if len(l.sent) == cap(l.sent) || len(l.sent) >= most {
		n, since := 0, r.at.Add(-keep)
		for n < len(l.sent) && (l.sent[n].gone.Load() || l.sent[n].at.Before(since)) {
			n++
		}
		if len(l.sent) >= most {
			n = max(n, most/4, 1)
		}
		if n > 0 && n >= len(l.sent)/4 {
			l.floor = l.sent[n-1].seq
			l.sent = slices.Delete(l.sent, 0, n)
		}
	}
	l.sent = append(l.sent, r)
}

// missed lists the records behind an offset; known is false when the line does not remember it. The lock is held.
func (l *line) missed(seq uint64) (after []*record, known bool) {
	for i := len(l.sent) - 1; i >= 0; i-- {
		if l.sent[i].seq == seq {
			return l.sent[i+1:], true
		}
	}
	return l.sent, l.floor == seq
}

// down ends the way to a connection.
func (l *line) down() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn, l.state = nil, lineDown
}

// up sends what the client missed and is the way to its socket again; nothing that is sent meanwhile overtakes.
func (l *line) up(c *engineio.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.held) > 0 {
		_ = c.Send(l.held...) // an error means that the connection is ending: the client may come back once more
	}
	l.conn, l.held, l.state = c, nil, lineUp
}

// pid is the private id of a session: who knows it, and has the same rights, may have the session.
type pid [16]byte

// pidText is base64 without padding, 22 characters.
var pidText = base64.RawURLEncoding.Strict()

func newPID() (p pid) {
	_, _ = rand.Read(p[:]) // never fails (crypto/rand)
	return p
}

func (p pid) String() string { return pidText.EncodeToString(p[:]) }

func parsePID(v any) (p pid, ok bool) {
	s, isText := v.(string)
	if !isText || len(s) != pidText.EncodedLen(len(p)) {
		return p, false
	}
	n, err := pidText.Decode(p[:], []byte(s))
	return p, err == nil && n == len(p)
}
