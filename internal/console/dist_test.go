package console

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// node runs a program of ui's packages.
func node(t *testing.T, args ...string) {
	t.Helper()
	_, err := exec.LookPath("node")
	require.NoError(t, err, "Node.js 20 or later is needed")
	for _, packages := range []string{"ui", "../../pkg/nextjs"} {
		if _, err := os.Stat(filepath.Join(packages, "node_modules/.package-lock.json")); err != nil {
			t.Fatalf("the npm packages of %s are not installed: run `make setup` (or `npm ci` there)", packages)
		}
	}
	// Read here, too: Go remembers a test's result as long as what the test itself has read is the same.
	for _, sources := range []string{"ui/src", "ui/public", "ui/test", "../../pkg/nextjs/src"} {
		listed(t, sources)
	}
	for _, file := range []string{"ui/package-lock.json", "ui/vite.config.ts", "ui/tsconfig.json", "ui/index.html", "ui/pane.html",
		"ui/operator.html", "../../pkg/nextjs/package-lock.json"} {
		_, err := os.ReadFile(file)
		require.NoError(t, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Dir = "ui"
	cmd.Env = append(os.Environ(), "NO_COLOR=1", "NODE_ENV=production")
	out, err := cmd.CombinedOutput()
	require.NoErrorf(t, err, "node %v:\n%s", args, out)
}

// listed are the files below a folder by name.
func listed(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		out[filepath.ToSlash(name)] = string(b)
		return err
	}))
	return out
}

// What is embedded is what the sources build to: whoever changes ui or the npm package runs `make console`.
func TestTheCommittedFilesAreWhatTheSourcesBuildTo(t *testing.T) {
	t.Parallel()
	fresh := filepath.Join(t.TempDir(), "dist")
	node(t, "node_modules/vite/bin/vite.js", "build", "--logLevel", "warn", "--outDir", fresh)
	committed, built := listed(t, "dist"), listed(t, fresh)
	size := 0
	for name, content := range built {
		require.Truef(t, committed[name] == content, "%s is missing, or not what internal/console/ui builds to: run make console", name)
		size += len(content)
	}
	require.Equal(t, len(built), len(committed), "internal/console/dist holds files that nothing builds: run make console")
	require.Less(t, size, 600<<10, "the binary carries them")
}

func TestTheSourcesKeepTheirTypes(t *testing.T) {
	t.Parallel()
	node(t, "node_modules/typescript/bin/tsc", "--noEmit", "-p", ".")
}
