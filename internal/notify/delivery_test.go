package notify_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/notify"
	"github.com/citaplanner/realtime/pkg/contract"
)

// crash runs fn in a process that is killed when it comes to send.
func (s *scene) crash(fn func()) {
	s.t.Helper()
	s.out.before = func(context.Context, int) error { panic("killed") }
	require.PanicsWithValue(s.t, "killed", fn)
	s.out.before = nil
}

// recover does what the outbox does with what is left over.
func (s *scene) recover() {
	s.t.Helper()
	s.clock.advance(5 * time.Second)
	taken, err := s.st.Outbox.TakeDue(s.ctx(), s.clock.now(), time.Minute, 100)
	require.NoError(s.t, err)
	for _, d := range taken {
		_, err := s.Deliver(s.ctx(), d.Body)
		require.NoError(s.t, err)
		require.NoError(s.t, s.st.Outbox.Done(s.ctx(), d.ID))
	}
	require.Empty(s.t, s.world.Deliveries())
}

func TestWhatAKilledProcessLeftIsMadeGoodExactly(t *testing.T) {
	for _, e := range emits {
		if e.statements == 1 {
			continue // nothing is committed, so nothing is owed
		}
		t.Run(e.name, func(t *testing.T) {
			each(t, func(t *testing.T, s *scene) {
				if e.before != nil {
					e.before(s)
				}
				s.crash(func() { _, _ = e.call(t.Context(), s) })
				require.Empty(t, s.out.take())
				s.recover()
				s.sameAsRecorded(e.name)
			})
		})
	}
}

// sameAsRecorded compares what was sent and stored with the golden file's.
func (s *scene) sameAsRecorded(name string) {
	s.t.Helper()
	var want struct {
		Sent []sent
		Rows []row
	}
	b, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	require.NoError(s.t, err)
	require.NoError(s.t, json.Unmarshal(b, &want))
	got := s.out.take()
	require.Len(s.t, got, len(want.Sent))
	for i := range got {
		require.Equal(s.t, want.Sent[i].To, got[i].To)
		require.Equal(s.t, want.Sent[i].Event, got[i].Event)
		require.JSONEq(s.t, string(want.Sent[i].Payload), string(got[i].Payload))
	}
	require.Len(s.t, s.rows(), len(want.Rows))
}

func TestTheDeliveryIsThereUntilItIsMadeAndThenGoes(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.out.before = func(context.Context, int) error {
			require.Len(t, s.world.Deliveries(), 1, "committed before the first send")
			require.Len(t, s.rows(), 1)
			return nil
		}
		s.created(s.a.Appointment)
		d := s.world.Deliveries()
		require.Len(t, d, 1)
		require.Equal(t, s.clock.now().Add(5*time.Second).UTC(), d[0].DueAt.UTC())
		require.Equal(t, s.a.ID, d[0].TenantID)
		require.NoError(t, s.Flush(t.Context()))
		require.Empty(t, s.world.Deliveries())
	})
}

func TestACallerWhoGoesAwayAfterTheCommitKeepsNothingFromBeingSent(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		ctx, cancel := context.WithCancel(t.Context())
		s.out.before = func(ctx context.Context, _ int) error {
			cancel()
			return ctx.Err()
		}
		result, err := s.AppointmentCreated(ctx, notify.AppointmentCreated{TenantID: s.a.ID, AppointmentID: s.a.Appointment})
		require.NoError(t, err)
		require.Equal(t, 2, result.Delivered.Sockets)
		require.Len(t, s.out.take(), 2)
		require.NoError(t, s.Flush(t.Context()))
		require.Empty(t, s.world.Deliveries())
	})
}

func TestABroadcastErrorDoesNotFailTheEmitAndIsTriedAgain(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		down := true
		s.out.before = func(context.Context, int) error {
			if down {
				return errDown
			}
			return nil
		}
		result := s.created(s.a.Appointment)
		require.Zero(t, result.Delivered.Sockets)
		require.Len(t, result.Notifications, 1)
		require.NoError(t, s.Flush(t.Context()))
		require.Len(t, s.world.Deliveries(), 1, "the outbox has to try again")
		body := []byte(s.world.Deliveries()[0].Body)
		_, err := s.Deliver(t.Context(), body)
		require.ErrorIs(t, err, errDown)
		_, err = s.EmitToTenant(t.Context(), notify.EmitToTenant{TenantID: s.a.ID, Event: "x"})
		require.Equal(t, contract.CodeUnavailable, contract.CodeOf(err), "nothing is committed: the caller has to know")
		down = false
		s.recover()
		require.Len(t, s.out.take(), 2)
	})
}

