package sio

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/pkg/engineio"
)

// The small application of the defect scenarios: the same on our server and on the bare library (bare_test.go), and
// controlled over HTTP alone, so that a scenario is a function of an address.
//
//	every socket joins the room "all"
//	echo …        → acknowledged with its arguments
//	big text      → acknowledged with its length
//	seq key n     → n is appended to Order[key]
//	shout n       → broadcasts "heard" n to "all", then acknowledges n
//	ask           → emits "question", wanting an acknowledgement
//	bad           → emits what JSON cannot say
//	panic         → panics
//	kick          → is disconnected by the server, and not to come back

// appState is what the application saw; GET /stats shows it.
type appState struct {
	mu      sync.Mutex
	Sockets int                 // connected, by the count of callbacks
	Members int                 // of the room, asked at /stats
	Order   map[string][]int    // by key
	Left    map[string][]string // reasons by socket id
	Heap    uint64              // bytes, after a collection
}

func newAppState() *appState {
	return &appState{Order: map[string][]int{}, Left: map[string][]string{}}
}

func (a *appState) came() { a.mu.Lock(); defer a.mu.Unlock(); a.Sockets++ }

func (a *appState) left(id, reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.Sockets--
	a.Left[id] = append(a.Left[id], reason)
}

func (a *appState) seq(args []any) {
	key, _ := args[0].(string)
	n, _ := args[1].(float64)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.Order[key] = append(a.Order[key], int(n))
}

// control serves /stats and /broadcast beside the Engine.IO endpoint.
func (a *appState) control(engine http.Handler, members func() int,
	broadcast func(event string, arg any)) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", engine)
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		n := members()
		a.mu.Lock()
		defer a.mu.Unlock()
		a.Members, a.Heap = n, m.HeapAlloc
		_ = json.NewEncoder(w).Encode(a)
	})
	mux.HandleFunc("POST /broadcast", func(_ http.ResponseWriter, r *http.Request) {
		size, _ := strconv.Atoi(r.FormValue("bytes"))
		times, _ := strconv.Atoi(r.FormValue("times"))
		for range times {
			broadcast("blob", strings.Repeat("x", size))
		}
	})
	return mux
}

// ourApp is the application on our server.
func ourApp(t *testing.T, recovery ...Recovery) (url string) {
	t.Helper()
	recovery = append(recovery, Recovery{}) // none
	a := newAppState()
	var srv *Server
	srv, err := New(Options{
		Recovery: recovery[0],
		Engine:   engineio.Options{PingInterval: time.Hour},
		Authenticate: func(_ context.Context, hs Handshake) (any, *ConnectError) {
			token, _ := hs.Auth["token"].(string)
			return token, nil
		},
		OnConnect:    func(s *Socket) { a.came(); s.Join("all") },
		OnDisconnect: func(s *Socket, reason string) { a.left(s.ID(), reason) },
		OnEvent: func(s *Socket, e Event) {
			ack := func(args ...any) {
				if e.Ack != nil {
					_ = e.Ack(args...)
				}
			}
			switch e.Name {
			case "echo":
				ack(e.Args...)
			case "big":
				ack(len(e.Args[0].(string)))
			case "seq":
				a.seq(e.Args)
			case "shout":
				_, _ = srv.Broadcast(Target{Rooms: []string{"all"}}, "heard", e.Args...)
				ack(e.Args...)
			case "ask":
				_ = s.EmitAck(wait, "question", nil, func([]any, error) {})
			case "bad":
				_ = s.Emit("bad", make(chan int))
			case "panic":
				panic("handler")
			case "kick":
				s.Kick(Reason{Text: "kicked"})
			}
		},
		Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	server := httptest.NewServer(a.control(srv, func() int { return srv.InRoom("all") }, func(event string, arg any) {
		_, _ = srv.Broadcast(Target{Rooms: []string{"all"}}, event, arg)
	}))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		server.Close()
	})
	return server.URL
}

// stats asks the application; ok is false when its process is gone.
func stats(url string) (a *appState, ok bool) {
	for range 3 {
		resp, err := (&http.Client{Timeout: wait}).Get(url + "/stats")
		if err != nil {
			time.Sleep(20 * time.Millisecond) // a dying process still holds its port for a moment
			continue
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, false
		}
		a = newAppState()
		return a, json.Unmarshal(b, a) == nil
	}
	return nil, false
}

// within asks until cond holds or the time is over, and reports whether it held.
func within(url string, timeout time.Duration, cond func(*appState) bool) (last *appState, held bool) {
	for end := time.Now().Add(timeout); ; time.Sleep(20 * time.Millisecond) {
		a, ok := stats(url)
		if !ok {
			return newAppState(), false
		}
		if cond(a) {
			return a, true
		}
		if time.Now().After(end) {
			return a, false
		}
	}
}
