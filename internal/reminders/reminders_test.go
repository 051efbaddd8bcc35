package reminders

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/notify"
	"github.com/citaplanner/realtime/internal/outbox"
	"github.com/citaplanner/realtime/pkg/contract"
)

func TestARemindersTimeComesOnceForEachOfTheTwo(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		require.Empty(t, s.passed())
		s.before(60, -time.Millisecond)
		require.Empty(t, s.passed())
		s.before(60, 0)
		require.Equal(t, bothAnHourBefore, s.passed())
		for range 3 {
			s.advance(10 * time.Second)
			require.Empty(t, s.passed())
		}
		require.Equal(t, map[string]int{"sent a-portal": 1, "sent a-professional": 1}, s.outcomes())
		require.Len(t, s.world.Notifications(), 2)
		require.Equal(t, map[string]float64{"sent": 2}, s.results())

		s.at(start.Add(5 * time.Second)) // the second: 25 h after the world, no portal user
		require.Equal(t, []string{"1440 → a-professional-2"}, s.passed())
	})
}

func TestMinutesAreThoseOfEachUserAndTenant(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.prefer(func(p *models.UserNotificationPreferences) { p.ReminderMinutesBefore = models.IntList{120, 5} })
		s.settings(true, `["1h", "15m"]`)
		var got []string
		for _, minutes := range []int{121, 120, 61, 60, 59, 16, 15, 14, 6, 5, 4, 1, 0} {
			s.before(minutes, time.Second)
			for _, r := range s.passed() {
				got = append(got, fmt.Sprintf("%d: %s", minutes, r))
			}
		}
		require.Equal(t, []string{
			"120: 120 → a-professional", "60: 60 → a-portal", "15: 15 → a-portal", "5: 5 → a-professional",
		}, got[:4])
		require.Equal(t, []string{"0: 1440 → a-professional-2"}, got[4:], "the next day's, whose professional has no row")
	})
}

func TestWhoWantsNoneGetsNone(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.settings(true, "[]")
		minutes := func(list models.IntList) {
			s.prefer(func(p *models.UserNotificationPreferences) { p.ReminderMinutesBefore = list })
		}
		for _, c := range []struct {
			name     string
			off, and func()
		}{
			{"no minutes", func() { minutes(models.IntList{}) }, nil},
			{"NULL minutes", func() { minutes(nil) }, nil},
			{"others", func() { minutes(models.IntList{59, 30}) }, nil},
			{"switched off", func() {
				s.prefer(func(p *models.UserNotificationPreferences) { p.NotifyAppointmentReminder = false })
				s.exec(`UPDATE notification_settings SET "appointmentReminderEnabled" = ?, "appointmentReminderTimes" = NULL`, false)
			}, func() {
				minutes(models.IntList{60})
				s.exec(`UPDATE notification_settings SET "appointmentReminderEnabled" = ?`, true)
			}},
			{"gone", func() {
				s.world.SetUserActive(s.a.Professional, false)
				s.world.SetPortalActive(s.a.Portal, false)
			}, func() {
				s.world.SetUserActive(s.a.Professional, true)
				s.world.SetPortalActive(s.a.Portal, true)
			}},
			{"the tenant is shut", func() { s.world.SetTenantActive(s.a.ID, false) }, func() { s.world.SetTenantActive(s.a.ID, true) }},
			{"done", func() { s.set(s.a.Appointment, "status", "COMPLETED") }, nil},
			{"no show", func() { s.set(s.a.Appointment, "status", "NO_SHOW") }, func() { s.set(s.a.Appointment, "status", "PENDING") }},
			{"moved to another tenant", func() {
				s.world.MoveUser(s.a.Professional, s.b.ID)
				s.exec(`UPDATE client_users SET "tenantId" = ? WHERE id = ?`, s.b.ID, s.a.Portal)
			}, func() {
				s.world.MoveUser(s.a.Professional, s.a.ID)
				s.exec(`UPDATE client_users SET "tenantId" = ? WHERE id = ?`, s.a.ID, s.a.Portal)
			}},
		} {
			c.off()
			s.before(60, time.Second)
			require.Empty(t, s.passed(), c.name)
			require.Empty(t, s.world.Notifications(), c.name)
			s.before(150, 0)
			if c.and != nil {
				c.and()
			}
		}
		s.before(60, time.Second)
		require.Equal(t, bothAnHourBefore, s.passed(), "and who does want them does")
	})
}

