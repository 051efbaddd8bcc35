package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/citaplanner/realtime/db/models"
)

// PreferenceRows reads user_notification_preferences.
type PreferenceRows struct{ s *Store }

// Preferences is what a user wants to be told of. Field names are the columns'.
type Preferences struct {
	EnablePushNotifications     bool // off: the row is stored, notification:new is not sent
	EnableEmailNotifications    bool
	EnableSMSNotifications      bool
	EnableWhatsAppNotifications bool
	NotifyAppointmentCreated    bool
	NotifyAppointmentUpdated    bool // updated and rescheduled
	NotifyAppointmentCancelled  bool // deleted
	NotifyAppointmentReminder   bool
	NotifyScheduleChanges       bool // schedule updated and schedule conflict
	NotifySystemAlerts          bool
	ReminderMinutesBefore       []int
}

// DefaultPreferences are the columns' defaults: what holds for whoever has no row, every portal user among them.
func DefaultPreferences() Preferences {
	return Preferences{
		EnablePushNotifications: true, EnableEmailNotifications: true,
		NotifyAppointmentCreated: true, NotifyAppointmentUpdated: true, NotifyAppointmentCancelled: true,
		NotifyAppointmentReminder: true, NotifyScheduleChanges: true, NotifySystemAlerts: true,
		ReminderMinutesBefore: []int{1440, 60},
	}
}

// Of is the preferences of a user of this tenant, the defaults where there is no row (a user who does not exist has
// none either).
func (p *PreferenceRows) Of(ctx context.Context, tenantID, userID string) (Preferences, error) {
	if !plausible(tenantID, userID) {
		return DefaultPreferences(), nil
	}
	var rows []preferenceColumns
	query := `SELECT ` + preferenceSelect + ` FROM ` + p.s.t("user_notification_preferences") + ` p
		JOIN ` + p.s.t("users") + ` u ON u.id = p."userId" WHERE p."userId" = ? AND u."tenantId" = ?`
	if _, err := p.s.find(ctx, "preferences.of", &rows, query, userID, tenantID); err != nil {
		return Preferences{}, fmt.Errorf("load preferences: %w", err)
	}
	if len(rows) == 0 {
		return DefaultPreferences(), nil
	}
	return rows[0].preferences(), nil
}

// preferenceSelect names the columns of preferenceColumns, of user_notification_preferences joined as p. PreferenceID
// is null where the left join found none.
const preferenceSelect = `p.id AS "preferenceId", p."enablePushNotifications", p."enableEmailNotifications",
	p."enableSMSNotifications", p."enableWhatsAppNotifications", p."notifyAppointmentCreated",
	p."notifyAppointmentUpdated", p."notifyAppointmentCancelled", p."notifyAppointmentReminder",
	p."notifyScheduleChanges", p."notifySystemAlerts", p."reminderMinutesBefore"`

// preferenceColumns is the outcome of preferenceSelect. GORM leaves a field zero for NULL, which only happens where
// there is no row at all.
type preferenceColumns struct {
	PreferenceID                *string        `gorm:"column:preferenceId"`
	EnablePushNotifications     bool           `gorm:"column:enablePushNotifications"`
	EnableEmailNotifications    bool           `gorm:"column:enableEmailNotifications"`
	EnableSMSNotifications      bool           `gorm:"column:enableSMSNotifications"`
	EnableWhatsAppNotifications bool           `gorm:"column:enableWhatsAppNotifications"`
	NotifyAppointmentCreated    bool           `gorm:"column:notifyAppointmentCreated"`
	NotifyAppointmentUpdated    bool           `gorm:"column:notifyAppointmentUpdated"`
	NotifyAppointmentCancelled  bool           `gorm:"column:notifyAppointmentCancelled"`
	NotifyAppointmentReminder   bool           `gorm:"column:notifyAppointmentReminder"`
	NotifyScheduleChanges       bool           `gorm:"column:notifyScheduleChanges"`
	NotifySystemAlerts          bool           `gorm:"column:notifySystemAlerts"`
	ReminderMinutesBefore       models.IntList `gorm:"column:reminderMinutesBefore"`
}

// scan reads a row that ends with preferenceSelect's columns, for pgx, which leaves nothing zero for NULL.
func (c *preferenceColumns) scan(row pgx.CollectableRow, before ...any) error {
	flags := []*bool{&c.EnablePushNotifications, &c.EnableEmailNotifications, &c.EnableSMSNotifications,
		&c.EnableWhatsAppNotifications, &c.NotifyAppointmentCreated, &c.NotifyAppointmentUpdated, &c.NotifyAppointmentCancelled,
		&c.NotifyAppointmentReminder, &c.NotifyScheduleChanges, &c.NotifySystemAlerts}
	found := make([]*bool, len(flags))
	dest := slices.Concat(before, []any{&c.PreferenceID})
	for i := range found {
		dest = append(dest, &found[i])
	}
	var minutes []int32
	if err := row.Scan(append(dest, &minutes)...); err != nil {
		return err
	}
	for i, v := range found {
		*flags[i] = v != nil && *v
	}
	for _, m := range minutes {
		c.ReminderMinutesBefore = append(c.ReminderMinutesBefore, int(m))
	}
	return nil
}

func (c preferenceColumns) preferences() Preferences {
	if c.PreferenceID == nil {
		return DefaultPreferences()
	}
	return Preferences{
		EnablePushNotifications:     c.EnablePushNotifications,
		EnableEmailNotifications:    c.EnableEmailNotifications,
		EnableSMSNotifications:      c.EnableSMSNotifications,
		EnableWhatsAppNotifications: c.EnableWhatsAppNotifications,
		NotifyAppointmentCreated:    c.NotifyAppointmentCreated,
		NotifyAppointmentUpdated:    c.NotifyAppointmentUpdated,
		NotifyAppointmentCancelled:  c.NotifyAppointmentCancelled,
		NotifyAppointmentReminder:   c.NotifyAppointmentReminder,
		NotifyScheduleChanges:       c.NotifyScheduleChanges,
		NotifySystemAlerts:          c.NotifySystemAlerts,
		ReminderMinutesBefore:       c.ReminderMinutesBefore,
	}
}
