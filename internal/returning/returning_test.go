package returning

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/notify"
	"github.com/citaplanner/realtime/pkg/contract"
)

// room is a hub that everybody is connected to, but for those in away.
type room struct {
	mu   sync.Mutex
	sent []string
	away map[string]bool
	busy int           // how many sends are refused first
	sees func(Telling) // each send
}

func (r *room) ToJoined(_ context.Context, tenantID, userID string, t Telling, event string, payload any) (int, error) {
	if r.sees != nil {
		r.sees(t)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy > 0 {
		r.busy--
		return 0, &contract.Error{Code: contract.CodeRateLimited, RetryAfter: time.Millisecond}
	}
	r.sent = append(r.sent, tenantID+" "+userID+" "+line(Event{event, payload.(json.RawMessage)}))
	return 1, nil
}

func (r *room) Here(_, userID string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.away[userID]
}

func (r *room) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	sent := r.sent
	r.sent = nil
	return sent
}

// line is an event by its name and id, or reason.
func line(e Event) string {
	var p struct {
		ID, Reason string
		Replayed   bool
	}
	if err := json.Unmarshal(e.Payload, &p); err != nil {
		panic(err)
	}
	if p.Replayed {
		p.ID += " replayed"
	}
	return e.Name + " " + p.ID + p.Reason
}

func lines(events []Event) (out []string) {
	for _, e := range events {
		out = append(out, line(e))
	}
	return out
}

const grace = 5 * time.Second

// scene is a node, tenant A's admin, and a clock that they share with other nodes.
type scene struct {
	*Service
	t   *testing.T
	st  *store.Store
	w   *dbtest.World
	out *room
	ns  *atomic.Int64
	u   store.Owner
	reg *prometheus.Registry
}

// beat is everybody's.
func (s *scene) beat(ctx context.Context) {
	for turn := range uint64(turns) {
		s.Service.beat(ctx, turn)
	}
}

func each(t *testing.T, fn func(t *testing.T, s *scene)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		s := &scene{t: t, st: st, w: dbtest.Seed(t, st), ns: &atomic.Int64{}}
		s.ns.Store(time.Now().UnixNano())
		s.u = store.Owner{TenantID: s.w.A.ID, ID: s.w.A.Admin}
		fn(t, s.node("one"))
	})
}

// node is another server on the same database.
func (s *scene) node(name string) *scene {
	other := *s
	other.out, other.reg = &room{away: map[string]bool{}}, prometheus.NewRegistry()
	other.Service = New(s.st, other.out, notify.Replay, Options{Limit: 3, Grace: grace, Recovery: 2 * time.Minute, Node: name, Now: s.now,
		Metrics: NewMetrics(other.reg)})
	return &other
}

