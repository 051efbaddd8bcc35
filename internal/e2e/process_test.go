package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/freeport"
	"github.com/citaplanner/realtime/pkg/contract"
	"github.com/citaplanner/realtime/pkg/nextauth"
)

// binary builds the command once for all tests that need real processes.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "realtime-e2e-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "realtime")
	out, err := exec.Command("go", "build", "-o", path, "../../cmd/realtime").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the command: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// process is the command, running.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	url    string
	out    *lines
	exited chan struct{} // closed when it has ended
	err    error         // how; to be read after that
}

// command prepares the command in a folder of its own, with these settings and no others.
func command(t *testing.T, dir string, vars map[string]string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := binary()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute) // whatever goes wrong, nothing stays behind
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TZ=America/Mexico_City"}
	for k, v := range vars {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	return cmd
}

// launch starts the server as a process and waits until it is ready.
func launch(t *testing.T, dir string, vars map[string]string) *process {
	t.Helper()
	p, err := tryLaunch(t, dir, vars)
	require.NoError(t, err)
	return p
}

// tryLaunch is launch for a server that may have a reason not to start.
func tryLaunch(t *testing.T, dir string, vars map[string]string) (*process, error) {
	t.Helper()
	cmd := command(t, dir, vars)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	p := &process{t: t, cmd: cmd, out: &lines{}, exited: make(chan struct{})}
	ready := make(chan string, 1)
	var readers sync.WaitGroup
	for _, r := range []io.Reader{stdout, stderr} {
		readers.Go(func() {
			sc := bufio.NewScanner(r)
			sc.Buffer(nil, 1<<20)
			for sc.Scan() {
				_, _ = fmt.Fprintln(p.out, sc.Text())
				if m := regexp.MustCompile(`Ready on (http://localhost:\d+)`).FindStringSubmatch(sc.Text()); m != nil {
					ready <- m[1]
				}
			}
		})
	}
	go func() {
		readers.Wait()
		p.err = cmd.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-p.exited // or it may still write into its folder, which is removed next
		if t.Failed() {
			_, _ = os.Stderr.WriteString("the process said:\n" + p.out.String())
		}
	})
	select {
	case p.url = <-ready:
		return p, nil
	case <-p.exited:
		return nil, fmt.Errorf("the server ended instead of becoming ready: %w\n%s", p.err, p.out)
	case <-time.After(patience):
		return nil, fmt.Errorf("the server did not become ready\n%s", p.out)
	}
}

func (p *process) signal(sig os.Signal) { require.NoError(p.t, p.cmd.Process.Signal(sig)) }

// ended waits for the process to exit and returns its exit code.
func (p *process) ended() int {
	p.t.Helper()
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		require.Failf(p.t, "the process did not end", "%s", p.out)
		return -1
	}
}

// database is a seeded PostgreSQL database for processes.
func database(t *testing.T) (url string, world *dbtest.World, keys *nextauth.Keyring) {
	t.Helper()
	url, _ = dbtest.PostgresURL(t)
	st, err := store.Open(t.Context(), store.Options{URL: url})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	keys, err = nextauth.New([]string{secret}, nextauth.Options{})
	require.NoError(t, err)
	return url, dbtest.Seed(t, st), keys
}

func sessionOf(t *testing.T, keys *nextauth.Keyring, user string) string {
	t.Helper()
	sealed, err := keys.SealV4(m{"sub": user, "exp": time.Now().Add(time.Hour).Unix()})
	require.NoError(t, err)
	return sealed
}

// freePort is a port for a server that may be started again.
func freePort(t *testing.T) string {
	t.Helper()
	port, err := freeport.Find()
	require.NoError(t, err)
	return port
}

func TestWithNothingSetTheServerStartsOnDemoDataAndSaysWhatToDoNext(t *testing.T) {
	dir := t.TempDir()
	port := freePort(t)
	p := launch(t, dir, map[string]string{"PORT": port})
	out := p.out.String()
	require.Contains(t, out, "Socket.IO server initialized")
	require.Contains(t, out, "Ready on http://localhost:"+port)
	require.Eventually(t, func() bool { return strings.Contains(p.out.String(), "realtime doctor") }, patience, 10*time.Millisecond)
	out = p.out.String()

	// The two commands that it prints work as they are.
	curl := regexp.MustCompile(`(?s)curl -X POST (\S+) \\\n\s+-H 'Authorization: (Bearer [^']+)' -H 'Content-Type: application/json' \\\n\s+-d '([^']+)'`).FindStringSubmatch(out)
	require.NotNil(t, curl, out)
	user := regexp.MustCompile(`token --user (\S+)`).FindStringSubmatch(out)
	require.NotNil(t, user, out)
	token, err := command(t, dir, map[string]string{"PORT": port}, "token", "--user", user[1]).Output()
	require.NoError(t, err)
	c := startNode(t).connect(p.url, open{Token: strings.TrimSpace(string(token))})
	got, err := call("POST", curl[1], curl[3], "Authorization", curl[2], "Content-Type", "application/json")
	require.NoError(t, err)
	require.Equalf(t, 202, got.status, "%s", got.body)
	require.Contains(t, c.event("appointment:created").payload(), `"clientName"`)

	p.signal(syscall.SIGTERM)
	require.Equal(t, 0, p.ended())
	again := launch(t, dir, map[string]string{"PORT": port}) // the same file, the same keys
	startNode(t).connect(again.url, open{Token: strings.TrimSpace(string(token))})
}

