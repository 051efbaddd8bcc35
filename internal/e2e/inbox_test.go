package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/internal/app"
	"github.com/citaplanner/realtime/internal/config"
	"github.com/citaplanner/realtime/internal/notify"
)

// noon is when the notifications of these tests were made: rows of now would be counted as recent at the wrong time.
var noon = time.Date(2026, 5, 4, 12, 0, 0, 123e6, time.UTC)

// store puts a notification of a user into the database, as this server or another part of the app writes it.
func (s *scene) stored(id, user, metadata string, at time.Time, change ...func(*models.NotificationLog)) {
	s.t.Helper()
	row := models.NotificationLog{ID: id, Type: "APPOINTMENT_CONFIRMATION", Channel: "PUSH", RecipientID: user, RecipientName: "x",
		RecipientContact: "x", Message: "Nueva cita: " + id, Status: "SENT", TenantID: s.world.A.ID, UserID: &user, CreatedAt: at, UpdatedAt: at}
	if metadata != "" {
		row.Metadata = &metadata
	}
	for _, f := range change {
		f(&row)
	}
	require.NoError(s.t, s.store.Notifications.Insert(s.t.Context(), []models.NotificationLog{row}))
}

// browser calls routes as the page of a user does.
func (s *scene) browser(user string) func(method, path, body string) answer {
	cookie := s.cookie(user)
	return func(method, path, body string) answer {
		s.t.Helper()
		header := []string{"Cookie", cookie, "Sec-Fetch-Site", "same-origin"}
		if method != "GET" {
			header = append(header, "Origin", s.url)
		}
		if body != "" {
			header = append(header, "Content-Type", "application/json")
		}
		return s.do(method, path, body, header...)
	}
}

func ids(t *testing.T, a answer) string {
	t.Helper()
	var list struct{ Notifications []struct{ ID string } }
	require.NoErrorf(t, json.Unmarshal([]byte(a.body), &list), "%s", a.body)
	require.Equalf(t, http.StatusOK, a.status, "%s", a.body)
	var out []string
	for _, n := range list.Notifications {
		out = append(out, n.ID)
	}
	return strings.Join(out, " ")
}

