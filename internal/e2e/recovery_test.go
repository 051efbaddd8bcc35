package e2e_test

import (
	"encoding/json"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/pkg/contract"
)

// network lies between clients and the server and breaks when a test wants it to.
type network struct {
	url string

	mu    sync.Mutex
	to    string // host:port of the server
	conns map[net.Conn]bool
	down  bool // new connections are refused
}

func newNetwork(t *testing.T, s *scene) *network {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	w := &network{url: "http://" + l.Addr().String(), conns: map[net.Conn]bool{}}
	w.lead(s.url)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go w.carry(c)
		}
	}()
	t.Cleanup(func() { _ = l.Close(); w.cut(true) })
	return w
}

// lead leads new connections to a server.
func (w *network) lead(url string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to = strings.TrimPrefix(url, "http://")
}

func (w *network) carry(client net.Conn) {
	w.mu.Lock()
	to := w.to
	w.mu.Unlock()
	server, err := net.Dial("tcp", to)
	if err != nil {
		_ = client.Close()
		return
	}
	w.mu.Lock()
	cut := w.down || w.to != to // which may have changed while it dialed: then it would lead to the server of before
	if !cut {
		w.conns[client], w.conns[server] = true, true
	}
	w.mu.Unlock()
	if cut {
		_, _ = client.Close(), server.Close()
		return
	}
	var both sync.WaitGroup
	for from, to := range map[net.Conn]net.Conn{client: server, server: client} {
		both.Go(func() {
			_, _ = io.Copy(to, from)
			_, _ = from.Close(), to.Close()
		})
	}
	both.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, client)
	delete(w.conns, server)
}

// cut kills every TCP connection; with down it stays so until up.
func (w *network) cut(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
	for c := range w.conns {
		_ = c.(*net.TCPConn).SetLinger(0) // a reset: what is on its way is lost
		_ = c.Close()
	}
}

// breakUnder cuts until the client has noticed: between two polls there is nothing to cut. It is given time to say so, or the
// connection that it has come back with would be cut as well, perhaps in the middle of its upgrade.
func (w *network) breakUnder(c *client) {
	c.n.t.Helper()
	noticed := func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return slices.ContainsFunc(c.messages, func(m message) bool { return m.Type == "disconnect" })
	}
	for again := true; again; again = !noticed() {
		w.cut(false)
		for end := time.Now().Add(2 * time.Second); !noticed() && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
	}
	c.kind("disconnect")
}

func (w *network) up() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = false
}

// quick is a client that comes back soon, over one transport, with a token: the network's address is no origin of the app's.
func (s *scene) quick(user string, transports ...string) open {
	return open{Token: s.token(user), Transports: transports,
		Options: m{"reconnectionDelay": 20, "reconnectionDelayMax": 50, "reconnectionAttempts": 1000}}
}

// away waits until the sessions of so many clients are kept for them to come back.
func (s *scene) away(n string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.metric("realtime_sio_recovery_sessions") == n }, patience, 10*time.Millisecond)
}

// tick sends numbers to a tenant, as an API route does.
func (s *scene) tick(from, until int) {
	for i := from; i < until; i++ {
		s.emitted("tenant", m{"tenantId": s.world.A.ID, "event": "tick", "data": i})
	}
}

