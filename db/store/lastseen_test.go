package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
)

func person(user string) store.Person { return store.Person{TenantID: "tenant-a", UserID: user} }

func TestWhoWasSeenIsRemembered(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		at := store.UTC(time.Now())
		write := func(state store.SeenState, node string, at time.Time) store.Seen {
			require.NoError(t, st.LastSeen.Write(t.Context(), []store.Seen{{Person: person("ana"), At: at, State: state, Node: node}}))
			rows, err := st.LastSeen.Lock(t.Context(), []store.Person{person("ana"), person("nobody"), {TenantID: "tenant-b", UserID: "ana"},
				person("nul\x00"), person("")})
			require.NoError(t, err)
			require.Len(t, rows, 1)
			return rows[person("ana")]
		}
		seen := func(state store.SeenState, node string, at time.Time) store.Seen {
			return store.Seen{Person: person("ana"), At: at, State: state, Node: node}
		}
		require.Equal(t, seen("here", "one", at), write("here", "one", at))
		earlier := at.Add(-10 * time.Second)
		require.Equal(t, seen("left", "one", earlier), write("left", "one", earlier), "a node knows best about its own")
		require.Equal(t, seen("here", "two", at), write("here", "two", at))
		require.Equal(t, seen("here", "two", at), write("left", "one", earlier), "the user left this node for that one")
		ahead := at.Add(time.Hour)
		require.Equal(t, seen("here", "two", ahead), write("here", "two", ahead))
		require.Equal(t, seen("here", "one", at), write("here", "one", at), "a clock that was wrong shuts nothing")
		require.Equal(t, seen("here", "one", at), write("supposed", "one", at.Add(time.Second)), "somebody knew")
		require.NoError(t, st.LastSeen.Write(t.Context(), nil))
	})
}

func TestManyWhoWereSeenAreOneStatement(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		var seen []store.Seen
		var people []store.Person
		for i := range 3000 {
			p := person(fmt.Sprint("user-", i))
			seen, people = append(seen, store.Seen{Person: p, At: dbtest.Now, State: store.SeenHere}), append(people, p)
		}
		require.Equal(t, 1, dbtest.Statements(st, func() { require.NoError(t, st.LastSeen.Write(t.Context(), seen)) }))
		require.Equal(t, 1, dbtest.Statements(st, func() {
			rows, err := st.LastSeen.Lock(t.Context(), people)
			require.NoError(t, err)
			require.Len(t, rows, 3000)
		}))
	})
}