func TestTheListIsWhatTheFrontEndReads(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		w := s.world.A
		call := s.browser(w.Professional)
		require.JSONEq(t, `{"notifications":[],"pagination":{"total":0,"page":1,"pages":0,"limit":50,"nextCursor":null}}`,
			call("GET", "/api/notifications?limit=50", "").body)
		s.stored("n1", w.Professional, `{"isRealtime":true,"eventType":"appointment:created","eventData":{"a":1},"priority":"high"}`, noon,
			func(r *models.NotificationLog) { r.AppointmentID = &w.Appointment })
		s.stored("n2", w.Professional, `"a string"`, noon.Add(time.Second))
		s.stored("n3", w.Professional, `{broken`, noon.Add(2*time.Second))
		s.stored("n4", w.Professional, `{"campaign":"mayo","eventType":7}`, noon.Add(3*time.Second), func(r *models.NotificationLog) { r.Type = "PROMOTION" })
		read := noon.Add(time.Hour)
		s.stored("n5", w.Professional, ``, noon.Add(4*time.Second), func(r *models.NotificationLog) { r.ReadAt = &read })
		s.stored("m1", w.Admin, ``, noon)
		a := call("GET", "/api/notifications?limit=50", "")
		require.JSONEq(t, `{"notifications":[
			{"id":"n5","type":"APPOINTMENT_CONFIRMATION","channel":"PUSH","message":"Nueva cita: n5","metadata":null,"status":"SENT",
				"readAt":"2026-05-04T13:00:00.123Z","createdAt":"2026-05-04T12:00:04.123Z","appointmentId":null},
			{"id":"n4","type":"PROMOTION","channel":"PUSH","message":"Nueva cita: n4","metadata":{"campaign":"mayo","eventType":7},"status":"SENT",
				"readAt":null,"createdAt":"2026-05-04T12:00:03.123Z","appointmentId":null},
			{"id":"n3","type":"APPOINTMENT_CONFIRMATION","channel":"PUSH","message":"Nueva cita: n3","metadata":null,"status":"SENT",
				"readAt":null,"createdAt":"2026-05-04T12:00:02.123Z","appointmentId":null},
			{"id":"n2","type":"APPOINTMENT_CONFIRMATION","channel":"PUSH","message":"Nueva cita: n2","metadata":null,"status":"SENT",
				"readAt":null,"createdAt":"2026-05-04T12:00:01.123Z","appointmentId":null},
			{"id":"n1","type":"appointment:created","channel":"PUSH","message":"Nueva cita: n1",
				"metadata":{"isRealtime":true,"eventType":"appointment:created","eventData":{"a":1},"priority":"high"},"status":"SENT",
				"readAt":null,"createdAt":"2026-05-04T12:00:00.123Z","appointmentId":"`+w.Appointment+`"}],
			"pagination":{"total":5,"page":1,"pages":1,"limit":50,"nextCursor":null}}`, a.body)
		require.Equal(t, "no-store", a.header.Get("Cache-Control"))
		for query, want := range map[string]string{
			"unread=true": "n4 n3 n2 n1", "read=true": "n5", "unread=false": "n5 n4 n3 n2 n1", "type=appointment:created": "n1",
			"type=APPOINTMENT_CONFIRMATION": "n5 n3 n2", "type=PROMOTION": "n4", "type=payment:received": "", "type=%25": "",
			"limit=2": "n5 n4", "limit=2&page=2": "n3 n2", "limit=2&page=3": "n1", "limit=2&page=99": "", "limit=2&unread=true&page=2": "n2 n1",
		} {
			require.Equal(t, want, ids(t, call("GET", "/api/notifications?"+query, "")), query)
		}
		require.JSONEq(t, `{"total":5,"page":99,"pages":3,"limit":2,"nextCursor":null}`, pagination(t, call("GET", "/api/notifications?limit=2&page=99", "")))
		require.JSONEq(t, `{"unreadCount":4,"totalCount":5,"recentCount":0,"byType":{"APPOINTMENT_CONFIRMATION":3,"PROMOTION":1,"appointment:created":1}}`,
			call("GET", "/api/notifications/stats", "").body)
		s.stored("n6", w.Professional, ``, time.Now().Add(-time.Hour))
		require.Contains(t, call("GET", "/api/notifications/stats", "").body, `"recentCount":1`)
	})
}

func pagination(t *testing.T, a answer) string {
	t.Helper()
	b, err := json.Marshal(a.json(t)["pagination"])
	require.NoError(t, err)
	return string(b)
}

func TestACursorNeitherRepeatsNorSkipsWhenRowsArriveBetweenPages(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		w := s.world.A
		for i := range 25 { // five of each millisecond
			s.stored(fmt.Sprintf("n%02d", i), w.Professional, ``, noon.Add(time.Duration(i/5)*time.Millisecond))
		}
		call := s.browser(w.Professional)
		var seen []string
		cursor := ""
		for page := 0; ; page++ {
			a := call("GET", "/api/notifications?limit=4&cursor="+cursor, "")
			seen = append(seen, strings.Fields(ids(t, a))...)
			require.EqualValues(t, 25+page, a.json(t)["pagination"].(m)["total"])
			next, more := a.json(t)["pagination"].(m)["nextCursor"].(string)
			if !more {
				break
			}
			cursor = url.QueryEscape(next)
			s.stored(fmt.Sprintf("late%d", page), w.Professional, ``, noon.Add(time.Hour))
		}
		require.Len(t, seen, 25)
		for i, id := range seen {
			require.Equal(t, fmt.Sprintf("n%02d", 24-i), id)
		}
	})
}

