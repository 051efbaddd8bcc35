package identity_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
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

// sockets is a Watcher: users with a connection each, which it ends as the hub does.
type sockets struct {
	mu     sync.Mutex
	open   map[string][]identity.User
	told   []string
	ended  []string
	notify chan struct{}
}

func newSockets(users ...identity.User) *sockets {
	w := &sockets{open: map[string][]identity.User{}, notify: make(chan struct{}, 100)}
	for _, u := range users {
		w.connect(u)
	}
	return w
}

func (w *sockets) connect(u identity.User) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[u.ID] = append(w.open[u.ID], u)
}

func (w *sockets) ConnectedUsers() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	ids := []string{}
	for id := range w.open {
		ids = append(ids, id)
	}
	return ids
}

func (w *sockets) AccountChanged(id string, now store.Account, found bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = append(w.told, id)
	left := slices.DeleteFunc(w.open[id], func(u identity.User) bool {
		if found && now.Active && now.TenantID == u.TenantID && now.Role == u.Role {
			return false
		}
		w.ended = append(w.ended, id+" "+u.TenantID+" "+string(u.Role))
		return true
	})
	if w.open[id] = left; len(left) == 0 {
		delete(w.open, id)
	}
	select {
	case w.notify <- struct{}{}:
	default:
	}
}

// heard returns what the watcher was told and which connections it ended since the last call.
func (w *sockets) heard() (told, ended []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	told, ended = w.told, w.ended
	w.told, w.ended = nil, nil
	slices.Sort(told)
	return told, ended
}

// connect signs in and opens a connection each.
func (s scene) connect(w *sockets, ids ...string) {
	s.t.Helper()
	for _, id := range ids {
		u, err := s.signIn(id)
		require.NoError(s.t, err)
		w.connect(u)
	}
}

// running is a bubble in which Run runs until the test ends; a tick is 20 s of its time.
func running(
	t *testing.T, p *people, o identity.Options, test func(t *testing.T, s scene, w *sockets, ticks func(n int)),
) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, w := newScene(t, p, o), newSockets()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx, w) }()
		time.Sleep(time.Second) // between two ticks
		test(t, s, w, func(n int) {
			time.Sleep(time.Duration(n) * 20 * time.Second)
			synctest.Wait()
		})
		cancel()
		require.NoError(t, <-ended)
	})
}

func TestAUserWhoseRightHasEndedIsSentAway(t *testing.T) {
	t.Parallel()
	names := []string{"gone", "inactive", "moved", "promoted", "renamed", "same"}
	p := newPeople()
	for _, id := range names {
		p.change(id, func(a *store.Account) { *a = staff(id, nil) })
	}
	running(t, p, identity.Options{CacheTTL: 50 * time.Second}, func(t *testing.T, s scene, w *sockets, ticks func(int)) {
		s.connect(w, names...)
		ticks(1)
		told, _ := w.heard()
		require.Empty(t, told, "nothing has changed")
		require.Equal(t, 7, p.count(), "six to sign in, one for all")

		p.remove("gone")
		p.change("inactive", func(a *store.Account) { a.Active = false })
		p.change("moved", func(a *store.Account) { a.TenantID = "tenant-b" })
		p.change("promoted", func(a *store.Account) { a.Role = contract.RoleAdmin })
		p.change("renamed", func(a *store.Account) { a.Email, a.FirstName = "new@example.com", "Eva" })
		ticks(1)
		told, ended := w.heard()
		require.Equal(t, []string{"gone", "inactive", "moved", "promoted"}, told)
		require.ElementsMatch(t, []string{"gone tenant-a MANAGER", "inactive tenant-a MANAGER", "moved tenant-a MANAGER",
			"promoted tenant-a MANAGER"}, ended)
		require.EqualValues(t, 5, s.metric("realtime_accounts_dropped_total"))

		u, err := s.signIn("renamed")
		require.NoError(t, err)
		require.Equal(t, "Eva Núñez", u.Name, "what was remembered is forgotten at once")
		u, err = s.signIn("promoted")
		require.NoError(t, err)
		require.Equal(t, contract.RoleAdmin, u.Role)
		w.connect(u)
		ticks(5)
		_, ended = w.heard()
		require.Empty(t, ended, "who comes back with the new role stays")
		require.ElementsMatch(t, []string{"promoted", "renamed", "same"}, w.ConnectedUsers())
	})
}

