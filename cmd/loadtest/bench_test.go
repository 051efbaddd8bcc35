package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
)

const (
	secret = "a-session-secret-for-the-benchmark-only"
	apiKey = "an-api-key-for-the-benchmark-only-00"
)

// times of the parts of the comparison.
const (
	rounds     = 3
	saturate   = 3 * time.Second
	equalRound = 5 * time.Second
	settle     = 15 * time.Second // before memory is read: both runtimes give back what they need no more
)

// server is one of those that are compared.
type server struct {
	target
	floor bool
	cmd   *exec.Cmd
}

// people of a server: the floor is told the rooms themselves, having nobody to ask.
func (s *server) people(of []person) []person {
	if !s.floor {
		return of
	}
	out := slices.Clone(of)
	for i, p := range out {
		out[i].Token = p.TenantID + "/" + p.ID
	}
	return out
}

// bench is one comparison.
type bench struct {
	b       *testing.B
	db      string
	folder  string
	servers []*server
	all     map[string]map[string][]figures // by case, then server
	order   []string
}

// crowd is who connects, and what is measured while they are connected.
type crowd struct {
	name      string
	transport string
	people    []person
	cases     []benchCase
}

type benchCase struct {
	name  string
	floor bool // the floor can do it, too
	load  load
	run   func(ctx context.Context, c *crew, l load) (figures, error)
}

func broadcast(ctx context.Context, c *crew, l load) (figures, error) {
	return c.fanOut(ctx, c.tenants(), l)
}
func direct(ctx context.Context, c *crew, l load) (figures, error) {
	return c.fanOut(ctx, c.users(), l)
}
func asks(ctx context.Context, c *crew, l load) (figures, error)     { return c.asks(ctx, l) }
func notifies(ctx context.Context, c *crew, l load) (figures, error) { return c.notifies(ctx, l) }

// BenchmarkSideBySide runs this server, Node's and the floor in turn and prints the ratios; make bench calls it once.
func BenchmarkSideBySide(b *testing.B) {
	for b.Loop() {
		(&bench{b: b, folder: b.TempDir(), all: map[string]map[string][]figures{}}).run()
	}
}

func (b *bench) run() {
	serverURL, _ := dbtest.PostgresURL(b.b)
	b.db = serverURL
	small, big := b.seed()
	b.start()
	b.idle(small)
	crowds := []crowd{
		{"room of 100", "websocket", big(100), []benchCase{
			{"broadcast to a room of 100, 200 B", true, load{lanes: 1, payload: 200, ahead: 400}, broadcast}}},
		{"room of 1,000", "websocket", big(1000), []benchCase{
			{"broadcast to a room of 1,000, 200 B", true, load{lanes: 1, payload: 200, ahead: 4000}, broadcast},
			{"broadcast to a room of 1,000, 4 KB", true, load{lanes: 1, payload: 4096, ahead: 4000}, broadcast}}},
		{"room of 5,000", "websocket", big(5000), []benchCase{
			{"broadcast to a room of 5,000, 200 B", true, load{lanes: 1, payload: 200, ahead: 10_000}, broadcast},
			{"broadcast to a room of 5,000, 4 KB", true, load{lanes: 1, payload: 4096, ahead: 10_000}, broadcast}}},
		{"1,000 rooms of 10", "websocket", small, []benchCase{
			{"1,000 rooms of 10, 200 B", true, load{lanes: 4, payload: 200, ahead: 400}, broadcast},
			{"direct to one of 10,000 users, 200 B", true, load{lanes: 4, payload: 200, ahead: 400}, direct}}},
		{"100 tenants of 10", "websocket", small[:1000], []benchCase{
			{"client events with acknowledgement", false, load{lanes: 1}, asks},
			{"emit endpoint, notification stored", false, load{lanes: 8}, notifies}}},
		{"50 tenants of 10, polling", "polling", small[:500], []benchCase{
			{"50 rooms of 10, polling, 200 B", false, load{lanes: 4, payload: 200, ahead: 400}, broadcast}}},
	}
	if only := os.Getenv("BENCH_ONLY"); only != "" {
		crowds = slices.DeleteFunc(crowds, func(c crowd) bool { return !strings.Contains(c.name, only) })
	}
	for _, c := range crowds {
		b.compare(c)
	}
	if only := os.Getenv("BENCH_ONLY"); only == "" || only == "neighbours" {
		b.neighbours(small[:10], big(5000))
	}
	b.report()
}

