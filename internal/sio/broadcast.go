package sio

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
}

// Broadcast encodes and frames an event once and queues it for every socket of the target, without ever blocking. It
// returns for how many. A client that is too slow is closed by the engine and not counted. The error tells of a call
// that could never work, and then nothing was sent: a reserved name, or what JSON cannot say.
func (s *Server) Broadcast(t Target, event string, args ...any) (sockets int, err error) {
	if t.Namespace == "" {
		t.Namespace = "/"
	}
	ps, err := encodeEvent(t.Namespace, nil, event, args)
	if err != nil {
		s.opts.Metrics.encodeErrors.Inc()
		return 0, err
	}
	sp := s.spaces[t.Namespace]
	if sp == nil {
		return 0, nil
	}
	recipients := sp.rooms.all
	if !t.All {
		recipients = func() []*Socket { return sp.rooms.in(t.Rooms) }
	}
	for _, sock := range recipients() {
		if sock.id == t.Except || t.Only != nil && !t.Only(sock) {
			continue
		}
		if sock.send(ps...) == nil {
			sockets++
		}
	}
	s.opts.Metrics.broadcastSize.Observe(float64(sockets))
	return sockets, nil
}