func TestAWrongSettingStopsTheStartWithOneLineThatNamesIt(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = busy.Close() })
	_, port, err := net.SplitHostPort(busy.Addr().String())
	require.NoError(t, err)
	for name, vars := range map[string]map[string]string{
		"PING_INTERVAL":   {"PING_INTERVAL": "often"},
		"NEXTAUTH_SECRET": {"NODE_ENV": "production", "DATABASE_URL": "postgresql://u:p@127.0.0.1:1/x", "REALTIME_API_KEY": strings.Repeat("k", 32)},
		"DATABASE_URL":    {"DATABASE_URL": "postgresql://u:secret-password@127.0.0.1:1/x?connect_timeout=1"},
		"PORT":            {"PORT": port},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := command(t, t.TempDir(), vars).CombinedOutput()
			require.Error(t, err)
			require.NotContains(t, string(out), "secret-password")
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			require.Contains(t, lines[len(lines)-1], name)
		})
	}
}

func TestTheSubcommandsDoWhatTheySay(t *testing.T) {
	url, ownerURL := dbtest.EmptyPostgresURL(t)
	redis := dbtest.Redis(t)
	vars := map[string]string{"DATABASE_URL": ownerURL, "NEXTAUTH_SECRET": secret, "REALTIME_API_KEY": apiKey, "PORT": freePort(t)}
	dir := t.TempDir()
	run := func(more map[string]string, args ...string) (string, error) {
		all := map[string]string{}
		for _, src := range []map[string]string{vars, more} {
			for k, v := range src {
				all[k] = v
			}
		}
		out, err := command(t, dir, all, args...).CombinedOutput()
		return string(out), err
	}
	out, err := run(nil, "help")
	require.NoError(t, err)
	for _, word := range []string{"serve", "migrate", "token", "doctor", "version", "DATABASE_URL", "DRAIN_TIME"} {
		require.Contains(t, out, word)
	}
	out, err = run(nil, "version")
	require.NoError(t, err)
	require.Contains(t, out, "realtime ")
	_, err = run(nil, "no-such-thing")
	require.Error(t, err)

	out, err = run(nil, "doctor")
	require.Error(t, err, "the database is empty")
	require.Contains(t, out, "migrate")
	out, err = run(nil, "migrate")
	require.NoErrorf(t, err, "%s", out)
	out, err = run(nil, "migrate")
	require.NoError(t, err)
	require.Contains(t, out, "nothing to do")
	out, err = run(map[string]string{"REDIS_URL": "redis://" + redis}, "doctor")
	require.NoErrorf(t, err, "%s", out)
	require.Contains(t, out, "Redis: answers")
	require.NotContains(t, out, "maxmemory-policy")
	bus := goredis.NewClient(&goredis.Options{Addr: redis})
	defer func() { _ = bus.Close() }()
	require.NoError(t, bus.ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lru").Err())
	out, err = run(map[string]string{"REDIS_URL": "redis://" + redis}, "doctor")
	require.NoErrorf(t, err, "%s", out)
	require.Contains(t, out, "maxmemory-policy allkeys-lru evicts keys")
	out, err = run(map[string]string{"REDIS_URL": "redis://127.0.0.1:1"}, "doctor")
	require.Error(t, err)
	require.Contains(t, out, "ERROR    Redis")

	_, err = run(nil, "token", "--user", "nobody")
	require.Error(t, err)
	production := map[string]string{"NODE_ENV": "production", "DATABASE_URL": url}
	out, err = run(production, "token", "--user", "demo-ana")
	require.Error(t, err)
	require.Contains(t, out, "--allow-production")
	_, err = run(nil, "health")
	require.Error(t, err, "nothing runs")
}

func TestOnSIGTERMClientsComeBackElsewhereByThemselvesAndTheExitCodeIs0(t *testing.T) {
	url, world, keys := database(t)
	vars := settings(url, "PORT", freePort(t), "DRAIN_TIME", "10s")
	first := launch(t, t.TempDir(), vars)
	n := startNode(t)
	patient := m{"reconnectionAttempts": 1000} // the hook's 5 are over before a busy machine has started the next server
	ws := n.connect(first.url, open{Token: sessionOf(t, keys, world.A.Admin), Options: patient})
	polling := n.connect(first.url, open{Token: sessionOf(t, keys, world.A.Manager), Transports: []string{"polling"}, Options: patient})
	ws.kind("upgrade")

	// Emits are under way while the signal comes: each one that is answered 202 has its row.
	var wg sync.WaitGroup
	accepted := make(chan string, 400)
	for i := range 8 {
		wg.Go(func() {
			for k := range 40 {
				got, err := call("POST", first.url+"/api/emit/notification", fmt.Sprintf(`{"tenantId":"tenant-a","userId":"a-admin","type":"drain","message":"%d-%d"}`, i, k),
					"Authorization", "Bearer "+apiKey, "Content-Type", "application/json")
				if err != nil || got.status != 202 {
					return
				}
				accepted <- fmt.Sprintf("%d-%d", i, k)
			}
		})
	}
	ws.event("notification:new")
	first.signal(syscall.SIGTERM)
	require.Equal(t, 0, first.ended())
	second := launch(t, t.TempDir(), vars)
	wg.Wait()
	close(accepted)
	for _, c := range []*client{ws, polling} {
		got := c.kind("disconnect")
		require.Contains(t, []string{"transport close", "transport error"}, got.Reason)
		require.True(t, got.Active, "the client comes back by itself")
		c.event("connection:success")
	}
	rows := map[string]bool{}
	for _, r := range world.Notifications() {
		rows[r.Message] = true
	}
	n2 := 0
	for text := range accepted {
		require.True(t, rows[text], text)
		n2++
	}
	require.Positive(t, n2)
	require.Contains(t, second.url, "http://localhost:")
}

// TestAProcessKilledInTheMiddleMakesGoodAtItsNextStart kills the server with SIGKILL during emits, several times, and
// asserts that afterwards every stored row has reached its user's socket.
func TestAProcessKilledInTheMiddleMakesGoodAtItsNextStart(t *testing.T) {
	url, world, keys := database(t)
	vars := settings(url, "PORT", freePort(t))
	p := launch(t, t.TempDir(), vars)
	c := startNode(t).connect(p.url, open{Token: sessionOf(t, keys, world.A.Admin), Options: m{"reconnectionAttempts": 1000, "reconnectionDelay": 100, "reconnectionDelayMax": 300}})
	got := map[string]bool{}
	take := func() {
		var note struct{ ID string }
		require.NoError(t, json.Unmarshal([]byte(c.event("notification:new").payload()), &note))
		got[note.ID] = true
	}
	var promised []string // ids of rows, by the answers
	for round := range 3 {
		var wg sync.WaitGroup
		acknowledged := make(chan string, 10_000)
		for i := range 6 {
			wg.Go(func() {
				for k := 0; ; k++ {
					a, err := call("POST", p.url+"/api/emit/notification", fmt.Sprintf(`{"tenantId":"tenant-a","userId":"a-admin","type":"kill","message":"%d-%d-%d"}`, round, i, k),
						"Authorization", "Bearer "+apiKey, "Content-Type", "application/json")
					if err != nil || a.status != 202 {
						return
					}
					var answer contract.EmitResult
					if json.Unmarshal([]byte(a.body), &answer) == nil {
						acknowledged <- strings.Join(answer.Notifications, " ")
					}
				}
			})
		}
		for range 20 {
			take()
			promised = append(promised, <-acknowledged)
		}
		promised = append(promised, <-acknowledged) // its event is still to be taken, and all lanes are at their next emit
		p.signal(syscall.SIGKILL)
		wg.Wait()
		close(acknowledged)
		for id := range acknowledged {
			promised = append(promised, id)
		}
		p.ended()
		p = launch(t, t.TempDir(), vars)
		c.event("connection:success")
	}
	rows := world.Notifications()
	stored := map[string]bool{}
	for _, r := range rows {
		stored[r.ID] = true
	}
	require.Greater(t, len(promised), 60)
	for _, id := range promised {
		require.Truef(t, stored[id], "%s was acknowledged and is not there", id)
	}
	for _, r := range rows {
		for !got[r.ID] {
			take() // fails when nothing comes any more
		}
	}
}
