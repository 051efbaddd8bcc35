package sio

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestKickWithoutReturnSendsDisconnectAndClosesTheTransport(t *testing.T) {
	conformance(t, Options{Namespaces: []string{"/custom"}}, func(t *testing.T, r *rig, c *client) {
		id := c.join("/", "")
		other := c.join("/custom", "")
		s := r.socket(id)
		s.Join("room")
		require.NoError(t, s.Emit("last"))
		s.Kick(Reason{Text: "user inactive", Label: "user_inactive"})
		s.Kick(Reason{Text: "something else", Label: "late"})
		c.want(`2["last"]`)
		require.ElementsMatch(t, []string{"1", "1/custom,"}, []string{c.text(), c.text()})
		c.wantClosed()
		r.eventually("both disconnects", func() bool { return len(r.left) == 2 })
		require.ElementsMatch(t, []string{id + " user inactive", other + " user inactive"}, r.leavers())
		require.Zero(t, r.Len())
		require.Empty(t, r.Rooms())
		require.False(t, s.Connected())
		require.NoError(t, s.Emit("to nobody"))
	})
}

func TestKickWithReturnClosesTheTransportWithoutDisconnect(t *testing.T) {
	conformance(t, Options{}, func(t *testing.T, r *rig, c *client) {
		id := c.join("/", "")
		s := r.socket(id)
		require.NoError(t, s.Emit("last"))
		s.Kick(Reason{Text: "role changed", Label: "role_changed", Reconnects: true})
		r.wantLeft(id, "role changed")
		c.want(`2["last"]`)
		_, _, err := c.read(wait)
		require.ErrorIs(t, err, errGone)
	})
}

func TestKickFromWithinAHandlerIsAfterTheHandler(t *testing.T) {
	t.Parallel()
	var order []string // the connection's order is its lock
	r := serve(t, Options{
		OnEvent: func(s *Socket, e Event) {
			if e.Name == "go" {
				s.Kick(Reason{Text: "asked to"})
				order = append(order, "event")
			}
		},
		OnDisconnect: func(*Socket, string) { order = append(order, "disconnect") },
	})
	c, id := joined(t, r.url)
	c.send(`2["go"]`)
	c.want("1")
	r.wantLeft(id, "asked to")
	require.Equal(t, []string{"event", "disconnect"}, order)
}

func TestBroadcast(t *testing.T) {
	t.Parallel()
	r := serve(t, Options{Namespaces: []string{"/custom"}, OnConnect: func(s *Socket) { s.Join("all") }})
	a, idA := joined(t, r.url)
	b, idB := joined(t, r.url)
	c := dialPolling(t, r.url)
	idC := c.join("/", "")
	elsewhere := dial(t, r.url)
	elsewhere.join("/custom", "")
	// CONNECT is answered, and the socket counted, before OnConnect has run.
	r.eventually("four sockets", func() bool { return r.Len() == 4 && r.InRoom("all") == 3 })
	r.socket(idA).Join("some", "more")

	t.Run("a room, each socket once, and not those of other namespaces", func(t *testing.T) {
		n, err := r.Broadcast(Target{Rooms: []string{"all", "some", "more", idA, "nobody"}}, "x", map[string]any{"n": 1})
		require.NoError(t, err)
		require.Equal(t, 3, n)
		for _, c := range []*client{a, b, c} {
			c.want(`2["x",{"n":1}]`)
			c.wantNothing()
		}
		elsewhere.send(`2/custom,1["echo"]`)
		elsewhere.want(`3/custom,1[]`)
	})
	t.Run("but one, and only some", func(t *testing.T) {
		notC := func(s *Socket) bool { return s.ID() != idC }
		n, err := r.Broadcast(Target{Rooms: []string{"all"}, Except: idA, Only: notC}, "x")
		require.NoError(t, err)
		require.Equal(t, 1, n)
		b.want(`2["x"]`)
		a.wantNothing()
		c.wantNothing()
	})
	t.Run("a socket's id is its room", func(t *testing.T) {
		n, err := r.Broadcast(Target{Rooms: []string{idB}}, "x", []byte{1, 2})
		require.NoError(t, err)
		require.Equal(t, 1, n)
		b.want(`51-["x",{"_placeholder":true,"num":0}]`)
		b.wantBinary([]byte{1, 2})
	})
	t.Run("no rooms is nobody", func(t *testing.T) {
		n, err := r.Broadcast(Target{}, "x")
		require.NoError(t, err)
		require.Zero(t, n)
		n, err = r.Broadcast(Target{All: true, Namespace: "/unknown"}, "x")
		require.NoError(t, err)
		require.Zero(t, n)
	})
	t.Run("everybody", func(t *testing.T) {
		n, err := r.Broadcast(Target{All: true}, "x")
		require.NoError(t, err)
		require.Equal(t, 3, n)
		n, err = r.Broadcast(Target{All: true, Namespace: "/custom"}, "x")
		require.NoError(t, err)
		require.Equal(t, 1, n)
		elsewhere.want(`2/custom,["x"]`)
	})
	t.Run("what cannot be sent is an error and goes to nobody", func(t *testing.T) {
		n, err := r.Broadcast(Target{All: true}, "x", math.NaN())
		require.ErrorIs(t, err, ErrEncode)
		require.Zero(t, n)
		_, err = r.Broadcast(Target{All: true}, "disconnect")
		require.ErrorIs(t, err, ErrReserved)
	})
}

