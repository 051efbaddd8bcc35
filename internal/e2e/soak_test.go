//go:build soak

package e2e_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/pkg/contract"
)

const (
	soakTime   = 20 * time.Minute
	soakCuts   = 2 * time.Minute // between two outages of the database
	soakOutage = 5 * time.Second
	soakRoles  = 3 * time.Second // between two changes of a role
)

// TestSoak keeps a server busy: clients come and go, by WebSocket and polling, in good order and not; roles change, the
// database ends all its connections and is away for a while. Through all of it every emit that is acknowledged is
// delivered, once, to the sockets of its user, and in the end nothing is left. make soak runs it.
func TestSoak(t *testing.T) {
	database, _ := dbtest.PostgresURL(t)
	s := start(t, database, "LOG_LEVEL", "error", "LIMITS", "off", "OFFLINE_GRACE", "50ms", "RECHECK_EVERY", "1s", "USER_CACHE_TTL", "1s",
		"PING_INTERVAL", "5s", "PING_TIMEOUT", "5s", "DEDUP_WINDOW", "0")
	a := s.world.A
	stable := map[string]*ledger{} // by user id; theirs are the sockets that stay
	for i := range 10 {
		id := fmt.Sprintf("stable-%d", i)
		s.world.AddUser(a.ID, id, contract.RoleProfessional)
		stable[id] = follow(t, s, id)
	}
	var guests []string
	for i := range 20 {
		guests = append(guests, fmt.Sprintf("guest-%d", i))
		s.world.AddUser(a.ID, guests[i], contract.RoleManager)
	}
	settled := func() (goroutines, rooms, sockets int) {
		http.DefaultClient.CloseIdleConnections()
		return runtime.NumGoroutine(), len(s.app.Hub().Stats().Tenants), s.app.Hub().Conns()
	}
	churn(t, s, guests, 5*time.Second) // pools and caches fill
	require.Eventually(t, func() bool { return s.app.Hub().Conns() == len(stable) }, 3*patience, 10*time.Millisecond)
	goroutines, rooms, sockets := settled()

	stop := make(chan struct{})
	var wg sync.WaitGroup
	every := func(d time.Duration, do func(i int)) {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				case <-time.After(d):
					do(i)
				}
			}
		})
	}
	var acknowledged, refused atomic.Int64
	for lane := range 4 {
		every(20*time.Millisecond, func(i int) {
			user := fmt.Sprintf("stable-%d", (4*i+lane)%10)
			if id, ok := s.notifyOnce(user, fmt.Sprintf("%d-%d", lane, i)); ok {
				stable[user].want(id)
				acknowledged.Add(1)
			} else {
				refused.Add(1)
			}
		})
	}
	every(soakRoles, func(i int) {
		role := []contract.Role{contract.RoleManager, contract.RoleReceptionist}[i%2]
		// The database may be away: then this one change does not happen.
		_ = s.store.DB(t.Context()).Model(&models.User{}).Where("id = ?", guests[i%len(guests)]).Update("role", role).Error
	})
	every(soakCuts, func(int) {
		mend := cut(t, database)
		time.Sleep(soakOutage)
		mend()
	})
	wg.Go(func() { churn(t, s, guests, soakTime) })
	time.AfterFunc(soakTime, func() { close(stop) })
	wg.Wait()

	t.Logf("%d emits acknowledged, %d refused", acknowledged.Load(), refused.Load())
	require.Positive(t, acknowledged.Load())
	for user, l := range stable {
		require.NoError(t, l.complete(), user)
	}
	require.Eventually(t, func() bool {
		g, r, c := settled()
		return g <= goroutines+5 && r == rooms && c == sockets // net/http and the pool keep a few
	}, 6*patience, 100*time.Millisecond, "goroutines, rooms, sockets: before %d %d %d", goroutines, rooms, sockets)
	g, r, c := settled()
	t.Logf("goroutines %d, then %d; rooms' tenants %d, %d; connections %d, %d", goroutines, g, rooms, r, sockets, c)
}

