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

	"github.com/citaplanner/realtime/internal/freeport"
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
	c, err := initCluster()
	if err != nil {
		return postgresServer{}, err
	}
	p, err := start(c.dir, c.as, c.command("max_connections=300", "synchronous_commit=off", "full_page_writes=off")...)
	if err != nil {
		return postgresServer{}, err
	}
	if err = p.await(c.answers); err != nil {
		p.stop()
		return postgresServer{}, fmt.Errorf("start PostgreSQL: %w", err)
	}
	return postgresServer{c.url(), p}, nil
}

// cluster is a folder of data, and how a server is started on it.
type cluster struct {
	bin, dir, port string
	as             *syscall.Credential
}

// initCluster makes a cluster in a temporary folder.
func initCluster() (c cluster, err error) {
	if c.bin, err = findPostgres(); err != nil {
		return c, err
	}
	if c.as, err = unprivileged(); err != nil {
		return c, err
	}
	if c.dir, err = os.MkdirTemp("", "dbtest-postgres-"); err != nil {
		return c, fmt.Errorf("make a folder for PostgreSQL: %w", err)
	}
	if c.as != nil {
		if err := os.Chown(c.dir, int(c.as.Uid), int(c.as.Gid)); err != nil {
			return c, fmt.Errorf("make a folder for PostgreSQL: %w", err)
		}
	}
	initdb := exec.Command(filepath.Join(c.bin, "initdb"), "-D", c.data(), "-U", "postgres", "-E", "UTF8", "--locale=C",
		"--auth=trust", "--no-sync")
	initdb.Dir = c.dir
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	if out, err := initdb.CombinedOutput(); err != nil {
		_ = os.RemoveAll(c.dir)
		return c, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	c.port, err = freeport.Find()
	return c, err
}

func (c cluster) data() string { return filepath.Join(c.dir, "data") }

// url is a superuser's.
func (c cluster) url() string {
	return "postgresql://postgres@127.0.0.1:" + c.port + "/postgres?sslmode=disable"
}

// command is the server with these settings.
func (c cluster) command(settings ...string) []string {
	line := []string{filepath.Join(c.bin, "postgres"), "-D", c.data(), "-p", c.port}
	for _, s := range append([]string{"listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "autovacuum=off",
		"timezone=America/Mexico_City", "lc_messages=C"}, settings...) {
		line = append(line, "-c", s)
	}
	return line
}

// answers reports whether the server lets a superuser in.
func (c cluster) answers(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, c.url())
	if err != nil {
		return err
	}
	return conn.Close(ctx)
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
