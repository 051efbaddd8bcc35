//go:build unix

package dbtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"syscall"

	"github.com/jackc/pgx/v5"
)

// postgresServer is the PostgreSQL server of this test process.
type postgresServer struct {
	url     string   // a superuser's
	process *process // kept, or the collector would close its input, which ends it; nil for TEST_DATABASE_URL
}

var runningServer = sync.OnceValues(func() (postgresServer, error) {
	if url := os.Getenv("TEST_DATABASE_URL"); url != "" {
		return postgresServer{url: url}, nil
	}
	for range 3 {
		s, err := startCluster()
		if !errors.Is(err, errPortTaken) {
			return s, err
		}
	}
	return postgresServer{}, errPortTaken
})

// server is the URL of a superuser.
func server() (string, error) {
	s, err := runningServer()
	return s.url, err
}

// howToGetPostgres is what a developer without PostgreSQL reads.
const howToGetPostgres = "install PostgreSQL (apt-get install postgresql), " +
	"or set TEST_DATABASE_URL to a superuser's URL"

// startCluster makes a cluster in a temporary folder and starts it on a free port, without fsync.
func startCluster() (postgresServer, error) {
	bin, err := findPostgres()
	if err != nil {
		return postgresServer{}, err
	}
	as, err := unprivileged()
	if err != nil {
		return postgresServer{}, err
	}
	dir, err := os.MkdirTemp("", "dbtest-postgres-")
	if err != nil {
		return postgresServer{}, fmt.Errorf("make a folder for PostgreSQL: %w", err)
	}
	if as != nil {
		if err := os.Chown(dir, int(as.Uid), int(as.Gid)); err != nil {
			return postgresServer{}, fmt.Errorf("make a folder for PostgreSQL: %w", err)
		}
	}
	data := filepath.Join(dir, "data")
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C",
		"--auth=trust", "--no-sync")
	initdb.Dir = dir
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	if out, err := initdb.CombinedOutput(); err != nil {
		_ = os.RemoveAll(dir)
		return postgresServer{}, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return postgresServer{}, err
	}
	p, err := start(dir, as, filepath.Join(bin, "postgres"), "-D", data, "-p", port,
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=300",
		"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off", "-c", "autovacuum=off",
		"-c", "timezone=America/Mexico_City", "-c", "lc_messages=C")
	if err != nil {
		return postgresServer{}, err
	}
	url := "postgresql://postgres@127.0.0.1:" + port + "/postgres?sslmode=disable"
	err = p.await(func(ctx context.Context) error {
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		return conn.Close(ctx)
	})
	if err != nil {
		p.stop()
		return postgresServer{}, fmt.Errorf("start PostgreSQL: %w", err)
	}
	return postgresServer{url, p}, nil
}

// findPostgres is the folder of the newest PostgreSQL that has both initdb and postgres. What PATH calls postgres may
// be a wrapper: it has to say its version, and its real folder is asked for.
func findPostgres() (string, error) {
	folders, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	more, _ := filepath.Glob("/usr/pgsql-*/bin")
	folders = append(folders, more...)
	folders = append(folders, "/usr/local/pgsql/bin", "/opt/homebrew/bin", "/usr/local/bin")
	if path, err := exec.LookPath("pg_config"); err == nil {
		if out, err := exec.Command(path, "--bindir").Output(); err == nil {
			folders = append(folders, string(regexp.MustCompile(`\s+$`).ReplaceAll(out, nil)))
		}
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		folders = append(folders, filepath.Dir(path))
	}
	best, newest := "", 0
	for _, folder := range slices.Compact(folders) {
		if _, err := os.Stat(filepath.Join(folder, "initdb")); err != nil {
			continue
		}
		if v := majorVersion(filepath.Join(folder, "postgres")); v > newest {
			best, newest = folder, v
		}
	}
	if best == "" {
		return "", errors.New("no PostgreSQL server found: " + howToGetPostgres)
	}
	return best, nil
}

// majorVersion is 15 for a binary that answers "postgres (PostgreSQL) 15.18", 0 for anything else.
func majorVersion(binary string) int {
	out, err := exec.Command(binary, "--version").Output()
	if err != nil {
		return 0
	}
	m := regexp.MustCompile(`^postgres \(PostgreSQL\) (\d+)`).FindSubmatch(out)
	if m == nil {
		return 0
	}
	v, _ := strconv.Atoi(string(m[1]))
	return v
}
