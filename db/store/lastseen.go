package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/citaplanner/realtime/db/models"
)

// LastSeen remembers in realtime.last_seen when users were connected last.
type LastSeen struct{ s *Store }

// Person is a user, a portal user included, who signs in under a tenant.
type Person struct{ TenantID, UserID string }

// SeenState is what a user was doing when seen last.
type SeenState string

// The states of a user who was seen.
const (
	SeenHere    SeenState = "here"    // connected: the node says so again and again
	SeenLeft    SeenState = "left"    // had no socket any more
	SeenStopped SeenState = "stopped" // was connected until the node stopped
	// SeenSupposed is of a user whose node crashed before it wrote anything, as far as another can tell: it replaces nothing.
	SeenSupposed SeenState = "supposed"
)

// Seen is when a person was connected last, as one node saw it.
type Seen struct {
	Person
	At    time.Time
	State SeenState
	Node  string
}

// aheadAtMost is how far the clocks of two nodes may differ. A row that is further in the future was written by a clock
// that was wrong, and gives way.
const aheadAtMost = time.Minute

// Write stores what a node saw, in one statement and in one order, so that two writers cannot wait for each other. A row
// that another node wrote gives way to what is not older alone: that one may still have the user. Each person comes once.
func (l *LastSeen) Write(ctx context.Context, seen []Seen) error {
	type row struct {
		U string `json:"u"`
		T string `json:"t"`
		A string `json:"a"`
		S string `json:"s"`
		N string `json:"n"`
	}
	rows := make([]row, 0, len(seen))
	for _, s := range seen {
		if plausible(s.UserID, s.TenantID) {
			rows = append(rows, row{s.UserID, s.TenantID, l.s.timeText(s.At), string(s.State), s.Node})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Or(cmp.Compare(a.U, b.U), cmp.Compare(a.T, b.T)) })
	body, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("write who was seen: %w", err)
	}
	source := `SELECT u, t, a, s, n FROM jsonb_to_recordset(CAST(? AS jsonb)) AS e(u text, t text, a timestamp(3), s text, n text)`
	if l.s.dialect == SQLite { // "WHERE true" keeps it from reading ON CONFLICT as a join's ON
		source = `SELECT json_extract(value, '$.u'), json_extract(value, '$.t'), json_extract(value, '$.a'),
			json_extract(value, '$.s'), json_extract(value, '$.n') FROM json_each(?) WHERE true`
	}
	_, err = l.s.exec(ctx, "last_seen.write", `INSERT INTO `+l.s.t("realtime.last_seen")+` AS r
			(user_id, tenant_id, seen_at, state, node) `+source+` ORDER BY 1, 2
		ON CONFLICT (user_id, tenant_id) DO UPDATE SET seen_at = excluded.seen_at, state = excluded.state, node = excluded.node
		WHERE excluded.state <> '`+string(SeenSupposed)+`'
			AND (r.node = excluded.node OR r.seen_at <= excluded.seen_at OR r.seen_at > `+l.s.param("timestamp")+`)`,
		string(body), l.s.now().Add(aheadAtMost))
	if err != nil {
		return fmt.Errorf("write who was seen: %w", err)
	}
	return nil
}

// Lock reads the rows of people; who was never seen is not in the map. In a transaction nobody else locks or writes them
// until its end: of two nodes that decide about the same user one sees what the other decided.
func (l *LastSeen) Lock(ctx context.Context, people []Person) (map[Person]Seen, error) {
	type key struct {
		U string `json:"u"`
		T string `json:"t"`
	}
	keys := make([]key, 0, len(people))
	for _, p := range people {
		if plausible(p.UserID, p.TenantID) {
			keys = append(keys, key{p.UserID, p.TenantID})
		}
	}
	if len(keys) == 0 {
		return map[Person]Seen{}, nil
	}
	body, err := json.Marshal(keys)
	if err != nil {
		return nil, fmt.Errorf("read who was seen: %w", err)
	}
	source, lock := `jsonb_to_recordset(CAST(? AS jsonb)) AS e(u text, t text)`, ` FOR UPDATE OF r`
	if l.s.dialect == SQLite { // where a transaction has the database to itself
		source, lock = `(SELECT json_extract(value, '$.u') AS u, json_extract(value, '$.t') AS t FROM json_each(?)) e`, ``
	}
	var rows []models.LastSeen
	_, err = l.s.find(ctx, "last_seen.lock", &rows, `SELECT r.user_id, r.tenant_id, r.seen_at, r.state, r.node
		FROM `+l.s.t("realtime.last_seen")+` r JOIN `+source+` ON r.user_id = e.u AND r.tenant_id = e.t
		ORDER BY r.user_id, r.tenant_id`+lock, string(body))
	if err != nil {
		return nil, fmt.Errorf("read who was seen: %w", err)
	}
	found := make(map[Person]Seen, len(rows))
	for _, r := range rows {
		p := Person{TenantID: r.TenantID, UserID: r.UserID}
		found[p] = Seen{Person: p, At: r.SeenAt.UTC(), State: SeenState(r.State), Node: r.Node}
	}
	return found, nil
}
