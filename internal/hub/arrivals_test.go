package hub

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// settle runs Settle and returns how long it took on the bubble's clock.
func settle(h *Hub, page bool) time.Duration {
	start := time.Now()
	h.Settle(context.Background(), "ana", page)
	return time.Since(start)
}

func TestAListWaitsForTheSocketsOfItsOwnUserOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &Hub{opts: Options{ArrivalWait: time.Second}, arrivals: newArrivals()}
		require.Zero(t, settle(h, false), "nobody is on the way")
		h.arrivals.begin("luis")
		require.Zero(t, settle(h, false), "somebody else is")

		h.arrivals.begin("ana")
		h.arrivals.begin("ana")
		time.AfterFunc(100*time.Millisecond, func() { h.arrivals.end("ana") })
		time.AfterFunc(250*time.Millisecond, func() { h.arrivals.end("ana") })
		require.Equal(t, 250*time.Millisecond, settle(h, false), "until the last one is there")
		require.Zero(t, settle(h, false))
		h.arrivals.end("luis")
		require.Empty(t, h.arrivals.of)
	})
}

func TestAListWaitsNoLongerThanIsSet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &Hub{opts: Options{ArrivalWait: 300 * time.Millisecond}, arrivals: newArrivals()}
		h.arrivals.begin("ana")
		require.Equal(t, 300*time.Millisecond, settle(h, true))
		h.opts.ArrivalWait = 0
		require.Zero(t, settle(h, true), "switched off")
	})
}

func TestAPageIsGivenAMomentToOpenItsSockets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &Hub{opts: Options{ArrivalWait: time.Second}, arrivals: newArrivals()}
		require.Equal(t, 150*time.Millisecond, settle(h, true), "none came")
		time.AfterFunc(10*time.Millisecond, func() { h.arrivals.begin("luis") })
		time.AfterFunc(30*time.Millisecond, func() { h.arrivals.begin("ana") })
		time.AfterFunc(200*time.Millisecond, func() { h.arrivals.end("ana") })
		require.Equal(t, 200*time.Millisecond, settle(h, true))
		h.arrivals.end("luis")
		require.Empty(t, h.arrivals.of)
		require.Empty(t, h.arrivals.awaited)

		h.opts.ArrivalWait = 10 * time.Second
		require.Equal(t, 1500*time.Millisecond, settle(h, true), "a page on a slow network is given as much more as is set")
		time.AfterFunc(time.Second, func() { h.arrivals.begin("ana") })
		time.AfterFunc(5*time.Second, func() { h.arrivals.end("ana") })
		require.Equal(t, 5*time.Second, settle(h, true))
	})
}
