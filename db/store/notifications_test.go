package store_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

// note is a row for a user of A.
func note(w *dbtest.World, id, userID string) models.NotificationLog {
	return models.NotificationLog{
		ID: id, Type: "APPOINTMENT_CONFIRMATION", Channel: "PUSH", RecipientID: userID, RecipientName: "N",
		RecipientContact: "c@example.com", Message: "Nueva cita", Status: "SENT", TenantID: w.A.ID, UserID: &userID,
	}
}

func TestNotificationsAreInsertedInOneStatementHoweverMany(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		metadata := `{"isRealtime":true,"eventType":"appointment:created","text":"¡niño! \u0000 \"'\\ 😀"}`
		subject, sent := "asunto", dbtest.Now
		full := note(w, "n-full", w.A.Admin)
		full.Metadata, full.Subject, full.AppointmentID, full.SentAt = &metadata, &subject, &w.A.Appointment, &sent
		full.CreatedAt, full.UpdatedAt = dbtest.Now, dbtest.Now
		rows := []models.NotificationLog{full}
		many := 5000 // more than VALUES had parameters for
		if st.Dialect() == store.SQLite {
			many = 1000 // SQLite without cgo is slow under the race detector
		}
		for i := range many {
			rows = append(rows, note(w, "n-"+strconv.Itoa(i), w.A.Admin))
		}
		require.Equal(t, 1, dbtest.Statements(st, func() {
			require.NoError(t, st.Notifications.Insert(t.Context(), rows))
		}))
		stored := w.Notifications()
		require.Len(t, stored, many+1)
		require.Equal(t, "n-full", stored[0].ID)
		require.Equal(t, dbtest.Now, stored[0].SentAt.UTC())
		stored[0].SentAt = full.SentAt
		require.Equal(t, full, stored[0])
		require.False(t, stored[1].CreatedAt.IsZero(), "now, where the caller says nothing")

		require.Equal(t, 0, dbtest.Statements(st, func() {
			require.NoError(t, st.Notifications.Insert(t.Context(), nil))
		}))
	})
}

func TestTextThatTheDatabaseCannotHoldIsCleaned(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		n := note(w, "n", w.A.Admin)
		n.Message = "a\x00b\xffc"
		require.NoError(t, st.Notifications.Insert(t.Context(), []models.NotificationLog{n}))
		require.Equal(t, "ab\uFFFDc", w.Notifications()[0].Message)
	})
}

func TestANotificationForSomebodyWhoDoesNotExistIsAConflict(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		err := st.Notifications.Insert(t.Context(), []models.NotificationLog{note(w, "n", w.A.Portal)})
		require.Equal(t, contract.CodeConflict, contract.CodeOf(err), "a portal user is not in users: %v", err)
		ok := note(w, "n", w.A.Admin)
		require.NoError(t, st.Notifications.Insert(t.Context(), []models.NotificationLog{ok}))
		err = st.Notifications.Insert(t.Context(), []models.NotificationLog{ok})
		require.Equal(t, contract.CodeConflict, contract.CodeOf(err), "the id is taken: %v", err)
	})
}

func TestALabelThatPrismaDoesNotKnowIsRefused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		n := note(w, "n", w.A.Admin)
		n.Type = "APPOINTMENT_CREATED"
		require.Error(t, st.Notifications.Insert(t.Context(), []models.NotificationLog{n}))
		require.Empty(t, w.Notifications())
	})
}

func TestTheFirstReadCountsAndOnlyOnesOwn(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		portal := note(w, "n-portal", w.A.Portal)
		portal.UserID = nil
		require.NoError(t, st.Notifications.Insert(t.Context(), []models.NotificationLog{
			note(w, "n-admin", w.A.Admin), portal,
		}))
		read := func(tenant, user, id string) bool {
			o := store.Owner{TenantID: tenant, ID: user, Portal: user == w.A.Portal}
			ok, err := st.Notifications.MarkRead(t.Context(), o, id)
			require.NoError(t, err)
			return ok
		}
		for _, stranger := range [][3]string{
			{w.A.ID, w.A.Manager, "n-admin"}, {w.B.ID, w.A.Admin, "n-admin"}, {w.A.ID, w.A.Admin, "n-portal"},
			{w.A.ID, w.A.Portal, "n-admin"}, {w.A.ID, w.A.Admin, "nothing"}, {w.A.ID, w.A.Admin, "\x00"},
			{w.A.ID, "", "n-admin"}, {w.A.ID, w.A.Admin, "\xff"},
		} {
			require.False(t, read(stranger[0], stranger[1], stranger[2]), "%q", stranger)
		}
		require.True(t, read(w.A.ID, w.A.Admin, "n-admin"))
		require.True(t, read(w.A.ID, w.A.Portal, "n-portal"))
		first := w.Notifications()
		require.NotNil(t, first[0].ReadAt)
		require.True(t, read(w.A.ID, w.A.Admin, "n-admin"))
		require.Equal(t, first, w.Notifications(), "a second read changes nothing")
	})
}