func TestRoomsAreForgottenWhenEmpty(t *testing.T) {
	t.Parallel()
	r := serve(t, Options{})
	a, idA := joined(t, r.url)
	b, idB := joined(t, r.url)
	sa, sb := r.socket(idA), r.socket(idB)
	sa.Join("x", "y", "x")
	sb.Join("x")
	require.Equal(t, []string{"x", "y"}, sa.Rooms())
	require.Equal(t, []string{"x", "y"}, r.Rooms())
	require.Equal(t, 2, r.InRoom("x"))
	require.Equal(t, 1, r.InRoom(idA))
	sa.Leave("x", "never joined")
	require.Equal(t, []string{"y"}, sa.Rooms())
	a.close()
	r.eventually("y to be empty", func() bool { return len(r.Rooms()) == 1 })
	sa.Join("z") // too late
	require.Equal(t, []string{"x"}, r.Rooms())
	require.Zero(t, r.InRoom(idA))
	require.Nil(t, r.Get(idA))
	require.Same(t, sb, r.Get(idB))
	b.close()
	r.eventually("no rooms", func() bool { return len(r.Rooms()) == 0 && r.Len() == 0 })
}

func TestDataAndEach(t *testing.T) {
	t.Parallel()
	r := serve(t, Options{Authenticate: func(_ context.Context, hs Handshake) (any, *ConnectError) {
		return hs.Auth["name"], nil
	}})
	for _, name := range []string{"a", "b", "c"} {
		dial(t, r.url).join("/", `{"name":"`+name+`"}`)
	}
	require.Eventually(t, func() bool { return r.Len() == 3 }, wait, time.Millisecond, "CONNECT is answered first")
	var seen []string
	r.Each(func(s *Socket) bool { seen = append(seen, s.Data().(string)); return true })
	require.ElementsMatch(t, []string{"a", "b", "c"}, seen)
	n := 0
	r.Each(func(s *Socket) bool { n++; s.SetData("new"); require.Equal(t, "new", s.Data()); return false })
	require.Equal(t, 1, n)
}

func TestHandshakeIsForgottenOnceJoined(t *testing.T) {
	t.Parallel()
	var before atomic.Bool
	r := serve(t, Options{Authenticate: func(_ context.Context, hs Handshake) (any, *ConnectError) {
		before.Store(hs.Conn.Handshake().Query.Get("EIO") == "4" && hs.Namespace == "/")
		return nil, nil
	}})
	_, id := joined(t, r.url)
	s := r.socket(id)
	require.True(t, before.Load())
	require.Nil(t, s.Conn().Handshake())
	require.NotEmpty(t, s.RemoteAddr())
	require.Empty(t, s.lib.Handshake().Headers)
	require.Nil(t, s.lib.Handshake().Auth)
}

