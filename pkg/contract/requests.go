package contract

import "encoding/json"

// The emit endpoints but the batch: the path of each below /api/emit/, and its kind in a batch.
const (
	KindAppointmentCreated     = "appointments/created"
	KindAppointmentUpdated     = "appointments/updated"
	KindAppointmentDeleted     = "appointments/deleted"
	KindAppointmentRescheduled = "appointments/rescheduled"
	KindAppointmentReminder    = "appointments/reminder"
	KindScheduleUpdated        = "schedule/updated"
	KindScheduleConflict       = "schedule/conflict"
	KindCalendarRefresh        = "calendar/refresh"
	KindSystemAlert            = "system/alert"
	KindNotification           = "notification"
	KindTenant                 = "tenant"
	KindUser                   = "user"
	KindRole                   = "role"
)

// Bounds of the emit endpoints, contract/http.md.
const (
	MaxBatch          = 1000 // entries of one batch
	MaxIdempotencyKey = 255  // characters of an Idempotency-Key
)

// AppointmentCreatedRequest says that an appointment was made. ActorID is the user who did it.
type AppointmentCreatedRequest struct {
	AppointmentID string `json:"appointmentId" jsonschema:"minLength=1,maxLength=200"`
	TenantID      string `json:"tenantId" jsonschema:"minLength=1,maxLength=200"`
	ActorID       string `json:"actorId,omitempty" jsonschema:"maxLength=200"`
}

// AppointmentUpdatedRequest says that an appointment was changed. A professional who is the actor is not notified.
// Changes goes out to the tenant without what is personal in it.
type AppointmentUpdatedRequest struct {
	AppointmentID string          `json:"appointmentId" jsonschema:"minLength=1,maxLength=200"`
	TenantID      string          `json:"tenantId" jsonschema:"minLength=1,maxLength=200"`
	ActorID       string          `json:"actorId,omitempty" jsonschema:"maxLength=200"`
	Changes       json.RawMessage `json:"changes,omitempty" jsonschema:"oneof_type=object;null"`
}

// AppointmentDeletedRequest says that an appointment was cancelled. Its row is gone by then, so the data comes with the
// call: id (or AppointmentID), clientName, and professionalId or userId, who is notified.
type AppointmentDeletedRequest struct {
	AppointmentID   string          `json:"appointmentId,omitempty" jsonschema:"maxLength=200"`
	TenantID        string          `json:"tenantId" jsonschema:"minLength=1,maxLength=200"`
	ActorID         string          `json:"actorId,omitempty" jsonschema:"maxLength=200"`
	AppointmentData json.RawMessage `json:"appointmentData" jsonschema:"type=object"`
}

// AppointmentRescheduledRequest says that an appointment was moved; the new times are the row's.
type AppointmentRescheduledRequest struct {
	AppointmentID string `json:"appointmentId" jsonschema:"minLength=1,maxLength=200"`
	TenantID      string `json:"tenantId" jsonschema:"minLength=1,maxLength=200"`
	ActorID       string `json:"actorId,omitempty" jsonschema:"maxLength=200"`
	OldStartTime  Time   `json:"oldStartTime"`
	OldEndTime    Time   `json:"oldEndTime"`
}

// AppointmentReminderRequest reminds of an appointment that begins in MinutesBefore minutes, 0 to 43200.
type AppointmentReminderRequest struct {
	AppointmentID string `json:"appointmentId" jsonschema:"minLength=1,maxLength=200"`
	TenantID      string `json:"tenantId" jsonschema:"minLength=1,maxLength=200"`
	MinutesBefore int    `json:"minutesBefore" jsonschema:"minimum=0,maximum=43200"`
}

// ScheduleUpdatedRequest says that a professional's working hours changed. Schedule is any JSON.
type ScheduleUpdatedRequest struct {
	ProfessionalID string          `json:"professionalId" jsonschema:"minLength=1,maxLength=200"`
	TenantID       string          `json:"tenantId" jsonschema:"minLength=1,maxLength=200"`
	ActorID        string          `json:"actorId,omitempty" jsonschema:"maxLength=200"`
	Schedule       json.RawMessage `json:"schedule,omitempty"`
}

// ScheduleConflictRequest says that a professional's hours or appointments collide. Conflict is any JSON but null.
type ScheduleConflictRequest struct {
	ProfessionalID string          `json:"professionalId" jsonschema:"minLength=1,maxLength=200"`
	TenantID       string          `json:"tenantId" jsonschema:"minLength=1,maxLength=200"`
	Conflict       json.RawMessage `json:"conflict"`
}

// CalendarRefreshRequest asks every calendar of a tenant to load anew. AffectedDates are days such as 2026-01-31, or times.
type CalendarRefreshRequest struct {
	TenantID      string   `json:"tenantId" jsonschema:"minLength=1,maxLength=200"`
	Reason        string   `json:"reason" jsonschema:"minLength=1,maxLength=500"`
	AffectedDates []string `json:"affectedDates,omitempty" jsonschema:"maxItems=366"`
}

