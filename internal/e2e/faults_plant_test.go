//go:build faults

package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
)

// fault is something that goes wrong and, before strike returns, is over.
type fault struct {
	name   string
	strike func(tr *trial)
}

var (
	killed           = fault{"server killed", (*trial).kill}
	killedInAnOutage = fault{"server killed while PostgreSQL is down", func(tr *trial) {
		tr.cluster.StopImmediate()
		tr.server.signal(syscall.SIGKILL)
		tr.server.ended()
		_, err := tryLaunch(tr.t, tr.t.TempDir(), tr.vars)
		require.ErrorContains(tr.t, err, "the database does not answer", "a start says what is missing, for who started it to try again")
		tr.restartDatabase()
		tr.restart()
	}}
)

// faults are the others, none of which may cost a socket.
var faults = []fault{
	{"PostgreSQL stopped immediate", func(tr *trial) { tr.stopped((*dbtest.Cluster).StopImmediate) }},
	{"PostgreSQL stopped fast", func(tr *trial) { tr.stopped((*dbtest.Cluster).StopFast) }},
	{"PostgreSQL frozen", (*trial).frozen},
	{"notification_logs locked", (*trial).locked},
	{"out of connections", (*trial).crowded},
	{"read-only", (*trial).readOnly},
	{"LISTEN connection ended", func(tr *trial) { tr.terminated(`application_name = 'citaplanner-realtime-listen'`) }},
	{"every connection ended", func(tr *trial) { tr.terminated(`usename = 'prisma_owner'`) }},
}

// kill ends the server wherever it is, and starts it again.
func (tr *trial) kill() {
	tr.server.signal(syscall.SIGKILL)
	tr.server.ended()
	tr.restart()
}

func (tr *trial) restart() {
	tr.server = launch(tr.t, tr.t.TempDir(), tr.vars)
	tr.count.restarts++
}

func (tr *trial) restartDatabase() {
	tr.cluster.Start()
	tr.count.databaseRestarts++
}

// hold keeps a fault up for a while that chance decides: what is under test is what others do meanwhile.
func (tr *trial) hold() { pause(tr.ctx, time.Duration(tr.rng.Int64N(int64(tr.size.hold)))) }

func (tr *trial) stopped(stop func(*dbtest.Cluster)) {
	tr.sockets(func() {
		stop(tr.cluster)
		tr.outage()
		tr.hold()
		tr.restartDatabase()
	})
}

// frozen lets PostgreSQL keep its connections and answer nothing, for longer than a query may take.
func (tr *trial) frozen() {
	tr.sockets(func() {
		tr.cluster.Freeze()
		defer tr.cluster.Thaw()
		refused := tr.count.refused.Load()
		tr.live()
		tr.notReady()
		tr.await("a refusal", func() bool { return tr.count.refused.Load() > refused })
		tr.hold()
	})
}

// locked makes the database slow: whoever writes a notification waits.
func (tr *trial) locked() {
	tr.sockets(func() {
		conn := tr.superuser()
		defer func() { _ = conn.Close(context.WithoutCancel(tr.ctx)) }() // ends the transaction
		_, err := conn.Exec(tr.ctx, `BEGIN`)
		require.NoError(tr.t, err)
		_, err = conn.Exec(tr.ctx, `LOCK TABLE notification_logs IN ACCESS EXCLUSIVE MODE`)
		require.NoError(tr.t, err)
		tr.await("somebody who waits", func() bool { return tr.ask(`SELECT count(*) FROM pg_locks WHERE NOT granted`) > 0 })
		tr.live()
		tr.hold()
	})
}

// crowded takes every connection that there is. The door is shut while it does: where it only took what is free, a server that
// is as quick would have its places back again and again.
func (tr *trial) crowded() {
	var crowd []*pgx.Conn
	leave := func() {
		for _, c := range crowd {
			_ = c.Close(context.WithoutCancel(tr.ctx))
		}
		crowd = nil
	}
	defer leave()
	tr.sockets(func() {
		defer leave()
		door := tr.superuser() // one of the crowd: there may be no place for another when all are in
		crowd = append(crowd, door)
		limit := func(n int) {
			_, err := door.Exec(tr.ctx, fmt.Sprintf(`ALTER ROLE prisma_owner CONNECTION LIMIT %d`, n))
			require.NoError(tr.t, err)
		}
		limit(0)
		others := `FROM pg_stat_activity WHERE usename = 'prisma_owner'`
		tr.await("an empty house", func() bool { return tr.ask(`SELECT count(pg_terminate_backend(pid)) `+others) == 0 })
		for len(crowd) < dbtest.MaxConnections-3 { // the last three are kept for superusers, and the tests ask as one
			crowd = append(crowd, tr.superuser())
		}
		limit(-1)
		tr.outage()
		tr.hold()
	})
}

