package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/internal/apidocs/conform"
	"github.com/citaplanner/realtime/pkg/contract"
)

// Every route is called and every event sent once, and each is as the OpenAPI and AsyncAPI documents say. All other tests
// here hold the answers that they get against the OpenAPI document, too.
func TestEveryAnswerAndEventIsAsDescribed(t *testing.T) {
	t.Parallel()
	s := start(t, dbtest.MigratedSQLiteURL(t), "OFFLINE_GRACE", "10ms", "EVENT_BURST", "40", "EVENTS_PER_SECOND", "0.01",
		"CRON_SECRET", "the-secret-of-the-external-cron")
	docs, err := conform.New()
	require.NoError(t, err)
	s.docs = docs
	n := startNode(t)
	n.each = func(x message) {
		if x.Type == "event" {
			if err := docs.Event(x.Event, []byte(x.payload())); err != nil && !strings.HasPrefix(x.Event, "raw:") {
				t.Error(err)
			}
		}
	}
	a := s.world.A
	admin, professional, portal := n.connect(s.url, s.as(a.Admin)), n.connect(s.url, s.as(a.Professional)), n.connect(s.url, s.as(a.Portal))

	describedEmits(t, s, admin, professional)
	describedClientEvents(t, n, s, admin, professional, portal)
	describedInbox(s)
	professional.event("notification:deleted")
	describedRest(t, s)
	require.Empty(t, docs.Unseen())
}

