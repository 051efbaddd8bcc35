//go:build linux

package engineio

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

type answering struct{}

func (answering) Open(*Conn)               {}
func (answering) Close(*Conn, CloseReason) {}
func (answering) Message(c *Conn, m Message) {
	_ = c.Send(NewText(m.Data))
}

func TestWithoutItsPollerEveryWebSocketGetsAReader(t *testing.T) {
	t.Parallel()
	s := NewServer(answering{}, Options{})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	open := func() *websocket.Conn {
		c, res, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(server.URL, "http")+"/?EIO=4&transport=websocket", nil)
		require.NoError(t, err)
		_ = res.Body.Close()
		t.Cleanup(func() { _ = c.Close() })
		_, _, err = c.ReadMessage() // open
		require.NoError(t, err)
		return c
	}
	clients := []*websocket.Conn{open(), open(), open()}
	s.readers.poll.mu.Lock()
	require.NoError(t, s.readers.poll.file.Close())
	s.readers.poll.mu.Unlock()
	clients = append(clients, open())
	for _, c := range clients {
		require.NoError(t, c.WriteMessage(websocket.TextMessage, []byte("4hello")))
		_, got, err := c.ReadMessage()
		require.NoError(t, err)
		require.Equal(t, "4hello", string(got))
	}
}
