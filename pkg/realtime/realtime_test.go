package realtime_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
	"github.com/citaplanner/realtime/pkg/nextauth"
	"github.com/citaplanner/realtime/pkg/realtime"
)

const secret = "the-secret-of-the-embedding-test"

// serve embeds a server in an HTTP server of the test's own.
func serve(t *testing.T) (*realtime.Server, *dbtest.World, string) {
	t.Helper()
	url := dbtest.MigratedSQLiteURL(t)
	st, err := store.Open(t.Context(), store.Options{URL: url})
	require.NoError(t, err)
	world := dbtest.Seed(t, st)
	require.NoError(t, st.Close())
	srv, err := realtime.New(t.Context(), realtime.Options{Environment: map[string]string{
		"NODE_ENV": "test", "DATABASE_URL": url, "NEXTAUTH_SECRET": secret, "EMIT_HTTP": "false"}})
	require.NoError(t, err)
	ts := httptest.NewServer(srv.Handler())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
		ts.Close()
		require.NoError(t, srv.Close())
	})
	return srv, world, ts.URL
}

// connect signs a user in and returns a function that waits for a packet that begins so.
func connect(t *testing.T, url, user string) (await func(prefix string) string) {
	t.Helper()
	keys, err := nextauth.New([]string{secret}, nextauth.Options{})
	require.NoError(t, err)
	token, err := keys.SealV4(map[string]any{"sub": user, "exp": time.Now().Add(time.Hour).Unix()})
	require.NoError(t, err)
	c, res, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(url, "http")+"/api/socket?EIO=4&transport=websocket", nil)
	require.NoError(t, err)
	_ = res.Body.Close()
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
	require.NoError(t, c.WriteMessage(websocket.TextMessage, []byte(`40{"token":"`+token+`"}`)))
	await = func(prefix string) string {
		t.Helper()
		for {
			_, b, err := c.ReadMessage()
			require.NoErrorf(t, err, "waiting for %s", prefix)
			if strings.HasPrefix(string(b), prefix) {
				return string(b)
			}
		}
	}
	await(`42["connection:success"`)
	return await
}

func TestAnotherProgramEmitsAndSeesWhoIsThere(t *testing.T) {
	srv, world, url := serve(t)
	a := world.A
	admin, other := connect(t, url, a.Admin), connect(t, url, a.Admin)
	connect(t, url, a.Manager)
	connect(t, url, world.B.Admin)

	// Presence hears of a socket behind the event that its client has seen.
	require.Eventually(t, func() bool { return srv.ConnectedUsers(a.ID) == 2 }, time.Minute, time.Millisecond)
	stats := srv.Stats()
	require.Equal(t, 4, stats.TotalConnections)
	require.Equal(t, contract.TenantStats{Users: []string{a.Admin, a.Manager}, Count: 3}, stats.Tenants[a.ID])

	n, err := srv.EmitToTenant(t.Context(), a.ID, "one", map[string]any{"x": 1})
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.Contains(t, admin(`42["one"`), `42["one",{"x":1},"`) // and an offset
	n, err = srv.EmitToUser(t.Context(), a.Admin, "two", []int{1})
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Contains(t, other(`42["two"`), `42["two",[1],"`)
	n, err = srv.EmitToRole(t.Context(), contract.RoleManager, a.ID, "three", nil)
	require.NoError(t, err)
	require.Equal(t, 1, n)

	_, err = srv.EmitToTenant(t.Context(), "nobody's", "one", 1)
	require.Equal(t, contract.CodeNotFound, contract.CodeOf(err))
	_, err = srv.EmitToTenant(t.Context(), a.ID, "one", make(chan int))
	require.Equal(t, contract.CodeInvalid, contract.CodeOf(err), "what JSON cannot say is an error, and nothing is sent")
}

func ExampleServer_EmitToTenant() {
	ctx := context.Background()
	srv, err := realtime.New(ctx, realtime.Options{Environment: map[string]string{
		"NODE_ENV": "test", "DATABASE_URL": "sqlite::memory:", "NEXTAUTH_SECRET": secret, "EMIT_HTTP": "false"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = srv.Close() }()
	_, err = srv.EmitToTenant(ctx, "no-such-tenant", "calendar:refresh", map[string]string{"reason": "import"})
	fmt.Println(contract.CodeOf(err))
	// Output: NOT_FOUND
}