func TestPushOffKeepsTheRowAndTheEvent(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.prefer(func(p *models.UserNotificationPreferences) { p.EnablePushNotifications = false })
		s.settings(false, "")
		s.set(s.a.Appointment, "status", "PENDING")
		s.before(60, time.Second)
		_, err := s.Pass(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"60 → a-professional"}, s.out.list, "no notification:new")
		require.Len(t, s.world.Notifications(), 1)
	})
}

func TestManyNodesAtOnceSendOnce(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		for i := range 30 {
			s.add(fmt.Sprint("x-", i))
		}
		s.before(60, 5*time.Second)
		var wg sync.WaitGroup
		var mu sync.Mutex
		var total Counts
		for i := range 6 { // three nodes; a cron beside each one's own pass
			if i%2 == 0 {
				s.Service = s.node(s.out)
			}
			n := s.Service
			wg.Go(func() {
				done, err := n.Pass(t.Context())
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				total.Sent += done.Sent
			})
		}
		wg.Wait()
		require.Equal(t, 62, total.Sent)
		require.Len(t, s.out.take(), 62)
		require.Len(t, s.world.Notifications(), 62)
	})
}

func TestAnAppointmentThatIsMovedIsRemindedOfAgain(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.before(60, time.Second)
		require.Equal(t, bothAnHourBefore, s.passed())
		s.move(s.a.Appointment, start.Add(30*time.Minute))
		require.Empty(t, s.passed())
		s.advance(30 * time.Minute)
		require.Equal(t, bothAnHourBefore, s.passed())
		s.move(s.a.Appointment, start)
		require.Empty(t, s.passed(), "of this start both know already")
	})
}

func TestAMoveIntoTheLeadTimeSendsNoReminderOfTheWrongMinutes(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.move(s.a.Appointment, start.Add(time.Hour))
		s.before(50, 0)
		s.move(s.a.Appointment, start) // in 50 minutes: 60 before was ten minutes ago
		require.Empty(t, s.passed())
		require.Equal(t, 1, s.outcomes()["moot a-professional"])
		s.advance(time.Minute)
		require.Empty(t, s.passed())
		s.prefer(func(p *models.UserNotificationPreferences) { p.ReminderMinutesBefore = models.IntList{60, 45} })
		s.before(45, 0)
		require.Equal(t, []string{"45 → a-professional"}, s.passed())
	})
}

func TestBookedOrAskedForTooLateIsNotRemindedOf(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.before(59, 0)
		s.exec(`UPDATE appointments SET "createdAt" = ?, "updatedAt" = ? WHERE id = ?`, s.now(), s.now(), s.a.Appointment)
		require.Empty(t, s.passed())
		s.before(30, 0)
		s.world.Prefer(s.a, s.a.Professional, func(p *models.UserNotificationPreferences) {
			p.ReminderMinutesBefore, p.UpdatedAt = models.IntList{35, 20}, s.now()
		})
		require.Empty(t, s.passed(), "wished for when it was past")
		s.before(20, 0)
		require.Equal(t, []string{"20 → a-professional"}, s.passed())
	})
}

func TestANoteWrittenJustAfterTheTimeKeepsNoReminderBack(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.before(70, 0)
		require.Empty(t, s.passed())
		require.Equal(t, map[string]int{"armed a-portal": 1, "armed a-professional": 1}, s.outcomes())
		s.before(60, time.Second)
		s.set(s.a.Appointment, "notes", "trae su propio tinte")
		s.advance(time.Second)
		require.Equal(t, bothAnHourBefore, s.passed())
	})
}

func TestACancelledOrDeletedAppointmentIsNotRemindedOf(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.before(61, 0)
		require.Empty(t, s.passed())
		s.set(s.a.Appointment, "status", "CANCELLED")
		s.before(60, time.Second)
		require.Empty(t, s.passed())
		s.set(s.a.Appointment, "status", "CONFIRMED")
		require.Equal(t, bothAnHourBefore, s.passed(), "it was taken back, and was armed before")
	})
}

