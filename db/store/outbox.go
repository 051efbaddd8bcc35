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

// Outbox keeps deliveries: emits that are committed with their rows and have still to be made. Whoever made one says
// Done; what is left over when it is due is taken and made good.
type Outbox struct{ s *Store }

// Delivery is an emit to be made.
type Delivery struct {
	ID        string
	TenantID  string
	Body      []byte // JSON, the deliverer's own
	DueAt     time.Time
	Attempts  int       // how often it was taken, this time included
	CreatedAt time.Time // set by Add
}

// Add stores deliveries in one statement, in the transaction of the rows they belong to.
func (o *Outbox) Add(ctx context.Context, deliveries ...Delivery) error {
	if len(deliveries) == 0 {
		return nil
	}
	now := o.s.timeText(o.s.now())
	rows := make([]addedDelivery, len(deliveries))
	for i, d := range deliveries {
		if !json.Valid(d.Body) {
			return errors.New("add delivery: the body is not JSON")
		}
		rows[i] = addedDelivery{d.ID, d.TenantID, clean(string(d.Body)), o.s.timeText(d.DueAt), d.Attempts, now}
	}
	list, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("add delivery: %w", err)
	}
	into := `INSERT INTO ` + o.s.t("realtime.deliveries") + ` (id, tenant_id, body, due_at, attempts, created_at) `
	source := `SELECT value->>'id', value->>'tenant_id', value->>'body', value->>'due_at', value->>'attempts', value->>'created_at'
		FROM json_each(?)`
	if o.s.dialect == Postgres {
		source = `SELECT * FROM jsonb_to_recordset(CAST(? AS jsonb))
			AS r(id text, tenant_id text, body text, due_at timestamp, attempts integer, created_at timestamp)`
	}
	if err := o.s.later(ctx, "outbox.add", into+source, string(list)); err != nil {
		return fmt.Errorf("add delivery: %w", err)
	}
	return nil
}

// addedDelivery is a row of models.Delivery as Add hands it to the database: JSON with the columns' names.
type addedDelivery struct {
	ID        string `json:"id"`
	TenantID  string `json:"tenant_id"`
	Body      string `json:"body"`
	DueAt     string `json:"due_at"`
	Attempts  int    `json:"attempts"`
	CreatedAt string `json:"created_at"`
}

// Done removes deliveries that were made. Ids that are gone already do not matter.
func (o *Outbox) Done(ctx context.Context, ids ...string) error {
	list := idList(ids)
	if list == "" {
		return nil
	}
	statement := `DELETE FROM ` + o.s.t("realtime.deliveries") + ` WHERE id ` + o.s.inIDs()
	if _, err := o.s.exec(ctx, "outbox.done", statement, list); err != nil {
		return fmt.Errorf("end deliveries: %w", err)
	}
	return nil
}

// maxDue is later than anything is due by itself: leases are seconds, the longest backoff minutes. What is due later still
// was written before the clock was set back, and is due now, or it would wait for as long as the clock went back.
const maxDue = time.Hour

// TakeDue takes up to limit deliveries that are due at now, oldest first, and moves them to now+lease, so that nobody
// else takes them meanwhile and they come again if the taker dies. Two takers at once share without overlap.
func (o *Outbox) TakeDue(ctx context.Context, now time.Time, lease time.Duration, limit int) ([]Delivery, error) {
	if limit <= 0 {
		return nil, nil
	}
	table, now := o.s.t("realtime.deliveries"), UTC(now)
	due := `SELECT id FROM ` + table + ` WHERE (due_at <= ? OR due_at > ?) ORDER BY due_at, id LIMIT ?`
	if o.s.dialect == Postgres {
		due += ` FOR UPDATE SKIP LOCKED`
	}
	// MATERIALIZED: a plan that ran the inner query again for each row would lock, and take, more than limit.
	statement := `WITH due AS MATERIALIZED (` + due + `)
		UPDATE ` + table + ` SET due_at = ?, attempts = attempts + 1 WHERE id IN (SELECT id FROM due)
		RETURNING id, tenant_id, body, due_at, attempts, created_at`
	var rows []models.Delivery
	err := o.s.findWriting(ctx, "outbox.take_due", &rows, statement, now, now.Add(maxDue), limit, now.Add(lease))
	if err != nil {
		return nil, fmt.Errorf("take due deliveries: %w", err)
	}
	slices.SortFunc(rows, func(a, b models.Delivery) int {
		if c := a.CreatedAt.Compare(b.CreatedAt); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	taken := make([]Delivery, len(rows))
	for i, r := range rows {
		taken[i] = Delivery{
			ID: r.ID, TenantID: r.TenantID, Body: []byte(r.Body), DueAt: UTC(r.DueAt), Attempts: r.Attempts,
			CreatedAt: UTC(r.CreatedAt),
		}
	}
	return taken, nil
}

// Backlog is how many deliveries are there, and when the oldest was added (zero time when none).
func (o *Outbox) Backlog(ctx context.Context) (count int64, oldest time.Time, err error) {
	var rows []struct {
		Count     int64     `gorm:"column:n"`
		CreatedAt time.Time `gorm:"column:created_at"`
	}
	table := o.s.t("realtime.deliveries")
	_, err = o.s.find(ctx, "outbox.backlog", &rows, `SELECT (SELECT count(*) FROM `+table+`) AS n, created_at
		FROM `+table+` ORDER BY created_at LIMIT 1`)
	if err != nil || len(rows) == 0 {
		return 0, time.Time{}, err
	}
	return rows[0].Count, UTC(rows[0].CreatedAt), nil
}
