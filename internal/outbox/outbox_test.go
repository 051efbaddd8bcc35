package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

func TestWhatAKilledProcessLeftIsMadeGoodForThoseWhoAreThereAndThoseWhoComeLater(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		a, b := s.world.A, s.world.B
		s.killed(a, a.Appointment)
		box := s.outbox(s.svc, Options{Every: 5 * time.Millisecond})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- box.Run(ctx) }()

		require.Empty(t, s.out.got(), "the lease of the process that committed is not over")
		s.advance(5 * time.Second)
		require.Eventually(t, func() bool { return len(s.world.Deliveries()) == 0 }, time.Minute, 5*time.Millisecond)
		stop()
		require.NoError(t, <-ended)
		require.Equal(t, []string{
			"appointment:created → tenant:tenant-a", "notification:new → user:a-professional of tenant-a",
		}, s.out.got())

		late := box.Missed(a.ID, a.Professional, contract.RoleProfessional)
		require.Equal(t, []string{"appointment:created", "notification:new"}, names(late))
		var n contract.Notification
		require.NoError(t, json.Unmarshal(late[1].Payload, &n))
		require.Equal(t, s.world.Notifications()[0].ID, n.ID)
		require.Equal(t, a.Professional, n.UserID)
		require.Equal(t, []string{"appointment:created"}, names(box.Missed(a.ID, a.Admin, contract.RoleAdmin)))
		require.Empty(t, box.Missed(b.ID, a.Professional, contract.RoleProfessional), "moved to another tenant")
		require.Empty(t, box.Missed(b.ID, b.Professional, contract.RoleProfessional))
		s.advance(30 * time.Second)
		require.Empty(t, box.Missed(a.ID, a.Professional, contract.RoleProfessional), "no news any more")
	})
}

func TestANotificationDeletedAfterItWasMadeGoodDoesNotComeBackWithAReload(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		a := s.world.A
		s.killed(a, a.Appointment)
		s.advance(5 * time.Second)
		box := s.outbox(s.svc, Options{})
		box.look(t.Context())
		late := func() []string { return names(box.Missed(a.ID, a.Professional, contract.RoleProfessional)) }
		require.Equal(t, []string{"appointment:created", "notification:new"}, late())
		o := store.Owner{TenantID: a.ID, ID: a.Professional}
		found, err := s.st.Notifications.Delete(t.Context(), o, s.world.Notifications()[0].ID)
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, []string{"appointment:created"}, late())
		queries := dbtest.Statements(s.st, func() { box.Missed(a.ID, a.Admin, contract.RoleAdmin) })
		require.Zero(t, queries, "nothing was kept of this user")
	})
}

func TestTwoOutboxesShareWithoutOverlap(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		for i := range 40 {
			s.leave(fmt.Sprint("d-", i), s.world.A.ID, fmt.Sprint(100+i))
		}
		d := &deliverer{}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { s.outbox(d, Options{Batch: 3}).look(t.Context()) })
		}
		wg.Wait()
		for i := range 40 {
			require.Equal(t, 1, d.times(fmt.Sprint(100+i)))
		}
		require.Empty(t, s.world.Deliveries())
	})
}

func TestAFailedDeliveryIsTriedAgainAfterItsLeaseAndDroppedInTheEnd(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		d := &deliverer{}
		box := s.outbox(d, Options{MaxAttempts: 3, Keep: time.Hour})
		s.leave("fails", s.world.A.ID, "2")
		s.leave("works", s.world.A.ID, "1")
		s.leave("unreadable", s.world.A.ID, "3")
		s.leave("panics", s.world.A.ID, "4")
		box.look(t.Context())
		require.Equal(t, []int{1, 1, 0, 1}, []int{d.times("1"), d.times("2"), d.times("3"), d.times("4")})
		require.Len(t, s.world.Deliveries(), 2, "the unreadable one is dropped at once")
		box.look(t.Context())
		require.Equal(t, 1, d.times("2"), "not before its lease is over")
		s.advance(30 * time.Second)
		box.look(t.Context())
		require.Equal(t, 2, d.times("2"))
		s.advance(30 * time.Second)
		box.look(t.Context())
		require.Equal(t, []int{3, 3}, []int{d.times("2"), d.times("4")})
		require.Empty(t, s.world.Deliveries())
		require.Len(t, box.Missed(s.world.A.ID, "u", contract.RoleAdmin), 3, "each is kept once")
	})
}

func TestADeliveryThatIsNoNewsAnyMoreIsDropped(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		d := &deliverer{}
		s.leave("old", s.world.A.ID, "1")
		s.advance(25 * time.Hour)
		box := s.outbox(d, Options{})
		box.look(t.Context())
		require.Zero(t, d.times("1"))
		require.Empty(t, s.world.Deliveries())
		require.Empty(t, box.Missed(s.world.A.ID, "u", contract.RoleAdmin))
	})
}