// ticks takes the ticks that have come, in order.
func (c *client) ticks(n int) (got []int) {
	c.n.t.Helper()
	for range n {
		i, err := strconv.Atoi(c.event("tick").payload())
		require.NoError(c.n.t, err)
		got = append(got, i)
	}
	return got
}

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func TestTheRealClientRecoversAndGetsEveryEventOnceInOrder(t *testing.T) {
	t.Parallel()
	s := startPostgres(t)
	n := startNode(t)
	for name, transports := range map[string][]string{
		"websocket": {"websocket"}, "polling": {"polling"}, "polling, then the upgrade": {"polling", "websocket"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newNetwork(t, s)
			c := n.connect(w.url, s.quick(s.world.A.Admin, transports...))
			first := c.kind("connect")
			require.False(t, first.Recovered)
			const total, cuts = 240, 8
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				s.tick(0, total)
			}()
			got := c.ticks(5)
			for range cuts {
				if len(transports) > 1 { // in the middle of an upgrade the client itself would notice at its ping timeout alone
					c.kind("upgrade")
				}
				w.breakUnder(c)
				again := c.kind("connect")
				require.True(t, again.Recovered)
				require.Equal(t, first.SID, again.SID)
				got = append(got, c.ticks(10)...)
			}
			<-sent
			got = append(got, c.ticks(total-len(got))...)
			require.Equal(t, upTo(total), got)
			c.settle()
			require.NotContains(t, c.events(), "tick", "none twice")
			require.Contains(t, c.event("connection:success").payload(), `"userId":"a-admin"`) // told anew, as on each connection
			c.event("presence:state")
			c.close()
		})
	}
	require.NotContains(t, s.metric(`realtime_sio_recoveries_total{result="missed"}`), "1")
}

func TestAClientThatWasAwayKnowsWhatHappenedMeanwhile(t *testing.T) {
	t.Parallel()
	s := startPostgres(t, "OFFLINE_GRACE", "2m")
	n := startNode(t)
	a := s.world.A
	w := newNetwork(t, s)
	c := n.connect(w.url, s.quick(a.Professional, "websocket"))
	c.kind("connect")
	other := n.connect(s.url, s.as(a.Admin))
	c.ask("appointment:editing", a.Appointment)
	other.event("appointment:editing:started")

	w.cut(true)
	other.event("appointment:editing:stopped")
	id := created(s)
	stranger := n.connect(s.url, s.as(s.world.B.Admin))
	s.emitted("tenant", m{"tenantId": s.world.B.ID, "event": "tick", "data": 1})
	stranger.event("tick")
	s.emitted("role", m{"tenantId": a.ID, "role": "ADMIN", "event": "tick", "data": 1})
	s.away("1")
	w.up()

	require.True(t, c.kind("connect").Recovered)
	require.Contains(t, c.event("notification:new").payload(), `"id":"`+id+`"`)
	c.event("appointment:created")
	other.event("appointment:editing:started")
	c.settle()
	require.NotContains(t, c.events(), "tick", "neither of another tenant nor of another role")
	require.NotContains(t, c.events(), "notification:new", "once")
	other.settle()
	require.NotContains(t, other.events(), "user:offline")
	require.NotContains(t, other.events(), "user:online")
	require.Equal(t, "0", s.metric("realtime_sio_recovery_sessions"))
}

func TestWhoStaysAwayTooLongOrMissesTooMuchStartsAnew(t *testing.T) {
	t.Parallel()
	s := startPostgres(t, "RECOVERY_TIME", "10s", "RECOVERY_BYTES", "65536")
	n := startNode(t)
	w := newNetwork(t, s)
	telephone := n.connect(s.url, s.as(s.world.A.Admin)) // is there all the time
	c := n.connect(w.url, s.quick(s.world.A.Admin, "websocket"))
	first := c.kind("connect")
	w.cut(true)
	c.kind("disconnect")
	s.away("1") // the client may know of the cut before the server does
	missed := s.notice(s.world.A.ID, s.world.A.Admin, "while the laptop was closed")
	s.away("0") // the session ends by itself
	w.up()
	again := c.kind("connect")
	require.False(t, again.Recovered)
	require.NotEqual(t, first.SID, again.SID)
	require.Equal(t, []string{missed}, noteIDs(c.told()))
	require.Equal(t, missed, object(t, telephone.event("notification:new").payload())["id"])
	telephone.settle()
	require.NotContains(t, telephone.events(), "calendar:refresh", "it has missed nothing")
	require.NotContains(t, telephone.events(), "notification:new")

	s = startPostgres(t, "RECOVERY_BYTES", "65536")
	w = newNetwork(t, s)
	c = n.connect(w.url, s.quick(s.world.A.Admin, "websocket"))
	c.kind("connect")
	w.cut(true)
	c.kind("disconnect")
	for range 70 {
		s.emitted("tenant", m{"tenantId": s.world.A.ID, "event": "tick", "data": strings.Repeat("x", 1000)})
	}
	require.NotEqual(t, "0", s.metric("realtime_sio_recovery_bytes"))
	w.up()
	require.False(t, c.kind("connect").Recovered)
	require.Empty(t, c.told(), "no notification was among it; the calendar loads anew")
	require.NotContains(t, c.events(), "tick", "nothing of what has a gap")
	require.Equal(t, "1", s.metric(`realtime_sio_recoveries_total{result="missed"}`))
}