// seed fills the database: 1,000 tenants of 10 users, and for large rooms one tenant of 100 users with many sockets each.
func (b *bench) seed() (small []person, big func(sockets int) []person) {
	superuser := dbtest.SuperuserURL(b.b, b.db)
	dbtest.Exec(b.b, superuser,
		`INSERT INTO tenants (id, name, "updatedAt") SELECT 't' || i, 'Tenant ' || i, now() FROM generate_series(0, 1000) i`,
		`INSERT INTO users (id, email, "firstName", "lastName", role, "tenantId", "updatedAt")
		 SELECT 'u' || i, 'u' || i || '@load.test', 'User', i::text, 'PROFESSIONAL', 't' || (1 + i / 10), now()
		 FROM generate_series(0, 9999) i`,
		`INSERT INTO users (id, email, "firstName", "lastName", role, "tenantId", "updatedAt")
		 SELECT 'b' || i, 'b' || i || '@load.test', 'User', i::text, 'PROFESSIONAL', 't0', now() FROM generate_series(0, 99) i`,
		`ANALYZE`)
	for i := range 10_000 {
		small = append(small, person{ID: fmt.Sprintf("u%d", i), TenantID: fmt.Sprintf("t%d", 1+i/10)})
	}
	hundred := make([]person, 100)
	for i := range hundred {
		hundred[i] = person{ID: fmt.Sprintf("b%d", i), TenantID: "t0"}
	}
	require.NoError(b.b, signIn(small, secret))
	require.NoError(b.b, signIn(hundred, secret))
	return small, func(sockets int) []person {
		return slices.Repeat(hundred, sockets/len(hundred))
	}
}

// start builds and starts the servers, each with the same database.
func (b *bench) start() {
	ours := filepath.Join(b.folder, "realtime")
	b.command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", ours, "../realtime")
	self := filepath.Join(b.folder, "loadtest")
	b.command("go", "build", "-o", self, ".")
	b.servers = []*server{
		{target: target{name: "this server"}, cmd: exec.Command(ours)},
		{target: target{name: "Node"}, cmd: exec.Command("node", "node/server.mjs")},
		{target: target{name: "floor"}, floor: true, cmd: exec.Command(self, "floor")},
	}
	b.launch(b.servers[0], "LIMITS=off", "DATABASE_URL="+b.db, "OPERATOR_ADDR="+os.Getenv("BENCH_OPERATOR")) // for profiles
	b.launch(b.servers[1], "DATABASE_URL="+dbtest.PlainURL(b.db))
	b.launch(b.servers[2])
}

// launch starts a server on a port of its own and waits until it answers.
func (b *bench) launch(s *server, env ...string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b.b, err)
	addr := l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(addr)
	s.url, s.key = "http://"+addr, apiKey
	s.cmd.Env = append(env, "PATH="+os.Getenv("PATH"), "HOME="+b.folder, "NODE_ENV=production", "NEXTAUTH_SECRET="+secret,
		"REALTIME_API_KEY="+apiKey, "HOSTNAME=127.0.0.1", "LOG_LEVEL=error", "DEDUP_WINDOW=0", "PORT="+port)
	if s.floor {
		s.cmd.Args = append(s.cmd.Args, addr)
	}
	s.cmd.Stderr = os.Stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(b.b, s.cmd.Start())
	s.pid = s.cmd.Process.Pid
	b.b.Cleanup(func() { _ = s.cmd.Process.Kill(); _ = s.cmd.Wait() })
	require.Eventually(b.b, func() bool {
		res, err := http.Get(s.url + "/healthz")
		if err == nil {
			_ = res.Body.Close()
		}
		return err == nil && res.StatusCode == http.StatusOK
	}, 60*time.Second, 50*time.Millisecond, s.name)
}

func (b *bench) command(name string, args ...string) {
	out, err := exec.Command(name, args...).CombinedOutput()
	require.NoErrorf(b.b, err, "%s", out)
}

// idle measures the memory of connections that do nothing, and a first storm of sign-ins.
func (b *bench) idle(people []person) {
	const name = "memory of an idle connection at 10,000"
	for _, s := range b.servers {
		before, err := memoryOf(s.pid)
		require.NoError(b.b, err)
		c := b.connect(s, crowd{name: "1,000 rooms of 10", transport: "websocket", people: people})
		time.Sleep(settle)
		after, err := memoryOf(s.pid)
		require.NoError(b.b, err)
		b.add(name, s, figures{MemoryEach: (after - before) / int64(len(people)), Failed: c.sink.broken.Load()})
		c.close()
	}
}

