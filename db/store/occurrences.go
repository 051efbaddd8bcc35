package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/citaplanner/realtime/db/models"
)

// Occurrences are what happened and has still to be told: rows that the app's routes (realtime.emit) and triggers wrote
// in the transaction of the change itself.
type Occurrences struct{ s *Store }

// OccurrenceSource says who wrote an occurrence.
type OccurrenceSource string

// The sources.
const (
	FromEmit    OccurrenceSource = "emit"    // a route said it
	FromTrigger OccurrenceSource = "trigger" // a trigger saw it
	FromCanary  OccurrenceSource = "canary"  // a node asks itself whether all works
)

// OccurrenceState says what becomes of an occurrence.
type OccurrenceState string

// The states.
const (
	OccurrencePending OccurrenceState = "pending" // has still to be told
	OccurrenceSent    OccurrenceState = "sent"    // its rows are committed, its events are on their way
	OccurrenceTold    OccurrenceState = "told"    // kept for a while, for an endpoint called for the same change
	OccurrenceDead    OccurrenceState = "dead"    // cannot be told
)

// Occurrence is a row of realtime.occurrences. Attempts is how often it was taken, this time included: whoever took it
// last is the one who may say what became of it, so every change names it.
type Occurrence struct {
	ID        int64
	Kind      string // of an emit endpoint, such as appointments/created
	Payload   []byte // JSON, the endpoint's body
	TenantID  string // "" where the payload names none
	Subject   string // what it is about: occurrences of one subject are told one after the other
	Source    OccurrenceSource
	State     OccurrenceState
	Attempts  int
	DueAt     time.Time // zero: at once
	Error     string    // of the last attempt
	CreatedAt time.Time
}

const occurrenceColumns = `id, seq, kind, payload, tenant_id, subject, source, state, attempts, due_at, error, created_at`

// Add writes an occurrence, as realtime.emit does, without its checks. The payload must be JSON.
func (o *Occurrences) Add(ctx context.Context, row Occurrence) error {
	if !json.Valid(row.Payload) {
		return errors.New("add occurrence: the payload is not JSON")
	}
	table := o.s.t("realtime.occurrences")
	// PostgreSQL gives seq at the commit, by a trigger; on SQLite nobody else writes meanwhile.
	columns, value := `kind, payload, tenant_id, subject, source, created_at`, `?, CAST(? AS jsonb), ?, ?, ?, ?`
	if o.s.dialect == SQLite {
		columns, value = `seq, `+columns, `(SELECT coalesce(max(seq), 0) + 1 FROM `+table+`), ?, ?, ?, ?, ?, ?`
	}
	_, err := o.s.exec(ctx, "occurrences.add", `INSERT INTO `+table+` (`+columns+`) VALUES (`+value+`)`,
		row.Kind, clean(string(row.Payload)), row.TenantID, row.Subject, string(row.Source), o.s.now())
	if err != nil {
		return fmt.Errorf("add occurrence: %w", err)
	}
	return nil
}

// AddCanary writes a canary of this node, in the place of one that may still be there: a wedged node leaves one row.
func (o *Occurrences) AddCanary(ctx context.Context, node, token string) error {
	return o.s.InTx(ctx, func(tx *Store) error {
		_, err := tx.exec(ctx, "occurrences.canary", `DELETE FROM `+tx.t("realtime.occurrences")+
			` WHERE subject = ? AND source = 'canary' AND state <> 'dead'`, node)
		if err != nil {
			return fmt.Errorf("add canary: %w", err)
		}
		payload, err := json.Marshal(token)
		if err != nil {
			return fmt.Errorf("add canary: %w", err)
		}
		return tx.Occurrences.Add(ctx, Occurrence{Kind: "canary", Payload: payload, Subject: node, Source: FromCanary})
	})
}

// Take takes up to limit occurrences that are due at now, in the order of their commits, for lease: nobody else takes them
// meanwhile, and they come again if the taker dies. Of each subject only the first that is not told yet is taken, so that
// a subject's occurrences are told one after the other whatever the number of takers. A row is found because it is there,
// never because its id is above the last one seen: ids are handed out before commits, and one that commits late would be
// skipped. The node's own canary comes first, others' never: behind a backlog it would tell how long that is, and a node that
// works through one as fast as it can would count as dead.
func (o *Occurrences) Take(ctx context.Context, now time.Time, lease time.Duration, limit int, node string) ([]Occurrence, error) {
	if limit <= 0 {
		return nil, nil
	}
	return o.take(ctx, now, lease, limit, node, ``)
}

