package store_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
)

// hourWindow is the window of reminders an hour before, looked at when the first appointment's is due.
func hourWindow(now time.Time) []store.ReminderWindow {
	return []store.ReminderWindow{{
		Minutes: 60, From: now.Add(45 * time.Minute), Fresh: now.Add(45 * time.Minute), Due: now.Add(time.Hour),
		Until: now.Add(75 * time.Minute),
	}}
}

func TestAReminderIsFoundUntilItIsSent(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		ctx, w := t.Context(), dbtest.Seed(t, st)
		due := dbtest.Now.Truncate(time.Hour)
		byDefault := []store.TenantMinutes{{Times: "", Minutes: 60}}
		find := func() map[string]store.FoundReminder {
			list, err := st.Reminders.Find(ctx, hourWindow(due), byDefault, 100)
			require.NoError(t, err)
			byRecipient := map[string]store.FoundReminder{}
			for _, f := range list {
				require.NotContains(t, byRecipient, f.RecipientID)
				byRecipient[f.RecipientID] = f
			}
			return byRecipient
		}
		found := find()
		require.Len(t, found, 4, "professional and portal user of two tenants")
		r := found[w.A.Professional]
		require.Equal(t, store.Reminder{
			TenantID: w.A.ID, AppointmentID: w.A.Appointment, RecipientID: w.A.Professional, Minutes: 60, StartAt: due.Add(time.Hour),
		}, r.Reminder)
		require.Equal(t, due, r.DueAt())
		require.Equal(t, dbtest.Now, r.ChangedAt)
		require.True(t, r.ArmedAt.IsZero())
		require.True(t, found[w.A.Portal].Portal)

		settle := func(outcome store.ReminderOutcome, now time.Time) int64 {
			n, err := st.Reminders.Settle(ctx, outcome, []store.Reminder{r.Reminder}, now)
			require.NoError(t, err)
			return n
		}
		require.EqualValues(t, 1, settle(store.ReminderArmed, due))
		require.EqualValues(t, 0, settle(store.ReminderArmed, due.Add(time.Second)))
		require.Equal(t, due, find()[w.A.Professional].ArmedAt)
		require.EqualValues(t, 1, settle(store.ReminderLate, due))
		require.True(t, find()[w.A.Professional].Late, "the clock was wrong")
		claim := func(change func(*store.Reminder)) bool {
			m := r.Reminder
			change(&m)
			ok, err := st.Reminders.Claim(ctx, m, due.Add(2*time.Second))
			require.NoError(t, err)
			return ok
		}
		require.False(t, claim(func(m *store.Reminder) { m.TenantID = w.B.ID }), "another tenant's")
		require.False(t, claim(func(m *store.Reminder) { m.StartAt = due.Add(2 * time.Hour) }), "it was moved")
		require.True(t, claim(func(*store.Reminder) {}))
		require.False(t, claim(func(*store.Reminder) {}))
		require.EqualValues(t, 0, settle(store.ReminderLate, due), "what was sent stays sent")
		require.NotContains(t, find(), w.A.Professional)
		last, err := st.Reminders.LastWork(ctx)
		require.NoError(t, err)
		require.Equal(t, due.Add(2*time.Second), last)

		w.MoveAppointment(w.A.Appointment, due.Add(70*time.Minute), due.Add(2*time.Hour))
		require.True(t, find()[w.A.Professional].ArmedAt.IsZero(), "another start is another reminder")
		n, err := st.Reminders.Prune(ctx, due.Add(time.Hour), 10)
		require.NoError(t, err)
		require.Zero(t, n)
		n, err = st.Reminders.Prune(ctx, due.Add(2*time.Hour), 10)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
}

func TestOfManyWhoClaimAReminderOneGetsIt(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		m := store.Reminder{TenantID: w.A.ID, AppointmentID: w.A.Appointment, RecipientID: w.A.Professional, Minutes: 60,
			StartAt: dbtest.Now.Truncate(time.Hour).Add(time.Hour)}
		var got atomic.Int32
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				err := st.InTx(t.Context(), func(tx *store.Store) error {
					ok, err := tx.Reminders.Claim(t.Context(), m, dbtest.Now)
					if ok {
						got.Add(1)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, got.Load())
	})
}

func TestWishesAreListedOnceAndWhatIsNoneIsLeftOut(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		prefer := func(user string, on bool, minutes ...int) {
			w.Prefer(w.A, user, func(p *models.UserNotificationPreferences) {
				p.NotifyAppointmentReminder, p.ReminderMinutesBefore = on, minutes
			})
		}
		prefer(w.A.Admin, true, 30, 60)
		prefer(w.A.Manager, true, 30, -5, 0, 99999)
		prefer(w.A.Professional, false, 7)
		prefer(w.A.Professional2, true)
		settings := func(tenant dbtest.Tenant, times string) {
			w.Insert(&models.NotificationSettings{ID: "s-" + tenant.ID, AppointmentReminderEnabled: true,
				AppointmentReminderTimes: &times, TenantID: tenant.ID, CreatedAt: dbtest.Now, UpdatedAt: dbtest.Now})
		}
		settings(w.A, "[1440,60]")
		settings(w.B, strings.Repeat("no list ", 1000))
		minutes, times, err := st.Reminders.Wishes(t.Context())
		require.NoError(t, err)
		require.ElementsMatch(t, []int{30, 60}, minutes)
		require.ElementsMatch(t, []string{"[1440,60]", ""}, times)
		if st.Dialect() == store.SQLite {
			require.NoError(t, st.DB(t.Context()).Exec(`UPDATE user_notification_preferences SET "reminderMinutesBefore" = '{30'
				WHERE "userId" = ?`, w.A.Admin).Error)
			minutes, _, err = st.Reminders.Wishes(t.Context())
			require.NoError(t, err, "one bad row stops nobody's reminders")
			require.Equal(t, []int{30}, minutes)
			_, err = st.Reminders.Find(t.Context(), hourWindow(dbtest.Now), nil, 10)
			require.NoError(t, err)
		}
	})
}
