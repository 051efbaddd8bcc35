package e2e_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// stage runs a scene of client/console.mjs against a server.
func stage(t *testing.T, scene, url string, vars ...string) {
	t.Helper()
	shots, err := filepath.Abs("../../artifacts/console")
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(shots, 0o755)) //nolint:gosec // screenshots for everybody to see
	ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "console.mjs", scene)
	cmd.Dir = "client"
	cmd.Env = append(os.Environ(), append(vars, "APP="+url, "SHOTS="+shots, "CHROMIUM="+chromium(t))...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // Playwright ends Chromium then
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	require.NoErrorf(t, err, "the scene failed; its screenshots are in artifacts/console\n%s", out)
}

// The first command's own world: development, the embedded database, its demo data.
func demonstration(t *testing.T, vars map[string]string) *process {
	t.Helper()
	all := map[string]string{"PORT": freePort(t)}
	for name, value := range vars {
		all[name] = value
	}
	return launch(t, t.TempDir(), all)
}

func TestTheConsoleShowsTwoUsersAtOnce(t *testing.T) {
	stage(t, "demo", demonstration(t, nil).url)
}

func TestTheConsoleOnAPhone(t *testing.T) {
	stage(t, "small", demonstration(t, nil).url)
}

func TestTheOperatorsPageShowsTheWireAndEmitsEachEvent(t *testing.T) {
	p := demonstration(t, nil)
	stage(t, "operator", p.url)
	stage(t, "policy", p.url)
	require.NotContains(t, p.out.String(), "Mantenimiento esta noche", "payloads stay out of the log")
}

func TestInProductionAnAdministratorHasTheOperatorsPage(t *testing.T) {
	s := startPostgres(t, "NODE_ENV", "production", "HOSTNAME", "127.0.0.1", "REALTIME_API_KEY", "a-key-of-production-that-is-long-enough")
	stage(t, "production", s.url, "COOKIE="+s.token(s.world.A.Admin))
}

// demoRoutes are what must not exist but in the demo.
var demoRoutes = [][2]string{{"GET", "/"}, {"GET", "/console/pane"}, {"GET", "/console/api/demo/people"},
	{"POST", "/console/api/demo/session"}, {"GET", "/console/api/demo/week"}, {"POST", "/console/api/demo/appointments"},
	{"PATCH", "/console/api/demo/appointments/demo-cita-1"}}

func TestTheDemosRoutesExistNowhereElse(t *testing.T) {
	t.Parallel()
	// Development on a database of one's own, production, and in front of an app.
	url, _, _ := database(t)
	own := map[string]string{"DATABASE_URL": "sqlite:own.db", "AUTO_MIGRATE": "true"}
	production := map[string]string{"NODE_ENV": "production", "DATABASE_URL": url, "NEXTAUTH_SECRET": secret, "HOSTNAME": "localhost",
		"REALTIME_API_KEY": "a-key-of-production-that-is-long-enough"}
	for name, vars := range map[string]map[string]string{"own database": own, "production": production} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := demonstration(t, vars)
			for _, r := range demoRoutes {
				got, err := call(r[0], p.url+r[1], `{"userId":"demo-ana"}`, "Content-Type", "application/json", "X-Console", "1", "Origin", p.url)
				require.NoError(t, err)
				require.Equalf(t, http.StatusNotFound, got.status, "%v: %s", r, got.body)
			}
			got, err := call("GET", p.url+"/console/", "")
			require.NoError(t, err)
			require.Equal(t, http.StatusUnauthorized, got.status)
			require.Contains(t, got.body, "Inicia sesión")
		})
	}
	t.Run("front door", func(t *testing.T) {
		t.Parallel()
		app := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("the app: " + r.URL.Path)) }),
			ReadHeaderTimeout: time.Second}
		port := freePort(t)
		app.Addr = "127.0.0.1:" + port
		go func() { _ = app.ListenAndServe() }()
		t.Cleanup(func() { _ = app.Close() })
		p := demonstration(t, map[string]string{"UPSTREAM_URL": "http://127.0.0.1:" + port})
		for _, r := range demoRoutes {
			require.Eventually(t, func() bool {
				got, err := call(r[0], p.url+r[1], "")
				return err == nil && got.status == http.StatusOK && got.body == "the app: "+r[1]
			}, patience, 10*time.Millisecond, r)
		}
	})
}

func TestWithoutAConsoleThereIsNone(t *testing.T) {
	t.Parallel()
	p := demonstration(t, map[string]string{"CONSOLE": "false"})
	for _, path := range []string{"/", "/console", "/console/", "/console/operator", "/console/api/operator", "/console/icon.svg", "/console/pane"} {
		got, err := call("GET", p.url+path, "")
		require.NoError(t, err)
		require.Equalf(t, http.StatusNotFound, got.status, "%s", path)
	}
}

