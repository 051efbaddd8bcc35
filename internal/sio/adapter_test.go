package sio

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zishang520/engine.io/v2/types"
	"github.com/zishang520/socket.io/v2/socket"
)

// What the library's own objects say and do is what our rooms say and do.
func TestTheLibraryWorksOnOurRooms(t *testing.T) {
	t.Parallel()
	r := serve(t, Options{})
	a, idA := joined(t, r.url)
	b, idB := joined(t, r.url)
	sa, sb := r.socket(idA), r.socket(idB)
	sa.Join("x", "y")
	nsp := r.spaces["/"].lib
	adapter := nsp.Adapter()

	t.Run("reads", func(t *testing.T) {
		require.ElementsMatch(t, []socket.Room{"x", "y", socket.Room(idA)}, sa.lib.Rooms().Keys())
		require.ElementsMatch(t, []socket.Room{"x", "y"}, adapter.Rooms().Keys())
		require.ElementsMatch(t, []socket.SocketId{socket.SocketId(idA), socket.SocketId(idB)}, adapter.Sids().Keys())
		require.Equal(t, []socket.SocketId{socket.SocketId(idA)}, adapter.Sockets(types.NewSet[socket.Room]("x")).Keys())
		require.Nil(t, adapter.SocketRooms("nobody"))
		nsp.In("x").FetchSockets()(func(remote []*socket.RemoteSocket, err error) {
			require.NoError(t, err)
			require.Len(t, remote, 1)
			require.EqualValues(t, idA, remote[0].Id())
		})
	})
	t.Run("joins and leaves", func(t *testing.T) {
		nsp.In("x").SocketsJoin("z")
		sb.lib.Join("z")
		require.Equal(t, 2, r.InRoom("z"))
		require.Equal(t, []string{"x", "y", "z"}, sa.Rooms())
		nsp.In("z").Except("x").SocketsLeave("z")
		require.Equal(t, 1, r.InRoom("z"))
	})
	t.Run("emits", func(t *testing.T) {
		require.NoError(t, nsp.To("x").Emit("to x", 1))
		a.want(`2["to x",1]`)
		require.NoError(t, nsp.Except("x").Emit("not to x", []byte{1}))
		b.want(`51-["not to x",{"_placeholder":true,"num":0}]`)
		b.wantBinary([]byte{1})
		require.NoError(t, sb.lib.Emit("from the socket"))
		b.want(`2["from the socket"]`)
		require.NoError(t, nsp.Emit("cannot be", make(chan int)))
		a.wantNothing()
		b.wantNothing()
	})
	t.Run("asks", func(t *testing.T) {
		answers := make(chan []any, 1)
		nsp.To("x").Timeout(wait).EmitWithAck("question")(func(args []any, err error) {
			if err == nil {
				answers <- args
			}
		})
		text := a.text()
		a.send("3" + text[1:len(text)-len(`["question"]`)] + `["yes"]`)
		require.Equal(t, []any{"yes"}, <-answers)
	})
	t.Run("disconnects", func(t *testing.T) {
		nsp.In("x").DisconnectSockets(true)
		a.want("1")
		a.wantClosed()
		r.wantLeft(idA, "server namespace disconnect")
		b.wantNothing()
	})
}

// Membership survives any order of joining and leaving (the gap that one leaves is closed with the last).
func TestRoomsHoldWhoJoined(t *testing.T) {
	t.Parallel()
	r := newRooms()
	want := map[string]map[string]bool{}
	var all []*Socket
	for i := range 50 {
		s := &Socket{id: string(rune('A' + i))}
		all = append(all, s)
		r.enter(s)
	}
	rooms := []string{"r0", "r1", "r2", "r3"}
	for i := range 5000 {
		s, room := all[(i*7919)%len(all)], rooms[(i*104729+i/3)%len(rooms)]
		if want[room] == nil {
			want[room] = map[string]bool{}
		}
		if (i*31+i/7)%3 == 0 {
			r.part(s.id, room)
			delete(want[room], s.id)
		} else {
			r.join(s.id, room)
			want[room][s.id] = true
		}
		if i%100 != 0 {
			continue
		}
		for _, room := range rooms {
			got := map[string]bool{}
			for _, s := range r.in([]string{room}) {
				require.False(t, got[s.id], "twice")
				got[s.id] = true
			}
			require.Equal(t, len(want[room]), len(got))
			for id := range got {
				require.True(t, want[room][id])
			}
		}
	}
	for _, s := range all {
		r.leave(s.id)
		r.leave(s.id)
	}
	require.Empty(t, r.names())
	require.Zero(t, r.len())
}
