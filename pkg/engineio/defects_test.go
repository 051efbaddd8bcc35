package engineio_test

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/citaplanner/realtime/internal/leak"
	"github.com/citaplanner/realtime/pkg/engineio"
)

// Each test is named after the row of the library's defects that pkg/engineio exists to be without; internal/sio shows
// the same scenes on the library as it comes.

func TestDefect01APongRightAfterTheHandshakeCrashesNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, engineio.Options{})
	for range 50 {
		c, _ := s.openWS()
		write(t, c, "3")
		write(t, c, "4x")
		require.Equal(t, "4x", read(t, c))
	}
}

func TestDefect04NothingIsLostBehindAPreparedFrame(t *testing.T) {
	t.Parallel()
	s := serve(t, engineio.Options{})
	c, sid := s.openWS()
	shared := engineio.NewText("broadcast")
	conn := s.h.conn(t, sid)
	const n = 1000
	for i := range n {
		require.NoError(t, conn.Send(shared, engineio.NewText(fmt.Sprint(i))))
	}
	for i := range n {
		require.Equal(t, "4broadcast", readData(t, c))
		require.Equal(t, fmt.Sprint("4", i), readData(t, c))
	}
}

func TestDefect06WhatAQuickClientSendsWithItsHandshakeIsHeard(t *testing.T) {
	t.Parallel()
	s := serve(t, engineio.Options{})
	for range 20 {
		// The frame travels in the same segment as the handshake.
		_, r := s.rawDial("GET /?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" + string(masked(0x81, "4early")))
		res, err := http.ReadResponse(r, nil)
		require.NoError(t, err)
		_ = res.Body.Close()
		require.Equal(t, http.StatusSwitchingProtocols, res.StatusCode)
		require.Contains(t, frame(t, r), `0{"sid":"`)
		require.Equal(t, "4early", frame(t, r))
	}
}

// masked is a client's frame with a mask of zeros.
func masked(op byte, payload string) []byte {
	b := []byte{op}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	return append(append(b, 0, 0, 0, 0), payload...)
}

// frame reads a short frame of the server's.
func frame(t *testing.T, r io.Reader) string {
	t.Helper()
	var head [2]byte
	_, err := io.ReadFull(r, head[:])
	require.NoError(t, err)
	n := int(head[1])
	if n == 126 {
		var ext [2]byte
		_, err := io.ReadFull(r, ext[:])
		require.NoError(t, err)
		n = int(binary.BigEndian.Uint16(ext[:]))
	}
	b := make([]byte, n)
	_, err = io.ReadFull(r, b)
	require.NoError(t, err)
	return string(b)
}

// endless is a body without end and without a length.
type endless struct{ sent atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	if e.sent.Add(int64(len(p))) > 64<<20 {
		return 0, io.EOF
	}
	return len(p), nil
}

func TestDefect08AChunkedPostIsReadUpToTheLimitAndNoFurther(t *testing.T) {
	t.Parallel()
	s := serve(t, engineio.Options{MaxPayload: 100_000})
	sid := s.openPolling()
	body := &endless{}
	got, err := s.try("POST", "EIO=4&transport=polling&sid="+sid, struct{ io.Reader }{body})
	if err == nil { // the server may cut the connection before the answer is read
		require.Equal(t, http.StatusRequestEntityTooLarge, got.status)
	}
	require.Less(t, body.sent.Load(), int64(32<<20))
	s.h.closed(t, "too_large")
}

func TestDefect09APollingPacketAtTheLimitArrivesAndOneOverItIsNeverAnsweredOk(t *testing.T) {
	t.Parallel()
	s := serve(t, engineio.Options{MaxPayload: 300_000})
	sid := s.openPolling()
	fits := "4" + strings.Repeat("x", 299_999)
	require.Equal(t, "ok", s.post(sid, fits).body)
	require.Equal(t, fits, s.get(sid).body)
	got, err := s.try("POST", "EIO=4&transport=polling&sid="+sid, strings.NewReader(fits+"x"))
	if err == nil { // the server may cut the connection before all of the body is written
		require.Equal(t, http.StatusRequestEntityTooLarge, got.status)
	}
	require.NotEqual(t, "ok", got.body)
	s.h.closed(t, "too_large")
}

func TestDefect10CompressionIsNotOfferedSoNoFrameCanGrow(t *testing.T) {
	t.Parallel()
	s := serve(t, engineio.Options{})
	d := websocket.Dialer{EnableCompression: true}
	c, res, err := d.Dial("ws"+strings.TrimPrefix(s.url, "http")+"/?EIO=4&transport=websocket", nil)
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	require.Empty(t, res.Header.Get("Sec-WebSocket-Extensions"))
	require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
	read(t, c)
	// A frame that says it is compressed all the same breaks the protocol (RFC 6455, 5.2: RSV1 must be 0).
	var bomb bytes.Buffer
	w, err := flate.NewWriter(&bomb, flate.BestCompression)
	require.NoError(t, err)
	_, err = w.Write(bytes.Repeat([]byte("4"), 10<<20))
	require.NoError(t, err)
	require.NoError(t, w.Flush())
	_, err = c.NetConn().Write(masked(0xc1, bomb.String()))
	require.NoError(t, err)
	closes(t, c)
}

