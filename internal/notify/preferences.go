package notify

import (
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

// wants reports whether the recipient has this kind of notification switched on (the last column of the table in
// contract/events.md). What has no preference, custom ones among them, cannot be switched off.
func wants(to store.Recipient, eventType string) bool {
	p := to.Preferences
	switch eventType {
	case contract.EventAppointmentCreated:
		return p.NotifyAppointmentCreated
	case contract.EventAppointmentUpdated, contract.EventAppointmentRescheduled:
		return p.NotifyAppointmentUpdated
	case contract.EventAppointmentDeleted:
		return p.NotifyAppointmentCancelled
	case contract.EventAppointmentReminder:
		return p.NotifyAppointmentReminder
	case contract.EventScheduleUpdated, contract.EventScheduleConflict:
		return p.NotifyScheduleChanges
	case contract.EventSystemAlert:
		return p.NotifySystemAlerts
	}
	return true
}
