package e2e_test

import (
	"database/sql"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/internal/identity"
)

// cut makes a database refuse everybody, and ends the connections it has; the function that it returns lets them in again.
func cut(t *testing.T, serverURL string) (mend func()) {
	t.Helper()
	parsed, err := url.Parse(serverURL)
	require.NoError(t, err)
	name, admin := strings.TrimPrefix(parsed.Path, "/"), dbtest.SuperuserURL(t, serverURL)
	dbtest.Exec(t, admin, `ALTER DATABASE `+name+` CONNECTION LIMIT 0`) // superusers are let in all the same
	conn, err := sql.Open("pgx", dbtest.PlainURL(admin))
	require.NoError(t, err)
	defer func() { _ = conn.Close() }()
	for left := 1; left > 0; { // one that was being let in meanwhile is ended, too, and that takes effect a moment later
		require.NoError(t, conn.QueryRow(`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE datname = $1 AND usename = 'realtime_app'`, name).Scan(&left))
	}
	return sync.OnceFunc(func() { dbtest.Exec(t, admin, `ALTER DATABASE `+name+` CONNECTION LIMIT -1`) })
}

func TestWhileTheDatabaseIsDownSocketsStayAndNothingIsPromised(t *testing.T) {
	database, _ := dbtest.PostgresURL(t)
	s := start(t, database, "RECHECK_EVERY", "100ms")
	n := startNode(t)
	a := s.world.A
	one, other := n.connect(s.url, s.as(a.Admin)), n.connect(s.url, s.as(a.Manager))
	mend := cut(t, database)
	defer mend()

	one.emit("calendar:viewing", m{"date": "2026-03-02", "viewType": "week"})
	other.event("user:viewing:calendar") // live traffic goes on
	got := s.emit("appointments/created", m{"appointmentId": a.Appointment, "tenantId": a.ID})
	require.Equalf(t, http.StatusServiceUnavailable, got.status, "%s", got.body)
	require.NotEmpty(t, got.header.Get("Retry-After"))
	require.Contains(t, got.header.Get("Content-Type"), "application/problem+json")
	refused := n.open(s.url, s.as(a.Professional)).kind("connect_error")
	require.Equal(t, "Authentication failed", refused.Message)
	require.JSONEq(t, `{"code":"AUTH_UNAVAILABLE"}`, string(refused.Data))
	require.Contains(t, one.ask("notification:read", "x"), `"success":false`)
	require.Equal(t, "No se pudo marcar la notificación como leída", object(t, one.event("notification:read:error").payload())["error"])
	require.Equal(t, http.StatusOK, s.do("GET", "/healthz", "").status)
	ready := s.do("GET", "/readyz", "")
	require.Equal(t, http.StatusServiceUnavailable, ready.status)
	require.Contains(t, ready.body, `"database":{"status":"failed"`)

	mend()
	require.Eventually(t, func() bool { // a connection of before may be met once more: who was told to come back does
		return s.emit("appointments/created", m{"appointmentId": a.Appointment, "tenantId": a.ID}).status == http.StatusAccepted
	}, patience, 20*time.Millisecond)
	one.event("appointment:created")
	s.ready(http.StatusOK, `"status":"ready"`) // once the canary has come through
}

func TestAServiceTokenOfOneTenantEmitsThereAlone(t *testing.T) {
	s := startPostgres(t)
	n := startNode(t)
	a := s.world.A
	one := n.connect(s.url, s.as(a.Admin))
	token, err := identity.NewServiceToken(apiKey, a.ID, time.Hour, time.Now())
	require.NoError(t, err)
	post := func(kind, body string) answer {
		return s.do("POST", "/api/emit/"+kind, body, "Authorization", "Bearer "+token, "Content-Type", "application/json")
	}
	require.Equal(t, http.StatusAccepted, post("tenant", `{"tenantId":"tenant-a","event":"x"}`).status)
	one.event("x")
	require.Equal(t, http.StatusAccepted, post("user", `{"userId":"a-admin","event":"y"}`).status)
	one.event("y")
	for kind, body := range map[string]string{
		"tenant":               `{"tenantId":"tenant-b","event":"x"}`,
		"role":                 `{"tenantId":"tenant-b","role":"ADMIN","event":"x"}`,
		"appointments/created": `{"tenantId":"tenant-b","appointmentId":"b-appointment"}`,
	} {
		require.Equal(t, http.StatusForbidden, post(kind, body).status, kind)
	}
	require.Equal(t, http.StatusNotFound, post("user", `{"userId":"b-admin","event":"x"}`).status)
	require.JSONEq(t, `{"totalConnections":1,"tenants":{"tenant-a":{"users":["a-admin"],"count":1}}}`,
		s.do("GET", "/api/socket/stats", "", "Authorization", "Bearer "+token).body)
}