func TestEmitAck(t *testing.T) {
	t.Parallel()
	type answer struct {
		args []any
		err  error
	}
	ask := func(t *testing.T, s *Socket, timeout time.Duration, args ...any) chan answer {
		t.Helper()
		got := make(chan answer, 2)
		require.NoError(t, s.EmitAck(timeout, "ask", args, func(args []any, err error) { got <- answer{args, err} }))
		return got
	}
	// question returns the id of the question that the client got.
	question := func(t *testing.T, c *client) string {
		t.Helper()
		rest, ok := strings.CutPrefix(c.text(), "2")
		require.True(t, ok)
		id, _, _ := strings.Cut(rest, "[")
		return id
	}
	t.Run("is answered once", func(t *testing.T) {
		t.Parallel()
		r := serve(t, Options{})
		c, id := joined(t, r.url)
		got := ask(t, r.socket(id), wait, 1)
		n := question(t, c)
		c.send("3" + n + `["yes",2]`)
		c.send("3" + n + `["again"]`)
		require.Equal(t, answer{[]any{"yes", 2.0}, nil}, <-got)
		c.wantNothing()
		require.Empty(t, got)
		require.Zero(t, r.socket(id).pending.Load())
	})
	t.Run("times out", func(t *testing.T) {
		t.Parallel()
		r := serve(t, Options{})
		c, id := joined(t, r.url)
		got := ask(t, r.socket(id), time.Nanosecond)
		require.Equal(t, answer{nil, ErrAckTimeout}, <-got)
		c.send("3" + question(t, c) + `["late"]`)
		c.wantNothing()
		require.Empty(t, got)
	})
	t.Run("ends with the socket, before OnDisconnect", func(t *testing.T) {
		t.Parallel()
		var answered atomic.Bool
		r := serve(t, Options{OnDisconnect: func(*Socket, string) {
			if !answered.Load() {
				t.Error("OnDisconnect came first")
			}
		}})
		c, id := joined(t, r.url)
		s := r.socket(id)
		require.NoError(t, s.EmitAck(wait, "ask", nil, func(_ []any, err error) {
			answered.Store(errors.Is(err, ErrDisconnected))
		}))
		question(t, c)
		c.close()
		r.wantLeft(id, "transport close")
		require.ErrorIs(t, s.EmitAck(wait, "ask", nil, func([]any, error) { t.Error("called") }), ErrDisconnected)
	})
	t.Run("a panic in the answer disturbs nobody", func(t *testing.T) {
		t.Parallel()
		r := serve(t, Options{})
		c, id := joined(t, r.url)
		require.NoError(t, r.socket(id).EmitAck(wait, "ask", nil, func([]any, error) { panic("bad answer") }))
		c.send("3" + question(t, c) + `[]`)
		c.wantNothing()
	})
	t.Run("is bounded", func(t *testing.T) {
		t.Parallel()
		r := serve(t, Options{MaxPendingAcks: 2})
		_, id := joined(t, r.url)
		s := r.socket(id)
		never := func([]any, error) {}
		require.NoError(t, s.EmitAck(wait, "ask", nil, never))
		require.NoError(t, s.EmitAck(wait, "ask", nil, never))
		require.ErrorIs(t, s.EmitAck(wait, "ask", nil, never), ErrTooManyAcks)
	})
	t.Run("cannot be encoded", func(t *testing.T) {
		t.Parallel()
		r := serve(t, Options{})
		_, id := joined(t, r.url)
		require.ErrorIs(t, r.socket(id).EmitAck(wait, "ask", []any{math.NaN()}, nil), ErrEncode)
	})
}

func TestAckOfAnEventCountsOnceAndOnlyWhenItCanBeEncoded(t *testing.T) {
	t.Parallel()
	r := serve(t, Options{OnEvent: func(_ *Socket, e Event) {
		if e.Name != "ask" {
			return
		}
		if err := e.Ack(make(chan int)); !errors.Is(err, ErrEncode) {
			t.Errorf("want ErrEncode, got %v", err)
		}
		for _, v := range []string{"first", "second"} {
			if err := e.Ack(v); err != nil {
				t.Error(err)
			}
		}
	}})
	c, _ := joined(t, r.url)
	c.send(`21["ask"]`)
	c.want(`31["first"]`)
	c.wantNothing()
	c.send(`2["quiet"]`)
	require.Nil(t, r.event(1).Ack)
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	t.Run("a panic is an outage", func(t *testing.T) {
		conformance(t, Options{Authenticate: func(context.Context, Handshake) (any, *ConnectError) { panic("boom") }},
			func(_ *testing.T, _ *rig, c *client) {
				c.send("0")
				c.want(`4{"data":{"code":"AUTH_UNAVAILABLE"},"message":"Authentication failed"}`)
			})
	})
	t.Run("has a deadline", func(t *testing.T) {
		o := Options{AuthTimeout: 50 * time.Millisecond,
			Authenticate: func(ctx context.Context, _ Handshake) (any, *ConnectError) {
				<-ctx.Done()
				return nil, &ConnectError{Message: "too slow"}
			}}
		conformance(t, o, func(_ *testing.T, _ *rig, c *client) {
			c.send("0")
			c.want(`4{"message":"too slow"}`)
		})
	})
	t.Run("data that cannot be encoded is left away and the client still gets its answer", func(t *testing.T) {
		o := Options{Authenticate: func(context.Context, Handshake) (any, *ConnectError) {
			return nil, &ConnectError{Message: "no", Data: make(chan int)}
		}}
		conformance(t, o, func(_ *testing.T, _ *rig, c *client) {
			c.send("0")
			c.want(`4{"message":"no"}`)
		})
	})
	t.Run("a refused client may try again, but not for ever", func(t *testing.T) {
		var tries atomic.Int64
		o := Options{MaxConnects: 3, Authenticate: func(context.Context, Handshake) (any, *ConnectError) {
			tries.Add(1)
			return nil, &ConnectError{Message: "no"}
		}}
		r := serve(t, o)
		c := dial(t, r.url)
		for range 3 {
			c.send("0")
			c.want(`4{"message":"no"}`)
		}
		c.send("0")
		c.wantClosed()
		require.EqualValues(t, 3, tries.Load())
	})
	t.Run("unknown namespaces count too", func(t *testing.T) {
		r := serve(t, Options{MaxConnects: 2})
		c := dial(t, r.url)
		for range 2 {
			c.send("0/x")
			c.want(`4/x,{"message":"Invalid namespace"}`)
		}
		c.send("0/x")
		c.wantClosed()
	})
	t.Run("nothing else of the client is handled meanwhile, and everything after", func(t *testing.T) {
		release := make(chan struct{})
		r := serve(t, Options{Authenticate: func(context.Context, Handshake) (any, *ConnectError) {
			<-release
			return nil, nil
		}})
		c := dial(t, r.url)
		c.send("0")
		c.send(`2["early"]`)
		require.Zero(t, r.Len())
		close(release)
		require.Equal(t, "early", r.event(0).Name)
	})
}

