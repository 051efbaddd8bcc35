// Command loadtest drives a running server with many Socket.IO clients and prints what that took. The comparison with other
// servers is the benchmark of this package (make bench).
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/citaplanner/realtime/pkg/nextauth"
)

const usage = `usage: loadtest [flags]         drive a server
       loadtest floor ADDRESS   serve a bare WebSocket server, to compare with

Each line of the file -users is "<userId> <tenantId>"; connections are dealt out to them in turn. Start the server with
LIMITS=off, or its limits are what is measured.

`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprintln(os.Stderr, "loadtest:", err)
		os.Exit(1)
	}
}

// settings are the flags.
type settings struct {
	target      target
	secret      string
	users       string
	transport   string
	scenario    string
	connections int
	atOnce      int
	json        string
	load        load
}

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	if len(args) == 2 && args[0] == "floor" {
		srv := &http.Server{Addr: args[1], Handler: newFloor(), ReadHeaderTimeout: 10 * time.Second}
		context.AfterFunc(ctx, func() { _ = srv.Close() })
		return srv.ListenAndServe()
	}
	var s settings
	f := flag.NewFlagSet("loadtest", flag.ContinueOnError)
	f.SetOutput(progress)
	f.Usage = func() { _, _ = fmt.Fprint(progress, usage); f.PrintDefaults() }
	f.StringVar(&s.target.url, "url", "http://localhost:3000", "the server")
	f.StringVar(&s.target.key, "key", "", "API key of the emit endpoints")
	f.IntVar(&s.target.pid, "pid", 0, "process id of the server: its CPU and memory are measured (Linux)")
	f.StringVar(&s.secret, "secret", "", "the server's session secret: sessions are made with it")
	f.StringVar(&s.users, "users", "", "file with users")
	f.StringVar(&s.transport, "transport", "websocket", "websocket or polling")
	f.StringVar(&s.scenario, "scenario", "mixed", "idle, broadcast (to tenants), direct (to users), events, notifications, mixed, or storm")
	f.IntVar(&s.connections, "connections", 1000, "how many")
	f.IntVar(&s.atOnce, "at-once", 100, "how many connect at the same time")
	f.IntVar(&s.load.payload, "payload", 200, "bytes of a message")
	f.Float64Var(&s.load.rate, "rate", 0, "deliveries, events or notifications a second; 0 is as fast as it goes")
	f.IntVar(&s.load.lanes, "lanes", 8, "emits under way at once")
	f.DurationVar(&s.load.time, "time", 10*time.Second, "how long")
	f.StringVar(&s.json, "json", "", "file for the results as JSON")
	if err := f.Parse(args); err != nil {
		return err
	}
	s.target.name = s.target.url
	people, err := readUsers(s.users, s.secret)
	if err != nil {
		return err
	}
	rows, err := drive(ctx, s, people, progress)
	printTable(out, rows)
	if s.json != "" && err == nil {
		err = writeJSON(s.json, rows)
	}
	return err
}

// readUsers reads the file of users and makes a session for each.
func readUsers(file, secret string) ([]person, error) {
	if file == "" || secret == "" {
		return nil, errors.New("-users and -secret are needed; see -help")
	}
	in, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }()
	var people []person
	for lines := bufio.NewScanner(in); lines.Scan(); {
		var p person
		if n, _ := fmt.Sscan(lines.Text(), &p.ID, &p.TenantID); n == 2 {
			people = append(people, p)
		}
	}
	if len(people) == 0 {
		return nil, fmt.Errorf("%s holds no line of a user and a tenant", file)
	}
	return people, signIn(people, secret)
}

// signIn makes a session token for each of the people.
func signIn(people []person, secret string) error {
	keys, err := nextauth.New([]string{secret}, nextauth.Options{})
	if err != nil {
		return err
	}
	now := time.Now()
	for i := range people {
		people[i].Token, err = keys.SealV4(map[string]any{"sub": people[i].ID, "iat": now.Unix(), "exp": now.Add(24 * time.Hour).Unix()})
		if err != nil {
			return err
		}
	}
	return nil
}

// row is one line of the result.
type row struct {
	Name string `json:"name"`
	figures
}

// drive connects and runs the scenario.
func drive(ctx context.Context, s settings, people []person, progress io.Writer) (rows []row, err error) {
	all := make([]person, s.connections)
	for i := range all {
		all[i] = people[i%len(people)]
	}
	began := time.Now()
	say := func(format string, args ...any) {
		_, _ = fmt.Fprintf(progress, "%6.1fs  "+format+"\n", append([]any{time.Since(began).Seconds()}, args...)...)
	}
	before, err := memoryOf(s.target.pid)
	if err != nil {
		return nil, err
	}
	say("opening %d connections (%s)", len(all), s.transport)
	c, f, err := connect(ctx, s.target, all, s.transport, s.atOnce)
	if c != nil {
		defer c.close()
	}
	rows = append(rows, row{"connect", f})
	if err != nil {
		return rows, err
	}
	for _, step := range scenario(s.scenario) {
		say("%s for %s", step.name, s.load.time)
		f, err := step.run(ctx, c, s.load)
		if step.name == "idle" {
			after, memErr := memoryOf(s.target.pid)
			f.MemoryEach, err = (after-before)/int64(max(1, len(all))), errors.Join(err, memErr)
		}
		rows = append(rows, row{step.name, f})
		if err != nil {
			return rows, fmt.Errorf("%s: %w", step.name, err)
		}
	}
	say("done; %d connections broke", c.sink.broken.Load())
	return rows, nil
}

type step struct {
	name string
	run  func(ctx context.Context, c *crew, l load) (figures, error)
}

var steps = []step{
	{"idle", func(ctx context.Context, c *crew, l load) (figures, error) {
		return c.measure(func(time.Time) error {
			select {
			case <-time.After(l.time):
			case <-ctx.Done():
			}
			return nil
		}, func() (int64, int64) { return 0, c.sink.broken.Load() })
	}},
	{"broadcast", func(ctx context.Context, c *crew, l load) (figures, error) { return c.fanOut(ctx, c.tenants(), l) }},
	{"direct", func(ctx context.Context, c *crew, l load) (figures, error) { return c.fanOut(ctx, c.users(), l) }},
	{"events", func(ctx context.Context, c *crew, l load) (figures, error) { return c.asks(ctx, l) }},
	{"notifications", func(ctx context.Context, c *crew, l load) (figures, error) { return c.notifies(ctx, l) }},
}

// scenario lists the steps of one: storm has none behind the connecting, mixed has all.
func scenario(name string) []step {
	if name == "mixed" {
		return steps
	}
	for _, s := range steps {
		if s.name == name {
			return []step{s}
		}
	}
	return nil
}

func printTable(out io.Writer, rows []row) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, strings.Join([]string{"step", "events", "per second", "CPU each", "p50", "p99", "worst", "failed", "memory each", ""}, "\t"))
	for _, r := range rows {
		memory := "-"
		if r.MemoryEach > 0 {
			memory = fmt.Sprintf("%.1f KB", float64(r.MemoryEach)/1024)
		}
		_, _ = fmt.Fprintf(w, "%s\t%d\t%.0f\t%.1f µs\t%s\t%s\t%s\t%d\t%s\t\n", r.Name, r.Events, r.perSecond(), r.cpuEach(),
			short(r.P50), short(r.P99), short(r.Worst), r.Failed, memory)
	}
	_ = w.Flush()
}

func short(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

func writeJSON(file string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644) //nolint:gosec // results are no secret
}