func TestWhatChangesBetweenFindingAndSendingIsNotSent(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.settings(false, "")
		changes := map[string]func(id string){
			"cancelled":     func(id string) { s.set(id, "status", "CANCELLED") },
			"moved":         func(id string) { s.move(id, start.Add(time.Minute)) },
			"deleted":       func(id string) { s.world.DeleteAppointment(id) },
			"somebody's":    func(id string) { s.set(id, "userId", s.a.Professional2) },
			s.a.Appointment: func(string) {},
		}
		for id := range changes {
			if id != s.a.Appointment {
				s.add(id)
			}
		}
		s.before(60, time.Second)
		s.Service = New(s.st, meanwhile{s.notify(), func(id string) { changes[id](id) }}, Options{Now: s.now, Workers: 1})
		done, err := s.Pass(t.Context())
		require.NoError(t, err)
		require.Equal(t, Counts{Sent: 1}, done)
		require.Equal(t, []string{"60 → a-professional"}, s.out.take())
		require.Equal(t, s.a.Appointment, *s.world.Notifications()[0].AppointmentID)
	})
}

func TestTheClaimLooksAtTheAppointmentOnceMore(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		m := store.Reminder{TenantID: s.a.ID, AppointmentID: s.a.Appointment, RecipientID: s.a.Professional, Minutes: 60, StartAt: start}
		s.set(s.a.Appointment, "status", "CANCELLED") // which loading it does not ask
		sent, err := s.notify().Remind(t.Context(), m, start)
		require.NoError(t, err)
		require.False(t, sent)
		require.Empty(t, s.outcomes())
	})
}

func TestTheClockMayJump(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.before(60, time.Second)
		require.Equal(t, bothAnHourBefore, s.passed())
		s.before(120, 0) // back an hour, and through it again
		for range 8 {
			require.Empty(t, s.passed())
			s.advance(10 * time.Minute)
		}

		s.prefer(func(p *models.UserNotificationPreferences) { p.ReminderMinutesBefore = models.IntList{30, 10} })
		s.settings(false, "")
		s.at(start.AddDate(1, 0, 0)) // a year ahead: all is past
		s.prune(t.Context())
		require.Empty(t, s.passed())
		s.before(32, 0) // and right again
		require.Empty(t, s.passed())
		require.Equal(t, 1, s.outcomes()["sent a-portal"], "nothing was forgotten")
		s.before(5, 0) // ahead half an hour: ten before is sent, thirty before is late
		require.Equal(t, []string{"10 → a-professional"}, s.passed())
		require.Equal(t, 1, s.outcomes()["late a-professional"])
		s.before(30, time.Second)
		require.Equal(t, []string{"30 → a-professional"}, s.passed(), "what a wrong clock gave up is not lost")
		s.before(10, time.Second)
		require.Empty(t, s.passed())
	})
}

func TestWhatIsTooLateAfterAnOutageIsGivenUpAndCounted(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		require.Empty(t, s.passed())
		s.before(44, 0) // 16 minutes late
		s.Service = s.node(s.out)
		done, err := s.Pass(t.Context())
		require.NoError(t, err)
		require.Equal(t, Counts{}, done, "the first start of all looks back no further than the tolerance")
		require.Empty(t, s.out.take())

		s.prefer(func(p *models.UserNotificationPreferences) { p.ReminderMinutesBefore = models.IntList{40, 20, 1} })
		s.settings(false, "")
		s.before(43, 0)
		require.Empty(t, s.passed())
		s.before(3, 0)
		s.Service = s.node(s.out) // after 40 minutes
		done, err = s.Pass(t.Context())
		require.NoError(t, err)
		require.Equal(t, Counts{Skipped: 2}, done)
		require.Empty(t, s.out.take())
		require.Equal(t, 2, s.outcomes()["late a-professional"])
		require.Equal(t, map[string]float64{"late": 2}, s.results())
		require.Empty(t, s.passed())
		s.at(start) // never at or after the start, though a minute is within the tolerance
		done, err = s.Pass(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, done.Skipped)
		require.NotContains(t, s.out.take(), "1 → a-professional")
	})
}

func TestWithinTheToleranceItIsSentAfterAnOutage(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.settings(true, `{"times":[60],"toleranceMinutes":5}`)
		s.before(61, 0)
		require.Empty(t, s.passed())
		s.before(46, 0) // 14 minutes late
		require.Empty(t, s.passed(), "the tenant's tolerance, for its professionals as well")
		s.exec(`DELETE FROM notification_settings`)
		require.Equal(t, bothAnHourBefore, s.passed(), "the server's")
	})
}