func TestWhatThisProcessSentIsNotSentAgainWhileItsRowIsNotDeletedYet(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.created(s.a.Appointment)
		s.out.take()
		n, err := s.Deliver(t.Context(), []byte(s.world.Deliveries()[0].Body))
		require.NoError(t, err)
		require.Zero(t, n)
		require.Empty(t, s.out.take())
	})
}

func TestWhatThisProcessIsSendingIsNotTheOutboxs(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		looks := 0
		s.out.before = func(ctx context.Context, _ int) error {
			s.clock.advance(time.Hour) // the lease is long over
			taken, err := s.st.Outbox.TakeDue(ctx, s.clock.now(), time.Minute, 100)
			require.NoError(t, err)
			require.Len(t, taken, 1)
			_, err = s.Events(taken[0].Body)
			require.Equal(t, contract.CodeUnavailable, contract.CodeOf(err), "later, where it is still there")
			looks++
			return nil
		}
		s.created(s.a.Appointment)
		require.Equal(t, 2, looks)
		s.out.before = nil
		_, err := s.Events([]byte(s.world.Deliveries()[0].Body))
		require.NoError(t, err)
		n, err := s.Deliver(t.Context(), []byte(s.world.Deliveries()[0].Body))
		require.NoError(t, err)
		require.Zero(t, n, "it has been sent")
	})
}

func TestADeliveryThatCannotBeReadIsInvalid(t *testing.T) {
	t.Parallel()
	s := newSQLite(t)
	for _, body := range []string{``, `{`, `[]`, `{}`, `{"id":"x"}`, `{"id":1,"tenantId":"t"}`} {
		_, err := s.Deliver(t.Context(), []byte(body))
		require.Equal(t, contract.CodeInvalid, contract.CodeOf(err), body)
		_, err = s.Events([]byte(body))
		require.Equal(t, contract.CodeInvalid, contract.CodeOf(err), body)
	}
}

func TestANotificationThatItsUserDeletedMeanwhileIsNotMadeGood(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.crash(func() {
			_, _ = s.SystemAlert(t.Context(), notify.SystemAlert{TenantID: s.a.ID, Message: "m", Severity: contract.SeverityInfo})
		})
		all := s.rows()
		require.Len(t, all, len(s.a.ActiveUsers()))
		gone := s.world.Notifications()[0]
		found, err := s.st.Notifications.Delete(t.Context(), store.Owner{TenantID: s.a.ID, ID: *gone.UserID}, gone.ID)
		require.NoError(t, err)
		require.True(t, found)
		s.recover()
		told := 0
		for _, e := range s.out.take() {
			if e.Event == contract.EventNotificationNew {
				told++
				require.NotContains(t, string(e.Payload), `"`+gone.ID+`"`)
			}
		}
		require.Equal(t, len(all)-1, told, "all others are told")
	})
}

func TestALateSocketReadsFromADeliveryWhatItWouldHaveGot(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		for _, call := range []func(){
			func() { s.created(s.a.Appointment) },
			func() {
				_, err := s.ScheduleConflict(t.Context(), notify.ScheduleConflict{
					TenantID: s.a.ID, ProfessionalID: s.a.Professional, Conflict: json.RawMessage(`1`),
				})
				require.NoError(t, err)
			},
		} {
			call()
		}
		read := func(userID string, role contract.Role) []string {
			names := []string{}
			for _, d := range s.world.Deliveries() {
				events, err := s.Events([]byte(d.Body))
				require.NoError(t, err)
				events(userID, role, func(name string, payload json.RawMessage, rowID string) {
					require.True(t, json.Valid(payload))
					if name == contract.EventNotificationNew {
						var n contract.Notification
						require.NoError(t, json.Unmarshal(payload, &n))
						require.Equal(t, userID, n.UserID)
						require.Equal(t, rowID, n.ID)
						name = n.Type + " " + n.ID
					}
					names = append(names, name)
				})
			}
			return names
		}
		require.ElementsMatch(t, []string{"appointment:created", "appointment:created id-2", "schedule:conflict id-4"},
			read(s.a.Professional, contract.RoleProfessional))
		require.ElementsMatch(t, []string{"appointment:created", "schedule:conflict"}, read(s.a.Admin, contract.RoleAdmin))
		require.ElementsMatch(t, []string{"appointment:created"}, read(s.a.Portal, contract.RoleClient))
	})
}

