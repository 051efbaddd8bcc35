package contract

import "encoding/json"

// Notification is the payload of notification:new.
type Notification struct {
	ID        string          `json:"id"`
	Type      string          `json:"type"`
	Message   string          `json:"message"`
	Data      json.RawMessage `json:"data"` // an object or null
	UserID    string          `json:"userId"`
	TenantID  string          `json:"tenantId"`
	CreatedAt Time            `json:"createdAt"`
	Priority  Priority        `json:"priority"`
}

// Appointment is the appointment member of the appointment:* events. It holds both shapes that components read, and no
// personal data of the client beyond the name.
type Appointment struct {
	ID               string  `json:"id"`
	AppointmentID    string  `json:"appointmentId"` // the same as ID
	ClientName       string  `json:"clientName"`
	ServiceName      string  `json:"serviceName"`
	ProfessionalName string  `json:"professionalName"`
	BranchName       string  `json:"branchName"`
	StartTime        Time    `json:"startTime"`
	EndTime          Time    `json:"endTime"`
	Status           string  `json:"status"`
	Notes            *string `json:"notes"` // the appointment's own notes, never the client's
	UserID           string  `json:"userId"`
	ClientID         string  `json:"clientId"`
	ServiceID        string  `json:"serviceId"`
	BranchID         string  `json:"branchId"`
	TenantID         string  `json:"tenantId"`
	IsOnline         bool    `json:"isOnline"`
	CreatedAt        Time    `json:"createdAt"`
	UpdatedAt        Time    `json:"updatedAt"`

	// Only in appointment:rescheduled.
	OldStartTime *Time `json:"oldStartTime,omitempty"`
	OldEndTime   *Time `json:"oldEndTime,omitempty"`
	NewStartTime *Time `json:"newStartTime,omitempty"`
	NewEndTime   *Time `json:"newEndTime,omitempty"`
}

// Professional is the professional member of the appointment:* events.
type Professional struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	FirstName string `json:"firstName"`
	LastName  string `json:"lastName"`
}

// Service is the service member of the appointment:* events. Duration is in minutes.
type Service struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Duration int    `json:"duration"`
	Color    string `json:"color"`
}

// AppointmentCreated is the payload of appointment:created.
type AppointmentCreated struct {
	Appointment  Appointment  `json:"appointment"`
	Professional Professional `json:"professional"`
	Service      Service      `json:"service"`
	CreatedBy    *string      `json:"createdBy"`
	Timestamp    Time         `json:"timestamp"`
}

// AppointmentUpdated is the payload of appointment:updated. Changes is what the caller sent, {} where nothing.
type AppointmentUpdated struct {
	Appointment  Appointment     `json:"appointment"`
	Professional Professional    `json:"professional"`
	Service      Service         `json:"service"`
	UpdatedBy    *string         `json:"updatedBy"`
	Changes      json.RawMessage `json:"changes"`
	Timestamp    Time            `json:"timestamp"`
}

// AppointmentDeleted is the payload of appointment:deleted. AppointmentData is never null: a component throws on it.
type AppointmentDeleted struct {
	AppointmentID   string          `json:"appointmentId"`
	AppointmentData json.RawMessage `json:"appointmentData"`
	DeletedBy       *string         `json:"deletedBy"`
	Timestamp       Time            `json:"timestamp"`
}

// Interval is a time span of an appointment.
type Interval struct {
	Start Time `json:"start"`
	End   Time `json:"end"`
}

// AppointmentRescheduled is the payload of appointment:rescheduled.
type AppointmentRescheduled struct {
	Appointment   Appointment  `json:"appointment"`
	Professional  Professional `json:"professional"`
	Service       Service      `json:"service"`
	OldTime       Interval     `json:"oldTime"`
	NewTime       Interval     `json:"newTime"`
	RescheduledBy *string      `json:"rescheduledBy"`
	Timestamp     Time         `json:"timestamp"`
}

// AppointmentReminder is the payload of appointment:reminder.
type AppointmentReminder struct {
	Appointment   Appointment `json:"appointment"`
	MinutesBefore int         `json:"minutesBefore"`
	Timestamp     Time        `json:"timestamp"`
}

// ScheduleUpdated is the payload of schedule:updated.
type ScheduleUpdated struct {
	ProfessionalID   string          `json:"professionalId"`
	ProfessionalName string          `json:"professionalName"`
	Schedule         json.RawMessage `json:"schedule"`
	UpdatedBy        *string         `json:"updatedBy"`
	Timestamp        Time            `json:"timestamp"`
}

