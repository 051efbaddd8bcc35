package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

// errOutdated means that what was found due is so no more.
var errOutdated = contract.NewError(contract.CodeNotFound, "the appointment, or who is reminded, has changed")

// Remind reminds one recipient of an appointment, once, whoever else tries: the claim is committed together with the
// notification's row and its delivery. It is not sent, without an error, when somebody else has sent it, or when the
// appointment has been moved, cancelled or deleted, or the recipient has gone or switched reminders off. A delivery that a
// crash leaves over is good until the time given: a reminder after the fact would only confuse. internal/reminders calls it.
func (s *Service) Remind(ctx context.Context, r store.Reminder, until time.Time) (sent bool, err error) {
	const name = contract.EventAppointmentReminder
	_, err = s.emit(ctx, name, name, func(ctx context.Context, o *occurrence) error {
		v, err := s.st.Appointments.Load(ctx, r.TenantID, r.AppointmentID)
		if contract.CodeOf(err) == contract.CodeNotFound {
			return errOutdated
		}
		if err != nil {
			return err
		}
		to, ok := reminded(v, r)
		if !ok {
			return errOutdated
		}
		o.until = until
		o.once = func(ctx context.Context, tx *store.Store) (bool, error) {
			mine, err := tx.Reminders.Claim(ctx, r, o.at.Time)
			sent = mine && err == nil
			return mine, err
		}
		return o.remind(v, r.Minutes, []store.Recipient{to})
	})
	if errors.Is(err, errOutdated) {
		return false, nil
	}
	return sent && err == nil, err
}

// reminded is the recipient of the reminder, if the appointment is still as it was when the reminder was found. The claim
// looks at the appointment once more.
func reminded(v store.AppointmentView, r store.Reminder) (store.Recipient, bool) {
	if !v.Appointment.StartTime.Equal(r.StartAt) {
		return store.Recipient{}, false
	}
	for _, to := range recipientsOf(v) {
		if to.ID == r.RecipientID && to.Portal == r.Portal && wants(to, contract.EventAppointmentReminder) {
			return to, true
		}
	}
	return store.Recipient{}, false
}

// recipientsOf is who may be reminded of an appointment: the professional, and the client's portal user.
func recipientsOf(v store.AppointmentView) []store.Recipient {
	var to []store.Recipient
	if v.Professional.Active {
		to = append(to, v.Professional.Recipient())
	}
	if v.Portal != nil {
		to = append(to, *v.Portal)
	}
	return to
}

// remind fills the occurrence of a reminder for those of the recipients who want it.
func (o *occurrence) remind(v store.AppointmentView, minutes int, recipients []store.Recipient) error {
	a := appointmentOf(v)
	data, err := encode(struct {
		contract.Appointment
		MinutesBefore int `json:"minutesBefore"`
	}{a, minutes})
	if err != nil {
		return err
	}
	payload, err := encode(contract.AppointmentReminder{Appointment: a, MinutesBefore: minutes, Timestamp: o.at})
	if err != nil {
		return err
	}
	o.tenantID, o.subject, o.content = v.Appointment.TenantID, a.ID, contentOf(data)
	for _, to := range recipients {
		if !wants(to, o.name) {
			continue
		}
		format := "Recordatorio: Tienes una cita en %d minutos"
		if to.Portal {
			format = "Recordatorio: Tu cita es en %d minutos"
		}
		o.tell(event{Name: o.name, UserID: to.ID, Payload: payload})
		o.notify(notice{
			eventType: o.name, message: fmt.Sprintf(format, minutes), priority: contract.PriorityHigh, data: data,
			appointmentID: &a.ID,
		}, to)
	}
	return nil
}
