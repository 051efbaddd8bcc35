package notify

import (
	"context"
	"encoding/json"

	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

// ScheduleUpdated says that a professional's working hours changed. Schedule is any JSON, or nothing.
type ScheduleUpdated struct {
	TenantID, ProfessionalID, ActorID string
	Schedule                          json.RawMessage
}

// ScheduleConflict says that a professional's hours or appointments collide. Conflict is needed: any JSON but null.
type ScheduleConflict struct {
	TenantID, ProfessionalID string
	Conflict                 json.RawMessage
}

// CalendarRefresh asks every calendar of a tenant to load anew. AffectedDates, at most 366, may be empty.
type CalendarRefresh struct {
	TenantID, Reason string
	AffectedDates    []string
}

// ScheduleUpdated tells the tenant, and the professional. Without a schedule two changes cannot be told from one that
// is told twice: then calendars hear of each, and only the notification is stored once.
func (s *Service) ScheduleUpdated(ctx context.Context, in ScheduleUpdated) (contract.EmitResult, error) {
	err := checkAll(id("tenantId", in.TenantID), id("professionalId", in.ProfessionalID), maybeID("actorId", in.ActorID),
		document("schedule", in.Schedule))
	if err != nil {
		return contract.EmitResult{}, err
	}
	schedule := orNull(strip(in.Schedule, nil, false)) // no client's data in what a whole tenant gets
	const name = contract.EventScheduleUpdated
	return s.emit(ctx, name, name, func(ctx context.Context, o *occurrence) error {
		p, err := s.st.Users.Professional(ctx, in.TenantID, in.ProfessionalID)
		if err != nil {
			return err
		}
		payload, err := encode(contract.ScheduleUpdated{
			ProfessionalID: p.ID, ProfessionalName: p.Name(), Schedule: schedule,
			UpdatedBy: actorOf(in.ActorID), Timestamp: o.at,
		})
		if err != nil {
			return err
		}
		data, err := encode(struct {
			ProfessionalID   string          `json:"professionalId"`
			ProfessionalName string          `json:"professionalName"`
			Schedule         json.RawMessage `json:"schedule"`
		}{p.ID, p.Name(), schedule})
		if err != nil {
			return err
		}
		o.tenantID, o.subject, o.content = in.TenantID, p.ID, contentOf(schedule)
		if e := (event{Name: name, Payload: payload}); null(schedule) {
			o.always(e)
		} else {
			o.tell(e)
		}
		o.toProfessional(p, notice{message: "Horarios actualizados", priority: contract.PriorityMedium, data: data})
		return nil
	})
}

// ScheduleConflict tells those who can solve it, the roles ADMIN and MANAGER, and the professional by a notification.
func (s *Service) ScheduleConflict(ctx context.Context, in ScheduleConflict) (contract.EmitResult, error) {
	err := checkAll(id("tenantId", in.TenantID), id("professionalId", in.ProfessionalID),
		document("conflict", in.Conflict), needed("conflict", !null(in.Conflict)))
	if err != nil {
		return contract.EmitResult{}, err
	}
	const name = contract.EventScheduleConflict
	return s.emit(ctx, name, name, func(ctx context.Context, o *occurrence) error {
		p, err := s.st.Users.Professional(ctx, in.TenantID, in.ProfessionalID)
		if err != nil {
			return err
		}
		payload, err := encode(contract.ScheduleConflict{
			ProfessionalID: p.ID, Conflict: in.Conflict, Timestamp: o.at,
		})
		if err != nil {
			return err
		}
		data, err := encode(struct {
			ProfessionalID string          `json:"professionalId"`
			Conflict       json.RawMessage `json:"conflict"`
		}{p.ID, in.Conflict})
		if err != nil {
			return err
		}
		o.tenantID, o.subject, o.content = in.TenantID, p.ID, contentOf(in.Conflict)
		for _, role := range []contract.Role{contract.RoleAdmin, contract.RoleManager} {
			o.tell(event{Name: name, Role: role, Payload: payload})
		}
		o.toProfessional(p, notice{
			message: "Conflicto de horarios detectado", priority: contract.PriorityUrgent, data: data,
		})
		return nil
	})
}

// toProfessional notifies the professional, if there is somebody who wants to know.
func (o *occurrence) toProfessional(p store.Professional, n notice) {
	if to := p.Recipient(); p.Active && wants(to, o.name) {
		n.eventType = o.name
		o.notify(n, to)
	}
}

// CalendarRefresh tells the tenant. Nothing is stored, and a repeat goes out again: what it asks to be loaded may have
// changed since.
func (s *Service) CalendarRefresh(ctx context.Context, in CalendarRefresh) (contract.EmitResult, error) {
	err := checkAll(id("tenantId", in.TenantID), text("reason", in.Reason, maxReason),
		dates("affectedDates", in.AffectedDates))
	if err != nil {
		return contract.EmitResult{}, err
	}
	const name = contract.EventCalendarRefresh
	return s.emit(ctx, name, name, func(ctx context.Context, o *occurrence) error {
		if err := s.tenantExists(ctx, in.TenantID); err != nil {
			return err
		}
		affected := in.AffectedDates
		if affected == nil {
			affected = []string{}
		}
		payload, err := encode(contract.CalendarRefresh{Reason: in.Reason, AffectedDates: affected, Timestamp: o.at})
		if err != nil {
			return err
		}
		o.tenantID, o.fleeting = in.TenantID, true
		o.always(event{Name: name, Payload: payload})
		return nil
	})
}
