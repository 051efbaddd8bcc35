package models

import (
	"time"

	"gorm.io/gorm/schema"
)

// Delivery is a row of realtime.deliveries: an emit that is committed and has still to be made.
type Delivery struct {
	ID        string    `gorm:"column:id;primaryKey"`
	TenantID  string    `gorm:"column:tenant_id"`
	Body      string    `gorm:"column:body"` // JSON
	DueAt     time.Time `gorm:"column:due_at"`
	Attempts  int       `gorm:"column:attempts"` // how often it was taken
	CreatedAt time.Time `gorm:"column:created_at"`
}

// TableName is realtime.deliveries, or realtime_deliveries on SQLite.
func (Delivery) TableName(n schema.Namer) string { return n.TableName("realtime.deliveries") }

// Recent is a row of realtime.recent: what was claimed last under a key, against double clicks and retries.
type Recent struct {
	Key       string    `gorm:"column:key;primaryKey"`
	Hash      string    `gorm:"column:hash"`
	ClaimedAt time.Time `gorm:"column:claimed_at"`
}

// TableName is realtime.recent, or realtime_recent on SQLite.
func (Recent) TableName(n schema.Namer) string { return n.TableName("realtime.recent") }

// IdempotencyKey is a row of realtime.idempotency_keys. Response is nil while the first request is under way.
type IdempotencyKey struct {
	Key         string     `gorm:"column:key;primaryKey"`
	Fingerprint string     `gorm:"column:fingerprint"`
	Response    *string    `gorm:"column:response"`
	LeasedUntil time.Time  `gorm:"column:leased_until"`
	CreatedAt   time.Time  `gorm:"column:created_at"`
	CompletedAt *time.Time `gorm:"column:completed_at"`
}

// TableName is realtime.idempotency_keys, or realtime_idempotency_keys on SQLite.
func (IdempotencyKey) TableName(n schema.Namer) string {
	return n.TableName("realtime.idempotency_keys")
}

// Occurrence is a row of realtime.occurrences: what happened and has still to be told. DueAt nil is at once.
type Occurrence struct {
	ID        int64      `gorm:"column:id;primaryKey"`
	Seq       *int64     `gorm:"column:seq"` // set at the commit
	Kind      string     `gorm:"column:kind"`
	Payload   string     `gorm:"column:payload"` // JSON
	TenantID  string     `gorm:"column:tenant_id"`
	Subject   string     `gorm:"column:subject"`
	Source    string     `gorm:"column:source"`
	Xact      *int64     `gorm:"column:xact"`
	State     string     `gorm:"column:state"`
	Attempts  int        `gorm:"column:attempts"`
	DueAt     *time.Time `gorm:"column:due_at"`
	Error     *string    `gorm:"column:error"`
	CreatedAt time.Time  `gorm:"column:created_at"`
}

// TableName is realtime.occurrences, or realtime_occurrences on SQLite.
func (Occurrence) TableName(n schema.Namer) string { return n.TableName("realtime.occurrences") }

// App is one value of every model of the app's tables, for checks that compare them with a database.
func App() []any {
	return []any{
		&Tenant{}, &Branch{}, &User{}, &ClientUser{}, &Client{}, &Service{}, &Appointment{}, &WorkingHours{},
		&NotificationLog{}, &UserNotificationPreferences{}, &PushSubscription{}, &NotificationSettings{},
		&NotificationTemplate{},
	}
}

// Own is one value of every model of the server's own tables.
func Own() []any {
	return []any{&Delivery{}, &Recent{}, &IdempotencyKey{}, &Reminder{}, &Occurrence{}, &LastSeen{}}
}
