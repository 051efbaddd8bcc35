package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/nextauth"
)

// TestTheRightsThatMigratePrintsAreEnough is README's second step by a role that may do nothing before it.
func TestTheRightsThatMigratePrintsAreEnough(t *testing.T) {
	url, owner := dbtest.PrismasPostgresURL(t)
	dbtest.Exec(t, owner, `REVOKE ALL ON ALL TABLES IN SCHEMA public FROM realtime_app`,
		`DO $$ BEGIN EXECUTE format('REVOKE ALL ON DATABASE %I FROM realtime_app, PUBLIC', current_database()); END $$`)
	dbtest.Exec(t, dbtest.SuperuserURL(t, url), `REVOKE ALL ON SCHEMA public FROM realtime_app, PUBLIC`)
	sql, code := realtime(t, url, "migrate", "--grants")
	require.Zerof(t, code, "%s", sql)
	dbtest.Exec(t, owner, sql)
	out, code := realtime(t, url, "migrate")
	require.Zerof(t, code, "%s", out)

	st, err := store.Open(t.Context(), store.Options{URL: owner})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	world := dbtest.Seed(t, st)
	a := world.A
	keys, err := nextauth.New([]string{secret}, nextauth.Options{})
	require.NoError(t, err)
	p := launch(t, t.TempDir(), settings(url, "PORT", freePort(t), "REMINDERS_INTERVAL", "200ms"))
	token := sessionOf(t, keys, a.Professional)
	s := &scene{t: t, url: p.url}
	as := []string{"Authorization", "Bearer " + token, "Content-Type", "application/json"}
	professional := startNode(t).connect(p.url, open{Token: token})

	s.emitted("appointments/created", m{"appointmentId": a.Appointment, "tenantId": a.ID})
	note := object(t, professional.event("notification:new").payload())
	require.Equal(t, "Nueva cita: Carla Cliente - Corte A", note["message"])
	for _, r := range []struct{ method, path, body string }{
		{"GET", "/api/notifications?limit=50", ""},
		{"GET", "/api/notifications/stats", ""},
		{"PATCH", "/api/notifications/" + note["id"].(string) + "/read", ""},
		{"POST", "/api/notifications/read-all", ""},
		{"DELETE", "/api/notifications/" + note["id"].(string), ""},
		{"GET", "/api/notifications/preferences", ""},
		{"PUT", "/api/notifications/preferences", `{"enableSounds":false}`},
	} {
		got := s.do(r.method, r.path, r.body, as...)
		require.Equalf(t, http.StatusOK, got.status, "%s %s: %s", r.method, r.path, got.body)
	}
	s.ready(http.StatusOK)
	require.Contains(t, professional.ask("appointment:editing", a.Appointment), `"success":true`)
	start := time.Now().Add(time.Hour + 1500*time.Millisecond)
	world.AddAppointment(a, "soon", func(row *models.Appointment) {
		row.StartTime, row.EndTime = start.UTC(), start.Add(time.Hour).UTC()
		row.CreatedAt, row.UpdatedAt = time.Now().Add(-time.Hour).UTC(), time.Now().Add(-time.Hour).UTC()
	})
	require.Equal(t, "soon", object(t, professional.event("appointment:reminder").payload())["appointment"].(m)["appointmentId"])
	occurrence := `SELECT realtime.emit('calendar/refresh', '{"tenantId":"tenant-a","reason":"granted"}')`
	dbtest.Exec(t, url, occurrence)
	require.Contains(t, professional.event("calendar:refresh").payload(), "granted")

	out, _ = realtime(t, url, "doctor")
	require.NotContains(t, out, "rights on")
	require.Contains(t, out, "rights: enough on")
	for _, args := range [][]string{{"triggers", "install"}, {"migrate", "--indexes"}} {
		out, code = realtime(t, url, args...)
		require.Equalf(t, 1, code, "%v", args)
		require.Contains(t, out, "owner", args)
	}
}
