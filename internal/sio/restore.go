package sio

import (
	"context"
	"slices"
	"time"

	"github.com/citaplanner/realtime/pkg/engineio"
)

// The ends of a try to come back, as the metric shows them.
const (
	restored         = "restored"
	refusedUnknown   = "unknown"   // no such session: too late, given up, or of another process
	refusedMalformed = "malformed" // not what this server hands out
	refusedRights    = "rights"    // another user, or other rights
	refusedMissed    = "missed"    // not all that was missed is still there, or it is too much
	refusedBusy      = "busy"      // the session's old connection does not end, or another client is taking it

	restoredElsewhere  = "restored_elsewhere" // from what other processes, or this one before a restart, have left
	refusedUnavailable = "unavailable"        // what is shared does not answer
)

// returning is how a connection may end whose client can come back for its session: by accident. Everything else is what
// somebody wanted, or a client that broke the protocol.
var returning = map[string]bool{
	engineio.CloseClient.Code:    true, // a page that closes its transport but not its socket
	engineio.CloseTransport.Code: true, engineio.CloseError.Code: true, engineio.ClosePingTimeout.Code: true,
	engineio.CloseSlow.Code: true,
}

// open makes the line of a socket that joins for the first time.
func (r *recovery) open(sp *space, data any) *line {
	return &line{space: sp, pid: newPID(), group: r.opts.Group(data)}
}

// joined makes a line known, and its socket the one that is in the rooms.
func (r *recovery) joined(l *line, s *Socket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines[l.pid] = l
	l.socket = s
}

// restore looks for the session that a CONNECT packet asks for, and takes it: nobody else gets it, and nothing that its
// client missed is dropped any more. data are what Authenticate said. It returns nil where the client has to start anew; lost is then
// when it was last there for its session, zero where that is not known, and nil where there was none.
func (r *recovery) restore(ctx context.Context, sp *space, auth map[string]any, now any) (l *line, data any, lost *time.Time) {
	if auth["pid"] == nil {
		return nil, nil, nil // a first connection
	}
	l, data, result := r.take(ctx, sp, auth, now)
	r.metrics.recoveries.WithLabelValues(result).Inc()
	if l == nil && result != refusedMalformed {
		left := r.departed(auth["pid"])
		lost = &left
	}
	return l, data, lost
}

// departed is when the client of a session that is over was last there; zero where that is not known.
func (r *recovery) departed(asked any) time.Time {
	id, _ := parsePID(asked)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.gone.at[id]
}

func (r *recovery) take(ctx context.Context, sp *space, auth map[string]any, now any) (*line, any, string) {
	id, ok := parsePID(auth["pid"])
	seq, ok2 := parseOffset(auth["offset"])
	if !ok || !ok2 {
		return nil, nil, refusedMalformed
	}
	if r.sharing != nil {
		if l, data, result := r.fetch(ctx, sp, id, seq, now); result != "" {
			return l, data, result
		}
	}
	r.mu.Lock()
	l := r.lines[id]
	var s *Socket
	if l != nil {
		s = l.socket
	}
	r.mu.Unlock()
	if s == nil || l.space != sp {
		return nil, nil, refusedUnknown
	}
	data, ok := r.opts.Restore(s.Data(), now)
	if !ok {
		return nil, nil, refusedRights // before anything happens to the session: it is somebody else's
	}
	if !r.free(ctx, l) {
		return nil, nil, refusedBusy
	}
	result := r.claim(l, seq)
	if result != restored {
		return nil, nil, result
	}
	return l, data, restored
}

// free waits until a session's client counts as away. A client knows of a broken network long before its server does
// (the heartbeat's end): its old connection ends then, in its own order, before the new one goes on.
func (r *recovery) free(ctx context.Context, l *line) bool {
	r.mu.Lock()
	s := l.socket
	if l.away != nil || r.lines[l.pid] != l || s.conn == nil { // no conn: another client has claimed it and is about to join
		r.mu.Unlock()
		return true // claim sees which
	}
	left := make(chan struct{})
	l.waiting = append(l.waiting, left)
	r.mu.Unlock()
	s.conn.eng.Do(s.conn.supersede) // where it does not run, the end is under way
	select {
	case <-left:
		return true
	case <-ctx.Done():
		return false
	}
}

