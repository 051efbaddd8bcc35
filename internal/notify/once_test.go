package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/notify"
	"github.com/citaplanner/realtime/pkg/contract"
)

// once is an emit for Once.
func once(s *scene, appointmentID string) func(ctx context.Context) (contract.EmitResult, error) {
	return onceOn(s.Service, s, appointmentID)
}

func onceOn(svc *notify.Service, s *scene, id string) func(ctx context.Context) (contract.EmitResult, error) {
	return func(ctx context.Context) (contract.EmitResult, error) {
		return svc.AppointmentCreated(ctx, notify.AppointmentCreated{TenantID: s.a.ID, AppointmentID: id})
	}
}

func TestARepeatUnderAKeyGetsTheFirstResultAndEmitsNothing(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		first, replayed, err := s.Once(t.Context(), "key", "f", once(s, s.a.Appointment))
		require.NoError(t, err)
		require.False(t, replayed)
		require.Equal(t, 2, first.Delivered.Sockets)
		s.out.take()
		s.clock.advance(23 * time.Hour)
		again, replayed, err := s.Once(t.Context(), "key", "f", once(s, s.a.Appointment))
		require.NoError(t, err)
		require.True(t, replayed)
		require.Equal(t, first, again)
		require.Empty(t, s.out.brief())
		require.Len(t, s.rows(), 1)
	})
}

func TestAKeyWithAnotherBodyIsRefused(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		_, _, err := s.Once(t.Context(), "key", "f", once(s, s.a.Appointment))
		require.NoError(t, err)
		_, _, err = s.Once(t.Context(), "key", "other", once(s, s.a.Appointment2))
		require.Equal(t, contract.CodeKeyReused, contract.CodeOf(err))
		require.Len(t, s.rows(), 1)
	})
}

func TestManyAtOnceUnderAKeyEmitOnceAndGetTheSameResult(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		// Two processes: those of the first wait for each other, those of the second look at the database.
		services := []*notify.Service{s.Service, s.process("other")}
		results := make([]contract.EmitResult, 20)
		fresh := make(chan int, len(results))
		var wg sync.WaitGroup
		for i := range results {
			wg.Go(func() {
				svc := services[i%2]
				r, replayed, err := svc.Once(t.Context(), "key", "f", onceOn(svc, s, s.a.Appointment))
				if err == nil && !replayed {
					fresh <- i
				}
				results[i] = r
			})
		}
		wg.Wait()
		require.Len(t, fresh, 1)
		first := results[<-fresh]
		require.NotEmpty(t, first.Notifications)
		for _, r := range results {
			// On another process a repeat may see the result that was stored with the rows, before sockets were counted.
			require.Equal(t, first.ID, r.ID)
			require.Equal(t, first.Notifications, r.Notifications)
		}
		require.Len(t, s.rows(), 1)
		require.Len(t, s.out.take(), 2)
	})
}

func TestInOneProcessARepeatSeesTheSocketsToo(t *testing.T) {
	t.Parallel()
	s := newSQLite(t)
	results := make([]contract.EmitResult, 10)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() { results[i], _, _ = s.Once(t.Context(), "key", "f", once(s, s.a.Appointment)) })
	}
	wg.Wait()
	for _, r := range results {
		require.Equal(t, 2, r.Delivered.Sockets)
	}
}

func TestARepeatWaitsWhileTheFirstIsUnderWay(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		entered, release := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		defer wg.Wait()
		defer sync.OnceFunc(func() { close(release) })()
		wg.Go(func() {
			_, _, err := s.Once(t.Context(), "key", "f", func(ctx context.Context) (contract.EmitResult, error) {
				close(entered)
				<-release
				return once(s, s.a.Appointment)(ctx)
			})
			assert.NoError(t, err)
		})
		<-entered
		never := func(context.Context) (contract.EmitResult, error) { panic("the first is under way") }
		for _, svc := range []*notify.Service{s.Service, s.process("other")} {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			_, _, err := svc.Once(ctx, "key", "f", never)
			cancel()
			require.Equal(t, contract.CodeUnavailable, contract.CodeOf(err))
			wg.Go(func() {
				_, replayed, err := svc.Once(t.Context(), "key", "f", never)
				assert.NoError(t, err)
				assert.True(t, replayed)
			})
			_, _, err = svc.Once(t.Context(), "key", "other", never)
			require.Equal(t, contract.CodeKeyReused, contract.CodeOf(err), "at once")
		}
	})
}

