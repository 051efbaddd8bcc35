package e2e_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/pkg/nextauth"
)

// app is some server processes on one database and one Redis.
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
		require.Eventually(t, func() bool { return p.metric("realtime_sessions_queued_bytes") == "0" }, patience, time.Millisecond)
		p.signal(sig)
		c.kind("disconnect")
		f.ticks(other, 10)
		p.ended()
		p = f.launch(port)
		f.ticks(p, 10)
		require.True(t, c.kind("connect").Recovered, sig)
		require.True(t, quiet.kind("connect").Recovered, "who got nothing missed nothing")
		f.ticks(p, 5)
		require.Equal(t, "2", p.metric(`realtime_sio_recoveries_total{result="restored_elsewhere"}`))
	}
	require.Equal(t, upTo(f.next), c.ticks(f.next))
	c.settle()
	require.NotContains(t, c.events(), "tick", "none twice")
	require.NotContains(t, c.events(), "calendar:refresh", "it was not away")
	quiet.settle()
	require.NotContains(t, quiet.events(), "tick", "of another tenant")
	t.Log(c.events(), quiet.events())
	editor := f.connect(p.url, f.world.A.Manager)
	editor.ask("appointment:editing", f.world.A.Appointment)
	require.Contains(t, editor.event("appointment:editing:conflict").payload(), f.world.A.Admin, "it is still edited")
}
