package models

import (
	"time"

	"gorm.io/gorm/schema"
)

// User is a row of users: somebody who works for a tenant.
type User struct {
	ID            string     `gorm:"column:id;primaryKey"`
	Email         string     `gorm:"column:email"`
	Password      *string    `gorm:"column:password"`
	FirstName     string     `gorm:"column:firstName"`
	LastName      string     `gorm:"column:lastName"`
	Phone         *string    `gorm:"column:phone"`
	Avatar        *string    `gorm:"column:avatar"`
	Role          string     `gorm:"column:role"` // a label of "UserRole"
	IsActive      bool       `gorm:"column:isActive"`
	TenantID      string     `gorm:"column:tenantId"`
	BranchID      *string    `gorm:"column:branchId"`
	EmailVerified *time.Time `gorm:"column:emailVerified"`
	CreatedAt     time.Time  `gorm:"column:createdAt"`
	UpdatedAt     time.Time  `gorm:"column:updatedAt"`
}

// TableName is the app's table.
func (User) TableName(n schema.Namer) string { return n.TableName("users") }

// ClientUser is a row of client_users: a client who may sign in to the portal. No foreign key of notifications or
// preferences reaches this table.
type ClientUser struct {
	ID            string     `gorm:"column:id;primaryKey"`
	Email         string     `gorm:"column:email"`
	Password      *string    `gorm:"column:password"`
	FirstName     string     `gorm:"column:firstName"`
	LastName      string     `gorm:"column:lastName"`
	Phone         string     `gorm:"column:phone"`
	Avatar        *string    `gorm:"column:avatar"`
	IsActive      bool       `gorm:"column:isActive"`
	TenantID      string     `gorm:"column:tenantId"`
	ClientID      *string    `gorm:"column:clientId"`
	EmailVerified *time.Time `gorm:"column:emailVerified"`
	CreatedAt     time.Time  `gorm:"column:createdAt"`
	UpdatedAt     time.Time  `gorm:"column:updatedAt"`
}

// TableName is the app's table.
func (ClientUser) TableName(n schema.Namer) string { return n.TableName("client_users") }

// Client is a row of clients: somebody who is served.
type Client struct {
	ID        string     `gorm:"column:id;primaryKey"`
	FirstName string     `gorm:"column:firstName"`
	LastName  string     `gorm:"column:lastName"`
	Email     *string    `gorm:"column:email"`
	Phone     string     `gorm:"column:phone"`
	Address   *string    `gorm:"column:address"`
	Birthday  *time.Time `gorm:"column:birthday"`
	Notes     *string    `gorm:"column:notes"`
	IsActive  bool       `gorm:"column:isActive"`
	TenantID  string     `gorm:"column:tenantId"`
	CreatedAt time.Time  `gorm:"column:createdAt"`
	UpdatedAt time.Time  `gorm:"column:updatedAt"`
}

// TableName is the app's table.
func (Client) TableName(n schema.Namer) string { return n.TableName("clients") }
