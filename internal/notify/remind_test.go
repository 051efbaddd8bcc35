package notify_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

// dueReminder is a reminder of tenant A's first appointment, to the professional.
func dueReminder(s *scene) store.Reminder {
	return store.Reminder{TenantID: s.a.ID, AppointmentID: s.a.Appointment, RecipientID: s.a.Professional, Minutes: 60,
		StartAt: s.clock.now().Truncate(time.Hour).Add(time.Hour)}
}

func TestADueReminderIsExactlyAsTheContractHasIt(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		for _, r := range []store.Reminder{
			dueReminder(s),
			{TenantID: s.a.ID, AppointmentID: s.a.Appointment, RecipientID: s.a.Portal, Portal: true, Minutes: 1440,
				StartAt: dueReminder(s).StartAt},
		} {
			for i, want := range []bool{true, false, false} {
				s.clock.advance(time.Duration(i) * time.Minute) // beyond the window against double clicks
				sent, err := s.Remind(s.ctx(), r, r.StartAt)
				require.NoError(t, err)
				require.Equal(t, want, sent)
			}
			s.clock.advance(-3 * time.Minute)
		}
		s.golden("reminder_due", contract.EmitResult{})
	})
}

func TestAReminderThatDoesNotFitAnyMoreIsNotSent(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		for name, change := range map[string]func(*store.Reminder){
			"another start":           func(r *store.Reminder) { r.StartAt = r.StartAt.Add(time.Millisecond) },
			"another professional":    func(r *store.Reminder) { r.RecipientID = s.a.Professional2 },
			"a professional's portal": func(r *store.Reminder) { r.Portal = true },
			"no appointment":          func(r *store.Reminder) { r.AppointmentID = "none" },
			"another tenant":          func(r *store.Reminder) { r.TenantID = s.b.ID },
		} {
			r := dueReminder(s)
			change(&r)
			sent, err := s.Remind(s.ctx(), r, r.StartAt)
			require.NoError(t, err, name)
			require.False(t, sent, name)
			s.nothing()
		}
		s.world.Prefer(s.a, s.a.Professional, func(p *models.UserNotificationPreferences) { p.NotifyAppointmentReminder = false })
		sent, err := s.Remind(s.ctx(), dueReminder(s), dueReminder(s).StartAt)
		require.NoError(t, err)
		require.False(t, sent)
		s.nothing()
		s.world.Prefer(s.a, s.a.Professional, nil)
		s.cancel(s.a.Appointment)
		sent, err = s.Remind(s.ctx(), dueReminder(s), dueReminder(s).StartAt)
		require.NoError(t, err)
		require.False(t, sent, "the claim looks at the status")
		s.nothing()
	})
}

func TestAReminderThatACrashLeftIsOfUseUntilItsTime(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		r := dueReminder(s)
		until := s.clock.now().Add(time.Minute)
		s.out.before = down
		sent, err := s.Remind(s.ctx(), r, until)
		require.NoError(t, err)
		require.True(t, sent, "the row and the delivery are committed")
		s.out.before = nil
		body := []byte(s.world.Deliveries()[0].Body)
		events := func() (names []string) {
			read, err := s.Events(body)
			require.NoError(t, err)
			read(s.a.Professional, contract.RoleProfessional, func(name string, _ json.RawMessage, _ string) { names = append(names, name) })
			return names
		}
		s.clock.advance(time.Minute)
		_, err = s.Deliver(s.ctx(), body)
		require.NoError(t, err)
		require.Len(t, s.out.brief(), 2)
		require.Len(t, events(), 2)
		s.clock.advance(time.Millisecond)
		_, err = s.Deliver(s.ctx(), body)
		require.NoError(t, err)
		require.Empty(t, s.out.brief())
		require.Empty(t, events())
	})
}
