package demo_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/demo"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

// The clock of a Saturday, 23:30 in Mexico City: in UTC it is Sunday.
var saturday = time.Date(2026, 1, 11, 5, 30, 0, 0, time.UTC)

func agenda(t *testing.T, test func(t *testing.T, a *demo.Agenda)) {
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		require.NoError(t, demo.Seed(t.Context(), st, saturday))
		test(t, demo.NewAgenda(st, func() time.Time { return saturday }))
	})
}

func TestAWeekIsThatOfTheTenantsOwnClock(t *testing.T) {
	t.Parallel()
	agenda(t, func(t *testing.T, a *demo.Agenda) {
		w, err := a.Week(t.Context(), demo.TenantID, "")
		require.NoError(t, err)
		require.Equal(t, "2026-01-10", w.Today)
		require.Equal(t, 23*60+30, w.Minute)
		require.Equal(t, []string{"2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08", "2026-01-09", "2026-01-10", "2026-01-11"}, w.Days)
		require.Len(t, w.Appointments, 6) // today's and tomorrow's
		first := w.Appointments[0]
		require.Equal(t, demo.AppointmentID, first.ID)
		require.Equal(t, [3]any{"2026-01-10", 600, 45}, [3]any{first.Date, first.Minute, first.Minutes})
		require.Equal(t, [4]string{"Carmen Rodríguez Mora", "Corte y peinado", "Laura Gómez Treviño", "Roma Norte"},
			[4]string{first.ClientName, first.ServiceName, first.ProfessionalName, first.BranchName})
		require.Len(t, w.Professionals, 2) // who has left takes no appointments
		next, err := a.Week(t.Context(), demo.TenantID, "2026-01-12")
		require.NoError(t, err)
		require.Empty(t, next.Appointments)
		require.Equal(t, "2026-01-12", next.Days[0])
	})
}

func TestAnAppointmentIsBookedMovedAndCancelled(t *testing.T) {
	t.Parallel()
	agenda(t, func(t *testing.T, a *demo.Agenda) {
		made, err := a.Book(t.Context(), demo.TenantID, demo.Booking{ClientID: "demo-cliente-2", ServiceID: "demo-tinte",
			UserID: "demo-diego", Date: "2026-01-07", Minute: 9*60 + 15, Notes: "Alergia al amoniaco"})
		require.NoError(t, err)
		require.Equal(t, time.Date(2026, 1, 7, 15, 15, 0, 0, time.UTC), made.Start)
		require.Equal(t, 90*time.Minute, made.End.Sub(made.Start))

		day, minute, who := "2026-01-08", 18*60, "demo-laura"
		was, is, err := a.Change(t.Context(), demo.TenantID, made.ID, demo.Change{Date: &day, Minute: &minute, UserID: &who})
		require.NoError(t, err)
		require.Equal(t, made, was)
		require.Equal(t, [3]any{day, minute, "Laura Gómez Treviño"}, [3]any{is.Date, is.Minute, is.ProfessionalName})
		require.Equal(t, 90*time.Minute, is.End.Sub(is.Start))

		gone := "CANCELLED"
		_, _, err = a.Change(t.Context(), demo.TenantID, made.ID, demo.Change{Status: &gone})
		require.NoError(t, err)
		w, err := a.Week(t.Context(), demo.TenantID, day)
		require.NoError(t, err)
		require.Len(t, w.Appointments, 6)
		_, _, err = a.Change(t.Context(), demo.TenantID, made.ID, demo.Change{Minute: &minute})
		require.Equal(t, contract.CodeNotFound, contract.CodeOf(err))
	})
}

func TestWhatIsWrongIsRefusedAndNothingIsWritten(t *testing.T) {
	t.Parallel()
	st := dbtest.SQLite(t)
	require.NoError(t, demo.Seed(t.Context(), st, saturday))
	a := demo.NewAgenda(st, func() time.Time { return saturday })
	good := demo.Booking{ClientID: "demo-cliente-1", ServiceID: "demo-corte", UserID: "demo-laura", Date: "2026-01-09", Minute: 600}
	for field, spoil := range map[string]func(*demo.Booking){
		"clientId":  func(b *demo.Booking) { b.ClientID = "demo-cliente-5" }, // the other tenant's
		"serviceId": func(b *demo.Booking) { b.ServiceID = "demo-fisio" },
		"userId":    func(b *demo.Booking) { b.UserID = "demo-raul" }, // has left
		"date":      func(b *demo.Booking) { b.Date = "mañana" },
		"minute":    func(b *demo.Booking) { b.Minute = 24 * 60 },
		"notes":     func(b *demo.Booking) { b.Notes = strings.Repeat("ñ", 501) },
	} {
		b := good
		spoil(&b)
		_, err := a.Book(t.Context(), demo.TenantID, b)
		require.Equalf(t, field, contract.AsError(err).Field, "%v", err)
	}
	minute := 600
	_, _, err := a.Change(t.Context(), demo.OtherTenantID, demo.AppointmentID, demo.Change{Minute: &minute})
	require.Equal(t, contract.CodeNotFound, contract.CodeOf(err))
	_, err = a.Week(t.Context(), "somebody-elses", "")
	require.Equal(t, contract.CodeForbidden, contract.CodeOf(err))

	for err == nil || contract.CodeOf(err) == contract.CodeForbidden { // until the day is full
		_, err = a.Book(t.Context(), demo.TenantID, good)
	}
	require.Equal(t, contract.CodeConflict, contract.CodeOf(err))
	w, err := a.Week(t.Context(), demo.TenantID, "2026-01-09")
	require.NoError(t, err)
	require.Len(t, w.Appointments, 66)
}
