package engineio_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/pkg/engineio"
)

// patience bounds every wait; nothing is expected to take nearly as long.
const patience = 2 * time.Minute

// echo is a Handler that sends back what it gets and records what happened.
type echo struct {
	mu     sync.Mutex
	conns  map[string]*engineio.Conn
	log    []string // "open", "message …", "close <reason>" in order
	change chan struct{}

	onOpen    func(*engineio.Conn)
	onMessage func(*engineio.Conn, engineio.Message) bool // true: handled, no echo
}

func newEcho() *echo { return &echo{conns: map[string]*engineio.Conn{}, change: make(chan struct{})} }

func (e *echo) note(line string, f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.log = append(e.log, line)
	f()
	close(e.change)
	e.change = make(chan struct{})
}

func (e *echo) Open(c *engineio.Conn) {
	e.note("open", func() { e.conns[c.ID()] = c })
	if e.onOpen != nil {
		e.onOpen(c)
	}
}

func (e *echo) Message(c *engineio.Conn, m engineio.Message) {
	if e.onMessage != nil && e.onMessage(c, m) {
		return
	}
	if m.Binary {
		_ = c.Send(engineio.NewBinary(m.Data))
	} else {
		_ = c.Send(engineio.NewText(m.Data))
	}
}

func (e *echo) Close(c *engineio.Conn, r engineio.CloseReason) {
	e.note("close "+r.Code, func() { delete(e.conns, c.ID()) })
}

// until waits for a condition on the handler's record.
func (e *echo) until(t *testing.T, what string, ok func(e *echo) bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		e.mu.Lock()
		good, change, log := ok(e), e.change, fmt.Sprint(e.log)
		e.mu.Unlock()
		if good {
			return
		}
		select {
		case <-change:
		case <-deadline:
			t.Fatalf("waited in vain for %s: %s", what, log)
		}
	}
}

func (e *echo) closed(t *testing.T, code string) {
	t.Helper()
	e.until(t, "close "+code, func(e *echo) bool {
		for _, l := range e.log {
			if l == "close "+code {
				return true
			}
		}
		return false
	})
}

func (e *echo) conn(t *testing.T, sid string) *engineio.Conn {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	require.Contains(t, e.conns, sid)
	return e.conns[sid]
}

// server is an endpoint under test.
type server struct {
	t   *testing.T
	eio *engineio.Server
	h   *echo
	url string
}

func serve(t *testing.T, o engineio.Options, prepare ...func(*echo)) *server {
	t.Helper()
	return serveBy(t, func(h http.Handler) (string, func()) {
		ts := httptest.NewServer(h)
		return ts.URL, func() { ts.CloseClientConnections(); ts.Close() }
	}, o, prepare...)
}

// serveBy is serve on another HTTP server than net/http's.
func serveBy(
	t *testing.T, start func(http.Handler) (url string, end func()), o engineio.Options, prepare ...func(*echo),
) *server {
	t.Helper()
	if o.PollGap == 0 {
		o.PollGap = patience // a client on a busy machine may take its time to poll again
	}
	if o.PingInterval == 0 {
		o.PingInterval = 10 * patience // no ping comes between what a test reads, and nobody has to answer one
	}
	h := newEcho()
	for _, p := range prepare {
		p(h)
	}
	eio := engineio.NewServer(h, o)
	url, end := start(eio)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		_ = eio.Shutdown(ctx)
		end()
	})
	return &server{t, eio, h, url}
}

type reply struct {
	status int
	body   string
	header http.Header
}

// quick are short heartbeats for tests that wait for one. A client on a busy machine has the time to answer.
func quick() engineio.Options {
	return engineio.Options{PingInterval: 300 * time.Millisecond, PingTimeout: 10 * time.Second}
}

// beats are so many that without pongs the session would have ended meanwhile.
const beats = 36

func (s *server) request(method, query, body string, header ...string) reply {
	s.t.Helper()
	r, err := s.try(method, query, strings.NewReader(body), header...)
	require.NoError(s.t, err)
	return r
}

func (s *server) try(method, query string, body io.Reader, header ...string) (reply, error) {
	req, err := http.NewRequest(method, s.url+"/engine.io/?"+query, body)
	if err != nil {
		return reply{}, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, string(b), res.Header}, err
}

func (s *server) get(sid string) reply {
	return s.request("GET", "EIO=4&transport=polling&sid="+sid, "")
}

func (s *server) post(sid, body string) reply {
	return s.request("POST", "EIO=4&transport=polling&sid="+sid, body)
}

// openPolling makes a polling session.
func (s *server) openPolling() string {
	s.t.Helper()
	return sidOf(s.t, s.request("GET", "EIO=4&transport=polling", "").body)
}

func sidOf(t *testing.T, open string) string {
	t.Helper()
	require.True(t, strings.HasPrefix(open, "0{"), open)
	var body struct{ SID string }
	text, _, _ := strings.Cut(open[1:], "\x1e")
	require.NoError(t, json.Unmarshal([]byte(text), &body))
	return body.SID
}

func (s *server) dial(query string) (*websocket.Conn, error) {
	c, res, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.url, "http")+"/engine.io/?"+query, nil)
	if res != nil && res.Body != nil {
		_ = res.Body.Close()
	}
	return c, err
}

// ws dials a WebSocket and closes it when the test ends.
func (s *server) ws(query string) *websocket.Conn {
	s.t.Helper()
	c, err := s.dial(query)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = c.Close() })
	require.NoError(s.t, c.SetReadDeadline(time.Now().Add(patience)))
	return c
}

// openWS makes a session over WebSocket alone.
func (s *server) openWS() (*websocket.Conn, string) {
	s.t.Helper()
	c := s.ws("EIO=4&transport=websocket")
	return c, sidOf(s.t, read(s.t, c))
}

func read(t *testing.T, c *websocket.Conn) string {
	t.Helper()
	_, b, err := c.ReadMessage()
	require.NoError(t, err)
	return string(b)
}

// readData is read without the server's pings, each answered.
func readData(t *testing.T, c *websocket.Conn) string {
	t.Helper()
	for {
		if m := read(t, c); m != "2" {
			return m
		}
		write(t, c, "3")
	}
}

func write(t *testing.T, c *websocket.Conn, packet string) {
	t.Helper()
	require.NoError(t, c.WriteMessage(websocket.TextMessage, []byte(packet)))
}

// closes asserts that the server closes the WebSocket.
func closes(t *testing.T, c *websocket.Conn) {
	t.Helper()
	require.False(t, staysOpen(c), "the server left the connection open")
}

// staysOpen reads until the server closes the WebSocket, or the time for it is over.
func staysOpen(c *websocket.Conn) bool {
	for {
		if _, _, err := c.ReadMessage(); err != nil {
			ne, ok := err.(net.Error) //nolint:errorlint // gorilla hands it out bare
			return ok && ne.Timeout()
		}
	}
}

// rawDial is a TCP connection with a written request head, for what no client library would send.
func (s *server) rawDial(request string) (net.Conn, *bufio.Reader) {
	s.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = c.Close() })
	require.NoError(s.t, c.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(c, request)
	require.NoError(s.t, err)
	return c, bufio.NewReader(c)
}