func TestAPanicInACallbackIsItsOwn(t *testing.T) {
	t.Parallel()
	t.Run("OnConnect: the socket goes", func(t *testing.T) {
		conformance(t, Options{OnConnect: func(*Socket) { panic("boom") }}, func(t *testing.T, r *rig, c *client) {
			id := c.join("/", "")
			c.wantClosed()
			r.wantLeft(id, "forced server close")
		})
	})
	t.Run("OnDisconnect: the room is left all the same", func(t *testing.T) {
		o := Options{OnConnect: func(s *Socket) { s.Join("x") }, OnDisconnect: func(*Socket, string) { panic("boom") }}
		conformance(t, o, func(_ *testing.T, r *rig, c *client) {
			c.join("/", "")
			c.close()
			r.eventually("empty rooms", func() bool { return r.Len() == 0 && len(r.Rooms()) == 0 && r.Conns() == 0 })
		})
	})
}

func TestShutdownTellsEverySocketOnceAndLetsThemComeBack(t *testing.T) {
	t.Parallel()
	r := serve(t, Options{})
	ids := map[string]bool{}
	ends := make(chan error, 6) // how each client saw the end
	follow := func(c *client, text string, err error) {
		if err == nil && text != `2["last"]` {
			err = fmt.Errorf("want the last event, got %q", text)
		}
		if err == nil {
			text, _, err = c.read(wait) // no DISCONNECT packet: the client would stay away
		}
		if err == nil {
			err = fmt.Errorf("want the end, got %q", text)
		}
		ends <- err
	}
	for name, n := range map[string]int{"websocket": 5, "polling": 1} {
		for range n {
			c := links[name](t, r.url)
			ids[c.join("/", "")] = true
			go func() { text, _, err := c.read(wait); follow(c, text, err) }()
		}
	}
	r.eventually("six sockets", func() bool { return r.Len() == 6 })
	_, err := r.Broadcast(Target{All: true}, "last")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	require.NoError(t, r.Shutdown(ctx))
	for range 6 {
		require.ErrorIs(t, <-ends, errGone)
	}
	left := r.leavers()
	require.Len(t, left, 6)
	for _, l := range left {
		id, reason, _ := strings.Cut(l, " ")
		require.True(t, ids[id])
		require.Equal(t, "server shutting down", reason)
	}
	require.Zero(t, r.Len())
}

// Everything on a shared socket at once; the race detector is the judge.
func TestDefect17ASocketMayBeUsedByManyGoroutines(t *testing.T) {
	t.Parallel()
	r := serve(t, Options{})
	c, id := joined(t, r.url)
	s := r.socket(id)
	var acks atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 50 {
				s.Join("x")
				_ = s.Rooms()
				s.SetData(i)
				_ = s.Data()
				_ = s.Emit("x", i)
				_ = s.EmitAck(time.Duration(i)*time.Millisecond+1, "y", nil, func([]any, error) { acks.Add(1) })
				_, _ = r.Broadcast(Target{Rooms: []string{"x"}}, "z")
				s.Leave("x")
			}
		})
	}
	go func() {
		for {
			if _, _, err := c.read(wait); err != nil {
				return
			}
		}
	}()
	wg.Wait()
	s.Kick(Reason{Text: "enough"})
	r.wantLeft(id, "enough")
	r.eventually("all acknowledgements", func() bool { return acks.Load() == 400 })
}