func TestACrashBetweenClaimAndSendIsMadeGood(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.before(60, time.Second)
		s.out.kill = true
		done, err := s.Pass(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2, done.Failed)
		s.out.kill = false
		require.Len(t, s.world.Deliveries(), 2)
		s.Service = s.node(s.out)
		require.Empty(t, s.passed(), "they are claimed")
		s.advance(6 * time.Second)
		s.drain(outbox.Options{})
		require.Equal(t, bothAnHourBefore, s.out.take())
		require.Empty(t, s.world.Deliveries())
		require.Len(t, s.world.Notifications(), 2)
	})
}

func TestWhatACrashLeftIsNotDeliveredWhenItIsTooLate(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.before(60, time.Second)
		s.out.kill = true
		_, err := s.Pass(t.Context())
		require.NoError(t, err)
		s.out.kill = false
		s.before(44, 0)
		late := s.drain(outbox.Options{})
		require.Empty(t, s.out.list)
		require.Empty(t, late.Missed(s.a.ID, s.a.Professional, contract.RoleProfessional))
		require.Empty(t, s.world.Deliveries())
		require.Len(t, s.world.Notifications(), 2, "the rows are in the inbox")
	})
}

func TestAnOutageOfTheDatabaseIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := newScene(t, dbtest.SQLite(t))
	s.before(60, time.Second)
	s.Service = New(s.st, failing{contract.NewError(contract.CodeUnavailable, "down")}, Options{Now: s.now})
	done, err := s.Pass(t.Context())
	require.Equal(t, contract.CodeUnavailable, contract.CodeOf(err))
	require.Equal(t, 2, done.Failed)
	require.NoError(t, s.Ready(t.Context()))
	s.advance(3 * time.Minute)
	require.Error(t, s.Ready(t.Context()))
	s.Service = New(s.st, failing{errors.New("this one cannot be read")}, Options{Now: s.now})
	s.advance(3 * time.Minute)
	done, err = s.Pass(t.Context())
	require.NoError(t, err, "one reminder is not the pass")
	require.Equal(t, 2, done.Failed)
	require.NoError(t, s.Ready(t.Context()))
}

func TestAPassWithNothingToDoIsTwoQueries(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		require.Empty(t, s.passed())
		queries := dbtest.Statements(s.st, func() { require.Empty(t, s.passed()) })
		require.Equal(t, 2, queries)
	})
}

func TestTheServicePassesByItselfAndEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := newScene(t, dbtest.SQLite(t))
	s.opts.Every = 5 * time.Millisecond
	s.before(60, time.Second)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	require.Eventually(t, func() bool { return len(s.world.Notifications()) == 2 }, time.Minute, 5*time.Millisecond)
	stop()
	require.NoError(t, <-ended)
}

func TestOldReminderRowsAreForgotten(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.before(60, time.Second)
		require.Len(t, s.passed(), 2)
		s.at(start.AddDate(0, 0, 7))
		s.prune(t.Context()) // the clock has jumped
		s.prune(t.Context())
		require.Len(t, s.outcomes(), 2)
		s.advance(time.Second)
		s.prune(t.Context())
		require.Empty(t, s.outcomes())
	})
}

// meanwhile is a Reminder before which something happens.
type meanwhile struct {
	Reminder
	first func(appointmentID string)
}

func (m meanwhile) Remind(ctx context.Context, r store.Reminder, until time.Time) (bool, error) {
	m.first(r.AppointmentID)
	return m.Reminder.Remind(ctx, r, until)
}

// failing is a Reminder that always fails.
type failing struct{ err error }

func (f failing) Remind(context.Context, store.Reminder, time.Time) (bool, error) {
	return false, f.err
}

// notify is a notification service of its own over the scene.
func (s *scene) notify() *notify.Service {
	return notify.New(s.st, s.out, notify.Options{Now: s.now})
}

// drain runs an outbox once over what was left.
func (s *scene) drain(o outbox.Options) *outbox.Outbox {
	s.t.Helper()
	o.Now = s.now
	box := outbox.New(s.st, s.notify(), o)
	ctx, stop := context.WithCancel(s.t.Context())
	ended := make(chan error)
	go func() { ended <- box.Run(ctx) }()
	require.Eventually(s.t, func() bool { return len(s.world.Deliveries()) == 0 }, time.Minute, 5*time.Millisecond)
	stop()
	require.NoError(s.t, <-ended)
	return box
}
