package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/models"
)

func object(t *testing.T, text string) m {
	t.Helper()
	var v m
	require.NoErrorf(t, json.Unmarshal([]byte(text), &v), "%s", text)
	return v
}

func TestAnEmittedAppointmentReachesTheTenantAndNotifiesTheProfessional(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		n := startNode(t)
		a := s.world.A
		admin, professional := n.connect(s.url, s.as(a.Admin)), n.connect(s.url, s.as(a.Professional))
		foreign := n.connect(s.url, s.as(s.world.B.Professional))
		got := s.emitted("appointments/created", m{"appointmentId": a.Appointment, "tenantId": a.ID, "actorId": a.Admin, "unknown": 1})
		require.Equal(t, true, got["success"])
		require.NotEmpty(t, got["id"])
		require.EqualValues(t, 3, got["delivered"].(m)["sockets"], "two of the tenant, one of the professional")

		event := object(t, admin.event("appointment:created").payload())
		appointment := event["appointment"].(m)
		require.Equal(t, "Carla Cliente", appointment["clientName"])
		require.Equal(t, "Corte A", appointment["serviceName"])
		require.Equal(t, a.Appointment, appointment["id"])
		require.Equal(t, "2025-11-12T16:00:00.000Z", appointment["startTime"])
		require.Equal(t, "a-admin", event["createdBy"])
		require.NotContains(t, fmt.Sprint(event), "+5255", "no phone of the client")
		require.NotContains(t, fmt.Sprint(event), "alergia", "no notes of the client")

		note := object(t, professional.event("notification:new").payload())
		require.Equal(t, "Nueva cita: Carla Cliente - Corte A", note["message"])
		require.Equal(t, "high", note["priority"])
		require.Equal(t, "appointment:created", note["type"])
		require.Equal(t, a.Appointment, note["data"].(m)["appointmentId"])
		rows := s.world.Notifications()
		require.Len(t, rows, 1)
		require.Equal(t, note["id"], rows[0].ID)

		foreign.settle()
		require.Empty(t, foreign.events())
		admin.settle()
		require.NotContains(t, admin.events(), "notification:new")
	})
}

func TestEveryEmitEndpointAnswers202AndItsEventArrives(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		n := startNode(t)
		a := s.world.A
		admin, professional, portal := n.connect(s.url, s.as(a.Admin)), n.connect(s.url, s.as(a.Professional)), n.connect(s.url, s.as(a.Portal))
		of := m{"appointmentId": a.Appointment, "tenantId": a.ID}
		with := func(base m, more m) m {
			out := m{}
			for _, src := range []m{base, more} {
				for k, v := range src {
					out[k] = v
				}
			}
			return out
		}
		for _, c := range []struct {
			kind, event string
			body        m
			at          *client
			holds       string
		}{
			{"appointments/created", "appointment:created", of, admin, `"clientName":"Carla Cliente"`},
			{"appointments/updated", "appointment:updated", with(of, m{"changes": m{"status": "CONFIRMED"}}), admin, `"changes":{"status":"CONFIRMED"}`},
			{"appointments/rescheduled", "appointment:rescheduled", with(of, m{"oldStartTime": "2025-11-12T10:00:00-06:00", "oldEndTime": "2025-11-12T17:00:00Z"}), admin, `"oldTime":{"start":"2025-11-12T16:00:00.000Z"`},
			{"appointments/deleted", "appointment:deleted", m{"tenantId": a.ID, "appointmentId": a.Appointment, "appointmentData": m{"id": a.Appointment, "clientName": "Carla", "professionalId": a.Professional}}, admin, `"appointmentData":{`},
			{"appointments/reminder", "appointment:reminder", with(of, m{"minutesBefore": 60}), professional, `"minutesBefore":60`},
			{"appointments/reminder", "appointment:reminder", with(of, m{"minutesBefore": 30}), portal, `"minutesBefore":`},
			{"schedule/updated", "schedule:updated", m{"professionalId": a.Professional, "tenantId": a.ID}, admin, `"professionalName":"Paula Profesional"`},
			{"schedule/conflict", "schedule:conflict", m{"professionalId": a.Professional, "tenantId": a.ID, "conflict": m{"kind": "overlap"}}, admin, `"conflict":{"kind":"overlap"}`},
			{"calendar/refresh", "calendar:refresh", m{"tenantId": a.ID, "reason": "import", "affectedDates": []string{"2026-03-02"}}, admin, `"affectedDates":["2026-03-02"]`},
			{"system/alert", "system:alert", m{"tenantId": a.ID, "message": "Mantenimiento", "severity": "error"}, admin, `"priority":"urgent"`},
			{"notification", "notification:new", m{"tenantId": a.ID, "userId": a.Admin, "type": "payment:received", "message": "Pago recibido"}, admin, `"message":"Pago recibido"`},
			{"tenant", "raw:one", m{"tenantId": a.ID, "event": "raw:one", "data": m{"x": 1}}, portal, `{"x":1}`},
			{"user", "raw:two", m{"userId": a.Admin, "event": "raw:two", "data": []int{1}}, admin, `[1]`},
			{"role", "raw:three", m{"role": "ADMIN", "tenantId": a.ID, "event": "raw:three", "data": nil}, admin, `null`},
		} {
			got := s.emitted(c.kind, c.body)
			require.NotNil(t, got["notifications"], c.kind)
			msg := c.at.wait(c.kind, func(x message) bool { return x.Event == c.event && strings.Contains(x.payload(), c.holds) })
			require.Contains(t, msg.payload(), c.holds)
		}
	})
}