func TestTheDemosSignInIsForThisMachinesOwnPageAlone(t *testing.T) {
	t.Parallel()
	p := demonstration(t, nil)
	sign := func(header ...string) answer {
		got, err := call("POST", p.url+"/console/api/demo/session", `{"userId":"demo-ana"}`, header...)
		require.NoError(t, err)
		return got
	}
	ours := []string{"Content-Type", "application/json", "X-Console", "1", "Origin", p.url}
	require.Equal(t, http.StatusOK, sign(ours...).status)
	require.Equal(t, http.StatusForbidden, sign("Content-Type", "application/json", "X-Console", "1", "Origin", "https://evil.example").status)
	require.Equal(t, http.StatusForbidden, sign("Content-Type", "application/json", "X-Console", "1").status)
	require.Equal(t, http.StatusForbidden, sign("Content-Type", "application/json", "Origin", p.url).status)
	require.Equal(t, http.StatusUnsupportedMediaType, sign("Content-Type", "text/plain", "X-Console", "1", "Origin", p.url).status)

	// A name that leads here is not this machine's own: DNS rebinding.
	req, err := http.NewRequest(http.MethodPost, p.url+"/console/api/demo/session", strings.NewReader(`{"userId":"demo-ana"}`))
	require.NoError(t, err)
	req.Host = "evil.example"
	for i := 0; i < len(ours); i += 2 {
		req.Header.Set(ours[i], ours[i+1])
	}
	req.Header.Set("Origin", "http://evil.example")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusForbidden, res.StatusCode)

	for _, nobody := range []string{"demo-raul", "demo-carmen", "nobody"} { // has left, a portal user, not there
		got, err := call("POST", p.url+"/console/api/demo/session", `{"userId":"`+nobody+`"}`, ours...)
		require.NoError(t, err)
		require.Equal(t, http.StatusNotFound, got.status)
	}
}

func TestTheDemosCalendarKeepsTenantsApart(t *testing.T) {
	t.Parallel()
	p := demonstration(t, nil)
	ours := []string{"Content-Type", "application/json", "X-Console", "1", "Origin", p.url}
	signed := func(user string) []string {
		got, err := call("POST", p.url+"/console/api/demo/session", `{"userId":"`+user+`"}`, ours...)
		require.NoError(t, err)
		return append([]string{"Authorization", "Bearer " + got.json(t)["token"].(string)}, ours...)
	}
	marta := signed("demo-marta")
	got, err := call("GET", p.url+"/console/api/demo/week", "", marta...)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.status)
	require.Contains(t, got.body, "Lucía Herrero Vega")
	require.NotContains(t, got.body, "Carmen Rodríguez Mora")
	got, err = call("PATCH", p.url+"/console/api/demo/appointments/demo-cita-1", `{"minute":600}`, marta...)
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, got.status)
	for _, header := range [][]string{nil, {"Authorization", "Bearer nonsense"}} {
		got, err = call("GET", p.url+"/console/api/demo/week", "", header...)
		require.NoError(t, err)
		require.Equal(t, http.StatusUnauthorized, got.status)
	}
}

