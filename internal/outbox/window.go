package outbox

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/citaplanner/realtime/pkg/contract"
)

// Event is what a socket that has just joined still has to get.
type Event struct {
	Name    string
	Payload json.RawMessage
}

// lookTime bounds Missed's query: a socket that joins waits for it.
const lookTime = 2 * time.Second

// Missed lists the events that were made good during the last Keep and that a socket of this user and role, of this
// tenant, would have got. The hub calls it when the socket is in its rooms: what is made good later reaches it there.
// A notification may come twice; clients drop the second by its id. One that the user has deleted meanwhile, a reload
// ago, does not come back, unless the database cannot say so.
func (b *Outbox) Missed(tenantID, userID string, role contract.Role) []Event {
	var events []Event
	var rows []string // by event; "" for none
	for _, read := range b.kept.of(tenantID, b.opts.Now()) {
		read(userID, role, func(name string, payload json.RawMessage, rowID string) {
			events, rows = append(events, Event{name, payload}), append(rows, rowID)
		})
	}
	events = b.undeleted(events, rows)
	b.opts.Metrics.missed.Add(float64(len(events)))
	return events
}

// undeleted leaves out the events that tell of rows which are gone.
func (b *Outbox) undeleted(events []Event, rows []string) []Event {
	if !slices.ContainsFunc(rows, func(id string) bool { return id != "" }) {
		return events // the usual case costs no query
	}
	ctx, cancel := context.WithTimeout(context.Background(), b.lookTime)
	defer cancel()
	present, err := b.st.Notifications.Present(ctx, rows)
	if err != nil {
		b.opts.Metrics.errors.Inc()
		return events
	}
	left := make([]Event, 0, len(events))
	for i, e := range events {
		if rows[i] == "" || present[rows[i]] {
			left = append(left, e)
		}
	}
	return left
}

// window keeps deliveries for a while, bounded in number and bytes.
type window struct {
	keep               time.Duration
	maxCount, maxBytes int
	evicted            func()
	deliveries         struct {
		sync.Mutex
		list  []kept // oldest first
		bytes int
	}
}

type kept struct {
	id       string // of the delivery
	tenantID string
	until    time.Time
	bytes    int
	read     Reader
}

func newWindow(o Options) *window {
	return &window{keep: o.Keep, maxCount: o.KeepCount, maxBytes: o.KeepBytes, evicted: o.Metrics.evicted.Inc}
}

// add keeps a delivery. One that is tried again is kept as it was.
func (w *window) add(id, tenantID string, bytes int, read Reader, now time.Time) {
	if w.keep <= 0 || bytes > w.maxBytes {
		return
	}
	d := &w.deliveries
	d.Lock()
	defer d.Unlock()
	w.drop(now)
	if slices.ContainsFunc(d.list, func(k kept) bool { return k.id == id }) {
		return
	}
	d.list = append(d.list, kept{id, tenantID, now.Add(w.keep), bytes, read})
	d.bytes += bytes
	for len(d.list) > w.maxCount || d.bytes > w.maxBytes {
		w.dropFirst()
		w.evicted()
	}
}

// of lists the readers of a tenant's deliveries.
func (w *window) of(tenantID string, now time.Time) []Reader {
	d := &w.deliveries
	d.Lock()
	defer d.Unlock()
	var readers []Reader
	for _, k := range d.list {
		if k.tenantID == tenantID && now.Before(k.until) {
			readers = append(readers, k.read)
		}
	}
	return readers
}

// expire forgets what has been kept for long enough.
func (w *window) expire(now time.Time) {
	w.deliveries.Lock()
	defer w.deliveries.Unlock()
	w.drop(now)
}

func (w *window) drop(now time.Time) {
	for len(w.deliveries.list) > 0 && !now.Before(w.deliveries.list[0].until) {
		w.dropFirst()
	}
}

func (w *window) dropFirst() {
	d := &w.deliveries
	d.bytes -= d.list[0].bytes
	d.list[0] = kept{} // the array may live on
	d.list = d.list[1:]
	if len(d.list) == 0 {
		d.list = nil
	}
}
