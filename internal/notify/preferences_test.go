package notify_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/notify"
	"github.com/citaplanner/realtime/pkg/contract"
)

type preferences = models.UserNotificationPreferences

// kinds are the calls that notify the professional, with the events for others and the preference that switches the
// notification off.
var kinds = []struct {
	name   string
	call   call
	others []string // what goes out whatever the professional prefers
	off    func(p *preferences)
}{
	{"created", func(ctx context.Context, s *scene) (contract.EmitResult, error) {
		return s.AppointmentCreated(ctx, notify.AppointmentCreated{TenantID: s.a.ID, AppointmentID: s.a.Appointment3})
	}, []string{"appointment:created → tenant:tenant-a"}, func(p *preferences) { p.NotifyAppointmentCreated = false }},
	{"updated", func(ctx context.Context, s *scene) (contract.EmitResult, error) {
		return s.AppointmentUpdated(ctx, notify.AppointmentUpdated{TenantID: s.a.ID, AppointmentID: s.a.Appointment3})
	}, []string{"appointment:updated → tenant:tenant-a"}, func(p *preferences) { p.NotifyAppointmentUpdated = false }},
	{"rescheduled", func(ctx context.Context, s *scene) (contract.EmitResult, error) {
		at := s.clock.now().Add(-time.Hour)
		return s.AppointmentRescheduled(ctx, notify.AppointmentRescheduled{
			TenantID: s.a.ID, AppointmentID: s.a.Appointment3, OldStartTime: at, OldEndTime: at,
		})
	}, []string{"appointment:rescheduled → tenant:tenant-a"}, func(p *preferences) { p.NotifyAppointmentUpdated = false }},
	{"deleted", func(ctx context.Context, s *scene) (contract.EmitResult, error) {
		return s.AppointmentDeleted(ctx, notify.AppointmentDeleted{
			TenantID: s.a.ID, AppointmentID: "gone", AppointmentData: json.RawMessage(`{"professionalId":"a-professional"}`),
		})
	}, []string{"appointment:deleted → tenant:tenant-a"}, func(p *preferences) { p.NotifyAppointmentCancelled = false }},
	{"reminder", func(ctx context.Context, s *scene) (contract.EmitResult, error) {
		return s.AppointmentReminder(ctx, notify.AppointmentReminder{
			TenantID: s.a.ID, AppointmentID: s.a.Appointment3, MinutesBefore: 30,
		})
	}, nil, func(p *preferences) { p.NotifyAppointmentReminder = false }},
	{"schedule updated", func(ctx context.Context, s *scene) (contract.EmitResult, error) {
		return s.ScheduleUpdated(ctx, notify.ScheduleUpdated{TenantID: s.a.ID, ProfessionalID: s.a.Professional})
	}, []string{"schedule:updated → tenant:tenant-a"}, func(p *preferences) { p.NotifyScheduleChanges = false }},
	{"schedule conflict", func(ctx context.Context, s *scene) (contract.EmitResult, error) {
		return s.ScheduleConflict(ctx, notify.ScheduleConflict{
			TenantID: s.a.ID, ProfessionalID: s.a.Professional, Conflict: json.RawMessage(`"overlap"`),
		})
	}, []string{"schedule:conflict → role:ADMIN of tenant-a", "schedule:conflict → role:MANAGER of tenant-a"},
		func(p *preferences) { p.NotifyScheduleChanges = false }},
	{"alert", func(ctx context.Context, s *scene) (contract.EmitResult, error) {
		return s.SystemAlert(ctx, notify.SystemAlert{
			TenantID: s.a.ID, Message: "m", Severity: contract.SeverityWarning, Role: contract.RoleProfessional,
		})
	}, []string{
		"system:alert → role:PROFESSIONAL of tenant-a", "notification:new → user:a-professional-2 of tenant-a",
	}, func(p *preferences) { p.NotifySystemAlerts = false }},
}

// allOff is every preference off but push, and but those that keep changes back.
func allOff(p *preferences, keep func(p *preferences)) {
	*p = preferences{
		ID: p.ID, UserID: p.UserID, TenantID: p.TenantID, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
		EnablePushNotifications: true, ReminderMinutesBefore: models.IntList{60},
	}
	keep(p)
}

// on inverts the off of a kind: only its own preference is on.
func on(off func(p *preferences)) func(p *preferences) {
	return func(p *preferences) {
		full := preferences{
			NotifyAppointmentCreated: true, NotifyAppointmentUpdated: true, NotifyAppointmentCancelled: true,
			NotifyAppointmentReminder: true, NotifyScheduleChanges: true, NotifySystemAlerts: true,
		}
		off(&full)
		p.NotifyAppointmentCreated = !full.NotifyAppointmentCreated
		p.NotifyAppointmentUpdated = !full.NotifyAppointmentUpdated
		p.NotifyAppointmentCancelled = !full.NotifyAppointmentCancelled
		p.NotifyAppointmentReminder = !full.NotifyAppointmentReminder
		p.NotifyScheduleChanges = !full.NotifyScheduleChanges
		p.NotifySystemAlerts = !full.NotifySystemAlerts
	}
}

