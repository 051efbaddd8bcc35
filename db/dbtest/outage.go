//go:build unix

package dbtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// obey starts and ends "$@" as the lines on standard input say, and removes the folder $0 when that ends, as supervise does.
const obey = `while read -r word; do case $word in
start) "$@" </dev/null >>"$0/log" 2>&1 & pid=$! ;;
*) kill -$word $pid; wait $pid; pid=; echo ended >>"$0/ended" ;;
esac; done
exec 2>/dev/null
[ "$pid" ] && { kill -CONT $pid; kill -QUIT $pid; wait $pid; }
rm -rf "$0"`

// Cluster is a PostgreSQL server of one test's own, which the test may end, start again and freeze. What it has committed
// outlives the end of its processes. It goes when the test ends.
type Cluster struct {
	t       testing.TB
	c       cluster
	process *process
	frozen  []int
	ended   int // how often it was stopped
}

// MaxConnections is how many connections a Cluster takes; three of them are kept for superusers.
const MaxConnections = 40

// OwnCluster starts a server. It lives long and is written much, so that it vacuums as any other does: without that each look
// at a queue reads past all that has ever been in it.
func OwnCluster(t testing.TB) *Cluster {
	t.Helper()
	for range 3 {
		c, err := initCluster()
		if err != nil {
			t.Fatalf("this test needs PostgreSQL: %v", err)
		}
		p, err := startShell(obey, c.dir, c.as, c.command("max_connections="+strconv.Itoa(MaxConnections),
			"autovacuum=on", "autovacuum_naptime=5")...)
		require.NoError(t, err)
		s := &Cluster{t: t, c: c, process: p}
		if err = s.begin(); err == nil {
			t.Cleanup(func() {
				s.Thaw()
				p.stop()
			})
			return s
		}
		p.stop()
		if !errors.Is(err, errPortTaken) {
			require.NoError(t, err)
		}
	}
	t.Fatal("no port was free for PostgreSQL")
	return nil
}

// OwnedURL makes an empty database and returns its URL in Prisma's form, for the role that owns it: the server's and the
// app's at once.
func (s *Cluster) OwnedURL() string {
	s.t.Helper()
	ctx := s.t.Context()
	conn, err := pgx.Connect(ctx, s.c.url())
	require.NoError(s.t, err)
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	require.NoError(s.t, makeRoles(ctx, conn))
	_, err = conn.Exec(ctx, `CREATE DATABASE app OWNER `+ownerRole)
	require.NoError(s.t, err)
	url, err := withRole(s.c.url(), ownerRole, "app")
	require.NoError(s.t, err)
	return url + "&schema=public&connection_limit=10"
}

// SuperuserURL is the URL of a superuser for that database.
func (s *Cluster) SuperuserURL() string { return strings.Replace(s.c.url(), "/postgres?", "/app?", 1) }

// Start starts the server again and waits until it answers.
func (s *Cluster) Start() {
	s.t.Helper()
	require.NoError(s.t, s.begin())
}

func (s *Cluster) begin() error {
	if _, err := fmt.Fprintln(s.process.input, "start"); err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	return s.process.await(s.c.answers)
}

// StopFast ends the server in good order, whoever is connected.
func (s *Cluster) StopFast() { s.stop("INT") }

// StopImmediate ends all its processes as a crash would: the next start recovers from the log.
func (s *Cluster) StopImmediate() { s.stop("QUIT") }

func (s *Cluster) stop(signal string) {
	s.t.Helper()
	s.ended++
	_, err := fmt.Fprintln(s.process.input, signal)
	require.NoError(s.t, err)
	require.Eventually(s.t, func() bool {
		said, _ := os.ReadFile(filepath.Join(s.c.dir, "ended"))
		return strings.Count(string(said), "ended") == s.ended
	}, 30*time.Second, 5*time.Millisecond, "PostgreSQL does not end")
}

// Freeze stops all processes of the server where they are: connections stay, and nothing answers.
func (s *Cluster) Freeze() {
	s.t.Helper()
	said, err := os.ReadFile(filepath.Join(s.c.data(), "postmaster.pid"))
	require.NoError(s.t, err)
	first, _, _ := strings.Cut(string(said), "\n")
	postmaster, err := strconv.Atoi(first)
	require.NoError(s.t, err)
	conn, err := pgx.Connect(s.t.Context(), s.c.url())
	require.NoError(s.t, err)
	rows, err := conn.Query(s.t.Context(), `SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()`)
	require.NoError(s.t, err)
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	require.NoError(s.t, err)
	require.NoError(s.t, conn.Close(s.t.Context()))
	s.frozen = append([]int{postmaster}, pids...)
	for _, pid := range s.frozen {
		_ = syscall.Kill(pid, syscall.SIGSTOP) // one that has ended meanwhile does not matter
	}
}

// Thaw lets them go on.
func (s *Cluster) Thaw() {
	for _, pid := range s.frozen {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	s.frozen = nil
}