// count is a counter of the node, by its label where it has one.
func (s *scene) count(name, label string) (n float64) {
	s.t.Helper()
	families, err := s.reg.Gather()
	require.NoError(s.t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name && (label == "" || m.GetLabel()[0].GetValue() == label) {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}

func (s *scene) now() time.Time          { return store.UTC(time.Unix(0, s.ns.Load())) }
func (s *scene) advance(d time.Duration) { s.ns.Add(int64(d)) }

// comes is a socket of the admin, and what the node then sends.
func (s *scene) comes() []string {
	s.t.Helper()
	require.Empty(s.t, s.Joined(s.u, Anew, time.Time{}, &Place{}))
	return s.looks()
}

func (s *scene) looks() []string {
	s.t.Helper()
	s.pass(s.t.Context())
	return s.out.take()
}

// leaves is the end of the admin's last socket, after the grace.
func (s *scene) leaves() {
	s.t.Helper()
	at := s.now()
	s.out.away[s.u.ID] = true
	s.advance(grace + time.Millisecond)
	s.Left(s.u.TenantID, s.u.ID, at, false)
	s.looks()
	s.out.away[s.u.ID] = false
}

// notes stores notifications of the admin, one a second from now on.
func (s *scene) notes(ids ...string) {
	s.t.Helper()
	meta := `{"isRealtime":true,"eventType":"system:alert","eventData":{"n":1},"priority":"urgent"}`
	for _, id := range ids {
		s.advance(2 * time.Second)
		require.NoError(s.t, s.st.Notifications.Insert(s.t.Context(), []models.NotificationLog{{ID: id, Type: "PROMOTION", Channel: "PUSH",
			RecipientID: s.u.ID, RecipientName: "x", RecipientContact: "x", Message: "m", Status: "SENT", TenantID: s.u.TenantID,
			UserID: &s.u.ID, Metadata: &meta, CreatedAt: s.now()}}))
	}
}

const refresh = "calendar:refresh reconnected"

// news are the lines of those notifications and the refresh behind them.
func (s *scene) news(ids ...string) []string {
	var out []string
	for _, id := range ids {
		out = append(out, fmt.Sprintf("%s %s notification:new %s replayed", s.u.TenantID, s.u.ID, id))
	}
	return append(out, fmt.Sprintf("%s %s %s", s.u.TenantID, s.u.ID, refresh))
}

func TestWhoComesBackIsToldOnceWhatCameMeanwhile(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.notes("before")
		require.Empty(t, s.comes(), "a first sign-in")
		s.advance(10 * time.Second)
		s.leaves()
		s.notes("n1", "n2")
		require.Equal(t, s.news("n1", "n2"), s.comes())
		require.Equal(t, []string{"notification:new n1 replayed", "notification:new n2 replayed", refresh}, lines(s.Joined(s.u, Anew, time.Time{}, &Place{})),
			"another socket of the same tab, a little later")
		require.Empty(t, s.Joined(s.u, Recovered, time.Time{}, &Place{}), "one that was recovered")
		s.advance(tabTime + time.Millisecond)
		require.Empty(t, s.Joined(s.u, Anew, time.Time{}, &Place{}), "another tab")
		require.Empty(t, s.looks())

		s.leaves()
		require.Equal(t, s.news(), append(s.comes(), s.looks()...), "nothing new; calendars hear of no change while away")
		s.leaves()
		s.notes("n3", "n4", "n5", "n6")
		s.out.busy = 3
		require.Equal(t, s.news("n4", "n5", "n6"), s.comes(), "no more than the limit, the newest, though the tenant is busy")
		require.EqualValues(t, 5, s.count("realtime_replayed_notifications_total", ""))
		require.EqualValues(t, 3, s.count("realtime_returns_total", "back"))
	})
}

func TestASocketThatJoinsWhileItsUserIsToldGetsItOnce(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.comes()
		s.leaves()
		s.notes("n1")
		var early, late, coming, back Place
		require.Empty(t, s.Joined(s.u, Anew, time.Time{}, &early))
		sends := 0
		s.out.sees = func(telling Telling) { // nothing has been sent yet, or the notification has
			late = Place{}
			require.Equal(t, []string{"notification:new n1 replayed", refresh}, lines(s.Joined(s.u, Anew, time.Time{}, &late)))
			require.False(t, late.Meant(telling), "it has it from Joined")
			require.True(t, early.Meant(telling))
			require.False(t, coming.Meant(telling), "it will have it from Joined")
			back.Keep(&early)
			require.Empty(t, s.Joined(s.u, Recovered, time.Time{}, &back))
			require.True(t, back.Meant(telling), "a socket that goes on for one that waits for the rest of it")
			sends++
		}
		require.Len(t, s.looks(), 2)
		require.Equal(t, 2, sends)

		s.advance(2 * time.Second)
		s.leaves()
		s.notes("n2")
		var next Place
		require.Empty(t, s.Joined(s.u, Anew, time.Time{}, &next))
		s.out.sees = func(telling Telling) {
			require.True(t, next.Meant(telling) && late.Meant(telling), "the next time both have joined")
		}
		require.Len(t, s.looks(), 2)
	})
}

