package emits

import (
	"context"
	"encoding/json"

	"github.com/citaplanner/realtime/internal/notify"
	"github.com/citaplanner/realtime/pkg/contract"
)

// The bodies of the emit endpoints, contract/http.md, which are the payloads of realtime.emit, too.
type (
	createdBody struct {
		AppointmentID string `json:"appointmentId"`
		TenantID      string `json:"tenantId"`
		ActorID       string `json:"actorId"`
	}
	updatedBody struct {
		createdBody
		Changes json.RawMessage `json:"changes"`
	}
	deletedBody struct {
		createdBody
		AppointmentData json.RawMessage `json:"appointmentData"`
	}
	rescheduledBody struct {
		createdBody
		OldStartTime contract.Time `json:"oldStartTime"`
		OldEndTime   contract.Time `json:"oldEndTime"`
	}
	reminderBody struct {
		createdBody
		MinutesBefore *int `json:"minutesBefore"`
	}
	scheduleBody struct {
		ProfessionalID string          `json:"professionalId"`
		TenantID       string          `json:"tenantId"`
		ActorID        string          `json:"actorId"`
		Schedule       json.RawMessage `json:"schedule"`
		Conflict       json.RawMessage `json:"conflict"`
	}
	refreshBody struct {
		TenantID      string   `json:"tenantId"`
		Reason        string   `json:"reason"`
		AffectedDates []string `json:"affectedDates"`
	}
	alertBody struct {
		TenantID string            `json:"tenantId"`
		Message  string            `json:"message"`
		Severity contract.Severity `json:"severity"`
		Data     json.RawMessage   `json:"data"`
		Role     contract.Role     `json:"role"`
	}
	customBody struct {
		TenantID string            `json:"tenantId"`
		UserID   string            `json:"userId"`
		Type     string            `json:"type"`
		Message  string            `json:"message"`
		Data     json.RawMessage   `json:"data"`
		Priority contract.Priority `json:"priority"`
	}
	rawBody struct {
		TenantID string          `json:"tenantId"`
		UserID   string          `json:"userId"`
		Role     contract.Role   `json:"role"`
		Event    string          `json:"event"`
		Data     json.RawMessage `json:"data"`
	}
)