func TestARowThatGoesBetweenReadAndWriteIsDecidedAnew(t *testing.T) {
	t.Run("a deleted appointment loses its id", func(t *testing.T) {
		each(t, func(t *testing.T, s *scene) {
			s.between(func() { s.world.DeleteAppointment(s.a.Appointment) }, "appointments")
			result, err := s.AppointmentDeleted(t.Context(), notify.AppointmentDeleted{
				TenantID: s.a.ID, AppointmentID: s.a.Appointment,
				AppointmentData: json.RawMessage(`{"userId":"a-professional","clientId":"a-client"}`),
			})
			require.NoError(t, err)
			require.Len(t, result.Notifications, 1)
			rows := s.world.Notifications()
			require.Len(t, rows, 1)
			require.Nil(t, rows[0].AppointmentID)
			require.Len(t, s.out.take(), 2)
		})
	})
	t.Run("under a key the second try stores the answer", func(t *testing.T) {
		each(t, func(t *testing.T, s *scene) {
			s.between(func() { s.world.DeleteAppointment(s.a.Appointment) }, "appointments")
			run := func(ctx context.Context) (contract.EmitResult, error) {
				return s.AppointmentDeleted(ctx, notify.AppointmentDeleted{
					TenantID: s.a.ID, AppointmentID: s.a.Appointment,
					AppointmentData: json.RawMessage(`{"userId":"a-professional"}`),
				})
			}
			s.crash(func() { _, _, _ = s.Once(t.Context(), "key", "f", run) })
			require.Len(t, s.rows(), 1)
			_, replayed, err := s.Once(t.Context(), "key", "f", run)
			require.NoError(t, err)
			require.True(t, replayed)
		})
	})
	t.Run("a created appointment is gone", func(t *testing.T) {
		each(t, func(t *testing.T, s *scene) {
			s.between(func() { s.world.DeleteAppointment(s.a.Appointment) }, "appointments")
			_, err := s.AppointmentCreated(t.Context(), notify.AppointmentCreated{
				TenantID: s.a.ID, AppointmentID: s.a.Appointment,
			})
			require.Equal(t, contract.CodeNotFound, contract.CodeOf(err))
			s.nothing()
		})
	})
	t.Run("a user who is gone is told nothing, the others are", func(t *testing.T) {
		each(t, func(t *testing.T, s *scene) {
			s.between(func() {
				require.NoError(t, s.st.DB(t.Context()).Delete(&models.User{ID: s.a.Receptionist}).Error)
			}, "users")
			result, err := s.SystemAlert(t.Context(), notify.SystemAlert{
				TenantID: s.a.ID, Message: "m", Severity: contract.SeverityInfo,
			})
			require.NoError(t, err)
			require.Len(t, result.Notifications, len(s.a.ActiveUsers())-1)
			require.Len(t, s.rows(), len(s.a.ActiveUsers())-1)
		})
	})
}

// between runs fn once, after the next query of a table: an emit has read then, and not yet written.
func (s *scene) between(fn func(), table string) {
	done := false
	err := s.st.DB(s.ctx()).Callback().Query().After("*").Register("test:between", func(db *gorm.DB) {
		if !done && strings.Contains(db.Statement.SQL.String(), table) {
			done = true
			fn()
		}
	})
	require.NoError(s.t, err)
}

func TestRunDeletesFinishedDeliveriesInGroups(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		for _, id := range []string{s.a.Appointment, s.a.Appointment2, s.a.Appointment3} {
			s.created(id)
		}
		require.Eventually(t, func() bool { return len(s.world.Deliveries()) == 0 }, time.Minute, 5*time.Millisecond)
		s.clock.advance(time.Minute)
		s.created(s.a.Appointment)
		stop()
		require.NoError(t, <-ended)
		require.Empty(t, s.world.Deliveries(), "the last flush")
	})
}
