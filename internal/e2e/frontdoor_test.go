package e2e_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
)

// nextJS stands for the app: what matters is who answers.
func nextJS(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hints":
			w.WriteHeader(http.StatusEarlyHints)
		case "/empty":
			w.WriteHeader(http.StatusNotFound)
			return
		case "/_next/webpack-hmr":
			c, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
			if err == nil {
				_ = c.WriteMessage(websocket.TextMessage, []byte("built"))
				_ = c.Close()
			}
			return
		}
		_, _ = io.WriteString(w, "Next.js: "+r.Method+" "+r.URL.Path)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestBehindTheFrontDoorEveryoneAnswersWhatIsTheirs(t *testing.T) {
	t.Parallel()
	s := start(t, dbtest.MigratedSQLiteURL(t), "UPSTREAM_URL", nextJS(t))
	for _, route := range []string{"GET /", "POST /api/auth/callback/credentials", "GET /api/notifications/logs", "PUT /api/notifications/x", "GET /metrics",
		"DELETE /api/socketry", "GET /api"} {
		method, path, _ := strings.Cut(route, " ")
		require.Equal(t, "Next.js: "+route, s.do(method, path, "").body)
	}
	require.Contains(t, s.do("GET", "/api/socket", "").body, `"status":"ok"`)
	require.Equal(t, http.StatusNotFound, s.do("GET", "/api/socket/nothing", "").status)
	require.Contains(t, s.do("POST", "/api/emit/nothing", "").body, "no such route")
	require.Equal(t, http.StatusMethodNotAllowed, s.do("GET", "/api/emit/batch", "").status)

	empty := s.do("GET", "/empty", "")
	require.Equal(t, http.StatusNotFound, empty.status)
	require.Empty(t, empty.body)
	var hints int
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(int, textproto.MIMEHeader) error { hints++; return nil }}), http.MethodGet, s.url+"/hints", nil)
	require.NoError(t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, []int{1, http.StatusOK}, []int{hints, res.StatusCode})

	c, hmr, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.url, "http")+"/_next/webpack-hmr", nil)
	require.NoError(t, err)
	require.NoError(t, hmr.Body.Close())
	_, b, err := c.ReadMessage()
	require.NoError(t, err)
	require.Equal(t, "built", string(b))
	require.NoError(t, c.Close())
}

func TestWhileNextJSIsDownSocketsAndEmitsGoOn(t *testing.T) {
	t.Parallel()
	s := start(t, dbtest.MigratedSQLiteURL(t), "UPSTREAM_URL", "http://127.0.0.1:1")
	world := s.world.A
	c := startNode(t).connect(s.url, s.as(world.Professional))
	page := s.do("GET", "/dashboard", "", "Accept", "text/html")
	require.Equal(t, http.StatusBadGateway, page.status)
	require.Contains(t, page.body, "no responde")
	s.emitted("appointments/created", m{"appointmentId": world.Appointment, "tenantId": world.ID})
	c.event("notification:new")
}

func TestBehindAProxyThatIsTrustedTheForwardedHostIsTheServersOwn(t *testing.T) {
	t.Parallel()
	for trusted, status := range map[string]int{"loopback": http.StatusOK, "": http.StatusUnauthorized} {
		s := start(t, dbtest.MigratedSQLiteURL(t), "TRUSTED_PROXIES", trusted)
		a := s.do("GET", "/api/socket/stats", "", "Cookie", s.cookie(s.world.A.Admin), "Origin", "https://app.example.org",
			"X-Forwarded-Host", "app.example.org", "X-Forwarded-Proto", "https")
		require.Equal(t, status, a.status, "trusted: %q", trusted)
	}
}