func TestReadingAndDeletingShowOnOtherDevicesAndPersist(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		w := s.world.A
		for _, id := range []string{"n1", "n2", "n3", "n4"} {
			s.stored(id, w.Professional, ``, noon)
		}
		call := s.browser(w.Professional)
		other := startNode(t).connect(s.url, s.as(w.Professional))
		stranger := startNode(t).connect(s.url, s.as(w.Admin))

		a := call("PATCH", "/api/notifications/n1/read", "")
		require.Equal(t, http.StatusOK, a.status)
		first := a.json(t)["notification"].(m)["readAt"]
		require.NotNil(t, first)
		require.JSONEq(t, `{"notificationId":"n1"}`, other.event("notification:read:success").payload())
		require.Equal(t, first, call("PATCH", "/api/notifications/n1/read", "").json(t)["notification"].(m)["readAt"], "the first time stays")

		require.JSONEq(t, `{"success":true}`, call("DELETE", "/api/notifications/n2", "").body)
		require.JSONEq(t, `{"notificationId":"n2"}`, other.event("notification:deleted").payload())
		require.Equal(t, http.StatusNotFound, call("DELETE", "/api/notifications/n2", "").status)

		require.JSONEq(t, `{"success":true,"count":2}`, call("POST", "/api/notifications", `{"action":"read-all"}`).body)
		require.JSONEq(t, `{"count":2}`, other.event("notification:read:all:success").payload())
		require.JSONEq(t, `{"success":true,"count":0}`, call("POST", "/api/notifications/read-all", "").body)
		require.Equal(t, "n4 n3 n1", ids(t, call("GET", "/api/notifications?read=true", "")))
		stranger.settle()
		require.NotContains(t, stranger.seen(), "notification:")
	})
}

func TestNobodyTouchesAnotherUsersNotifications(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		a, b := s.world.A, s.world.B
		s.stored("n1", a.Professional, ``, noon)
		s.stored("p1", a.Portal, ``, noon, func(r *models.NotificationLog) { r.UserID = nil })
		for _, user := range []string{a.Admin, a.Professional2, b.Professional, a.ClientRole} {
			call := s.browser(user)
			for _, id := range []string{"n1", "p1", "no-such"} {
				for _, route := range []string{"PATCH /api/notifications/" + id + "/read", "DELETE /api/notifications/" + id} {
					method, path, _ := strings.Cut(route, " ")
					refused := call(method, path, "")
					require.Equal(t, http.StatusNotFound, refused.status, "%s of %s", route, user)
					require.JSONEq(t, `{"type":"about:blank","title":"Not Found","status":404,"detail":"Notificación no encontrada",
						"error":"Notificación no encontrada","code":"NOT_FOUND"}`, refused.body)
				}
			}
			require.Empty(t, ids(t, call("GET", "/api/notifications", "")))
			require.JSONEq(t, `{"success":true,"count":0}`, call("POST", "/api/notifications/read-all", "").body)
		}
		portal := s.browser(a.Portal)
		require.Equal(t, "p1", ids(t, portal("GET", "/api/notifications", "")))
		require.Equal(t, http.StatusOK, portal("PATCH", "/api/notifications/p1/read", "").status)
		require.Contains(t, portal("GET", "/api/notifications/stats", "").body, `"unreadCount":0,"totalCount":1`)
		require.Equal(t, http.StatusOK, portal("DELETE", "/api/notifications/p1", "").status)
		require.Equal(t, "n1", ids(t, s.browser(a.Professional)("GET", "/api/notifications?unread=true", "")))
	})
}

