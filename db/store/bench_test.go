package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/store"
)

// What a sign-in and an emit cost at the database.
func BenchmarkAccount(b *testing.B) {
	for _, st := range []*store.Store{dbtest.SQLite(b), dbtest.Postgres(b)} {
		w := dbtest.Seed(b, st)
		b.Run(st.Dialect(), func(b *testing.B) {
			for b.Loop() {
				_, err := st.Users.Account(b.Context(), w.A.Admin)
				require.NoError(b, err)
			}
		})
	}
}

func BenchmarkLoadAppointment(b *testing.B) {
	for _, st := range []*store.Store{dbtest.SQLite(b), dbtest.Postgres(b)} {
		w := dbtest.Seed(b, st)
		b.Run(st.Dialect(), func(b *testing.B) {
			for b.Loop() {
				_, err := st.Appointments.Load(b.Context(), w.A.ID, w.A.Appointment)
				require.NoError(b, err)
			}
		})
	}
}

// BenchmarkInbox reads an inbox among a million notifications, with and without the indexes: most are the app's messages
// to clients, a usual user has 500, one has 50,000. It fills PostgreSQL for half a minute first.
func BenchmarkInbox(b *testing.B) {
	url, owner := dbtest.PostgresURL(b)
	st := dbtest.Open(b, store.Options{URL: url})
	byOwner, err := store.Open(b.Context(), store.Options{URL: owner})
	require.NoError(b, err)
	b.Cleanup(func() { _ = byOwner.Close() })
	w := dbtest.Seed(b, st)
	dbtest.Exec(b, dbtest.SuperuserURL(b, url), `SET session_replication_role = replica; INSERT INTO notification_logs (id, type, channel,
			"recipientId", "recipientName", "recipientContact", message, status, "readAt", metadata, "tenantId", "userId", "createdAt", "updatedAt")
		SELECT 'n' || i, 'APPOINTMENT_CONFIRMATION', 'PUSH', CASE WHEN i % 20 = 0 THEN `+quote(w.A.Admin)+` WHEN i % 2 = 0 THEN 'u' || i % 1000
				WHEN i % 2000 = 1 THEN `+quote(w.A.Portal)+` ELSE 'c' || i % 10000 END, 'x', 'x', 'Nueva cita: Carla - Corte', 'SENT',
			CASE WHEN i % 10 < 8 THEN timestamp '2026-01-01' END,
			'{"isRealtime":true,"eventType":"appointment:created","eventData":{"appointmentId":"a"},"priority":"high"}', `+quote(w.A.ID)+`,
			CASE WHEN i % 20 = 0 THEN `+quote(w.A.Admin)+` WHEN i % 2 = 0 THEN 'u' || i % 1000 END,
			timestamp '2026-01-01' + i * interval '1 second', timestamp '2026-01-01'
		FROM generate_series(1, 1000000) AS i; ANALYZE notification_logs`)
	owners := map[string]store.Owner{"usual": {TenantID: w.A.ID, ID: "u2"}, "busy": {TenantID: w.A.ID, ID: w.A.Admin},
		"portal": {TenantID: w.A.ID, ID: w.A.Portal, Portal: true}}
	for _, indexed := range []string{"bare", "indexed"} {
		if indexed == "indexed" {
			_, err := byOwner.MakeIndexes(b.Context())
			require.NoError(b, err)
		}
		for name, o := range owners {
			b.Run(indexed+"/"+name+"/page", func(b *testing.B) {
				for b.Loop() {
					rows, err := st.Notifications.List(b.Context(), o, store.Page{Limit: 51})
					require.NoError(b, err)
					require.Len(b, rows, 51)
				}
			})
			b.Run(indexed+"/"+name+"/unread", func(b *testing.B) {
				for b.Loop() {
					_, err := st.Notifications.Count(b.Context(), o, store.Page{Unread: true})
					require.NoError(b, err)
				}
			})
			b.Run(indexed+"/"+name+"/total", func(b *testing.B) {
				for b.Loop() {
					_, err := st.Notifications.Count(b.Context(), o, store.Page{})
					require.NoError(b, err)
				}
			})
		}
	}
}

func quote(s string) string { return "'" + s + "'" }