// claim takes a session whose client is away and all that it missed behind an offset.
func (r *recovery) claim(l *line, seq uint64) (result string) {
	var over []*Socket
	defer func() { forget(over) }()
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.lines[l.pid] != l:
		return refusedUnknown
	case l.away == nil:
		return refusedBusy
	case r.now().After(l.away.until):
		over = append(over, r.end(l))
		return refusedUnknown
	}
	l.mu.Lock()
	after, known := l.missed(seq)
	var held []*engineio.Packet
	bytes := 0
	for _, rec := range after {
		if rec.renewed {
			continue
		}
		known = known && rec.packets != nil
		held = append(held, rec.packets...)
		bytes += rec.size
	}
	if known && bytes <= r.most {
		l.held, l.state = held, lineClaimed
	}
	l.mu.Unlock()
	if !known || bytes > r.most {
		over = append(over, r.end(l)) // its client gets another one
		return refusedMissed
	}
	r.back(l)
	l.doubt = false
	return restored
}

// left hears that a socket is gone, when nothing of it runs any more; stand is what is in its rooms until its client comes
// back, nil where it cannot.
func (r *recovery) left(l *line, stand *Socket) {
	var over []*Socket
	r.mu.Lock()
	switch {
	case r.lines[l.pid] != l: // it never joined, or is over already
		r.over(l)
	case stand == nil:
		over = append(over, r.end(l))
	case r.closed && r.sharing == nil:
		l.socket = stand
		over = append(over, r.end(l))
	default:
		l.socket = stand
		k := r.group(l.group)
		a := &away{line: l, until: r.now().Add(r.opts.Time)}
		a.place = k.away.PushBack(a)
		l.away = a
		r.away++
		r.save(l)
		if k.away.Len() > r.opts.Sessions && !r.closed { // a process that ends has all of them away for a moment
			over = append(over, r.end(k.away.Front().Value.(*away).line))
		}
		if r.away > r.opts.TotalSessions && !r.closed {
			over = append(over, r.end(r.crowded().away.Front().Value.(*away).line))
		}
		r.metrics.recoverySessions.Set(float64(r.away))
		r.arm()
	}
	for _, ch := range l.waiting {
		close(ch)
	}
	l.waiting = nil
	r.mu.Unlock()
	forget(over)
}

// crowded is the group with the most clients away. The lock is held, as for all below.
func (r *recovery) crowded() *kept {
	var most *kept
	for _, k := range r.groups {
		if most == nil || k.away.Len() > most.away.Len() {
			most = k
		}
	}
	return most
}

// back takes a session from those whose clients are away.
func (r *recovery) back(l *line) {
	if l.away != nil {
		r.groups[l.group].away.Remove(l.away.place)
		l.away = nil
		r.away--
		r.metrics.recoverySessions.Set(float64(r.away))
	}
}

// end gives a session up and returns what has to leave its rooms.
func (r *recovery) end(l *line) *Socket {
	switch {
	case l.away != nil:
		r.gone.add(l.pid, l.away.until.Add(-r.opts.Time))
	case l.socket.conn != nil:
		r.gone.add(l.pid, r.now())
	}
	r.back(l)
	delete(r.lines, l.pid)
	r.save(l) // there is none: it is over for all
	r.over(l)
	return l.socket
}

func (r *recovery) over(l *line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn, l.sent, l.held, l.state = nil, nil, nil, lineOver
}

// Forget gives up the sessions of clients that are away and whose data match: they cannot be restored any more.
func (s *Server) Forget(match func(data any) bool) {
	if s.recovery == nil {
		return
	}
	var gone []*Socket
	for _, sp := range s.spaces {
		gone = append(gone, sp.rooms.absent()...)
	}
	forget(slices.DeleteFunc(gone, func(stand *Socket) bool { return !match(stand.Data()) || !s.recovery.giveUp(stand.line) }))
}

// giveUp ends a session whose client is still away, and reports whether it was.
func (r *recovery) giveUp(l *line) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.away == nil {
		return false
	}
	r.end(l)
	return true
}