func TestAConnectionOfAnEarlierStandingIsFoundHoweverItCame(t *testing.T) {
	t.Parallel()
	p := newPeople(staff("one", nil))
	admin := func(a *store.Account) { a.Role = contract.RoleAdmin }
	manager := func(a *store.Account) { a.Role = contract.RoleManager }
	running(t, p, identity.Options{}, func(t *testing.T, s scene, w *sockets, ticks func(int)) {
		// A second sign-in with the new role, before the re-check, does not hide the first.
		s.connect(w, "one")
		p.change("one", admin)
		s.Invalidate("one")
		s.connect(w, "one")
		ticks(1)
		_, ended := w.heard()
		require.Equal(t, []string{"one tenant-a MANAGER"}, ended)

		// There and back between two re-checks: the one made in between goes.
		p.change("one", manager)
		s.Invalidate("one")
		s.connect(w, "one")
		p.change("one", admin)
		ticks(1)
		_, ended = w.heard()
		require.Equal(t, []string{"one tenant-a MANAGER"}, ended)

		// Let in with the old role, but in no room yet when the change is told.
		slow, err := s.signIn("one")
		require.NoError(t, err)
		p.change("one", manager)
		ticks(1)
		w.connect(slow)
		ticks(1)
		_, ended = w.heard()
		require.Equal(t, []string{"one tenant-a ADMIN", "one tenant-a ADMIN"}, ended)
		ticks(5)
		told, _ := w.heard()
		require.Empty(t, told, "and then it is quiet")
	})
}

func TestAnOutageSendsNobodyAway(t *testing.T) {
	t.Parallel()
	p := newPeople(staff("one", nil), staff("two", nil))
	var log bytes.Buffer
	running(t, p, identity.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))},
		func(t *testing.T, s scene, w *sockets, ticks func(int)) {
			s.connect(w, "one", "two")
			p.change("one", func(a *store.Account) { a.Active = false })
			p.fail(errors.New("connection refused"))
			ticks(10)
			told, _ := w.heard()
			require.Empty(t, told)
			require.EqualValues(t, 10, s.metric("realtime_rechecks_total", "result", "failed"))
			require.Equal(t, 1, strings.Count(log.String(), "level=WARN"), "logged once")
			require.NotContains(t, log.String(), "one@example.com")

			p.fail(nil)
			ticks(1)
			_, ended := w.heard()
			require.Equal(t, []string{"one tenant-a MANAGER"}, ended, "made good at the next tick")
			require.Contains(t, log.String(), "checked again")
		})
}

func TestADatabaseThatHangsDoesNotStopTheReChecks(t *testing.T) {
	t.Parallel()
	p := newPeople(staff("one", nil))
	running(t, p, identity.Options{}, func(t *testing.T, s scene, w *sockets, ticks func(int)) {
		s.connect(w, "one")
		p.onQuery(func(ctx context.Context) { <-ctx.Done() }, nil)
		p.change("one", func(a *store.Account) { a.Active = false })
		ticks(2)
		told, _ := w.heard()
		require.Empty(t, told)
		p.onQuery(nil, nil)
		ticks(1)
		_, ended := w.heard()
		require.Len(t, ended, 1)
	})
}

func TestWhoIsLetInWhileAReCheckRunsIsJudgedByTheNext(t *testing.T) {
	t.Parallel()
	p := newPeople(staff("one", func(a *store.Account) { a.Active = false }))
	running(t, p, identity.Options{}, func(t *testing.T, s scene, w *sockets, ticks func(int)) {
		w.connect(identity.User{ID: "one", TenantID: "tenant-a", Role: contract.RoleManager}) // about to be found
		// The re-check has read "inactive".
		p.onQuery(nil, func() {
			p.onQuery(nil, nil)
			p.change("one", func(a *store.Account) { a.Active = true })
			s.connect(w, "one")
		})
		ticks(1)
		_, ended := w.heard()
		require.Empty(t, ended, "let in on a later answer")
		p.change("one", func(a *store.Account) { a.Active = false })
		ticks(1)
		_, ended = w.heard()
		require.Len(t, ended, 2)
	})
}

