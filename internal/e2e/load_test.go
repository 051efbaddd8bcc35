package e2e_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// unhurried are settings of a server whose clients are all on its own machine, which is busy with nothing but them: they may take
// longer to read and to answer a ping than clients in the world.
var unhurried = []string{"LOG_LEVEL", "error", "LIMITS", "off", "QUEUE_AGE", "10m", "PING_TIMEOUT", "5m"}

// openMany opens n signed-in connections, so many at a time.
func openMany(t *testing.T, s *scene, n, atOnce int, user string) []*raw {
	t.Helper()
	token := s.token(user)
	clients := make([]*raw, n)
	errs := make([]error, n)
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if clients[i], errs[i] = dial(s.url, token); errs[i] == nil {
				errs[i] = clients[i].signedIn()
			}
		})
	}
	wg.Wait()
	t.Cleanup(func() {
		for _, c := range clients {
			if c != nil {
				c.close()
			}
		}
	})
	for i, err := range errs {
		require.NoErrorf(t, err, "client %d of %d", i, n)
	}
	return clients
}

func TestThreeThousandClientsOpened200AtATimeAllConnect(t *testing.T) {
	s := startPostgres(t, unhurried...)
	openMany(t, s, 3000, 200, s.world.A.Portal)
	require.Equal(t, 3000, s.app.Hub().Stats().TotalConnections)
}

func TestEveryOneOf300BroadcastsReachesEveryOneOf1000ClientsInOrder(t *testing.T) {
	const clients, broadcasts = 1000, 300
	s := startPostgres(t, unhurried...)
	all := openMany(t, s, clients, 100, s.world.A.Portal)
	for i := range broadcasts {
		n, err := s.app.Hub().ToTenant(t.Context(), s.world.A.ID, "tick", m{"n": i, "pad": strings.Repeat("x", 180)})
		require.NoError(t, err)
		require.Equal(t, clients, n)
	}
	for i, c := range all {
		require.NoErrorf(t, c.until("all broadcasts", func(p []string) bool { return count(p, `2["tick"`) >= broadcasts }), "client %d", i)
		next := 0
		for _, p := range c.all() {
			if strings.HasPrefix(p, `2["tick"`) {
				require.Truef(t, strings.HasPrefix(p, fmt.Sprintf(`2["tick",{"n":%d,`, next)), "client %d: %s", i, p)
				next++
			}
		}
		require.Equal(t, broadcasts, next)
	}
}

func TestTenThousandEventsOfOneClientAreAnsweredInOrderWhileOthersBroadcast(t *testing.T) {
	const events = 10_000
	s := startPostgres(t, unhurried...)
	c := mustDial(t, s.url, s.token(s.world.A.Admin))
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
					_, _ = s.app.Hub().ToTenant(t.Context(), s.world.A.ID, "noise", 1)
				}
			}
		})
	}
	for i := range events {
		require.NoError(t, c.send(fmt.Sprintf(`42%d["presence:update","online"]`, i)))
	}
	err := c.until("all answers", func(p []string) bool { return count(p, "3") >= events })
	close(stop)
	wg.Wait()
	require.NoError(t, err)
	next := 0
	for _, p := range c.all() {
		if strings.HasPrefix(p, "3") {
			require.Truef(t, strings.HasPrefix(p, fmt.Sprintf("3%d[", next)), "answer %d is %s", next, p)
			next++
		}
	}
	require.Equal(t, events, next)
}

func TestAThousandClientsThatVanishInTheMiddleOfCONNECTLeaveNothing(t *testing.T) {
	s := startPostgres(t, append([]string{"OFFLINE_GRACE", "10ms"}, unhurried...)...)
	token := s.token(s.world.A.Admin)
	slots := make(chan struct{}, 100)
	var wg sync.WaitGroup
	for range 1000 {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if c, err := dial(s.url, token); err == nil {
				c.close() // right after CONNECT was sent
			}
		})
	}
	wg.Wait()
	require.Eventually(t, func() bool {
		st := s.app.Hub().Stats()
		return st.TotalConnections == 0 && len(st.Tenants) == 0 && len(s.app.Hub().ConnectedUsers()) == 0
	}, patience, 20*time.Millisecond)
}

func count(packets []string, prefix string) int {
	n := 0
	for _, p := range packets {
		if strings.HasPrefix(p, prefix) {
			n++
		}
	}
	return n
}
