package wire

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func out(tenant, name string, sockets int) Event {
	return Event{TenantID: tenant, Direction: Out, Name: name, Peer: "tenant:" + tenant, Sockets: sockets}
}

func names(v View) (all []string) {
	for _, e := range v.Events {
		all = append(all, e.Name)
	}
	return all
}

func TestNothingIsKeptUntilSomebodyWatchesAndNothingAfterwards(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tap := New(nil)
		require.False(t, tap.Watched())
		require.False(t, (*Tap)(nil).Watched())
		require.Empty(t, tap.Watch("a", 0).Events)
		require.True(t, tap.Watched())
		tap.Record(out("a", "one", 3), map[string]int{"n": 1})
		v := tap.Watch("a", 0)
		require.Equal(t, []string{"one"}, names(v))
		require.JSONEq(t, `{"n":1}`, string(v.Events[0].Payload))
		require.Equal(t, [3]uint64{1, 3, 0}, [3]uint64{v.Sent, v.Deliveries, v.Received})

		time.Sleep(Lease / 2)
		tap.Watch("a", v.Seq)
		time.Sleep(Lease/2 + time.Second) // the first lease is over, the second is not
		require.True(t, tap.Watched())
		time.Sleep(2 * Lease)
		require.False(t, tap.Watched())
		require.Empty(t, tap.Watch("a", 0).Events)
		time.Sleep(2 * Lease)
	})
}

func TestATenantsWatcherSeesThatTenantAlone(t *testing.T) {
	t.Parallel()
	tap := New(nil)
	for _, tenant := range []string{"a", "b", Everything} {
		tap.Watch(tenant, 0)
	}
	tap.Record(out("a", "ours", 2), "secret of a")
	tap.Record(out("b", "theirs", 5), "secret of b")
	tap.Record(Event{TenantID: "b", Direction: In, Name: "asked", Peer: "user:u"}, nil)
	a, b, all := tap.Watch("a", 0), tap.Watch("b", 0), tap.Watch(Everything, 0)
	require.Equal(t, []string{"ours"}, names(a))
	require.Equal(t, [3]uint64{1, 2, 0}, [3]uint64{a.Sent, a.Deliveries, a.Received})
	require.Equal(t, []string{"theirs", "asked"}, names(b))
	require.Equal(t, []string{"ours", "theirs", "asked"}, names(all))
	require.Equal(t, [3]uint64{2, 7, 1}, [3]uint64{all.Sent, all.Deliveries, all.Received})
}

func TestAWatcherGetsWhatIsNewAndNeverMoreThanIsKept(t *testing.T) {
	t.Parallel()
	var passed atomic.Int64 // the tap looks at the clock by itself, too
	tap := New(func() time.Time { return time.Unix(1_760_000_000, passed.Load()) })
	tap.Watch("a", 0)
	for range 10 * Kept {
		passed.Add(int64(time.Second / perSecond))
		tap.Record(out("a", "x", 1), strings.Repeat("y", 2*maxPayload))
	}
	v := tap.Watch("a", 0)
	require.Len(t, v.Events, Kept)
	require.Equal(t, "null", string(v.Events[0].Payload))
	require.Less(t, len(tap.views["a"].Events), 2*Kept)
	require.Len(t, tap.Watch("a", v.Seq-3).Events, 3)
	require.Empty(t, tap.Watch("a", v.Seq).Events)
	require.Len(t, tap.Watch("a", v.Seq+1000).Events, Kept) // of a watch before the server's restart
}

func TestAFloodIsCountedAndNotKept(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_760_000_000, 0)
	tap := New(func() time.Time { return now })
	tap.Watch("a", 0)
	for range 5000 {
		tap.Record(out("a", "x", 2), nil)
	}
	v := tap.Watch("a", 0)
	require.Len(t, v.Events, perSecond)
	require.Equal(t, [2]uint64{5000, 10000}, [2]uint64{v.Sent, v.Deliveries})
}

func TestManyMayRecordAndWatch(t *testing.T) {
	t.Parallel()
	tap := New(nil)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				tap.Watch("a", 0)
				tap.Record(out("a", "x", 1), 1)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1600, tap.Watch("a", 0).Sent)
}
