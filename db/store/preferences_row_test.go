package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
)

func TestPreferencesAreMadeWithTheDefaultsAndChangedAColumnAtATime(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		ctx, a := t.Context(), dbtest.Seed(t, st).A
		row := func() models.UserNotificationPreferences {
			r, err := st.Preferences.Row(ctx, a.ID, a.Admin)
			require.NoError(t, err)
			require.NotNil(t, r)
			return *r
		}
		want := store.DefaultRow(a.ID, a.Admin)
		require.NoError(t, st.Preferences.Put(ctx, a.ID, a.Admin, "first", nil))
		got := row()
		require.WithinDuration(t, time.Now(), got.CreatedAt, time.Minute, "UTC, whatever the session's zone")
		require.Equal(t, got.CreatedAt, got.UpdatedAt)
		want.ID, want.CreatedAt, want.UpdatedAt = "first", got.CreatedAt, got.UpdatedAt
		require.Equal(t, want, got)

		require.NoError(t, st.Preferences.Put(ctx, a.ID, a.Admin, "second", nil))
		require.Equal(t, want, row(), "it is there already")

		for _, change := range []struct {
			store.PreferenceChange
			of any
		}{
			{store.PreferenceChange{Column: "enablePushNotifications", Value: false}, &want.EnablePushNotifications},
			{store.PreferenceChange{Column: "enableSMSNotifications", Value: true}, &want.EnableSMSNotifications},
			{store.PreferenceChange{Column: "reminderMinutesBefore", Value: models.IntList{}}, &want.ReminderMinutesBefore},
		} {
			require.NoError(t, st.Preferences.Put(ctx, a.ID, a.Admin, "third", []store.PreferenceChange{change.PreferenceChange}))
			switch of := change.of.(type) {
			case *bool:
				*of = change.Value.(bool)
			case *models.IntList:
				*of = change.Value.(models.IntList)
			}
			got := row()
			require.False(t, got.UpdatedAt.Before(want.UpdatedAt))
			want.UpdatedAt = got.UpdatedAt
			require.Equal(t, want, got, change.Column)
		}
	})
}

func TestAFirstChangeMakesTheRowWithIt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		ctx, a := t.Context(), dbtest.Seed(t, st).A
		require.NoError(t, st.Preferences.Put(ctx, a.ID, a.Admin, "id", []store.PreferenceChange{
			{Column: "notifySystemAlerts", Value: false}, {Column: "reminderMinutesBefore", Value: models.IntList{5}}}))
		r, err := st.Preferences.Row(ctx, a.ID, a.Admin)
		require.NoError(t, err)
		require.False(t, r.NotifySystemAlerts)
		require.True(t, r.NotifyAppointmentCreated)
		require.Equal(t, models.IntList{5}, r.ReminderMinutesBefore)
	})
}

func TestWhatIsNoPreferenceIsRefused(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		ctx, w := t.Context(), dbtest.Seed(t, st)
		for _, c := range []string{"id", "userId", "tenantId", "createdAt", "updatedAt", "ID", "EnableSounds", "password", `a" = 1`} {
			err := st.Preferences.Put(ctx, w.A.ID, w.A.Admin, "id", []store.PreferenceChange{{Column: c, Value: w.B.ID}})
			require.ErrorContains(t, err, "is no preference", c)
		}
		require.Error(t, st.Preferences.Put(ctx, w.A.ID, w.A.Admin, "id",
			[]store.PreferenceChange{{Column: "enableSounds", Value: []string{"x"}}}))
		r, err := st.Preferences.Row(ctx, w.A.ID, w.A.Admin)
		require.NoError(t, err)
		require.Nil(t, r)
	})
}

func TestChangesOfDifferentPreferencesAtOnceAllHold(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		ctx, a := t.Context(), dbtest.Seed(t, st).A
		columns := []string{"enablePushNotifications", "enableEmailNotifications", "notifySystemAlerts", "enableSounds"}
		var all sync.WaitGroup
		for i, c := range columns {
			all.Go(func() {
				err := st.Preferences.Put(ctx, a.ID, a.Admin, fmt.Sprint(i), []store.PreferenceChange{{Column: c, Value: false}})
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		r, err := st.Preferences.Row(ctx, a.ID, a.Admin)
		require.NoError(t, err)
		require.False(t, r.EnablePushNotifications || r.EnableEmailNotifications || r.NotifySystemAlerts || r.EnableSounds)
	})
}
