package outbox

import (
	"context"
	"sync/atomic"

	"github.com/citaplanner/realtime/db/store"
)

// Triggers knows whether triggers on the app's tables write occurrences: then emits of routes are paired with them
// (internal/notify). A dispatcher keeps it current; it is safe for use by many goroutines.
type Triggers struct {
	st    *store.Store
	there atomic.Bool
}

// NewTriggers returns one that knows of none until Refresh.
func NewTriggers(st *store.Store) *Triggers { return &Triggers{st: st} }

// Refresh looks; where the database does not answer, what was known stays.
func (t *Triggers) Refresh(ctx context.Context) {
	if there, err := t.st.TriggersInstalled(ctx); err == nil {
		t.there.Store(there)
	}
}

// Installed reports what the last look found.
func (t *Triggers) Installed() bool { return t.there.Load() }
