package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

// everyWay runs a test on both databases, and on PostgreSQL as PgBouncer needs it: without prepared statements.
func everyWay(t *testing.T, fn func(t *testing.T, st *store.Store)) {
	t.Helper()
	dbtest.Each(t, fn)
	t.Run("pgbouncer", func(t *testing.T) {
		t.Parallel()
		url, _ := dbtest.PostgresURL(t)
		fn(t, dbtest.Open(t, store.Options{URL: url + "&pgbouncer=true"}))
	})
}

func TestWhatAnEmitWritesIsAllOrNothing(t *testing.T) {
	t.Parallel()
	everyWay(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		ctx := t.Context()
		_, err := st.Idempotency.Begin(ctx, "key", "print", dbtest.Now, time.Minute)
		require.NoError(t, err)
		boom := contract.NewError(contract.CodeForbidden, "no")
		work := func(id, user string, end func() error) func(*store.Store) error {
			return func(tx *store.Store) error {
				fresh, err := tx.Recent.ClaimAll(ctx, map[string]string{"claim-" + id: "h"}, dbtest.Now, time.Minute)
				require.NoError(t, err)
				require.True(t, fresh["claim-"+id])
				require.NoError(t, tx.Notifications.Insert(ctx, []models.NotificationLog{note(w, id, user), note(w, id+"-2", w.A.Admin)}))
				require.NoError(t, tx.Outbox.Add(ctx, store.Delivery{ID: id, TenantID: w.A.ID, Body: []byte(`{"a":"\u0000é"}`), DueAt: dbtest.Now}))
				return end()
			}
		}
		fine := func() error { return nil }
		require.Equal(t, boom, st.InEmitTx(ctx, work("refused", w.A.Admin, func() error { return boom })))
		require.PanicsWithValue(t, "boom", func() {
			_ = st.InEmitTx(ctx, work("panicked", w.A.Admin, func() error { panic("boom") }))
		})
		if st.Dialect() == store.Postgres { // SQLite says so at once, which the test's Insert would take for a failure
			err = st.InEmitTx(ctx, work("nobody's", "no such user", fine))
			require.Equal(t, contract.CodeConflict, contract.CodeOf(err), "a foreign key that came with the commit: %v", err)
		}
		require.Empty(t, w.Notifications())
		require.Empty(t, w.Deliveries())
		require.NoError(t, st.InEmitTx(ctx, work("kept", w.A.Admin, fine)))
		require.Len(t, w.Notifications(), 2)
		require.Len(t, w.Deliveries(), 1)
		for _, again := range []string{"refused", "panicked"} {
			fresh, err := st.Recent.Claim(ctx, "claim-"+again, "h", dbtest.Now, time.Minute)
			require.NoError(t, err)
			require.True(t, fresh, "the claim of %s went with the rest", again)
		}
		for i, want := range []bool{true, false} {
			require.NoError(t, st.InEmitTx(ctx, func(tx *store.Store) error {
				first, err := tx.Idempotency.TryComplete(ctx, "key", []byte{'0' + byte(i)})
				require.Equal(t, want, first)
				return err
			}))
		}
		require.Eventually(t, func() bool { return st.Dialect() == store.SQLite || st.Stats().InUse == 0 }, time.Minute, time.Millisecond,
			"no connection is kept") // the pool itself looks at some now and then
	})
}

func TestAnEmitsTransactionRefusesWhatWouldBeDoneOutsideIt(t *testing.T) {
	t.Parallel()
	st := dbtest.Postgres(t)
	w := dbtest.Seed(t, st)
	require.NoError(t, st.InEmitTx(t.Context(), func(tx *store.Store) error {
		_, err := tx.Tenants.Exists(t.Context(), w.A.ID)
		require.ErrorContains(t, err, "only what emits write")
		require.ErrorContains(t, tx.Outbox.Done(t.Context(), "d"), "only what emits write")
		return nil
	}))
}

func TestAnEmitsStatementsAreCountedAsEver(t *testing.T) {
	t.Parallel()
	st := dbtest.Postgres(t)
	w := dbtest.Seed(t, st)
	require.Equal(t, 3, dbtest.Statements(st, func() {
		require.NoError(t, st.InEmitTx(t.Context(), func(tx *store.Store) error {
			_, err := tx.Recent.ClaimAll(t.Context(), map[string]string{"k": "h"}, dbtest.Now, time.Minute)
			require.NoError(t, err)
			require.NoError(t, tx.Notifications.Insert(t.Context(), []models.NotificationLog{note(w, "n", w.A.Admin)}))
			return tx.Outbox.Add(t.Context(), store.Delivery{ID: "d", TenantID: w.A.ID, Body: []byte(`{}`), DueAt: dbtest.Now})
		}))
	}), "a claim, the rows and the delivery, counted as ever")
}

func TestMembersAreReadInOneStatementWithTheirPreferences(t *testing.T) {
	t.Parallel()
	everyWay(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		w.Prefer(w.A, w.A.Admin, func(p *models.UserNotificationPreferences) {
			p.EnablePushNotifications, p.ReminderMinutesBefore = false, models.IntList{5}
		})
		member := func(tenant, id string) store.Member { return store.Member{TenantID: tenant, ID: id} }
		var found map[store.Member]store.Recipient
		var err error
		require.Equal(t, 1, dbtest.Statements(st, func() {
			found, err = st.Users.RecipientsOf(t.Context(), []store.Member{member(w.A.ID, w.A.Admin), member(w.A.ID, w.A.Portal),
				member(w.B.ID, w.A.Admin), member(w.A.ID, w.B.Admin), member(w.A.ID, "nobody"), member("\x00", w.A.Admin), member(w.A.ID, "\xff")})
		}))
		require.NoError(t, err)
		require.Len(t, found, 2, "none of another tenant")
		admin := found[member(w.A.ID, w.A.Admin)]
		require.False(t, admin.Preferences.EnablePushNotifications)
		require.Equal(t, []int{5}, admin.Preferences.ReminderMinutesBefore)
		require.True(t, found[member(w.A.ID, w.A.Portal)].Portal)
		require.Equal(t, store.DefaultPreferences(), found[member(w.A.ID, w.A.Portal)].Preferences)
		accounts, err := st.Users.Accounts(t.Context(), []string{w.A.Admin, w.A.Portal})
		require.NoError(t, err)
		require.Len(t, accounts, 2)
	})
}
