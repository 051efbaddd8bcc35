package contract

import "encoding/json"

// Notification is the payload of notification:new. Type is the name of the event that it is about, or the caller's own;
// Data is what belongs to it: of an appointment's event, the members of Appointment. Replayed is there, and true, where the
// user was away when it was stored.
type Notification struct {
	ID        string          `json:"id"`
	Type      string          `json:"type"`
	Message   string          `json:"message"`
	Data      json.RawMessage `json:"data" jsonschema:"oneof_type=object;null"`
	UserID    string          `json:"userId"`
	TenantID  string          `json:"tenantId"`
	CreatedAt Time            `json:"createdAt"`
	Priority  Priority        `json:"priority"`
	Replayed  bool            `json:"replayed,omitempty"`
}

// Appointment is the appointment member of the appointment:* events. It holds both shapes that components read, and no
// personal data of the client beyond the name.
type Appointment struct {
	ID               string  `json:"id"`
	AppointmentID    string  `json:"appointmentId"` // the same as id
	ClientName       string  `json:"clientName"`
	ServiceName      string  `json:"serviceName"`
	ProfessionalName string  `json:"professionalName"`
	BranchName       string  `json:"branchName"`
	StartTime        Time    `json:"startTime"`
	EndTime          Time    `json:"endTime"`
	Status           string  `json:"status"`
	Notes            *string `json:"notes" jsonschema:"nullable"` // the appointment's own notes, never the client's
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
	CreatedBy    *string      `json:"createdBy" jsonschema:"nullable"`
	Timestamp    Time         `json:"timestamp"`
}

// AppointmentUpdated is the payload of appointment:updated. Changes is what the caller sent, {} where nothing.
type AppointmentUpdated struct {
	Appointment  Appointment     `json:"appointment"`
	Professional Professional    `json:"professional"`
	Service      Service         `json:"service"`
	UpdatedBy    *string         `json:"updatedBy" jsonschema:"nullable"`
	Changes      json.RawMessage `json:"changes" jsonschema:"type=object"`
	Timestamp    Time            `json:"timestamp"`
}

// AppointmentDeleted is the payload of appointment:deleted. AppointmentData is never null: a component throws on it.
type AppointmentDeleted struct {
	AppointmentID   string          `json:"appointmentId"`
	AppointmentData json.RawMessage `json:"appointmentData" jsonschema:"type=object"`
	DeletedBy       *string         `json:"deletedBy" jsonschema:"nullable"`
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
	RescheduledBy *string      `json:"rescheduledBy" jsonschema:"nullable"`
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
	UpdatedBy        *string         `json:"updatedBy" jsonschema:"nullable"`
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
	Type      string          `json:"type"` // system:alert
	Message   string          `json:"message"`
	Severity  Severity        `json:"severity"`
	Data      json.RawMessage `json:"data" jsonschema:"type=object"`
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
	UserID    string         `json:"userId"`
	Status    PresenceStatus `json:"status"`
	Timestamp Time           `json:"timestamp"`
}

// PresenceState is the payload of presence:state.
type PresenceState struct {
	Users []PresentUser `json:"users"`
}

// PresentUser is one entry of PresenceState. Since is when the user came, or took this status.
type PresentUser struct {
	UserID string         `json:"userId"`
	Status PresenceStatus `json:"status"`
	Since  Time           `json:"since"`
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

// NotificationRead is the payload of notification:read:success and notification:deleted, and what a client may send with
// notification:read in place of the bare id.
type NotificationRead struct {
	NotificationID string `json:"notificationId"`
}

// NotificationReadError is the payload of notification:read:error. Code and RetryAfter, in milliseconds, are there where
// the sender came too often.
type NotificationReadError struct {
	NotificationID string `json:"notificationId"`
	Error          string `json:"error"`
	Code           Code   `json:"code,omitempty"`
	RetryAfter     int64  `json:"retryAfter,omitempty"`
}

// NotificationReadAll is the payload of notification:read:all:success.
type NotificationReadAll struct {
	Count int64 `json:"count"`
}

// NotificationReadAllError is the payload of notification:read:all:error. Code and RetryAfter are those of
// NotificationReadError.
type NotificationReadAllError struct {
	Error      string `json:"error"`
	Code       Code   `json:"code,omitempty"`
	RetryAfter int64  `json:"retryAfter,omitempty"`
}

// CalendarViewing is what a client sends with calendar:viewing: the day shown (yyyy-MM-dd) and how, such as week.
type CalendarViewing struct {
	Date     string `json:"date" jsonschema:"maxLength=64"`
	ViewType string `json:"viewType" jsonschema:"maxLength=64"`
}

// AppointmentEditing is what a client may send with appointment:editing and appointment:editing:stop in place of the bare id.
type AppointmentEditing struct {
	AppointmentID string `json:"appointmentId"`
}

// PresenceUpdate is what a client may send with presence:update in place of the bare status.
type PresenceUpdate struct {
	Status PresenceStatus `json:"status"`
}

// Ack is what the acknowledgement callback of a client's event gets. Where Success is false, Error says why, in Spanish;
// Code and RetryAfter, in milliseconds, are there where the sender came too often.
type Ack struct {
	Success    bool   `json:"success"`
	Error      string `json:"error,omitempty"`
	Code       Code   `json:"code,omitempty"`
	RetryAfter int64  `json:"retryAfter,omitempty"`
}

// NotificationReadAck is the acknowledgement of notification:read.
type NotificationReadAck struct {
	Ack

	NotificationID string `json:"notificationId,omitempty"`
}

// NotificationReadAllAck is the acknowledgement of notification:read:all. Count is there where it succeeded.
type NotificationReadAllAck struct {
	Ack

	Count *int64 `json:"count,omitempty"`
}

// ConnectErrorData is connect_error.data of a socket that was refused: why, for programs, and, where trying again later
// helps and the time is known, when, in milliseconds.
type ConnectErrorData struct {
	Code       Code  `json:"code"`
	RetryAfter int64 `json:"retryAfter,omitempty"`
}
