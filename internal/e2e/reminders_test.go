package e2e_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/models"
)

// appointmentIn adds an appointment of tenant A's professional and portal user that was booked an hour ago.
func (s *scene) appointmentIn(id string, d time.Duration) time.Time {
	start := time.Now().Add(d).UTC().Truncate(time.Millisecond)
	s.world.AddAppointment(s.world.A, id, func(a *models.Appointment) {
		a.StartTime, a.EndTime = start, start.Add(45*time.Minute)
		a.CreatedAt, a.UpdatedAt = time.Now().Add(-time.Hour), time.Now().Add(-time.Hour)
	})
	return start
}

func TestTheServerRemindsByItself(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		n := startNode(t)
		a := s.world.A
		professional, portal := n.connect(s.url, s.as(a.Professional)), n.connect(s.url, s.as(a.Portal))
		admin := n.connect(s.url, s.as(a.Admin))
		start := s.appointmentIn("soon", time.Hour+1500*time.Millisecond)
		for who, to := range map[string]*client{"Tienes una cita en 60 minutos": professional, "Tu cita es en 60 minutos": portal} {
			event := object(t, to.event("appointment:reminder").payload())
			require.EqualValues(t, 60, event["minutesBefore"])
			require.Equal(t, "soon", event["appointment"].(m)["appointmentId"])
			require.Equal(t, start.Format("2006-01-02T15:04:05.000Z"), event["appointment"].(m)["startTime"])
			sent, err := time.Parse(time.RFC3339Nano, event["timestamp"].(string))
			require.NoError(t, err)
			require.WithinRange(t, sent, start.Add(-time.Hour), start.Add(-time.Hour+30*time.Second), "not early, and at most 30 s late")
			note := object(t, to.event("notification:new").payload())
			require.Equal(t, "Recordatorio: "+who, note["message"])
			require.Equal(t, "appointment:reminder", note["type"])
			require.Equal(t, "high", note["priority"])
			require.EqualValues(t, 60, note["data"].(m)["minutesBefore"])
		}
		admin.settle()
		require.Empty(t, admin.events(), "a reminder is nobody else's")
		require.Len(t, s.world.Notifications(), 2)
		s.ready(http.StatusOK, `"reminders":{"status":"ok"}`)
		require.Eventually(t, func() bool { return s.metric(`realtime_reminders_total{result="sent"}`) == "2" }, patience, 5*time.Millisecond,
			"it counts what it has sent")
		require.Equal(t, http.StatusNotFound, s.do("GET", "/api/cron/send-reminders", "").status, "there is no CRON_SECRET")
	}, "REMINDERS_INTERVAL", "100ms")
}

func TestAnExternalCronSendsWhatIsDueOnce(t *testing.T) {
	const cron = "the-secret-of-the-external-cron"
	each(t, func(t *testing.T, s *scene) {
		n := startNode(t)
		professional := n.connect(s.url, s.as(s.world.A.Professional))
		for i := range 5 {
			s.appointmentIn(fmt.Sprint("due-", i), 59*time.Minute+30*time.Second)
		}
		for _, header := range []string{"", "Bearer", "Bearer ", "Bearer wrong", cron, "Basic " + cron, "Bearer " + cron + "x",
			"Bearer " + apiKey} {
			got := s.do("GET", "/api/cron/send-reminders", "", "Authorization", header)
			require.Equal(t, http.StatusUnauthorized, got.status, header)
			require.Contains(t, got.header.Get("Content-Type"), "application/problem+json")
		}
		require.Empty(t, s.world.Notifications())
		var wg sync.WaitGroup
		var mu sync.Mutex
		sent := 0.0
		for _, method := range []string{"GET", "POST", "GET", "POST"} {
			wg.Go(func() {
				got, err := call(method, s.url+"/api/cron/send-reminders", "", "Authorization", "Bearer "+cron)
				if err != nil || got.status != http.StatusOK {
					t.Errorf("%d %s %v", got.status, got.body, err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				answer := got.json(t)
				require.Equal(t, true, answer["success"])
				require.Zero(t, answer["failed"])
				sent += answer["sent"].(float64)
			})
		}
		wg.Wait()
		require.EqualValues(t, 10, sent)
		require.Len(t, s.world.Notifications(), 10)
		for range 5 {
			professional.event("appointment:reminder")
			professional.event("notification:new")
		}
		professional.settle()
		require.Empty(t, professional.events())
		require.NotContains(t, s.do("GET", "/readyz", "").body, "reminders", "when the cron calls is not this server's to say")
		require.Equal(t, http.StatusMethodNotAllowed, s.do("DELETE", "/api/cron/send-reminders", "", "Authorization", "Bearer "+cron).status)
	}, "REMINDERS", "false", "CRON_SECRET", cron)
}
