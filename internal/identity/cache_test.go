package identity_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/identity"
	"github.com/citaplanner/realtime/pkg/contract"
)

func TestAUserIsReadOnceWhileRemembered(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		s := newScene(t, st.Users, identity.Options{})
		require.Equal(t, 1, dbtest.Statements(st, func() {
			for range 5 { // five sockets of a tab
				_, err := s.signIn(w.A.Admin)
				require.NoError(t, err)
			}
		}))
		require.EqualValues(t, 4, s.metric("realtime_account_lookups_total", "result", "hit"))
		s.Invalidate(w.A.Admin)
		require.Equal(t, 1, dbtest.Statements(st, func() {
			_, err := s.signIn(w.A.Admin)
			require.NoError(t, err)
		}))
	})
}

func TestAUserIsReadAgainAfterThirtySeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeople(staff("one", nil))
		s := newScene(t, p, identity.Options{})
		for _, c := range []struct {
			wait    time.Duration
			queries int
		}{{0, 1}, {30*time.Second - 1, 1}, {1, 2}, {29 * time.Second, 2}, {time.Second, 3}} {
			time.Sleep(c.wait)
			_, err := s.signIn("one")
			require.NoError(t, err)
			require.Equal(t, c.queries, p.count())
		}
	})
}

func TestAClockThatIsSetBackRemembersNobodyForLonger(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	at := time.Now()
	p := newPeople(staff("one", nil))
	s := newScene(t, p, identity.Options{Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return at }})
	_, err := s.signIn("one")
	require.NoError(t, err)
	mu.Lock()
	at = at.Add(-time.Minute)
	mu.Unlock()
	_, err = s.signIn("one")
	require.NoError(t, err)
	require.Equal(t, 2, p.count())
}

func TestAReconnectStormOfAUserIsOneQuery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeople(staff("one", nil), staff("two", nil))
		release := make(chan struct{})
		p.onQuery(func(context.Context) { <-release }, nil)
		s := newScene(t, p, identity.Options{})
		var storm sync.WaitGroup
		come := func(id string) {
			storm.Go(func() {
				u, err := s.signIn(id)
				if err != nil || u.ID != id {
					t.Errorf("%s: %v", id, err)
				}
			})
		}
		come("one")
		synctest.Wait() // its query has begun: who comes now is not in it
		for i := range 999 {
			come([]string{"one", "two"}[i%2])
		}
		synctest.Wait()
		require.Equal(t, 1, p.count())
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, 2, p.count(), "the other user does not wait for ever behind a query that hangs")
		close(release)
		storm.Wait()
		require.Equal(t, 2, p.count())
		require.EqualValues(t, 998, s.metric("realtime_account_lookups_total", "result", "shared"))
	})
}

func TestACallerThatGivesUpFailsNobodyElse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeople(staff("one", nil))
		release := make(chan struct{})
		p.onQuery(func(ctx context.Context) {
			select {
			case <-release:
			case <-ctx.Done():
			}
		}, nil)
		s := newScene(t, p, identity.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { // its context makes the query
			_, err := s.Authenticate(ctx, identity.Request{AuthToken: s.token("one")})
			first <- err
		}()
		synctest.Wait()
		go func() {
			_, err := s.signIn("one")
			second <- err
		}()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-first, context.Canceled)
		close(release)
		require.NoError(t, <-second)
		require.Equal(t, 1, p.count())
	})
}

func TestAQueryThatNeverAnswersEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // and its goroutine with it, or the bubble would not end
		p := newPeople(staff("one", nil))
		p.onQuery(func(ctx context.Context) { <-ctx.Done() }, nil)
		s := newScene(t, p, identity.Options{LoadTimeout: 3 * time.Second})
		start := time.Now()
		_, err := s.signIn("one")
		refusedWith(t, err, contract.CodeAuthDown, "Authentication failed")
		require.Equal(t, 3*time.Second, time.Since(start))
	})
}