func TestWhatTheInboxCannotTakeIsRefusedAndChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		w := s.world.A
		s.stored("n1", w.Professional, ``, noon)
		call := s.browser(w.Professional)
		before := call("GET", "/api/notifications/preferences", "").body
		for request, want := range map[string]string{
			"GET ?limit=0": "400 limit", "GET ?limit=-1": "400 limit", "GET ?limit=1e9": "400 limit", "GET ?limit=101": "400 limit", "GET ?limit=": "400 limit",
			"GET ?limit=99999999999999999999": "400 limit", "GET ?page=0": "400 page", "GET ?page=x": "400 page", "GET ?page=100001": "400 page",
			"GET ?unread=1": "400 unread", "GET ?read=yes": "400 read", "GET ?read=true&unread=true": "400 read", "GET ?type=%00": "400 type",
			"GET ?type=" + strings.Repeat("x", 201): "400 type", "GET ?type=%ff": "400 type",
			"GET ?cursor=x": "400 cursor", "GET ?cursor=MS4xLg": "400 cursor", "GET ?cursor=" + strings.Repeat("A", 5000): "400 cursor",
			"GET ?cursor=MS4tMS5hYg": "400 cursor", "GET ?cursor=MS45OTk5OTk5OTk5OTk5OTk5OTkuYWI": "400 cursor",
			`POST  []`: "400 ", `POST  {"action":"delete-all"}`: "400 action", `POST  {`: "400 ", `POST  "read-all"`: "400 ", `POST  `: "400 ",
			`PUT /preferences []`: "400 ", `PUT /preferences null`: "400 ", `PUT /preferences {"enableSounds":"yes"}`: "400 enableSounds",
			`PUT /preferences {"enableSounds":null}`: "400 enableSounds", `PUT /preferences {"enableSounds":false,"notifyX":true}`: "400 notifyX",
			`PATCH /preferences {"reminderMinutesBefore":60}`:                         "400 reminderMinutesBefore",
			`PUT /preferences {"enableSounds":false,"reminderMinutesBefore":[60,0]}`:  "400 reminderMinutesBefore",
			`PUT /preferences {"enableSounds":false,"reminderMinutesBefore":[1.5]}`:   "400 reminderMinutesBefore",
			`PUT /preferences {"enableSounds":false,"reminderMinutesBefore":[43201]}`: "400 reminderMinutesBefore",
			`PUT /preferences {"enableSounds":false,"reminderMinutesBefore":["60"]}`:  "400 reminderMinutesBefore",
			`PUT /preferences {"enableSounds":false,"reminderMinutesBefore":null}`:    "400 reminderMinutesBefore",
			`PUT /preferences {"reminderMinutesBefore":[1,2,3,4,5,6,7,8,9,10,11]}`:    "400 reminderMinutesBefore",
			`PUT /preferences {"reminderMinutesBefore":[1e2]}`:                        "400 reminderMinutesBefore",
			"PATCH /%00/read": "400 notificationId", "DELETE /" + strings.Repeat("x", 300): "400 notificationId",
		} {
			method, rest, _ := strings.Cut(request, " ")
			path, body, _ := strings.Cut(rest, " ")
			a := call(method, "/api/notifications"+path, body)
			var problem struct {
				Status       int
				Field, Error string
			}
			require.NoErrorf(t, json.Unmarshal([]byte(a.body), &problem), "%s: %s", request, a.body)
			require.Equal(t, want, fmt.Sprint(problem.Status, " ", problem.Field), "%.80s: %s", request, a.body)
			require.NotEmpty(t, problem.Error)
			require.Equal(t, "application/problem+json", a.header.Get("Content-Type"))
		}
		cookie := s.cookie(w.Professional)
		wrong := s.do("PUT", "/api/notifications/preferences", `{"enableSounds":false}`, "Cookie", cookie, "Origin", s.url, "Content-Type", "text/plain")
		require.Equal(t, http.StatusUnsupportedMediaType, wrong.status)
		foreign := s.do("POST", "/api/notifications/read-all", "", "Cookie", cookie, "Origin", "https://evil.example")
		require.Equal(t, http.StatusUnauthorized, foreign.status, "another site's page")
		require.Equal(t, http.StatusUnauthorized, s.do("GET", "/api/notifications", "").status)
		lapsed := s.do("GET", "/api/notifications", "", "Cookie", "next-auth.session-token="+s.token(w.Professional, -time.Minute))
		require.Equal(t, http.StatusUnauthorized, lapsed.status)
		require.Contains(t, lapsed.body, "TOKEN_EXPIRED")
		require.Equal(t, http.StatusMethodNotAllowed, call("PUT", "/api/notifications/n1", "").status)

		require.Equal(t, before, call("GET", "/api/notifications/preferences", "").body)
		require.Equal(t, "n1", ids(t, call("GET", "/api/notifications?unread=true", "")))
	})
}

