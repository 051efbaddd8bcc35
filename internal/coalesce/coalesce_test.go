package coalesce_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/internal/coalesce"
)

// double answers each question with its double, and keeps the batches.
type double struct {
	mu      sync.Mutex
	batches [][]int
	gate    chan struct{} // Run waits for it; nil: it does not
}

func (d *double) run(_ context.Context, asks []int) []coalesce.Result[int] {
	d.mu.Lock()
	d.batches = append(d.batches, slices.Clone(asks))
	d.mu.Unlock()
	if d.gate != nil {
		<-d.gate
	}
	out := make([]coalesce.Result[int], len(asks))
	for i, n := range asks {
		out[i].Answer = 2 * n
	}
	return out
}

func (d *double) asked() [][]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.batches)
}

func TestALoneQuestionIsAskedAtOnce(t *testing.T) {
	t.Parallel()
	d := &double{}
	g := coalesce.Group[int, int]{Run: d.run}
	for n := range 3 {
		got, err := g.Do(t.Context(), n)
		require.NoError(t, err)
		require.Equal(t, 2*n, got)
	}
	require.Equal(t, [][]int{{0}, {1}, {2}}, d.batches)
}

func TestWhatComesMeanwhileSharesTheNextCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &double{gate: make(chan struct{})}
		g := coalesce.Group[int, int]{Run: d.run, Most: 3}
		var wg sync.WaitGroup
		ask := func(n int) {
			wg.Go(func() {
				got, err := g.Do(t.Context(), n)
				if err != nil || got != 2*n {
					t.Errorf("%d is answered with %d, %v", n, got, err)
				}
			})
			synctest.Wait() // it waits now
		}
		for n := range 6 {
			ask(n)
		}
		for range 3 {
			d.gate <- struct{}{}
		}
		wg.Wait()
		require.Equal(t, [][]int{{0}, {1, 2, 3}, {4, 5}}, d.batches, "in order, at most Most at once")
	})
}

func TestWhoHasWaitedForLongIsOneMoreCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &double{gate: make(chan struct{})}
		g := coalesce.Group[int, int]{Run: d.run, AtOnce: 2}
		var wg sync.WaitGroup
		ask := func(n int) {
			wg.Go(func() { _, _ = g.Do(t.Context(), n) })
			synctest.Wait()
		}
		ask(0)
		ask(1)
		ask(2)
		require.Equal(t, [][]int{{0}}, d.asked())
		time.Sleep(time.Second + time.Millisecond)
		synctest.Wait()
		require.Equal(t, [][]int{{0}, {1, 2}}, d.asked(), "beside the one that hangs")
		ask(3)
		time.Sleep(time.Hour)
		require.Len(t, d.asked(), 2, "two at once, and no more")
		for range 3 {
			d.gate <- struct{}{}
		}
		wg.Wait()
		require.Equal(t, [][]int{{0}, {1, 2}, {3}}, d.asked())
	})
}

func TestACallerThatGivesUpIsAnsweredAllTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &double{gate: make(chan struct{})}
		g := coalesce.Group[int, int]{Run: d.run}
		go func() { _, _ = g.Do(t.Context(), 1) }()
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error)
		go func() {
			_, err := g.Do(ctx, 2)
			left <- err
		}()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-left, context.Canceled)
		d.gate <- struct{}{}
		d.gate <- struct{}{}
		synctest.Wait()
		require.Equal(t, [][]int{{1}, {2}}, d.batches)
	})
}

func TestAPanicAndAMissingAnswerAreErrors(t *testing.T) {
	t.Parallel()
	g := coalesce.Group[int, int]{Run: func(_ context.Context, asks []int) []coalesce.Result[int] {
		if asks[0] == 1 {
			panic("no")
		}
		return nil
	}}
	_, err := g.Do(t.Context(), 1)
	require.ErrorContains(t, err, "panic: no")
	_, err = g.Do(t.Context(), 2)
	require.ErrorContains(t, err, "no answer")
}

func TestManyCallersOfManyCallsAtOnce(t *testing.T) {
	t.Parallel()
	odd := errors.New("odd")
	g := coalesce.Group[int, int]{AtOnce: 3, Most: 10, Run: func(_ context.Context, asks []int) []coalesce.Result[int] {
		out := make([]coalesce.Result[int], len(asks))
		for i, n := range asks {
			if out[i].Answer = 2 * n; n%2 == 1 {
				out[i].Err = odd
			}
		}
		return out
	}}
	var wg sync.WaitGroup
	for n := range 500 {
		wg.Go(func() {
			got, err := g.Do(t.Context(), n)
			if got != 2*n || errors.Is(err, odd) != (n%2 == 1) {
				t.Errorf("%d is answered with %d, %v", n, got, err)
			}
		})
	}
	wg.Wait()
}
