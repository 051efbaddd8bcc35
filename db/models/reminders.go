package models

import (
	"time"

	"gorm.io/gorm/schema"
)

// Reminder is a row of realtime.reminders: a reminder that was seen ahead of time, sent or given up.
type Reminder struct {
	AppointmentID string     `gorm:"column:appointment_id;primaryKey"`
	RecipientID   string     `gorm:"column:recipient_id;primaryKey"`
	Minutes       int        `gorm:"column:minutes;primaryKey;autoIncrement:false"` // before the start
	StartAt       time.Time  `gorm:"column:start_at;primaryKey"`                    // of the appointment when it was seen
	Outcome       string     `gorm:"column:outcome"`                                // a store.ReminderOutcome
	ArmedAt       time.Time  `gorm:"column:armed_at"`                               // when it was seen first
	SettledAt     *time.Time `gorm:"column:settled_at"`                             // when it was sent or given up
}

// TableName is realtime.reminders, or realtime_reminders on SQLite.
func (Reminder) TableName(n schema.Namer) string { return n.TableName("realtime.reminders") }