// loses is a socket of the admin whose client asked for a session that is over; it was last there then.
func (s *scene) loses(since time.Time) *Place {
	s.t.Helper()
	var place Place
	require.Empty(s.t, s.Joined(s.u, Lost, since, &place))
	return &place
}

// A laptop that was closed, of a user whose telephone was there all the time.
func TestAClientThatCannotHaveItsSessionIsToldThoughItsUserWasHere(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.notes("before")
		var telephone Place
		require.Empty(t, s.Joined(s.u, Anew, time.Time{}, &telephone))
		require.Empty(t, s.looks())
		s.advance(time.Hour)
		closed := s.now()
		s.notes("n1", "n2")
		s.advance(time.Hour)
		s.beat(t.Context())
		laptop := s.loses(closed)
		second := s.loses(closed.Add(-time.Millisecond)) // the same laptop's, before the first was told
		s.out.sees = func(telling Telling) {
			require.False(t, telephone.Meant(telling))
			require.True(t, laptop.Meant(telling) && second.Meant(telling))
		}
		require.Equal(t, s.news("n1", "n2"), s.looks())
		var third Place
		require.Equal(t, []string{"notification:new n1 replayed", "notification:new n2 replayed", refresh},
			lines(s.Joined(s.u, Lost, closed.Add(time.Millisecond), &third)), "and a little later")
		require.Empty(t, s.Joined(s.u, Anew, time.Time{}, &Place{}), "another tab of the telephone")
		require.Empty(t, s.looks())

		tablet := s.loses(closed.Add(-time.Minute)) // which was away for longer than what was told
		s.out.sees = func(telling Telling) {
			require.True(t, tablet.Meant(telling))
			require.False(t, telephone.Meant(telling) || laptop.Meant(telling) || second.Meant(telling) || third.Meant(telling))
		}
		require.Equal(t, s.news("n1", "n2"), s.looks())

		s.out.sees = nil
		s.advance(time.Minute)
		s.notes("n3")
		s.loses(time.Time{}) // nobody knows since when
		require.Equal(t, s.news("n3"), s.looks(), "of the last minutes")
		s.advance(time.Minute)
		left := s.now()
		s.loses(time.Time{})
		s.out.away[s.u.ID] = true
		s.Left(s.u.TenantID, s.u.ID, left, false) // all at once, before it was looked at
		s.looks()
		s.out.away[s.u.ID] = false
		s.advance(time.Minute)
		s.notes("n4")
		require.Equal(t, s.news("n4"), s.comes(), "the user was here until then")
	})
}

func TestALostSessionMakesAnAbsenceOfOneThatIsNone(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.comes()
		s.notes("n1")
		s.advance(10 * time.Second)
		s.leaves()
		s.notes("n2")
		s.loses(time.Time{})
		require.Equal(t, s.news("n2"), s.looks(), "since the user was away")

		s.advance(3 * time.Minute)
		s.beat(t.Context())
		s.notes("n3")
		two := s.node("two")
		two.loses(time.Time{})
		require.Equal(t, s.news("n3"), two.looks(), "which another node cannot wait for: it has lost something")
		fresh := s.node("three")
		fresh.u.ID = s.w.A.Manager
		fresh.loses(time.Time{})
		require.Equal(t, fresh.news(), fresh.looks(), "one of whom there is nothing")
	})
}

func TestWhatIsOlderThanAWeekIsNotTold(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.comes()
		s.leaves()
		s.notes("old")
		s.advance(7 * 24 * time.Hour)
		s.notes("new")
		require.Equal(t, s.news("new"), s.comes())
	})
}

func TestWhoHasNotBeenHereForTwoMonthsIsForgottenAndCountsAsNew(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		require.Empty(t, s.comes())
		s.leaves()
		s.advance(60*24*time.Hour - grace - time.Millisecond)
		s.prune(t.Context()) // the clock has jumped
		s.prune(t.Context())
		require.Zero(t, s.count("realtime_last_seen_pruned_total", ""))
		require.Equal(t, s.news(), s.comes(), "within the time the page hears that it was away")
		s.leaves()
		s.advance(60 * 24 * time.Hour)
		s.prune(t.Context()) // the clock has jumped
		s.prune(t.Context())
		require.EqualValues(t, 1, s.count("realtime_last_seen_pruned_total", ""))
		require.Empty(t, s.comes())
	})
}

