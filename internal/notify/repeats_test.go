package notify_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/internal/notify"
	"github.com/citaplanner/realtime/pkg/contract"
)

func TestADoubleClickIsStoredAndSentOnce(t *testing.T) {
	for _, e := range emits {
		if e.statements == 1 {
			continue // nothing is stored
		}
		t.Run(e.name, func(t *testing.T) {
			each(t, func(t *testing.T, s *scene) {
				if e.before != nil {
					e.before(s)
				}
				first, err := e.call(t.Context(), s)
				require.NoError(t, err)
				rows := s.rows()
				require.NotEmpty(t, s.out.take())
				s.clock.advance(4999 * time.Millisecond)
				again, err := e.call(t.Context(), s)
				require.NoError(t, err)
				require.Empty(t, again.Notifications)
				require.NotEqual(t, first.ID, again.ID)
				require.Zero(t, again.Delivered.Sockets)
				require.Empty(t, s.out.brief())
				require.Equal(t, rows, s.rows())

				s.clock.advance(time.Millisecond) // five seconds after the first
				_, err = e.call(t.Context(), s)
				require.NoError(t, err)
				require.Len(t, s.rows(), 2*len(rows))
				require.NotEmpty(t, s.out.take())
			})
		})
	}
}

func TestOfTwentyAtOnceOneIsStoredAndSent(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		var wg sync.WaitGroup
		errs := make(chan error, 20)
		for range 20 {
			wg.Go(func() {
				_, err := s.AppointmentCreated(t.Context(), notify.AppointmentCreated{
					TenantID: s.a.ID, AppointmentID: s.a.Appointment,
				})
				errs <- err
			})
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			require.NoError(t, err)
		}
		require.Len(t, s.rows(), 1)
		require.Equal(t, []string{"appointment:created → tenant:tenant-a", toProfessional}, s.out.brief())
	})
}

func TestAStatusSetAndSetBackIsToldEachTime(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		update := func(status string) []string {
			require.NoError(t, s.st.DB(t.Context()).Exec(
				`UPDATE appointments SET "isOnline" = `+status+` WHERE id = ?`, s.a.Appointment).Error)
			_, err := s.AppointmentUpdated(t.Context(), notify.AppointmentUpdated{
				TenantID: s.a.ID, AppointmentID: s.a.Appointment, ActorID: s.a.Admin,
			})
			require.NoError(t, err)
			return s.out.brief()
		}
		require.Len(t, update("true"), 2)
		require.Len(t, update("false"), 2)
		require.Len(t, update("true"), 2)
		require.Empty(t, update("true"), "the same again is a repeat")
	})
}

func TestAnotherContentOrAppointmentOrUserIsNoRepeat(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		remind := func(appointment string, minutes int) {
			_, err := s.AppointmentReminder(t.Context(), notify.AppointmentReminder{
				TenantID: s.a.ID, AppointmentID: appointment, MinutesBefore: minutes,
			})
			require.NoError(t, err)
		}
		custom := func(user, message string) {
			_, err := s.Custom(t.Context(), notify.Custom{TenantID: s.a.ID, UserID: user, Type: "t", Message: message})
			require.NoError(t, err)
		}
		remind(s.a.Appointment3, 60)
		remind(s.a.Appointment3, 30)
		remind(s.a.Appointment2, 30)
		require.Len(t, s.rows(), 3)
		custom(s.a.Admin, "one")
		custom(s.a.Admin2, "one")
		custom(s.a.Admin, "two")
		require.Len(t, s.rows(), 6)
		custom(s.a.Admin, "one") // another one in between does not make it news
		require.Len(t, s.rows(), 6)
	})
}

func TestAScheduleThatIsNotToldIsRefreshedEachTimeAndNotifiedOnce(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		change := func(schedule string) []string {
			_, err := s.ScheduleUpdated(t.Context(), notify.ScheduleUpdated{
				TenantID: s.a.ID, ProfessionalID: s.a.Professional, Schedule: json.RawMessage(schedule),
			})
			require.NoError(t, err)
			return s.out.brief()
		}
		require.Len(t, change(""), 2)
		require.Equal(t, []string{"schedule:updated → tenant:tenant-a"}, change(""), "it may be another change")
		require.Len(t, change(`{"a":1}`), 2)
		require.Empty(t, change(`{"a":1}`))
		require.Len(t, s.rows(), 2)
	})
}

func TestWithoutAWindowNothingIsARepeat(t *testing.T) {
	t.Parallel()
	s := newSQLite(t)
	s.Service = notify.New(s.st, s.out, notify.Options{DedupWindow: -1, Now: s.clock.now})
	s.created(s.a.Appointment)
	s.created(s.a.Appointment)
	require.Len(t, s.rows(), 2)
	require.Len(t, s.out.take(), 4)
}

// What one emit of each kind costs is counted where its payload is compared.
func TestAnEmitIsOneReadAndOneTransaction(t *testing.T) {
	t.Run("with an idempotency key: its begin, its answer in the transaction, the number of sockets", func(t *testing.T) {
		each(t, func(t *testing.T, s *scene) {
			require.Equal(t, 1+1+3+1+1, dbtest.Statements(s.st, func() {
				_, _, err := s.Once(t.Context(), "key", "f", once(s, s.a.Appointment))
				require.NoError(t, err)
			}))
		})
	})
	t.Run("for five hundred users as for one", func(t *testing.T) {
		each(t, func(t *testing.T, s *scene) {
			for i := range 500 {
				s.world.AddUser(s.a.ID, fmt.Sprintf("many-%d", i), contract.RoleProfessional)
			}
			require.Equal(t, 1+3, dbtest.Statements(s.st, func() {
				result, err := s.SystemAlert(t.Context(), notify.SystemAlert{
					TenantID: s.a.ID, Message: "a", Severity: contract.SeverityInfo, Role: contract.RoleProfessional,
				})
				require.NoError(t, err)
				require.Len(t, result.Notifications, 502)
			}))
			body := s.world.Deliveries()[0].Body
			require.Less(t, len(body), 502*60+500, "what is shared is there once")
		})
	})
}
