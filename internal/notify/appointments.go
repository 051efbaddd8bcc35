package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

// AppointmentCreated says that an appointment was made. ActorID, who did it, may be empty.
type AppointmentCreated struct{ TenantID, AppointmentID, ActorID string }

// AppointmentUpdated says that an appointment was changed. Changes is any object, or nothing; it goes out without
// personal data (see redact).
type AppointmentUpdated struct {
	TenantID, AppointmentID, ActorID string
	Changes                          json.RawMessage
}

// AppointmentRescheduled says that an appointment was moved; both old times are needed, the new ones are the row's.
type AppointmentRescheduled struct {
	TenantID, AppointmentID, ActorID string
	OldStartTime, OldEndTime         time.Time
}

// AppointmentReminder reminds of an appointment that begins in MinutesBefore minutes, 0 to 43200.
type AppointmentReminder struct {
	TenantID, AppointmentID string
	MinutesBefore           int
}

// What stands for a name that is not known.
const (
	someClient  = "Cliente"
	someService = "Servicio"
)

// AppointmentCreated tells the tenant, and the professional.
func (s *Service) AppointmentCreated(ctx context.Context, in AppointmentCreated) (contract.EmitResult, error) {
	if err := checkAppointment(in.TenantID, in.AppointmentID, in.ActorID); err != nil {
		return contract.EmitResult{}, err
	}
	const name = contract.EventAppointmentCreated
	return s.emit(ctx, name, name, func(ctx context.Context, o *occurrence) error {
		v, err := s.st.Appointments.Load(ctx, in.TenantID, in.AppointmentID)
		if err != nil {
			return err
		}
		a := appointmentOf(v)
		payload := contract.AppointmentCreated{
			Appointment: a, Professional: professionalOf(v.Professional), Service: serviceOf(v),
			CreatedBy: actorOf(in.ActorID), Timestamp: o.at,
		}
		n := notice{
			message: fmt.Sprintf("Nueva cita: %s - %s",
				orText(a.ClientName, someClient), orText(a.ServiceName, someService)),
			priority: contract.PriorityHigh,
		}
		return o.appointment(v, payload, a, n, true)
	})
}

// AppointmentUpdated tells the tenant, and the professional unless he or she made the change.
func (s *Service) AppointmentUpdated(ctx context.Context, in AppointmentUpdated) (contract.EmitResult, error) {
	err := checkAll(
		func() error { return checkAppointment(in.TenantID, in.AppointmentID, in.ActorID) },
		object("changes", in.Changes),
	)
	if err != nil {
		return contract.EmitResult{}, err
	}
	changes := redact(orEmpty(in.Changes))
	const name = contract.EventAppointmentUpdated
	return s.emit(ctx, name, name, func(ctx context.Context, o *occurrence) error {
		v, err := s.st.Appointments.Load(ctx, in.TenantID, in.AppointmentID)
		if err != nil {
			return err
		}
		a := appointmentOf(v)
		payload := contract.AppointmentUpdated{
			Appointment: a, Professional: professionalOf(v.Professional), Service: serviceOf(v),
			UpdatedBy: actorOf(in.ActorID), Changes: changes, Timestamp: o.at,
		}
		data := struct {
			contract.Appointment
			Changes json.RawMessage `json:"changes"`
		}{a, changes}
		n := notice{
			message: "Cita actualizada: " + orText(a.ClientName, someClient), priority: contract.PriorityMedium,
		}
		return o.appointment(v, payload, data, n, in.ActorID != v.Professional.ID)
	})
}

// AppointmentRescheduled tells the tenant, and the professional.
func (s *Service) AppointmentRescheduled(ctx context.Context, in AppointmentRescheduled) (contract.EmitResult, error) {
	err := checkAll(
		func() error { return checkAppointment(in.TenantID, in.AppointmentID, in.ActorID) },
		moment("oldStartTime", in.OldStartTime), moment("oldEndTime", in.OldEndTime),
	)
	if err != nil {
		return contract.EmitResult{}, err
	}
	const name = contract.EventAppointmentRescheduled
	return s.emit(ctx, name, name, func(ctx context.Context, o *occurrence) error {
		v, err := s.st.Appointments.Load(ctx, in.TenantID, in.AppointmentID)
		if err != nil {
			return err
		}
		a := appointmentOf(v)
		before := contract.Interval{Start: contract.At(in.OldStartTime), End: contract.At(in.OldEndTime)}
		after := contract.Interval{Start: a.StartTime, End: a.EndTime}
		a.OldStartTime, a.OldEndTime, a.NewStartTime, a.NewEndTime = &before.Start, &before.End, &after.Start, &after.End
		payload := contract.AppointmentRescheduled{
			Appointment: a, Professional: professionalOf(v.Professional), Service: serviceOf(v), OldTime: before,
			NewTime: after, RescheduledBy: actorOf(in.ActorID), Timestamp: o.at,
		}
		n := notice{
			message: "Cita reprogramada: " + orText(a.ClientName, someClient), priority: contract.PriorityHigh,
		}
		return o.appointment(v, payload, a, n, true)
	})
}

// AppointmentReminder reminds the professional and the client's portal user, each with a text of their own; nobody else
// hears of it. Who has switched reminders off gets neither the row nor the event.
func (s *Service) AppointmentReminder(ctx context.Context, in AppointmentReminder) (contract.EmitResult, error) {
	err := checkAll(
		func() error { return checkAppointment(in.TenantID, in.AppointmentID, "") },
		func() error {
			if in.MinutesBefore < 0 || in.MinutesBefore > maxMinutes {
				return contract.InvalidField("minutesBefore",
					fmt.Sprintf("minutesBefore must be a whole number from 0 to %d", maxMinutes))
			}
			return nil
		},
	)
	if err != nil {
		return contract.EmitResult{}, err
	}
	const name = contract.EventAppointmentReminder
	return s.emit(ctx, name, name, func(ctx context.Context, o *occurrence) error {
		v, err := s.st.Appointments.Load(ctx, in.TenantID, in.AppointmentID)
		if err != nil {
			return err
		}
		return o.remind(v, in.MinutesBefore, recipientsOf(v))
	})
}

// appointment fills the occurrence of an event that goes to the tenant, and as a notification to the professional.
// data is what the notification says, and the content that repeats are told by.
func (o *occurrence) appointment(v store.AppointmentView, payload, data any, n notice, toProfessional bool) error {
	body, err := encode(payload)
	if err != nil {
		return err
	}
	if n.data, err = encode(data); err != nil {
		return err
	}
	o.tenantID, o.subject, o.content = v.Appointment.TenantID, v.Appointment.ID, contentOf(n.data)
	o.tell(event{Name: o.name, Payload: body})
	n.eventType, n.appointmentID = o.name, &v.Appointment.ID
	if to := v.Professional.Recipient(); toProfessional && v.Professional.Active && wants(to, o.name) {
		o.notify(n, to)
	}
	return nil
}

func checkAppointment(tenantID, appointmentID, actorID string) error {
	return checkAll(id("tenantId", tenantID), id("appointmentId", appointmentID), maybeID("actorId", actorID))
}

// moment is a needed time that the contract's layout can show (four digits of the year).
func moment(name string, t time.Time) field {
	return func() error {
		if t.IsZero() {
			return contract.InvalidField(name, name+" is required")
		}
		if y := t.UTC().Year(); y < 0 || y > 9999 {
			return contract.InvalidField(name, name+" must be a time between the years 0 and 9999")
		}
		return nil
	}
}

func orText(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
