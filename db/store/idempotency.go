package store

import (
	"context"
	"fmt"
	"time"

	"github.com/citaplanner/realtime/pkg/contract"
)

// Idempotency remembers the answers to requests that carry an Idempotency-Key.
type Idempotency struct{ s *Store }

// IdempotencyState says what Begin found.
type IdempotencyState string

// The states of a key.
const (
	IdempotencyStarted IdempotencyState = "started" // the key is the caller's: do it, then Complete or Release
	IdempotencyRunning IdempotencyState = "running" // another is at it
	IdempotencyDone    IdempotencyState = "done"    // Response is the answer
)

// IdempotencyRecord is what is known of a key. Fingerprint is that of the request which came first: where it differs
// from the caller's, the key was used with another body.
type IdempotencyRecord struct {
	State       IdempotencyState
	Fingerprint string
	Response    []byte
}

// Begin starts a request under a key, or says what became of the one that came first. Of many at once exactly one is
// told started. A starter that neither completes nor releases loses the key to the next one with the same fingerprint
// once lease is over.
func (i *Idempotency) Begin(
	ctx context.Context, key, fingerprint string, now time.Time, lease time.Duration,
) (IdempotencyRecord, error) {
	table, now := i.s.t("realtime.idempotency_keys"), UTC(now)
	start := `INSERT INTO ` + table + ` AS k (key, fingerprint, leased_until, created_at) VALUES (?, ?, ?, ?)
		ON CONFLICT (key) DO UPDATE SET leased_until = excluded.leased_until, created_at = excluded.created_at
		WHERE k.response IS NULL AND k.fingerprint = excluded.fingerprint
			AND (k.leased_until <= ? OR k.leased_until > ?)`
	// The row may be released between the two statements; then it is free, and the next round starts it.
	for range 3 {
		n, err := i.s.exec(ctx, "idempotency.begin", start, key, fingerprint, now.Add(lease), now, now, now.Add(maxDue))
		if err != nil {
			return IdempotencyRecord{}, fmt.Errorf("begin request: %w", err)
		}
		if n == 1 {
			return IdempotencyRecord{State: IdempotencyStarted, Fingerprint: fingerprint}, nil
		}
		var rows []struct {
			Fingerprint string  `gorm:"column:fingerprint"`
			Response    *string `gorm:"column:response"`
		}
		_, err = i.s.find(ctx, "idempotency.look", &rows,
			`SELECT fingerprint, response FROM `+table+` WHERE key = ?`, key)
		if err != nil {
			return IdempotencyRecord{}, fmt.Errorf("look for request: %w", err)
		}
		if len(rows) == 0 {
			continue
		}
		record := IdempotencyRecord{State: IdempotencyRunning, Fingerprint: rows[0].Fingerprint}
		if r := rows[0].Response; r != nil {
			record.State, record.Response = IdempotencyDone, []byte(*r)
		}
		return record, nil
	}
	return IdempotencyRecord{}, contract.NewError(contract.CodeUnavailable, "the idempotency key is being used heavily")
}

// Complete stores the answer. The first answer stays; a key that is gone stays gone.
func (i *Idempotency) Complete(ctx context.Context, key string, response []byte) error {
	_, err := i.s.exec(ctx, "idempotency.complete", `UPDATE `+i.s.t("realtime.idempotency_keys")+`
		SET response = ?, completed_at = ? WHERE key = ? AND response IS NULL`, clean(string(response)), i.s.now(), key)
	if err != nil {
		return fmt.Errorf("complete request: %w", err)
	}
	return nil
}

// Amend replaces the answer that Complete stored, by one that says more of the same: how many sockets were reached is
// known only after the commit.
func (i *Idempotency) Amend(ctx context.Context, key string, response []byte) error {
	now := i.s.now()
	_, err := i.s.exec(ctx, "idempotency.amend", `UPDATE `+i.s.t("realtime.idempotency_keys")+`
		SET response = ?, completed_at = coalesce(completed_at, `+i.s.param("timestamp")+`) WHERE key = ?`,
		clean(string(response)), now, key)
	if err != nil {
		return fmt.Errorf("amend request: %w", err)
	}
	return nil
}

// Release gives a key back that was started and came to nothing, so that a repeat tries again. A completed one stays.
func (i *Idempotency) Release(ctx context.Context, key string) error {
	_, err := i.s.exec(ctx, "idempotency.release",
		`DELETE FROM `+i.s.t("realtime.idempotency_keys")+` WHERE key = ? AND response IS NULL`, key)
	if err != nil {
		return fmt.Errorf("release request: %w", err)
	}
	return nil
}