func TestAFrameOverTheLimitEndsTheConnectionBeforeItIsRead(t *testing.T) {
	t.Parallel()
	s := serve(t, engineio.Options{MaxPayload: 100_000})
	c, _ := s.openWS()
	_, err := c.NetConn().Write(masked(0x81, "4"+strings.Repeat("x", 100_000))[:64]) // the header promises too much
	require.NoError(t, err)
	closes(t, c)
	s.h.closed(t, "too_large")
}

func TestDefect16AClientThatNeverReadsIsClosedAndHoldsUpNobody(t *testing.T) {
	t.Parallel()
	s := serve(t, engineio.Options{QueueBytes: 1 << 20})
	slow, slowID := s.openWS()
	_ = slow // never read again
	fast, fastID := s.openWS()
	big := engineio.NewText(strings.Repeat("x", 100_000))
	a, b := s.h.conn(t, slowID), s.h.conn(t, fastID)
	for i := 0; ; i++ {
		require.NoError(t, b.Send(big))
		require.Len(t, readData(t, fast), 100_001)
		if err := a.Send(big); err != nil {
			break
		}
		require.Less(t, i, 500, "the queue has no bound")
	}
	s.h.until(t, "the slow one to be closed", func(e *echo) bool { return e.conns[slowID] == nil })
	require.NoError(t, b.Send(engineio.NewText("still here")))
	require.Equal(t, "4still here", readData(t, fast))
}

func TestAQueueThatIsTooOldClosesAPollingClient(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := time.Now()
	s := serve(t, engineio.Options{QueueAge: time.Second, Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }})
	c := s.h.conn(t, s.openPolling())
	require.NoError(t, c.Send(engineio.NewText("a")))
	mu.Lock()
	now = now.Add(2 * time.Second)
	mu.Unlock()
	require.ErrorIs(t, c.Send(engineio.NewText("b")), engineio.ErrSlow)
	s.h.closed(t, "slow")
}

func TestAPanicInTheHandlerEndsThatConnectionAlone(t *testing.T) {
	t.Parallel()
	s := serve(t, engineio.Options{}, func(e *echo) {
		e.onMessage = func(_ *engineio.Conn, m engineio.Message) bool {
			if string(m.Data) == "boom" {
				panic("boom")
			}
			return false
		}
	})
	one, _ := s.openWS()
	other, _ := s.openWS()
	write(t, one, "4boom")
	closes(t, one)
	s.h.closed(t, "panic")
	write(t, other, "4x")
	require.Equal(t, "4x", read(t, other))
}

func TestWhatIsHandedUpIsInOrderOneAtATimeAndCloseIsLast(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []string
	busy := false
	step := func(what string) {
		mu.Lock()
		if busy {
			seen = append(seen, "OVERLAP")
		}
		busy = true
		mu.Unlock()
		runtime.Gosched()
		mu.Lock()
		seen = append(seen, what)
		busy = false
		mu.Unlock()
	}
	s := serve(t, engineio.Options{}, func(e *echo) {
		e.onMessage = func(c *engineio.Conn, m engineio.Message) bool {
			step(string(m.Data))
			return true
		}
	})
	c, sid := s.openWS()
	conn := s.h.conn(t, sid)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				conn.Do(func() { step("do") })
			}
		})
	}
	for i := range 1000 {
		write(t, c, fmt.Sprint("4", i))
	}
	wg.Wait()
	write(t, c, "1")
	s.h.closed(t, "client")
	require.False(t, conn.Do(func() { step("after the close") }))
	mu.Lock()
	defer mu.Unlock()
	next := 0
	for _, what := range seen {
		require.NotEqual(t, "OVERLAP", what)
		require.NotEqual(t, "after the close", what)
		if what != "do" {
			require.Equal(t, fmt.Sprint(next), what)
			next++
		}
	}
	require.Equal(t, 1000, next)
}

func TestTenThousandPacketsCrossAnUpgradeInOrder(t *testing.T) {
	t.Parallel()
	const n = 10_000
	s := serve(t, engineio.Options{})
	sid := s.openPolling()
	conn := s.h.conn(t, sid)
	go func() {
		for i := range n {
			if conn.Send(engineio.NewText(fmt.Sprint(i))) != nil {
				return
			}
			if i%100 == 0 {
				time.Sleep(100 * time.Microsecond)
			}
		}
	}()
	next := 0
	take := func(packet string) {
		if packet == "6" || packet == "2" {
			return
		}
		require.Equal(t, fmt.Sprint("4", next), packet)
		next++
	}
	for next < n/10 {
		for p := range strings.SplitSeq(s.get(sid).body, "\x1e") {
			take(p)
		}
	}
	c := s.ws("EIO=4&transport=websocket&sid=" + sid)
	write(t, c, "2probe")
	require.Equal(t, "3probe", read(t, c))
	for range 3 { // the client's last poll may hold packets
		body := s.get(sid).body
		for p := range strings.SplitSeq(body, "\x1e") {
			take(p)
		}
	}
	write(t, c, "5")
	for next < n {
		take(read(t, c))
	}
}