func TestAStopInTheMiddleLosesNothing(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		for i := range 5 {
			s.leave(fmt.Sprint("d-", i), s.world.A.ID, fmt.Sprint(100+i))
		}
		ctx, cancel := context.WithCancel(t.Context())
		d := &stopping{deliverer: &deliverer{}, after: 2, stop: cancel}
		s.outbox(d, Options{}).look(ctx)
		require.Len(t, s.world.Deliveries(), 3, "what was sent is done, what was not is not")
		s.advance(30 * time.Second)
		next := &deliverer{}
		s.outbox(next, Options{}).look(t.Context())
		require.Empty(t, s.world.Deliveries())
		for i := range 5 {
			require.Equal(t, 1, d.times(fmt.Sprint(100+i))+next.times(fmt.Sprint(100+i)))
		}
	})
}

// stopping ends the process's context after some deliveries.
type stopping struct {
	*deliverer
	after int
	stop  func()
}

func (d *stopping) Deliver(ctx context.Context, body []byte) (int, error) {
	if d.after--; d.after == 0 {
		d.stop()
	}
	return d.deliverer.Deliver(ctx, body)
}

func TestWhatIsKeptIsBoundedAndTheOldestGoesFirst(t *testing.T) {
	t.Parallel()
	now := time.Now()
	read := func(name string) Reader {
		return func(_ string, _ contract.Role, yield func(string, json.RawMessage, string)) { yield(name, nil, "") }
	}
	box := New(nil, &deliverer{}, Options{KeepCount: 3, KeepBytes: 100, Now: func() time.Time { return now }})
	for i := range 5 {
		box.kept.add(fmt.Sprint(i), "t", 10, read(fmt.Sprint(i)), now)
	}
	require.Equal(t, []string{"2", "3", "4"}, names(box.Missed("t", "u", contract.RoleAdmin)))
	box.kept.add("big", "t", 85, read("big"), now)
	require.Equal(t, []string{"4", "big"}, names(box.Missed("t", "u", contract.RoleAdmin)))
	box.kept.add("too big", "t", 101, read("too big"), now)
	require.Equal(t, []string{"4", "big"}, names(box.Missed("t", "u", contract.RoleAdmin)))
	now = now.Add(31 * time.Second)
	require.Empty(t, box.Missed("t", "u", contract.RoleAdmin))
	box.kept.expire(now)
	require.Zero(t, box.kept.deliveries.bytes)
	require.Empty(t, box.kept.deliveries.list)

	none := New(nil, &deliverer{}, Options{Keep: -1})
	none.kept.add("x", "t", 1, read("x"), now)
	require.Empty(t, none.Missed("t", "u", contract.RoleAdmin))
}

func TestReadyTellsWhenDeliveriesCannotBeReadForLong(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		box := s.outbox(&deliverer{}, Options{})
		require.NoError(t, box.Ready(t.Context()), "a start is not unready")
		s.advance(16 * time.Second)
		require.Equal(t, contract.CodeUnavailable, contract.CodeOf(box.Ready(t.Context())), "nobody looks")
		box.look(t.Context())
		require.NoError(t, box.Ready(t.Context()))
		broken := s.outbox(&deliverer{}, Options{})
		broken.st = closed(t)
		broken.look(t.Context())
		require.NoError(t, broken.Ready(t.Context()), "a hiccup")
		s.advance(16 * time.Second)
		broken.look(t.Context())
		require.Error(t, broken.Ready(t.Context()))
	})
}

// closed is a store whose database is gone.
func closed(t *testing.T) *store.Store {
	t.Helper()
	st := dbtest.SQLite(t)
	require.NoError(t, st.Close())
	return st
}

func TestOldClaimsAndKeysAreForgottenAndNewOnesKept(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		ctx := t.Context()
		s.advance(-25 * time.Hour)
		begin := func(key string) store.IdempotencyState {
			r, err := s.st.Idempotency.Begin(ctx, key, "f", s.now(), time.Minute)
			require.NoError(t, err)
			return r.State
		}
		claim := func(key string) bool {
			fresh, err := s.st.Recent.Claim(ctx, key, "h", s.now(), 100*time.Hour)
			require.NoError(t, err)
			return fresh
		}
		require.Equal(t, store.IdempotencyStarted, begin("old"))
		require.NoError(t, s.st.Idempotency.Complete(ctx, "old", []byte(`{}`)))
		require.True(t, claim("old"))
		s.advance(25 * time.Hour)
		require.Equal(t, store.IdempotencyStarted, begin("new"))
		require.NoError(t, s.st.Idempotency.Complete(ctx, "new", []byte(`{}`)))
		require.True(t, claim("new"))

		s.outbox(&deliverer{}, Options{}).prune(ctx)
		require.Equal(t, store.IdempotencyStarted, begin("old"))
		require.Equal(t, store.IdempotencyDone, begin("new"))
		require.True(t, claim("old"))
		require.False(t, claim("new"))
	})
}
