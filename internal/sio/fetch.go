package sio

import (
	"context"

	"github.com/citaplanner/realtime/pkg/engineio"
)

// fetch restores a client whose session another process had, one that died among them, and one that other processes have sent
// something meanwhile. result is "" where that is nothing to fetch: then memory decides.
func (r *recovery) fetch(ctx context.Context, sp *space, id pid, seq uint64, now any) (l *line, data any, result string) {
	group := r.opts.Group(now)
	if group == "" {
		return nil, nil, ""
	}
	var own *SharedSession // newer than what is shared
	c, err := r.sharing.to.Claim(ctx, id.String(), group, func(s *SharedSession, here, elsewhere bool) bool {
		if here && !elsewhere {
			return false
		}
		before, err := r.opts.Load(s.Data)
		if err != nil || s.Group != group || s.Namespace != sp.name {
			result = refusedRights
			return false
		}
		var ok bool
		if data, ok = r.opts.Restore(before, now); !ok {
			result = refusedRights // before anything happens to the session: it is somebody else's
			return false
		}
		if l, own, ok = r.standIn(ctx, sp, id, s, before, here); !ok {
			l, result = nil, refusedBusy
		}
		return ok
	}, func(c *Claimed) bool { // a client is faster here than what it got from there last
		if own != nil {
			own.Node, own.At, own.After = c.Session.Node, c.Session.At, c.Session.After
			c.Session = own
		}
		base, _ := c.base(seq)
		return base != nil
	})
	switch {
	case l == nil:
		return nil, nil, result
	case err != nil:
		result = refusedUnavailable
	case c == nil:
		result = refusedBusy
	default:
		r.mu.Lock()
		l.doubt = own == nil && !c.Session.Away
		r.mu.Unlock()
		if r.load(l, c, seq) {
			return l, data, restoredElsewhere
		}
		result = refusedMissed
	}
	r.drop(l)
	return nil, nil, result
}

// drop gives up a line that nobody got.
func (r *recovery) drop(l *line) {
	r.mu.Lock()
	stand := l.socket
	if r.lines[l.pid] == l {
		r.end(l)
	}
	r.mu.Unlock()
	forget([]*Socket{stand})
}

// standIn makes the line of a session that comes from elsewhere, and puts what stands for its socket into its rooms: what is
// published from then on reaches it there. What this process had of the session is over; own is the last that it knew of it.
func (r *recovery) standIn(ctx context.Context, sp *space, id pid, s *SharedSession, before any, here bool) (
	l *line, own *SharedSession, ok bool,
) {
	old := r.line(id)
	if old != nil {
		if !r.free(ctx, old) {
			return nil, nil, false
		}
		if r.line(id) == nil { // it had been displaced
			old = nil
		} else if here {
			if own, _ = r.session(id, old.group); own == nil {
				return nil, nil, false
			}
		}
	}
	l = &line{id: s.SID, space: sp, pid: id, group: s.Group, state: lineClaimed}
	stand := &Socket{id: s.SID, space: sp, line: l}
	stand.SetData(before)
	o := r.sharing.order(s.Group)
	o.mu.Lock()
	defer o.mu.Unlock()
	r.mu.Lock()
	if r.lines[id] == nil { // displaced, or over, since: whose the session is, Claim says
		old = nil
	}
	if r.lines[id] != old || old != nil && old.away == nil || r.closed {
		r.mu.Unlock()
		return nil, nil, false // another client was faster
	}
	if old != nil {
		r.back(old)
		r.over(old)
	}
	r.lines[id], l.socket = l, stand
	r.mu.Unlock()
	l.n0 = r.sharing.n.Load()
	l.gen = r.sharing.gen.Add(1)
	if !sp.rooms.stand(stand, s.Rooms) {
		r.drop(l)
		return nil, nil, false
	}
	return l, own, true
}

func (r *recovery) line(id pid) *line {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lines[id]
}

// load gives a line what its client missed; false: that is not known, or too much.
func (r *recovery) load(l *line, c *Claimed, seq uint64) bool {
	events, base, ok := c.missed(seq)
	if !ok {
		return false
	}
	var sent []*record
	var held []*engineio.Packet
	bytes := 0
	for _, e := range events {
		if e.Node == c.Node && e.N > l.n0 {
			continue // it has reached what stands for the socket
		}
		e.once.Do(func() {
			e.rec = &record{seq: e.Seq, at: r.now()}
			r.keep(e.rec, e.Packets, e.Group)
		})
		sent = append(sent, e.rec)
		held = append(held, e.Packets...)
		for _, p := range e.Packets {
			bytes += p.Size() + perPacket
		}
	}
	if bytes > r.most || len(sent) > r.opts.Events {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state != lineClaimed {
		return false
	}
	l.floor, l.sent, l.held = seq, append(sent, l.sent...), append(held, l.held...)
	l.base, l.at = base, c.Pos
	return true
}
