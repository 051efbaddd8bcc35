//go:build linux

package engineio

import (
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

type answering struct{}

func (answering) Open(*Conn)               {}
func (answering) Close(*Conn, CloseReason) {}
func (answering) Message(c *Conn, m Message) {
	_ = c.Send(NewText(m.Data))
}

// Not parallel: other servers would take the number of the poller that is gone for their own.
func TestWithoutItsPollerEveryWebSocketGetsAReader(t *testing.T) {
	s := NewServer(answering{}, Options{})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	open := func() *websocket.Conn {
		c, res, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(server.URL, "http")+"/?EIO=4&transport=websocket", nil)
		require.NoError(t, err)
		_ = res.Body.Close()
		t.Cleanup(func() { _ = c.Close() })
		require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
		_, _, err = c.ReadMessage() // open
		require.NoError(t, err)
		return c
	}
	clients := []*websocket.Conn{open(), open(), open()}
	s.readers.poll.mu.Lock()
	require.NoError(t, s.readers.poll.file.Close())
	s.readers.poll.mu.Unlock()
	require.Eventually(t, s.readers.poll.failed.Load, time.Minute, time.Millisecond)
	for other := -1; other != s.readers.poll.epoll; { // which takes what it is asked, and tells nobody
		var err error
		other, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
		require.NoError(t, err)
		t.Cleanup(func() { _ = syscall.Close(other) })
	}
	clients = append(clients, open())
	for range 3 {
		for _, c := range clients {
			require.NoError(t, c.WriteMessage(websocket.TextMessage, []byte("4hello")))
			_, got, err := c.ReadMessage()
			require.NoError(t, err)
			require.Equal(t, "4hello", string(got))
		}
	}
}