func TestAnIdOfAnotherTenantIs404AndEmitsAndStoresNothing(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		n := startNode(t)
		a, b := s.world.A, s.world.B
		watcherA, watcherB := n.connect(s.url, s.as(a.Admin)), n.connect(s.url, s.as(b.Admin))
		for kind, body := range map[string]m{
			"appointments/created":     {"appointmentId": b.Appointment, "tenantId": a.ID},
			"appointments/updated":     {"appointmentId": b.Appointment, "tenantId": a.ID},
			"appointments/rescheduled": {"appointmentId": b.Appointment, "tenantId": a.ID, "oldStartTime": "2025-11-12T16:00:00Z", "oldEndTime": "2025-11-12T17:00:00Z"},
			"appointments/reminder":    {"appointmentId": b.Appointment, "tenantId": a.ID, "minutesBefore": 5},
			"appointments/deleted":     {"tenantId": a.ID, "appointmentId": b.Appointment, "appointmentData": m{"id": b.Appointment, "clientName": "X"}},
			"schedule/updated":         {"professionalId": b.Professional, "tenantId": a.ID},
			"schedule/conflict":        {"professionalId": b.Professional, "tenantId": a.ID, "conflict": m{}},
			"notification":             {"tenantId": a.ID, "userId": b.Admin, "type": "x", "message": "y"},
			"calendar/refresh":         {"tenantId": "no-such-tenant", "reason": "x"},
			"tenant":                   {"tenantId": "no-such-tenant", "event": "x"},
			"user":                     {"userId": "nobody", "event": "x"},
		} {
			got := s.emit(kind, body)
			require.Equalf(t, http.StatusNotFound, got.status, "%s: %s", kind, got.body)
			require.Equal(t, "application/problem+json", got.header.Get("Content-Type"))
			require.NotEmpty(t, got.json(t)["error"])
		}
		require.Empty(t, s.world.Notifications())
		for _, c := range []*client{watcherA, watcherB} {
			c.settle()
			for _, e := range c.events() {
				require.Contains(t, "user:online user:presence", e)
			}
		}
	})
}

func TestBadBodiesAreClearErrors(t *testing.T) {
	s := startPostgres(t)
	auth := []string{"Authorization", "Bearer " + apiKey}
	post := func(body string, header ...string) answer {
		return s.do("POST", "/api/emit/appointments/created", body, append(append([]string{}, auth...), header...)...)
	}
	for name, c := range map[string]struct {
		got    answer
		status int
		holds  string
	}{
		"empty":              {post("", "Content-Type", "application/json"), 400, "empty"},
		"an array":           {post("[]", "Content-Type", "application/json"), 400, "JSON object"},
		"not JSON":           {post("{", "Content-Type", "application/json"), 400, "JSON"},
		"two values":         {post(`{}{}`, "Content-Type", "application/json"), 400, "more than one"},
		"a wrong type":       {post(`{"appointmentId":7,"tenantId":"tenant-a"}`, "Content-Type", "application/json"), 400, "appointmentId"},
		"a missing field":    {post(`{"tenantId":"tenant-a"}`, "Content-Type", "application/json"), 400, "appointmentId"},
		"a form":             {post("a=b", "Content-Type", "application/x-www-form-urlencoded"), 415, "application/json"},
		"invalid UTF-8":      {post("{\"appointmentId\":\"\xff\"}", "Content-Type", "application/json"), 400, "UTF-8"},
		"U+0000":             {post(`{"appointmentId":"a\u0000","tenantId":"tenant-a"}`, "Content-Type", "application/json"), 400, "U+0000"},
		"too large":          {post(`{"x":"`+strings.Repeat("a", 1<<20)+`"}`, "Content-Type", "application/json"), 413, "bytes"},
		"a wrong method":     {s.do("GET", "/api/emit/appointments/created", "", auth...), 405, "method"},
		"no such route":      {s.do("GET", "/api/nothing", ""), 404, "route"},
		"no key":             {s.do("POST", "/api/emit/tenant", "{}"), 401, ""},
		"a wrong key":        {s.do("POST", "/api/emit/tenant", "{}", "Authorization", "Bearer wrong"), 401, ""},
		"a user's session":   {s.do("POST", "/api/emit/tenant", "{}", "Authorization", "Bearer "+s.token(s.world.A.Superadmin)), 401, ""},
		"a user's cookie":    {s.do("POST", "/api/emit/tenant", "{}", "Cookie", s.cookie(s.world.A.Superadmin)), 401, ""},
		"an unknown role":    {s.emit("role", m{"role": "BOSS", "tenantId": "tenant-a", "event": "x"}), 400, "role"},
		"a reserved name":    {s.emit("tenant", m{"tenantId": "tenant-a", "event": "connect"}), 400, "event"},
		"a wrong severity":   {s.emit("system/alert", m{"tenantId": "tenant-a", "message": "x", "severity": "loud"}), 400, "severity"},
		"a key that is long": {s.emit("tenant", m{"tenantId": "tenant-a", "event": "x"}, "Idempotency-Key", strings.Repeat("k", 256)), 400, "Idempotency-Key"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equalf(t, c.status, c.got.status, "%s", c.got.body)
			problem := c.got.json(t)
			require.Contains(t, problem["error"], c.holds)
			require.Equal(t, problem["detail"], problem["error"])
			require.EqualValues(t, c.status, problem["status"])
		})
	}
}

