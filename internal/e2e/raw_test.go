package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// raw is a bare Socket.IO client over WebSocket, for tests that need thousands, or every packet in its order.
type raw struct {
	conn *websocket.Conn

	mu      sync.Mutex
	packets []string // Engine.IO message payloads in order, pings answered and left out
	came    []time.Time
	changed chan struct{}
	err     error
}

// dial opens a connection and sends CONNECT with the token; it does not wait for the answer.
func dial(url, token string) (*raw, error) { return dialAuth(url, `{"token":"`+token+`"}`) }

// dialAuth is dial with the whole payload of CONNECT.
func dialAuth(url, auth string) (*raw, error) {
	conn, res, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(url, "http")+"/api/socket?EIO=4&transport=websocket", nil)
	if err != nil {
		if res != nil {
			err = fmt.Errorf("%w: %s", err, res.Status)
		}
		return nil, err
	}
	r := &raw{conn: conn, changed: make(chan struct{})}
	if _, first, err := conn.ReadMessage(); err != nil || !strings.HasPrefix(string(first), "0{") {
		return nil, errors.Join(fmt.Errorf("no open packet: %q", first), err)
	}
	if err := r.send("40" + auth); err != nil {
		return nil, err
	}
	go r.read()
	return r, nil
}

func (r *raw) read() {
	for {
		_, b, err := r.conn.ReadMessage()
		r.mu.Lock()
		switch {
		case err != nil:
			r.err = err
		case string(b) == "2":
			r.mu.Unlock()
			_ = r.send("3")
			continue
		default:
			r.packets, r.came = append(r.packets, string(b[1:])), append(r.came, time.Now())
		}
		close(r.changed)
		r.changed = make(chan struct{})
		r.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (r *raw) send(packet string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.conn.WriteMessage(websocket.TextMessage, []byte(packet))
}

// until waits until done accepts what has come so far.
func (r *raw) until(what string, done func(packets []string) bool) error {
	deadline := time.After(2 * patience)
	for {
		r.mu.Lock()
		ok, err, changed, n := done(r.packets), r.err, r.changed, len(r.packets)
		r.mu.Unlock()
		if ok {
			return nil
		}
		if err != nil {
			return fmt.Errorf("waiting for %s after %d packets: %w", what, n, err)
		}
		select {
		case <-changed:
		case <-deadline:
			return fmt.Errorf("waited in vain for %s; %d packets came", what, n)
		}
	}
}

// signedIn waits for connection:success.
func (r *raw) signedIn() error {
	return r.until("connection:success", func(p []string) bool { return contains(p, `2["connection:success"`) })
}

func (r *raw) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.packets...)
}

func (r *raw) close() { _ = r.conn.Close() }

// session is what the JavaScript client would come back with: the private id that CONNECT was answered with, and the last
// argument of the last event.
func (r *raw) session() (pid, offset string) {
	for _, p := range r.all() {
		var args []json.RawMessage
		var answer struct{ PID string }
		switch {
		case strings.HasPrefix(p, "0") && json.Unmarshal([]byte(p[1:]), &answer) == nil:
			pid = answer.PID
		case strings.HasPrefix(p, "2") && json.Unmarshal([]byte(p[1:]), &args) == nil:
			_ = json.Unmarshal(args[len(args)-1], &offset)
		}
	}
	return pid, offset
}

func contains(packets []string, prefix string) bool {
	for _, p := range packets {
		if strings.HasPrefix(p, prefix) {
			return true
		}
	}
	return false
}

// mustDial opens a signed-in connection and closes it when the test ends.
func mustDial(t *testing.T, url, token string) *raw {
	t.Helper()
	r, err := dial(url, token)
	require.NoError(t, err)
	t.Cleanup(r.close)
	require.NoError(t, r.signedIn())
	return r
}
