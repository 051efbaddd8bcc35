package identity

import (
	"sync"

	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

const (
	// tellTimes is at how many re-checks in a row the Watcher is told of a change: a socket that signed in just before
	// it may be in no room yet when it is first told.
	tellTimes = 3
	// forgetAfter is after how many re-checks a user without a connection is forgotten.
	forgetAfter = 3
)

// standing is what a connection's rooms depend on. Name and email are no reason to end one.
type standing struct {
	tenantID string
	role     contract.Role
	portal   bool
}

func standingOf(a store.Account) standing { return standing{a.TenantID, a.Role, a.Portal} }

// ledger keeps with which standing users were let in, to notice at a re-check that it is another by now. It holds those
// who signed in within the last re-checks and those who are connected.
type ledger struct {
	mu     sync.Mutex // guards people; never held while the Watcher is told
	people map[string]*record
}

type record struct {
	last   standing
	asked  uint64 // the number of the latest question whose answer let the user in
	tell   int    // re-checks that still have to tell the Watcher
	unseen int    // re-checks without a connection
}

func newLedger() *ledger { return &ledger{people: map[string]*record{}} }

// handedOut notes that a user was let in with this account.
func (l *ledger) handedOut(a store.Account, asked uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.people[a.ID]
	if r == nil {
		r = &record{last: standingOf(a)}
		l.people[a.ID] = r
	}
	r.update(standingOf(a))
	r.asked, r.unseen = max(r.asked, asked), 0
}

// update notes the latest standing; connections of another one may be open.
func (r *record) update(now standing) {
	if r.last != now {
		r.last, r.tell = now, tellTimes
	}
}

// verdict is what a re-check finds out about a user.
type verdict struct {
	tell   bool
	change string // the metric's label: gone, inactive, standing
}

// judge compares a connected user with the database's answer to the question numbered asked.
func (l *ledger) judge(id string, now store.Account, found bool, asked uint64) verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.people[id]
	switch {
	case r != nil && r.asked > asked:
		return verdict{} // let in on a later answer: this one may be the older truth, the next re-check decides
	case !found:
		return verdict{true, "gone"}
	case !now.Active:
		return verdict{true, "inactive"}
	case r == nil: // connected, but let in by nobody here: the Watcher compares
		l.people[id] = &record{last: standingOf(now)}
		return verdict{true, "standing"}
	}
	r.unseen = 0
	r.update(standingOf(now))
	if r.tell == 0 {
		return verdict{}
	}
	r.tell--
	return verdict{true, "standing"}
}

// sweep forgets users who have had no connection for forgetAfter re-checks.
func (l *ledger) sweep(connected map[string]struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, r := range l.people {
		if _, here := connected[id]; here {
			r.unseen = 0
			continue
		}
		if r.unseen++; r.unseen > forgetAfter {
			delete(l.people, id)
		}
	}
}
