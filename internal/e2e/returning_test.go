package e2e_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
)

// offline waits until the others of the tenant hear that a user is gone: after the grace.
func (c *client) offline(user string) {
	c.n.t.Helper()
	c.wait("user:offline of "+user, func(m message) bool {
		return m.Event == "user:offline" && object(c.n.t, m.payload())["userId"] == user
	})
}

// notice sends a notification to a user and returns its id.
func (s *scene) notice(tenant, user, text string) string {
	s.t.Helper()
	answer := s.emitted("notification", m{"tenantId": tenant, "userId": user, "type": "test", "message": text, "data": m{"text": text},
		"priority": "high"})
	return answer["notifications"].([]any)[0].(string)
}

// told waits for calendar:refresh of who comes back, and returns the notifications that came before it.
func (c *client) told() (notes []m) {
	c.n.t.Helper()
	refresh := object(c.n.t, c.event("calendar:refresh").payload())
	require.Equal(c.n.t, "reconnected", refresh["reason"])
	require.Equal(c.n.t, []any{}, refresh["affectedDates"])
	require.NotEmpty(c.n.t, refresh["timestamp"])
	c.settle()
	c.mu.Lock()
	defer c.mu.Unlock()
	left := c.messages[:0]
	for _, e := range c.messages {
		switch e.Event {
		case "notification:new":
			notes = append(notes, object(c.n.t, e.payload()))
		case "calendar:refresh":
			c.n.t.Errorf("a second calendar:refresh: %s", e.payload())
		default:
			left = append(left, e)
		}
	}
	c.messages = left
	return notes
}

// missedRow is a notification that is stored now, and sent to nobody.
func missedRow(tenant, user, id string) *models.NotificationLog {
	now, metadata := store.UTC(time.Now()), `{"isRealtime":true,"eventType":"x","eventData":null,"priority":"high"}`
	return &models.NotificationLog{ID: id, Type: "PROMOTION", Channel: "PUSH", RecipientID: user, RecipientName: "x", RecipientContact: "x",
		Message: "m", Status: "SENT", TenantID: tenant, UserID: &user, Metadata: &metadata, CreatedAt: now, UpdatedAt: now}
}

func noteIDs(notes []m) []string {
	out := []string{}
	for _, n := range notes {
		out = append(out, n["id"].(string))
	}
	return out
}

func TestWhoComesBackGetsWhatWasMissedOnceOnEverySocket(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		n := startNode(t)
		a := s.world.A
		other := n.connect(s.url, s.as(a.Manager))
		s.notice(a.ID, a.Admin, "before the first sign-in")
		first := n.connect(s.url, s.as(a.Admin))
		require.Eventually(t, func() bool { return s.metric(`realtime_returns_total{result="new"}`) == "2" }, patience, 5*time.Millisecond,
			"both first sign-ins are noted")
		s.notice(a.ID, a.Admin, "while here")
		first.event("notification:new")
		time.Sleep(1100 * time.Millisecond) // what is dated less than a second before the end may come again, by its id
		first.close()
		other.offline(a.Admin)
		require.NotContains(t, first.events(), "calendar:refresh", "a first sign-in")

		s.world.Insert(missedRow(s.world.B.ID, a.Admin, "another tenant's"))
		var missed []string
		for i := range 3 {
			missed = append(missed, s.notice(a.ID, a.Admin, fmt.Sprint("missed ", i)))
		}
		read := s.notice(a.ID, a.Admin, "read elsewhere")
		require.Equal(t, 200, s.do("PATCH", "/api/notifications/"+read+"/read", "", "Cookie", s.cookie(a.Admin), "Origin", s.url).status)
		s.notice(a.ID, a.Manager, "somebody else's")

		var sockets []*client
		for range 5 {
			sockets = append(sockets, n.open(s.url, s.as(a.Admin)))
		}
		for _, c := range sockets {
			notes := c.told()
			require.Equal(t, missed, noteIDs(notes))
			require.Equal(t, true, notes[0]["replayed"])
			require.Equal(t, "missed 0", notes[0]["message"])
			require.Equal(t, m{"text": "missed 0"}, notes[0]["data"])
			require.Equal(t, "test", notes[0]["type"])
			require.Equal(t, a.Admin, notes[0]["userId"])
		}
		other.settle()
		require.NotContains(t, other.events(), "calendar:refresh", "nobody else's calendar")
		require.Contains(t, s.do("GET", "/metrics", "").body, `realtime_returns_total{result="back"} 1`)
		require.Contains(t, s.do("GET", "/metrics", "").body, "realtime_replayed_notifications_total 3")
	}, "OFFLINE_GRACE", "100ms")
}

func TestAReloadCausesNothing(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		n := startNode(t)
		a := s.world.A
		n.connect(s.url, s.as(a.Admin)).settle()
		for range 3 {
			page := n.connect(s.url, s.as(a.Admin))
			page.close()
			page.kind("disconnect")
		}
		last := n.connect(s.url, s.as(a.Admin))
		last.settle()
		require.Empty(t, last.events())
		body := s.do("GET", "/metrics", "").body
		require.NotContains(t, body, `realtime_returns_total{result="back"}`)
	})
}

func TestWhatCameWhileTheServerWasDownIsTold(t *testing.T) {
	url, world, keys := database(t)
	vars := settings(url, "PORT", freePort(t))
	a := world.A
	p := launch(t, t.TempDir(), vars)
	c := startNode(t).connect(p.url, open{Token: sessionOf(t, keys, a.Admin),
		Options: m{"reconnectionAttempts": 1000, "reconnectionDelay": 100, "reconnectionDelayMax": 300}})
	require.Eventually(t, func() bool { // the first sign-in is noted
		got, err := call("GET", p.url+"/metrics", "")
		return err == nil && strings.Contains(got.body, `realtime_returns_total{result="new"} 1`)
	}, patience, 5*time.Millisecond)
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		p.signal(sig)
		p.ended()
		id := "down-" + sig.String()
		world.Insert(missedRow(a.ID, a.Admin, id))
		p = launch(t, t.TempDir(), vars)
		require.Contains(t, noteIDs(c.told()), id, "though it was down for less than the grace")
	}
}
