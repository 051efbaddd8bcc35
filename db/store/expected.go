package store

import (
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm/schema"

	"github.com/citaplanner/realtime/db/models"
)

// column is a column as the server expects it, or as a database has it.
type column struct {
	table, name string
	typ         string // "text", "boolean", "integer", "double precision", "timestamp", "integer[]" or an enum's name
	nullable    bool
	hasDefault  bool // of a database's column
	used        bool // by this version of the server; others may be missing
}

// usedColumns are the columns of the app's tables that statements of this version name.
var usedColumns = map[string][]string{
	"tenants":      {"id", "isActive"},
	"branches":     {"id", "name", "tenantId"},
	"users":        {"id", "email", "firstName", "lastName", "role", "isActive", "tenantId"},
	"client_users": {"id", "email", "firstName", "lastName", "isActive", "tenantId", "clientId"},
	"clients":      {"id", "firstName", "lastName", "tenantId"},
	"services":     {"id", "name", "duration", "color", "tenantId"},
	"appointments": {
		"id", "startTime", "endTime", "status", "notes", "isOnline", "tenantId", "branchId", "clientId", "serviceId",
		"userId", "createdAt", "updatedAt",
	},
	"notification_logs": {
		"id", "type", "channel", "recipientId", "recipientName", "recipientContact", "subject", "message", "status",
		"sentAt", "deliveredAt", "readAt", "errorMessage", "metadata", "tenantId", "appointmentId", "userId",
		"createdAt", "updatedAt",
	},
	"user_notification_preferences": {
		"id", "userId", "enablePushNotifications", "enableEmailNotifications", "enableSMSNotifications",
		"enableWhatsAppNotifications", "notifyAppointmentCreated", "notifyAppointmentUpdated",
		"notifyAppointmentCancelled", "notifyAppointmentReminder", "notifyScheduleChanges", "notifySystemAlerts",
		"reminderMinutesBefore", "updatedAt",
	},
	"notification_settings": {"tenantId", "appointmentReminderEnabled", "appointmentReminderTimes", "updatedAt"},
}

// neededRights are the rights on the app's tables that this version cannot do without.
var neededRights = map[string][]string{
	"tenants": {"SELECT"}, "branches": {"SELECT"}, "users": {"SELECT"}, "client_users": {"SELECT"},
	"clients": {"SELECT"}, "services": {"SELECT"}, "appointments": {"SELECT"},
	"notification_settings": {"SELECT"}, "user_notification_preferences": {"SELECT", "INSERT", "UPDATE"},
	"notification_logs": {"SELECT", "INSERT", "UPDATE", "DELETE"},
}

// ownRights are the rights on each of the own tables.
var ownRights = []string{"SELECT", "INSERT", "UPDATE", "DELETE"}

// enumColumns are the columns whose type is an enum of the app's.
var enumColumns = map[string]string{
	"users.role": "UserRole", "appointments.status": "AppointmentStatus",
	"notification_logs.type": "NotificationType", "notification_logs.channel": "NotificationChannel",
	"notification_logs.status": "NotificationStatus", "notification_templates.type": "NotificationType",
	"notification_templates.channel": "NotificationChannel",
}

// neededLabels are the enum labels that the server writes or compares with.
var neededLabels = map[string][]string{
	"NotificationType": {
		"APPOINTMENT_REMINDER", "APPOINTMENT_CONFIRMATION", "APPOINTMENT_CANCELLATION", "APPOINTMENT_RESCHEDULE",
		"PROMOTION",
	},
	"AppointmentStatus":   {"PENDING", "CONFIRMED"},
	"NotificationChannel": {"PUSH"},
	"NotificationStatus":  {"PENDING", "SENT", "DELIVERED", "READ"},
	"UserRole":            {"SUPERADMIN", "ADMIN", "MANAGER", "PROFESSIONAL", "RECEPTIONIST", "CLIENT"},
}

// expectedColumns are all columns of the models of the app's tables, by table.
func expectedColumns() (map[string][]column, error) {
	expected := map[string][]column{}
	for _, m := range models.App() {
		parsed, err := schema.Parse(m, &sync.Map{}, models.SQLiteNames())
		if err != nil {
			return nil, err
		}
		table := parsed.Table
		for _, f := range parsed.Fields {
			typ, isEnum := enumColumns[table+"."+f.DBName]
			if !isEnum {
				typ = sqlType(f.IndirectFieldType)
			}
			expected[table] = append(expected[table], column{
				table: table, name: f.DBName, typ: typ, nullable: f.FieldType.Kind() == reflect.Pointer,
				used: slices.Contains(usedColumns[table], f.DBName),
			})
		}
	}
	return expected, nil
}

// sqlType is the type of the column that a Go type reads.
func sqlType(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "timestamp"
	case t == reflect.TypeFor[models.IntList]():
		return "integer[]"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "boolean"
	case reflect.Int:
		return "integer"
	case reflect.Float64:
		return "double precision"
	default:
		return "text"
	}
}

// sameType reports whether a database's type serves for the expected one.
func sameType(dialect, want, have string) bool {
	if dialect == Postgres {
		switch want {
		case "timestamp": // any precision, but no zone
			return strings.HasPrefix(have, "timestamp") && strings.HasSuffix(have, "without time zone")
		case "text":
			return have == "text" || strings.HasPrefix(have, "character varying")
		}
		return have == want
	}
	switch want {
	case "timestamp":
		want = "datetime" // what the driver reads as a time
	case "double precision":
		want = "real"
	case "boolean", "integer", "text":
	default: // enums and lists
		want = "text"
	}
	return strings.EqualFold(have, want)
}