func TestAnIdempotencyKeyAnswersTheFirstResultAndEmitsOnce(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		c := startNode(t).connect(s.url, s.as(s.world.A.Professional))
		body := m{"appointmentId": s.world.A.Appointment, "tenantId": s.world.A.ID}
		const parallel = 8
		answers := make([]answer, parallel)
		var wg sync.WaitGroup
		for i := range parallel {
			wg.Go(func() { answers[i] = s.emit("appointments/created", body, "Idempotency-Key", "key-1") })
		}
		wg.Wait()
		fresh, ids := 0, map[any]bool{}
		for _, a := range answers {
			require.Equalf(t, http.StatusAccepted, a.status, "%s", a.body)
			ids[a.json(t)["id"]] = true
			if a.header.Get("Idempotent-Replayed") == "" {
				fresh++
			}
		}
		require.Equal(t, 1, fresh)
		require.Len(t, ids, 1)
		require.Len(t, s.world.Notifications(), 1)
		c.event("appointment:created")
		c.settle()
		require.NotContains(t, c.events(), "appointment:created")
		other := s.emit("appointments/created", m{"appointmentId": s.world.A.Appointment2, "tenantId": s.world.A.ID}, "Idempotency-Key", "key-1")
		require.Equal(t, http.StatusUnprocessableEntity, other.status)
	})
}

func TestABatchAnswersOneResultAnEntry(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		a := s.world.A
		got := s.emitted("batch", m{"emits": []m{
			{"kind": "appointments/created", "appointmentId": a.Appointment, "tenantId": a.ID},
			{"kind": "appointments/created", "appointmentId": s.world.B.Appointment, "tenantId": a.ID},
			{"kind": "calendar:refresh", "tenantId": a.ID, "reason": "x"},
			{"kind": "no/such/kind"},
		}})
		results := got["results"].([]any)
		require.Len(t, results, 4)
		require.Equal(t, true, results[0].(m)["success"])
		require.EqualValues(t, 404, results[1].(m)["status"])
		require.Equal(t, true, results[2].(m)["success"])
		require.Contains(t, results[3].(m)["error"], "kind")
		require.Equal(t, http.StatusBadRequest, s.emit("batch", m{"emits": make([]m, 1001)}).status)

		body := m{"emits": []m{{"kind": "appointments/created", "appointmentId": a.Appointment2, "tenantId": a.ID}}}
		first := s.emit("batch", body, "Idempotency-Key", "batch-1")
		again := s.emit("batch", body, "Idempotency-Key", "batch-1")
		require.Equal(t, first.body, again.body)
		require.Equal(t, "true", again.header.Get("Idempotent-Replayed"))
	})
}

func TestADoubleClickIsStoredAndSentOnce(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		c := startNode(t).connect(s.url, s.as(s.world.A.Professional))
		body := m{"appointmentId": s.world.A.Appointment, "tenantId": s.world.A.ID, "actorId": s.world.A.Admin}
		s.emitted("appointments/created", body)
		s.emitted("appointments/created", body)
		require.Len(t, s.world.Notifications(), 1)
		c.event("notification:new")
		c.settle()
		require.NotContains(t, c.events(), "notification:new")
	}, "DEDUP_WINDOW", "1m")
}

