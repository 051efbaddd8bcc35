package store_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/store"
)

func TestAClaimIsFreshUnlessTheSameWasMadeWithinTheWindow(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		now := dbtest.Now
		claim := func(key, hash string, at time.Time) bool {
			fresh, err := st.Recent.Claim(t.Context(), key, hash, at, 5*time.Second)
			require.NoError(t, err)
			return fresh
		}
		require.True(t, claim("k", "h", now))
		require.False(t, claim("k", "h", now), "a double click")
		require.False(t, claim("k", "h", now.Add(4999*time.Millisecond)))
		require.True(t, claim("other", "h", now))
		require.True(t, claim("k", "h", now.Add(5*time.Second)), "the window is over; a refusal did not extend it")
		require.True(t, claim("k", "h2", now.Add(6*time.Second)), "something else happened")
		require.True(t, claim("k", "h", now.Add(7*time.Second)), "and then the first again")
		require.True(t, claim("k", "h", now.Add(-time.Hour)), "a clock that was set back shuts nothing")
		require.True(t, claim("nul\x00\xff", "h\x00", now))
		require.False(t, claim("nul\x00\xff", "h\x00", now))

		n, err := st.Recent.Prune(t.Context(), now, 10)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
}

func TestManyClaimsAreOneStatement(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		hashes := map[string]string{}
		for i := range 3000 {
			hashes[fmt.Sprint("k", i)] = "h"
		}
		_, err := st.Recent.Claim(t.Context(), "k7", "h", dbtest.Now, time.Second)
		require.NoError(t, err)
		require.Equal(t, 1, dbtest.Statements(st, func() {
			fresh, err := st.Recent.ClaimAll(t.Context(), hashes, dbtest.Now, time.Second)
			require.NoError(t, err)
			require.Len(t, fresh, 2999)
			require.False(t, fresh["k7"])
		}))
		fresh, err := st.Recent.ClaimAll(t.Context(), nil, dbtest.Now, time.Second)
		require.NoError(t, err)
		require.Empty(t, fresh)
	})
}

func TestOfTwentyClaimsAtOnceExactlyOneIsFresh(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		for round := range 5 {
			var fresh atomic.Int32
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					// As notify does: in the transaction of the row.
					err := st.InTx(t.Context(), func(tx *store.Store) error {
						ok, err := tx.Recent.Claim(t.Context(), fmt.Sprint("k", round), "h", time.Now(), time.Minute)
						if ok {
							fresh.Add(1)
						}
						return err
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			require.EqualValues(t, 1, fresh.Load())
		}
	})
}

func TestAClaimThatIsRolledBackWasNeverMade(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		boom := errors.New("boom")
		err := st.InTx(t.Context(), func(tx *store.Store) error {
			fresh, err := tx.Recent.Claim(t.Context(), "k", "h", dbtest.Now, time.Minute)
			require.NoError(t, err)
			require.True(t, fresh)
			return boom
		})
		require.ErrorIs(t, err, boom)
		fresh, err := st.Recent.Claim(t.Context(), "k", "h", dbtest.Now, time.Minute)
		require.NoError(t, err)
		require.True(t, fresh)
	})
}
