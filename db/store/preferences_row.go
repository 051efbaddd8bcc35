package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

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

// rowColumns are the columns that Row reads and Put makes.
var rowColumns = []string{"id", "userId", "enablePushNotifications", "enableEmailNotifications", "enableSMSNotifications",
	"enableWhatsAppNotifications", "notifyAppointmentCreated", "notifyAppointmentUpdated", "notifyAppointmentCancelled",
	"notifyAppointmentReminder", "notifyScheduleChanges", "notifySystemAlerts", "enableSounds", "enableDesktopNotifications",
	"enableToastNotifications", "reminderMinutesBefore", "tenantId", "createdAt", "updatedAt"}

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
	now := p.s.now()
	values := map[string]any{
		"id": id, "userId": userID, "enablePushNotifications": row.EnablePushNotifications,
		"enableEmailNotifications": row.EnableEmailNotifications, "enableSMSNotifications": row.EnableSMSNotifications,
		"enableWhatsAppNotifications": row.EnableWhatsAppNotifications, "notifyAppointmentCreated": row.NotifyAppointmentCreated,
		"notifyAppointmentUpdated": row.NotifyAppointmentUpdated, "notifyAppointmentCancelled": row.NotifyAppointmentCancelled,
		"notifyAppointmentReminder": row.NotifyAppointmentReminder, "notifyScheduleChanges": row.NotifyScheduleChanges,
		"notifySystemAlerts": row.NotifySystemAlerts, "enableSounds": true, "enableDesktopNotifications": true,
		"enableToastNotifications": true, "reminderMinutesBefore": row.ReminderMinutesBefore, "tenantId": tenantID,
		"createdAt": now, "updatedAt": now,
	}
	set := []string{`"updatedAt" = excluded."updatedAt"`}
	for _, c := range changes {
		if _, ok := values[c.Column]; !ok || slices.Contains([]string{"id", "userId", "tenantId", "createdAt", "updatedAt"}, c.Column) {
			return fmt.Errorf("store preferences: %q is no preference", c.Column)
		}
		values[c.Column] = c.Value
		set = append(set, `"`+c.Column+`" = excluded."`+c.Column+`"`)
	}
	names, marks, args := make([]string, len(rowColumns)), make([]string, len(rowColumns)), make([]any, len(rowColumns))
	for i, c := range rowColumns {
		names[i], marks[i], args[i] = `"`+c+`"`, "?", values[c]
	}
	conflict := `DO UPDATE SET ` + strings.Join(set, ", ")
	if len(changes) == 0 {
		conflict = `DO NOTHING`
	}
	_, err := p.s.exec(ctx, "preferences.put", `INSERT INTO `+p.s.t("user_notification_preferences")+` (`+strings.Join(names, ", ")+`)
		VALUES (`+strings.Join(marks, ", ")+`) ON CONFLICT ("userId") `+conflict, args...)
	if err != nil {
		return fmt.Errorf("store preferences: %w", err)
	}
	return nil
}
