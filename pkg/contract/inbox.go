package contract

import "encoding/json"

// InboxItem is a notification as the list shows it. Type is the event's name where Metadata has one, else the label of
// the app's "NotificationType". Metadata is NotificationMetadata for what this server stored; rows of other parts of the
// app hold other members, or none.
type InboxItem struct {
	ID            string          `json:"id"`
	Type          string          `json:"type"`
	Channel       string          `json:"channel"`
	Message       string          `json:"message"`
	Metadata      json.RawMessage `json:"metadata" jsonschema:"oneof_type=object;null"` // never a string (contract/frontend.md)
	Status        string          `json:"status"`
	ReadAt        *Time           `json:"readAt" jsonschema:"nullable"`
	CreatedAt     Time            `json:"createdAt"`
	AppointmentID *string         `json:"appointmentId" jsonschema:"nullable"`
}

// NotificationMetadata is what notification_logs.metadata holds in rows that this server stored.
type NotificationMetadata struct {
	IsRealtime bool            `json:"isRealtime"`
	EventType  string          `json:"eventType"`
	EventData  json.RawMessage `json:"eventData" jsonschema:"oneof_type=object;null"`
	Priority   Priority        `json:"priority"`
}

// Pagination tells where a list stands.
type Pagination struct {
	Total      int64   `json:"total"` // of all pages
	Page       int     `json:"page"`
	Pages      int64   `json:"pages"`
	Limit      int     `json:"limit"`
	NextCursor *string `json:"nextCursor" jsonschema:"nullable"` // null on the last page
}

// InboxList is a page of a user's notifications, newest first.
type InboxList struct {
	Notifications []InboxItem `json:"notifications"`
	Pagination    Pagination  `json:"pagination"`
}

// InboxStats are the figures of a user's inbox.
type InboxStats struct {
	UnreadCount int64            `json:"unreadCount"`
	TotalCount  int64            `json:"totalCount"`
	RecentCount int64            `json:"recentCount"` // of the last 24 hours
	ByType      map[string]int64 `json:"byType"`
}

// InboxAction is the body of POST /api/notifications. Action is read-all.
type InboxAction struct {
	Action string `json:"action" jsonschema:"enum=read-all"`
}

// InboxReadAllAnswer says how many notifications were unread.
type InboxReadAllAnswer struct {
	Count   int64 `json:"count"`
	Success bool  `json:"success"`
}

// InboxReadAnswer holds the notification that is read now.
type InboxReadAnswer struct {
	Notification InboxItem `json:"notification"`
	Success      bool      `json:"success"`
}

// InboxDeleteAnswer says that a notification is deleted.
type InboxDeleteAnswer struct {
	Success bool `json:"success"`
}

// Preferences is a row of user_notification_preferences as Prisma shows it. A portal user, who can have none, gets the
// defaults with id and times null.
type Preferences struct {
	ID     *string `json:"id" jsonschema:"nullable"`
	UserID string  `json:"userId"`

	EnablePushNotifications     bool `json:"enablePushNotifications"`
	EnableEmailNotifications    bool `json:"enableEmailNotifications"`
	EnableSMSNotifications      bool `json:"enableSMSNotifications"`
	EnableWhatsAppNotifications bool `json:"enableWhatsAppNotifications"`
	NotifyAppointmentCreated    bool `json:"notifyAppointmentCreated"`
	NotifyAppointmentUpdated    bool `json:"notifyAppointmentUpdated"`
	NotifyAppointmentCancelled  bool `json:"notifyAppointmentCancelled"`
	NotifyAppointmentReminder   bool `json:"notifyAppointmentReminder"`
	NotifyScheduleChanges       bool `json:"notifyScheduleChanges"`
	NotifySystemAlerts          bool `json:"notifySystemAlerts"`
	EnableSounds                bool `json:"enableSounds"`
	EnableDesktopNotifications  bool `json:"enableDesktopNotifications"`
	EnableToastNotifications    bool `json:"enableToastNotifications"`

	ReminderMinutesBefore []int  `json:"reminderMinutesBefore" jsonschema:"maxItems=10"` // whole numbers from 1 to 43200
	TenantID              string `json:"tenantId"`
	CreatedAt             *Time  `json:"createdAt" jsonschema:"nullable"`
	UpdatedAt             *Time  `json:"updatedAt" jsonschema:"nullable"`
}

// PreferencesAnswer is what GET /api/notifications/preferences answers.
type PreferencesAnswer struct {
	Preferences Preferences `json:"preferences"`
}

// PreferencesSavedAnswer is what PUT and PATCH /api/notifications/preferences answer: the whole row as it is now.
type PreferencesSavedAnswer struct {
	Preferences Preferences `json:"preferences"`
	Success     bool        `json:"success"`
}