func TestThousandsOfUsersAreReadInBatches(t *testing.T) {
	t.Parallel()
	p := newPeople()
	running(t, p, identity.Options{}, func(t *testing.T, s scene, w *sockets, ticks func(int)) {
		for i := range 2500 {
			id := fmt.Sprint("user-", i)
			p.change(id, func(a *store.Account) { *a = staff(id, nil) })
			w.connect(identity.User{ID: id, TenantID: "tenant-a", Role: contract.RoleManager})
		}
		p.change("other", func(a *store.Account) { *a = staff("other", nil) })
		_, err := s.signIn("other") // remembered, not connected
		require.NoError(t, err)
		p.mu.Lock()
		p.asked = nil // the sign-in's
		p.mu.Unlock()
		asked := func() (sizes []int, seen map[string]bool) {
			p.mu.Lock()
			defer p.mu.Unlock()
			seen = map[string]bool{}
			for _, ids := range p.asked {
				sizes = append(sizes, len(ids))
				for _, id := range ids {
					seen[id] = true
				}
			}
			return sizes, seen
		}
		ticks(1)
		sizes, _ := asked()
		require.Equal(t, []int{250, 250}, sizes, "one after the other, not all at once")
		time.Sleep(10 * time.Second)
		sizes, seen := asked()
		require.Equal(t, append(slices.Repeat([]int{250}, 10), 1), sizes)
		require.Len(t, seen, 2501)
		told, ended := w.heard()
		require.Len(t, told, 2500, "let in by nobody here: the watcher compares")
		require.Empty(t, ended)
		ticks(1)
		told, _ = w.heard()
		require.Empty(t, told)
	})
}

func TestWithoutConnectionsNothingIsAskedAndNobodyIsKept(t *testing.T) {
	t.Parallel()
	p := newPeople(staff("one", nil))
	running(t, p, identity.Options{}, func(t *testing.T, s scene, _ *sockets, ticks func(int)) {
		_, err := s.signIn("one")
		require.NoError(t, err)
		require.Equal(t, 1, identity.Kept(s.Service))
		ticks(5)
		require.Equal(t, 0, identity.Kept(s.Service))
		require.Zero(t, s.metric("realtime_accounts_remembered"))
		asked := p.count()
		ticks(5)
		require.Equal(t, asked, p.count())
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.NoError(t, newScene(t, p, identity.Options{}).Run(ctx, nil))
	})
}

func TestAReCheckReadsTheRealRows(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		world := dbtest.Seed(t, st)
		s, w := newScene(t, st.Users, identity.Options{RecheckEvery: 5 * time.Millisecond}), newSockets()
		s.connect(w, world.A.Admin, world.A.Manager, world.A.Portal, world.B.Admin, world.B.Manager)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx, w) }()
		for _, step := range []struct {
			change func()
			ended  string
		}{
			{func() { world.SetUserActive(world.A.Admin, false) }, "a-admin tenant-a ADMIN"},
			{func() { world.SetRole(world.A.Manager, contract.RoleReceptionist) }, "a-manager tenant-a MANAGER"},
			{func() { world.SetPortalActive(world.A.Portal, false) }, "a-portal tenant-a CLIENT"},
			{func() { world.MoveUser(world.B.Admin, world.A.ID) }, "b-admin tenant-b ADMIN"},
			{func() { world.SetTenantActive(world.B.ID, false) }, "b-manager tenant-b MANAGER"},
		} {
			step.change()
			var gone []string
			for len(gone) == 0 {
				select {
				case <-w.notify:
					_, gone = w.heard()
				case <-time.After(time.Minute):
					t.Fatal(step.ended)
				}
			}
			require.Equal(t, []string{step.ended}, gone)
		}
		require.Empty(t, w.ConnectedUsers())
		cancel()
		require.NoError(t, <-ended)
	})
}
