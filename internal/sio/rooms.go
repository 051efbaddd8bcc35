package sio

import (
	"slices"
	"sync"
)

// rooms knows who is in which room of one namespace. A socket has its id for a room too, without an entry for it.
//
// A socket is known from enter to leave, and only a known one can join: one that is gone cannot come back as a ghost,
// whatever is still running on its behalf. Where its client may come back (see Recovery), something that stands for it
// takes its place in the same moment, so that no broadcast finds neither.
type rooms struct {
	mu   sync.Mutex // guards everything here and Socket.memberships; held for bookkeeping only, never while sending
	here index
	away index // what stands for the clients that are away
}

// index is who is in which room.
type index struct {
	sockets map[string]*Socket
	members map[string][]*Socket // no empty ones
}

// membership is a socket's place in a room: members[room][at].
type membership struct {
	room string
	at   int
}

func newRooms() *rooms { return &rooms{here: newIndex(), away: newIndex()} }

func newIndex() index { return index{sockets: map[string]*Socket{}, members: map[string][]*Socket{}} }

// enter makes a socket known; a recovered one takes over the rooms from what stood for it.
func (r *rooms) enter(s *Socket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.here.sockets[s.id] = s
	if stand := r.away.sockets[s.id]; stand != nil {
		for _, m := range stand.memberships {
			r.here.join(s, m.room)
		}
		r.away.leave(stand)
	}
}

// leave takes the socket out of every room.
func (r *rooms) leave(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.here.sockets[id]
	if s == nil {
		return
	}
	if s.line != nil && s.conn.lost {
		stand := &Socket{id: s.id, space: s.space, line: s.line} // without the connection: memory
		stand.data.Store(s.data.Load())
		r.away.sockets[id] = stand
		for _, m := range s.memberships {
			r.away.join(stand, m.room)
		}
	}
	r.here.leave(s)
}

// stand puts what stands for a client that was elsewhere into its rooms, in the place of what stood for it before. A socket that
// is here keeps its own.
func (r *rooms) stand(stand *Socket, names []string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.here.sockets[stand.id] != nil {
		return false
	}
	if old := r.away.sockets[stand.id]; old != nil {
		r.away.leave(old)
	}
	r.away.sockets[stand.id] = stand
	r.away.join(stand, names...)
	return true
}

// snapshot is the rooms and the data of a socket, or of what stands for it.
func (r *rooms) snapshot(id string) (names []string, data any, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.here.sockets[id]
	if s == nil {
		s = r.away.sockets[id]
	}
	if s == nil {
		return nil, nil, false
	}
	for _, m := range s.memberships {
		names = append(names, m.room)
	}
	return names, s.Data(), true
}

// forget takes what stood for a client that is away out of every room.
func (r *rooms) forget(stand *Socket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.away.sockets[stand.id] == stand {
		r.away.leave(stand)
	}
}

// standIn is what stands for a socket that is gone; nil when its client cannot come back.
func (r *rooms) standIn(s *Socket) *Socket {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.away.sockets[s.id]
}

// absent lists what stands for the clients that are away.
func (r *rooms) absent() []*Socket {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.away.all(nil)
}

func (r *rooms) join(id string, names ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.here.sockets[id]; s != nil {
		r.here.join(s, names...)
	}
}

func (r *rooms) part(id string, names ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.here.sockets[id]
	if s == nil {
		return
	}
	for _, name := range names {
		i := slices.IndexFunc(s.memberships, func(m membership) bool { return m.room == name })
		if i < 0 {
			continue
		}
		r.here.take(s.memberships[i])
		s.memberships = slices.Delete(s.memberships, i, i+1)
	}
}

// in lists the sockets that are in any of the rooms, each once.
func (r *rooms) in(names []string) []*Socket {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.here.in(names, nil)
}

// reach is in, and what stands for the clients that are away.
func (r *rooms) reach(names []string) []*Socket {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.here.in(names, nil)
	if len(r.away.sockets) > 0 {
		out = r.away.in(names, out)
	}
	return out
}

func (r *rooms) all() []*Socket {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.here.all(nil)
}

// everybody is all, and what stands for the clients that are away.
func (r *rooms) everybody() []*Socket {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.away.all(r.here.all(nil))
}

func (r *rooms) get(id string) *Socket {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.here.sockets[id]
}

func (r *rooms) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.here.sockets)
}

func (r *rooms) count(name string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.here.members[name])
	if r.here.sockets[name] != nil {
		n++
	}
	return n
}

// names lists the rooms that somebody is in, sorted.
func (r *rooms) names() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]string, 0, len(r.here.members))
	for name := range r.here.members {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// of lists the rooms of a socket, without its own; known is false when it is gone.
func (r *rooms) of(id string) (names []string, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.here.sockets[id]
	if s == nil {
		return nil, false
	}
	for _, m := range s.memberships {
		names = append(names, m.room)
	}
	return names, true
}

func (x index) join(s *Socket, names ...string) {
	for _, name := range names {
		if name == s.id || slices.ContainsFunc(s.memberships, func(m membership) bool { return m.room == name }) {
			continue
		}
		s.memberships = append(s.memberships, membership{name, len(x.members[name])})
		x.members[name] = append(x.members[name], s)
	}
}

func (x index) leave(s *Socket) {
	delete(x.sockets, s.id)
	for _, m := range s.memberships {
		x.take(m)
	}
	s.memberships = nil
}

// take closes the gap with the room's last member, so that leaving a large room costs as little as a small one.
func (x index) take(m membership) {
	in := x.members[m.room]
	last := in[len(in)-1]
	in[m.at] = last
	in[len(in)-1] = nil
	if in = in[:len(in)-1]; len(in) == 0 {
		delete(x.members, m.room)
		return
	}
	x.members[m.room] = in
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

// in appends the sockets that are in any of the rooms, each once.
func (x index) in(names []string, out []*Socket) []*Socket {
	if len(names) == 1 {
		out = append(out, x.members[names[0]]...)
		if s := x.sockets[names[0]]; s != nil {
			out = append(out, s)
		}
		return out
	}
	seen := map[*Socket]bool{}
	add := func(s *Socket) {
		if s != nil && !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	for _, name := range names {
		add(x.sockets[name])
		for _, s := range x.members[name] {
			add(s)
		}
	}
	return out
}

func (x index) all(out []*Socket) []*Socket {
	out = slices.Grow(out, len(x.sockets))
	for _, s := range x.sockets {
		out = append(out, s)
	}
	return out
}
