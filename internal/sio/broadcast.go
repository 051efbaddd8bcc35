package sio

import (
	"slices"

	"github.com/citaplanner/realtime/pkg/engineio"
)

// Target says who gets a broadcast. The zero Target is nobody.
type Target struct {
	// Rooms whose sockets get it; a socket in several gets it once. The id of a socket is a room of that socket alone.
	Rooms []string
	// All sends to every socket of the namespace, whatever Rooms says.
	All bool
	// Except is the id of a socket that does not get it.
	Except string
	// Only leaves out the sockets for which it is false; nil is all. No lock is held while it runs.
	Only func(*Socket) bool
	// Namespace; "" is "/".
	Namespace string
	// Group is whose event it is with Recovery.Shared; all recipients are of it. "": other processes do not find it. They cannot
	// ask Only, and take its sockets to be those of the group.
	Group string
}

// Broadcast encodes and frames an event once and queues it for every socket of the target, without ever blocking. It
// returns for how many. A client that is too slow is closed by the engine and not counted. The error tells of a call
// that could never work, and then nothing was sent: a reserved name, or what JSON cannot say.
func (s *Server) Broadcast(t Target, event string, args ...any) (sockets int, err error) {
	m, err := s.Encode(t, event, args...)
	if err != nil {
		return 0, err
	}
	return s.Send(m, s.Recipients(t), false), nil
}

// Encoded is an event, framed once for any number of sockets.
type Encoded struct {
	packets []*engineio.Packet
	record  *record // nil without recovery
}

// Size is the number of bytes that it holds.
func (m Encoded) Size() int {
	n := 0
	for _, p := range m.packets {
		n += p.Size()
	}
	return n
}

// Encode is the first part of Broadcast, before Recipients.
func (s *Server) Encode(t Target, event string, args ...any) (Encoded, error) {
	return s.encode(t, false, event, args)
}

func (s *Server) encode(t Target, renewed bool, event string, args []any) (Encoded, error) {
	if t.Namespace == "" {
		t.Namespace = "/"
	}
	r := s.recovery.record(renewed)
	if r != nil {
		args = append(slices.Clip(args), r.offset())
	}
	ps, err := encodeEvent(t.Namespace, nil, event, args)
	switch {
	case err != nil:
		s.opts.Metrics.encodeErrors.Inc()
	case r != nil:
		s.recovery.share(r, t, ps)
	}
	return Encoded{ps, r}, err
}

// Recipients lists the sockets of a target as it is now. Among them are, for Send alone, those that stand for clients which
// are away and may come back: nothing but ID, Namespace and Data may be asked of these.
func (s *Server) Recipients(t Target) []*Socket {
	if t.Namespace == "" {
		t.Namespace = "/"
	}
	sp := s.spaces[t.Namespace]
	if sp == nil {
		return nil
	}
	var all []*Socket
	if t.All {
		all = sp.rooms.everybody()
	} else {
		all = sp.rooms.reach(t.Rooms)
	}
	return slices.DeleteFunc(all, func(sock *Socket) bool {
		return sock.id == t.Except || t.Only != nil && !t.Only(sock)
	})
}

// Send is the last part of Broadcast: it queues an event for sockets and returns for how many. Those that are gone or away, or
// too slow, do not count. more says that there is another call for the rest of the recipients.
func (s *Server) Send(m Encoded, to []*Socket, more bool) (sockets int) {
	if m.record != nil && len(to) > 0 {
		s.recovery.keep(m.record, m.packets, to[0].line.group)
	}
	if o := s.recovery.lock(m.record); o != nil {
		defer o.mu.Unlock()
		for _, sock := range s.late(m.record, s.recovery.place(o, m.record, more)) {
			_ = sock.deliver(m)
		}
	}
	for _, sock := range to {
		if sock.deliver(m) == nil {
			sockets++
		}
	}
	s.opts.Metrics.broadcastSize.Observe(float64(sockets))
	return sockets
}