func TestPreferencesAreTheWholeRowAndTakeEffectAtOnce(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		w := s.world.A
		call := s.browser(w.Professional)
		row := call("GET", "/api/notifications/preferences", "").json(t)["preferences"].(m)
		for _, generated := range []string{"id", "createdAt", "updatedAt"} {
			require.NotEmpty(t, row[generated])
		}
		require.Equal(t, row, call("GET", "/api/notifications/preferences", "").json(t)["preferences"], "the row is made once")
		require.Equal(t, m{"id": row["id"], "userId": w.Professional, "tenantId": w.ID, "createdAt": row["createdAt"], "updatedAt": row["updatedAt"],
			"enablePushNotifications": true, "enableEmailNotifications": true, "enableSMSNotifications": false, "enableWhatsAppNotifications": false,
			"notifyAppointmentCreated": true, "notifyAppointmentUpdated": true, "notifyAppointmentCancelled": true, "notifyAppointmentReminder": true,
			"notifyScheduleChanges": true, "notifySystemAlerts": true, "enableSounds": true, "enableDesktopNotifications": true,
			"enableToastNotifications": true, "reminderMinutesBefore": []any{1440.0, 60.0}}, row)

		// The page sends the whole row back, and what identifies it is not written.
		row["notifyAppointmentCreated"], row["reminderMinutesBefore"] = false, []int{}
		forged := m{}
		for k, v := range row {
			forged[k] = v
		}
		forged["id"], forged["userId"], forged["tenantId"], forged["createdAt"] = "x", w.Admin, s.world.B.ID, "1999-01-01T00:00:00.000Z"
		body, err := json.Marshal(forged)
		require.NoError(t, err)
		a := call("PUT", "/api/notifications/preferences", string(body))
		require.Equalf(t, http.StatusOK, a.status, "%s", a.body)
		put := a.json(t)["preferences"].(m)
		require.Equal(t, []any{row["id"], w.Professional, w.ID, row["createdAt"], false, []any{}},
			[]any{put["id"], put["userId"], put["tenantId"], put["createdAt"], put["notifyAppointmentCreated"], put["reminderMinutesBefore"]})

		emitted := s.emitted("appointments/created", m{"appointmentId": w.Appointment, "tenantId": w.ID})
		require.Empty(t, emitted["notifications"])
		a = call("PATCH", "/api/notifications/preferences", `{"notifyAppointmentCreated":true}`)
		require.Equal(t, []any{}, a.json(t)["preferences"].(m)["reminderMinutesBefore"], "what was not named stays")
		require.Len(t, s.emitted("appointments/created", m{"appointmentId": w.Appointment, "tenantId": w.ID})["notifications"], 1)

		portal := s.browser(w.Portal)
		defaults := portal("GET", "/api/notifications/preferences", "").json(t)["preferences"].(m)
		require.Equal(t, []any{nil, w.Portal, true}, []any{defaults["id"], defaults["userId"], defaults["notifyAppointmentReminder"]})
		refused := portal("PUT", "/api/notifications/preferences", `{"enableSounds":false}`)
		require.Equal(t, http.StatusForbidden, refused.status)
		require.Contains(t, refused.body, "portal")
	})
}

func TestOfTwoWritesAtOnceOneIsLastAndWhole(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		call := s.browser(s.world.A.Professional)
		var wg sync.WaitGroup
		for i := range 20 { // nobody has a row yet: both would make one
			wg.Go(func() {
				on := i%2 == 0
				body := fmt.Sprintf(`{"enableSounds":%t,"notifySystemAlerts":%t,"reminderMinutesBefore":[%d]}`, on, on, map[bool]int{true: 1, false: 2}[on])
				if a := call("PUT", "/api/notifications/preferences", body); a.status != http.StatusOK {
					t.Errorf("%d: %s", a.status, a.body)
				}
			})
		}
		wg.Wait()
		row := call("GET", "/api/notifications/preferences", "").json(t)["preferences"].(m)
		require.Equal(t, row["enableSounds"], row["notifySystemAlerts"])
		require.Equal(t, []any{map[bool]float64{true: 1, false: 2}[row["enableSounds"].(bool)]}, row["reminderMinutesBefore"])
	})
}