func TestARecoveredSocketMeansThatTheUserWasNotAway(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.comes()
		s.leaves()
		s.notes("n1")
		require.Empty(t, s.Joined(s.u, Recovered, time.Time{}, &Place{}))
		require.Empty(t, s.looks())
		require.Empty(t, s.comes())
	})
}

func TestAnAbsenceGoesOnUntilSomebodyCouldBeTold(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.comes()
		s.leaves()
		s.notes("n1")
		s.out.away[s.u.ID] = true // a socket that came and went
		require.Empty(t, s.comes())
		s.Left(s.u.TenantID, s.u.ID, s.now(), false)
		s.looks()
		s.notes("n2")
		s.out.away[s.u.ID] = false
		require.Equal(t, s.news("n1", "n2"), s.comes())

		// Back at the very moment when the grace ends: the hub knows of the new socket before it says that the old is gone.
		s.advance(time.Minute)
		left := s.now()
		s.notes("n3", "n4", "n5")
		s.Joined(s.u, Anew, time.Time{}, &Place{})
		s.Left(s.u.TenantID, s.u.ID, left, false)
		require.Equal(t, s.news("n3", "n4", "n5"), s.looks())
	})
}

func TestAStopIsAnAbsenceHoweverShort(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.comes()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s.Left(s.u.TenantID, s.u.ID, s.now(), true)
		require.NoError(t, s.Run(ctx), "which writes what is left")
		s.notes("n1")
		require.Equal(t, s.news("n1"), s.node("two").comes())
	})
}

func TestAfterACrashTheLastBeatCounts(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.comes()
		s.notes("seen")
		s.advance(2 * time.Second)
		s.beat(t.Context())
		s.notes("n1")
		require.Equal(t, s.news("n1"), s.node("one").comes(), "the same node again, at once")
	})
}

func TestWhoseFirstServerCrashedBeforeItNotedThemIsNotNew(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.notes("old")
		s.advance(2*time.Minute + 40*time.Second)
		s.notes("n1") // lost by the server that crashed
		s.advance(2 * time.Minute)
		require.Empty(t, s.Joined(s.u, Doubtful, time.Time{}, &Place{}))
		s.out.away[s.u.ID] = true // and gone again, before it was looked at
		s.looks()
		s.Left(s.u.TenantID, s.u.ID, s.now(), false)
		s.looks()
		s.advance(time.Hour)
		s.out.away[s.u.ID] = false
		require.Empty(t, s.Joined(s.u, Doubtful, time.Time{}, &Place{}), "to a server that crashed once more")
		s.Left(s.u.TenantID, s.u.ID, s.now(), false) // while the next one was coming
		require.Equal(t, s.news("n1"), s.looks())
	})
}

func TestADoubtfulRecoveryReplacesNothingThatWasNoted(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.comes()
		s.notes("n1")
		s.advance(2 * time.Minute)
		one := s.node("one")
		one.out.away[s.u.ID] = true
		require.Empty(t, one.Joined(s.u, Doubtful, time.Time{}, &Place{}))
		one.Left(s.u.TenantID, s.u.ID, s.now(), false)
		one.looks()
		s.advance(time.Hour)
		require.Equal(t, s.news("n1"), s.node("one").comes())
	})
}

func TestAnotherNodeWaitsForTheBeatThatShowsWhetherTheFirstLives(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.comes()
		s.notes("n1")
		two, three := s.node("two"), s.node("three")
		require.Empty(t, two.comes(), "another tab, or the first node died")
		s.advance(30 * time.Second)
		s.beat(t.Context())
		s.advance(5 * time.Second)
		require.Empty(t, two.looks(), "it lives")

		s.notes("n2")
		require.Empty(t, three.comes())
		s.advance(36 * time.Second) // no beat of anybody
		require.Equal(t, s.news("n2"), three.looks())
	})
}

