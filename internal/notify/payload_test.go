package notify_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/internal/notify"
	"github.com/citaplanner/realtime/pkg/contract"
)

// emits are one call of every function, for the golden files and for what holds for all of them.
var emits = []struct {
	name       string
	statements int // one read; in the transaction a claim, the rows and the delivery
	before     func(s *scene)
	call       func(ctx context.Context, s *scene) (contract.EmitResult, error)
}{
	{"appointment_created", 1 + 3, nil, func(ctx context.Context, s *scene) (contract.EmitResult, error) {
		return s.AppointmentCreated(ctx, notify.AppointmentCreated{
			TenantID: s.a.ID, AppointmentID: s.a.Appointment, ActorID: s.a.Receptionist,
		})
	}},
	{"appointment_updated", 1 + 3, nil, func(ctx context.Context, s *scene) (contract.EmitResult, error) {
		return s.AppointmentUpdated(ctx, notify.AppointmentUpdated{
			TenantID: s.a.ID, AppointmentID: s.a.Appointment, ActorID: s.a.Receptionist,
			Changes: json.RawMessage(`{"status":{"from":"PENDING","to":"CONFIRMED"},"client":{"id":"a-client","phone":"+52"}}`),
		})
	}},
	{"appointment_rescheduled", 1 + 3, nil, func(ctx context.Context, s *scene) (contract.EmitResult, error) {
		return s.AppointmentRescheduled(ctx, notify.AppointmentRescheduled{
			TenantID: s.a.ID, AppointmentID: s.a.Appointment, ActorID: s.a.Receptionist,
			OldStartTime: time.Date(2025, 11, 12, 10, 0, 0, 0, time.FixedZone("", -6*3600)),
			OldEndTime:   time.Date(2025, 11, 12, 16, 45, 0, 0, time.UTC),
		})
	}},
	{"appointment_reminder", 1 + 3, nil, func(ctx context.Context, s *scene) (contract.EmitResult, error) {
		return s.AppointmentReminder(ctx, notify.AppointmentReminder{
			TenantID: s.a.ID, AppointmentID: s.a.Appointment, MinutesBefore: 60,
		})
	}},
	{"appointment_deleted_row_gone", 1 + 3, func(s *scene) { s.world.DeleteAppointment(s.a.Appointment) },
		func(ctx context.Context, s *scene) (contract.EmitResult, error) {
			return s.AppointmentDeleted(ctx, notify.AppointmentDeleted{
				TenantID: s.a.ID, ActorID: s.a.Receptionist, AppointmentData: json.RawMessage(`{
					"id": "a-appointment", "clientId": "a-client", "userId": "a-professional", "serviceName": "Corte <A>",
					"notes": "trae a su hijo", "clientPhone": "+525500000001", "price": 12345678901234567890,
					"client": {"firstName": "Carla", "phone": "+52", "email": "x@example.com", "notes": "alergia"},
					"user": {"firstName": "Paula", "password": "$2a$10$"}
				}`),
			})
		}},
	{"appointment_deleted_row_there", 1 + 3, nil, func(ctx context.Context, s *scene) (contract.EmitResult, error) {
		return s.AppointmentDeleted(ctx, notify.AppointmentDeleted{
			TenantID: s.a.ID, AppointmentID: s.a.Appointment, AppointmentData: json.RawMessage(`{}`),
		})
	}},
	{"schedule_updated", 1 + 3, nil, func(ctx context.Context, s *scene) (contract.EmitResult, error) {
		return s.ScheduleUpdated(ctx, notify.ScheduleUpdated{
			TenantID: s.a.ID, ProfessionalID: s.a.Professional, ActorID: s.a.Manager,
			Schedule: json.RawMessage(`{"monday": ["09:00", "18:00"]}`),
		})
	}},
	{"schedule_conflict", 1 + 3, nil, func(ctx context.Context, s *scene) (contract.EmitResult, error) {
		return s.ScheduleConflict(ctx, notify.ScheduleConflict{
			TenantID: s.a.ID, ProfessionalID: s.a.Professional, Conflict: json.RawMessage(`{"with":"a-appointment-3"}`),
		})
	}},
	{"calendar_refresh", 1, nil, func(ctx context.Context, s *scene) (contract.EmitResult, error) {
		return s.CalendarRefresh(ctx, notify.CalendarRefresh{
			TenantID: s.a.ID, Reason: "importación", AffectedDates: []string{"2025-11-12", "2025-11-13T06:00:00.000Z"},
		})
	}},
	{"system_alert", 1 + 3, nil, func(ctx context.Context, s *scene) (contract.EmitResult, error) {
		return s.SystemAlert(ctx, notify.SystemAlert{
			TenantID: s.a.ID, Message: "Mantenimiento a las 22:00", Severity: contract.SeverityError,
			Data: json.RawMessage(`{"description":"<b>30</b> minutos","severity":"none"}`),
		})
	}},
	{"system_alert_role", 1 + 3, nil, func(ctx context.Context, s *scene) (contract.EmitResult, error) {
		return s.SystemAlert(ctx, notify.SystemAlert{
			TenantID: s.a.ID, Message: "Sólo administradores", Severity: contract.SeverityInfo, Role: contract.RoleAdmin,
		})
	}},
	{"custom_user", 1 + 3, nil, func(ctx context.Context, s *scene) (contract.EmitResult, error) {
		return s.Custom(ctx, notify.Custom{
			TenantID: s.a.ID, UserID: s.a.Receptionist, Type: "payment:received", Message: "Pago recibido",
			Data: json.RawMessage(`{"amount":250.50}`), Priority: contract.PriorityLow,
		})
	}},
	{"custom_portal_user", 1 + 3, nil, func(ctx context.Context, s *scene) (contract.EmitResult, error) {
		return s.Custom(ctx, notify.Custom{
			TenantID: s.a.ID, UserID: s.a.Portal, Type: "welcome", Message: "Hola",
		})
	}},
	{"custom_everyone", 1 + 3, nil, func(ctx context.Context, s *scene) (contract.EmitResult, error) {
		return s.Custom(ctx, notify.Custom{TenantID: s.a.ID, Type: "news", Message: "Abrimos el domingo"})
	}},
	{"raw_tenant", 1, nil, func(ctx context.Context, s *scene) (contract.EmitResult, error) {
		return s.EmitToTenant(ctx, notify.EmitToTenant{
			TenantID: s.a.ID, Event: "commission:earned", Data: map[string]any{"amount": 12.5, "description": "<Corte>"},
		})
	}},
	{"raw_user", 1, nil, func(ctx context.Context, s *scene) (contract.EmitResult, error) {
		return s.EmitToUser(ctx, notify.EmitToUser{UserID: s.b.Portal, Event: "hello", Data: json.RawMessage(` [1, "dos"] `)})
	}},
	{"raw_role", 1, nil, func(ctx context.Context, s *scene) (contract.EmitResult, error) {
		return s.EmitToRole(ctx, notify.EmitToRole{TenantID: s.a.ID, Role: contract.RoleManager, Event: "hello"})
	}},
}