// ScheduleConflict is the payload of schedule:conflict.
type ScheduleConflict struct {
	ProfessionalID string          `json:"professionalId"`
	Conflict       json.RawMessage `json:"conflict"`
	Timestamp      Time            `json:"timestamp"`
}

// CalendarRefresh is the payload of calendar:refresh. AffectedDates is never null.
type CalendarRefresh struct {
	Reason        string   `json:"reason"`
	AffectedDates []string `json:"affectedDates"`
	Timestamp     Time     `json:"timestamp"`
}

// SystemAlert is the payload of system:alert. Data always holds severity.
type SystemAlert struct {
	ID        string          `json:"id"`
	Type      string          `json:"type"` // EventSystemAlert
	Message   string          `json:"message"`
	Severity  Severity        `json:"severity"`
	Data      json.RawMessage `json:"data"`
	TenantID  string          `json:"tenantId"`
	CreatedAt Time            `json:"createdAt"`
	Priority  Priority        `json:"priority"`
}

// ConnectionSuccess is the payload of connection:success.
type ConnectionSuccess struct {
	UserID    string `json:"userId"`
	TenantID  string `json:"tenantId"`
	Role      Role   `json:"role"`
	Timestamp Time   `json:"timestamp"`
}

// UserOnline is the payload of user:online.
type UserOnline struct {
	UserID    string `json:"userId"`
	Email     string `json:"email"`
	Timestamp Time   `json:"timestamp"`
}

// UserOffline is the payload of user:offline.
type UserOffline struct {
	UserID    string `json:"userId"`
	Timestamp Time   `json:"timestamp"`
}

// UserPresence is the payload of user:presence.
type UserPresence struct {
	UserID    string `json:"userId"`
	Status    string `json:"status"`
	Timestamp Time   `json:"timestamp"`
}

// PresenceState is the payload of presence:state.
type PresenceState struct {
	Users []PresentUser `json:"users"`
}

// PresentUser is one entry of PresenceState.
type PresentUser struct {
	UserID string `json:"userId"`
	Status string `json:"status"`
	Since  Time   `json:"since"`
}

// UserViewingCalendar is the payload of user:viewing:calendar.
type UserViewingCalendar struct {
	UserID   string `json:"userId"`
	Date     string `json:"date"`
	ViewType string `json:"viewType"`
}

// Editing is the payload of appointment:editing:started and appointment:editing:stopped.
type Editing struct {
	UserID        string `json:"userId"`
	AppointmentID string `json:"appointmentId"`
}

// EditingConflict is the payload of appointment:editing:conflict. Since is when UserID began to edit.
type EditingConflict struct {
	AppointmentID string `json:"appointmentId"`
	UserID        string `json:"userId"`
	Since         Time   `json:"since"`
}

// AuthExpiring is the payload of auth:expiring.
type AuthExpiring struct {
	ExpiresAt Time `json:"expiresAt"`
}

// NotificationRead is the payload of notification:read:success and notification:deleted.
type NotificationRead struct {
	NotificationID string `json:"notificationId"`
}

// NotificationReadError is the payload of notification:read:error.
type NotificationReadError struct {
	NotificationID string `json:"notificationId"`
	Error          string `json:"error"`
}

// NotificationReadAll is the payload of notification:read:all:success.
type NotificationReadAll struct {
	Count int64 `json:"count"`
}

// NotificationReadAllError is the payload of notification:read:all:error.
type NotificationReadAllError struct {
	Error string `json:"error"`
}

// EmitResult is what an emit answers: over HTTP with success:true beside it, in Go as it is.
type EmitResult struct {
	ID            string    `json:"id"`
	Delivered     Delivered `json:"delivered"`
	Notifications []string  `json:"notifications"` // ids of the rows stored, never null
}

// Delivered counts the sockets that an emit was queued for on this node.
type Delivered struct {
	Sockets int `json:"sockets"`
}

// SocketStats is what GET /api/socket/stats answers.
type SocketStats struct {
	TotalConnections int                    `json:"totalConnections"`
	Tenants          map[string]TenantStats `json:"tenants"`
}

// TenantStats counts the sockets of a tenant and lists its users, each once, sorted.
type TenantStats struct {
	Users []string `json:"users"`
	Count int      `json:"count"`
}
