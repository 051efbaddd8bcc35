package limits

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestABucketSaysWhenToComeBack(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	k := NewKeyed(Rate{PerSecond: 2, Burst: 3}, func() time.Time { return now })
	for range 3 {
		_, ok := k.Take("a", 1)
		require.True(t, ok)
	}
	wait, ok := k.Take("a", 1)
	require.False(t, ok)
	require.Equal(t, 500*time.Millisecond, wait)
	_, ok = k.Take("b", 1)
	require.True(t, ok, "another key has a bucket of its own")
	now = now.Add(wait)
	_, ok = k.Take("a", 1)
	require.True(t, ok, "what was refused took nothing")
	_, ok = k.Take("c", 100)
	require.True(t, ok, "more than the bucket holds is the whole bucket")
}

func TestNoLimit(t *testing.T) {
	for range 100 {
		_, ok := NewKeyed(Rate{}, nil).Take("a", 1000)
		require.True(t, ok)
		_, ok = (*Keyed)(nil).Take("a", 1)
		require.True(t, ok)
		_, ok = NewKeyed(Rate{PerSecond: 1, Burst: 1}, nil).Take("", 1)
		require.True(t, ok)
	}
}

func TestKeysAreBoundedInNumber(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	k := NewKeyed(Rate{PerSecond: 1, Burst: 1}, func() time.Time { return now })
	for i := range 2 * maxKeys {
		k.Take(strconv.Itoa(i), 1)
	}
	require.Len(t, k.buckets, maxKeys)
	_, ok := k.Take("one more", 1)
	require.False(t, ok, "all that there is no room for share a bucket")
	now = now.Add(2 * time.Second)
	_, ok = k.Take("one more", 1)
	require.True(t, ok)
	require.Len(t, k.buckets, 1, "full buckets are as good as new ones")
}
