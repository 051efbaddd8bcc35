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

func TestAnAppointmentIsLoadedWithEverythingInOneStatement(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		w.Prefer(w.A, w.A.Professional, func(p *models.UserNotificationPreferences) {
			p.NotifyAppointmentUpdated = false
		})
		var v store.AppointmentView
		require.Equal(t, 1, dbtest.Statements(st, func() {
			var err error
			v, err = st.Appointments.Load(t.Context(), w.A.ID, w.A.Appointment)
			require.NoError(t, err)
		}))
		start := time.Date(2025, 11, 12, 16, 0, 0, 0, time.UTC)
		preferences := store.DefaultPreferences()
		preferences.NotifyAppointmentUpdated = false
		require.Equal(t, store.AppointmentView{
			Appointment: models.Appointment{
				ID: "a-appointment", StartTime: start, EndTime: start.Add(45 * time.Minute), Status: "CONFIRMED",
				TenantID: "tenant-a", BranchID: "a-branch", ClientID: "a-client", ServiceID: "a-service",
				UserID: "a-professional", CreatedAt: dbtest.Now, UpdatedAt: dbtest.Now,
			},
			ClientFirstName: "Carla", ClientLastName: "Cliente",
			ServiceName: "Corte A", ServiceDuration: 45, ServiceColor: "#10B981", BranchName: "Sucursal A",
			Professional: store.Professional{
				ID: "a-professional", FirstName: "Paula", LastName: "Profesional", Email: "a-professional@example.com",
				Active: true, Preferences: preferences,
			},
			Portal: &store.Recipient{
				ID: "a-portal", Name: "Carla Cliente", Contact: "a-portal@example.com", Portal: true,
				Preferences: store.DefaultPreferences(),
			},
		}, v)
		require.Equal(t, "Carla Cliente", v.ClientName())
		require.Equal(t, time.UTC, v.Appointment.StartTime.Location())
	})
}

func TestAPortalUserIsTheClientsOwnAndActive(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		for _, id := range []string{w.A.Appointment2, w.A.Appointment3} {
			v, err := st.Appointments.Load(t.Context(), w.A.ID, id)
			require.NoError(t, err)
			require.Nil(t, v.Portal, id)
		}
	})
}

func TestAnAppointmentOfAnotherTenantIsNotFound(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		for _, id := range []string{w.B.Appointment, "nobody", "", "bad\x00", "\xff\xfe"} {
			_, err := st.Appointments.Load(t.Context(), w.A.ID, id)
			require.Equal(t, contract.CodeNotFound, contract.CodeOf(err), "%q", id)
			there, err := st.Appointments.Exists(t.Context(), w.A.ID, id)
			require.NoError(t, err)
			require.False(t, there)
		}
		there, err := st.Appointments.Exists(t.Context(), w.A.ID, w.A.Appointment)
		require.NoError(t, err)
		require.True(t, there)

		for id, want := range map[string]bool{w.B.ID: true, "nobody": false, "": false, "\x00": false} {
			there, err := st.Tenants.Exists(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, want, there, "%q", id)
		}
	})
}

func TestAProfessionalWhoMovedAwayIsNeitherNamedNorNotified(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		w.MoveUser(w.A.Professional, w.B.ID)
		v, err := st.Appointments.Load(t.Context(), w.A.ID, w.A.Appointment)
		require.NoError(t, err)
		require.Equal(t, store.Professional{ID: w.A.Professional, Preferences: store.DefaultPreferences()}, v.Professional)
	})
}

func TestRowsOfAnotherTenantBehindAnAppointmentStayBlank(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		w.AddAppointment(w.A, "mixed", func(a *models.Appointment) {
			a.ClientID, a.ServiceID, a.BranchID, a.UserID = w.B.Client, w.B.Service, w.B.Branch, w.B.Professional
		})
		v, err := st.Appointments.Load(t.Context(), w.A.ID, "mixed")
		require.NoError(t, err)
		require.Empty(t, v.ClientName()+v.ServiceName+v.BranchName+v.Professional.Name())
		require.False(t, v.Professional.Active)
		require.Nil(t, v.Portal)
	})
}

func TestTimesAreUTCInMillisecondsWhateverTheZone(t *testing.T) {
	t.Parallel()
	require.Equal(t, dbtest.Zone, time.Local, "the test process is not in UTC")
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		// 23:59:59.9994 in Mexico City, the next day in UTC: stored, it neither rounds nor shifts.
		local := time.Date(2025, 11, 12, 23, 59, 59, 999_400_000, dbtest.Zone)
		want := time.Date(2025, 11, 13, 5, 59, 59, 999_000_000, time.UTC)
		require.NoError(t, st.Notifications.Insert(t.Context(), []models.NotificationLog{{
			ID: "n", Type: "PROMOTION", Channel: "PUSH", RecipientID: w.A.Admin, Message: "m", Status: "SENT",
			TenantID: w.A.ID, UserID: &w.A.Admin, CreatedAt: local, UpdatedAt: local, SentAt: &local,
		}}))
		row := w.Notifications()[0]
		require.Equal(t, want, row.CreatedAt.UTC())
		require.Equal(t, want, row.SentAt.UTC())
		if st.Dialect() == store.Postgres {
			var text, zone string
			require.NoError(t, st.DB(t.Context()).Raw(
				`SELECT CAST("createdAt" AS text) FROM public.notification_logs`).Row().Scan(&text))
			require.Equal(t, "2025-11-13 05:59:59.999", text, "the digits stored are UTC's")
			require.NoError(t, st.DB(t.Context()).Raw(`SHOW timezone`).Row().Scan(&zone))
			require.Equal(t, "UTC", zone, "although the database says America/Mexico_City")
		}

		delivery := store.Delivery{ID: "d", TenantID: "t", Body: []byte("{}"), DueAt: local}
		require.NoError(t, st.Outbox.Add(t.Context(), delivery))
		taken, err := st.Outbox.TakeDue(t.Context(), want.Add(-time.Millisecond).In(dbtest.Zone), time.Minute, 10)
		require.NoError(t, err)
		require.Empty(t, taken)
		taken, err = st.Outbox.TakeDue(t.Context(), want.In(dbtest.Zone), time.Minute, 10)
		require.NoError(t, err)
		require.Len(t, taken, 1)
		require.Equal(t, want.Add(time.Minute), taken[0].DueAt)
		require.Equal(t, time.UTC, taken[0].DueAt.Location())
	})
}
