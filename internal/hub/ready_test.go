package hub

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/internal/canary"
	"github.com/citaplanner/realtime/internal/limits"
)

func TestReadinessShowsALockThatIsHeldForEver(t *testing.T) {
	h, err := New(Deps{}, Options{})
	require.NoError(t, err)
	require.NoError(t, h.Ready(t.Context()))
	require.Eventually(t, func() bool { return !h.probing.Load() }, time.Minute, time.Millisecond, "its goroutine is over")

	h.mu.Lock()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, h.Ready(ctx), errWedged)
	require.ErrorIs(t, h.Ready(t.Context()), errWedged, "and no second probe is left hanging")
	h.mu.Unlock()
	require.Eventually(t, func() bool { return h.Ready(t.Context()) == nil }, time.Minute, time.Millisecond)
}

func TestACanaryComesThroughTheHubUnlessSomethingInItIsHeldForEver(t *testing.T) {
	h, err := New(Deps{}, Options{Fanout: limits.Rate{PerSecond: 1e6, Burst: 10}})
	require.NoError(t, err)
	require.NoError(t, h.Probe(t.Context(), "token"))

	for name, held := range map[string]sync.Locker{"the session table": &h.mu, "the pacer": &h.pacer.mu} {
		now := time.Now()
		c := canary.New(canary.Options{MaxAge: 50 * time.Millisecond, Now: func() time.Time { return now }})
		c.Add(canary.Leg{Name: "hub", Run: h.Probe})
		held.Lock()
		c.Lap(t.Context())
		now = now.Add(time.Second)
		require.ErrorContains(t, c.Ready(t.Context()), "no event has come through hub", name)
		held.Unlock()
		require.Eventually(t, func() bool { c.Lap(t.Context()); return c.Ready(t.Context()) == nil }, time.Minute, time.Millisecond, name)
	}
}