func TestWhoDisconnectedOrWasDisconnectedOrHasOtherRightsIsNotRecovered(t *testing.T) {
	t.Parallel()
	s := startPostgres(t, "RECHECK_EVERY", "100ms", "USER_CACHE_TTL", "50ms")
	n := startNode(t)
	a := s.world.A
	t.Run("the client's disconnect()", func(t *testing.T) {
		c := n.connect(s.url, s.quick(a.Admin, "websocket"))
		c.kind("connect")
		c.close()
		c.kind("disconnect")
		require.Eventually(t, func() bool { return s.app.Hub().Conns() == 0 }, patience, time.Millisecond,
			"a connection of before is ended as a broken one by a client that is back before its DISCONNECT is read")
		n.say(map[string]any{"op": "connect", "id": c.id})
		require.False(t, c.kind("connect").Recovered)
	})
	t.Run("a role that changed while connected", func(t *testing.T) {
		c := n.connect(s.url, s.quick(a.Professional2, "websocket"))
		c.kind("connect")
		s.world.SetRole(a.Professional2, contract.RoleManager)
		c.kind("disconnect")
		require.False(t, c.kind("connect").Recovered)
		require.Contains(t, c.event("connection:success").payload(), `"role":"MANAGER"`)
	})
	t.Run("a role that changed while away", func(t *testing.T) {
		w := newNetwork(t, s)
		c := n.connect(w.url, s.quick(a.Manager, "websocket"))
		c.kind("connect")
		w.cut(true)
		c.kind("disconnect")
		s.emitted("role", m{"tenantId": a.ID, "role": "MANAGER", "event": "tick", "data": "for managers"})
		s.world.SetRole(a.Manager, contract.RoleProfessional)
		require.Eventually(t, func() bool { // remembered rows are older than the change for a moment
			r, err := dial(s.url, s.token(a.Manager))
			require.NoError(t, err)
			defer r.close()
			require.NoError(t, r.signedIn())
			return strings.Contains(strings.Join(r.all(), ""), `"role":"PROFESSIONAL"`)
		}, patience, 10*time.Millisecond)
		w.up()
		require.False(t, c.kind("connect").Recovered)
		c.settle()
		require.NotContains(t, c.events(), "tick")
	})
	t.Run("an inactive user", func(t *testing.T) {
		c := n.connect(s.url, s.quick(a.Receptionist, "websocket"))
		c.kind("connect")
		s.world.SetUserActive(a.Receptionist, false)
		require.Equal(t, "io server disconnect", c.kind("disconnect").Reason)
		s.world.SetUserActive(a.Receptionist, true)
		require.Eventually(t, func() bool {
			n.say(map[string]any{"op": "connect", "id": c.id})
			got := c.wait("an answer", func(m message) bool { return m.Type == "connect" || m.Type == "connect_error" })
			require.False(t, got.Recovered)
			return got.Type == "connect"
		}, patience, 50*time.Millisecond)
	})
}

func TestWithoutRecoveryNothingIsAddedToAnEvent(t *testing.T) {
	t.Parallel()
	s := startPostgres(t, "RECOVERY_TIME", "0")
	n := startNode(t)
	w := newNetwork(t, s)
	c := n.connect(w.url, s.quick(s.world.A.Admin, "websocket"))
	c.kind("connect")
	s.tick(0, 1)
	got := c.event("tick")
	require.Equal(t, []json.RawMessage{json.RawMessage("0")}, got.Args)
	w.cut(false)
	c.kind("disconnect")
	require.False(t, c.kind("connect").Recovered)
}
