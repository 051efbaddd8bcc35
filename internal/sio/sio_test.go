package sio

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMain turns the test binary into a server on the bare library where a test asks for one (bare_test.go).
func TestMain(m *testing.M) {
	if os.Getenv(bareVariable) != "" {
		serveBare()
		return
	}
	os.Exit(m.Run())
}

// rig is a server under test, and what it told of its sockets.
type rig struct {
	*Server
	t    *testing.T
	url  string
	http *httptest.Server

	mu      sync.Mutex
	sockets map[string]*Socket
	events  []Event
	left    []string // "<socket id> <reason>", in order
	changed chan struct{}
}

// serve starts a server. What o leaves open: the event "echo" is acknowledged with its arguments, and everything is
// recorded.
func serve(t *testing.T, o Options) *rig {
	t.Helper()
	r := &rig{t: t, sockets: map[string]*Socket{}, changed: make(chan struct{}, 1)}
	connect, event, disconnect := o.OnConnect, o.OnEvent, o.OnDisconnect
	o.OnConnect = func(s *Socket) {
		r.record(func() { r.sockets[s.ID()] = s })
		if connect != nil {
			connect(s)
		}
	}
	o.OnEvent = func(s *Socket, e Event) {
		if event != nil {
			event(s, e)
		}
		if e.Name == "echo" && e.Ack != nil {
			if err := e.Ack(e.Args...); err != nil {
				t.Errorf("acknowledge: %v", err)
			}
			return
		}
		r.record(func() { r.events = append(r.events, e) })
	}
	o.OnDisconnect = func(s *Socket, reason string) {
		if disconnect != nil {
			disconnect(s, reason)
		}
		r.record(func() { r.left = append(r.left, s.ID()+" "+reason) })
	}
	positive(&o.Engine.PollGap, wait)           // a client on a busy machine may take its time for its last poll
	positive(&o.Engine.PingInterval, time.Hour) // and none is asked whether it is there while it does something else
	var err error
	r.Server, err = New(o)
	require.NoError(t, err)
	r.http = httptest.NewServer(r.Server)
	r.url = r.http.URL
	t.Cleanup(r.stop)
	return r
}

func (r *rig) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if err := r.Shutdown(ctx); err != nil {
		r.t.Errorf("shutdown: %v", err)
	}
	r.http.Close()
}

func (r *rig) record(fn func()) {
	r.mu.Lock()
	fn()
	r.mu.Unlock()
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// eventually waits for what the server tells.
func (r *rig) eventually(what string, cond func() bool) {
	r.t.Helper()
	timeout := time.After(wait)
	for {
		r.mu.Lock()
		ok := cond()
		r.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-r.changed:
		case <-time.After(5 * time.Millisecond): // what no callback tells, such as room counts
		case <-timeout:
			r.t.Fatalf("timed out waiting for %s", what)
		}
	}
}

// socket waits for a socket to be known.
func (r *rig) socket(id string) *Socket {
	r.t.Helper()
	var s *Socket
	r.eventually("socket "+id, func() bool { s = r.sockets[id]; return s != nil })
	return s
}

// wantLeft waits for the one disconnect of a socket.
func (r *rig) wantLeft(id, reason string) {
	r.t.Helper()
	r.eventually("the disconnect", func() bool { return len(r.left) > 0 })
	require.Equal(r.t, []string{id + " " + reason}, r.leavers())
}

// leavers are the disconnects so far.
func (r *rig) leavers() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.left)
}

// event waits for the n-th event (from 0) that is not an echo.
func (r *rig) event(n int) Event {
	r.t.Helper()
	r.eventually(fmt.Sprintf("event %d", n), func() bool { return len(r.events) > n })
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events[n]
}
