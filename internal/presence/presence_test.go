package presence_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/internal/presence"
)

// wire records what would go out, one line a message: "tenant t1 except s1: event {json}".
type wire struct {
	mu  sync.Mutex
	out []string
}

func (w *wire) ToTenantExcept(tenantID, except, event string, payload any) {
	w.add(fmt.Sprintf("tenant %s except %s: %s", tenantID, except, event), payload)
}

func (w *wire) ToSocket(socketID, event string, payload any) {
	w.add(fmt.Sprintf("socket %s: %s", socketID, event), payload)
}

func (w *wire) add(line string, payload any) {
	b, err := json.Marshal(payload)
	if err != nil {
		panic(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.out = append(w.out, line+" "+string(b))
}

// take returns what went out since the last call.
func (w *wire) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.out
	w.out = nil
	return out
}

func scene(t *testing.T, o presence.Options) (*presence.Presence, *wire) {
	t.Helper()
	w := &wire{}
	p := presence.New(w, o)
	t.Cleanup(func() { require.NoError(t, p.Stop(context.Background())) })
	return p, w
}

func member(socket, user, tenant string) presence.Member {
	return presence.Member{SocketID: socket, UserID: user, TenantID: tenant, Email: user + "@example.com"}
}

func fixedNow() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func TestFirstSocketIsAnnouncedToTheOthersAndLearnsWhoIsThere(t *testing.T) {
	p, w := scene(t, presence.Options{Now: fixedNow})
	p.Join(member("s1", "ana", "t1"))
	p.Join(member("s2", "ben", "t1"))
	p.Join(member("x1", "eve", "t2"))
	require.Equal(t, []string{
		`tenant t1 except s1: user:online {"userId":"ana","email":"ana@example.com","timestamp":"2026-03-01T12:00:00.000Z"}`,
		`socket s1: presence:state {"users":[{"userId":"ana","status":"online","since":"2026-03-01T12:00:00.000Z"}]}`,
		`tenant t1 except s2: user:online {"userId":"ben","email":"ben@example.com","timestamp":"2026-03-01T12:00:00.000Z"}`,
		`socket s2: presence:state {"users":[{"userId":"ana","status":"online","since":"2026-03-01T12:00:00.000Z"},{"userId":"ben","status":"online","since":"2026-03-01T12:00:00.000Z"}]}`,
		`tenant t2 except x1: user:online {"userId":"eve","email":"eve@example.com","timestamp":"2026-03-01T12:00:00.000Z"}`,
		`socket x1: presence:state {"users":[{"userId":"eve","status":"online","since":"2026-03-01T12:00:00.000Z"}]}`,
	}, w.take(), "who joins when a socket knows who is there is told nothing of it a second time")
}

func TestASecondSocketOfAUserIsNotAnnouncedAndOneOfTwoLeavingNeither(t *testing.T) {
	p, w := scene(t, presence.Options{Now: fixedNow})
	p.Join(member("s1", "ana", "t1"))
	w.take()
	p.Join(member("s2", "ana", "t1"))
	require.Len(t, w.take(), 1, "only its own presence:state")
	p.Leave("s1")
	require.Empty(t, w.take())
	require.Equal(t, []string{"ana"}, p.Users())
	p.Leave("s2")
	require.Equal(t, []string{`tenant t1 except : user:offline {"userId":"ana","timestamp":"2026-03-01T12:00:00.000Z"}`}, w.take())
	require.Empty(t, p.Users())
}

func TestAReloadWithinTheGraceDoesNotFlicker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, w := scene(t, presence.Options{Grace: 5 * time.Second})
		p.Join(member("s1", "ana", "t1"))
		w.take()
		p.Leave("s1")
		time.Sleep(4 * time.Second)
		p.Join(member("s2", "ana", "t1"))
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Len(t, w.take(), 1, "nobody hears of a reload: only presence:state to the new socket")

		p.Leave("s2")
		time.Sleep(5*time.Second + time.Millisecond)
		synctest.Wait()
		out := w.take()
		require.Len(t, out, 1)
		require.Contains(t, out[0], "user:offline")
	})
}

func TestStopEndsGraceTimersInSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, w := scene(t, presence.Options{Grace: 5 * time.Second})
		p.Join(member("s1", "ana", "t1"))
		w.take()
		p.Leave("s1")
		require.NoError(t, p.Stop(t.Context()))
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Empty(t, w.take())
	})
}

func TestUpdateTellsTheOthersAndShowsInTheState(t *testing.T) {
	p, w := scene(t, presence.Options{Now: fixedNow})
	p.Join(member("s1", "ana", "t1"))
	w.take()
	require.True(t, p.Update("s1", "away"))
	require.False(t, p.Update("s1", "busy"), "a state the protocol does not know")
	require.Equal(t, []string{`tenant t1 except s1: user:presence {"userId":"ana","status":"away","timestamp":"2026-03-01T12:00:00.000Z"}`}, w.take())
	p.Join(member("s2", "ben", "t1"))
	require.Contains(t, w.take()[1], `{"userId":"ana","status":"away"`)
}

