package demo

import (
	"context"
	"errors"
	"fmt"
	"time"
	_ "time/tzdata" // the tenants' zones, also where the system has none

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
)

// ErrNotDemo is when the database is not for the demo world: it holds tenants of others.
var ErrNotDemo = errors.New("the database is not a demo database")

// Seed makes the demo world in an empty, migrated database. Where it is already there, rows that are missing are
// made again and the appointments move to today and tomorrow, each tenant's own; everything else stays as it is.
func Seed(ctx context.Context, st *store.Store, now time.Time) error {
	err := st.InTx(ctx, func(tx *store.Store) error {
		var all, ours int64
		if err := tx.DB(ctx).Model(&models.Tenant{}).Count(&all).Error; err != nil {
			return err
		}
		err := tx.DB(ctx).Model(&models.Tenant{}).Where("id IN ?", []string{TenantID, OtherTenantID}).Count(&ours).Error
		if err != nil {
			return err
		}
		if all > 0 && ours == 0 {
			return ErrNotDemo
		}
		for _, t := range tenants {
			if err := t.write(tx.DB(ctx), now); err != nil {
				return fmt.Errorf("tenant %s: %w", t.id, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("make the demo world: %w", err)
	}
	return nil
}

// write makes the tenant's rows that are not there, and sets the times of its appointments.
func (t tenant) write(db *gorm.DB, now time.Time) error {
	now = store.UTC(now)
	zone, err := time.LoadLocation(t.zone)
	if err != nil {
		return err
	}
	for _, row := range t.rows(now) {
		// A fresh session: a chain keeps the conditions of the statement before.
		err := db.Session(&gorm.Session{NewDB: true}).Clauses(clause.OnConflict{DoNothing: true}).Create(row).Error
		if err != nil {
			return err
		}
	}
	for _, v := range t.visits {
		if err := t.writeVisit(db.Session(&gorm.Session{NewDB: true}), v, now, zone); err != nil {
			return err
		}
	}
	return nil
}

// rows are all rows of the tenant but appointments, each after those it refers to.
func (t tenant) rows(now time.Time) []any {
	password := passwordHash
	rows := []any{&models.Tenant{
		ID: t.id, Name: t.name, Phone: &t.phone, City: &t.city, Country: t.country, Timezone: t.zone,
		Currency: t.currency, PrimaryColor: "#3B82F6", SecondaryColor: "#EF4444", IsActive: true,
		AllowOnlineBooking: true, RequireClientPhone: true, BookingAdvanceDays: 30, CreatedAt: now, UpdatedAt: now,
	}}
	for _, b := range t.branches {
		rows = append(rows, &models.Branch{
			ID: b.id, Name: b.name, Address: &b.address, IsActive: true, TenantID: t.id, CreatedAt: now, UpdatedAt: now,
		})
		for day := 1; day <= 6; day++ { // Monday to Saturday
			rows = append(rows, &models.WorkingHours{
				ID: fmt.Sprintf("%s-horario-%d", b.id, day), DayOfWeek: day, StartTime: "09:00", EndTime: "20:00",
				IsActive: true, BranchID: b.id, CreatedAt: now, UpdatedAt: now,
			})
		}
	}
	for _, p := range t.users {
		rows = append(rows, &models.User{
			ID: p.id, Email: Email(p.id), Password: &password, FirstName: p.first, LastName: p.last,
			Role: string(p.role), IsActive: !p.inactive, TenantID: t.id, BranchID: &t.branches[0].id, CreatedAt: now,
			UpdatedAt: now,
		})
	}
	for _, s := range t.services {
		rows = append(rows, &models.Service{
			ID: s.id, Name: s.name, Duration: s.minutes, Price: s.price, IsActive: true, Color: s.color, TenantID: t.id,
			CreatedAt: now, UpdatedAt: now,
		})
	}
	for _, c := range t.clients {
		email := Email(c.id)
		rows = append(rows, &models.Client{
			ID: c.id, FirstName: c.first, LastName: c.last, Email: &email, Phone: c.phone, IsActive: true,
			TenantID: t.id, CreatedAt: now, UpdatedAt: now,
		})
		if c.portal != "" {
			rows = append(rows, &models.ClientUser{
				ID: c.portal, Email: email, Password: &password, FirstName: c.first, LastName: c.last, Phone: c.phone, IsActive: true,
				TenantID: t.id, ClientID: &c.id, CreatedAt: now, UpdatedAt: now,
			})
		}
	}
	return rows
}

// writeVisit makes the appointment, or moves it when its day has passed. One that was moved within its day stays.
func (t tenant) writeVisit(db *gorm.DB, v visit, now time.Time, zone *time.Location) error {
	local := now.In(zone)
	start := time.Date(local.Year(), local.Month(), local.Day()+v.day, v.hour, v.minute, 0, 0, zone)
	var minutes int
	for _, s := range t.services {
		if s.id == v.service {
			minutes = s.minutes
		}
	}
	row := models.Appointment{
		ID: v.id, StartTime: start.UTC(), EndTime: start.Add(time.Duration(minutes) * time.Minute).UTC(),
		Status: v.status, TenantID: t.id, BranchID: v.branch, ClientID: v.client, ServiceID: v.service, UserID: v.user,
		CreatedAt: now, UpdatedAt: now,
	}
	var old []models.Appointment
	if err := db.Where("id = ?", v.id).Find(&old).Error; err != nil {
		return err
	}
	db = db.Session(&gorm.Session{NewDB: true})
	if len(old) == 0 {
		return db.Create(&row).Error
	}
	if old[0].StartTime.In(zone).Format(time.DateOnly) == start.Format(time.DateOnly) {
		return nil
	}
	return db.Model(&models.Appointment{}).Where("id = ?", v.id).Updates(map[string]any{
		"startTime": row.StartTime, "endTime": row.EndTime, "status": row.Status, "updatedAt": now,
	}).Error
}