// TakeNext is Take for the next occurrence of one subject, none where another is under way. What waits behind a long queue
// of one subject is found by an index, where Take reads past all of it.
func (o *Occurrences) TakeNext(ctx context.Context, now time.Time, lease time.Duration, subject string) ([]Occurrence, error) {
	return o.take(ctx, now, lease, 1, "", ` AND o.subject = ?`, subject)
}

// take takes the canary of a node, "" is none, and then what which selects.
func (o *Occurrences) take(
	ctx context.Context, now time.Time, lease time.Duration, limit int, node, which string, selected ...any,
) ([]Occurrence, error) {
	table, now := o.s.t("realtime.occurrences"), UTC(now)
	due, lock := ` FROM `+table+` o WHERE o.state = 'pending' AND (o.due_at IS NULL OR o.due_at <= ? OR o.due_at > ?)`, ``
	if o.s.dialect == Postgres {
		lock = ` FOR UPDATE OF o SKIP LOCKED`
	}
	// MATERIALIZED: a plan that ran an inner query again for each row would lock, and take, more than limit.
	bird, args := `SELECT o.id`+due+` AND o.source = 'canary' AND o.subject = ? LIMIT 1`+lock, []any{now, now.Add(maxDue), node}
	args = append(append(args, now, now.Add(maxDue)), selected...)
	head := `SELECT o.id` + due + ` AND o.source <> 'canary'` + which + ` AND NOT EXISTS (SELECT 1 FROM ` + table + ` e
			WHERE e.subject = o.subject AND e.state <> 'dead' AND e.state IN ('pending', 'sent')
				AND (e.seq < o.seq OR e.seq = o.seq AND e.id < o.id))
		ORDER BY o.seq, o.id LIMIT ? - (SELECT count(*) FROM bird)` + lock
	statement := `WITH bird AS MATERIALIZED (` + bird + `), head AS MATERIALIZED (` + head + `)
		UPDATE ` + table + ` SET due_at = ?, attempts = attempts + 1
		WHERE id IN (SELECT id FROM bird UNION ALL SELECT id FROM head)
		RETURNING ` + occurrenceColumns
	var rows []models.Occurrence
	err := o.s.findWriting(ctx, "occurrences.take", &rows, statement, append(args, limit, now.Add(lease))...)
	if err != nil {
		return nil, fmt.Errorf("take occurrences: %w", err)
	}
	slices.SortFunc(rows, func(a, b models.Occurrence) int {
		if c := or(a.Seq) - or(b.Seq); c != 0 {
			return int(max(-1, min(1, c)))
		}
		return int(max(-1, min(1, a.ID-b.ID)))
	})
	return occurrencesOf(rows), nil
}

func occurrencesOf(rows []models.Occurrence) []Occurrence {
	list := make([]Occurrence, len(rows))
	for i, r := range rows {
		list[i] = Occurrence{
			ID: r.ID, Kind: r.Kind, Payload: []byte(r.Payload), TenantID: r.TenantID, Subject: r.Subject,
			Source: OccurrenceSource(r.Source), State: OccurrenceState(r.State), Attempts: r.Attempts,
			Error: or(r.Error), CreatedAt: UTC(r.CreatedAt),
		}
		if r.DueAt != nil {
			list[i].DueAt = UTC(*r.DueAt)
		}
	}
	return list
}

// change changes a taken occurrence, and reports whether it was still the taker's: not when the lease had run out and
// another has taken it, or when an endpoint has told it.
func (o *Occurrences) change(ctx context.Context, operation, set string, row Occurrence, args ...any) (bool, error) {
	n, err := o.s.exec(ctx, operation, `UPDATE `+o.s.t("realtime.occurrences")+` SET `+set+`
		WHERE id = ? AND attempts = ? AND state = 'pending'`, append(args, row.ID, row.Attempts)...)
	if err != nil {
		return false, fmt.Errorf("%s: %w", operation, err)
	}
	return n == 1, nil
}

// Settle says, in the transaction of the rows that tell it, that an occurrence is told. Until Finish, or until the time
// given if its process dies, nothing else of its subject is taken.
func (o *Occurrences) Settle(ctx context.Context, row Occurrence, until time.Time) (mine bool, err error) {
	return o.change(ctx, "occurrences.settle", `state = 'sent', due_at = ?`, row, UTC(until))
}

// Postpone lets a taken occurrence be taken again at due.
func (o *Occurrences) Postpone(ctx context.Context, row Occurrence, due time.Time, why string) error {
	_, err := o.change(ctx, "occurrences.postpone", `due_at = ?, error = ?`, row, UTC(due), clean(why))
	return err
}

