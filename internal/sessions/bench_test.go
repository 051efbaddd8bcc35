//go:build unix

package sessions

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/internal/sio"
)

// BenchmarkBroadcast is one broadcast of 200 bytes to 200 WebSocket clients, which read it in this process too: without recovery,
// with what memory keeps for them, and with what Redis keeps.
func BenchmarkBroadcast(b *testing.B) {
	group := func(any) string { return "a" }
	memory := sio.Recovery{Time: 2 * time.Minute, Group: group}
	b.Run("none", func(b *testing.B) { benchmarkBroadcast(b, sio.Recovery{}) })
	b.Run("memory", func(b *testing.B) { benchmarkBroadcast(b, memory) })
	b.Run("redis", func(b *testing.B) {
		shared := memory
		store, _ := run(b, dbtest.Redis(b), Options{})
		shared.Shared = store
		shared.Save = func(string, any) ([]byte, error) { return []byte("{}"), nil }
		benchmarkBroadcast(b, shared)
		if lost := len(store.gaps); lost > 0 {
			b.Errorf("%d groups lack something", lost)
		}
	})
}

func benchmarkBroadcast(b *testing.B, recovery sio.Recovery) {
	const clients = 200
	srv, err := sio.New(sio.Options{Recovery: recovery, OnConnect: func(s *sio.Socket) { s.Join("all") }})
	require.NoError(b, err)
	web := httptest.NewServer(srv)
	defer web.Close()
	var round sync.WaitGroup
	for range clients {
		v := &traveller{t: b}
		v.travel(&server{Server: srv, url: web.URL})
		_ = v.ws.SetReadDeadline(time.Time{})
		defer func() { _ = v.ws.Close() }()
		go func() {
			for {
				if _, _, err := v.ws.ReadMessage(); err != nil {
					return
				}
				round.Done()
			}
		}()
	}
	for srv.InRoom("all") < clients { // OnConnect comes after the CONNECT packet was queued
		time.Sleep(time.Millisecond)
	}
	text := strings.Repeat("0123456789", 20)
	b.ReportAllocs()
	start := processorTime()
	for b.Loop() {
		round.Add(clients)
		if n, err := srv.Broadcast(sio.Target{Rooms: []string{"all"}, Group: "a"}, "news", text); n != clients || err != nil {
			b.Fatal(n, err)
		}
		round.Wait()
	}
	b.ReportMetric(float64((processorTime()-start).Nanoseconds())/float64(b.N)/clients, "cpu-ns/delivery")
}

// processorTime is this process's; others that run do not change it much.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkReturn is a client of a tenant with 1,000 events that comes back to another process, and what it costs of Redis's memory.
func BenchmarkReturn(b *testing.B) {
	addr := dbtest.Redis(b)
	servers := []*server{serve(b, addr, sio.Recovery{}, Options{}), serve(b, addr, sio.Recovery{}, Options{})}
	v := travel(b, servers[0], "ana:a")
	for i := range 1000 {
		servers[0].send(b, "a", "group:a", "n", fmt.Sprintf("%0200d", i))
	}
	for range 1000 {
		v.next()
	}
	servers[0].store.flushed(b)
	i := 0
	for b.Loop() {
		i++
		_ = v.ws.Close()
		v.travel(servers[i%2])
		require.True(b, v.recovered)
		for v.next() != `"hello" true` {
		}
	}
	for name, key := range map[string]string{"B/session": servers[0].store.sessionKey(v.pid), "B/1000events": servers[0].store.streamKey("a")} {
		n, err := servers[0].store.client.MemoryUsage(b.Context(), key).Result()
		require.NoError(b, err)
		b.ReportMetric(float64(n), name)
	}
}