// Writers and deciders in any order neither wait for each other for ever nor decide twice.
func TestOfTwoWhoDecideAtOnceOneSeesWhatTheOtherDecided(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		people := []store.Person{person("c"), person("a"), person("d"), person("b")}
		was := store.UTC(time.Now().Add(-time.Hour))
		var seen []store.Seen
		for _, p := range people {
			seen = append(seen, store.Seen{Person: p, At: was, State: store.SeenLeft, Node: "old"})
		}
		require.NoError(t, st.LastSeen.Write(t.Context(), seen))
		var mu sync.Mutex
		decided := map[store.Person]int{}
		var wg sync.WaitGroup
		for n := range 8 {
			wg.Go(func() {
				mine := append(append([]store.Person{}, people[n%4:]...), people[:n%4]...)
				err := st.InTx(t.Context(), func(tx *store.Store) error {
					rows, err := tx.LastSeen.Lock(t.Context(), mine)
					if err != nil {
						return err
					}
					var now []store.Seen
					for _, p := range mine {
						if rows[p].State == store.SeenLeft {
							mu.Lock()
							decided[p]++
							mu.Unlock()
							now = append(now, store.Seen{Person: p, At: time.Now(), State: store.SeenHere, Node: fmt.Sprint(n)})
						}
					}
					return tx.LastSeen.Write(t.Context(), now)
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, p := range people {
			require.Equal(t, 1, decided[p], p.UserID)
		}
	})
}

// missable is a row of notification_logs as this server writes it.
func missable(tenant, id, user string, at time.Time, change func(*models.NotificationLog)) models.NotificationLog {
	meta := `{"isRealtime":true,"eventType":"appointment:created","eventData":{},"priority":"high"}`
	n := models.NotificationLog{ID: id, Type: "PROMOTION", Channel: "PUSH", RecipientID: user, RecipientName: "x", RecipientContact: "x",
		Message: "m " + id, Status: "SENT", TenantID: tenant, UserID: &user, Metadata: &meta, CreatedAt: at}
	if change != nil {
		change(&n)
	}
	return n
}

func TestMissedAreTheUnreadOnesSinceThenOldestFirst(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		a := w.A
		at := func(s int) time.Time { return dbtest.Now.Add(time.Duration(s) * time.Second) }
		foreign := `{"eventType":"appointment:created"}`
		portal := func(n *models.NotificationLog) { n.UserID = nil }
		require.NoError(t, st.Notifications.Insert(t.Context(), []models.NotificationLog{
			missable(a.ID, "old", a.Admin, at(0), nil), // of that very moment
			missable(a.ID, "n3", a.Admin, at(3), nil), missable(a.ID, "n1", a.Admin, at(1), nil), missable(a.ID, "n2", a.Admin, at(2), nil),
			missable(a.ID, "n2b", a.Admin, at(2), nil),
			missable(a.ID, "read", a.Admin, at(4), func(n *models.NotificationLog) { n.ReadAt = &n.CreatedAt }),
			missable(a.ID, "email", a.Admin, at(5), func(n *models.NotificationLog) { n.Metadata = &foreign }),
			missable(a.ID, "none", a.Admin, at(5), func(n *models.NotificationLog) { n.Metadata = nil }),
			missable(w.B.ID, "moved", a.Admin, at(6), nil), // a row of the tenant that the user was in before
			missable(a.ID, "theirs", a.Manager, at(6), nil),
			missable(a.ID, "p1", a.Portal, at(7), portal), missable(w.B.ID, "p2", a.Portal, at(7), portal),
			missable(a.ID, "off", a.Professional, at(7), nil), missable(a.ID, "on", a.Professional2, at(7), nil),
		}))
		w.Prefer(a, a.Professional, func(p *models.UserNotificationPreferences) { p.EnablePushNotifications = false })
		w.Prefer(a, a.Professional2, nil)
		owner := func(id string) store.Owner { return store.Owner{TenantID: a.ID, ID: id, Portal: id == a.Portal} }
		missed := func(limit int, ids ...string) map[string][]string {
			var absences []store.Absence
			for _, id := range ids {
				absences = append(absences, store.Absence{Owner: owner(id), Since: at(0)})
			}
			rows, err := st.Notifications.Missed(t.Context(), absences, limit)
			require.NoError(t, err)
			out := map[string][]string{}
			for o, list := range rows {
				for _, r := range list {
					out[o.ID] = append(out[o.ID], r.ID)
				}
			}
			return out
		}
		require.Equal(t, map[string][]string{a.Admin: {"n1", "n2", "n2b", "n3"}, a.Portal: {"p1"}, a.Professional2: {"on"}},
			missed(10, a.Portal, a.Admin, a.Professional, a.Professional2, a.Receptionist, "nul\x00", ""))
		require.Equal(t, map[string][]string{a.Admin: {"n2b", "n3"}}, missed(2, a.Admin), "the newest, oldest first")
		require.Empty(t, missed(10))
		rows, err := st.Notifications.Missed(t.Context(), []store.Absence{{Owner: owner(a.Admin), Since: at(2)}}, 10)
		require.NoError(t, err)
		got := rows[owner(a.Admin)][0]
		require.Equal(t, "n3", got.ID)
		require.Equal(t, "m n3", got.Message)
		require.Equal(t, a.ID, got.TenantID)
		require.True(t, at(3).Equal(got.CreatedAt))
		require.Contains(t, *got.Metadata, "appointment:created")
		require.Equal(t, 2, dbtest.Statements(st, func() { missed(10, a.Admin, a.Manager, a.Portal) }))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = st.Notifications.Missed(ctx, []store.Absence{{Owner: owner(a.Admin), Since: at(2)}}, 10)
		require.Error(t, err)
	})
}

func TestWhoHasNotBeenSeenForLongIsForgottenInBatches(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		old := dbtest.Now.Add(-time.Millisecond)
		require.NoError(t, st.LastSeen.Write(t.Context(), []store.Seen{
			{Person: person("a"), At: old, State: store.SeenLeft}, {Person: person("b"), At: old, State: store.SeenHere},
			{Person: person("c"), At: old, State: store.SeenStopped}, {Person: person("d"), At: dbtest.Now, State: store.SeenLeft},
			{Person: store.Person{TenantID: "tenant-b", UserID: "a"}, At: dbtest.Now, State: store.SeenLeft},
		}))
		for _, gone := range []int64{2, 1, 0} {
			n, err := st.LastSeen.Prune(t.Context(), dbtest.Now, 2)
			require.NoError(t, err)
			require.Equal(t, gone, n)
		}
		rows, err := st.LastSeen.Lock(t.Context(), []store.Person{person("a"), person("b"), person("c"), person("d"),
			{TenantID: "tenant-b", UserID: "a"}})
		require.NoError(t, err)
		require.Len(t, rows, 2)
		require.Contains(t, rows, person("d"))
		require.Contains(t, rows, store.Person{TenantID: "tenant-b", UserID: "a"})
	})
}