func TestAllUnreadRowsOfOneUserInOneTenantAreMarked(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		var rows []models.NotificationLog
		for i := range 3 {
			rows = append(rows, note(w, fmt.Sprint("admin-", i), w.A.Admin), note(w, fmt.Sprint("mgr-", i), w.A.Manager))
		}
		elsewhere := note(w, "elsewhere", w.A.Admin)
		elsewhere.TenantID = w.B.ID
		require.NoError(t, st.Notifications.Insert(t.Context(), append(rows, elsewhere)))
		o := store.Owner{TenantID: w.A.ID, ID: w.A.Admin}
		_, err := st.Notifications.MarkRead(t.Context(), o, "admin-0")
		require.NoError(t, err)

		for _, want := range []int64{2, 0} {
			n, err := st.Notifications.MarkAllRead(t.Context(), o)
			require.NoError(t, err)
			require.Equal(t, want, n)
		}
		unread := 0
		for _, n := range w.Notifications() {
			if n.ReadAt == nil {
				unread++
			}
		}
		require.Equal(t, 4, unread)

		portal := note(w, "portal", w.A.Portal)
		portal.UserID = nil
		require.NoError(t, st.Notifications.Insert(t.Context(), []models.NotificationLog{portal}))
		n, err := st.Notifications.MarkAllRead(t.Context(), store.Owner{TenantID: w.A.ID, ID: w.A.Portal, Portal: true})
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
}

func TestALabelIsTheEventsOwnOnlyWhereTheDatabaseHasIt(t *testing.T) {
	t.Parallel()
	fallback := map[string]string{
		contract.EventAppointmentCreated:     "APPOINTMENT_CONFIRMATION",
		contract.EventAppointmentUpdated:     "APPOINTMENT_CONFIRMATION",
		contract.EventAppointmentRescheduled: "APPOINTMENT_RESCHEDULE",
		contract.EventAppointmentDeleted:     "APPOINTMENT_CANCELLATION",
		contract.EventAppointmentReminder:    "APPOINTMENT_REMINDER",
		contract.EventScheduleUpdated:        "APPOINTMENT_RESCHEDULE",
		contract.EventScheduleConflict:       "APPOINTMENT_RESCHEDULE",
		contract.EventSystemAlert:            "PROMOTION",
		"commission:earned":                  "PROMOTION",
		"":                                   "PROMOTION",
	}
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		for event, label := range fallback {
			require.Equal(t, label, st.Notifications.Label(event), event)
		}
	})
	t.Run("with labels of a later version of the app", func(t *testing.T) {
		url, owner := dbtest.PostgresURL(t)
		dbtest.Exec(t, owner, `ALTER TYPE "NotificationType" ADD VALUE 'APPOINTMENT_CREATED'`,
			`ALTER TYPE "NotificationType" ADD VALUE 'CUSTOM'`)
		st := dbtest.Open(t, store.Options{URL: url})
		require.Equal(t, "APPOINTMENT_CREATED", st.Notifications.Label(contract.EventAppointmentCreated))
		require.Equal(t, "APPOINTMENT_CONFIRMATION", st.Notifications.Label(contract.EventAppointmentUpdated))
		require.Equal(t, "CUSTOM", st.Notifications.Label("commission:earned"))
		w := dbtest.Seed(t, st)
		n := note(w, "n", w.A.Admin)
		n.Type = st.Notifications.Label(contract.EventAppointmentCreated)
		require.NoError(t, st.Notifications.Insert(t.Context(), []models.NotificationLog{n}))
	})
}