// Bury makes a taken occurrence a dead letter, at the time given.
func (o *Occurrences) Bury(ctx context.Context, row Occurrence, at time.Time, why string) error {
	_, err := o.change(ctx, "occurrences.bury", `state = 'dead', due_at = ?, error = ?`, row, UTC(at), clean(why))
	return err
}

// Drop deletes a taken occurrence.
func (o *Occurrences) Drop(ctx context.Context, row Occurrence) error {
	return o.delete(ctx, "occurrences.drop", `id = ? AND attempts = ? AND state = 'pending'`, row.ID, row.Attempts)
}

// Finish ends an occurrence whose events are sent. What a trigger saw is kept until the time given, for Absorb.
func (o *Occurrences) Finish(ctx context.Context, row Occurrence, keep time.Time) error {
	if row.Source != FromTrigger {
		return o.delete(ctx, "occurrences.finish", `id = ? AND state = 'sent'`, row.ID)
	}
	_, err := o.s.exec(ctx, "occurrences.finish", `UPDATE `+o.s.t("realtime.occurrences")+`
		SET state = 'told', due_at = ? WHERE id = ? AND state = 'sent'`, UTC(keep), row.ID)
	if err != nil {
		return fmt.Errorf("occurrences.finish: %w", err)
	}
	return nil
}

func (o *Occurrences) delete(ctx context.Context, operation, where string, args ...any) error {
	_, err := o.s.exec(ctx, operation, `DELETE FROM `+o.s.t("realtime.occurrences")+` WHERE `+where, args...)
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	return nil
}

// moreExact are the kinds in which a trigger says what an endpoint may call an update: a change of the time, a
// cancellation.
var moreExact = []string{"appointments/rescheduled", "appointments/deleted"}

// Absorb pairs an emit of an endpoint with what a trigger saw of the same change; it is called in the emit's transaction,
// and only where triggers are installed. A trigger's row is committed with the change, so it is there by the time the
// endpoint is called. If it is not told yet, the endpoint tells it and the row goes (told is false); if it was told within
// the last moments, told is true and the emit must say nothing. Each row answers for one emit, the oldest first.
func (o *Occurrences) Absorb(ctx context.Context, tenantID, kind, subject string, now time.Time) (told bool, err error) {
	table := o.s.t("realtime.occurrences")
	of := ` FROM ` + table + ` WHERE subject = ? AND tenant_id = ? AND source = 'trigger' AND state <> 'dead'
		AND (state <> 'told' OR due_at > ?)`
	lock := ""
	if o.s.dialect == Postgres {
		lock = ` FOR UPDATE` // a dispatcher that is telling it now has its say first
	}
	var rows []models.Occurrence
	_, err = o.s.find(ctx, "occurrences.absorb", &rows,
		`SELECT id, state`+of+` AND kind = ? ORDER BY seq, id LIMIT 1`+lock, subject, tenantID, UTC(now), kind)
	if err != nil {
		return false, fmt.Errorf("absorb occurrence: %w", err)
	}
	if len(rows) == 1 {
		told = OccurrenceState(rows[0].State) != OccurrencePending
		return told, o.delete(ctx, "occurrences.absorbed", `id = ?`, rows[0].ID)
	}
	if kind != "appointments/updated" {
		return false, nil
	}
	var one []int
	n, err := o.s.find(ctx, "occurrences.absorb", &one, `SELECT 1`+of+` AND kind IN (?, ?) LIMIT 1`,
		subject, tenantID, UTC(now), moreExact[0], moreExact[1])
	if err != nil {
		return false, fmt.Errorf("absorb occurrence: %w", err)
	}
	return n > 0, nil
}

// Superseded reports whether the deletion of the same appointment waits behind an occurrence.
func (o *Occurrences) Superseded(ctx context.Context, row Occurrence) (bool, error) {
	var one []int
	n, err := o.s.find(ctx, "occurrences.superseded", &one, `SELECT 1 FROM `+o.s.t("realtime.occurrences")+`
		WHERE subject = ? AND tenant_id = ? AND kind = 'appointments/deleted' AND state = 'pending' AND id <> ? LIMIT 1`,
		row.Subject, row.TenantID, row.ID)
	if err != nil {
		return false, fmt.Errorf("look for a later occurrence: %w", err)
	}
	return n > 0, nil
}

// Expire deletes what is kept no longer at now: what was told or sent, canaries of nodes that are gone, and dead letters
// that died before buried.
func (o *Occurrences) Expire(ctx context.Context, now, buried time.Time) error {
	return o.delete(ctx, "occurrences.expire", `state IN ('sent', 'told') AND (due_at <= ? OR due_at > ?)
		OR state = 'dead' AND due_at <= ? OR state = 'pending' AND source = 'canary' AND created_at <= ?`,
		UTC(now), UTC(now.Add(maxDue)), UTC(buried), UTC(now.Add(-time.Minute)))
}

