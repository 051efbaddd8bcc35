package inbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

// Bounds of reminderMinutesBefore (contract/http.md).
const (
	maxReminders       = 10
	maxReminderMinutes = 43200 // 30 days
)

const textPortal = "Los usuarios del portal no tienen preferencias propias"

// ignored are the fields that the page sends back and nobody may write.
var ignored = []string{"id", "userId", "tenantId", "createdAt", "updatedAt"}

// switches are the preferences that are true or false.
var switches = []string{"enablePushNotifications", "enableEmailNotifications", "enableSMSNotifications",
	"enableWhatsAppNotifications", "notifyAppointmentCreated", "notifyAppointmentUpdated", "notifyAppointmentCancelled",
	"notifyAppointmentReminder", "notifyScheduleChanges", "notifySystemAlerts", "enableSounds", "enableDesktopNotifications",
	"enableToastNotifications"}

// Preferences returns what the user wants to be told of; a row with the defaults is made where there is none.
func (i *Inbox) Preferences(ctx context.Context, u User) (contract.Preferences, error) {
	if u.Portal {
		return preferencesOf(store.DefaultRow(u.TenantID, u.ID)), nil
	}
	row, err := i.st.Preferences.Row(ctx, u.TenantID, u.ID)
	if err != nil {
		return contract.Preferences{}, err
	}
	if row == nil {
		return i.put(ctx, u, nil)
	}
	return preferencesOf(*row), nil
}

// SetPreferences changes the fields given and returns the whole row. Those that identify the row are ignored; a field
// that is unknown or of the wrong type is CodeInvalid and names it, and then nothing is changed. CodeForbidden for a
// portal user.
func (i *Inbox) SetPreferences(ctx context.Context, u User, fields map[string]json.RawMessage) (contract.Preferences, error) {
	if u.Portal {
		return contract.Preferences{}, contract.NewError(contract.CodeForbidden, textPortal)
	}
	var changes []store.PreferenceChange
	for name, raw := range fields {
		change := store.PreferenceChange{Column: name}
		switch {
		case slices.Contains(ignored, name):
			continue
		case slices.Contains(switches, name):
			var on *bool
			if json.Unmarshal(raw, &on) != nil || on == nil {
				return contract.Preferences{}, contract.InvalidField(name, name+" must be true or false")
			}
			change.Value = *on
		case name == "reminderMinutesBefore":
			minutes, err := readMinutes(raw)
			if err != nil {
				return contract.Preferences{}, err
			}
			change.Value = minutes
		default:
			return contract.Preferences{}, contract.InvalidField(name, fmt.Sprintf("unknown field %.100q", name))
		}
		changes = append(changes, change)
	}
	return i.put(ctx, u, changes)
}

func (i *Inbox) put(ctx context.Context, u User, changes []store.PreferenceChange) (contract.Preferences, error) {
	if err := i.st.Preferences.Put(ctx, u.TenantID, u.ID, i.opts.NewID(), changes); err != nil {
		return contract.Preferences{}, err
	}
	row, err := i.st.Preferences.Row(ctx, u.TenantID, u.ID)
	switch {
	case err != nil:
		return contract.Preferences{}, err
	case row == nil: // deleted, or moved to another tenant, a moment ago
		return contract.Preferences{}, contract.NewError(contract.CodeUserInactive, "User not found or inactive")
	}
	return preferencesOf(*row), nil
}

// readMinutes reads 0 to 10 whole numbers from 1 to 43200.
func readMinutes(raw json.RawMessage) (models.IntList, error) {
	const name = "reminderMinutesBefore"
	var numbers []json.Number
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if bytes.Equal(bytes.TrimSpace(raw), []byte("null")) || d.Decode(&numbers) != nil || bytes.ContainsRune(raw, '"') {
		return nil, contract.InvalidField(name, name+" must be a list of whole numbers")
	}
	if len(numbers) > maxReminders {
		return nil, contract.InvalidField(name, fmt.Sprintf("%s must have at most %d entries", name, maxReminders))
	}
	minutes := make(models.IntList, 0, len(numbers))
	for _, n := range numbers {
		m, err := strconv.Atoi(n.String())
		if err != nil || m < 1 || m > maxReminderMinutes {
			return nil, contract.InvalidField(name, fmt.Sprintf("%s must hold whole numbers from 1 to %d", name, maxReminderMinutes))
		}
		minutes = append(minutes, m)
	}
	return minutes, nil
}

func preferencesOf(r models.UserNotificationPreferences) contract.Preferences {
	p := contract.Preferences{
		UserID: r.UserID, TenantID: r.TenantID,
		EnablePushNotifications: r.EnablePushNotifications, EnableEmailNotifications: r.EnableEmailNotifications,
		EnableSMSNotifications: r.EnableSMSNotifications, EnableWhatsAppNotifications: r.EnableWhatsAppNotifications,
		NotifyAppointmentCreated: r.NotifyAppointmentCreated, NotifyAppointmentUpdated: r.NotifyAppointmentUpdated,
		NotifyAppointmentCancelled: r.NotifyAppointmentCancelled, NotifyAppointmentReminder: r.NotifyAppointmentReminder,
		NotifyScheduleChanges: r.NotifyScheduleChanges, NotifySystemAlerts: r.NotifySystemAlerts,
		EnableSounds: r.EnableSounds, EnableDesktopNotifications: r.EnableDesktopNotifications,
		EnableToastNotifications: r.EnableToastNotifications, ReminderMinutesBefore: append([]int{}, r.ReminderMinutesBefore...),
	}
	if r.ID != "" {
		created, updated := contract.At(r.CreatedAt), contract.At(r.UpdatedAt)
		p.ID, p.CreatedAt, p.UpdatedAt = &r.ID, &created, &updated
	}
	return p
}