// notifyOnce emits a notification for a user under an idempotency key, again until it is answered, for a minute.
func (s *scene) notifyOnce(user, key string) (id string, ok bool) {
	body := fmt.Sprintf(`{"tenantId":%q,"userId":%q,"type":"soak","message":%q}`, s.world.A.ID, user, key)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		got, err := call("POST", s.url+"/api/emit/notification", body, "Authorization", "Bearer "+apiKey, "Content-Type",
			"application/json", "Idempotency-Key", key)
		if err == nil && got.status == http.StatusAccepted {
			var answer struct{ Notifications []string }
			_ = json.Unmarshal([]byte(got.body), &answer)
			return strings.Join(answer.Notifications, ""), true
		}
		time.Sleep(200 * time.Millisecond) // as a caller who was told to try again
	}
	return "", false
}

// churn has guests come and go, eight at a time.
func churn(t *testing.T, s *scene, guests []string, d time.Duration) {
	t.Helper()
	end := time.Now().Add(d)
	var wg sync.WaitGroup
	for lane := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(lane), 1)) //nolint:gosec // a small number
			for time.Now().Before(end) {
				user := guests[rng.IntN(len(guests))]
				switch rng.IntN(4) {
				case 0: // in good order
					if c, err := dial(s.url, s.token(user)); err == nil {
						_ = c.send(`421["presence:update","away"]`)
						_ = c.send(`42["calendar:viewing",{"date":"2026-03-02","viewType":"week"}]`)
						_ = c.send("41")
						c.close()
					}
				case 1: // gone in the middle of CONNECT
					if c, err := dial(s.url, s.token(user)); err == nil {
						c.close()
					}
				case 2: // stays a moment, whatever happens to it
					if c, err := dial(s.url, s.token(user)); err == nil {
						_ = c.until("an answer or the end", func(p []string) bool { return len(p) > 2 })
						_ = c.send(`42["appointment:editing","` + s.world.A.Appointment + `"]`)
						time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
						c.close()
					}
				default: // polling
					res, err := call("GET", s.url+"/api/socket?EIO=4&transport=polling", "")
					_, rest, found := strings.Cut(res.body, `"sid":"`)
					sid, _, _ := strings.Cut(rest, `"`)
					if err != nil || !found {
						continue
					}
					url := s.url + "/api/socket?EIO=4&transport=polling&sid=" + sid
					_, _ = call("POST", url, `40{"token":"`+s.token(user)+`"}`)
					_, _ = call("GET", url, "")
					if rng.IntN(2) == 0 {
						_, _ = call("POST", url, "1")
					}
				}
			}
		})
	}
	wg.Wait()
}

// ledger is what a socket that stays should get, and got.
type ledger struct {
	c      *raw
	mu     sync.Mutex
	wanted map[string]bool
	got    map[string]int
}

func follow(t *testing.T, s *scene, user string) *ledger {
	t.Helper()
	return &ledger{c: mustDial(t, s.url, s.token(user)), wanted: map[string]bool{}, got: map[string]int{}}
}

func (l *ledger) want(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wanted[id] = true
	l.take()
}

// take counts what has come and forgets the packets.
func (l *ledger) take() {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	for _, p := range l.c.packets {
		var event []json.RawMessage
		var n contract.Notification
		if strings.HasPrefix(p, `2["notification:new"`) && json.Unmarshal([]byte(p[1:]), &event) == nil && json.Unmarshal(event[1], &n) == nil {
			l.got[n.ID]++
		}
	}
	l.c.packets, l.c.came = nil, nil
}

// complete waits until all has come, and reports what came twice or not at all.
func (l *ledger) complete() error {
	missing := 0
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		l.mu.Lock()
		l.take()
		missing = 0
		for id := range l.wanted {
			if l.got[id] == 0 {
				missing++
			}
		}
		l.mu.Unlock()
		if missing == 0 {
			break
		}
	}
	twice := 0
	for _, n := range l.got {
		if n > 1 {
			twice++
		}
	}
	if missing > 0 || twice > 0 {
		return fmt.Errorf("of %d notifications %d are missing and %d came twice", len(l.wanted), missing, twice)
	}
	return nil
}