func TestThePreflightOfAnAllowedOriginNamesTheInboxMethods(t *testing.T) {
	t.Parallel()
	s := start(t, dbtest.MigratedSQLiteURL(t), "INBOX_WAIT", "0")
	a := s.do("OPTIONS", "/api/notifications/n1", "", "Origin", "https://citas.example.com", "Access-Control-Request-Method", "DELETE")
	require.Equal(t, http.StatusNoContent, a.status)
	require.Equal(t, "https://citas.example.com", a.header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "GET,POST,PUT,PATCH,DELETE", a.header.Get("Access-Control-Allow-Methods"))
}

func TestTheInboxCanStayWithTheApp(t *testing.T) {
	t.Parallel()
	s := start(t, dbtest.MigratedSQLiteURL(t), "INBOX_ROUTES", "upstream", "UPSTREAM_URL", nextJS(t))
	require.Equal(t, "Next.js: GET /api/notifications", s.do("GET", "/api/notifications?limit=50", "").body)
	require.Equal(t, "Next.js: PUT /api/notifications/preferences", s.do("PUT", "/api/notifications/preferences", "{}").body)
}

// TestTheFirstListWaitsForThePagesOwnSockets: see contract/frontend.md, "Connection". The list is asked for while a socket
// has made its handshake and not yet sent CONNECT, and is answered once it has.
func TestTheFirstListWaitsForThePagesOwnSockets(t *testing.T) {
	t.Parallel()
	s := start(t, dbtest.MigratedSQLiteURL(t), "INBOX_WAIT", "2m") // else it may be what ends the wait
	call := s.browser(s.world.A.Professional)
	cookie := s.cookie(s.world.A.Professional)
	open := s.do("GET", "/api/socket?EIO=4&transport=polling", "", "Cookie", cookie, "Sec-Fetch-Site", "same-origin").body
	var handshake struct{ SID string }
	require.NoError(t, json.Unmarshal([]byte(strings.TrimPrefix(open, "0")), &handshake))
	answered := make(chan time.Time, 1)
	go func() {
		call("GET", "/api/notifications?limit=50", "")
		answered <- time.Now()
	}()
	call("GET", "/api/notifications/stats", "") // a round trip later the list still waits
	require.Empty(t, answered)
	connected := time.Now()
	session := "/api/socket?EIO=4&transport=polling&sid=" + handshake.SID
	require.Equal(t, "ok", s.do("POST", session, "40{}").body)
	require.Contains(t, s.do("GET", session, "").body, `40{"sid":`) // the page knows of its socket when it has this
	select {
	case at := <-answered:
		require.True(t, at.After(connected))
		require.Less(t, at.Sub(connected), 30*time.Second, "else the session's end was what ended the wait")
	case <-time.After(patience):
		t.Fatal("the list was not answered when the socket had connected")
	}
}

func TestAPreferenceChangedOnOneServerHoldsOnAllAtOnce(t *testing.T) {
	t.Parallel()
	url, _ := dbtest.PostgresURL(t)
	one := start(t, url)
	cfg, err := config.Parse(settings(url))
	require.NoError(t, err)
	two, err := app.New(t.Context(), cfg, app.Options{Version: "test"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, two.Close()) })
	w := one.world.A
	emit := func() (ids []string, statements int) {
		statements = dbtest.Statements(two.Store, func() {
			r, err := two.Notify().ScheduleUpdated(t.Context(), notify.ScheduleUpdated{TenantID: w.ID, ProfessionalID: w.Professional})
			require.NoError(t, err)
			ids = r.Notifications
		})
		return ids, statements
	}
	before, cost := emit()
	require.Len(t, before, 1)
	a := one.browser(w.Professional)("PATCH", "/api/notifications/preferences", `{"notifyScheduleChanges":false}`)
	require.Equal(t, http.StatusOK, a.status)
	after, silent := emit()
	require.Empty(t, after, "the other server knows at once")
	require.LessOrEqual(t, silent, cost, "and asks nothing more for it: preferences come with the recipient")
}
