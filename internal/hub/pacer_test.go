package hub

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/internal/limits"
	"github.com/citaplanner/realtime/pkg/contract"
)

func testPacer() *pacer {
	return newPacer(limits.Rate{PerSecond: 1000, Burst: 1000}, 100_000, time.Now, NewMetrics(nil))
}

// record is an order of events that several goroutines write.
type record struct {
	mu     sync.Mutex
	events []int
}

func (r *record) add(event int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, event)
}

func (r *record) list() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

func TestBroadcastsOverTheRateWaitInOrderAndDelayNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, start := testPacer(), time.Now()
		var order record
		send := func(i int) func(from, until int) int {
			return func(from, until int) int {
				if from == 0 {
					order.add(i)
				}
				return until - from
			}
		}
		for i := range 4 {
			n, err := p.send("a", 1000, 10, send(i))
			require.NoError(t, err)
			require.Equal(t, 1000, n)
		}
		require.Equal(t, []int{0}, order.list(), "the burst goes out at once")
		n, err := p.send("b", 1000, 10, send(9))
		require.NoError(t, err)
		require.Equal(t, 1000, n)
		require.Equal(t, []int{0, 9}, order.list(), "another tenant does not wait")
		_, err = p.send("a", 1, 10, func(int, int) int { order.add(4); return 1 })
		require.NoError(t, err)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, []int{0, 9, 1, 2, 3, 4}, order.list(), "a small one does not overtake")
		require.Equal(t, 10*time.Second, time.Since(start))
		require.Zero(t, p.lanes["a"].bytes)
		require.False(t, p.lanes["a"].busy)
	})
}

func TestABroadcastLargerThanTheBurstIsSentInChunks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, start := testPacer(), time.Now()
		var at []time.Duration
		_, err := p.send("a", 3000, 10, func(from, until int) int {
			at = append(at, time.Since(start))
			return until - from
		})
		require.NoError(t, err)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, []time.Duration{0, 0, 500 * time.Millisecond, time.Second, 1500 * time.Millisecond, 2 * time.Second}, at)
	})
}

func TestWhatWaitsForATenantIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := testPacer()
		var sent atomic.Int64 // by a's queue, while b's is sent at once
		send := func(from, until int) int { sent.Add(int64(until - from)); return until - from }
		for range 12 { // 1,000 recipients are 8,000 bytes
			_, err := p.send("a", 1000, 500, send)
			require.NoError(t, err)
		}
		n, err := p.send("a", 1000, 500, send)
		require.Zero(t, n)
		require.Equal(t, contract.CodeRateLimited, contract.CodeOf(err))
		require.Positive(t, contract.AsError(err).RetryAfter)
		_, err = p.send("b", 1000, 500, send)
		require.NoError(t, err)

		start := time.Now()
		p.flush(context.Background())
		require.EqualValues(t, 13_000, sent.Load(), "a stop sends what waits, unpaced")
		require.LessOrEqual(t, time.Since(start), time.Second)
	})
}