// BenchmarkReminders looks for what is due among 200,000 appointments of a year to come, with and without the index, while
// all that is near is armed: what a pass costs that has nothing to do. Users have lists of their own.
func BenchmarkReminders(b *testing.B) {
	url, owner := dbtest.PostgresURL(b)
	clock := time.Now()
	st := dbtest.Open(b, store.Options{URL: url, Now: func() time.Time { return clock }})
	byOwner, err := store.Open(b.Context(), store.Options{URL: owner})
	require.NoError(b, err)
	b.Cleanup(func() { _ = byOwner.Close() })
	w := dbtest.Seed(b, st)
	dbtest.Exec(b, dbtest.SuperuserURL(b, url), `SET session_replication_role = replica;
		INSERT INTO users (id, email, "firstName", "lastName", role, "isActive", "tenantId", "updatedAt")
		SELECT 'u' || i, 'u' || i || '@example.com', 'U', 'X', 'PROFESSIONAL', true, `+quote(w.A.ID)+`, timestamp '2025-01-01'
		FROM generate_series(1, 2000) AS i;
		INSERT INTO user_notification_preferences (id, "userId", "tenantId", "reminderMinutesBefore", "updatedAt")
		SELECT 'p' || i, 'u' || i, `+quote(w.A.ID)+`, CASE WHEN i % 50 = 0 THEN ARRAY[i, 15] ELSE ARRAY[1440, 60] END,
			timestamp '2025-01-01' FROM generate_series(1, 1800) AS i;
		INSERT INTO appointments (id, "startTime", "endTime", status, "tenantId", "branchId", "clientId", "serviceId", "userId",
			"createdAt", "updatedAt")
		SELECT 'x' || i, timestamp '2025-11-12' + i * interval '2.5 minutes', timestamp '2025-11-12', 'CONFIRMED', `+quote(w.A.ID)+`,
			`+quote(w.A.Branch)+`, `+quote(w.A.Client)+`, `+quote(w.A.Service)+`, 'u' || i % 2000, timestamp '2025-01-01',
			timestamp '2025-01-01' FROM generate_series(1, 200000) AS i;
		ANALYZE`)
	now := dbtest.Now.AddDate(0, 1, 0)
	minutes, _, err := st.Reminders.Wishes(b.Context())
	require.NoError(b, err)
	windows := make([]store.ReminderWindow, len(minutes))
	for i, m := range minutes {
		due := now.Add(time.Duration(m) * time.Minute)
		windows[i] = store.ReminderWindow{Minutes: m, From: due.Add(-16 * time.Minute), Fresh: due.Add(-15 * time.Minute), Due: due,
			Until: due.Add(15 * time.Minute)}
	}
	tenants := []store.TenantMinutes{{Minutes: 1440}, {Minutes: 60}}
	found, err := st.Reminders.Find(b.Context(), windows, tenants, 10_000)
	require.NoError(b, err)
	var due, ahead []store.Reminder
	for _, f := range found {
		if f.DueAt().After(now) {
			ahead = append(ahead, f.Reminder)
		} else {
			due = append(due, f.Reminder)
		}
	}
	for outcome, list := range map[store.ReminderOutcome][]store.Reminder{store.ReminderMoot: due, store.ReminderArmed: ahead} {
		_, err = st.Reminders.Settle(b.Context(), outcome, list, now)
		require.NoError(b, err)
	}
	b.Logf("%d numbers of minutes, %d reminders near", len(minutes), len(found))
	for _, indexed := range []string{"bare", "indexed"} {
		if indexed == "indexed" {
			_, err := byOwner.MakeIndexes(b.Context())
			require.NoError(b, err)
			clock = clock.Add(time.Hour) // the index is looked for now and then
			plan, err := st.Reminders.ExplainFind(b.Context(), windows, tenants)
			require.NoError(b, err)
			text := strings.Join(plan, "\n")
			require.Contains(b, text, `appointments_startTime_idx`)
			b.Log(text)
		}
		b.Run(indexed, func(b *testing.B) {
			for b.Loop() {
				_, _, err := st.Reminders.Wishes(b.Context())
				require.NoError(b, err)
				list, err := st.Reminders.Find(b.Context(), windows, tenants, 10_000)
				require.NoError(b, err)
				require.Empty(b, list)
			}
		})
	}
}
