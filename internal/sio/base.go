package sio

import (
	"slices"
)

// Base says what a client had got when it was restored from what is shared, and so what it was owed. What it was sent then comes
// in the order of positions, which is not that in which its former process sent: a client that goes away again in the middle of
// it has got what it says and what is before it in that list, no more.
type Base struct {
	Seq   uint64 // the offset that it named
	Node  string // it had what this process published …
	N     uint64 // … up to this number,
	Seen  uint64 // and what others published up to this position;
	From  uint64 // it is owed nothing up to this one,
	Until uint64 // and all behind this one
	Low   uint64 // all of it lies behind this position
}

// owes tells whether the client still has to get an event that is for it.
func (b *Base) owes(e *SharedEvent) bool {
	switch {
	case e.Pos <= b.From:
		return false
	case e.Pos > b.Until:
		return true
	case e.Node == b.Node:
		return e.N > b.N
	default:
		return e.Pos > b.Seen
	}
}

// missed lists what a client missed that names this offset, and what that is based on; ok is false where it cannot be said for
// certain.
func (c *Claimed) missed(seq uint64) (events []*SharedEvent, base *Base, ok bool) {
	base, spread := c.base(seq)
	if base == nil || c.Trimmed > base.Low {
		return nil, nil, false
	}
	for _, e := range c.Events {
		if !base.owes(e) {
			continue
		}
		if e.Gap {
			return nil, nil, false
		}
		if !c.Session.gets(e) {
			continue
		}
		if e.Unsure && spread {
			return nil, nil, false
		}
		events = append(events, e)
	}
	return events, base, true
}

// base finds the place of an offset; nil: it has none that is known. spread says that it is that of an event which was sent in
// parts.
func (c *Claimed) base(seq uint64) (base *Base, spread bool) {
	s := c.Session
	if s.Base != nil && s.Base.Seq == seq { // nothing of what it was restored with has reached it
		return s.Base, false
	}
	for _, m := range s.Marks {
		if m.Seq == seq {
			low := s.At
			if m.Last {
				low = s.After
			}
			return &Base{Seq: seq, Node: s.Node, N: m.N, Seen: s.At, Until: c.Pos, Low: low}, false
		}
	}
	i := slices.IndexFunc(c.Events, func(e *SharedEvent) bool { return e.Seq == seq })
	if i < 0 || c.Events[i].Unsure {
		return nil, false
	}
	switch e := c.Events[i]; {
	case e.Node == s.Node && e.N > s.N0: // sent by the process that the session was of
		return &Base{Seq: seq, Node: s.Node, N: e.N, Seen: s.At, Until: c.Pos, Low: e.Pos}, e.Spread
	case s.Base != nil && e.Pos <= s.At && s.Base.owes(e): // in the middle of what it was restored with
		b := *s.Base
		b.Seq, b.From, b.Low = seq, e.Pos, e.Pos
		return &b, false
	}
	return nil, false
}

// gets tells whether an event is for the session's socket.
func (s *SharedSession) gets(e *SharedEvent) bool {
	if e.Group != s.Group || e.Namespace != s.Namespace || e.Except == s.SID {
		return false
	}
	return e.All || slices.ContainsFunc(e.Rooms, func(room string) bool { return room == s.SID || slices.Contains(s.Rooms, room) })
}
