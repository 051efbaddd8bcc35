package store_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/store"
)

func TestARepeatOfARequestGetsTheFirstAnswer(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		ctx, now := t.Context(), dbtest.Now
		begin := func(fingerprint string, at time.Time) store.IdempotencyRecord {
			r, err := st.Idempotency.Begin(ctx, "key", fingerprint, at, time.Minute)
			require.NoError(t, err)
			return r
		}
		require.Equal(t, 1, dbtest.Statements(st, func() {
			require.Equal(t, store.IdempotencyRecord{State: store.IdempotencyStarted, Fingerprint: "f"}, begin("f", now))
		}))
		require.Equal(t, store.IdempotencyRecord{State: store.IdempotencyRunning, Fingerprint: "f"}, begin("f", now))
		require.Equal(t, store.IdempotencyRecord{State: store.IdempotencyRunning, Fingerprint: "f"}, begin("g", now))

		require.NoError(t, st.Idempotency.Complete(ctx, "key", []byte(`{"id":"1"}`)))
		done := store.IdempotencyRecord{State: store.IdempotencyDone, Fingerprint: "f", Response: []byte(`{"id":"1"}`)}
		require.Equal(t, done, begin("f", now.Add(time.Hour)))
		require.Equal(t, done, begin("other body", now.Add(time.Hour)))

		require.NoError(t, st.Idempotency.Complete(ctx, "key", []byte(`{"id":"2"}`)))
		require.NoError(t, st.Idempotency.Release(ctx, "key"))
		require.Equal(t, done, begin("f", now), "the first answer stays")
		require.NoError(t, st.Idempotency.Amend(ctx, "key", []byte(`{"id":"1","more":true}`)))
		require.NoError(t, st.Idempotency.Amend(ctx, "never begun", []byte(`{}`)))
		done.Response = []byte(`{"id":"1","more":true}`)
		require.Equal(t, done, begin("f", now), "unless it is amended")

		n, err := st.Idempotency.Prune(ctx, now.Add(time.Second), 10)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		require.Equal(t, store.IdempotencyStarted, begin("g", now).State)
	})
}

func TestAKeyWhoseStarterDiedIsTakenOverAfterTheLease(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		ctx, now := t.Context(), dbtest.Now
		begin := func(fingerprint string, at time.Time) store.IdempotencyState {
			r, err := st.Idempotency.Begin(ctx, "key", fingerprint, at, time.Minute)
			require.NoError(t, err)
			return r.State
		}
		require.Equal(t, store.IdempotencyStarted, begin("f", now))
		require.Equal(t, store.IdempotencyRunning, begin("f", now.Add(59*time.Second)))
		require.Equal(t, store.IdempotencyRunning, begin("another body", now.Add(time.Minute)))
		require.Equal(t, store.IdempotencyStarted, begin("f", now.Add(time.Minute)))
		require.Equal(t, store.IdempotencyRunning, begin("f", now.Add(time.Minute)))
		require.Equal(t, store.IdempotencyStarted, begin("f", now.Add(-2*time.Hour)), "the clock was set back")
		require.NoError(t, st.Idempotency.Release(ctx, "key"))
		require.Equal(t, store.IdempotencyStarted, begin("another body", now))
	})
}

func TestOfTwentyRequestsWithOneKeyExactlyOneStarts(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		var started atomic.Int32
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				r, err := st.Idempotency.Begin(t.Context(), "key", "f", time.Now(), time.Minute)
				if err != nil {
					t.Error(err)
				}
				if r.State == store.IdempotencyStarted {
					started.Add(1)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, started.Load())
	})
}