func TestShutdownSendsWhatIsQueuedTellsClientsAndLeavesNothing(t *testing.T) {
	s := serve(t, engineio.Options{})
	ws, wsID := s.openWS()
	sid := s.openPolling()
	for _, id := range []string{wsID, sid} {
		require.NoError(t, s.h.conn(t, id).Send(engineio.NewText("last")))
	}
	polled := make(chan string, 1)
	go func() {
		first, _ := s.try("GET", "EIO=4&transport=polling&sid="+sid, nil)
		second, _ := s.try("GET", "EIO=4&transport=polling&sid="+sid, nil)
		polled <- first.body + " " + second.body
	}()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.eio.Shutdown(ctx) }()
	require.Equal(t, "4last", read(t, ws))
	_, _, err := ws.ReadMessage()
	require.True(t, websocket.IsCloseError(err, websocket.CloseGoingAway), "%v", err)
	require.NoError(t, <-done)
	require.Equal(t, "4last 1", <-polled)
	require.Zero(t, s.eio.Len())
	require.Equal(t, http.StatusServiceUnavailable, s.request("GET", "EIO=4&transport=polling", "").status)
}

func TestWhatWasQueuedBeforeACloseArrivesOverAnUpgradeThatIsUnderWay(t *testing.T) {
	t.Parallel()
	s := serve(t, engineio.Options{})
	sid := s.openPolling()
	c := s.ws("EIO=4&transport=websocket&sid=" + sid)
	write(t, c, "2probe")
	require.Equal(t, "3probe", read(t, c))
	conn := s.h.conn(t, sid)
	require.NoError(t, conn.Send(engineio.NewText("last words")))
	conn.Close(engineio.CloseKicked)
	write(t, c, "5")
	require.Equal(t, "4last words", read(t, c))
	closes(t, c)
	s.h.closed(t, "kicked")
}

func TestAThousandConnectionsThatVanishAtOnceLeaveNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { require.NoError(t, leak.Wait(before)) }) // runs after the server's own clean-up
	s := serve(t, engineio.Options{})
	var wg sync.WaitGroup
	slots := make(chan struct{}, 100)
	for range 1000 {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if c, err := s.dial("EIO=4&transport=websocket"); err == nil {
				_ = c.WriteMessage(websocket.TextMessage, []byte("4x"))
				_ = c.NetConn().Close()
			}
		})
	}
	wg.Wait()
	s.h.until(t, "all to be gone", func(e *echo) bool { return len(e.conns) == 0 && s.eio.Len() == 0 })
	http.DefaultClient.CloseIdleConnections()
}

func TestAShutdownInTheMiddleOfHandshakesHandsUpOpenBeforeCloseOrNeither(t *testing.T) {
	t.Parallel()
	for range 20 {
		s := serve(t, engineio.Options{})
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				if i%2 == 0 {
					_, _ = s.try("GET", "EIO=4&transport=polling", nil)
				} else if c, err := s.dial("EIO=4&transport=websocket"); err == nil {
					_ = c.SetReadDeadline(time.Now().Add(patience))
					if staysOpen(c) {
						t.Error("the server left the connection open")
					}
					_ = c.Close()
				}
			})
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		_ = s.eio.Shutdown(ctx) // polling clients that never come back are cut at the end of ctx
		cancel()
		wg.Wait()
		s.h.until(t, "as many ends as beginnings, and no connection", func(e *echo) bool {
			open := 0
			for _, l := range e.log {
				if l == "open" {
					open++
				} else {
					open--
				}
				require.GreaterOrEqual(t, open, 0, "a close before its open")
			}
			return open == 0 && s.eio.Len() == 0 // a client may see its end before the server has forgotten it
		})
	}
}

func TestAFrameWhoseLengthHasItsTopBitSetEndsThatConnectionAlone(t *testing.T) {
	t.Parallel()
	s := serve(t, engineio.Options{})
	other, _ := s.openWS()
	for _, sid := range []string{"", "&sid=" + s.openPolling()} { // before sign-in, and as an upgrade
		c := s.ws("EIO=4&transport=websocket" + sid)
		_, err := c.NetConn().Write([]byte{0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
		require.NoError(t, err)
		closes(t, c)
	}
	s.h.closed(t, "transport_error")
	write(t, other, "4x")
	require.Equal(t, "4x", read(t, other))
}

func TestABrokenFrameIsAnsweredByACloseFrameEvenWhenMoreComesBehindIt(t *testing.T) {
	t.Parallel()
	s := serve(t, engineio.Options{})
	c, _ := s.openWS()
	_, err := c.NetConn().Write(append([]byte{0x81, 0x01}, make([]byte, 64<<10)...))
	require.NoError(t, err)
	_, _, err = c.ReadMessage()
	require.True(t, websocket.IsCloseError(err, websocket.CloseProtocolError), "%v", err)
}
