package models

import (
	"time"

	"gorm.io/gorm/schema"
)

// Tenant is a row of tenants: one business. An inactive one shuts out all its users.
type Tenant struct {
	ID                 string    `gorm:"column:id;primaryKey"`
	Name               string    `gorm:"column:name"`
	Email              *string   `gorm:"column:email"`
	Phone              *string   `gorm:"column:phone"`
	Address            *string   `gorm:"column:address"`
	City               *string   `gorm:"column:city"`
	Country            string    `gorm:"column:country"`
	Timezone           string    `gorm:"column:timezone"` // an IANA name
	Currency           string    `gorm:"column:currency"`
	Logo               *string   `gorm:"column:logo"`
	Subdomain          *string   `gorm:"column:subdomain"`
	PrimaryColor       string    `gorm:"column:primaryColor"`
	SecondaryColor     string    `gorm:"column:secondaryColor"`
	IsActive           bool      `gorm:"column:isActive"`
	AllowOnlineBooking bool      `gorm:"column:allowOnlineBooking"`
	RequireClientPhone bool      `gorm:"column:requireClientPhone"`
	RequireClientEmail bool      `gorm:"column:requireClientEmail"`
	BookingAdvanceDays int       `gorm:"column:bookingAdvanceDays"`
	CreatedAt          time.Time `gorm:"column:createdAt"`
	UpdatedAt          time.Time `gorm:"column:updatedAt"`
}

// TableName is the app's table.
func (Tenant) TableName(n schema.Namer) string { return n.TableName("tenants") }

// Branch is a row of branches: a place of a tenant.
type Branch struct {
	ID        string    `gorm:"column:id;primaryKey"`
	Name      string    `gorm:"column:name"`
	Address   *string   `gorm:"column:address"`
	Phone     *string   `gorm:"column:phone"`
	Email     *string   `gorm:"column:email"`
	IsActive  bool      `gorm:"column:isActive"`
	TenantID  string    `gorm:"column:tenantId"`
	CreatedAt time.Time `gorm:"column:createdAt"`
	UpdatedAt time.Time `gorm:"column:updatedAt"`
}

// TableName is the app's table.
func (Branch) TableName(n schema.Namer) string { return n.TableName("branches") }

// WorkingHours is a row of working_hours. StartTime and EndTime are wall-clock texts such as "09:00" in the tenant's
// time zone; DayOfWeek is 0 (Sunday) to 6.
type WorkingHours struct {
	ID        string    `gorm:"column:id;primaryKey"`
	DayOfWeek int       `gorm:"column:dayOfWeek"`
	StartTime string    `gorm:"column:startTime"`
	EndTime   string    `gorm:"column:endTime"`
	IsActive  bool      `gorm:"column:isActive"`
	BranchID  string    `gorm:"column:branchId"`
	UserID    *string   `gorm:"column:userId"`
	CreatedAt time.Time `gorm:"column:createdAt"`
	UpdatedAt time.Time `gorm:"column:updatedAt"`
}

// TableName is the app's table.
func (WorkingHours) TableName(n schema.Namer) string { return n.TableName("working_hours") }
