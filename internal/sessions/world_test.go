package sessions

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/citaplanner/realtime/internal/leak"
	"github.com/citaplanner/realtime/internal/sio"
	"github.com/citaplanner/realtime/pkg/engineio"
)

func TestMain(m *testing.M) {
	leak.Main(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"),
		goleak.IgnoreAnyFunction("github.com/citaplanner/realtime/pkg/engineio.(*poller).run"))
}

const patience = time.Minute

// redisWait is how long Redis may take to answer: on a busy machine more than the second that app gives it.
const redisWait = 10 * time.Second

// newClient is a Redis client as app makes it, but for that.
func newClient(t testing.TB, addr string) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, DialTimeout: redisWait, ReadTimeout: redisWait})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// newStore is a store with a patience for such a machine as well.
func newStore(t testing.TB, addr string, o Options) *Store {
	s := New(newClient(t, addr), o)
	s.batchTime, s.flushTime = redisWait, patience
	return s
}

// run makes a store that works until the test ends, or stop is called.
func run(t testing.TB, addr string, o Options) (s *Store, stop func()) {
	s = newStore(t, addr, o)
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { _ = s.Run(ctx) })
	stop = sync.OnceFunc(func() { cancel(); done.Wait() })
	t.Cleanup(stop)
	return s, stop
}

// server is a Socket.IO server with a store, a process of its own in all that matters. Every socket joins "all", its user's and
// its group's room; a token is user:group.
type server struct {
	*sio.Server
	store *Store
	url   string
	reg   *prometheus.Registry
	stop  func() // as SIGTERM does
}

type person struct{ User, Group string }

func serve(t testing.TB, addr string, o sio.Recovery, so Options) *server {
	fill(&so.Wait, patience)
	fill(&so.Late, 5*time.Second)
	store, stopStore := run(t, addr, so)
	o.Shared = store
	if o.Time == 0 {
		o.Time = time.Minute
	}
	o.Group = func(data any) string { return data.(person).Group }
	o.Restore = func(before, now any) (any, bool) { return now, before == now }
	o.Save = func(_ string, data any) ([]byte, error) { return json.Marshal(data) }
	o.Load = func(b []byte) (any, error) {
		var p person
		err := json.Unmarshal(b, &p)
		return p, err
	}
	reg := prometheus.NewRegistry()
	srv, err := sio.New(sio.Options{
		Recovery:    o,
		Engine:      engineio.Options{PingTimeout: 10 * patience}, // a traveller answers pings only while it reads
		AuthTimeout: patience,                                     // in which Redis has to answer those who come back, hundreds at once
		Metrics:     sio.NewMetrics(reg),
		Authenticate: func(_ context.Context, hs sio.Handshake) (any, *sio.ConnectError) {
			token, _ := hs.Auth["token"].(string)
			user, group, _ := strings.Cut(token, ":")
			return person{user, group}, nil
		},
		OnConnect: func(s *sio.Socket) {
			if p := s.Data().(person); !s.Recovered() {
				s.Join("all", "user:"+p.User, "group:"+p.Group)
			}
			_ = s.EmitRenewed("hello", s.Recovered())
		},
	})
	require.NoError(t, err)
	web := httptest.NewServer(srv)
	s := &server{Server: srv, store: store, url: web.URL, reg: reg}
	s.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		stopStore()
		web.Close()
	})
	t.Cleanup(s.stop)
	return s
}

// send sends to a room of a group.
func (s *server) send(t testing.TB, group, room, event string, args ...any) {
	_, err := s.Broadcast(sio.Target{Rooms: []string{room}, Group: group}, event, args...)
	require.NoError(t, err)
}

// results are the tries to come back, by how they ended.
func (s *server) results(t testing.TB) map[string]int {
	families, err := s.reg.Gather()
	require.NoError(t, err)
	out := map[string]int{}
	for _, f := range families {
		if f.GetName() == "realtime_sio_recoveries_total" {
			for _, m := range f.GetMetric() {
				out[m.GetLabel()[0].GetValue()] = int(m.GetCounter().GetValue())
			}
		}
	}
	return out
}

// flushed waits until Redis has all.
func (s *Store) flushed(t testing.TB) {
	t.Helper()
	require.Eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.saves) == 0 && s.queued == s.taken
	}, patience, time.Millisecond)
	c := &claim{key: "none", group: "none", done: make(chan struct{})} // it is served when the batch before is done
	s.mu.Lock()
	s.claims = append(s.claims, c)
	s.mu.Unlock()
	s.hurry()
	select {
	case <-c.done:
	case <-time.After(patience):
		require.Fail(t, "Redis does not take what waits")
	}
}

// traveller is a client that may come back, as the JavaScript client does it.
type traveller struct {
	t                       testing.TB
	ws                      *websocket.Conn
	token, sid, pid, offset string
	recovered               bool
	err                     error // why nothing can be read any more
}

func (v *traveller) read() (string, bool) {
	for {
		_, b, err := v.ws.ReadMessage()
		if err != nil {
			v.err = err
			return "", false
		}
		switch {
		case len(b) > 0 && b[0] == '4':
			return string(b[1:]), true
		case string(b) == "2":
			_ = v.ws.WriteMessage(websocket.TextMessage, []byte("3"))
		}
	}
}

// travel connects to a server and asks for its session, where it has one.
func (v *traveller) travel(s *server) {
	v.t.Helper()
	ws, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.url, "http")+"/socket.io/?EIO=4&transport=websocket", nil)
	require.NoError(v.t, err)
	v.t.Cleanup(func() { _ = ws.Close() })
	v.ws = ws
	_ = ws.SetReadDeadline(time.Now().Add(patience))
	auth := map[string]any{"token": v.token}
	if v.pid != "" {
		auth["pid"], auth["offset"] = v.pid, v.offset
	}
	b, err := json.Marshal(auth)
	require.NoError(v.t, err)
	require.NoError(v.t, ws.WriteMessage(websocket.TextMessage, append([]byte("40"), b...)))
	text, ok := v.read()
	require.True(v.t, ok)
	var answer struct{ SID, PID string }
	require.NoError(v.t, json.Unmarshal([]byte(strings.TrimPrefix(text, "0")), &answer), text)
	v.recovered = answer.PID == v.pid
	v.sid, v.pid = answer.SID, answer.PID
}

func travel(t testing.TB, s *server, token string) *traveller {
	v := &traveller{t: t, token: token}
	v.travel(s)
	require.Equal(t, `"hello" false`, v.next())
	return v
}

// event reads an event without its offset; ok is false when the connection is over.
func (v *traveller) event() (text string, ok bool) {
	v.t.Helper()
	text, ok = v.read()
	if !ok {
		return "", false
	}
	var all []json.RawMessage
	require.NoError(v.t, json.Unmarshal([]byte(text[strings.Index(text, "["):]), &all), text)
	require.NoError(v.t, json.Unmarshal(all[len(all)-1], &v.offset), text)
	parts := make([]string, len(all)-1)
	for i := range parts {
		parts[i] = string(all[i])
	}
	return strings.Join(parts, " "), true
}

func (v *traveller) next() string {
	v.t.Helper()
	_ = v.ws.SetReadDeadline(time.Now().Add(patience))
	text, ok := v.event()
	require.True(v.t, ok, "%v", v.err)
	return text
}
