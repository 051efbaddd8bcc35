package models

import (
	"time"

	"gorm.io/gorm/schema"
)

// LastSeen is a row of realtime.last_seen: when a user was connected last under a tenant.
type LastSeen struct {
	UserID   string    `gorm:"column:user_id;primaryKey"`
	TenantID string    `gorm:"column:tenant_id;primaryKey"`
	SeenAt   time.Time `gorm:"column:seen_at"`
	State    string    `gorm:"column:state"` // a store.SeenState
	Node     string    `gorm:"column:node"`  // who wrote the row
}

// TableName is realtime.last_seen, or realtime_last_seen on SQLite.
func (LastSeen) TableName(n schema.Namer) string { return n.TableName("realtime.last_seen") }