// Kinds are all kinds of emits.
var Kinds = []Kind{
	kind("appointments/created", contract.EventAppointmentCreated, func(b createdBody) string { return b.TenantID },
		func(ctx context.Context, svc *notify.Service, b createdBody) (contract.EmitResult, error) {
			return svc.AppointmentCreated(ctx, notify.AppointmentCreated{TenantID: b.TenantID, AppointmentID: b.AppointmentID, ActorID: b.ActorID})
		}),
	kind("appointments/updated", contract.EventAppointmentUpdated, func(b updatedBody) string { return b.TenantID },
		func(ctx context.Context, svc *notify.Service, b updatedBody) (contract.EmitResult, error) {
			return svc.AppointmentUpdated(ctx, notify.AppointmentUpdated{TenantID: b.TenantID, AppointmentID: b.AppointmentID,
				ActorID: b.ActorID, Changes: b.Changes})
		}),
	kind("appointments/deleted", contract.EventAppointmentDeleted, func(b deletedBody) string { return b.TenantID },
		func(ctx context.Context, svc *notify.Service, b deletedBody) (contract.EmitResult, error) {
			return svc.AppointmentDeleted(ctx, notify.AppointmentDeleted{TenantID: b.TenantID, AppointmentID: b.AppointmentID,
				ActorID: b.ActorID, AppointmentData: b.AppointmentData})
		}),
	kind("appointments/rescheduled", contract.EventAppointmentRescheduled, func(b rescheduledBody) string { return b.TenantID },
		func(ctx context.Context, svc *notify.Service, b rescheduledBody) (contract.EmitResult, error) {
			return svc.AppointmentRescheduled(ctx, notify.AppointmentRescheduled{TenantID: b.TenantID, AppointmentID: b.AppointmentID,
				ActorID: b.ActorID, OldStartTime: b.OldStartTime.Time, OldEndTime: b.OldEndTime.Time})
		}),
	kind("appointments/reminder", contract.EventAppointmentReminder, func(b reminderBody) string { return b.TenantID },
		func(ctx context.Context, svc *notify.Service, b reminderBody) (contract.EmitResult, error) {
			if b.MinutesBefore == nil {
				return contract.EmitResult{}, contract.InvalidField("minutesBefore", "minutesBefore is missing")
			}
			return svc.AppointmentReminder(ctx, notify.AppointmentReminder{TenantID: b.TenantID, AppointmentID: b.AppointmentID,
				MinutesBefore: *b.MinutesBefore})
		}),
	kind("schedule/updated", contract.EventScheduleUpdated, func(b scheduleBody) string { return b.TenantID },
		func(ctx context.Context, svc *notify.Service, b scheduleBody) (contract.EmitResult, error) {
			return svc.ScheduleUpdated(ctx, notify.ScheduleUpdated{TenantID: b.TenantID, ProfessionalID: b.ProfessionalID,
				ActorID: b.ActorID, Schedule: b.Schedule})
		}),
	kind("schedule/conflict", contract.EventScheduleConflict, func(b scheduleBody) string { return b.TenantID },
		func(ctx context.Context, svc *notify.Service, b scheduleBody) (contract.EmitResult, error) {
			return svc.ScheduleConflict(ctx, notify.ScheduleConflict{TenantID: b.TenantID, ProfessionalID: b.ProfessionalID, Conflict: b.Conflict})
		}),
	kind("calendar/refresh", contract.EventCalendarRefresh, func(b refreshBody) string { return b.TenantID },
		func(ctx context.Context, svc *notify.Service, b refreshBody) (contract.EmitResult, error) {
			return svc.CalendarRefresh(ctx, notify.CalendarRefresh{TenantID: b.TenantID, Reason: b.Reason, AffectedDates: b.AffectedDates})
		}),
	kind("system/alert", contract.EventSystemAlert, func(b alertBody) string { return b.TenantID },
		func(ctx context.Context, svc *notify.Service, b alertBody) (contract.EmitResult, error) {
			return svc.SystemAlert(ctx, notify.SystemAlert{TenantID: b.TenantID, Message: b.Message, Severity: b.Severity, Data: b.Data, Role: b.Role})
		}),
	kind("notification", contract.EventNotificationNew, func(b customBody) string { return b.TenantID },
		func(ctx context.Context, svc *notify.Service, b customBody) (contract.EmitResult, error) {
			return svc.Custom(ctx, notify.Custom{TenantID: b.TenantID, UserID: b.UserID, Type: b.Type, Message: b.Message, Data: b.Data, Priority: b.Priority})
		}),
	kind("tenant", "", func(b rawBody) string { return b.TenantID },
		func(ctx context.Context, svc *notify.Service, b rawBody) (contract.EmitResult, error) {
			return svc.EmitToTenant(ctx, notify.EmitToTenant{TenantID: b.TenantID, Event: b.Event, Data: given(b.Data)})
		}),
	{"user", "", func() any { return new(rawBody) }, runUser},
	kind("role", "", func(b rawBody) string { return b.TenantID },
		func(ctx context.Context, svc *notify.Service, b rawBody) (contract.EmitResult, error) {
			return svc.EmitToRole(ctx, notify.EmitToRole{Role: b.Role, TenantID: b.TenantID, Event: b.Event, Data: given(b.Data)})
		}),
}

// given is the caller's JSON as it is, null where there is none.
func given(data json.RawMessage) json.RawMessage {
	if len(data) == 0 {
		return json.RawMessage("null")
	}
	return data
}

// runUser emits to a user. Who may emit in one tenant reaches that tenant's users alone: it stands in for a tenantId that
// the body lacks.
func runUser(ctx context.Context, svc *notify.Service, tenantID string, decode Decode) (contract.EmitResult, error) {
	var b rawBody
	if err := decode(&b); err != nil {
		return contract.EmitResult{}, err
	}
	if b.TenantID == "" {
		b.TenantID = tenantID
	}
	if err := within(tenantID, b.TenantID); err != nil {
		return contract.EmitResult{}, err
	}
	return svc.EmitToUser(ctx, notify.EmitToUser{TenantID: b.TenantID, UserID: b.UserID, Event: b.Event, Data: given(b.Data)})
}
