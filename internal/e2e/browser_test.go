package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
)

const sampleDir = "../../deploy/sample"

// sample builds deploy/sample once, unless the build that is there is newer than its sources, and returns the folder of
// the standalone server.
var sample = sync.OnceValues(func() (string, error) {
	if _, err := os.Stat(filepath.Join(sampleDir, "node_modules")); err != nil {
		return "", fmt.Errorf("the packages of deploy/sample are missing, run .ci/setup: %w", err)
	}
	built := filepath.Join(sampleDir, ".next/standalone/server.js")
	var newest time.Time
	err := filepath.WalkDir(sampleDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".next") {
			return filepath.SkipDir
		}
		info, err := d.Info()
		if err == nil && !d.IsDir() && d.Name() != "next-env.d.ts" && d.Name() != "tsconfig.tsbuildinfo" && info.ModTime().After(newest) {
			newest = info.ModTime()
		}
		return err
	})
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(built); err != nil || info.ModTime().Before(newest) {
		cmd := exec.Command("npm", "run", "build")
		cmd.Dir = sampleDir
		cmd.Env = append(os.Environ(), "NEXT_TELEMETRY_DISABLED=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build deploy/sample: %w\n%s", err, out)
		}
	}
	// A standalone server wants the static files beside it (Next.js's own Dockerfile does the same).
	static := filepath.Join(filepath.Dir(built), ".next/static")
	if err := os.RemoveAll(static); err != nil {
		return "", err
	}
	return filepath.Dir(built), os.CopyFS(static, os.DirFS(filepath.Join(sampleDir, ".next/static")))
})

// town is the sample app behind the server, on a database with the demo world.
type town struct {
	t    *testing.T
	vars map[string]string
	app  *process // the server
	next *exec.Cmd
	url  string // the page's address, without the delay
}

// build starts everything; base is what the browser asks for where that is not the server itself.
func build(t *testing.T, base func(server string) string) *town {
	t.Helper()
	dir, err := sample()
	require.NoError(t, err)
	_, database := dbtest.EmptyPostgresURL(t)
	w := &town{t: t, url: "http://localhost:" + freePort(t)}
	page := w.url
	if base != nil {
		page = base(strings.TrimPrefix(w.url, "http://"))
	}
	behind := freePort(t)
	w.vars = map[string]string{"DATABASE_URL": database, "NEXTAUTH_SECRET": secret, "NEXTAUTH_URL": page, "REALTIME_API_KEY": apiKey,
		"PORT": w.url[strings.LastIndex(w.url, ":")+1:], "UPSTREAM_URL": "http://127.0.0.1:" + behind,
		"INBOX_WAIT": "30s"} // longer than the default: other packages' tests may keep the machine busy
	out, err := command(t, t.TempDir(), w.vars, "migrate", "--demo").CombinedOutput()
	require.NoErrorf(t, err, "%s", out)

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	t.Cleanup(cancel)
	w.next = exec.CommandContext(ctx, "node", "server.js")
	w.next.Dir = dir
	said := &lines{}
	w.next.Stdout, w.next.Stderr = said, said
	w.next.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "NODE_ENV=production", "HOSTNAME=127.0.0.1", "PORT=" + behind,
		"DATABASE_URL=" + dbtest.PlainURL(database), "NEXTAUTH_SECRET=" + secret, "NEXTAUTH_URL=" + page, "REALTIME_URL=" + w.url, "REALTIME_API_KEY=" + apiKey}
	require.NoError(t, w.next.Start())
	t.Cleanup(func() {
		_ = w.next.Process.Kill()
		_ = w.next.Wait()
		if t.Failed() {
			_, _ = os.Stderr.WriteString("Next.js said:\n" + said.String())
		}
	})
	w.app = launch(t, t.TempDir(), w.vars)
	require.Eventually(t, func() bool {
		a, err := call("GET", w.url+"/login", "")
		return err == nil && a.status == http.StatusOK
	}, 2*patience, 50*time.Millisecond)
	return w
}

