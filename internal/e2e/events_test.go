package e2e_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheHooksConnectionUpgradesAndLearnsWhoItIs(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		n := startNode(t)
		c := n.open(s.url, s.as(s.world.A.Admin))
		c.kind("connect")
		var success m
		require.NoError(t, json.Unmarshal([]byte(c.event("connection:success").payload()), &success))
		require.Equal(t, "a-admin", success["userId"])
		require.Equal(t, "tenant-a", success["tenantId"])
		require.Equal(t, "ADMIN", success["role"])
		require.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`, success["timestamp"])
		require.Contains(t, c.event("presence:state").payload(), `"userId":"a-admin","status":"online"`)
		require.Equal(t, "websocket", c.kind("upgrade").Transport)
		c.settle()
	})
}

// created emits an appointment and returns the id of the professional's notification.
func created(s *scene) string {
	s.t.Helper()
	got := s.emitted("appointments/created", m{"appointmentId": s.world.A.Appointment, "tenantId": s.world.A.ID, "actorId": s.world.A.Admin})
	ids := got["notifications"].([]any)
	require.Len(s.t, ids, 1)
	return ids[0].(string)
}

func TestReadingOnOneDeviceShowsOnTheOthers(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		n := startNode(t)
		a := s.world.A
		phone, laptop := n.connect(s.url, s.as(a.Professional)), n.connect(s.url, s.as(a.Professional))
		stranger := n.connect(s.url, s.as(a.Admin))
		id := created(s)
		require.Contains(t, laptop.event("notification:new").payload(), `"id":"`+id+`"`)

		laptop.emit("notification:read", id)
		for _, c := range []*client{phone, laptop} {
			require.JSONEq(t, `{"notificationId":"`+id+`"}`, c.event("notification:read:success").payload())
		}
		rows := s.world.Notifications()
		require.NotNil(t, rows[0].ReadAt)
		first := *rows[0].ReadAt
		require.JSONEq(t, `{"success":true,"notificationId":"`+id+`"}`, phone.ask("notification:read", m{"notificationId": id}))
		require.Equal(t, first, *s.world.Notifications()[0].ReadAt, "a second read keeps the first time")

		stranger.emit("notification:read", id)
		got := stranger.event("notification:read:error").payload()
		require.JSONEq(t, `{"notificationId":"`+id+`","error":"Notificación no encontrada"}`, got)
		stranger.settle()
		require.NotContains(t, stranger.events(), "notification:read:success")
	})
}

func TestReadingAllTakesNullNothingAndAnEmptyObject(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		c := startNode(t).connect(s.url, s.as(s.world.A.Professional))
		created(s)
		c.emit("notification:read:all", nil)
		require.JSONEq(t, `{"count":1}`, c.event("notification:read:all:success").payload())
		c.emit("notification:read:all")
		require.JSONEq(t, `{"count":0}`, c.event("notification:read:all:success").payload())
		require.JSONEq(t, `{"success":true,"count":0}`, c.ask("notification:read:all", m{}))
		c.emit("notification:read:all", "everything")
		require.Contains(t, c.event("notification:read:all:error").payload(), `"error":`)
	})
}

func TestViewingGoesToTheOthersOfTheTenantAlone(t *testing.T) {
	s := startPostgres(t)
	n := startNode(t)
	one, other := n.connect(s.url, s.as(s.world.A.Admin)), n.connect(s.url, s.as(s.world.A.Manager))
	foreign := n.connect(s.url, s.as(s.world.B.Admin))
	one.emit("calendar:viewing", m{"date": "2026-03-02", "viewType": "week"})
	require.JSONEq(t, `{"userId":"a-admin","date":"2026-03-02","viewType":"week"}`, other.event("user:viewing:calendar").payload())
	one.settle()
	foreign.settle()
	require.NotContains(t, one.events(), "user:viewing:calendar")
	require.NotContains(t, foreign.events(), "user:viewing:calendar")
}

func TestEditingIsToldWarnedAboutAndReleased(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		n := startNode(t)
		a := s.world.A
		one, other := n.connect(s.url, s.as(a.Admin)), n.connect(s.url, s.as(a.Manager))
		one.emit("appointment:editing", a.Appointment)
		require.JSONEq(t, `{"userId":"a-admin","appointmentId":"a-appointment"}`, other.event("appointment:editing:started").payload())
		other.emit("appointment:editing", m{"appointmentId": a.Appointment})
		conflict := other.event("appointment:editing:conflict").payload()
		require.Contains(t, conflict, `"userId":"a-admin"`)
		require.Contains(t, conflict, `"since":"`)
		one.event("appointment:editing:started")

		require.JSONEq(t, `{"success":false,"error":"Cita no encontrada"}`, one.ask("appointment:editing", s.world.B.Appointment))

		one.close() // a closed laptop must not leave a lock
		require.JSONEq(t, `{"userId":"a-admin","appointmentId":"a-appointment"}`, other.event("appointment:editing:stopped").payload())
	})
}