// SystemAlertRequest alerts every active user of the tenant, or of one role of it.
type SystemAlertRequest struct {
	TenantID string          `json:"tenantId" jsonschema:"minLength=1,maxLength=200"`
	Message  string          `json:"message" jsonschema:"minLength=1,maxLength=2000"`
	Severity Severity        `json:"severity"`
	Data     json.RawMessage `json:"data,omitempty" jsonschema:"oneof_type=object;null"`
	Role     Role            `json:"role,omitempty"`
}

// NotificationRequest notifies one user, or every active user of the tenant where none is named. Priority is medium where
// none is given.
type NotificationRequest struct {
	TenantID string          `json:"tenantId" jsonschema:"minLength=1,maxLength=200"`
	UserID   string          `json:"userId,omitempty" jsonschema:"maxLength=200"`
	Type     string          `json:"type" jsonschema:"minLength=1,maxLength=128"`
	Message  string          `json:"message" jsonschema:"minLength=1,maxLength=2000"`
	Data     json.RawMessage `json:"data,omitempty" jsonschema:"oneof_type=object;null"`
	Priority Priority        `json:"priority,omitempty"`
}

// EmitToTenantRequest sends an event to every socket of a tenant. Data is any JSON.
type EmitToTenantRequest struct {
	TenantID string          `json:"tenantId" jsonschema:"minLength=1,maxLength=200"`
	Event    string          `json:"event" jsonschema:"minLength=1,maxLength=128"`
	Data     json.RawMessage `json:"data,omitempty"`
}

// EmitToUserRequest sends an event to every socket of a user, who has to be of the tenant where one is named.
type EmitToUserRequest struct {
	UserID   string          `json:"userId" jsonschema:"minLength=1,maxLength=200"`
	TenantID string          `json:"tenantId,omitempty" jsonschema:"maxLength=200"`
	Event    string          `json:"event" jsonschema:"minLength=1,maxLength=128"`
	Data     json.RawMessage `json:"data,omitempty"`
}

// EmitToRoleRequest sends an event to every socket of a role of a tenant.
type EmitToRoleRequest struct {
	Role     Role            `json:"role"`
	TenantID string          `json:"tenantId" jsonschema:"minLength=1,maxLength=200"`
	Event    string          `json:"event" jsonschema:"minLength=1,maxLength=128"`
	Data     json.RawMessage `json:"data,omitempty"`
}

// EmitRequest is the body of an emit endpoint. Kind is its path below /api/emit/.
type EmitRequest interface{ Kind() string }

// Kind is KindAppointmentCreated.
func (AppointmentCreatedRequest) Kind() string { return KindAppointmentCreated }

// Kind is KindAppointmentUpdated.
func (AppointmentUpdatedRequest) Kind() string { return KindAppointmentUpdated }

// Kind is KindAppointmentDeleted.
func (AppointmentDeletedRequest) Kind() string { return KindAppointmentDeleted }

// Kind is KindAppointmentRescheduled.
func (AppointmentRescheduledRequest) Kind() string { return KindAppointmentRescheduled }

// Kind is KindAppointmentReminder.
func (AppointmentReminderRequest) Kind() string { return KindAppointmentReminder }

// Kind is KindScheduleUpdated.
func (ScheduleUpdatedRequest) Kind() string { return KindScheduleUpdated }

// Kind is KindScheduleConflict.
func (ScheduleConflictRequest) Kind() string { return KindScheduleConflict }

// Kind is KindCalendarRefresh.
func (CalendarRefreshRequest) Kind() string { return KindCalendarRefresh }

// Kind is KindSystemAlert.
func (SystemAlertRequest) Kind() string { return KindSystemAlert }

// Kind is KindNotification.
func (NotificationRequest) Kind() string { return KindNotification }

// Kind is KindTenant.
func (EmitToTenantRequest) Kind() string { return KindTenant }

// Kind is KindUser.
func (EmitToUserRequest) Kind() string { return KindUser }

// Kind is KindRole.
func (EmitToRoleRequest) Kind() string { return KindRole }

// BatchRequest holds 1 to MaxBatch emits: each the body of an emit endpoint with its kind beside it.
type BatchRequest struct {
	Emits []json.RawMessage `json:"emits" jsonschema:"minItems=1,maxItems=1000"`
}

// BatchAnswer answers a batch: one result for each entry, in their order.
type BatchAnswer struct {
	Success bool          `json:"success"`
	Results []BatchResult `json:"results"`
}

// BatchResult is one entry's answer: an emit's, or what a problem would have said. One that fails does not keep the
// others back. Status is the HTTP status that the entry alone would have got.
type BatchResult struct {
	Success bool `json:"success"`
	*EmitResult
	Status int    `json:"status"`
	Error  string `json:"error,omitempty"`
	Code   Code   `json:"code,omitempty"`
	Field  string `json:"field,omitempty"`
}

// EmitResult is what an emit comes to, in Go.
type EmitResult struct {
	ID            string    `json:"id"`
	Delivered     Delivered `json:"delivered"`
	Notifications []string  `json:"notifications"` // ids of the rows stored, never null
}

// EmitAnswer is EmitResult as an emit endpoint answers it, with 202: what it stored is committed.
type EmitAnswer struct {
	Success bool `json:"success"`
	EmitResult
}

// Delivered counts the sockets that an emit was queued for on this node.
type Delivered struct {
	Sockets int `json:"sockets"`
}
