//go:build faults

package e2e_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
	"github.com/citaplanner/realtime/pkg/nextauth"
)

var faultsSeed = flag.Uint64("seed", 0, "seed of the faults' order and times; 0 draws one")

// TestNothingIsLostOrToldTwiceWhateverFails is the short form of make faults: each fault once, the server killed three times.
func TestNothingIsLostOrToldTwiceWhateverFails(t *testing.T) {
	t.Parallel()
	tr := newTrial(t, trialSize{emits: 1000, perSecond: 70, hold: 500 * time.Millisecond, patience: 90 * time.Second})
	order := append([]fault{}, faults...)
	tr.rng.Shuffle(len(order), func(i, k int) { order[i], order[k] = order[k], order[i] })
	// A caller whose request the server took with it waits until the key's lease is over (30 s): the kills come first.
	kills := []fault{killed, killed, killedInAnOutage}
	tr.run(append(kills, order...))
}

// trialSize is how much a trial is.
type trialSize struct {
	emits, perSecond int
	hold             time.Duration // the longest time that a fault is kept up for its own sake
	patience         time.Duration // for what has still to come when all emits are acknowledged
}

// trial is a server process on a PostgreSQL server of its own, pages that follow, callers that emit until they are
// acknowledged, and faults.
type trial struct {
	t       *testing.T
	size    trialSize
	rng     *rand.Rand // of the goroutine that plants faults
	ctx     context.Context
	cluster *dbtest.Cluster
	app     *sql.DB // the app's own connections
	url     string
	vars    map[string]string
	server  *process
	pages   []*follower
	count   counts

	viewings int // dates that pages have said to look at

	mu      sync.Mutex
	emitted map[string]emitted
	wrong   []string
}

// emitted is an emit that was acknowledged: the row's message or appointment is its key in the trial's map.
type emitted struct {
	way, user string
	row       string // the row's id by the answer; "" where there is none
}

// counts is what a trial counts.
type counts struct {
	byHTTP, byFunction, byTrigger     atomic.Int64
	refused, cut, replayed, rolledOut atomic.Int64
	faults                            map[string]int
	restarts, databaseRestarts        int
}

func (c *counts) acknowledged() int64 {
	return c.byHTTP.Load() + c.byFunction.Load() + c.byTrigger.Load()
}

func newTrial(t *testing.T, size trialSize) *trial {
	t.Helper()
	seed := *faultsSeed
	if seed == 0 {
		seed = rand.Uint64() //nolint:gosec // a test
	}
	t.Logf("again in this order: -seed %d", seed)
	cluster := dbtest.OwnCluster(t)
	url := cluster.OwnedURL()
	world := prepare(t, url)
	out, code := realtime(t, url, "triggers", "install")
	require.Zerof(t, code, "%s", out)
	app, err := sql.Open("pgx", dbtest.PlainURL(url))
	require.NoError(t, err)
	app.SetMaxOpenConns(8)
	t.Cleanup(func() { _ = app.Close() })
	_, err = app.Exec(`CREATE TABLE orders (id text PRIMARY KEY)`)
	require.NoError(t, err)

	port := freePort(t)
	tr := &trial{t: t, size: size, rng: rand.New(rand.NewPCG(seed, 1)), cluster: cluster, app: app, //nolint:gosec // a test
		url: "http://localhost:" + port, emitted: map[string]emitted{}, count: counts{faults: map[string]int{}}}
	// A query that is not answered within socket_timeout has failed, and the readiness shows a wedged database soon.
	tr.vars = settings(url+"&socket_timeout=3", "PORT", port, "LIMITS", "off", "CANARY_MAX_AGE", "1s")
	tr.server = launch(t, t.TempDir(), tr.vars)
	keys, err := nextauth.New([]string{secret}, nextauth.Options{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	tr.ctx = ctx
	var following sync.WaitGroup
	for i, p := range []struct{ user, tenant string }{
		{world.A.Admin, world.A.ID}, {world.A.Professional, world.A.ID}, {world.A.Admin, world.A.ID}, {world.B.Admin, world.B.ID},
		{world.A.Manager, world.A.ID},
	} {
		page := newFollower(tr.url, p.user, p.tenant, sessionOf(t, keys, p.user))
		page.wanders = p.user == world.A.Manager
		tr.pages = append(tr.pages, page)
		following.Go(func() { page.run(ctx, rand.New(rand.NewPCG(seed, uint64(i+2)))) }) //nolint:gosec // a test
	}
	t.Cleanup(func() {
		cancel()
		following.Wait()
	})
	tr.connected()
	return tr
}

// prepare makes the tables and the world.
func prepare(t *testing.T, url string) *dbtest.World {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{URL: url})
	require.NoError(t, err)
	defer func() { require.NoError(t, st.Close()) }()
	_, err = st.Migrate(t.Context(), store.MigrateOptions{})
	require.NoError(t, err)
	return dbtest.Seed(t, st)
}

// run emits, plants the faults one after the other while it does, and holds what came of it against what was promised.
func (tr *trial) run(order []fault) {
	tr.t.Helper()
	start := time.Now()
	var emitting sync.WaitGroup
	emitting.Go(tr.emitAll)
	between := int64(tr.size.emits) * 7 / 10 / int64(len(order)) // acknowledgements; what is in doubt comes late
	next := between / 2
	for _, f := range order {
		tr.await("acknowledgements", func() bool { return tr.count.acknowledged() >= min(next, int64(tr.size.emits)*7/10) })
		tr.count.faults[f.name]++
		f.strike(tr)
		tr.recovered(f.name)
		next = tr.count.acknowledged() + between/2 + tr.rng.Int64N(between)
	}
	struck := time.Since(start)
	emitting.Wait()
	acknowledged := time.Since(start)
	tr.drained()
	tr.report(struck, acknowledged)
}

// await polls until a condition holds.
func (tr *trial) await(what string, done func() bool) {
	tr.t.Helper()
	for deadline := time.Now().Add(tr.size.patience); !done(); pause(tr.ctx, 5*time.Millisecond) {
		require.Truef(tr.t, time.Now().Before(deadline), "waited in vain for %s", what)
	}
}

// emitAll emits in three ways, at a rate, each until it is acknowledged.
func (tr *trial) emitAll() {
	people := []struct{ user, tenant string }{
		{"a-admin", "tenant-a"}, {"a-professional", "tenant-a"}, {"a-manager", "tenant-a"}, {"b-admin", "tenant-b"},
	}
	pace := time.NewTicker(time.Second / time.Duration(tr.size.perSecond))
	defer pace.Stop()
	slots := make(chan struct{}, 400) // callers who wait
	var callers sync.WaitGroup
	defer callers.Wait()
	for i := range tr.size.emits {
		<-pace.C
		if tr.ctx.Err() != nil {
			return
		}
		slots <- struct{}{}
		key, to := fmt.Sprintf("emit-%d", i), people[i%len(people)]
		callers.Go(func() {
			defer func() { <-slots }()
			switch i % 10 {
			case 6, 7:
				tr.byFunction(key, to.user, to.tenant)
			case 8, 9:
				tr.byTrigger(key)
			default:
				tr.byHTTP(key, to.user, to.tenant)
			}
		})
	}
}

func (tr *trial) acknowledge(count *atomic.Int64, key string, e emitted) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.emitted[key] = e
	count.Add(1)
}

