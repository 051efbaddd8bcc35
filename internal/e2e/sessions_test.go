package e2e_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/pkg/contract"
	"github.com/citaplanner/realtime/pkg/nextauth"
)

// fleet is some server processes on one database and one Redis.
type fleet struct {
	t     *testing.T
	vars  map[string]string
	world *dbtest.World
	keys  *nextauth.Keyring
	node  *node
	next  int // the next tick
}

func newFleet(t *testing.T, redis string, vars ...string) *fleet {
	t.Helper()
	url, world, keys := database(t)
	return &fleet{t: t, vars: settings(url, append([]string{"REDIS_URL", "redis://" + redis}, vars...)...), world: world, keys: keys,
		node: startNode(t)}
}

// launch starts a server; "" is any port.
func (f *fleet) launch(port string) *process {
	f.t.Helper()
	vars := map[string]string{}
	for k, v := range f.vars {
		vars[k] = v
	}
	if port != "" {
		vars["PORT"] = port
	}
	return launch(f.t, f.t.TempDir(), vars)
}

// connect opens a socket of a user that tries to come back for as long as the test lasts, and remembers nothing of its start.
func (f *fleet) connect(url, user string) *client {
	f.t.Helper()
	c := f.node.connect(url, open{Token: sessionOf(f.t, f.keys, user), Transports: []string{"websocket"},
		Options: m{"reconnectionDelay": 20, "reconnectionDelayMax": 50, "reconnectionAttempts": 10_000}})
	require.False(f.t, c.kind("connect").Recovered)
	return c
}

// ticks sends numbers to tenant A by a server.
func (f *fleet) ticks(p *process, n int) {
	f.t.Helper()
	for range n {
		f.emit(p, "tenant", fmt.Sprintf(`{"tenantId":%q,"event":"tick","data":%d}`, f.world.A.ID, f.next))
		f.next++
	}
}

// kept waits until Redis has all that a server has sent: two servers' events have no order but this one, and who is killed
// loses the rest.
func (f *fleet) kept(p *process) {
	f.t.Helper()
	require.Eventually(f.t, func() bool { return p.metric("realtime_sessions_queued_bytes") == "0" }, patience, time.Millisecond)
}

func (f *fleet) emit(p *process, kind, body string) {
	f.t.Helper()
	got, err := call("POST", p.url+"/api/emit/"+kind, body, "Authorization", "Bearer "+apiKey, "Content-Type", "application/json")
	require.NoError(f.t, err)
	require.Equal(f.t, 202, got.status, got.body)
}

func (p *process) metric(name string) string {
	p.t.Helper()
	got, err := call("GET", p.url+"/metrics", "")
	require.NoError(p.t, err)
	for line := range strings.SplitSeq(got.body, "\n") {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return value
		}
	}
	return ""
}

func TestClientsComeBackToTheirSocketsOverARestartAndACrash(t *testing.T) {
	t.Parallel()
	f := newFleet(t, dbtest.Redis(t))
	other, port := f.launch(""), freePort(t)
	p := f.launch(port)
	c := f.connect(p.url, f.world.A.Admin)
	quiet := f.connect(p.url, f.world.B.Admin)
	c.ask("appointment:editing", f.world.A.Appointment)
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGKILL, syscall.SIGKILL, syscall.SIGTERM} {
		f.ticks(p, 20)
		f.kept(p)
		p.signal(sig)
		c.kind("disconnect")
		f.ticks(other, 10)
		f.kept(other)
		p.ended()
		p = f.launch(port)
		f.ticks(p, 10)
		require.True(t, c.kind("connect").Recovered, sig)
		require.True(t, quiet.kind("connect").Recovered, "who got nothing missed nothing")
		if sig == syscall.SIGKILL { // what it sent in its last moment may be lost: the inbox has it
			c.event("calendar:refresh")
			quiet.event("calendar:refresh")
		}
		f.ticks(p, 5)
		require.Equal(t, "2", p.metric(`realtime_sio_recoveries_total{result="restored_elsewhere"}`))
	}
	require.Equal(t, upTo(f.next), c.ticks(f.next))
	c.settle()
	require.NotContains(t, c.events(), "tick", "none twice")
	require.NotContains(t, c.events(), "calendar:refresh", "it was not away over the stops")
	quiet.settle()
	require.NotContains(t, quiet.events(), "tick", "of another tenant")
	editor := f.connect(p.url, f.world.A.Manager)
	editor.ask("appointment:editing", f.world.A.Appointment)
	require.Contains(t, editor.event("appointment:editing:conflict").payload(), f.world.A.Admin, "it is still edited")
}

