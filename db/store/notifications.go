package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/pkg/contract"
)

// Notifications writes notification_logs.
type Notifications struct{ s *Store }

// insertedRow is a row of models.NotificationLog as Insert hands it to the database: JSON with the columns' names.
type insertedRow struct {
	ID               string  `json:"id"`
	Type             string  `json:"type"`
	Channel          string  `json:"channel"`
	RecipientID      string  `json:"recipientId"`
	RecipientName    string  `json:"recipientName"`
	RecipientContact string  `json:"recipientContact"`
	Subject          *string `json:"subject"`
	Message          string  `json:"message"`
	Status           string  `json:"status"`
	SentAt           *string `json:"sentAt"`
	DeliveredAt      *string `json:"deliveredAt"`
	ReadAt           *string `json:"readAt"`
	ErrorMessage     *string `json:"errorMessage"`
	Metadata         *string `json:"metadata"`
	TenantID         string  `json:"tenantId"`
	AppointmentID    *string `json:"appointmentId"`
	UserID           *string `json:"userId"`
	CreatedAt        string  `json:"createdAt"`
	UpdatedAt        string  `json:"updatedAt"`
}

// insertColumns are the columns of insertedRow with their types on PostgreSQL; a capital marks an enum of the app's.
var insertColumns = [][2]string{
	{"id", "text"}, {"type", "NotificationType"}, {"channel", "NotificationChannel"}, {"recipientId", "text"},
	{"recipientName", "text"}, {"recipientContact", "text"}, {"subject", "text"}, {"message", "text"},
	{"status", "NotificationStatus"}, {"sentAt", "timestamp(3)"}, {"deliveredAt", "timestamp(3)"},
	{"readAt", "timestamp(3)"}, {"errorMessage", "text"}, {"metadata", "text"}, {"tenantId", "text"},
	{"appointmentId", "text"}, {"userId", "text"}, {"createdAt", "timestamp(3)"}, {"updatedAt", "timestamp(3)"},
}

// Insert stores the rows in one statement, whose text is the same for any number of them. CreatedAt and UpdatedAt left
// zero become now. CodeConflict when a user, tenant or appointment that a row names does not exist.
func (n *Notifications) Insert(ctx context.Context, rows []models.NotificationLog) error {
	if len(rows) == 0 {
		return nil
	}
	inserted := make([]insertedRow, len(rows))
	for i := range rows {
		inserted[i] = n.row(&rows[i])
	}
	body, err := json.Marshal(inserted)
	if err != nil {
		return fmt.Errorf("insert notifications: %w", err)
	}
	if err := n.s.later(ctx, "notifications.insert", n.insertSQL(), string(body)); err != nil {
		return fmt.Errorf("insert notifications: %w", err)
	}
	return nil
}

// insertSQL takes all rows as one JSON parameter: multi-row VALUES would be another statement for each number of rows
// (never prepared) and end at 3,449 of them (65,535 parameters).
func (n *Notifications) insertSQL() string {
	names, source := make([]string, len(insertColumns)), make([]string, len(insertColumns))
	for i, c := range insertColumns {
		names[i] = `"` + c[0] + `"`
		switch typ := c[1]; {
		case n.s.dialect == SQLite:
			source[i] = `json_extract(value, '$.` + c[0] + `')`
		case typ[0] >= 'A' && typ[0] <= 'Z':
			source[i] = names[i] + ` ` + n.s.t(typ)
		default:
			source[i] = names[i] + ` ` + typ
		}
	}
	into := `INSERT INTO ` + n.s.t("notification_logs") + ` (` + strings.Join(names, ", ") + `) `
	if n.s.dialect == SQLite {
		return into + `SELECT ` + strings.Join(source, ", ") + ` FROM json_each(?)`
	}
	return into + `SELECT ` + strings.Join(names, ", ") +
		` FROM jsonb_to_recordset(CAST(? AS jsonb)) AS r(` + strings.Join(source, ", ") + `)`
}

