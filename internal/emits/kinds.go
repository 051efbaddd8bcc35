package emits

import (
	"context"
	"encoding/json"

	"github.com/citaplanner/realtime/internal/notify"
	"github.com/citaplanner/realtime/pkg/contract"
)

// Kinds are all kinds of emits: the emit endpoints but the batch.
var Kinds = []Kind{
	kind(contract.KindAppointmentCreated, contract.EventAppointmentCreated,
		func(b contract.AppointmentCreatedRequest) string { return b.TenantID },
		func(ctx context.Context, svc *notify.Service, b contract.AppointmentCreatedRequest) (contract.EmitResult, error) {
			return svc.AppointmentCreated(ctx, notify.AppointmentCreated{TenantID: b.TenantID, AppointmentID: b.AppointmentID, ActorID: b.ActorID})
		}),
	kind(contract.KindAppointmentUpdated, contract.EventAppointmentUpdated,
		func(b contract.AppointmentUpdatedRequest) string { return b.TenantID },
		func(ctx context.Context, svc *notify.Service, b contract.AppointmentUpdatedRequest) (contract.EmitResult, error) {
			return svc.AppointmentUpdated(ctx, notify.AppointmentUpdated{TenantID: b.TenantID, AppointmentID: b.AppointmentID,
				ActorID: b.ActorID, Changes: b.Changes})
		}),
	kind(contract.KindAppointmentDeleted, contract.EventAppointmentDeleted,
		func(b contract.AppointmentDeletedRequest) string { return b.TenantID },
		func(ctx context.Context, svc *notify.Service, b contract.AppointmentDeletedRequest) (contract.EmitResult, error) {
			return svc.AppointmentDeleted(ctx, notify.AppointmentDeleted{TenantID: b.TenantID, AppointmentID: b.AppointmentID,
				ActorID: b.ActorID, AppointmentData: b.AppointmentData})
		}),
	kind(contract.KindAppointmentRescheduled, contract.EventAppointmentRescheduled,
		func(b contract.AppointmentRescheduledRequest) string { return b.TenantID },
		func(ctx context.Context, svc *notify.Service, b contract.AppointmentRescheduledRequest) (contract.EmitResult, error) {
			return svc.AppointmentRescheduled(ctx, notify.AppointmentRescheduled{TenantID: b.TenantID, AppointmentID: b.AppointmentID,
				ActorID: b.ActorID, OldStartTime: b.OldStartTime.Time, OldEndTime: b.OldEndTime.Time})
		}),
	needing("minutesBefore", kind(contract.KindAppointmentReminder, contract.EventAppointmentReminder,
		func(b contract.AppointmentReminderRequest) string { return b.TenantID },
		func(ctx context.Context, svc *notify.Service, b contract.AppointmentReminderRequest) (contract.EmitResult, error) {
			return svc.AppointmentReminder(ctx, notify.AppointmentReminder{TenantID: b.TenantID, AppointmentID: b.AppointmentID,
				MinutesBefore: b.MinutesBefore})
		})),
	kind(contract.KindScheduleUpdated, contract.EventScheduleUpdated,
		func(b contract.ScheduleUpdatedRequest) string { return b.TenantID },
		func(ctx context.Context, svc *notify.Service, b contract.ScheduleUpdatedRequest) (contract.EmitResult, error) {
			return svc.ScheduleUpdated(ctx, notify.ScheduleUpdated{TenantID: b.TenantID, ProfessionalID: b.ProfessionalID,
				ActorID: b.ActorID, Schedule: b.Schedule})
		}),
	kind(contract.KindScheduleConflict, contract.EventScheduleConflict,
		func(b contract.ScheduleConflictRequest) string { return b.TenantID },
		func(ctx context.Context, svc *notify.Service, b contract.ScheduleConflictRequest) (contract.EmitResult, error) {
			return svc.ScheduleConflict(ctx, notify.ScheduleConflict{TenantID: b.TenantID, ProfessionalID: b.ProfessionalID, Conflict: b.Conflict})
		}),
	kind(contract.KindCalendarRefresh, contract.EventCalendarRefresh,
		func(b contract.CalendarRefreshRequest) string { return b.TenantID },
		func(ctx context.Context, svc *notify.Service, b contract.CalendarRefreshRequest) (contract.EmitResult, error) {
			return svc.CalendarRefresh(ctx, notify.CalendarRefresh{TenantID: b.TenantID, Reason: b.Reason, AffectedDates: b.AffectedDates})
		}),
	kind(contract.KindSystemAlert, contract.EventSystemAlert,
		func(b contract.SystemAlertRequest) string { return b.TenantID },
		func(ctx context.Context, svc *notify.Service, b contract.SystemAlertRequest) (contract.EmitResult, error) {
			return svc.SystemAlert(ctx, notify.SystemAlert{TenantID: b.TenantID, Message: b.Message, Severity: b.Severity, Data: b.Data, Role: b.Role})
		}),
	kind(contract.KindNotification, contract.EventNotificationNew,
		func(b contract.NotificationRequest) string { return b.TenantID },
		func(ctx context.Context, svc *notify.Service, b contract.NotificationRequest) (contract.EmitResult, error) {
			return svc.Custom(ctx, notify.Custom{TenantID: b.TenantID, UserID: b.UserID, Type: b.Type, Message: b.Message, Data: b.Data, Priority: b.Priority})
		}),
	kind(contract.KindTenant, "",
		func(b contract.EmitToTenantRequest) string { return b.TenantID },
		func(ctx context.Context, svc *notify.Service, b contract.EmitToTenantRequest) (contract.EmitResult, error) {
			return svc.EmitToTenant(ctx, notify.EmitToTenant{TenantID: b.TenantID, Event: b.Event, Data: given(b.Data)})
		}),
	{contract.KindUser, "", contract.EmitToUserRequest{}, func() any { return new(contract.EmitToUserRequest) }, runUser},
	kind(contract.KindRole, "",
		func(b contract.EmitToRoleRequest) string { return b.TenantID },
		func(ctx context.Context, svc *notify.Service, b contract.EmitToRoleRequest) (contract.EmitResult, error) {
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
	var b contract.EmitToUserRequest
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