// connect opens a crowd's connections; those of 10,000 users count as a storm.
func (b *bench) connect(s *server, c crowd) *crew {
	crew, f, err := connect(b.b.Context(), s.target, s.people(c.people), c.transport, 100)
	require.NoError(b.b, err)
	if len(c.people) == 10_000 {
		b.add("connect storm, 10,000 sign-ins", s, f)
	}
	return crew
}

// compare runs each case of a crowd at full speed, in rounds, and then at half of what Node could.
func (b *bench) compare(c crowd) {
	full := map[string]map[string][]float64{} // deliveries a second, by case and server
	for range rounds {
		b.each(c, func(s *server, crew *crew, k benchCase) {
			l := k.load
			l.time = saturate
			f, err := k.run(b.b.Context(), crew, l)
			require.NoErrorf(b.b, err, "%s: %s", s.name, k.name)
			f.P50, f.P99, f.Worst = 0, 0, 0 // of a queue that is always full
			b.add(k.name, s, f)
			if full[k.name] == nil {
				full[k.name] = map[string][]float64{}
			}
			full[k.name][s.name] = append(full[k.name][s.name], f.perSecond())
		})
	}
	b.each(c, func(s *server, crew *crew, k benchCase) {
		l := k.load
		l.time, l.rate = equalRound, median(full[k.name]["Node"])/2
		f, err := k.run(b.b.Context(), crew, l)
		require.NoErrorf(b.b, err, "%s: %s", s.name, k.name)
		b.add(k.name+", half load", s, f)
	})
}

// each connects the crowd to every server in turn and runs its cases there.
func (b *bench) each(c crowd, run func(*server, *crew, benchCase)) {
	for _, s := range b.servers {
		if s.floor && !slices.ContainsFunc(c.cases, func(k benchCase) bool { return k.floor }) {
			continue
		}
		crew := b.connect(s, c)
		for _, k := range c.cases {
			if k.floor || !s.floor {
				run(s, crew, k)
			}
		}
		crew.close()
		time.Sleep(500 * time.Millisecond) // the server's side of the closing
	}
}

// neighbours measures what tenant B notices of tenant A, which broadcasts to 5,000 sockets without a pause: with broadcasts
// paced as they are by default, and not at all.
func (b *bench) neighbours(few, many []person) {
	for _, mode := range []struct{ name, fanout string }{{"not paced", "FANOUT_PER_SECOND=0"}, {"paced", "FANOUT_PER_SECOND=50000"}} {
		s := &server{target: target{name: "this server"}, cmd: exec.Command(filepath.Join(b.folder, "realtime"))}
		b.launch(s, mode.fanout, "DATABASE_URL="+b.db, "MAX_CONNECTIONS_PER_ADDRESS=0", "MAX_CONNECTIONS_PER_USER=0",
			"HANDSHAKES_PER_SECOND=0", "EMITS_PER_SECOND=0")
		noisy := b.connect(s, crowd{transport: "websocket", people: many})
		quiet := b.connect(s, crowd{transport: "websocket", people: few})
		measure := func(name string) {
			f, err := quiet.fanOut(b.b.Context(), quiet.tenants(), load{lanes: 1, payload: 200, rate: 500, time: equalRound})
			require.NoError(b.b, err)
			b.add("tenant B's messages, "+name+", "+mode.name, s, f)
		}
		measure("alone")
		ctx, stop := context.WithCancel(b.b.Context())
		var noise sync.WaitGroup
		noise.Go(func() {
			body := fmt.Sprintf(`{"tenantId":"t0","event":"noise","data":%q}`, strings.Repeat("x", 200))
			for ctx.Err() == nil {
				_ = noisy.emit(ctx, "tenant", body) // 429 is one of the answers
			}
		})
		measure("while A broadcasts")
		stop()
		noise.Wait()
		noisy.close()
		quiet.close()
		_ = s.cmd.Process.Kill()
	}
}

func (b *bench) add(name string, s *server, f figures) {
	if b.all[name] == nil {
		b.all[name] = map[string][]figures{}
		b.order = append(b.order, name)
	}
	b.all[name][s.name] = append(b.all[name][s.name], f)
	fmt.Fprintf(os.Stderr, "%-45s %-12s %9.0f/s  %7.1f µs CPU each  p50 %s  p99 %s  worst %s  %d failed  %.1f KB\n", name, s.name,
		f.perSecond(), f.cpuEach(), short(f.P50), short(f.P99), short(f.Worst), f.Failed, float64(f.MemoryEach)/1024)
}