func TestAReloadThatAnotherNodeAnswersIsNoAbsence(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.comes()
		s.advance(time.Minute)
		left := s.now()
		s.out.away[s.u.ID] = true
		two := s.node("two")
		s.advance(time.Second)
		require.Empty(t, two.Joined(s.u, Anew, time.Time{}, &Place{}))
		s.advance(grace)
		s.Left(s.u.TenantID, s.u.ID, left, false)
		s.looks()
		require.Empty(t, two.looks())
		s.advance(time.Minute)
		require.Empty(t, two.looks())
	})
}

func TestOfTwoNodesThatSeeOneComeBackOneTells(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.comes()
		s.leaves()
		s.notes("n1")
		nodes := []*scene{s.node("two"), s.node("three"), s.node("four")}
		var wg sync.WaitGroup
		for _, n := range nodes {
			n.Joined(s.u, Anew, time.Time{}, &Place{})
			wg.Go(func() { n.pass(t.Context()) })
		}
		wg.Wait()
		var all []string
		for _, n := range nodes {
			all = append(all, n.out.take()...)
		}
		require.Equal(t, s.news("n1"), all)
	})
}

func TestManyWhoComeBackAtOnceAreAFewStatements(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		come := func() {
			for i := range 2 * batch {
				s.Joined(store.Owner{TenantID: s.u.TenantID, ID: fmt.Sprint("user-", i)}, Anew, time.Time{}, &Place{})
			}
		}
		come()
		s.pass(t.Context())
		for i := range 2 * batch {
			s.Left(s.u.TenantID, fmt.Sprint("user-", i), s.now().Add(-time.Minute), true)
		}
		come()
		require.Equal(t, 1+2*3, dbtest.Statements(s.st, func() { s.pass(t.Context()) }))
		require.Len(t, s.out.take(), 2*batch)
	})
}

// refusing is a payload of which none can be made.
func refusing(models.NotificationLog, string) (json.RawMessage, error) { return nil, errors.New("no") }

func TestWhatFailsIsTriedAgainOrCounted(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.comes()
		s.leaves()
		s.notes("n1")
		s.Joined(s.u, Anew, time.Time{}, &Place{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		rename := func(from, to string) {
			require.NoError(t, s.st.InTx(ctx, func(tx *store.Store) error {
				return tx.DB(ctx).Exec("ALTER TABLE notification_logs RENAME COLUMN " + from + " TO " + to).Error
			}))
		}
		defer cancel()
		if s.st.Dialect() == store.SQLite { // on PostgreSQL the table is another role's
			rename("message", "text")
			require.Empty(t, s.looks())
			require.EqualValues(t, 1, s.count("realtime_returning_errors_total", "look"))
			rename("text", "message")
			require.Empty(t, s.looks(), "not at once")
			s.advance(retryAfter)
		}
		s.payload = refusing
		require.Equal(t, s.news(), s.looks())
		require.EqualValues(t, 1, s.count("realtime_returning_errors_total", "send"))
	})
}

func TestWhatIsKeptForTheOtherSocketsIsBounded(t *testing.T) {
	t.Parallel()
	kept := told{of: map[store.Person]*telling{}}
	now := time.Now()
	big := []Event{{Name: "x", Payload: make(json.RawMessage, toldBytes/4)}}
	for i := range 10 {
		kept.remember(store.Person{UserID: fmt.Sprint(i)}, &telling{events: big}, now)
	}
	require.Len(t, kept.of, 3)
	require.LessOrEqual(t, kept.bytes, toldBytes)
	kept.remember(store.Person{UserID: "0"}, &telling{events: big}, now)
	kept.remember(store.Person{UserID: "late"}, &telling{events: big}, now.Add(time.Minute))
	require.Len(t, kept.of, 1, "what nobody can come for any more makes room")
	kept.forget(store.Person{UserID: "late"})
	require.Zero(t, kept.bytes)
}
