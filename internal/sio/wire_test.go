package sio

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// wait bounds everything a test waits for; it is never reached where the server is right.
const wait = 20 * time.Second

var errGone = errors.New("connection closed")

// link is a bare Engine.IO connection: what goes in and out are the payloads of MESSAGE packets.
type link interface {
	write(text string, binary []byte) error
	read(timeout time.Duration) (text string, binary []byte, err error)
	close()
}

// client speaks Socket.IO by hand.
type client struct {
	t *testing.T
	link
}

// links are what every conformance test runs over.
var links = map[string]func(t *testing.T, url string) *client{"websocket": dial, "polling": dialPolling}

func dial(t *testing.T, url string) *client {
	t.Helper()
	l, err := openWS(url)
	require.NoError(t, err)
	t.Cleanup(l.close)
	return &client{t, l}
}

func dialPolling(t *testing.T, url string) *client {
	t.Helper()
	l, err := openPolling(url)
	require.NoError(t, err)
	t.Cleanup(l.close)
	return &client{t, l}
}

// joined connects to "/" and returns the client and its socket id.
func joined(t *testing.T, url string) (*client, string) {
	t.Helper()
	c := dial(t, url)
	return c, c.join("/", "")
}

func (c *client) send(text string) {
	c.t.Helper()
	require.NoError(c.t, c.write(text, nil))
}

func (c *client) sendBinary(b []byte) {
	c.t.Helper()
	require.NoError(c.t, c.write("", b))
}

// join sends CONNECT and wants it answered.
func (c *client) join(nsp, auth string) (id string) {
	c.t.Helper()
	prefix := ""
	if nsp != "/" {
		prefix = nsp + ","
	}
	c.send("0" + prefix + auth)
	text := c.text()
	rest, ok := strings.CutPrefix(text, "0"+prefix)
	require.True(c.t, ok, "want CONNECT, got %q", text)
	var answer struct {
		SID string `json:"sid"`
	}
	require.NoError(c.t, json.Unmarshal([]byte(rest), &answer))
	require.NotEmpty(c.t, answer.SID)
	return answer.SID
}

func (c *client) text() string {
	c.t.Helper()
	text, binary, err := c.read(wait)
	require.NoError(c.t, err)
	require.Nil(c.t, binary)
	return text
}

func (c *client) want(text string) {
	c.t.Helper()
	require.Equal(c.t, text, c.text())
}

func (c *client) wantBinary(b []byte) {
	c.t.Helper()
	_, binary, err := c.read(wait)
	require.NoError(c.t, err)
	require.Equal(c.t, b, binary)
}

// provoke sends what ends the connection: a polling request may already be answered with an error.
func (c *client) provoke(text string) {
	c.t.Helper()
	if err := c.write(text, nil); err != nil {
		require.ErrorIs(c.t, err, errGone)
	}
}

// wantClosed wants the server to close the connection; what was sent before may still come.
func (c *client) wantClosed() {
	c.t.Helper()
	for {
		if _, _, err := c.read(wait); err != nil {
			require.ErrorIs(c.t, err, errGone)
			return
		}
	}
}

// wantNothing wants that the next answer is that to an event of our own: nothing was sent before it.
func (c *client) wantNothing() {
	c.t.Helper()
	c.send(`2987["echo"]`)
	c.want(`3987[]`)
}

// wsLink is a WebSocket connection. It may be written to while it is read: reading answers pings.
type wsLink struct {
	ws     *websocket.Conn
	writes sync.Mutex
}

func wsURL(url string) string {
	return "ws" + strings.TrimPrefix(url, "http") + "/socket.io/?EIO=4&transport=websocket"
}

func openWS(url string) (*wsLink, error) {
	ws, resp, err := websocket.DefaultDialer.Dial(wsURL(url), nil)
	if err != nil {
		return nil, err
	}
	_ = resp.Body.Close()
	_ = ws.SetReadDeadline(time.Now().Add(wait))
	if _, open, err := ws.ReadMessage(); err != nil || !bytes.HasPrefix(open, []byte("0{")) {
		_ = ws.Close()
		return nil, fmt.Errorf("no open packet: %q, %w", open, err)
	}
	return &wsLink{ws: ws}, nil
}

func (l *wsLink) write(text string, binary []byte) error {
	if binary != nil {
		return l.frame(websocket.BinaryMessage, binary)
	}
	return l.frame(websocket.TextMessage, []byte("4"+text))
}

func (l *wsLink) frame(kind int, data []byte) error {
	l.writes.Lock()
	defer l.writes.Unlock()
	return l.ws.WriteMessage(kind, data)
}

func (l *wsLink) read(timeout time.Duration) (string, []byte, error) {
	for {
		_ = l.ws.SetReadDeadline(time.Now().Add(timeout))
		kind, data, err := l.ws.ReadMessage()
		switch {
		case err != nil && strings.Contains(err.Error(), "timeout"):
			return "", nil, err
		case err != nil:
			return "", nil, errGone
		case kind == websocket.BinaryMessage:
			return "", data, nil
		case len(data) > 0 && data[0] == '4':
			return string(data[1:]), nil, nil
		case string(data) == "2":
			_ = l.frame(websocket.TextMessage, []byte("3"))
		case string(data) == "1":
			return "", nil, errGone
		}
	}
}

func (l *wsLink) close() { _ = l.ws.Close() }

// pollLink is HTTP long-polling.
type pollLink struct {
	url    string
	queued []string
}

func openPolling(url string) (*pollLink, error) {
	l := &pollLink{url: url + "/socket.io/?EIO=4&transport=polling"}
	body, err := l.do(http.MethodGet, "", wait)
	if err != nil {
		return nil, err
	}
	first, rest, more := strings.Cut(body, "\x1e")
	if more {
		l.queued = strings.Split(rest, "\x1e")
	}
	var open struct {
		SID string `json:"sid"`
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(first, "0")), &open); err != nil {
		return nil, err
	}
	l.url += "&sid=" + open.SID
	return l, nil
}

func (l *pollLink) do(method, body string, timeout time.Duration) (string, error) {
	req, err := http.NewRequest(method, l.url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	resp, err := (&http.Client{Timeout: timeout}).Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", errGone
	}
	return string(b), nil
}

func (l *pollLink) write(text string, binary []byte) error {
	packet := "4" + text
	if binary != nil {
		packet = "b" + base64.StdEncoding.EncodeToString(binary)
	}
	_, err := l.do(http.MethodPost, packet, wait)
	return err
}

func (l *pollLink) read(timeout time.Duration) (string, []byte, error) {
	for {
		for len(l.queued) > 0 {
			p := l.queued[0]
			l.queued = l.queued[1:]
			switch {
			case p == "" || p == "1":
				return "", nil, errGone
			case p[0] == '4':
				return p[1:], nil, nil
			case p[0] == 'b':
				b, err := base64.StdEncoding.DecodeString(p[1:])
				return "", b, err
			case p == "2":
				_, _ = l.do(http.MethodPost, "3", wait)
			}
		}
		body, err := l.do(http.MethodGet, "", timeout)
		if err != nil {
			return "", nil, err
		}
		l.queued = strings.Split(body, "\x1e")
	}
}

func (l *pollLink) close() { _, _ = l.do(http.MethodPost, "1", wait) }
