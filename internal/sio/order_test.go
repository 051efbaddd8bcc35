package sio

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/citaplanner/realtime/internal/leak"
	"github.com/citaplanner/realtime/pkg/engineio"
)

// 10,000 events of one client arrive in order, and so do the answers and the broadcasts that it gets meanwhile.
func TestOrderHoldsWhileEverybodySends(t *testing.T) {
	t.Parallel()
	const events, broadcasts = 10_000, 2_000
	var next int // guarded by the rig's lock, which OnEvent's caller takes behind it
	inOrder := true
	r := serve(t, Options{
		// A client that reads slower than it sends must not be closed here.
		Engine:    engineio.Options{QueueBytes: 1 << 30, QueueAge: time.Hour},
		OnConnect: func(s *Socket) { s.Join("all") },
		OnEvent: func(s *Socket, e Event) {
			if e.Name == "seq" {
				inOrder = inOrder && e.Args[0] == float64(next)
				next++
				_ = s.Emit("back", e.Args[0])
			}
		},
	})
	c, _ := joined(t, r.url)
	other, _ := joined(t, r.url)
	// CONNECT is answered before OnConnect has run.
	require.Eventually(t, func() bool { return r.InRoom("all") == 2 }, wait, time.Millisecond)
	var senders sync.WaitGroup
	senders.Go(func() {
		for i := range events {
			if err := c.write(fmt.Sprintf(`2["seq",%d]`, i), nil); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for b := range 2 {
		senders.Go(func() {
			for i := range broadcasts / 2 {
				if _, err := r.Broadcast(Target{Rooms: []string{"all"}}, "news", b, i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var back int
	var news [2]int
	read := func(c *client) {
		var from, n int
		switch text := c.text(); {
		case strings.HasPrefix(text, `2["back"`):
			require.Equal(t, fmt.Sprintf(`2["back",%d]`, back), text)
			back++
		default:
			_, err := fmt.Sscanf(text, `2["news",%d,%d]`, &from, &n)
			require.NoError(t, err, text)
			require.Equal(t, news[from], n)
			news[from]++
		}
	}
	for range events + broadcasts {
		read(c)
	}
	senders.Wait()
	require.Equal(t, events, back)
	news = [2]int{}
	for range broadcasts {
		read(other)
	}
	c.wantNothing()
	r.eventually("the last event", func() bool { return len(r.events) == events })
	require.True(t, inOrder)
	require.Equal(t, events, next)
}

// 1,000 clients that vanish in the middle of CONNECT leave nothing: no socket, no room, no goroutine, and a disconnect
// for every connect. Not parallel: it counts goroutines.
func TestDefect12AThousandClientsVanishInTheMiddleOfConnect(t *testing.T) {
	before := goleak.IgnoreCurrent()
	var came, left atomic.Int64
	srv, err := New(Options{
		Engine: engineio.Options{PingInterval: time.Second, PingTimeout: time.Second},
		Authenticate: func(context.Context, Handshake) (any, *ConnectError) {
			time.Sleep(rand.N(10 * time.Millisecond)) // a query that takes its time
			return nil, nil
		},
		OnConnect:    func(s *Socket) { came.Add(1); s.Join("all", "user:"+s.ID()) },
		OnDisconnect: func(*Socket, string) { left.Add(1) },
	})
	require.NoError(t, err)
	server := httptest.NewServer(srv)
	failed := crowd(1000, 100, func(i int) bool {
		if i%5 == 0 { // a polling client that is never heard of again
			l, err := openPolling(server.URL)
			if err != nil {
				t.Error(err)
				return false
			}
			_ = l.write("0", nil) // on a busy machine its heartbeat may be over by now
			return true
		}
		ws, resp, err := websocket.DefaultDialer.Dial(wsURL(server.URL), nil)
		if err != nil {
			t.Error(err)
			return false
		}
		_ = resp.Body.Close()
		_ = ws.WriteMessage(websocket.TextMessage, []byte("40")) // as above
		time.Sleep(rand.N(10 * time.Millisecond))
		if tcp, ok := ws.NetConn().(*net.TCPConn); ok && i%2 == 0 {
			_ = tcp.SetLinger(0) // a reset instead of an orderly end
		}
		_ = ws.Close()
		return true
	})
	require.Zero(t, failed)
	require.Eventually(t, func() bool { return srv.Conns() == 0 }, 3*wait, 10*time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	require.NoError(t, srv.Shutdown(ctx))
	server.Close()
	require.Zero(t, srv.Len())
	require.Empty(t, srv.Rooms())
	require.Zero(t, len(srv.spaces["/"].lib.Sockets().Keys()), "sockets that the library still knows")
	require.Equal(t, came.Load(), left.Load())
	require.Positive(t, came.Load())
	require.NoError(t, leak.Wait(before))
}