func median[T cmp.Ordered](of []T) T {
	of = slices.Sorted(slices.Values(of))
	if len(of) == 0 {
		var zero T
		return zero
	}
	return of[len(of)/2]
}

// report prints the table, and writes it where BENCH_README and BENCH_JSON say.
func (b *bench) report() {
	var t strings.Builder
	fmt.Fprintf(&t, "%s, %d cores, %s, Linux %s, Node %s with socket.io %s, %s\n\n", cpuModel(), runtime.NumCPU(), runtime.Version(),
		strings.TrimSpace(output("uname", "-r")), strings.TrimSpace(output("node", "--version")), socketIOVersion(), time.Now().UTC().Format(time.DateOnly))
	t.WriteString("| case | measure | this server | Node | floor | to Node | to the floor | lost, late, refused: this server / Node |\n|---|---|--:|--:|--:|--:|--:|--:|\n")
	for _, name := range b.order {
		for _, m := range []struct {
			name string
			unit string
			of   func(figures) float64
		}{
			{"CPU each", "µs", func(f figures) float64 { return f.cpuEach() }},
			{"memory", "KB", func(f figures) float64 { return float64(f.MemoryEach) / 1024 }},
			{"p50", "ms", func(f figures) float64 { return f.P50.Seconds() * 1000 }},
			{"p99", "ms", func(f figures) float64 { return f.P99.Seconds() * 1000 }},
			{"worst", "ms", func(f figures) float64 { return f.Worst.Seconds() * 1000 }},
			{"a second", "", func(f figures) float64 {
				if f.P50 > 0 || f.Took == 0 {
					return 0 // a rate that was set says nothing
				}
				return f.perSecond()
			}},
		} {
			v := make([]float64, len(b.servers))
			failed := make([]int64, len(b.servers))
			for i, s := range b.servers {
				var of []float64
				for _, f := range b.all[name][s.name] {
					of = append(of, m.of(f))
					failed[i] += f.Failed
				}
				v[i] = median(of)
			}
			if v[0] == 0 {
				continue
			}
			fmt.Fprintf(&t, "| %s | %s | %s | %s | %s | %s | %s | %d / %d |\n", name, m.name, number(v[0], m.unit), number(v[1], m.unit),
				number(v[2], m.unit), ratio(v[0], v[1]), ratio(v[0], v[2]), failed[0], failed[1])
		}
	}
	fmt.Println(t.String())
	if file := os.Getenv("BENCH_JSON"); file != "" {
		body, err := json.MarshalIndent(b.all, "", "  ")
		require.NoError(b.b, err)
		require.NoError(b.b, os.WriteFile(file, body, 0o644))
	}
	if file := os.Getenv("BENCH_README"); file != "" {
		writeSection(b.b, file, t.String())
	}
}

// writeSection replaces what stands between the marks in a file.
func writeSection(tb testing.TB, file, text string) {
	tb.Helper()
	const begin, end = "<!-- bench -->\n", "<!-- /bench -->"
	old, err := os.ReadFile(file)
	require.NoError(tb, err)
	head, rest, found := strings.Cut(string(old), begin)
	_, tail, closed := strings.Cut(rest, end)
	require.True(tb, found && closed, "%s has no marks for the table", file)
	require.NoError(tb, os.WriteFile(file, []byte(head+begin+text+end+tail), 0o644))
}

func number(v float64, unit string) string {
	switch {
	case v == 0:
		return "–"
	case v >= 100:
		return strings.TrimSpace(fmt.Sprintf("%.0f %s", v, unit))
	}
	return strings.TrimSpace(fmt.Sprintf("%.1f %s", v, unit))
}

func ratio(v, to float64) string {
	if to == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", v/to)
}

func output(name string, args ...string) string {
	out, _ := exec.Command(name, args...).Output()
	return string(out)
}

func socketIOVersion() string {
	b, _ := os.ReadFile("node/node_modules/socket.io/package.json")
	var p struct{ Version string }
	_ = json.Unmarshal(b, &p)
	return p.Version
}

func cpuModel() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	_, rest, _ := strings.Cut(string(b), "model name\t: ")
	name, _, _ := strings.Cut(rest, "\n")
	return cmp.Or(name, runtime.GOARCH)
}
