package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/store"
)

func TestADueDeliveryIsTakenOnceALeaseUntilItIsDone(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		ctx, now := t.Context(), dbtest.Now
		require.NoError(t, st.Outbox.Add(ctx,
			store.Delivery{ID: "late", TenantID: "t", Body: []byte(`{"n": 2}`), DueAt: now.Add(time.Hour)},
			store.Delivery{ID: "due", TenantID: "t", Body: []byte(`{"n": 1}`), DueAt: now}))
		taken, err := st.Outbox.TakeDue(ctx, now, time.Minute, 10)
		require.NoError(t, err)
		require.Len(t, taken, 1)
		require.Equal(t, "due", taken[0].ID)
		require.Equal(t, `{"n": 1}`, string(taken[0].Body), "byte for byte")
		require.Equal(t, 1, taken[0].Attempts)

		taken, err = st.Outbox.TakeDue(ctx, now.Add(59*time.Second), time.Minute, 10)
		require.NoError(t, err)
		require.Empty(t, taken, "somebody has it")
		taken, err = st.Outbox.TakeDue(ctx, now.Add(time.Minute), time.Minute, 10)
		require.NoError(t, err)
		require.Len(t, taken, 1, "whoever had it has died")
		require.Equal(t, 2, taken[0].Attempts)
		taken, err = st.Outbox.TakeDue(ctx, now.Add(-2*time.Hour), time.Minute, 10)
		require.NoError(t, err)
		require.Len(t, taken, 2, "the clock was set back, and whoever had one has died")
		require.Equal(t, 3, taken[0].Attempts+taken[1].Attempts-1)

		n, oldest, err := st.Outbox.Backlog(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
		require.WithinDuration(t, time.Now(), oldest, time.Minute)
		require.NoError(t, st.Outbox.Done(ctx, "due", "late", "never there"))
		n, oldest, err = st.Outbox.Backlog(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
		require.True(t, oldest.IsZero())
		require.NoError(t, st.Outbox.Done(ctx))
		require.NoError(t, st.Outbox.Add(ctx))
	})
}

func TestABodyThatIsNotJSONIsRefused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		require.Error(t, st.Outbox.Add(t.Context(), store.Delivery{ID: "d", TenantID: "t", Body: []byte(`{`)}))
	})
}

func TestTwoTakersShareWithoutOverlap(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		const total = 300
		var deliveries []store.Delivery
		for i := range total {
			deliveries = append(deliveries, store.Delivery{
				ID: fmt.Sprintf("d-%03d", i), TenantID: "t", Body: []byte("{}"), DueAt: dbtest.Now,
			})
		}
		require.NoError(t, st.Outbox.Add(t.Context(), deliveries...))
		var mu sync.Mutex
		seen := map[string]int{}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					taken, err := st.Outbox.TakeDue(t.Context(), dbtest.Now, time.Hour, 7)
					if err != nil || len(taken) == 0 {
						if err != nil {
							t.Error(err)
						}
						return
					}
					if len(taken) > 7 {
						t.Errorf("%d taken, 7 asked for", len(taken))
					}
					mu.Lock()
					for _, d := range taken {
						seen[d.ID]++
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		require.Len(t, seen, total)
		for id, n := range seen {
			require.Equal(t, 1, n, id)
		}
	})
}

func TestATakerDoesNotWaitForRowsThatAnotherHolds(t *testing.T) {
	t.Parallel()
	st := dbtest.Postgres(t)
	ctx := t.Context()
	for _, id := range []string{"a", "b"} {
		require.NoError(t, st.Outbox.Add(ctx, store.Delivery{ID: id, TenantID: "t", Body: []byte("{}"), DueAt: dbtest.Now}))
	}
	require.NoError(t, st.InTx(ctx, func(tx *store.Store) error {
		first, err := tx.Outbox.TakeDue(ctx, dbtest.Now, time.Minute, 1)
		require.NoError(t, err)
		require.Len(t, first, 1)
		second, err := st.Outbox.TakeDue(ctx, dbtest.Now, time.Minute, 10) // while the first is not committed
		require.NoError(t, err)
		require.Len(t, second, 1)
		require.NotEqual(t, first[0].ID, second[0].ID)
		return nil
	}))
}
