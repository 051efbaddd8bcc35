// Package wire keeps the last events that went over the wire, while somebody watches: the console's operator page. It knows
// neither sockets nor who may watch what. Nobody watching costs its caller one atomic load an event; what is kept lives in
// memory alone, is bounded, and is forgotten when the last watcher has been gone for Lease.
package wire

import (
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"github.com/citaplanner/realtime/pkg/contract"
)

// Everything is what Watch takes to see all tenants.
const Everything = ""

const (
	// Lease is how long a Watch lasts; a page that watches asks again well before.
	Lease = 10 * time.Second
	// Kept is how many events are remembered for one tenant's watchers, the last ones.
	Kept = 200
	// maxPayload is the largest payload kept, in bytes of JSON.
	maxPayload = 4 << 10
	// perSecond is how many events of one second are kept; the rest is counted alone, so that watching a flood stays cheap.
	perSecond = 100
)

// The directions of an Event.
const (
	In  = "in"  // from a client
	Out = "out" // to clients
)

// Event is one event. Payload is null where it is larger than what is kept.
type Event struct {
	Seq       uint64          `json:"seq"` // counts up, from 1
	At        contract.Time   `json:"at"`
	TenantID  string          `json:"tenantId"`
	Direction string          `json:"direction"`
	Name      string          `json:"name"`
	Peer      string          `json:"peer"`    // the room that it went to, or user:<id> whose socket sent or got it
	Sockets   int             `json:"sockets"` // how many it was queued for
	Payload   json.RawMessage `json:"payload"`
}

// View is what a watcher sees. The totals count from when the watching began.
type View struct {
	Since      contract.Time `json:"since"`
	Sent       uint64        `json:"sent"`       // events to clients
	Deliveries uint64        `json:"deliveries"` // how often these were queued for a socket
	Received   uint64        `json:"received"`   // events from clients
	Seq        uint64        `json:"seq"`        // the newest event's
	Events     []Event       `json:"events"`     // those after the one asked for, oldest first
}

// Tap is where events pass by. A nil Tap is watched by nobody. It is safe for use by many goroutines.
type Tap struct {
	now     func() time.Time
	watched atomic.Bool

	mu    sync.Mutex
	views map[string]*view // by tenant, or Everything
	ends  *time.Timer
}

// view is what is kept for the watchers of a tenant.
type view struct {
	View
	until  time.Time
	second int64 // the Unix second that inSecond counts
	count  int
}

// New makes a Tap; now nil is time.Now.
func New(now func() time.Time) *Tap {
	if now == nil {
		now = time.Now
	}
	return &Tap{now: now, views: map[string]*view{}}
}

// Watched reports whether Record has a reason to be called.
func (t *Tap) Watched() bool { return t != nil && t.watched.Load() }

// Record keeps an event for whoever watches its tenant. Seq, At and Payload are filled in here.
func (t *Tap) Record(e Event, payload any) {
	now := t.now()
	e.At = contract.At(now)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, tenant := range []string{e.TenantID, Everything} {
		v := t.views[tenant]
		if v == nil || !v.counted(e, now) {
			continue
		}
		if e.Payload == nil {
			e.Payload = encoded(payload)
		}
		v.Seq++
		e.Seq = v.Seq
		if v.Events = append(v.Events, e); len(v.Events) >= 2*Kept {
			v.Events = append([]Event(nil), v.Events[len(v.Events)-Kept:]...)
		}
	}
}

// counted counts an event and reports whether it is to be kept, too.
func (v *view) counted(e Event, now time.Time) bool {
	if e.Direction == In {
		v.Received++
	} else {
		v.Sent++
		v.Deliveries += uint64(max(0, e.Sockets)) //nolint:gosec // a count
	}
	if s := now.Unix(); s != v.second {
		v.second, v.count = s, 0
	}
	v.count++
	return v.count <= perSecond
}

// encoded is the payload's JSON, null where it has none or too much.
func encoded(payload any) json.RawMessage {
	b, err := json.Marshal(payload)
	if err != nil || len(b) > maxPayload {
		return json.RawMessage("null")
	}
	return b
}

// Watch watches a tenant, or Everything, for Lease from now on and returns what there is after the event with the given Seq.
func (t *Tap) Watch(tenantID string, after uint64) View {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	v := t.views[tenantID]
	if v == nil {
		v = &view{View: View{Since: contract.At(now)}}
		t.views[tenantID] = v
	}
	v.until = now.Add(Lease)
	t.watched.Store(true)
	if t.ends == nil {
		t.ends = time.AfterFunc(Lease, t.expire)
	}
	events := v.Events
	if len(events) > Kept {
		events = events[len(events)-Kept:]
	}
	for len(events) > 0 && events[0].Seq <= after && after <= v.Seq { // a larger one is of an earlier watch
		events = events[1:]
	}
	out := v.View
	out.Events = append([]Event{}, events...)
	return out
}

// expire forgets what nobody watches any more.
func (t *Tap) expire() {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	for tenant, v := range t.views {
		if !now.Before(v.until) {
			delete(t.views, tenant)
		}
	}
	t.ends = nil
	if len(t.views) == 0 {
		t.watched.Store(false)
		return
	}
	t.ends = time.AfterFunc(Lease/4, t.expire)
}
