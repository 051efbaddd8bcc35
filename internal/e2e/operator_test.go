package e2e_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
)

func TestOperatorsHaveAnAddressOfTheirOwn(t *testing.T) {
	t.Parallel()
	s := start(t, dbtest.MigratedSQLiteURL(t), "OPERATOR_ADDR", "127.0.0.1:0")
	operator := "http://" + s.app.OperatorAddr().String()
	get := func(path string, header ...string) answer {
		a, err := call("GET", operator+path, "", header...)
		require.NoError(t, err)
		return a
	}
	require.Equal(t, http.StatusNotFound, s.do("GET", "/metrics", "").status, "figures are not the public's")
	require.Equal(t, http.StatusNotFound, s.do("GET", "/debug/pprof/", "").status)
	s.ready(http.StatusOK) // load balancers ask on the public address

	require.Contains(t, get("/metrics").body, "realtime_sockets 0")
	require.Equal(t, http.StatusOK, get("/healthz").status)
	(&scene{t: t, url: operator}).ready(http.StatusOK)
	require.Contains(t, get("/debug/pprof/goroutine?debug=1").body, "goroutine profile")
	require.Equal(t, http.StatusNotFound, get("/debug/pprof/cmdline").status)
	require.Equal(t, http.StatusUnauthorized, get("/api/socket/stats").status)
	require.Equal(t, http.StatusOK, get("/api/socket/stats", "Authorization", "Bearer "+apiKey).status)
	require.Equal(t, http.StatusNotFound, get("/api/socket").status, "sockets have no business there")
}

func TestMigrateFillsAnEmptyDatabaseWithTheDemoWorldWhenAsked(t *testing.T) {
	t.Parallel()
	_, owner := dbtest.EmptyPostgresURL(t)
	vars := map[string]string{"DATABASE_URL": owner, "NEXTAUTH_SECRET": secret, "REALTIME_API_KEY": apiKey}
	out, err := command(t, t.TempDir(), vars, "migrate", "--demo").CombinedOutput()
	require.NoErrorf(t, err, "%s", out)
	require.Contains(t, string(out), "applied the demo world")
	vars["NODE_ENV"] = "production"
	out, err = command(t, t.TempDir(), vars, "migrate", "--demo").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "not for production")
}
