package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

func TestWhatIsLeftOfADeletedAppointmentIsFoundInOneStatement(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		w.Prefer(w.A, w.A.Professional, func(p *models.UserNotificationPreferences) {
			p.NotifyAppointmentCancelled = false
		})
		find := func(ids store.DeletedIDs) (v store.DeletedView) {
			require.Equal(t, 1, dbtest.Statements(st, func() {
				var err error
				v, err = st.Appointments.Deleted(t.Context(), w.A.ID, ids)
				require.NoError(t, err)
			}))
			return v
		}
		v := find(store.DeletedIDs{AppointmentID: w.A.Appointment}) // not deleted yet
		require.True(t, v.Exists)
		require.Equal(t, "Carla Cliente", v.ClientName)
		require.Equal(t, "Paula Profesional", v.Professional.Name())
		require.True(t, v.Professional.Active)
		require.False(t, v.Professional.Preferences.NotifyAppointmentCancelled)

		w.DeleteAppointment(w.A.Appointment)
		require.Equal(t, store.DeletedView{}, find(store.DeletedIDs{AppointmentID: w.A.Appointment}))
		v = find(store.DeletedIDs{
			AppointmentID: w.A.Appointment, ProfessionalID: w.A.Professional2, ClientID: w.A.Client2,
		})
		require.False(t, v.Exists)
		require.Equal(t, "César Cliente", v.ClientName)
		require.Equal(t, w.A.Professional2, v.Professional.ID)
		require.Equal(t, store.DeletedView{}, find(store.DeletedIDs{
			AppointmentID: "\x00", ProfessionalID: "nobody", ClientID: "nobody",
		}))
	})
}

func TestADeletionThatNamesAnotherTenantsRowsIsNotFound(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		for _, ids := range []store.DeletedIDs{
			{AppointmentID: w.B.Appointment}, {AppointmentID: "x", ProfessionalID: w.B.Professional},
			{AppointmentID: "x", ClientID: w.B.Client},
		} {
			_, err := st.Appointments.Deleted(t.Context(), w.A.ID, ids)
			require.Equal(t, contract.CodeNotFound, contract.CodeOf(err), "%v", ids)
		}
		for _, tenant := range []string{"nobody", "", "\x00"} {
			_, err := st.Appointments.Deleted(t.Context(), tenant, store.DeletedIDs{AppointmentID: "x"})
			require.Equal(t, contract.CodeNotFound, contract.CodeOf(err))
		}
	})
}

func TestAProfessionalIsAUserOfTheTenantActiveOrNot(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		p, err := st.Users.Professional(t.Context(), w.A.ID, w.A.Inactive)
		require.NoError(t, err)
		require.Equal(t, store.Professional{
			ID: w.A.Inactive, FirstName: "Inés", LastName: "Inactiva", Email: "a-inactive@example.com",
			Preferences: store.DefaultPreferences(),
		}, p)
		p, err = st.Users.Professional(t.Context(), w.A.ID, w.A.Professional)
		require.NoError(t, err)
		require.True(t, p.Active)
		for _, id := range []string{w.B.Professional, w.A.Portal, "nobody", "", "\xff"} {
			_, err := st.Users.Professional(t.Context(), w.A.ID, id)
			require.Equal(t, contract.CodeNotFound, contract.CodeOf(err), "%q", id)
		}
	})
}

func TestOnlyTheFirstAnswerIsStored(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		_, err := st.Idempotency.Begin(t.Context(), "key", "f", dbtest.Now, 1e9)
		require.NoError(t, err)
		for i, want := range []bool{true, false} {
			first, err := st.Idempotency.TryComplete(t.Context(), "key", []byte{'0' + byte(i)})
			require.NoError(t, err)
			require.Equal(t, want, first)
		}
		first, err := st.Idempotency.TryComplete(t.Context(), "gone", []byte("{}"))
		require.NoError(t, err)
		require.False(t, first)
	})
}