func (n *Notifications) row(r *models.NotificationLog) insertedRow {
	now := n.s.now()
	if r.CreatedAt.IsZero() {
		r.CreatedAt = now
	}
	if r.UpdatedAt.IsZero() {
		r.UpdatedAt = now
	}
	return insertedRow{
		ID: clean(r.ID), Type: r.Type, Channel: r.Channel, RecipientID: clean(r.RecipientID),
		RecipientName: clean(r.RecipientName), RecipientContact: clean(r.RecipientContact),
		Subject: cleanPtr(r.Subject), Message: clean(r.Message), Status: r.Status,
		SentAt: n.s.timeTextPtr(r.SentAt), DeliveredAt: n.s.timeTextPtr(r.DeliveredAt),
		ReadAt: n.s.timeTextPtr(r.ReadAt), ErrorMessage: cleanPtr(r.ErrorMessage), Metadata: cleanPtr(r.Metadata),
		TenantID: clean(r.TenantID), AppointmentID: cleanPtr(r.AppointmentID), UserID: cleanPtr(r.UserID),
		CreatedAt: n.s.timeText(r.CreatedAt), UpdatedAt: n.s.timeText(r.UpdatedAt),
	}
}

// wantedLabels is the label of "NotificationType" that an event type asks for, and the one Prisma has for certain.
var wantedLabels = map[string][2]string{
	contract.EventAppointmentCreated:     {"APPOINTMENT_CREATED", "APPOINTMENT_CONFIRMATION"},
	contract.EventAppointmentUpdated:     {"APPOINTMENT_UPDATED", "APPOINTMENT_CONFIRMATION"},
	contract.EventAppointmentRescheduled: {"APPOINTMENT_RESCHEDULED", "APPOINTMENT_RESCHEDULE"},
	contract.EventAppointmentDeleted:     {"APPOINTMENT_CANCELLED", "APPOINTMENT_CANCELLATION"},
	contract.EventAppointmentReminder:    {"APPOINTMENT_REMINDER", "APPOINTMENT_REMINDER"},
	contract.EventScheduleUpdated:        {"SCHEDULE_UPDATED", "APPOINTMENT_RESCHEDULE"},
	contract.EventScheduleConflict:       {"SCHEDULE_CONFLICT", "APPOINTMENT_RESCHEDULE"},
	contract.EventSystemAlert:            {"SYSTEM_ALERT", "PROMOTION"},
}

// Label is what goes into the type column for an event type: the label made for it if this database has it, else the
// nearest of the app's. Writing one that Prisma's client does not know would make the row unreadable to the app.
func (n *Notifications) Label(eventType string) string {
	want, ok := wantedLabels[eventType]
	if !ok {
		want = [2]string{"CUSTOM", "PROMOTION"}
	}
	if labels := n.s.labels.Load(); labels != nil && (*labels)[want[0]] {
		return want[0]
	}
	return want[1]
}

// readLabels reads the labels of "NotificationType", once at Open and again after Migrate.
func (c *core) readLabels(ctx context.Context, db *gorm.DB) error {
	labels := map[string]bool{}
	if c.dialect == Postgres {
		var found []string
		err := db.WithContext(ctx).Raw(`SELECT CAST(e.enumlabel AS text) FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid
			JOIN pg_namespace n ON n.oid = t.typnamespace
			WHERE t.typname = 'NotificationType' AND n.nspname = ?`, c.schema).Find(&found).Error
		if err != nil {
			return fmt.Errorf("read the labels of NotificationType: %w", fault(err))
		}
		for _, l := range found {
			labels[l] = true
		}
	}
	c.labels.Store(&labels)
	return nil
}

// param is a parameter with its type, for places where PostgreSQL does not infer it.
func (s *Store) param(typ string) string {
	if s.dialect == Postgres {
		return `CAST(? AS ` + typ + `)`
	}
	return `?`
}

// timeText is a time as text that compares like the times the driver writes.
func (c *core) timeText(t time.Time) string {
	if c.dialect == SQLite {
		return UTC(t).Format(sqliteTime)
	}
	return UTC(t).Format("2006-01-02T15:04:05.000")
}

func (c *core) timeTextPtr(t *time.Time) *string {
	if t == nil {
		return nil
	}
	text := c.timeText(*t)
	return &text
}

func cleanPtr(s *string) *string {
	if s == nil {
		return nil
	}
	c := clean(*s)
	return &c
}