const (
	toProfessional = "notification:new → user:a-professional of tenant-a"
	reminderTo     = "appointment:reminder → user:a-professional of tenant-a"
)

func TestEachPreferenceSwitchesOffItsNotificationsAndNoOthers(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		for _, k := range kinds {
			s.world.Prefer(s.a, s.a.Professional, k.off)
			before := len(s.rows())
			result, err := k.call(t.Context(), s)
			require.NoError(t, err)
			others := 0
			if k.name == "alert" {
				others = 1
			}
			require.Lenf(t, s.rows(), before+others, "%s: off", k.name)
			require.Len(t, result.Notifications, others)
			require.ElementsMatchf(t, k.others, s.out.brief(), "%s: off", k.name)

			s.clock.advance(time.Minute)
			s.world.Prefer(s.a, s.a.Professional, func(p *preferences) { allOff(p, on(k.off)) })
			_, err = k.call(t.Context(), s)
			require.NoError(t, err)
			require.Lenf(t, s.rows(), before+2*others+1, "%s: only this on", k.name)
			want := append([]string{toProfessional}, k.others...)
			if k.name == "reminder" {
				want = append(want, reminderTo)
			}
			require.ElementsMatchf(t, want, s.out.brief(), "%s: only this on", k.name)
			s.clock.advance(time.Minute)
		}
	})
}

func TestWithoutPushTheRowIsKeptAndNotificationNewIsNotSent(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.world.Prefer(s.a, s.a.Professional, func(p *preferences) { p.EnablePushNotifications = false })
		for _, k := range kinds {
			before := len(s.rows())
			result, err := k.call(t.Context(), s)
			require.NoError(t, err)
			want := append([]string{}, k.others...)
			if k.name == "reminder" {
				want = append(want, reminderTo)
			}
			require.ElementsMatch(t, want, s.out.brief(), k.name)
			require.Len(t, s.rows(), before+len(result.Notifications), k.name)
			require.Contains(t, s.rows()[before:], eventOf(k.name)+" → a-professional")
			s.clock.advance(time.Minute)
		}
	})
}

func eventOf(kind string) string {
	switch kind {
	case "schedule updated":
		return contract.EventScheduleUpdated
	case "schedule conflict":
		return contract.EventScheduleConflict
	case "alert":
		return contract.EventSystemAlert
	}
	return "appointment:" + kind
}

func TestNoPreferenceSwitchesACustomNotificationOff(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.world.Prefer(s.a, s.a.Professional, func(p *preferences) { allOff(p, func(*preferences) {}) })
		_, err := s.Custom(t.Context(), notify.Custom{
			TenantID: s.a.ID, UserID: s.a.Professional, Type: "commission:earned", Message: "Comisión",
		})
		require.NoError(t, err)
		require.Equal(t, []string{toProfessional}, s.out.brief())
	})
}

func TestAProfessionalIsNotToldOfTheirOwnChange(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		result, err := s.AppointmentUpdated(t.Context(), notify.AppointmentUpdated{
			TenantID: s.a.ID, AppointmentID: s.a.Appointment, ActorID: s.a.Professional,
		})
		require.NoError(t, err)
		require.Equal(t, []string{"appointment:updated → tenant:tenant-a"}, s.out.brief())
		require.NotNil(t, result.Notifications)
		require.Empty(t, result.Notifications)
		require.Empty(t, s.rows())
	})
}

func TestNobodyIsNotifiedWhoHasLeft(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.world.SetUserActive(s.a.Professional, false)
		s.world.SetPortalActive(s.a.Portal, false)
		for _, k := range kinds[:len(kinds)-1] {
			_, err := k.call(t.Context(), s)
			require.NoError(t, err)
			require.Equal(t, append([]string{}, k.others...), s.out.brief(), k.name)
		}
		require.Empty(t, s.rows())

		s.world.MoveUser(s.a.Professional, s.b.ID)
		s.clock.advance(time.Minute)
		s.created(s.a.Appointment)
		require.Equal(t, []string{"appointment:created → tenant:tenant-a"}, s.out.brief())
		require.Empty(t, s.rows())
	})
}

func TestEveryActiveUserHasARowOfTheirOwnToRead(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		result, err := s.SystemAlert(t.Context(), notify.SystemAlert{
			TenantID: s.a.ID, Message: "Cerramos", Severity: contract.SeverityInfo,
		})
		require.NoError(t, err)
		sentIDs := map[string]string{}
		for _, e := range s.out.take() {
			if e.Event == contract.EventNotificationNew {
				var n contract.Notification
				require.NoError(t, json.Unmarshal(e.Payload, &n))
				require.Equal(t, "user:"+n.UserID+" of tenant-a", e.To)
				sentIDs[n.UserID] = n.ID
			}
		}
		users := s.a.ActiveUsers()
		require.Len(t, sentIDs, len(users))
		require.Len(t, result.Notifications, len(users))
		for _, u := range users {
			found, err := s.st.Notifications.MarkRead(t.Context(), store.Owner{TenantID: s.a.ID, ID: u}, sentIDs[u])
			require.NoError(t, err)
			require.True(t, found, u)
		}
	})
}
