package models

import (
	"time"

	"gorm.io/gorm/schema"
)

// Service is a row of services. Duration is in minutes.
type Service struct {
	ID          string    `gorm:"column:id;primaryKey"`
	Name        string    `gorm:"column:name"`
	Description *string   `gorm:"column:description"`
	Duration    int       `gorm:"column:duration"`
	Price       float64   `gorm:"column:price"`
	IsActive    bool      `gorm:"column:isActive"`
	Color       string    `gorm:"column:color"`
	TenantID    string    `gorm:"column:tenantId"`
	CategoryID  *string   `gorm:"column:categoryId"`
	CreatedAt   time.Time `gorm:"column:createdAt"`
	UpdatedAt   time.Time `gorm:"column:updatedAt"`
}

// TableName is the app's table.
func (Service) TableName(n schema.Namer) string { return n.TableName("services") }

// Appointment is a row of appointments. UserID is the professional.
type Appointment struct {
	ID                   string    `gorm:"column:id;primaryKey"`
	StartTime            time.Time `gorm:"column:startTime"`
	EndTime              time.Time `gorm:"column:endTime"`
	Status               string    `gorm:"column:status"` // a label of "AppointmentStatus"
	Notes                *string   `gorm:"column:notes"`
	IsOnline             bool      `gorm:"column:isOnline"`
	NotificationsSent    bool      `gorm:"column:notificationsSent"`
	TenantID             string    `gorm:"column:tenantId"`
	BranchID             string    `gorm:"column:branchId"`
	ClientID             string    `gorm:"column:clientId"`
	ServiceID            string    `gorm:"column:serviceId"`
	UserID               string    `gorm:"column:userId"`
	CreatedAt            time.Time `gorm:"column:createdAt"`
	UpdatedAt            time.Time `gorm:"column:updatedAt"`
	ExternalConnectionID *string   `gorm:"column:externalConnectionId"`
	ExternalEventURL     *string   `gorm:"column:externalEventUrl"`
	ExternalEventUID     *string   `gorm:"column:externalEventUid"`
	ExternalEtag         *string   `gorm:"column:externalEtag"`
	LastModifiedSource   *string   `gorm:"column:lastModifiedSource"`
	ICloudSyncEnabled    bool      `gorm:"column:icloudSyncEnabled"`
}

// TableName is the app's table.
func (Appointment) TableName(n schema.Namer) string { return n.TableName("appointments") }
