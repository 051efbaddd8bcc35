package models

import (
	"time"

	"gorm.io/gorm/schema"
)

// NotificationLog is a row of notification_logs. For a recipient who is not in users, UserID is nil and RecipientID
// alone says who. Metadata is text that holds JSON in our rows and may hold anything, or nothing, in others'.
type NotificationLog struct {
	ID               string     `gorm:"column:id;primaryKey"`
	Type             string     `gorm:"column:type"`    // a label of "NotificationType"; see store.Notifications.Label
	Channel          string     `gorm:"column:channel"` // a label of "NotificationChannel"
	RecipientID      string     `gorm:"column:recipientId"`
	RecipientName    string     `gorm:"column:recipientName"`
	RecipientContact string     `gorm:"column:recipientContact"`
	Subject          *string    `gorm:"column:subject"`
	Message          string     `gorm:"column:message"`
	Status           string     `gorm:"column:status"` // a label of "NotificationStatus"
	SentAt           *time.Time `gorm:"column:sentAt"`
	DeliveredAt      *time.Time `gorm:"column:deliveredAt"`
	ReadAt           *time.Time `gorm:"column:readAt"`
	ErrorMessage     *string    `gorm:"column:errorMessage"`
	Metadata         *string    `gorm:"column:metadata"`
	TenantID         string     `gorm:"column:tenantId"`
	AppointmentID    *string    `gorm:"column:appointmentId"`
	UserID           *string    `gorm:"column:userId"`
	CreatedAt        time.Time  `gorm:"column:createdAt"`
	UpdatedAt        time.Time  `gorm:"column:updatedAt"`
}

// TableName is the app's table.
func (NotificationLog) TableName(n schema.Namer) string { return n.TableName("notification_logs") }

// UserNotificationPreferences is a row of user_notification_preferences. Who has no row has the columns' defaults.
type UserNotificationPreferences struct {
	ID                          string    `gorm:"column:id;primaryKey"`
	UserID                      string    `gorm:"column:userId"`
	EnablePushNotifications     bool      `gorm:"column:enablePushNotifications"`
	EnableEmailNotifications    bool      `gorm:"column:enableEmailNotifications"`
	EnableSMSNotifications      bool      `gorm:"column:enableSMSNotifications"`
	EnableWhatsAppNotifications bool      `gorm:"column:enableWhatsAppNotifications"`
	NotifyAppointmentCreated    bool      `gorm:"column:notifyAppointmentCreated"`
	NotifyAppointmentUpdated    bool      `gorm:"column:notifyAppointmentUpdated"`
	NotifyAppointmentCancelled  bool      `gorm:"column:notifyAppointmentCancelled"`
	NotifyAppointmentReminder   bool      `gorm:"column:notifyAppointmentReminder"`
	NotifyScheduleChanges       bool      `gorm:"column:notifyScheduleChanges"`
	NotifySystemAlerts          bool      `gorm:"column:notifySystemAlerts"`
	EnableSounds                bool      `gorm:"column:enableSounds"`
	EnableDesktopNotifications  bool      `gorm:"column:enableDesktopNotifications"`
	EnableToastNotifications    bool      `gorm:"column:enableToastNotifications"`
	ReminderMinutesBefore       IntList   `gorm:"column:reminderMinutesBefore"`
	TenantID                    string    `gorm:"column:tenantId"`
	CreatedAt                   time.Time `gorm:"column:createdAt"`
	UpdatedAt                   time.Time `gorm:"column:updatedAt"`
}

// TableName is the app's table.
func (UserNotificationPreferences) TableName(n schema.Namer) string {
	return n.TableName("user_notification_preferences")
}

// PushSubscription is a row of push_subscriptions.
type PushSubscription struct {
	ID         string    `gorm:"column:id;primaryKey"`
	Endpoint   string    `gorm:"column:endpoint"`
	P256dh     string    `gorm:"column:p256dh"`
	Auth       string    `gorm:"column:auth"`
	UserAgent  *string   `gorm:"column:userAgent"`
	IsActive   bool      `gorm:"column:isActive"`
	LastUsedAt time.Time `gorm:"column:lastUsedAt"`
	TenantID   string    `gorm:"column:tenantId"`
	UserID     *string   `gorm:"column:userId"`
	CreatedAt  time.Time `gorm:"column:createdAt"`
	UpdatedAt  time.Time `gorm:"column:updatedAt"`
}

// TableName is the app's table.
func (PushSubscription) TableName(n schema.Namer) string { return n.TableName("push_subscriptions") }

// NotificationSettings is a row of notification_settings: one a tenant.
type NotificationSettings struct {
	ID                         string    `gorm:"column:id;primaryKey"`
	WhatsappEnabled            bool      `gorm:"column:whatsappEnabled"`
	PushEnabled                bool      `gorm:"column:pushEnabled"`
	EmailEnabled               bool      `gorm:"column:emailEnabled"`
	SMSEnabled                 bool      `gorm:"column:smsEnabled"`
	EvolutionAPIURL            *string   `gorm:"column:evolutionApiUrl"`
	EvolutionAPIKey            *string   `gorm:"column:evolutionApiKey"`
	WhatsappInstanceName       *string   `gorm:"column:whatsappInstanceName"`
	AppointmentReminderEnabled bool      `gorm:"column:appointmentReminderEnabled"`
	AppointmentReminderTimes   *string   `gorm:"column:appointmentReminderTimes"`
	AutoConfirmEnabled         bool      `gorm:"column:autoConfirmEnabled"`
	TenantID                   string    `gorm:"column:tenantId"`
	CreatedAt                  time.Time `gorm:"column:createdAt"`
	UpdatedAt                  time.Time `gorm:"column:updatedAt"`
}

// TableName is the app's table.
func (NotificationSettings) TableName(n schema.Namer) string {
	return n.TableName("notification_settings")
}

// NotificationTemplate is a row of notification_templates.
type NotificationTemplate struct {
	ID        string    `gorm:"column:id;primaryKey"`
	Name      string    `gorm:"column:name"`
	Type      string    `gorm:"column:type"`    // a label of "NotificationType"
	Channel   string    `gorm:"column:channel"` // a label of "NotificationChannel"
	Subject   *string   `gorm:"column:subject"`
	Message   string    `gorm:"column:message"`
	IsActive  bool      `gorm:"column:isActive"`
	IsDefault bool      `gorm:"column:isDefault"`
	TenantID  string    `gorm:"column:tenantId"`
	CreatedAt time.Time `gorm:"column:createdAt"`
	UpdatedAt time.Time `gorm:"column:updatedAt"`
}

// TableName is the app's table.
func (NotificationTemplate) TableName(n schema.Namer) string {
	return n.TableName("notification_templates")
}
