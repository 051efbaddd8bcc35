package store

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/citaplanner/realtime/db/models"
)

// PreferenceChange is a column of user_notification_preferences and what it becomes: a bool, or models.IntList for
// reminderMinutesBefore.
type PreferenceChange struct {
	Column string
	Value  any
}

// DefaultRow is the row that a user gets who has none, without id and times.
func DefaultRow(tenantID, userID string) models.UserNotificationPreferences {
	d := DefaultPreferences()
	return models.UserNotificationPreferences{
		UserID: userID, TenantID: tenantID,
		EnablePushNotifications: d.EnablePushNotifications, EnableEmailNotifications: d.EnableEmailNotifications,
		EnableSMSNotifications: d.EnableSMSNotifications, EnableWhatsAppNotifications: d.EnableWhatsAppNotifications,
		NotifyAppointmentCreated: d.NotifyAppointmentCreated, NotifyAppointmentUpdated: d.NotifyAppointmentUpdated,
		NotifyAppointmentCancelled: d.NotifyAppointmentCancelled, NotifyAppointmentReminder: d.NotifyAppointmentReminder,
		NotifyScheduleChanges: d.NotifyScheduleChanges, NotifySystemAlerts: d.NotifySystemAlerts,
		EnableSounds: true, EnableDesktopNotifications: true, EnableToastNotifications: true,
		ReminderMinutesBefore: d.ReminderMinutesBefore,
	}
}

// notChanged are the columns that say whose row it is and since when: Put writes them, no change may.
var notChanged = []string{"id", "userId", "tenantId", "createdAt", "updatedAt"}

// Row is the row of a user (of users: nobody else can have one) of this tenant, or nil.
func (p *PreferenceRows) Row(ctx context.Context, tenantID, userID string) (*models.UserNotificationPreferences, error) {
	if !plausible(tenantID, userID) {
		return nil, nil
	}
	var rows []models.UserNotificationPreferences
	_, err := p.s.find(ctx, "preferences.row", &rows, `SELECT p.* FROM `+p.s.t("user_notification_preferences")+` p
		JOIN `+p.s.t("users")+` u ON u.id = p."userId" WHERE p."userId" = ? AND u."tenantId" = ?`, userID, tenantID)
	if err != nil {
		return nil, fmt.Errorf("load preferences: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	return &rows[0], nil
}

// Put makes the changes in one statement, so that of two at once one comes after the other, whole. A user without a row
// gets one with the defaults and the changes; id is what it gets as its id. No changes: the row is made where there is none.
func (p *PreferenceRows) Put(ctx context.Context, tenantID, userID, id string, changes []PreferenceChange) error {
	row := DefaultRow(tenantID, userID)
	row.ID, row.CreatedAt, row.UpdatedAt = id, p.s.now(), p.s.now()
	model, into := &gorm.Statement{DB: p.s.db}, reflect.ValueOf(&row).Elem()
	if err := model.Parse(&row); err != nil {
		return fmt.Errorf("store preferences: %w", err)
	}
	changed := []string{"updatedAt"}
	for _, c := range changes {
		field := model.Schema.FieldsByDBName[c.Column]
		if field == nil || slices.Contains(notChanged, c.Column) {
			return fmt.Errorf("store preferences: %q is no preference", c.Column)
		}
		if err := field.Set(ctx, into, c.Value); err != nil {
			return fmt.Errorf("store preferences: %s: %w", c.Column, err)
		}
		changed = append(changed, c.Column)
	}
	conflict := clause.OnConflict{Columns: []clause.Column{{Name: "userId"}}, DoNothing: len(changes) == 0}
	if !conflict.DoNothing {
		conflict.DoUpdates = clause.AssignmentColumns(changed)
	}
	leave, err := p.s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	if err := p.s.op(ctx, "preferences.put").Clauses(conflict).Create(&row).Error; err != nil {
		return fmt.Errorf("store preferences: %w", fault(err))
	}
	return nil
}
