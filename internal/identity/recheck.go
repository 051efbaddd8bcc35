package identity

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/citaplanner/realtime/db/store"
)

// recheckBatch is how many ids one query of a re-check asks for. The queries are spread over half of the time to the next
// re-check: 10,000 rows at once kept the database and this process busy for what those waited who were served meanwhile.
const recheckBatch = 250

// Watcher has the connections; the hub satisfies it.
type Watcher interface {
	// ConnectedUsers lists the ids of users with a connection, each once.
	ConnectedUsers() []string
	// AccountChanged says that a user's row is gone (found is false), inactive, or perhaps of another tenant, role or
	// table than at sign-in: the Watcher compares, and ends the connections whose right has ended. It is told several
	// times of one change, so that a connection that is just being made hears of it, too.
	AccountChanged(id string, now store.Account, found bool)
}

// Run re-checks every RecheckEvery until ctx ends, then returns nil: the rows of connected and remembered users are
// read again, what has changed is forgotten, and w is told. A re-check that the database does not answer changes
// nothing and is made again the next time. One Run at a time; w may be nil where nobody stays connected.
func (s *Service) Run(ctx context.Context, w Watcher) error {
	ticker := time.NewTicker(s.opts.RecheckEvery)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		err := s.recheck(ctx, w)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !failing: // once, not every tick of an outage; the metric counts them
			s.opts.Logger.Warn("accounts cannot be checked again; connections stay as they are", slog.Any("error", err))
		case err == nil && failing:
			s.opts.Logger.Info("accounts are checked again")
		}
		failing = err != nil
	}
}

// recheck is one of them.
func (s *Service) recheck(ctx context.Context, w Watcher) (err error) {
	defer func() {
		result := "ok"
		if err != nil {
			result = "failed"
		}
		s.opts.Metrics.rechecks.WithLabelValues(result).Inc()
	}()
	connected := map[string]struct{}{}
	if w != nil {
		for _, id := range w.ConnectedUsers() {
			connected[id] = struct{}{}
		}
	}
	s.ledger.sweep(connected)
	ids := s.toCheck(connected)
	slices.Sort(ids) // each has its turn at about the same time of every re-check
	pause := time.NewTimer(0)
	defer pause.Stop()
	for batch := range slices.Chunk(ids, recheckBatch) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-pause.C:
		}
		if err := s.recheckSome(ctx, w, connected, batch); err != nil {
			return err
		}
		pause.Reset(time.Duration(float64(s.opts.RecheckEvery) / 2 * float64(len(batch)) / float64(len(ids))))
	}
	return nil
}

// toCheck is the connected users and those remembered, each once.
func (s *Service) toCheck(connected map[string]struct{}) []string {
	ids := make([]string, 0, len(connected))
	for id := range connected {
		ids = append(ids, id)
	}
	for _, id := range s.cache.ids() {
		if _, there := connected[id]; !there {
			ids = append(ids, id)
		}
	}
	return ids
}

// recheckSome makes one query and draws the conclusions. What is remembered is forgotten before the Watcher is told:
// whoever is sent away and comes back at once must not be let in as before.
func (s *Service) recheckSome(ctx context.Context, w Watcher, connected map[string]struct{}, ids []string) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.LoadTimeout)
	defer cancel()
	asked := s.cache.ask()
	accounts, err := s.accounts.Accounts(ctx, ids)
	if err != nil {
		return fmt.Errorf("read %d accounts again: %w", len(ids), err)
	}
	s.opts.Metrics.dropped.Add(float64(s.cache.reconcile(ids, accounts)))
	for _, id := range ids {
		if _, here := connected[id]; !here {
			continue
		}
		account, found := accounts[id]
		v := s.ledger.judge(id, account, found, asked)
		if !v.tell {
			continue
		}
		s.opts.Metrics.told.WithLabelValues(v.change).Inc()
		w.AccountChanged(id, account, found)
	}
	return nil
}
