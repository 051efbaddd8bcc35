package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/apidocs/conform"
	"github.com/citaplanner/realtime/internal/app"
	"github.com/citaplanner/realtime/internal/config"
	"github.com/citaplanner/realtime/pkg/nextauth"
)

const (
	secret = "the-secret-of-the-end-to-end-tests"
	apiKey = "the-api-key-of-the-end-to-end-tests"
)

// scene is a running server on a real database with the world of dbtest in it.
type scene struct {
	t     *testing.T
	url   string
	app   *app.App
	world *dbtest.World
	store *store.Store
	keys  *nextauth.Keyring
	log   *lines
	docs  *conform.Checker // holds every answer against the OpenAPI document; nil where settings take routes away
	stop  func() error     // ends the server as SIGTERM does, once
}

// each runs a test on PostgreSQL, with the app's tables owned by another role, and on SQLite.
func each(t *testing.T, test func(t *testing.T, s *scene), vars ...string) {
	t.Helper()
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, startPostgres(t, vars...))
	})
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, start(t, dbtest.MigratedSQLiteURL(t), vars...))
	})
}

func startPostgres(t *testing.T, vars ...string) *scene {
	t.Helper()
	url, _ := dbtest.PostgresURL(t)
	return start(t, url, vars...)
}

// start runs a server in this process; vars are names and values of further settings.
func start(t *testing.T, databaseURL string, vars ...string) *scene {
	t.Helper()
	return startAt(t, databaseURL, time.Now, vars...)
}

// startAt is start on another clock.
func startAt(t *testing.T, databaseURL string, now func() time.Time, vars ...string) *scene {
	t.Helper()
	s := &scene{t: t, log: &lines{}}
	cfg, err := config.Parse(settings(databaseURL, vars...))
	require.NoError(t, err)
	s.app, err = app.New(t.Context(), cfg, app.Options{Version: "test", Now: now,
		Logger: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	require.NoError(t, err)
	if s.docs, err = described(); len(vars) > 0 && slices.ContainsFunc(vars, leavesOut) {
		s.docs = nil
	}
	require.NoError(t, err)
	s.store = s.app.Store
	s.world = dbtest.Seed(t, s.store)
	s.keys, err = nextauth.New(cfg.Secrets(), nextauth.Options{})
	require.NoError(t, err)
	require.NoError(t, s.app.Listen())
	s.url = "http://" + s.app.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.app.Run(ctx) }()
	s.stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() {
		require.NoError(t, s.stop())
		require.NoError(t, s.app.Close())
		if t.Failed() {
			_, _ = os.Stderr.WriteString("the server's log:\n" + s.log.String())
		}
	})
	return s
}

// described are the documents of the interface.
var described = sync.OnceValues(conform.New)

// leavesOut says whether a setting takes routes away, or gives them to somebody else.
func leavesOut(name string) bool {
	return slices.Contains([]string{"EMIT_HTTP", "INBOX_ROUTES", "UPSTREAM_URL", "METRICS", "OPERATOR_ADDR", "API_DOCS"}, name)
}

func settings(databaseURL string, vars ...string) map[string]string {
	all := map[string]string{"NODE_ENV": "test", "PORT": "0", "DATABASE_URL": databaseURL, "NEXTAUTH_SECRET": secret,
		"NEXTAUTH_URL": "https://citas.example.com", "REALTIME_API_KEY": apiKey, "DRAIN_TIME": "5s"}
	for i := 0; i+1 < len(vars); i += 2 {
		all[vars[i]] = vars[i+1]
	}
	return all
}

// token is a NextAuth session token of a user, good for an hour or what is given.
func (s *scene) token(user string, good ...time.Duration) string {
	s.t.Helper()
	life := time.Hour
	if len(good) > 0 {
		life = good[0]
	}
	now := time.Now()
	sealed, err := s.keys.SealV4(map[string]any{"sub": user, "iat": now.Unix(), "exp": now.Add(life).Unix()})
	require.NoError(s.t, err)
	return sealed
}

// cookie is the Cookie header that a browser would send for a user.
func (s *scene) cookie(user string) string {
	return "theme=dark; next-auth.session-token=" + s.token(user)
}

// as is how the app's hook connects for a user: no token, the cookie comes along.
func (s *scene) as(user string) open { return open{Cookie: s.cookie(user), Origin: s.url} }

// answer is what an HTTP route said.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	var object m
	require.NoErrorf(t, json.Unmarshal([]byte(a.body), &object), "%s", a.body)
	return object
}

func (s *scene) do(method, path, body string, header ...string) answer {
	s.t.Helper()
	a, err := call(method, s.url+path, body, header...)
	require.NoError(s.t, err)
	if s.docs != nil {
		_, err = s.docs.Answer(method, path, a.status, a.header.Get("Content-Type"), []byte(a.body))
		require.NoError(s.t, err)
	}
	return a
}

func call(method, url, body string, header ...string) (answer, error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(b)}, err
}

// emit calls an emit endpoint as an API route does.
func (s *scene) emit(kind string, body any, header ...string) answer {
	s.t.Helper()
	b, err := json.Marshal(body)
	require.NoError(s.t, err)
	return s.do("POST", "/api/emit/"+kind, string(b),
		append([]string{"Authorization", "Bearer " + apiKey, "Content-Type", "application/json"}, header...)...)
}

// emitted is emit for what has to succeed.
func (s *scene) emitted(kind string, body any, header ...string) map[string]any {
	s.t.Helper()
	a := s.emit(kind, body, header...)
	require.Equalf(s.t, http.StatusAccepted, a.status, "%s", a.body)
	return a.json(s.t)
}

type m = map[string]any

// lines is a log that tests may read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