// Who reads the documentation beside the demo can paste what it shows.
func TestTheDocumentsExamplesEmitInTheDemo(t *testing.T) {
	t.Parallel()
	p := demonstration(t, map[string]string{"REALTIME_API_KEY": apiKey})
	got, err := call("GET", p.url+"/api/openapi.json", "")
	require.NoError(t, err)
	var doc struct {
		Paths map[string]struct {
			Post struct {
				RequestBody struct {
					Content map[string]struct{ Example json.RawMessage }
				}
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(got.body), &doc))
	emits := 0
	for path, of := range doc.Paths {
		if !strings.HasPrefix(path, "/api/emit/") {
			continue
		}
		body := string(of.Post.RequestBody.Content["application/json"].Example)
		got, err := call("POST", p.url+path, body, "Authorization", "Bearer "+apiKey, "Content-Type", "application/json")
		require.NoError(t, err)
		require.Equal(t, http.StatusAccepted, got.status, "%s %s: %s", path, body, got.body)
		require.NotContains(t, got.body, `"success":false`, path)
		emits++
	}
	require.Equal(t, len(contract.EmitKinds())+1, emits)
}

// describedEmits calls every emit endpoint and provokes what it can refuse.
func describedEmits(t *testing.T, s *scene, admin, professional *client) {
	t.Helper()
	a := s.world.A
	of := m{"appointmentId": a.Appointment, "tenantId": a.ID}
	and := func(more m) m {
		for k, v := range of {
			more[k] = v
		}
		return more
	}
	bodies := map[string]m{
		contract.KindAppointmentCreated: of, contract.KindAppointmentUpdated: and(m{"changes": m{"status": "CONFIRMED"}}),
		contract.KindAppointmentDeleted:     and(m{"appointmentData": m{"clientName": "Carla", "professionalId": a.Professional}}),
		contract.KindAppointmentRescheduled: and(m{"oldStartTime": "2025-11-12T10:00:00-06:00", "oldEndTime": "2025-11-12T17:00:00Z"}),
		contract.KindAppointmentReminder:    and(m{"minutesBefore": 60}),
		contract.KindScheduleUpdated:        {"professionalId": a.Professional, "tenantId": a.ID, "schedule": []int{1}},
		contract.KindScheduleConflict:       {"professionalId": a.Professional, "tenantId": a.ID, "conflict": "overlap"},
		contract.KindCalendarRefresh:        {"tenantId": a.ID, "reason": "import", "affectedDates": []string{"2026-03-02"}},
		contract.KindSystemAlert:            {"tenantId": a.ID, "message": "Mantenimiento", "severity": "error", "data": m{"x": 1}},
		contract.KindNotification:           {"tenantId": a.ID, "userId": a.Admin, "type": "payment:received", "message": "Pago"},
		contract.KindTenant:                 {"tenantId": a.ID, "event": "raw:one"},
		contract.KindUser:                   {"userId": a.Admin, "event": "raw:two", "data": 5},
		contract.KindRole:                   {"role": "ADMIN", "tenantId": a.ID, "event": "raw:three", "data": m{}},
	}
	require.Len(t, bodies, len(contract.EmitKinds()))
	for kind, body := range bodies {
		s.emitted(kind, body)
		at := admin
		if kind == contract.KindAppointmentReminder {
			at = professional
		}
		for _, k := range contract.EmitKinds() {
			if k.Name == kind && k.Event != "" {
				at.event(k.Event)
			}
		}
	}
	s.emitted("batch", m{"emits": []m{{"kind": "calendar/refresh", "tenantId": a.ID, "reason": "x"}, {"kind": "none"}, {"kind": "tenant", "tenantId": 5}}})
	s.emitted(contract.KindCalendarRefresh, bodies[contract.KindCalendarRefresh], "Idempotency-Key", "one")
	for status, header := range map[int][]string{http.StatusUnauthorized: {"Authorization", "Basic x"}, http.StatusUnsupportedMediaType: {"Content-Type", "text/plain",
		"Authorization", "Bearer " + apiKey}, http.StatusBadRequest: {"Authorization", "Bearer " + apiKey}} {
		require.Equal(t, status, s.do("POST", "/api/emit/tenant", "{", header...).status)
	}
	require.Equal(t, http.StatusNotFound, s.emit(contract.KindTenant, m{"tenantId": "none", "event": "x"}).status)
	require.Equal(t, http.StatusUnprocessableEntity, s.emit(contract.KindTenant, bodies[contract.KindTenant], "Idempotency-Key", "one").status)
	require.Equal(t, http.StatusRequestEntityTooLarge, s.emit(contract.KindTenant, m{"tenantId": strings.Repeat("x", 1<<20)}).status)
}

// describedClientEvents sends every event of a client, and makes the server send what it sends by itself.
func describedClientEvents(t *testing.T, n *node, s *scene, admin, professional, portal *client) {
	t.Helper()
	a := s.world.A
	ask := func(c *client, event string, args ...any) {
		require.NoError(t, s.docs.Ack(event, []byte(c.ask(event, args...))))
	}
	read := s.world.Notifications()
	ask(professional, "notification:read", "none")
	professional.event("notification:read:error")
	for _, row := range read {
		if row.UserID != nil && *row.UserID == a.Professional {
			ask(professional, "notification:read", m{"notificationId": row.ID})
			professional.event("notification:read:success")
			break
		}
	}
	ask(professional, "notification:read:all", nil)
	professional.event("notification:read:all:success")
	ask(professional, "notification:read:all", 5)
	professional.event("notification:read:all:error")
	ask(admin, "calendar:viewing", m{"date": "2026-03-02", "viewType": "week"})
	professional.event("user:viewing:calendar")
	ask(admin, "appointment:editing", a.Appointment)
	professional.event("appointment:editing:started")
	ask(professional, "appointment:editing", m{"appointmentId": a.Appointment})
	professional.event("appointment:editing:conflict")
	ask(admin, "appointment:editing:stop", a.Appointment)
	professional.event("appointment:editing:stopped")
	ask(admin, "presence:update", "away")
	professional.event("user:presence")
	ask(admin, "presence:update", "asleep")
	for range 41 { // more than its burst
		portal.emit("notification:read", "none")
		portal.emit("notification:read:all", 5)
	}
	portal.wait("a refusal by rate", func(x message) bool { return strings.Contains(x.payload(), "RATE_LIMITED") })
	ask(portal, "notification:read", "none")

	guest := n.connect(s.url, s.as(a.Manager))
	admin.event("user:online")
	guest.close()
	admin.event("user:offline")
	brief := n.connect(s.url, open{Token: s.token(a.Admin2, 50*time.Second)})
	brief.event("auth:expiring")
	refused := n.open(s.url, open{Token: "x"}).kind("connect_error")
	require.NoError(t, s.docs.Schema("asyncapi.json", "#/components/schemas/ConnectErrorData", refused.Data))
	professional.settle()
}

func describedInbox(s *scene) {
	call := s.browser(s.world.A.Professional)
	call("GET", "/api/notifications?limit=2", "")
	rows := s.world.Notifications()
	var own []string
	for _, row := range rows {
		if row.UserID != nil && *row.UserID == s.world.A.Professional {
			own = append(own, row.ID)
		}
	}
	for _, c := range [][2]string{{"PATCH", "/" + own[0] + "/read"}, {"DELETE", "/" + own[0]}, {"GET", "/stats"}} {
		require.Equal(s.t, http.StatusOK, call(c[0], "/api/notifications"+c[1], "").status, c[1])
	}
	call("POST", "/api/notifications", `{"action":"read-all"}`)
	call("POST", "/api/notifications/read-all", "")
	call("GET", "/api/notifications/preferences", "")
	call("PUT", "/api/notifications/preferences", `{"enableSounds":false,"reminderMinutesBefore":[60]}`)
	call("PATCH", "/api/notifications/preferences", `{"enableSounds":true}`)
	for path, status := range map[string]int{"?limit=0": 400, "/none/read": 404} {
		method := "GET"
		if strings.HasPrefix(path, "/") {
			method = "PATCH"
		}
		require.Equal(s.t, status, call(method, "/api/notifications"+path, "").status)
	}
	require.Equal(s.t, http.StatusForbidden, s.browser(s.world.A.Portal)("PUT", "/api/notifications/preferences", `{}`).status)
	require.Equal(s.t, http.StatusUnauthorized, s.do("GET", "/api/notifications", "").status)
}

func describedRest(t *testing.T, s *scene) {
	t.Helper()
	sid := strings.Split(s.do("GET", "/api/socket?EIO=4&transport=polling", "").body, `"`)[3]
	require.Equal(t, "ok", s.do("POST", "/api/socket?EIO=4&transport=polling&sid="+sid, "40").body)
	for _, path := range []string{"/api/socket", "/api/socket?EIO=4&transport=polling&sid=none", "/api/socket/socket.io.js", "/api/socket/socket.io.js.map",
		"/healthz", "/readyz", "/metrics", "/api/docs", "/api/openapi.json", "/api/asyncapi.json"} {
		s.do("GET", path, "")
	}
	require.Equal(t, http.StatusOK, s.do("GET", "/api/socket/stats", "", "Authorization", "Bearer "+apiKey).status)
	for _, method := range []string{"GET", "POST"} {
		got := s.do(method, "/api/cron/send-reminders", "", "Authorization", "Bearer the-secret-of-the-external-cron")
		require.Equal(t, http.StatusOK, got.status, got.body)
	}
	require.Equal(t, http.StatusForbidden, s.browser(s.world.A.Professional)("GET", "/api/socket/stats", "").status)
	s.do("GET", "/api/openapi.json", "", "If-None-Match", s.do("HEAD", "/api/openapi.json", "").header.Get("ETag"))
}

func TestTheDocsAreTheServersUnlessTheyAreSwitchedOff(t *testing.T) {
	t.Parallel()
	next := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("the app's")) }))
	t.Cleanup(next.Close)
	on := start(t, dbtest.MigratedSQLiteURL(t), "UPSTREAM_URL", next.URL, "INBOX_ROUTES", "upstream")
	off := start(t, dbtest.MigratedSQLiteURL(t), "UPSTREAM_URL", next.URL, "API_DOCS", "false")
	alone := start(t, dbtest.MigratedSQLiteURL(t), "API_DOCS", "false")
	for _, path := range []string{"/api/docs", "/api/openapi.json", "/api/asyncapi.json"} {
		got := on.do("GET", path, "")
		require.Contains(t, got.body, "CitaPlanner Realtime", path)
		require.NotContains(t, got.body, `"/api/notifications/stats"`, "what is the app's is not described")
		require.Equal(t, "the app's", off.do("GET", path, "").body, path)
		require.Equal(t, http.StatusNotFound, alone.do("GET", path, "").status, path)
	}
}