func TestEveryPayloadRowAndStatementIsAsRecorded(t *testing.T) {
	for _, e := range emits {
		t.Run(e.name, func(t *testing.T) {
			each(t, func(t *testing.T, s *scene) {
				if e.before != nil {
					e.before(s)
				}
				var result contract.EmitResult
				var err error
				require.Equal(t, e.statements, dbtest.Statements(s.st, func() { result, err = e.call(t.Context(), s) }))
				require.NoError(t, err)
				s.golden(e.name, result)
			})
		})
	}
}

func TestAnAppointmentsOwnNotesGoOutAndTheClientsDoNot(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.world.AddAppointment(s.a, "noted", func(a *models.Appointment) { a.Notes = text("trae a su hijo") })
		s.created("noted")
		for _, e := range s.out.take() {
			require.Contains(t, string(e.Payload), `"notes":"trae a su hijo"`)
			for _, private := range []string{"+5255", "alergia", "a-client@example.com"} {
				require.NotContains(t, string(e.Payload), private)
			}
		}
	})
}

func TestAReplayedNotificationIsTheOneThatWasSentAndSaysSo(t *testing.T) {
	t.Parallel()
	for _, e := range emits {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, dbtest.SQLite(t))
			if e.before != nil {
				e.before(s)
			}
			_, err := e.call(t.Context(), s)
			require.NoError(t, err)
			s.replaysWhatWasSent()
		})
	}
}

// replaysWhatWasSent compares each notification:new with what is made of its row.
func (s *scene) replaysWhatWasSent() {
	t := s.t
	sent := map[string]map[string]any{}
	for _, e := range s.out.take() {
		if e.Event == contract.EventNotificationNew {
			var n map[string]any
			require.NoError(t, json.Unmarshal(e.Payload, &n))
			sent[n["id"].(string)] = n
		}
	}
	rows := s.world.Notifications()
	require.Len(t, rows, len(sent))
	for _, row := range rows {
		payload, err := notify.Replay(row, row.RecipientID)
		require.NoError(t, err)
		var n map[string]any
		require.NoError(t, json.Unmarshal(payload, &n))
		require.Equal(t, true, n["replayed"])
		delete(n, "replayed")
		require.Equal(t, sent[row.ID], n)
	}
}

func TestRowsOfOtherPartsOfTheAppAreNotReplayed(t *testing.T) {
	t.Parallel()
	holding := func(s string) *string { return &s }
	for _, metadata := range []*string{nil, holding(""), holding("no JSON"), holding("[]"), holding("null"), holding(`"isRealtime"`), holding(`{}`),
		holding(`{"isRealtime":false,"eventType":"x"}`), holding(`{"template":"\"isRealtime\":true"}`)} {
		payload, err := notify.Replay(models.NotificationLog{ID: "n", Metadata: metadata}, "u")
		require.NoError(t, err)
		require.Nil(t, payload)
	}
	payload, err := notify.Replay(models.NotificationLog{ID: "n", Type: "PROMOTION", Message: "<b>", TenantID: "t",
		CreatedAt: dbtest.Now, Metadata: holding(`{"isRealtime":true,"priority":"odd"}`)}, "u")
	require.NoError(t, err)
	require.Equal(t, `{"id":"n","type":"PROMOTION","message":"<b>","data":null,"userId":"u","tenantId":"t",`+
		`"createdAt":"2025-11-12T15:04:05.123Z","priority":"medium","replayed":true}`, string(payload))
}
