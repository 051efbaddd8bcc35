package sio

import (
	"slices"
	"sync"
)

// rooms knows who is in which room of one namespace. A socket has its id for a room too, without an entry for it.
//
// A socket is known from enter to leave, and only a known one can join: one that is gone cannot come back as a ghost,
// whatever is still running on its behalf.
type rooms struct {
	mu      sync.Mutex // guards everything here and Socket.memberships; held for bookkeeping only, never while sending
	sockets map[string]*Socket
	members map[string][]*Socket // no empty ones
}

// membership is a socket's place in a room: members[room][at].
type membership struct {
	room string
	at   int
}

func newRooms() *rooms {
	return &rooms{sockets: map[string]*Socket{}, members: map[string][]*Socket{}}
}

func (r *rooms) enter(s *Socket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sockets[s.id] = s
}

// leave takes the socket out of every room.
func (r *rooms) leave(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sockets[id]
	if s == nil {
		return
	}
	delete(r.sockets, id)
	for _, m := range s.memberships {
		r.take(m)
	}
	s.memberships = nil
}

func (r *rooms) join(id string, names ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sockets[id]
	if s == nil {
		return
	}
	for _, name := range names {
		if name == s.id || slices.ContainsFunc(s.memberships, func(m membership) bool { return m.room == name }) {
			continue
		}
		s.memberships = append(s.memberships, membership{name, len(r.members[name])})
		r.members[name] = append(r.members[name], s)
	}
}

func (r *rooms) part(id string, names ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sockets[id]
	if s == nil {
		return
	}
	for _, name := range names {
		i := slices.IndexFunc(s.memberships, func(m membership) bool { return m.room == name })
		if i < 0 {
			continue
		}
		r.take(s.memberships[i])
		s.memberships = slices.Delete(s.memberships, i, i+1)
	}
}

// take closes the gap with the room's last member, so that leaving a large room costs as little as a small one.
func (r *rooms) take(m membership) {
	in := r.members[m.room]
	last := in[len(in)-1]
	in[m.at] = last
	in[len(in)-1] = nil
	if in = in[:len(in)-1]; len(in) == 0 {
		delete(r.members, m.room)
		return
	}
	r.members[m.room] = in
	if m.at == len(in) {
		return // it was the last one itself
	}
	for i := range last.memberships {
		if last.memberships[i].room == m.room {
			last.memberships[i].at = m.at
			return
		}
	}
}

// in lists the sockets that are in any of the rooms, each once.
func (r *rooms) in(names []string) []*Socket {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(names) == 1 {
		out := slices.Clone(r.members[names[0]])
		if s := r.sockets[names[0]]; s != nil {
			out = append(out, s)
		}
		return out
	}
	var out []*Socket
	seen := map[*Socket]bool{}
	add := func(s *Socket) {
		if s != nil && !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	for _, name := range names {
		add(r.sockets[name])
		for _, s := range r.members[name] {
			add(s)
		}
	}
	return out
}

func (r *rooms) all() []*Socket {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*Socket, 0, len(r.sockets))
	for _, s := range r.sockets {
		out = append(out, s)
	}
	return out
}

func (r *rooms) get(id string) *Socket {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sockets[id]
}

func (r *rooms) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.sockets)
}

func (r *rooms) count(name string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.members[name])
	if r.sockets[name] != nil {
		n++
	}
	return n
}

// names lists the rooms that somebody is in, sorted.
func (r *rooms) names() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]string, 0, len(r.members))
	for name := range r.members {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// of lists the rooms of a socket, without its own; known is false when it is gone.
func (r *rooms) of(id string) (names []string, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sockets[id]
	if s == nil {
		return nil, false
	}
	for _, m := range s.memberships {
		names = append(names, m.room)
	}
	return names, true
}