func TestAnOperatorSeesAndEmitsInTheOwnTenantAlone(t *testing.T) {
	t.Parallel()
	s := startPostgres(t, "NODE_ENV", "production", "HOSTNAME", "127.0.0.1", "REALTIME_API_KEY", "a-key-of-production-that-is-long-enough")
	node := startNode(t)
	a := node.connect(s.url, s.as(s.world.A.Manager))
	b := node.connect(s.url, s.as(s.world.B.Manager))
	look := func(user string) answer {
		got, err := call("GET", s.url+"/console/api/operator", "", "Cookie", s.cookie(user), "Sec-Fetch-Site", "same-origin")
		require.NoError(t, err)
		return got
	}
	emit := func(user, kind, body string, header ...string) answer {
		got, err := call("POST", s.url+"/console/api/operator/emit/"+kind, body,
			append([]string{"Cookie", s.cookie(user), "Content-Type", "application/json"}, header...)...)
		require.NoError(t, err)
		return got
	}
	page := []string{"X-Console", "1", "Origin", s.url}

	// Who is no administrator sees nothing; who is nobody neither.
	for _, user := range []string{s.world.A.Manager, s.world.A.Professional, s.world.A.Portal} {
		require.Equal(t, http.StatusForbidden, look(user).status)
		require.Equal(t, http.StatusForbidden, emit(user, "calendar/refresh", `{"tenantId":"tenant-a","reason":"x"}`, page...).status)
	}
	for _, path := range []string{"/console/", "/console/operator", "/console/api/operator"} {
		got, err := call("GET", s.url+path, "")
		require.NoError(t, err)
		require.Equal(t, http.StatusUnauthorized, got.status)
	}

	require.Equal(t, http.StatusOK, look(s.world.A.Admin).status) // watches from now on
	require.Equal(t, http.StatusOK, look(s.world.B.Superadmin).status)
	require.Equal(t, http.StatusAccepted, emit(s.world.A.Admin, "calendar/refresh", `{"tenantId":"tenant-a","reason":"of a"}`, page...).status)
	require.Equal(t, http.StatusAccepted, emit(s.world.B.Superadmin, "calendar/refresh", `{"tenantId":"tenant-b","reason":"of b"}`, page...).status)
	a.event("calendar:refresh")
	b.event("calendar:refresh")

	// Another tenant is out of reach, a SUPERADMIN's too, who sees it.
	require.Equal(t, http.StatusForbidden, emit(s.world.A.Admin, "calendar/refresh", `{"tenantId":"tenant-b","reason":"x"}`, page...).status)
	require.Equal(t, http.StatusForbidden, emit(s.world.B.Superadmin, "calendar/refresh", `{"tenantId":"tenant-a","reason":"x"}`, page...).status)
	require.Equal(t, http.StatusForbidden, emit(s.world.A.Admin, "user", `{"tenantId":"tenant-b","userId":"b-manager","event":"x","data":1}`, page...).status)

	own, all := look(s.world.A.Admin), look(s.world.B.Superadmin)
	require.Contains(t, own.body, `"of a"`)
	require.NotContains(t, own.body, "of b")
	require.NotContains(t, own.body, "tenant-b")
	require.Contains(t, all.body, `"of a"`)
	require.Contains(t, all.body, `"of b"`)
	var said struct {
		Sockets int
		Tenants map[string]struct{ Count int }
		Wire    struct{ Sent int }
	}
	require.NoError(t, json.Unmarshal([]byte(own.body), &said))
	require.Equal(t, 1, said.Sockets)
	require.Len(t, said.Tenants, 1)
	require.NoError(t, json.Unmarshal([]byte(all.body), &said))
	require.Equal(t, 2, said.Sockets)

	// Another page's request is refused, whatever cookie comes along.
	for _, header := range [][]string{{"X-Console", "1"}, {"Origin", s.url}, {"X-Console", "1", "Origin", "https://evil.example"}} {
		require.NotEqual(t, http.StatusAccepted, emit(s.world.A.Admin, "calendar/refresh", `{"tenantId":"tenant-a","reason":"x"}`, header...).status)
	}
	got, err := call("POST", s.url+"/console/api/operator/emit/calendar/refresh", `{"tenantId":"tenant-a","reason":"x"}`,
		append([]string{"Cookie", s.cookie(s.world.A.Admin), "Content-Type", "text/plain"}, page...)...)
	require.NoError(t, err)
	require.Equal(t, http.StatusUnsupportedMediaType, got.status)
	require.Equal(t, http.StatusNotFound, emit(s.world.A.Admin, "batch", `{}`, page...).status)
	for emit(s.world.A.Admin, "calendar/refresh", "{", page...).status != http.StatusTooManyRequests {
		continue // until there were too many; with a body that costs little, or a busy machine would emit no faster than is allowed
	}
}

func TestTheConsolesFilesAreKeptAndItsPagesProtected(t *testing.T) {
	t.Parallel()
	p := demonstration(t, nil)
	page, err := call("GET", p.url+"/console/", "")
	require.NoError(t, err)
	require.Equal(t, "no-cache", page.header.Get("Cache-Control"))
	require.Equal(t, "nosniff", page.header.Get("X-Content-Type-Options"))
	policy := page.header.Get("Content-Security-Policy")
	require.Contains(t, policy, "script-src 'self';")
	require.Contains(t, policy, "frame-ancestors 'self'")
	script := regexp.MustCompile(`src="\./(assets/[^"]+\.js)"`).FindStringSubmatch(page.body)
	require.NotNil(t, script, page.body)
	for _, encoding := range []string{"identity", "gzip"} {
		file, err := call("GET", p.url+"/console/"+script[1], "", "Accept-Encoding", encoding)
		require.NoError(t, err)
		require.Equal(t, "public, max-age=31536000, immutable", file.header.Get("Cache-Control"))
		require.Equal(t, encoding == "gzip", file.header.Get("Content-Encoding") == "gzip")
		require.Contains(t, file.header.Get("Content-Type"), "javascript")
	}
	for _, path := range []string{"assets/none.js", "assets/..%2findex.html", "api/operator/none", "index.html"} {
		got, err := call("GET", p.url+"/console/"+path, "")
		require.NoError(t, err)
		require.Equalf(t, http.StatusNotFound, got.status, "%s", path)
	}
}

// TestConsoleOldAndNewComponentsLiveOnOnePage: the components in use (contract/frontend.md) beside the npm package's, in a real browser.
func TestConsoleOldAndNewComponentsLiveOnOnePage(t *testing.T) {
	const ui = "../console/ui"
	if _, err := os.Stat(ui + "/node_modules/.package-lock.json"); err != nil {
		t.Fatal("the npm packages of internal/console/ui are not installed: run `make setup` (or `npm ci` there)")
	}
	page := t.TempDir()
	build := exec.Command("node", "node_modules/vite/bin/vite.js", "build", "--logLevel", "warn", "--config", "test/vite.config.ts", "--outDir", page)
	build.Dir = ui
	out, err := build.CombinedOutput()
	require.NoErrorf(t, err, "%s", out)
	s := start(t, "sqlite:"+t.TempDir()+"/both.db")
	stage(t, "both", s.url, "COOKIE="+s.token(s.world.A.Professional), "KEY="+apiKey, "BOTH="+page)
}