func TestViewingGoesToTheOthersOfTheTenant(t *testing.T) {
	p, w := scene(t, presence.Options{})
	p.Join(member("s1", "ana", "t1"))
	w.take()
	p.View("s1", "2026-03-02", "week")
	p.View("gone", "2026-03-02", "week")
	require.Equal(t, []string{`tenant t1 except s1: user:viewing:calendar {"userId":"ana","date":"2026-03-02","viewType":"week"}`}, w.take())
}

func TestEditingTellsTheOthersAndTheSecondEditorOfTheFirst(t *testing.T) {
	p, w := scene(t, presence.Options{Now: fixedNow})
	p.Join(member("s1", "ana", "t1"))
	p.Join(member("s2", "ben", "t1"))
	w.take()
	require.True(t, p.Edit("s1", "cita"))
	require.True(t, p.Edit("s2", "cita"))
	require.Equal(t, []string{
		`tenant t1 except s1: appointment:editing:started {"userId":"ana","appointmentId":"cita"}`,
		`tenant t1 except s2: appointment:editing:started {"userId":"ben","appointmentId":"cita"}`,
		`socket s2: appointment:editing:conflict {"appointmentId":"cita","userId":"ana","since":"2026-03-01T12:00:00.000Z"}`,
	}, w.take())
	p.StopEdit("s1", "cita")
	require.Equal(t, []string{`tenant t1 except s1: appointment:editing:stopped {"userId":"ana","appointmentId":"cita"}`}, w.take())
}

func TestTheSameUserInTwoTabsIsNoConflictAndStopsWithTheLast(t *testing.T) {
	p, w := scene(t, presence.Options{})
	p.Join(member("s1", "ana", "t1"))
	p.Join(member("s2", "ana", "t1"))
	w.take()
	p.Edit("s1", "cita")
	p.Edit("s2", "cita")
	require.Len(t, w.take(), 2)
	p.StopEdit("s1", "cita")
	require.Empty(t, w.take())
	p.Leave("s2")
	require.Equal(t, []string{`tenant t1 except s2: appointment:editing:stopped {"userId":"ana","appointmentId":"cita"}`}, w.take())
}

func TestAClosedLaptopReleasesAllThatItsSocketWasEditing(t *testing.T) {
	p, w := scene(t, presence.Options{Grace: time.Hour})
	p.Join(member("s1", "ana", "t1"))
	w.take()
	p.Edit("s1", "a")
	p.Edit("s1", "b")
	w.take()
	p.Leave("s1")
	require.Equal(t, []string{
		`tenant t1 except s1: appointment:editing:stopped {"userId":"ana","appointmentId":"a"}`,
		`tenant t1 except s1: appointment:editing:stopped {"userId":"ana","appointmentId":"b"}`,
	}, w.take())
}

func TestOneSocketMayNotHoldAppointmentsWithoutBound(t *testing.T) {
	p, _ := scene(t, presence.Options{MaxEditing: 2})
	p.Join(member("s1", "ana", "t1"))
	require.True(t, p.Edit("s1", "a"))
	require.True(t, p.Edit("s1", "b"))
	require.True(t, p.Edit("s1", "b"), "again is not more")
	require.False(t, p.Edit("s1", "c"))
}

func TestJoinsAndLeavesFromManyGoroutinesLeaveNothing(t *testing.T) {
	p, _ := scene(t, presence.Options{})
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			s := fmt.Sprint("s", i)
			p.Join(member(s, fmt.Sprint("u", i%7), fmt.Sprint("t", i%3)))
			p.Edit(s, "cita")
			p.Update(s, "away")
			p.Leave(s)
		})
	}
	wg.Wait()
	require.Empty(t, p.Users())
	for i := range 3 {
		require.Empty(t, p.TenantUsers(fmt.Sprint("t", i)))
	}
}

func TestWhoIsGoneIsReportedOnceWithTheTimeOfTheLastSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var mu sync.Mutex
		var gone []string
		p, _ := scene(t, presence.Options{Grace: 5 * time.Second, Gone: func(tenant, user string, left time.Time) {
			mu.Lock()
			defer mu.Unlock()
			gone = append(gone, fmt.Sprint(tenant, " ", user, " ", left.Sub(start)))
		}})
		take := func() (out []string) {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			out, gone = gone, nil
			return out
		}
		for _, s := range []string{"s1", "s2", "s3"} {
			p.Join(member(s, "ana", "t1"))
		}
		time.Sleep(10 * time.Second)
		p.Leave("s1")
		time.Sleep(50 * time.Second)
		p.Lost("s2", time.Now().Add(-45*time.Second))
		p.Lost("s3", time.Now().Add(-46*time.Second))
		time.Sleep(4 * time.Second)
		require.Empty(t, take())
		time.Sleep(2 * time.Second)
		require.Equal(t, []string{"t1 ana 15s"}, take())

		p.Join(member("s4", "ana", "t1"))
		p.Leave("s4")
		p.Join(member("s5", "ana", "t1"))
		time.Sleep(time.Minute)
		require.Empty(t, take(), "a reload")
		p.Join(member("b1", "ben", "t1"))
		p.Leave("b1")
		time.Sleep(time.Second)
		require.NoError(t, p.Stop(t.Context()))
		require.ElementsMatch(t, []string{"t1 ana 2m7s", "t1 ben 2m6s"}, take(), "at a stop everybody")
	})
}
