package sio

import (
	"github.com/zishang520/engine.io/v2/types"
	"github.com/zishang520/socket.io-go-parser/v2/parser"
	"github.com/zishang520/socket.io/v2/socket"
)

// adapters makes the adapter of each namespace of the library.
type adapters struct{}

var _ socket.AdapterConstructor = adapters{}

// New returns an adapter with no rooms.
func (adapters) New(nsp socket.Namespace) socket.Adapter {
	a := &adapter{Adapter: socket.MakeAdapter(), rooms: newRooms()}
	a.Prototype(a)
	a.Construct(nsp)
	return a
}

// adapter is what the library knows of rooms: the same as rooms. Everything that the library's adapter does by its own
// maps is overridden; what is left of it are the emitter and the parts for clusters, which do nothing.
//
// Our own sends do not pass here (see Server.Broadcast): this is for what the library itself, or code that holds one of
// its objects, may ask.
type adapter struct {
	socket.Adapter
	rooms *rooms
}

var _ socket.Adapter = (*adapter)(nil)

// AddAll joins. The library joins a new socket to its own room before the socket is known here: that needs no entry.
func (a *adapter) AddAll(id socket.SocketId, rooms *types.Set[socket.Room]) {
	a.rooms.join(string(id), names(rooms)...)
}

// RestoreSession gives the library's socket the id that it had. Who is restored is decided before the library hears of it,
// and then the offset that it sees is that id (see attempt.session).
func (a *adapter) RestoreSession(pid socket.PrivateSessionId, id string) (*socket.Session, error) {
	return &socket.Session{SessionToPersist: &socket.SessionToPersist{Sid: socket.SocketId(id), Pid: pid,
		Rooms: types.NewSet[socket.Room]()}}, nil
}

// Del leaves a room.
func (a *adapter) Del(id socket.SocketId, room socket.Room) { a.rooms.part(string(id), string(room)) }

// DelAll leaves all rooms; the library calls it when a socket goes.
func (a *adapter) DelAll(id socket.SocketId) { a.rooms.leave(string(id)) }

// Broadcast encodes once and sends to the rooms of opts.
func (a *adapter) Broadcast(p *parser.Packet, opts *socket.BroadcastOptions) {
	if e, err := encode(p.Type, a.Nsp().Name(), p.Id, p.Data); err == nil {
		ps := e.packets()
		for _, s := range a.chosen(opts) {
			_ = s.send(ps...)
		}
	}
}

// BroadcastWithAck is Broadcast; every recipient's acknowledgement goes to ack.
func (a *adapter) BroadcastWithAck(p *parser.Packet, opts *socket.BroadcastOptions, count func(uint64),
	ack socket.Ack) {
	id := a.Nsp().Ids()
	p.Id = &id
	chosen := a.chosen(opts)
	for _, s := range chosen {
		s.lib.Acks().Store(id, ack)
	}
	a.Broadcast(p, opts)
	count(uint64(len(chosen)))
}

// Sockets lists who is in the rooms.
func (a *adapter) Sockets(rooms *types.Set[socket.Room]) *types.Set[socket.SocketId] {
	ids := types.NewSet[socket.SocketId]()
	for _, s := range a.chosen(&socket.BroadcastOptions{Rooms: rooms}) {
		ids.Add(socket.SocketId(s.id))
	}
	return ids
}

// SocketRooms lists a socket's rooms, its own among them; nil when it is gone.
func (a *adapter) SocketRooms(id socket.SocketId) *types.Set[socket.Room] {
	in, known := a.rooms.of(string(id))
	if !known {
		return nil
	}
	set := types.NewSet(socket.Room(id))
	for _, room := range in {
		set.Add(socket.Room(room))
	}
	return set
}

// Rooms is a copy of the rooms and who is in them.
func (a *adapter) Rooms() *types.Map[socket.Room, *types.Set[socket.SocketId]] {
	m := &types.Map[socket.Room, *types.Set[socket.SocketId]]{}
	for _, name := range a.rooms.names() {
		m.Store(socket.Room(name), a.Sockets(types.NewSet(socket.Room(name))))
	}
	return m
}

// Sids is a copy of the sockets and where they are.
func (a *adapter) Sids() *types.Map[socket.SocketId, *types.Set[socket.Room]] {
	m := &types.Map[socket.SocketId, *types.Set[socket.Room]]{}
	for _, s := range a.rooms.all() {
		m.Store(socket.SocketId(s.id), a.SocketRooms(socket.SocketId(s.id)))
	}
	return m
}

// FetchSockets lists the library's sockets in the rooms of opts.
func (a *adapter) FetchSockets(opts *socket.BroadcastOptions) func(func([]socket.SocketDetails, error)) {
	return func(callback func([]socket.SocketDetails, error)) {
		chosen := a.chosen(opts)
		details := make([]socket.SocketDetails, 0, len(chosen))
		for _, s := range chosen {
			details = append(details, s.lib)
		}
		callback(details, nil)
	}
}

// AddSockets joins the sockets in the rooms of opts to more rooms.
func (a *adapter) AddSockets(opts *socket.BroadcastOptions, rooms []socket.Room) {
	for _, s := range a.chosen(opts) {
		s.lib.Join(rooms...)
	}
}

// DelSockets takes the sockets in the rooms of opts out of rooms.
func (a *adapter) DelSockets(opts *socket.BroadcastOptions, rooms []socket.Room) {
	for _, s := range a.chosen(opts) {
		for _, room := range rooms {
			s.lib.Leave(room)
		}
	}
}

// DisconnectSockets kicks the sockets in the rooms of opts, each in the order of its connection.
func (a *adapter) DisconnectSockets(opts *socket.BroadcastOptions, _ bool) {
	for _, s := range a.chosen(opts) {
		s.Kick(Reason{Text: "server namespace disconnect", Label: "library"})
	}
}

// chosen reads opts as the library does: no rooms means everybody.
func (a *adapter) chosen(opts *socket.BroadcastOptions) []*Socket {
	if opts == nil {
		return a.rooms.all()
	}
	in := a.rooms.all
	if rooms := names(opts.Rooms); len(rooms) > 0 {
		in = func() []*Socket { return a.rooms.in(rooms) }
	}
	except := map[*Socket]bool{}
	if rooms := names(opts.Except); len(rooms) > 0 {
		for _, s := range a.rooms.in(rooms) {
			except[s] = true
		}
	}
	var out []*Socket
	for _, s := range in() {
		if !except[s] {
			out = append(out, s)
		}
	}
	return out
}

func names(set *types.Set[socket.Room]) []string {
	if set == nil {
		return nil
	}
	keys := set.Keys()
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = string(k)
	}
	return out
}
