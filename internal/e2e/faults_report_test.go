//go:build faults

package e2e_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// excuse is for how long after a row was made the loss of a connection may be why its event did not come: its transaction
// may have waited, for a lock or a database, and every event that a killed process left over comes after its restart.
const excuse = 15 * time.Second

// told is a row of notification_logs.
type told struct {
	ID, Message, UserID, Appointment string
	CreatedAt                        time.Time
}

func (r told) key() string {
	if r.Appointment != "" {
		return r.Appointment
	}
	return r.Message
}

// drained waits until nothing is left to be told, and every row has come to every page of its user.
func (tr *trial) drained() {
	tr.t.Helper()
	tr.await("an empty outbox", func() bool {
		return tr.ask(`SELECT (SELECT count(*) FROM realtime.deliveries)
			+ (SELECT count(*) FROM realtime.occurrences WHERE state IN ('pending', 'sent') AND source <> 'canary')`) == 0
	})
	if n := tr.ask(`SELECT count(*) FROM realtime.occurrences WHERE state = 'dead'`); n > 0 {
		tr.complain("%d dead letters", n)
	}
	rows := tr.rows()
	deadline := time.Now().Add(tr.size.patience)
	for time.Now().Before(deadline) && tr.verdict(rows).lost > 0 {
		pause(tr.ctx, 20*time.Millisecond)
	}
}

func (tr *trial) rows() []told {
	tr.t.Helper()
	conn := tr.superuser()
	defer func() { _ = conn.Close(context.WithoutCancel(tr.ctx)) }()
	rows, err := conn.Query(tr.ctx, `SELECT id, message, "userId", coalesce("appointmentId", '') AS appointment,
		"createdAt" AT TIME ZONE 'UTC' AS "createdAt" FROM notification_logs`)
	require.NoError(tr.t, err)
	list, err := pgx.CollectRows(rows, pgx.RowToStructByNameLax[told])
	require.NoError(tr.t, err)
	return list
}

// verdict is what the pages have seen of the rows.
type verdict struct {
	lost     int      // rows that did not come to a page of their user
	unspoken int      // rows that came by the list alone to a page that was connected when they were told
	calendar int      // appointment:created that did not come to a page that was connected
	missed   int      // that did not come to a page that was away
	again    int      // appointment:created that came again
	foreign  int      // notifications that are no row, or another user's
	pages    [][5]int // events, dropped, by the list alone, losses, rows
	created  []told   // of the triggers
	strange  []string // what pages found wrong
}

func (tr *trial) verdict(rows []told) (v verdict) {
	mine := map[string]map[string]bool{}
	for _, r := range rows {
		if mine[r.UserID] == nil {
			mine[r.UserID] = map[string]bool{}
		}
		mine[r.UserID][r.ID] = true
		if r.Appointment != "" {
			v.created = append(v.created, r)
		}
	}
	for _, p := range tr.pages {
		p.mu.Lock()
		v.page(p, rows, mine[p.user])
		p.mu.Unlock()
	}
	return v
}

// page adds what one page has seen.
func (v *verdict) page(p *follower, rows []told, mine map[string]bool) {
	alone := 0
	for _, r := range rows {
		switch excused := p.wasAway(r.CreatedAt, r.CreatedAt.Add(excuse)); {
		case r.UserID != p.user:
		case !p.knows(r.ID):
			v.lost++
		case p.byEvent[r.ID].IsZero():
			alone++
			if !excused {
				v.unspoken++
			}
		}
	}
	for _, seen := range []map[string]time.Time{p.byEvent, p.byList} {
		for id := range seen {
			if !mine[id] {
				v.foreign++
			}
		}
	}
	for _, r := range v.created {
		switch n := p.created[r.Appointment]; {
		case p.tenant != "tenant-a":
		case n > 1:
			v.again += n - 1
		case n == 0 && p.wasAway(r.CreatedAt, r.CreatedAt.Add(excuse)):
			v.missed++
		case n == 0:
			v.calendar++
		}
	}
	v.strange = append(v.strange, p.wrong...)
	v.pages = append(v.pages, [5]int{len(p.byEvent), p.dropped, alone, len(p.away), len(mine)})
}

// report prints the counts and asserts what they have to be.
func (tr *trial) report(struck, acknowledged time.Duration) {
	tr.t.Helper()
	rows := tr.rows()
	v := tr.verdict(rows)
	stored := map[string][]told{}
	for _, r := range rows {
		stored[r.key()] = append(stored[r.key()], r)
	}
	missing, twice, false202, unasked := 0, 0, 0, 0
	for key, e := range tr.emitted {
		switch got := stored[key]; {
		case len(got) == 0:
			missing++
		case len(got) > 1:
			twice++
		case got[0].UserID != e.user || e.row != "" && e.row != got[0].ID:
			false202++
		}
	}
	for key := range stored {
		if _, ok := tr.emitted[key]; !ok {
			unasked++
		}
	}
	tr.print(v, struck, acknowledged, [][2]any{
		{"rows of notification_logs", len(rows)},
		{"acknowledged without a row", missing}, {"acknowledged with more than one row", twice},
		{"acknowledged with another row than the answer says", false202}, {"rows that nobody was promised", unasked},
		{"notifications lost to a page", v.lost}, {"known by the list alone although connected", v.unspoken},
		{"notifications of others, or of no row", v.foreign},
		{"appointment:created lost to a connected page", v.calendar}, {"appointment:created missed while away", v.missed},
		{"appointment:created that came again", v.again},
	})
	require.EqualValues(tr.t, tr.size.emits, tr.count.acknowledged())
	require.Empty(tr.t, tr.wrong)
	require.Empty(tr.t, v.strange)
	for _, n := range []int{missing, twice, false202, unasked, v.lost, v.unspoken, v.foreign, v.calendar} {
		require.Zero(tr.t, n)
	}
}

// print writes the table.
func (tr *trial) print(v verdict, struck, acknowledged time.Duration, more [][2]any) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	line := func(what string, n any) { _, _ = fmt.Fprintf(w, "%s\t%v\n", what, n) }
	c := &tr.count
	line("emits acknowledged", c.acknowledged())
	line("  by the endpoint (202)", c.byHTTP.Load())
	line("    of them replays of a first answer", c.replayed.Load())
	line("  by realtime.emit (committed)", c.byFunction.Load())
	line("  by a trigger (committed)", c.byTrigger.Load())
	line("answers 503 with Retry-After", c.refused.Load())
	line("requests cut by a kill", c.cut.Load())
	line("transactions of the app that failed", c.rolledOut.Load())
	line("server restarts", c.restarts)
	line("PostgreSQL restarts", c.databaseRestarts)
	for _, name := range slices.Sorted(maps.Keys(c.faults)) {
		line("fault: "+name, c.faults[name])
	}
	for _, m := range more {
		line(m[0].(string), m[1])
	}
	line("time with faults", struck.Round(time.Second))
	line("until all were acknowledged", acknowledged.Round(time.Second))
	_, _ = fmt.Fprintln(w, "page\tits rows\tby event\tby the list alone\tdropped by id\tconnections lost")
	for i, p := range tr.pages {
		name := p.user
		if p.wanders {
			name += " (comes and goes)"
		}
		n := v.pages[i]
		_, _ = fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\n", name, n[4], n[0], n[2], n[1], n[3])
	}
	_ = w.Flush()
	tr.t.Log("\n" + b.String())
}