// chromium is the browser's path.
func chromium(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("CHROMIUM"); path != "" {
		return path
	}
	path, err := exec.LookPath("chromium")
	require.NoError(t, err, "Chromium is needed: run .ci/setup, or set CHROMIUM to its path")
	return path
}

// play runs a scene of client/browser.mjs against the page at base and returns its last line. does is what it may ask for.
func (w *town) play(scene, base string, vars []string, does map[string]func()) string {
	w.t.Helper()
	shots, err := filepath.Abs("../../artifacts/browser")
	require.NoError(w.t, err)
	require.NoError(w.t, os.MkdirAll(shots, 0o755)) //nolint:gosec // screenshots for everybody to see
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "browser.mjs", scene)
	cmd.Dir = "client"
	cmd.Env = append(os.Environ(), append(vars, "APP="+base, "REALTIME="+w.url, "KEY="+apiKey, "SHOTS="+shots, "CHROMIUM="+chromium(w.t))...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // Playwright ends Chromium then
	cmd.WaitDelay = 5 * time.Second
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(w.t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(w.t, err)
	require.NoError(w.t, cmd.Start())
	last := ""
	for sc := bufio.NewScanner(stdout); sc.Scan(); {
		last = sc.Text()
		var line struct{ Ask string }
		if json.Unmarshal(sc.Bytes(), &line) == nil && line.Ask != "" {
			does[line.Ask]()
			_, _ = io.WriteString(stdin, "done\n")
		}
	}
	require.NoError(w.t, cmd.Wait(), "the scene failed; its screenshots are in artifacts/browser")
	return last
}

// The browser's tests do not run beside others: a machine of two cores has enough to do with Chromium and Next.js.

func TestTheWholeFrontEndWorksThroughTheServer(t *testing.T) {
	w := build(t, nil)
	w.play("whole", w.url, nil, map[string]func(){
		"restart the server": func() {
			w.app.signal(syscall.SIGTERM)
			require.Zero(t, w.app.ended())
			w.app = launch(t, t.TempDir(), w.vars)
		},
		"stop Next.js": func() {
			require.NoError(t, w.next.Process.Kill())
			_ = w.next.Wait() // a kill is no end: it could answer once more
		},
	})
}

// TestTheFirstToastShowsInEveryPageLoad: contract/frontend.md, "Connection".
func TestTheFirstToastShowsInEveryPageLoad(t *testing.T) {
	var page string
	w := build(t, func(server string) string {
		page = "http://localhost:" + delayed(t, server, 25*time.Millisecond)
		return page
	})
	said := w.play("loads", page, []string{"LOADS=50"}, nil)
	require.JSONEq(t, `{"shown":50,"missed":[]}`, said)
}

// delayed is the port of a TCP proxy that adds a delay each way.
func delayed(t *testing.T, to string, delay time.Duration) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				time.Sleep(delay)
				server, err := net.Dial("tcp", to)
				if err != nil {
					_ = c.Close()
					return
				}
				go later(server, c, delay)
				later(c, server, delay)
			}()
		}
	}()
	_, port, err = net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port
}

// later copies what it reads, each piece a delay after it came.
func later(to, from net.Conn, delay time.Duration) {
	type piece struct {
		b  []byte
		at time.Time
	}
	pieces := make(chan piece, 1024)
	go func() {
		defer close(pieces)
		for {
			b := make([]byte, 16<<10)
			n, err := from.Read(b)
			if n > 0 {
				pieces <- piece{b[:n], time.Now().Add(delay)}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range pieces {
		time.Sleep(time.Until(p.at))
		if _, err := to.Write(p.b); err != nil {
			break
		}
	}
	_ = to.Close()
	_ = from.Close()
	for range pieces { // the reader ends with its connection
		continue
	}
}
