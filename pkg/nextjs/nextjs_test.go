// Package nextjs_test runs what the npm package has: its own tests on React 18 and 19, its types, the server and page tests against
// a real server, and its tarball in a fresh project.
package nextjs_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/app"
	"github.com/citaplanner/realtime/internal/config"
	"github.com/citaplanner/realtime/pkg/nextauth"
)

// run runs a command of Node's in dir and returns what it printed. What fails shows all of it.
func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	_, err := exec.LookPath(name)
	require.NoError(t, err, "Node.js 20 or later, with npm, is needed")
	for _, installed := range []string{"node_modules", "react18/node_modules", "prisma/node_modules"} {
		if _, err := os.Stat(filepath.Join(installed, ".package-lock.json")); err != nil {
			t.Fatalf("pkg/nextjs/%s is not installed: run `make setup` (or `npm ci` in its folder)", installed)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "NO_COLOR=1", "CI=1"), env...)
	out, err := cmd.CombinedOutput()
	require.NoErrorf(t, err, "%s %v:\n%s", name, args, out)
	return string(out)
}

const (
	tsc    = "node_modules/typescript/bin/tsc"
	vitest = "node_modules/vitest/vitest.mjs"
)

func TestTypesAndComponentsHoldOnReact18And19(t *testing.T) {
	t.Parallel()
	run(t, ".", nil, "node", tsc, "--noEmit", "-p", ".")
	run(t, ".", nil, "node", vitest, "run", "--project", "server", "--project", "react-18", "--project", "react-19")
}

func TestThePackageAgainstTheRealServer(t *testing.T) {
	t.Parallel()
	const secret, apiKey = "the-secret-of-the-tests-of-the-npm-package", "the-api-key-of-the-tests-of-the-npm-package"
	database := "sqlite:" + t.TempDir() + "/npm.db"
	st, err := store.Open(t.Context(), store.Options{URL: database})
	require.NoError(t, err)
	_, err = st.Migrate(t.Context(), store.MigrateOptions{})
	require.NoError(t, err)
	require.NoError(t, st.Close())

	cfg, err := config.Parse(map[string]string{"NODE_ENV": "test", "PORT": "0", "DATABASE_URL": database, "NEXTAUTH_SECRET": secret,
		"NEXTAUTH_URL": "https://citas.example.com", "REALTIME_API_KEY": apiKey, "DRAIN_TIME": "5s"})
	require.NoError(t, err)
	server, err := app.New(t.Context(), cfg, app.Options{Version: "test", Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	world := dbtest.Seed(t, server.Store)
	require.NoError(t, server.Listen())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
		require.NoError(t, server.Close())
	})

	keys, err := nextauth.New(cfg.Secrets(), nextauth.Options{})
	require.NoError(t, err)
	token := func(user string) string {
		now := time.Now()
		sealed, err := keys.SealV4(map[string]any{"sub": user, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()})
		require.NoError(t, err)
		return sealed
	}
	run(t, ".", []string{"REALTIME_URL=http://" + server.Addr().String(), "REALTIME_API_KEY=" + apiKey,
		"TOKEN_PROFESSIONAL=" + token(world.A.Professional), "TOKEN_ADMIN=" + token(world.A.Admin)},
		"node", vitest, "run", "--project", "live-server", "--project", "live-page")
}

// TestEmitInTransactionIsPartOfPrismasTransaction is by a role with the rights that README gives the app's.
func TestEmitInTransactionIsPartOfPrismasTransaction(t *testing.T) {
	t.Parallel()
	url, owner := dbtest.PostgresURL(t)
	st, err := store.Open(t.Context(), store.Options{URL: url})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	dbtest.Seed(t, st)
	dbtest.Exec(t, url, `GRANT USAGE ON SCHEMA realtime TO prisma_owner`,
		`GRANT EXECUTE ON FUNCTION realtime.emit(text, jsonb) TO prisma_owner`)
	env := []string{"DATABASE_URL=" + dbtest.PlainURL(owner), "CHECKPOINT_DISABLE=1", "PRISMA_HIDE_UPDATE_MESSAGE=1",
		"PRISMA_SCHEMA_ENGINE_BINARY=" + os.Args[0]} // generating needs none, but would download one
	run(t, "prisma", env, "node", "node_modules/prisma/build/index.js", "generate", "--schema", "schema.prisma")
	run(t, ".", env, "node", vitest, "run", "--project", "prisma")

	rows, err := st.Occurrences.List(t.Context(), 10, store.OccurrencePending)
	require.NoError(t, err)
	require.Len(t, rows, 1)
	require.Equal(t, "calendar/refresh", rows[0].Kind)
	require.JSONEq(t, `{"tenantId":"tenant-a","reason":"it's \"committed\" ñ $1"}`, string(rows[0].Payload))
	var name string
	require.NoError(t, st.DB(t.Context()).Raw(`SELECT name FROM tenants WHERE id = 'tenant-a'`).Scan(&name).Error)
	require.Equal(t, "committed", name)
}

func TestTheTarballWorksInAFreshProject(t *testing.T) {
	t.Parallel()
	fresh := t.TempDir()
	require.NoError(t, os.CopyFS(fresh, os.DirFS("test/fresh")))
	var packed []struct {
		Filename string `json:"filename"`
		Files    []struct {
			Path string `json:"path"`
		} `json:"files"`
	}
	run(t, ".", nil, "node", "build.mjs")
	require.NoError(t, json.Unmarshal([]byte(run(t, ".", nil, "npm", "pack", "--json", "--ignore-scripts", "--pack-destination", fresh)), &packed))
	require.Len(t, packed, 1)
	for _, f := range packed[0].Files {
		require.Regexp(t, `^(dist/|README\.md$|LICENSE$|package\.json$)`, f.Path)
	}

	// What the package needs comes from npm's cache, where setup has put it, or else from the registry.
	run(t, fresh, nil, "npm", "install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error", "./"+packed[0].Filename,
		"react@19", "react-dom@19", "@types/react@19", "@types/react-dom@19")
	run(t, fresh, nil, "node", "imported.mjs")
	run(t, fresh, nil, "node", "required.cjs")
	compiler, err := filepath.Abs(tsc)
	require.NoError(t, err)
	for _, resolution := range []string{"node16", "bundler"} {
		run(t, fresh, nil, "node", compiler, "--noEmit", "-p", "tsconfig."+resolution+".json")
	}
	run(t, ".", nil, "node", "test/shake.mjs", fresh)
}
