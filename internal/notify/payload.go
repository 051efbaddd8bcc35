package notify

import (
	"encoding/json"

	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

// This file is the one mapping between rows and payloads.

func appointmentOf(v store.AppointmentView) contract.Appointment {
	a := v.Appointment
	return contract.Appointment{
		ID: a.ID, AppointmentID: a.ID, ClientName: v.ClientName(), ServiceName: v.ServiceName,
		ProfessionalName: v.Professional.Name(), BranchName: v.BranchName, StartTime: contract.At(a.StartTime),
		EndTime: contract.At(a.EndTime), Status: a.Status, Notes: a.Notes, UserID: a.UserID, ClientID: a.ClientID,
		ServiceID: a.ServiceID, BranchID: a.BranchID, TenantID: a.TenantID, IsOnline: a.IsOnline,
		CreatedAt: contract.At(a.CreatedAt), UpdatedAt: contract.At(a.UpdatedAt),
	}
}

func professionalOf(p store.Professional) contract.Professional {
	return contract.Professional{ID: p.ID, Name: p.Name(), FirstName: p.FirstName, LastName: p.LastName}
}

func serviceOf(v store.AppointmentView) contract.Service {
	return contract.Service{
		ID: v.Appointment.ServiceID, Name: v.ServiceName, Duration: v.ServiceDuration, Color: v.ServiceColor,
	}
}

// metadataOf is what notification_logs.metadata holds in real-time rows (contract/database.md); readers show its
// eventType and eventData.
func metadataOf(n *notice) (string, error) {
	b, err := encode(contract.NotificationMetadata{
		IsRealtime: true, EventType: n.eventType, EventData: orNull(n.data), Priority: n.priority})
	return string(b), err
}

// rowOf is the recipient's row. A portal user is not in users: userId stays null, recipientId says who.
func rowOf(o *occurrence, n *notice, to store.Recipient, id, metadata, label string) models.NotificationLog {
	row := models.NotificationLog{
		ID: id, Type: label, Channel: "PUSH", RecipientID: to.ID, RecipientName: to.Name, RecipientContact: to.Contact,
		Message: n.message, Status: "SENT", SentAt: &o.at.Time, Metadata: &metadata, TenantID: o.tenantID,
		AppointmentID: n.appointmentID, CreatedAt: o.at.Time, UpdatedAt: o.at.Time,
	}
	if !to.Portal {
		row.UserID = &to.ID
	}
	return row
}

// notificationOf is notification:new but for what differs from user to user: id and userId.
func notificationOf(o *occurrence, n *notice) contract.Notification {
	return contract.Notification{
		Type: n.eventType, Message: n.message, Data: orNull(n.data), TenantID: o.tenantID, CreatedAt: o.at,
		Priority: n.priority,
	}
}

// Replay is notification:new, marked as replayed, made from a row that this server stored: for a user who was away then. It
// is nil for rows of other parts of the app, which were never sent.
func Replay(row models.NotificationLog, userID string) (json.RawMessage, error) {
	m, ours := ownMetadata(row)
	if !ours {
		return nil, nil
	}
	n := contract.Notification{
		ID: row.ID, Type: m.EventType, Message: row.Message, Data: orNull(m.EventData), UserID: userID, TenantID: row.TenantID,
		CreatedAt: contract.At(row.CreatedAt), Priority: m.Priority, Replayed: true,
	}
	if n.Type == "" {
		n.Type = row.Type
	}
	if !n.Priority.Valid() {
		n.Priority = contract.PriorityMedium
	}
	return encode(n)
}

// ownMetadata is the metadata of a row that this server stored; false for other rows, whatever their metadata holds.
func ownMetadata(row models.NotificationLog) (m contract.NotificationMetadata, ours bool) {
	ours = row.Metadata != nil && json.Unmarshal([]byte(*row.Metadata), &m) == nil && m.IsRealtime
	return m, ours
}

// actorOf is the member that says who did it: null where nobody is named.
func actorOf(id string) *string {
	if id == "" {
		return nil
	}
	return &id
}