func TestAClientComesBackToAnotherServer(t *testing.T) {
	t.Parallel()
	f := newFleet(t, dbtest.Redis(t))
	servers := []*process{f.launch(""), f.launch("")}
	w := newNetwork(t, &scene{url: servers[0].url})
	c := f.connect(w.url, f.world.A.Admin)
	for i := range 6 {
		here, there := servers[i%2], servers[(i+1)%2]
		f.ticks(here, 20)
		w.cut(true)
		c.kind("disconnect")
		f.ticks(here, 5)
		f.kept(here)
		f.emit(there, "user", fmt.Sprintf(`{"userId":%q,"event":"tick","data":%d}`, f.world.A.Admin, f.next))
		f.next++
		f.ticks(there, 5)
		f.emit(there, "tenant", fmt.Sprintf(`{"tenantId":%q,"event":"other","data":1}`, f.world.B.ID))
		f.emit(here, "role", fmt.Sprintf(`{"tenantId":%q,"role":"MANAGER","event":"other","data":1}`, f.world.A.ID))
		f.kept(there)
		f.ticks(here, 5)
		f.kept(here)
		w.lead(there.url)
		w.up()
		require.True(t, c.kind("connect").Recovered)
	}
	require.Equal(t, upTo(f.next), c.ticks(f.next))
	c.settle()
	require.NotContains(t, c.events(), "tick", "none twice")
	require.NotContains(t, c.events(), "other", "neither of another tenant nor of another role")
	require.NotContains(t, c.events(), "calendar:refresh")
}

func TestOtherRightsAreNotRestoredByAnotherServer(t *testing.T) {
	t.Parallel()
	addr := dbtest.Redis(t)
	f := newFleet(t, addr, "RECHECK_EVERY", "50s") // or the first server, too, may find out, and give the session up
	a, b := f.launch(""), f.launch("")
	w := newNetwork(t, &scene{url: a.url})
	c := f.connect(w.url, f.world.A.Manager)
	f.ticks(a, 1)
	c.ticks(1)
	bus := redis.NewClient(&redis.Options{Addr: addr})
	defer func() { _ = bus.Close() }()
	require.Eventually(t, func() bool {
		keys, err := bus.Keys(t.Context(), "realtime:session:*").Result()
		return err == nil && len(keys) == 1
	}, patience, 5*time.Millisecond, "the second server finds the session")
	w.cut(true)
	c.kind("disconnect")
	f.emit(a, "role", fmt.Sprintf(`{"tenantId":%q,"role":"MANAGER","event":"tick","data":"for managers"}`, f.world.A.ID))
	f.world.SetRole(f.world.A.Manager, contract.RoleProfessional)
	w.lead(b.url)
	w.up()
	require.False(t, c.kind("connect").Recovered)
	require.Contains(t, c.event("connection:success").payload(), `"role":"PROFESSIONAL"`)
	c.settle()
	require.NotContains(t, c.events(), "tick")
	require.Equal(t, "1", b.metric(`realtime_sio_recoveries_total{result="rights"}`))
}

func TestWithoutRedisClientsAreToldAsThoseWhoWereAway(t *testing.T) {
	t.Parallel()
	addr := dbtest.Redis(t)
	f := newFleet(t, addr)
	port := freePort(t)
	p := f.launch(port)
	c := f.connect(p.url, f.world.A.Admin)
	require.Eventually(t, func() bool { return p.metric(`realtime_returns_total{result="new"}`) == "1" }, patience, 5*time.Millisecond)
	bus := redis.NewClient(&redis.Options{Addr: addr})
	defer func() { _ = bus.Close() }()
	_ = bus.ShutdownNoSave(t.Context()).Err() // it ends instead of answering

	f.ticks(p, 100)
	require.Equal(t, upTo(100), c.ticks(100), "what is live goes on")
	require.Eventually(t, func() bool { return p.metric("realtime_sessions_redis_up") == "0" }, patience, 5*time.Millisecond)
	p.signal(syscall.SIGTERM)
	c.kind("disconnect")
	require.Zero(t, p.ended())
	f.world.Insert(missedRow(f.world.A.ID, f.world.A.Admin, "missed"))
	p = f.launch(port)
	start := time.Now()
	require.False(t, c.kind("connect").Recovered)
	took := time.Since(start)
	require.Equal(t, []string{"missed"}, noteIDs(c.told()))
	start = time.Now()
	f.connect(p.url, f.world.A.Manager) // which asks Redis for nothing, on the same machine
	require.Less(t, took, 15*time.Second+10*time.Since(start))
}
