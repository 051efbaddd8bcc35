package store_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

func TestAnAccountIsFoundInUsersElseInClientUsers(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		ctx := t.Context()

		a, err := st.Users.Account(ctx, w.A.Professional)
		require.NoError(t, err)
		require.Equal(t, store.Account{
			ID: "a-professional", Email: "a-professional@example.com", FirstName: "Paula", LastName: "Profesional",
			TenantID: "tenant-a", Role: contract.RoleProfessional, Active: true,
		}, a)

		a, err = st.Users.Account(ctx, w.B.Portal)
		require.NoError(t, err)
		require.Equal(t, store.Account{
			ID: "b-portal", Email: "b-portal@example.com", FirstName: "Carla", LastName: "Cliente",
			TenantID: "tenant-b", Role: contract.RoleClient, Portal: true, Active: true,
		}, a)

		_, err = st.Users.Account(ctx, "nobody")
		require.Equal(t, contract.CodeNotFound, contract.CodeOf(err))
	})
}

func TestAnAccountIsActiveOnlyWithItsTenant(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		active := func(id string) bool {
			a, err := st.Users.Account(t.Context(), id)
			require.NoError(t, err)
			return a.Active
		}
		require.False(t, active(w.A.Inactive))
		require.False(t, active(w.A.PortalInactive))
		require.True(t, active(w.A.Admin))

		w.SetTenantActive(w.A.ID, false)
		require.False(t, active(w.A.Admin))
		require.False(t, active(w.A.Portal))
		require.True(t, active(w.B.Admin))
	})
}

func TestAnIdInBothTablesIsTheUser(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		w.Insert(&models.ClientUser{
			ID: w.A.Admin, Email: "double@example.com", FirstName: "D", LastName: "D", Phone: "1", IsActive: true,
			TenantID: w.B.ID,
		})
		a, err := st.Users.Account(t.Context(), w.A.Admin)
		require.NoError(t, err)
		require.False(t, a.Portal)
		require.Equal(t, w.A.ID, a.TenantID)
	})
}

func TestManyAccountsAreOneStatement(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		ids := []string{w.A.Admin, w.B.Admin, w.A.Portal, w.A.Admin, "nobody", "", "bad\x00id", "\xff", `"]`, "'"}
		for range 40000 {
			ids = append(ids, "more-than-parameters")
		}
		var accounts map[string]store.Account
		require.Equal(t, 1, dbtest.Statements(st, func() {
			var err error
			accounts, err = st.Users.Accounts(t.Context(), ids)
			require.NoError(t, err)
		}))
		require.Len(t, accounts, 3)
		require.True(t, accounts[w.A.Portal].Portal)

		require.Equal(t, 0, dbtest.Statements(st, func() {
			accounts, err := st.Users.Accounts(t.Context(), []string{""})
			require.NoError(t, err)
			require.Empty(t, accounts)
		}))
	})
}

func TestRecipientsAreTheActiveUsersOfTheTenantOrRole(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		w.Prefer(w.A, w.A.Admin2, func(p *models.UserNotificationPreferences) {
			p.NotifySystemAlerts, p.EnablePushNotifications = false, false
			p.ReminderMinutesBefore = models.IntList{15}
		})
		var all []store.Recipient
		require.Equal(t, 1, dbtest.Statements(st, func() {
			var err error
			all, err = st.Users.Recipients(t.Context(), w.A.ID, "")
			require.NoError(t, err)
		}))
		ids := make([]string, len(all))
		for i, r := range all {
			ids[i] = r.ID
		}
		require.Equal(t, w.A.ActiveUsers(), ids)

		admins, err := st.Users.Recipients(t.Context(), w.A.ID, contract.RoleAdmin)
		require.NoError(t, err)
		off := store.DefaultPreferences()
		off.NotifySystemAlerts, off.EnablePushNotifications = false, false
		off.ReminderMinutesBefore = []int{15}
		require.Equal(t, []store.Recipient{
			{ID: w.A.Admin, Name: "Ana Admin", Contact: "a-admin@example.com", Preferences: store.DefaultPreferences()},
			{ID: w.A.Admin2, Name: "Andrés Admin", Contact: "a-admin-2@example.com", Preferences: off},
		}, admins)

		for _, nobody := range []struct {
			tenant string
			role   contract.Role
		}{{w.A.ID, "KING"}, {"nobody", ""}, {"", ""}, {"\x00", ""}} {
			none, err := st.Users.Recipients(t.Context(), nobody.tenant, nobody.role)
			require.NoError(t, err)
			require.Empty(t, none)
		}
		w.SetTenantActive(w.A.ID, false)
		none, err := st.Users.Recipients(t.Context(), w.A.ID, "")
		require.NoError(t, err)
		require.Empty(t, none)
	})
}

func TestRecipientsOfAreActiveUsersAndPortalUsersOfTheirTenants(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		w.Prefer(w.A, w.A.Manager, func(p *models.UserNotificationPreferences) { p.NotifyScheduleChanges = false })
		of := func(ids ...string) (members []store.Member) {
			for _, id := range ids {
				members = append(members, store.Member{TenantID: w.A.ID, ID: id})
			}
			return members
		}
		found, err := st.Users.RecipientsOf(t.Context(), of(w.A.Portal, w.A.Manager))
		require.NoError(t, err)
		require.Len(t, found, 2)
		require.Equal(t, store.Recipient{
			ID: w.A.Portal, Name: "Carla Cliente", Contact: "a-portal@example.com", Portal: true,
			Preferences: store.DefaultPreferences(),
		}, found[of(w.A.Portal)[0]])
		manager := found[of(w.A.Manager)[0]]
		require.False(t, manager.Portal)
		require.False(t, manager.Preferences.NotifyScheduleChanges)
		require.True(t, manager.Preferences.NotifySystemAlerts)

		found, err = st.Users.RecipientsOf(t.Context(),
			of(w.A.Inactive, w.A.PortalInactive, w.B.Admin, w.B.Portal, "nobody", "", "\x00"))
		require.NoError(t, err)
		require.Empty(t, found)
	})
}

func TestPreferencesOfAUserAreTheDefaultsWithoutARow(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		p, err := st.Preferences.Of(t.Context(), w.A.ID, w.A.Admin)
		require.NoError(t, err)
		require.Equal(t, store.DefaultPreferences(), p)
		w.Prefer(w.A, w.A.Admin, func(p *models.UserNotificationPreferences) {
			p.NotifyAppointmentCreated = false
			p.ReminderMinutesBefore = models.IntList{}
		})
		p, err = st.Preferences.Of(t.Context(), w.A.ID, w.A.Admin)
		require.NoError(t, err)
		require.False(t, p.NotifyAppointmentCreated)
		require.Equal(t, []int{}, p.ReminderMinutesBefore)

		p, err = st.Preferences.Of(t.Context(), w.B.ID, w.A.Admin)
		require.NoError(t, err)
		require.Equal(t, store.DefaultPreferences(), p, "another tenant's row is not read")
	})
}

func TestACallerWhoHasGoneIsNotAnOutage(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := st.Users.Account(ctx, "x")
		require.ErrorIs(t, err, context.Canceled)
		require.NotEqual(t, contract.CodeUnavailable, contract.CodeOf(err))
	})
}
