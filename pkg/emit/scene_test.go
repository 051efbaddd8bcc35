package emit_test

import (
	"context"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/demo"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/emit"
	"github.com/citaplanner/realtime/pkg/realtime"
)

const key = "the-api-key-of-the-emit-client-tests"

// scene is the real server on a database with the world of dbtest in it.
type scene struct {
	world *dbtest.World
	url   string
}

func start(t *testing.T) *scene {
	t.Helper()
	url := dbtest.MigratedSQLiteURL(t)
	st, err := store.Open(t.Context(), store.Options{URL: url})
	require.NoError(t, err)
	s := &scene{world: dbtest.Seed(t, st)}
	var stop func()
	s.url, stop, err = serve(url)
	require.NoError(t, err)
	t.Cleanup(func() {
		stop()
		require.NoError(t, st.Close())
	})
	return s
}

// client is one that gives up soon.
func (s *scene) client(t *testing.T, o emit.Options) *emit.Client {
	t.Helper()
	return client(t, s.url, o)
}

func client(t *testing.T, url string, o emit.Options) *emit.Client {
	t.Helper()
	if o.Backoff == 0 {
		o.Backoff = time.Millisecond
	}
	c, err := emit.New(url, key, o)
	require.NoError(t, err)
	return c
}

// serve runs the server until stop.
func serve(database string) (url string, stop func(), err error) {
	srv, err := realtime.New(context.Background(), realtime.Options{Environment: map[string]string{
		"NODE_ENV": "test", "DATABASE_URL": database, "NEXTAUTH_SECRET": "the-secret-of-the-emit-client-tests", "REALTIME_API_KEY": key}})
	if err != nil {
		return "", nil, err
	}
	ts := httptest.NewServer(srv.Handler())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx) }()
	return ts.URL, func() {
		cancel()
		<-done
		ts.Close()
		_ = srv.Close()
	}, nil
}

// demoServer is a server with the demo world in a folder, for the examples.
func demoServer(folder string) (url string, stop func(), err error) {
	database := "sqlite:" + filepath.Join(folder, "demo.db")
	st, err := store.Open(context.Background(), store.Options{URL: database})
	if err != nil {
		return "", nil, err
	}
	if _, err = st.Migrate(context.Background(), store.MigrateOptions{}); err == nil {
		err = demo.Seed(context.Background(), st, time.Now())
	}
	if closing := st.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return "", nil, err
	}
	return serve(database)
}