func TestPresenceCountsTheSocketsOfAUser(t *testing.T) {
	s := startPostgres(t, "OFFLINE_GRACE", "100ms")
	n := startNode(t)
	watcher := n.connect(s.url, s.as(s.world.A.Manager))
	one := n.connect(s.url, s.as(s.world.A.Admin))
	require.Contains(t, watcher.event("user:online").payload(), `"userId":"a-admin","email":"a-admin@example.com"`)
	two := n.connect(s.url, s.as(s.world.A.Admin))
	two.emit("presence:update", "away")
	require.Contains(t, watcher.event("user:presence").payload(), `"userId":"a-admin","status":"away"`)
	two.emit("presence:update", m{"status": "online"})
	require.Contains(t, watcher.event("user:presence").payload(), `"status":"online"`)
	one.close()
	two.close()
	require.Contains(t, watcher.event("user:offline").payload(), `"userId":"a-admin"`)
	watcher.settle()
	require.NotContains(t, watcher.events(), "user:online", "the second socket was not announced")
	require.NotContains(t, watcher.events(), "user:offline", "the first one's end was not")
}

func TestPayloadsOfNoKnownFormAreAnsweredAndDisturbNobody(t *testing.T) {
	s := startPostgres(t)
	n := startNode(t)
	c, other := n.connect(s.url, s.as(s.world.A.Admin)), n.connect(s.url, s.as(s.world.A.Manager))
	for _, event := range []string{"notification:read", "notification:read:all", "calendar:viewing", "appointment:editing",
		"appointment:editing:stop", "presence:update", "no:such:event"} {
		for _, arg := range []any{42, true, []any{1}, m{"notificationId": m{}, "appointmentId": 7, "status": nil}, "a\x00b", m{"$binary": "AAEC"}} {
			if event == "appointment:editing:stop" && arg == "a\x00b" {
				continue
			}
			require.Containsf(t, c.ask(event, arg), `"success":false`, "%s %v", event, arg)
		}
	}
	c.settle()
	other.settle()
	require.NotContains(t, other.events(), "user:viewing:calendar")
	require.NotContains(t, other.events(), "appointment:editing:started")
	require.Equal(t, http.StatusOK, s.do("GET", "/healthz", "").status)
}

func TestTheServerSendsBinaryFreeJSONAndAnswersCallbacks(t *testing.T) {
	s := startPostgres(t)
	c := startNode(t).connect(s.url, s.as(s.world.A.Admin))
	s.emitted("user", m{"userId": s.world.A.Admin, "event": "commission:earned", "data": m{"amount": 12.5, "description": "Comisión <ñ> & más"}})
	require.JSONEq(t, `{"amount":12.5,"description":"Comisión <ñ> & más"}`, c.event("commission:earned").payload())
}