func (tr *trial) complain(format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if len(tr.wrong) < 20 {
		tr.wrong = append(tr.wrong, fmt.Sprintf(format, args...))
	}
}

// byHTTP calls the endpoint under one idempotency key. Nothing but 202, 503 with Retry-After and a lost connection is right.
func (tr *trial) byHTTP(key, user, tenant string) {
	for tr.ctx.Err() == nil {
		got, err := call("POST", tr.url+"/api/emit/notification", notification(key, user, tenant), "Authorization", "Bearer "+apiKey,
			"Content-Type", "application/json", "Idempotency-Key", key)
		switch {
		case err != nil:
			tr.count.cut.Add(1)
		case got.status == http.StatusAccepted:
			var answer contract.EmitResult
			if err := json.Unmarshal([]byte(got.body), &answer); err != nil || len(answer.Notifications) != 1 {
				tr.complain("%s: 202 %s", key, got.body)
			}
			if got.header.Get("Idempotent-Replayed") != "" {
				tr.count.replayed.Add(1)
			}
			tr.acknowledge(&tr.count.byHTTP, key, emitted{"http", user, strings.Join(answer.Notifications, " ")})
			return
		case got.status == http.StatusServiceUnavailable && got.header.Get("Retry-After") != "":
			tr.count.refused.Add(1)
		default:
			tr.complain("%s: %d %s", key, got.status, got.body)
		}
		pause(tr.ctx, 200*time.Millisecond)
	}
}

// byFunction writes an order and its event in one transaction, as a route does.
func (tr *trial) byFunction(key, user, tenant string) {
	tr.commit(`SELECT EXISTS (SELECT 1 FROM orders WHERE id = $1)`, key, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO orders VALUES ($1)`, key); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `SELECT realtime.emit('notification', $1::jsonb)`, notification(key, user, tenant))
		return err
	})
	tr.acknowledge(&tr.count.byFunction, key, emitted{"function", user, ""})
}

// byTrigger makes an appointment and says nothing.
func (tr *trial) byTrigger(key string) {
	tr.commit(`SELECT EXISTS (SELECT 1 FROM appointments WHERE id = $1)`, key, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO appointments (id, "startTime", "endTime", status, "tenantId", "branchId", "clientId",
			"serviceId", "userId", "updatedAt") SELECT $1, "startTime", "endTime", status, "tenantId", "branchId", "clientId", "serviceId",
			"userId", "updatedAt" FROM appointments WHERE id = 'a-appointment'`, key)
		return err
	})
	tr.acknowledge(&tr.count.byTrigger, key, emitted{"trigger", "a-professional", ""})
}

// commit runs a transaction until it is certainly committed: where that is in doubt, there says so.
func (tr *trial) commit(there, key string, write func(context.Context, *sql.Tx) error) {
	for tr.ctx.Err() == nil {
		ctx, cancel := context.WithTimeout(tr.ctx, 3*time.Second)
		tx, err := tr.app.BeginTx(ctx, nil)
		if err == nil {
			if err = write(ctx, tx); err == nil {
				err = tx.Commit()
			} else {
				_ = tx.Rollback()
			}
		}
		committed := err == nil
		if err != nil {
			tr.count.rolledOut.Add(1)
			_ = tr.app.QueryRowContext(ctx, there, key).Scan(&committed)
		}
		cancel()
		if committed {
			return
		}
		pause(tr.ctx, 200*time.Millisecond)
	}
}

// superuser connects as one, again while a crowd is at the door: whoever is being refused takes a place meanwhile.
func (tr *trial) superuser() (conn *pgx.Conn) {
	tr.t.Helper()
	tr.await("a place for a superuser", func() bool {
		var err error
		conn, err = pgx.Connect(tr.ctx, tr.cluster.SuperuserURL())
		return err == nil
	})
	return conn
}

// ask runs a superuser's query that returns one number.
func (tr *trial) ask(query string) (n int) {
	tr.t.Helper()
	conn := tr.superuser()
	defer func() { _ = conn.Close(context.WithoutCancel(tr.ctx)) }()
	require.NoError(tr.t, conn.QueryRow(tr.ctx, query).Scan(&n))
	return n
}