// OccurrenceBacklog counts what is there.
type OccurrenceBacklog struct {
	Pending, Dead int64
	Oldest        time.Time // of what is pending; zero when nothing is
}

// Backlog counts pending and dead occurrences, canaries left out.
func (o *Occurrences) Backlog(ctx context.Context) (b OccurrenceBacklog, err error) {
	var rows []struct {
		State string `gorm:"column:state"`
		Count int64  `gorm:"column:n"`
	}
	table := o.s.t("realtime.occurrences")
	_, err = o.s.find(ctx, "occurrences.backlog", &rows, `SELECT state, count(*) AS n FROM `+table+`
		WHERE state IN ('pending', 'dead') AND source <> 'canary' GROUP BY state`)
	if err != nil {
		return b, fmt.Errorf("count occurrences: %w", err)
	}
	for _, r := range rows {
		if OccurrenceState(r.State) == OccurrenceDead {
			b.Dead = r.Count
		} else {
			b.Pending = r.Count
		}
	}
	if b.Pending == 0 {
		return b, nil
	}
	var oldest []models.Occurrence
	_, err = o.s.find(ctx, "occurrences.backlog", &oldest, `SELECT created_at FROM `+table+`
		WHERE state = 'pending' AND source <> 'canary' ORDER BY seq, id LIMIT 1`)
	if err == nil && len(oldest) == 1 {
		b.Oldest = UTC(oldest[0].CreatedAt)
	}
	return b, err
}

// List lists occurrences in one of the states, in the order of their commits, canaries left out.
func (o *Occurrences) List(ctx context.Context, limit int, states ...OccurrenceState) ([]Occurrence, error) {
	names := make([]string, len(states))
	for i, s := range states {
		names[i] = string(s)
	}
	return o.read(ctx, limit, `state IN ? AND source <> 'canary'`, names)
}

// Get reads occurrences by id; what is not there is left out.
func (o *Occurrences) Get(ctx context.Context, ids ...int64) ([]Occurrence, error) {
	return o.read(ctx, len(ids), `id IN ?`, ids)
}

func (o *Occurrences) read(ctx context.Context, limit int, where string, args ...any) ([]Occurrence, error) {
	var rows []models.Occurrence
	_, err := o.s.find(ctx, "occurrences.list", &rows, `SELECT `+occurrenceColumns+` FROM `+o.s.t("realtime.occurrences")+`
		WHERE `+where+` ORDER BY seq, id LIMIT ?`, append(args, limit)...)
	if err != nil {
		return nil, fmt.Errorf("list occurrences: %w", err)
	}
	return occurrencesOf(rows), nil
}

// Replay makes dead letters pending again, behind what is pending of the same subject; without ids all of them. It
// returns how many, and wakes the dispatchers.
func (o *Occurrences) Replay(ctx context.Context, ids ...int64) (n int64, err error) {
	table := o.s.t("realtime.occurrences")
	where, args := deadOnes(ids)
	n, err = o.s.exec(ctx, "occurrences.replay", `UPDATE `+table+` SET state = 'pending', attempts = 0, due_at = NULL,
		seq = coalesce((SELECT max(e.seq) + 1 FROM `+table+` e WHERE e.subject = `+table+`.subject AND e.state <> 'dead'), seq)
		WHERE `+where, args...)
	if err != nil {
		return 0, fmt.Errorf("replay dead letters: %w", err)
	}
	return n, o.s.Notify(ctx, OutboxChannel, "")
}

// Discard deletes dead letters, without ids all of them, and returns how many.
func (o *Occurrences) Discard(ctx context.Context, ids ...int64) (int64, error) {
	where, args := deadOnes(ids)
	n, err := o.s.exec(ctx, "occurrences.discard", `DELETE FROM `+o.s.t("realtime.occurrences")+` WHERE `+where, args...)
	if err != nil {
		return 0, fmt.Errorf("drop dead letters: %w", err)
	}
	return n, nil
}

func deadOnes(ids []int64) (where string, args []any) {
	if len(ids) == 0 {
		return `state = 'dead'`, nil
	}
	return `state = 'dead' AND id IN (` + strings.TrimSuffix(strings.Repeat("?, ", len(ids)), ", ") + `)`, anyOf(ids)
}

func anyOf(ids []int64) []any {
	list := make([]any, len(ids))
	for i, id := range ids {
		list[i] = id
	}
	return list
}