// readOnly is a disk that is full, or a replica in the middle of a failover.
func (tr *trial) readOnly() {
	tr.sockets(func() {
		dbtest.Exec(tr.t, tr.cluster.SuperuserURL(), `ALTER SYSTEM SET default_transaction_read_only = on`, `SELECT pg_reload_conf()`)
		defer dbtest.Exec(tr.t, tr.cluster.SuperuserURL(), `ALTER SYSTEM RESET default_transaction_read_only`, `SELECT pg_reload_conf()`)
		tr.await("a read-only database", func() bool {
			return tr.ask(`SELECT (current_setting('default_transaction_read_only') = 'on')::int`) == 1
		})
		tr.notReady() // each session takes the setting in its own time
		tr.outage()
		tr.hold()
	})
}

func (tr *trial) terminated(whose string) {
	tr.sockets(func() {
		require.Positive(tr.t, tr.ask(`SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE `+whose))
		tr.live()
	})
}

// connected waits until every page that stays is connected.
func (tr *trial) connected() {
	tr.await("all pages connected", func() bool {
		for _, p := range tr.pages {
			if _, connected := p.losses(); !connected && !p.wanders {
				return false
			}
		}
		return true
	})
}

// sockets strikes, and asserts that no page lost its connection by it.
func (tr *trial) sockets(strike func()) {
	tr.t.Helper()
	tr.connected()
	before := make([]int, len(tr.pages))
	for i, p := range tr.pages {
		before[i], _ = p.losses()
	}
	strike()
	for i, p := range tr.pages {
		if n, _ := p.losses(); n != before[i] && !p.wanders {
			tr.complain("page %d of %s lost its connection while the server ran", i, p.user)
		}
	}
}

// live asserts that pages see what others do, which needs no database.
func (tr *trial) live() {
	tr.t.Helper()
	tr.viewings++
	date := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, tr.viewings).Format(time.DateOnly)
	require.NoError(tr.t, tr.pages[0].send(`42["calendar:viewing",{"date":"`+date+`","viewType":"week"}]`))
	tr.await("live traffic", func() bool { return tr.pages[1].sawViewing(date) })
}

// outage asserts what holds while nothing can be written: live traffic goes on, emits are refused, and the server says so.
func (tr *trial) outage() {
	tr.t.Helper()
	tr.live()
	got, err := call("POST", tr.url+"/api/emit/notification", notification("never", "a-admin", "tenant-a"), "Authorization",
		"Bearer "+apiKey, "Content-Type", "application/json")
	require.NoError(tr.t, err)
	require.Equalf(tr.t, http.StatusServiceUnavailable, got.status, "%s", got.body)
	require.NotEmpty(tr.t, got.header.Get("Retry-After"))
	require.Contains(tr.t, got.header.Get("Content-Type"), "application/problem+json")
	tr.notReady()
	tr.live()
}

func (tr *trial) notReady() {
	tr.t.Helper()
	tr.await("/readyz says that it is not ready", func() bool {
		got, err := call("GET", tr.url+"/readyz", "")
		return err == nil && got.status == http.StatusServiceUnavailable
	})
}

// recovered waits until the server is well again by itself.
func (tr *trial) recovered(from string) {
	tr.t.Helper()
	since := time.Now()
	var last answer
	for well := false; !well; pause(tr.ctx, 10*time.Millisecond) {
		got, err := call("GET", tr.url+"/readyz", "")
		if err == nil {
			last = got
		}
		well = err == nil && got.status == http.StatusOK && strings.Contains(got.body, `"note":"listening"`)
		if !well && time.Since(since) > 30*time.Second {
			require.FailNowf(tr.t, "it is not well again", "after %q: %d %s %v\n%s", from, last.status, last.body, err, tr.backlog())
		}
	}
	tr.connected()
	if took := time.Since(since); took > 5*time.Second {
		tr.t.Logf("after %q it took %s until all was well: %s", from, took.Round(time.Millisecond), last.body)
	}
}

// backlog says what waits in the database, for a failure's message.
func (tr *trial) backlog() string {
	conn := tr.superuser()
	defer func() { _ = conn.Close(context.WithoutCancel(tr.ctx)) }()
	rows, err := conn.Query(tr.ctx, `SELECT format('%s of %s: %s, the oldest of %s', count(*), source, state, min(created_at))
		FROM realtime.occurrences GROUP BY source, state
		UNION ALL SELECT format('deliveries: %s', count(*)) FROM realtime.deliveries
		UNION ALL SELECT format('%s %s %s: %s', pid, state, wait_event, left(query, 200)) FROM pg_stat_activity WHERE state <> 'idle'`)
	if err != nil {
		return err.Error()
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err.Error()
	}
	return strings.Join(lines, "\n")
}
