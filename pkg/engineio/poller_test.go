//go:build linux

package engineio_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/pkg/engineio"
)

// readersOf counts the goroutines that read a WebSocket.
func readersOf() int {
	stacks := make([]byte, 16<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "engineio.(*reader).read(")
}

// Not parallel: it counts goroutines.
func TestAnIdleWebSocketHasNoGoroutineAndIsHeardAllTheSame(t *testing.T) {
	s := serve(t, engineio.Options{})
	clients := make([]*websocket.Conn, 200)
	for i := range clients {
		clients[i], _ = s.openWS()
	}
	require.Eventually(t, func() bool { return readersOf() == 0 }, patience, 30*time.Millisecond)
	for round := range 3 {
		for i, c := range clients {
			write(t, c, fmt.Sprint("4", round, "/", i))
		}
		for i, c := range clients {
			require.Equal(t, fmt.Sprint("4", round, "/", i), readData(t, c))
		}
	}
	require.Eventually(t, func() bool { return readersOf() == 0 }, patience, 30*time.Millisecond)
}

// Not parallel, as above.
func TestAClientInTheMiddleOfAFrameHoldsUpNobody(t *testing.T) {
	s := serve(t, engineio.Options{})
	const stuck = 50
	for range stuck {
		c, _ := s.openWS()
		_, err := c.NetConn().Write([]byte{0x81, 0xfe}) // a length is to follow
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return readersOf() == stuck }, patience, 30*time.Millisecond)
	c, _ := s.openWS()
	for i := range 100 {
		write(t, c, fmt.Sprint("4", i))
		require.Equal(t, fmt.Sprint("4", i), readData(t, c))
	}
}

func TestAHandlerThatBlocksHoldsUpItsOwnConnectionAlone(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	defer close(release)
	s := serve(t, engineio.Options{}, func(e *echo) {
		e.onMessage = func(_ *engineio.Conn, m engineio.Message) bool {
			if string(m.Data) == "block" {
				<-release
			}
			return false
		}
	})
	for range 50 {
		blocked, _ := s.openWS()
		write(t, blocked, "4block")
	}
	c, _ := s.openWS()
	for i := range 100 {
		write(t, c, fmt.Sprint("4", i))
		require.Equal(t, fmt.Sprint("4", i), readData(t, c))
	}
}