func TestWhatIsNotAGoodAnswerIsNotRemembered(t *testing.T) {
	t.Parallel()
	p := newPeople()
	s := newScene(t, p, identity.Options{})
	_, err := s.signIn("one")
	refusedWith(t, err, contract.CodeUserInactive, "User not found or inactive")
	p.change("one", func(a *store.Account) { *a = staff("one", func(a *store.Account) { a.Active = false }) })
	_, err = s.signIn("one")
	refusedWith(t, err, contract.CodeUserInactive, "User not found or inactive")
	p.change("one", func(a *store.Account) { a.Active = true })
	p.fail(errors.New("down"))
	_, err = s.signIn("one")
	refusedWith(t, err, contract.CodeAuthDown, "Authentication failed")
	p.fail(nil)
	_, err = s.signIn("one")
	require.NoError(t, err)
	require.Equal(t, 4, p.count())

	p.change("tenantless", func(a *store.Account) {
		*a = staff("tenantless", func(a *store.Account) { a.TenantID = "" })
	})
	_, err = s.signIn("tenantless")
	refusedWith(t, err, contract.CodeUserInactive, "User not found or inactive")
}

func TestAPanicOfTheDatabaseIsARefusalAndNotTheEnd(t *testing.T) {
	t.Parallel()
	p := newPeople(staff("one", nil))
	p.onQuery(func(context.Context) { panic("driver bug") }, nil)
	s := newScene(t, p, identity.Options{})
	_, err := s.signIn("one")
	e := refusedWith(t, err, contract.CodeAuthDown, "Authentication failed")
	require.ErrorContains(t, e.Cause, "driver bug")
	p.onQuery(nil, nil)
	_, err = s.signIn("one")
	require.NoError(t, err)
}

func TestOnlySoManyUsersAreRemembered(t *testing.T) {
	t.Parallel()
	p := newPeople()
	for i := range 100 {
		id := fmt.Sprint("user-", i)
		p.change(id, func(a *store.Account) { *a = staff(id, nil) })
	}
	s := newScene(t, p, identity.Options{CacheSize: 10})
	for range 3 {
		for i := range 100 {
			_, err := s.signIn(fmt.Sprint("user-", i))
			require.NoError(t, err)
			require.LessOrEqual(t, s.metric("realtime_accounts_remembered"), 10.0)
		}
	}
	require.EqualValues(t, 10, s.metric("realtime_accounts_remembered"))
	_, err := s.signIn("user-99") // the last one is surely there: room is made of the others
	require.NoError(t, err)
	hits := s.metric("realtime_account_lookups_total", "result", "hit")
	require.GreaterOrEqual(t, hits, 1.0)
}

func TestAnAnswerThatWasAskedForBeforeAChangeIsNotRemembered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPeople(staff("one", nil))
		release := make(chan struct{})
		p.onQuery(nil, func() { <-release }) // the row has been read, the answer is on its way
		s := newScene(t, p, identity.Options{})
		early := make(chan identity.User, 1)
		go func() {
			u, err := s.signIn("one")
			if err != nil {
				t.Error(err)
			}
			early <- u
		}()
		synctest.Wait()
		p.change("one", func(a *store.Account) { a.Role = contract.RoleAdmin })
		p.onQuery(nil, nil)
		s.Invalidate("one")

		u, err := s.signIn("one") // asks anew instead of waiting for the old answer
		require.NoError(t, err)
		require.Equal(t, contract.RoleAdmin, u.Role)
		close(release)
		require.Equal(t, contract.RoleManager, (<-early).Role)
		u, err = s.signIn("one")
		require.NoError(t, err)
		require.Equal(t, contract.RoleAdmin, u.Role, "the old answer came last and is not kept")
		require.Equal(t, 2, p.count())
	})
}

func TestACrowdThatSignsInSharesItsQueries(t *testing.T) {
	t.Parallel()
	const crowd = 200
	p := newPeople()
	ids := make([]string, crowd)
	for i := range ids {
		ids[i] = fmt.Sprint("user-", i)
		p.change(ids[i], func(a *store.Account) { *a = staff(ids[i], nil) })
	}
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, p, identity.Options{})
		gate := make(chan struct{})
		p.onQuery(func(context.Context) { <-gate }, nil)
		var wg sync.WaitGroup
		for _, id := range slices.Concat(ids, []string{"nobody"}) {
			wg.Go(func() {
				u, err := s.signIn(id)
				if id == "nobody" {
					require.Equal(t, contract.CodeUserInactive, contract.CodeOf(err))
					return
				}
				require.NoError(t, err)
				require.Equal(t, id, u.ID, "everybody gets their own row")
			})
		}
		synctest.Wait()
		close(gate)
		wg.Wait()
		require.Less(t, p.count(), 10, "four at once, then all that waited")
	})
}
