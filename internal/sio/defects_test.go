package sio

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// ours wants a scenario to see nothing on our server, a few times.
func ours(t *testing.T, times int, s scenario) {
	t.Helper()
	t.Parallel()
	url := ourApp(t)
	for range times {
		require.Empty(t, s(url))
	}
}

func TestDefect01PongRightAfterTheHandshake(t *testing.T) { ours(t, 3, defect01) }
func TestDefect02CrashByOnePacket(t *testing.T) {
	for form, s := range defect02 {
		t.Run(form, func(t *testing.T) { ours(t, 3, s) })
	}
}
func TestDefect03PanicInAnEventHandler(t *testing.T)         { ours(t, 3, defect03) }
func TestDefect04LostPacketsAfterPreparedFrame(t *testing.T) { ours(t, 3, defect04) }
func TestDefect05EventsReordered(t *testing.T)               { ours(t, 3, defect05) }
func TestDefect06QuickConnectIsLost(t *testing.T)            { ours(t, 2, defect06) }
func TestDefect07RecoveryPanicsAtStart(t *testing.T) {
	t.Parallel()
	require.Empty(t, defect07(ourApp(t, Recovery{Time: time.Minute})))
}
func TestDefect08ChunkedPostWithoutLimit(t *testing.T)           { ours(t, 1, defect08) }
func TestDefect09LargePollingPacketDropped(t *testing.T)         { ours(t, 1, defect09large) }
func TestDefect09InvalidPollingPayloadKept(t *testing.T)         { ours(t, 1, defect09invalid) }
func TestDefect10ZipBomb(t *testing.T)                           { ours(t, 1, defect10) }
func TestDefect11AttachmentsWithoutLimit(t *testing.T)           { ours(t, 1, defect11) }
func TestDefect12GhostSockets(t *testing.T)                      { ours(t, 2, defect12) }
func TestDefect13KickReadsAsTransportClose(t *testing.T)         { ours(t, 3, defect13) }
func TestDefect14DisconnectTwiceOrWithTheWrongWord(t *testing.T) { ours(t, 3, defect14) }
func TestDefect15BarePacketForWhatCannotBeEncoded(t *testing.T)  { ours(t, 1, defect15) }
func TestDefect16QueueWithoutBound(t *testing.T)                 { ours(t, 1, defect16) }
func TestDefect17AbsentAuthIsNil(t *testing.T)                   { ours(t, 1, defect17) }

// The other half of row 14: kicks, packets and ends of the transport that cross each other.
func TestDefect14KickAndCloseAtOnceIsOneDisconnect(t *testing.T) {
	t.Parallel()
	r := serve(t, Options{})
	const n = 100
	crowd(n, 20, func(i int) bool {
		l, id, err := enter(r.url)
		if err != nil {
			t.Error(err)
			return false
		}
		s := r.socket(id)
		var wg sync.WaitGroup
		wg.Go(func() { s.Kick(Reason{Text: "kicked", Reconnects: i%2 == 0}) })
		wg.Go(func() { _ = l.write("1", nil) })
		wg.Go(func() { _, _ = r.Broadcast(Target{All: true}, "x") })
		wg.Go(func() { l.close() })
		wg.Wait()
		return true
	})
	r.eventually("every disconnect", func() bool { return len(r.left) >= n && r.Conns() == 0 })
	seen := map[string]bool{}
	for _, l := range r.leavers() {
		id, reason, _ := strings.Cut(l, " ")
		require.False(t, seen[id], "twice: %s", l)
		seen[id] = true
		require.Contains(t, []string{"kicked", "client namespace disconnect", "transport close", "transport error"}, reason)
	}
	require.Len(t, seen, n)
	require.Zero(t, r.Len())
}

// The other half of row 3: no callback's panic reaches another socket.
func TestDefect03PanicInAuthenticate(t *testing.T) {
	t.Parallel()
	r := serve(t, Options{Authenticate: func(_ context.Context, hs Handshake) (any, *ConnectError) {
		if hs.Auth["bomb"] == true {
			panic("boom")
		}
		return nil, nil
	}})
	c, _ := joined(t, r.url)
	bomb := dial(t, r.url)
	bomb.send(`0{"bomb":true}`)
	require.Contains(t, bomb.text(), "Authentication failed")
	c.wantNothing()
}

// Row 13 over polling: the npm client handles a message after the payload that it came in, but a close packet at once.
// In one payload, DISCONNECT would come too late.
func TestDefect13KickOverPollingClosesInALaterPayload(t *testing.T) {
	t.Parallel()
	r := serve(t, Options{})
	l, err := openPolling(r.url)
	require.NoError(t, err)
	c := &client{t, l}
	s := r.socket(c.join("/", ""))
	s.Kick(Reason{Text: "kicked"})
	r.wantLeft(s.ID(), "kicked")
	body, err := l.do(http.MethodGet, "", wait)
	require.NoError(t, err)
	require.Equal(t, "41", body)
	body, err = l.do(http.MethodGet, "", wait)
	require.NoError(t, err)
	require.Equal(t, "1", body)
}

// Row 13 in the middle of an upgrade: a client that has seen its probe answered polls no more, so that DISCONNECT must
// come over the WebSocket.
func TestDefect13KickInTheMiddleOfAnUpgrade(t *testing.T) {
	t.Parallel()
	r := serve(t, Options{})
	l, err := openPolling(r.url)
	require.NoError(t, err)
	c := &client{t, l}
	s := r.socket(c.join("/", ""))
	_, session, _ := strings.Cut(l.url, "&sid=")
	ws, resp, err := websocket.DefaultDialer.Dial(wsURL(r.url)+"&sid="+session, nil)
	require.NoError(t, err)
	defer ws.Close()
	require.NoError(t, resp.Body.Close())
	require.NoError(t, ws.WriteMessage(websocket.TextMessage, []byte("2probe")))
	_, data, err := ws.ReadMessage()
	require.NoError(t, err)
	require.Equal(t, "3probe", string(data))

	s.Kick(Reason{Text: "kicked"})
	r.wantLeft(s.ID(), "kicked")
	require.NoError(t, ws.WriteMessage(websocket.TextMessage, []byte("5")))
	_, data, err = ws.ReadMessage()
	require.NoError(t, err)
	require.Equal(t, "41", string(data))
	_, _, err = ws.ReadMessage()
	require.Error(t, err)
}