func TestPreferencesSilenceAtOnce(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		a := s.world.A
		c := startNode(t).connect(s.url, s.as(a.Professional))
		s.world.Prefer(a, a.Professional, func(p *models.UserNotificationPreferences) { p.NotifyAppointmentCreated = false })
		s.emitted("appointments/created", m{"appointmentId": a.Appointment, "tenantId": a.ID})
		c.event("appointment:created") // calendars need it
		require.Empty(t, s.world.Notifications())
		s.world.Prefer(a, a.Professional, func(p *models.UserNotificationPreferences) { p.EnablePushNotifications = false })
		s.emitted("appointments/created", m{"appointmentId": a.Appointment3, "tenantId": a.ID})
		require.Len(t, s.world.Notifications(), 1, "it shows in the center")
		c.settle()
		require.NotContains(t, c.events(), "notification:new")
	})
}

func TestStatisticsShowATenantItsOwnOnly(t *testing.T) {
	s := startPostgres(t)
	n := startNode(t)
	n.connect(s.url, s.as(s.world.A.Admin))
	n.connect(s.url, s.as(s.world.A.Admin))
	n.connect(s.url, s.as(s.world.B.Manager))
	all := `{"totalConnections":3,"tenants":{"tenant-a":{"users":["a-admin"],"count":2},"tenant-b":{"users":["b-manager"],"count":1}}}`
	require.JSONEq(t, all, s.do("GET", "/api/socket/stats", "", "Authorization", "Bearer "+apiKey).body)
	require.JSONEq(t, all, s.do("GET", "/api/socket/stats", "", "Cookie", s.cookie(s.world.A.Superadmin)).body)
	require.JSONEq(t, `{"totalConnections":2,"tenants":{"tenant-a":{"users":["a-admin"],"count":2}}}`,
		s.do("GET", "/api/socket/stats", "", "Cookie", s.cookie(s.world.A.Admin)).body)
	require.Equal(t, http.StatusForbidden, s.do("GET", "/api/socket/stats", "", "Cookie", s.cookie(s.world.A.Manager)).status)
	require.Equal(t, http.StatusUnauthorized, s.do("GET", "/api/socket/stats", "").status)
	require.Equal(t, 1, s.app.Hub().UsersOf("tenant-a"))
}

func TestWhatAClientMayMeetInTheWild(t *testing.T) {
	s := startPostgres(t)
	t.Run("the deployment guide's curl", func(t *testing.T) {
		got := s.do("GET", "/api/socket", "")
		require.Equal(t, http.StatusOK, got.status)
		require.Equal(t, "ok", got.json(t)["status"])
		require.EqualValues(t, 5, got.json(t)["protocol"])
	})
	t.Run("a trailing slash is the same endpoint", func(t *testing.T) {
		for _, path := range []string{"/api/socket", "/api/socket/"} {
			require.Contains(t, s.do("GET", path+"?EIO=4&transport=polling", "").body, `0{"sid":"`)
		}
	})
	t.Run("a Socket.IO 2 client gets the protocol's error", func(t *testing.T) {
		got := s.do("GET", "/api/socket/?EIO=3&transport=polling", "")
		require.Equal(t, http.StatusBadRequest, got.status)
		require.JSONEq(t, `{"code":5,"message":"Unsupported protocol version"}`, got.body)
	})
	t.Run("the client bundle", func(t *testing.T) {
		got := s.do("GET", "/api/socket/socket.io.js", "")
		require.Equal(t, http.StatusOK, got.status)
		require.Contains(t, got.header.Get("Content-Type"), "javascript")
		require.Contains(t, got.body, "socket.io")
	})
	t.Run("CORS as the Node server sends it", func(t *testing.T) {
		got := s.do("GET", "/api/socket?EIO=4&transport=polling", "", "Origin", "https://citas.example.com")
		require.Equal(t, "https://citas.example.com", got.header.Get("Access-Control-Allow-Origin"))
		require.Equal(t, "true", got.header.Get("Access-Control-Allow-Credentials"))
		pre := s.do("OPTIONS", "/api/socket?EIO=4&transport=polling", "", "Origin", "https://citas.example.com",
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type")
		require.Equal(t, http.StatusNoContent, pre.status)
		require.Equal(t, "GET,POST", pre.header.Get("Access-Control-Allow-Methods"))
		require.Equal(t, "content-type", pre.header.Get("Access-Control-Allow-Headers"))
		evil := s.do("GET", "/api/socket?EIO=4&transport=polling", "", "Origin", "https://evil.example.com")
		require.Equal(t, "https://citas.example.com", evil.header.Get("Access-Control-Allow-Origin"))
	})
	t.Run("health, readiness, metrics", func(t *testing.T) {
		require.Equal(t, http.StatusOK, s.do("GET", "/healthz", "").status)
		s.ready(http.StatusOK, `"database":{"status":"ok"}`)
		metrics := s.do("GET", "/metrics", "").body
		for _, name := range []string{"realtime_engineio_connections", "realtime_sockets", "realtime_build_info"} {
			require.Contains(t, metrics, name)
		}
	})
}
