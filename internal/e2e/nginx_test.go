package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
)

// nginx runs deploy/nginx/citaplanner.conf before a server and what stands for Next.js, and returns its address.
func nginx(t *testing.T, realtime, next string) string {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		path = "/usr/sbin/nginx" // not on everybody's PATH
		_, err = os.Stat(path)
	}
	require.NoError(t, err, "nginx is needed: run .ci/setup")
	dir := t.TempDir()
	conf, err := os.ReadFile("../../deploy/nginx/citaplanner.conf")
	require.NoError(t, err)
	port := freePort(t)
	site := strings.NewReplacer("127.0.0.1:3000", strings.TrimPrefix(realtime, "http://"), "127.0.0.1:3001", strings.TrimPrefix(next, "http://"),
		"listen 8080", "listen 127.0.0.1:"+port).Replace(string(conf))
	main := "daemon off; pid " + dir + "/nginx.pid; error_log stderr; worker_processes 1; events {} http { access_log off;\n" +
		regexp.MustCompile(`(\w+) DIR`).ReplaceAllString("client_body_temp_path DIR; proxy_temp_path DIR; fastcgi_temp_path DIR; uwsgi_temp_path DIR; scgi_temp_path DIR;",
			"$1 "+dir+"/$1") + site + "}"
	file := filepath.Join(dir, "nginx.conf")
	require.NoError(t, os.WriteFile(file, []byte(main), 0o600))
	said := &lines{}
	cmd := exec.Command(path, "-p", dir, "-c", file, "-e", "stderr")
	cmd.Stdout, cmd.Stderr = said, said
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		if t.Failed() {
			_, _ = os.Stderr.WriteString("nginx said:\n" + said.String())
		}
	})
	url := "http://127.0.0.1:" + port
	require.Eventually(t, func() bool {
		a, err := call("GET", url+"/", "")
		return err == nil && a.status == 200
	}, patience, 20*time.Millisecond, "nginx does not answer: %s", said)
	return url
}

func TestBehindNginxEverythingWorksOnThePagesOrigin(t *testing.T) {
	t.Parallel()
	s := start(t, dbtest.MigratedSQLiteURL(t), "TRUSTED_PROXIES", "loopback")
	url := nginx(t, s.url, nextJS(t))
	w := s.world.A
	page, err := call("GET", url+"/dashboard", "")
	require.NoError(t, err)
	require.Equal(t, "Next.js: GET /dashboard", page.body)

	n := startNode(t)
	as := s.as(w.Professional)
	as.Origin = url // the page's, which nginx has told the server with Host
	c := n.connect(url, as)
	s.emitted("appointments/created", m{"appointmentId": w.Appointment, "tenantId": w.ID})
	c.event("notification:new")
	as.Transports = []string{"polling"}
	n.connect(url, as).emit("presence:update", "away")
	c.event("user:presence")

	list, err := call("GET", url+"/api/notifications", "", "Cookie", s.cookie(w.Professional), "Origin", url)
	require.NoError(t, err)
	require.Contains(t, list.body, `"type":"appointment:created"`)
	operator, err := call("GET", url+"/console/operator", "", "Cookie", s.cookie(w.Admin))
	require.NoError(t, err)
	require.Equal(t, 200, operator.status)
	require.Contains(t, operator.body, "<title>")
	emit, err := call("POST", url+"/api/emit/appointments/created", "{}", "Authorization", "Bearer "+apiKey)
	require.NoError(t, err)
	require.Equal(t, 404, emit.status, "emitting is not the public's")
}
