package sio

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zishang520/engine.io/v2/events"
)

// These tests hold up the reason for this package and pkg/engineio: each scenario of scenarios_test.go shows its defect
// on the library as it comes. When one of them fails, the library has changed and the row wants another look.

// bareLimit bounds the tries to see a defect that needs luck.
const bareLimit = 4 * time.Minute

// bare runs a scenario against processes with the bare library until the defect shows.
func bare(t *testing.T, variant string, s scenario) {
	t.Helper()
	t.Parallel()
	p := startBare(t, variant)
	for end := time.Now().Add(bareLimit); time.Now().Before(end); {
		require.NotEmpty(t, p.url, p.said())
		if seen := s(p.url); seen != "" {
			t.Log(seen)
			return
		}
		if p.dead() {
			t.Logf("%s: %.300s", processDied, p.said())
			return
		}
	}
	t.Fatalf("not seen in %v", bareLimit)
}

func TestBareDefect01PongRightAfterTheHandshake(t *testing.T) { bare(t, "plain", defect01) }
func TestBareDefect02CrashByOnePacket(t *testing.T) {
	for form, s := range defect02 {
		t.Run(form, func(t *testing.T) { bare(t, "plain", s) })
	}
}
func TestBareDefect03PanicInAnEventHandler(t *testing.T)             { bare(t, "plain", defect03) }
func TestBareDefect04LostPacketsAfterPreparedFrame(t *testing.T)     { bare(t, "plain", defect04) }
func TestBareDefect05EventsReordered(t *testing.T)                   { bare(t, "plain", defect05) }
func TestBareDefect06QuickConnectIsLost(t *testing.T)                { bare(t, "plain", defect06) }
func TestBareDefect08ChunkedPostWithoutLimit(t *testing.T)           { bare(t, "plain", defect08) }
func TestBareDefect09LargePollingPacketDropped(t *testing.T)         { bare(t, "plain", defect09large) }
func TestBareDefect09InvalidPollingPayloadKept(t *testing.T)         { bare(t, "plain", defect09invalid) }
func TestBareDefect10ZipBomb(t *testing.T)                           { bare(t, "compression", defect10) }
func TestBareDefect11AttachmentsWithoutLimit(t *testing.T)           { bare(t, "plain", defect11) }
func TestBareDefect12GhostSockets(t *testing.T)                      { bare(t, "plain", defect12) }
func TestBareDefect13KickReadsAsTransportClose(t *testing.T)         { bare(t, "plain", defect13) }
func TestBareDefect14DisconnectTwiceOrWithTheWrongWord(t *testing.T) { bare(t, "plain", defect14) }
func TestBareDefect15BarePacketForWhatCannotBeEncoded(t *testing.T)  { bare(t, "plain", defect15) }
func TestBareDefect16QueueWithoutBound(t *testing.T)                 { bare(t, "plain", defect16) }
func TestBareDefect17AbsentAuthIsNil(t *testing.T)                   { bare(t, "auth", defect17) }

// Row 7: the process ends before it listens.
func TestBareDefect07RecoveryPanicsAtStart(t *testing.T) {
	t.Parallel()
	p := startBare(t, "recovery")
	<-p.exited
	require.Empty(t, p.url)
	require.Contains(t, p.said(), "AddCleanup")
}

// Row 17: listeners are told apart by their code alone, so that of two closures the wrong one is removed.
func TestBareDefect17RemoveListenerConfusesClosures(t *testing.T) {
	t.Parallel()
	e := events.New()
	var called []string
	var listeners []events.Listener
	for _, name := range []string{"kept", "removed"} {
		listeners = append(listeners, func(...any) { called = append(called, name) })
	}
	require.NoError(t, e.On("x", listeners...))
	e.RemoveListener("x", listeners[1])
	e.Emit("x")
	require.Equal(t, []string{"removed"}, called)
}