func TestAFailedRequestGivesItsKeyBack(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		_, _, err := s.Once(t.Context(), "key", "f", once(s, "nothing"))
		require.Equal(t, contract.CodeNotFound, contract.CodeOf(err))
		require.PanicsWithValue(t, "boom", func() {
			_, _, _ = s.Once(t.Context(), "key", "f", func(context.Context) (contract.EmitResult, error) { panic("boom") })
		})
		ctx, cancel := context.WithCancel(t.Context())
		_, _, err = s.Once(ctx, "key", "f", func(ctx context.Context) (contract.EmitResult, error) {
			cancel() // the caller goes away
			return once(s, s.a.Appointment)(ctx)
		})
		require.ErrorIs(t, err, context.Canceled)
		s.nothing()
		_, replayed, err := s.Once(t.Context(), "key", "f", once(s, s.a.Appointment))
		require.NoError(t, err)
		require.False(t, replayed)
		require.Len(t, s.rows(), 1)
	})
}

func TestAfterACrashBeforeTheCommitTheKeyIsTakenOverWhenItsLeaseIsOver(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		begun, err := s.st.Idempotency.Begin(t.Context(), "key", "f", s.clock.now(), 30*time.Second)
		require.NoError(t, err)
		require.Equal(t, store.IdempotencyStarted, begun.State) // and then the process was killed
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		_, _, err = s.Once(ctx, "key", "f", once(s, s.a.Appointment))
		require.Equal(t, contract.CodeUnavailable, contract.CodeOf(err))
		s.clock.advance(30 * time.Second)
		_, replayed, err := s.Once(t.Context(), "key", "f", once(s, s.a.Appointment))
		require.NoError(t, err)
		require.False(t, replayed)
		require.Len(t, s.rows(), 1)
	})
}

func TestAfterACrashBehindTheCommitARepeatReplaysAndTheOutboxSends(t *testing.T) {
	for _, e := range emits {
		t.Run(e.name, func(t *testing.T) {
			each(t, func(t *testing.T, s *scene) {
				if e.before != nil {
					e.before(s)
				}
				run := func(ctx context.Context) (contract.EmitResult, error) { return e.call(ctx, s) }
				s.crash(func() { _, _, _ = s.Once(t.Context(), "key", "f", run) })
				require.Empty(t, s.out.take())
				rows := s.rows()
				s.Service = s.process("restarted")
				again, replayed, err := s.Once(t.Context(), "key", "f", run)
				require.NoError(t, err)
				require.True(t, replayed)
				require.Equal(t, "id-1", again.ID)
				require.Len(t, again.Notifications, len(rows))
				require.Empty(t, s.out.take())
				require.Equal(t, rows, s.rows())
				s.recover()
				require.NotEmpty(t, s.out.take())
			})
		})
	}
}

func TestARequestThatOutlivedItsLeaseDoesNotEmitASecondTime(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		other := s.process("other")
		result, replayed, err := s.Once(t.Context(), "key", "f", func(ctx context.Context) (contract.EmitResult, error) {
			s.clock.advance(31 * time.Second) // the process was stopped for so long
			_, replayed, err := other.Once(t.Context(), "key", "f", onceOn(other, s, s.a.Appointment))
			require.NoError(t, err)
			require.False(t, replayed)
			s.clock.advance(time.Minute) // no repeat by its content either
			return once(s, s.a.Appointment)(ctx)
		})
		require.NoError(t, err)
		require.True(t, replayed)
		require.Equal(t, "other-1", result.ID)
		require.Len(t, s.rows(), 1)
		require.Len(t, s.out.take(), 2)
	})
}

func TestABatchIsReplayedWholeAndFinishedAfterACrash(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		var crashed bool
		batch := func(ctx context.Context) (json.RawMessage, error) {
			var ids []string
			for _, id := range []string{s.a.Appointment, s.a.Appointment2, s.a.Appointment3} {
				if crashed && id == s.a.Appointment3 {
					return nil, errors.New("killed here")
				}
				r, _, err := s.Once(ctx, "key/"+id, "f", once(s, id))
				if err != nil {
					return nil, err
				}
				ids = append(ids, r.ID)
			}
			return json.Marshal(ids)
		}
		crashed = true
		_, _, err := s.OnceRaw(t.Context(), "key", "f", batch)
		require.Error(t, err)
		require.Len(t, s.rows(), 2)
		crashed = false
		s.clock.advance(time.Minute)
		first, replayed, err := s.OnceRaw(t.Context(), "key", "f", batch)
		require.NoError(t, err)
		require.False(t, replayed)
		require.Len(t, s.rows(), 3, "what was done is not done again")
		again, replayed, err := s.OnceRaw(t.Context(), "key", "f", batch)
		require.NoError(t, err)
		require.True(t, replayed)
		require.Equal(t, string(first), string(again))
		require.Len(t, s.out.take(), 6)
	})
}

func TestAKeyThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	s := newSQLite(t)
	for _, key := range []string{"", "a\x00b", "\xff", string(make([]byte, 600))} {
		_, _, err := s.Once(t.Context(), key, "f", once(s, s.a.Appointment))
		require.Equal(t, contract.CodeInvalid, contract.CodeOf(err))
	}
	s.nothing()
}
