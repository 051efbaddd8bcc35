package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Recent remembers what was done lately under a key, against double clicks and retried requests.
type Recent struct{ s *Store }

// Claim reports whether this is new: false when the last claim of key has the same hash and is younger than window,
// else true, and the claim is remembered. Of many at once exactly one is told true. A claim in a transaction counts
// when it commits, and makes others wait until then.
func (r *Recent) Claim(ctx context.Context, key, hash string, now time.Time, window time.Duration) (bool, error) {
	fresh, err := r.ClaimAll(ctx, map[string]string{key: hash}, now, window)
	return fresh[key], err
}

// claim is an entry of the JSON that ClaimAll hands over.
type claim struct {
	Key  string `json:"k"`
	Hash string `json:"h"`
}

// ClaimAll is Claim for many keys (key to hash) in one statement; fresh holds the keys that are new. Keys are claimed
// in their order, so that two calls cannot wait for each other.
func (r *Recent) ClaimAll(
	ctx context.Context, hashes map[string]string, now time.Time, window time.Duration,
) (fresh map[string]bool, err error) {
	if len(hashes) == 0 {
		return map[string]bool{}, nil
	}
	claims := make([]claim, 0, len(hashes))
	for key, hash := range hashes {
		claims = append(claims, claim{clean(key), clean(hash)})
	}
	slices.SortFunc(claims, func(a, b claim) int { return strings.Compare(a.Key, b.Key) })
	body, err := json.Marshal(claims)
	if err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	source := `json_each(?) AS e`
	member := func(name string) string { return `json_extract(e.value, '$.` + name + `')` }
	if r.s.dialect == Postgres {
		source = `jsonb_array_elements(CAST(? AS jsonb)) WITH ORDINALITY AS e(value, n)`
		member = func(name string) string { return `e.value->>'` + name + `'` }
	}
	at := `CAST(? AS timestamp)`
	order := `e.n`
	if r.s.dialect == SQLite {
		at, order = `?`, `e.key`
	}
	// A claim from the future (a clock that was set back) counts as old, or the key would stay shut. "WHERE true" keeps
	// SQLite from reading ON CONFLICT as a join's ON.
	statement := `INSERT INTO ` + r.s.t("realtime.recent") + ` AS r (key, hash, claimed_at)
		SELECT ` + member("k") + `, ` + member("h") + `, ` + at + ` FROM ` + source + ` WHERE true ORDER BY ` + order + `
		ON CONFLICT (key) DO UPDATE SET hash = excluded.hash, claimed_at = excluded.claimed_at
		WHERE r.hash <> excluded.hash OR r.claimed_at <= ? OR r.claimed_at > ?
		RETURNING key`
	now = UTC(now)
	keys, err := r.s.returning(ctx, "recent.claim", statement, now, string(body), now.Add(-window), now.Add(window))
	if err != nil {
		return nil, fmt.Errorf("claim: %w", err)
	}
	claimed := make(map[string]bool, len(keys))
	for _, key := range keys {
		claimed[key] = true
	}
	fresh = make(map[string]bool, len(keys))
	for key := range hashes {
		if claimed[clean(key)] {
			fresh[key] = true
		}
	}
	return fresh, nil
}
