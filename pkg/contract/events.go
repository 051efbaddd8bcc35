package contract

// Events a client sends.
const (
	EventNotificationRead       = "notification:read"
	EventNotificationReadAll    = "notification:read:all"
	EventCalendarViewing        = "calendar:viewing"
	EventAppointmentEditing     = "appointment:editing"
	EventAppointmentEditingStop = "appointment:editing:stop"
	EventPresenceUpdate         = "presence:update"
)

// Events the server sends.
const (
	EventConnectionSuccess          = "connection:success"
	EventNotificationNew            = "notification:new"
	EventNotificationReadSuccess    = "notification:read:success"
	EventNotificationReadError      = "notification:read:error"
	EventNotificationReadAllSuccess = "notification:read:all:success"
	EventNotificationReadAllError   = "notification:read:all:error"
	EventNotificationDeleted        = "notification:deleted"
	EventAppointmentCreated         = "appointment:created"
	EventAppointmentUpdated         = "appointment:updated"
	EventAppointmentDeleted         = "appointment:deleted"
	EventAppointmentRescheduled     = "appointment:rescheduled"
	EventAppointmentReminder        = "appointment:reminder"
	EventScheduleUpdated            = "schedule:updated"
	EventScheduleConflict           = "schedule:conflict"
	EventCalendarRefresh            = "calendar:refresh"
	EventSystemAlert                = "system:alert"
	EventUserOnline                 = "user:online"
	EventUserOffline                = "user:offline"
	EventUserPresence               = "user:presence"
	EventUserViewingCalendar        = "user:viewing:calendar"
	EventEditingStarted             = "appointment:editing:started"
	EventEditingStopped             = "appointment:editing:stopped"
	EventEditingConflict            = "appointment:editing:conflict"
	EventPresenceState              = "presence:state"
	EventAuthExpiring               = "auth:expiring"
)

// Priority of a notification.
type Priority string

// The priorities that the front end knows.
const (
	PriorityLow    Priority = "low"
	PriorityMedium Priority = "medium"
	PriorityHigh   Priority = "high"
	PriorityUrgent Priority = "urgent"
)

// Valid reports whether p is one of the four known priorities.
func (p Priority) Valid() bool {
	return p == PriorityLow || p == PriorityMedium || p == PriorityHigh || p == PriorityUrgent
}

// Severity of a system alert.
type Severity string

// The severities that the front end knows.
const (
	SeverityInfo    Severity = "info"
	SeverityWarning Severity = "warning"
	SeverityError   Severity = "error"
)

// Valid reports whether s is one of the three known severities.
func (s Severity) Valid() bool {
	return s == SeverityInfo || s == SeverityWarning || s == SeverityError
}

// Priority is the notification priority that an alert of this severity has.
func (s Severity) Priority() Priority {
	if s == SeverityError {
		return PriorityUrgent
	}
	return PriorityMedium
}

// PresenceStatus is what a user says of himself or herself.
type PresenceStatus string

// The statuses that presence:update takes.
const (
	StatusOnline PresenceStatus = "online"
	StatusAway   PresenceStatus = "away"
)

// Valid reports whether s is one of the two known statuses.
func (s PresenceStatus) Valid() bool { return s == StatusOnline || s == StatusAway }

// Role is a label of the app's "UserRole" type.
type Role string

// The roles of the app. Portal users (client_users) have RoleClient.
const (
	RoleSuperadmin   Role = "SUPERADMIN"
	RoleAdmin        Role = "ADMIN"
	RoleManager      Role = "MANAGER"
	RoleProfessional Role = "PROFESSIONAL"
	RoleReceptionist Role = "RECEPTIONIST"
	RoleClient       Role = "CLIENT"
)

// Valid reports whether r is a role of the app.
func (r Role) Valid() bool {
	switch r {
	case RoleSuperadmin, RoleAdmin, RoleManager, RoleProfessional, RoleReceptionist, RoleClient:
		return true
	}
	return false
}

// TenantRoom is the room that every socket of a tenant is in.
func TenantRoom(tenantID string) string { return "tenant:" + tenantID }

// UserRoom is the room that every socket of a user is in.
func UserRoom(userID string) string { return "user:" + userID }

// RoleRoom is the room that every socket of a role of a tenant is in.
func RoleRoom(role Role, tenantID string) string { return "role:" + string(role) + ":" + tenantID }
