package notify

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/citaplanner/realtime/db/store"
)

// Bounds of doneList, in deliveries.
const (
	doneGroup = 500    // deleted in one statement
	doneMax   = 10_000 // more than this many waiting: emits delete some themselves
)

// doneList gathers the ids of deliveries that were made and deletes their rows in groups, so that no emit waits for it.
// An id that is lost (the process is killed) costs a second delivery, which clients drop by the notification's id.
type doneList struct {
	outbox  *store.Outbox
	every   time.Duration
	log     *slog.Logger
	metrics *Metrics
	wake    chan struct{}

	waiting struct {
		sync.Mutex
		ids     []string
		set     map[string]struct{} // the ids, and those that are being deleted
		sending map[string]struct{} // those that are on their way to the list
	}
}

func newDoneList(outbox *store.Outbox, o Options) *doneList {
	d := &doneList{outbox: outbox, every: o.DoneEvery, log: o.Logger, metrics: o.Metrics, wake: make(chan struct{}, 1)}
	d.waiting.set, d.waiting.sending = map[string]struct{}{}, map[string]struct{}{}
	return d
}

// add takes the id of a delivery that was made.
func (d *doneList) add(ctx context.Context, id string) {
	d.waiting.Lock()
	d.waiting.ids = append(d.waiting.ids, id)
	d.waiting.set[id] = struct{}{}
	n := len(d.waiting.ids)
	d.waiting.Unlock()
	d.metrics.pending.Set(float64(n))
	select {
	case d.wake <- struct{}{}:
	default:
	}
	if n >= doneMax { // nobody runs Run, or the database is slower than the emits: they pay
		if err := d.group(ctx); err != nil {
			d.drop(n / 2)
			d.log.ErrorContext(ctx, "finished deliveries cannot be deleted and will be made again", slog.Any("error", err))
		}
	}
}

// drop forgets the oldest n ids, so that a database that is gone does not cost memory without bound.
func (d *doneList) drop(n int) {
	d.waiting.Lock()
	defer d.waiting.Unlock()
	n = min(n, len(d.waiting.ids))
	for _, id := range d.waiting.ids[:n] {
		delete(d.waiting.set, id)
	}
	d.waiting.ids = append([]string(nil), d.waiting.ids[n:]...)
}

// holds reports whether this process made the delivery and has only not deleted its row yet.
func (d *doneList) holds(id string) bool {
	d.waiting.Lock()
	defer d.waiting.Unlock()
	_, ok := d.waiting.set[id]
	return ok
}

// begin says that this process is about to commit and send a delivery, until end is called. A commit or a machine that is slow
// may make that last for longer than the delivery's lease.
func (d *doneList) begin(id string) (end func()) {
	d.waiting.Lock()
	defer d.waiting.Unlock()
	d.waiting.sending[id] = struct{}{}
	return func() {
		d.waiting.Lock()
		defer d.waiting.Unlock()
		delete(d.waiting.sending, id)
	}
}

// begun reports whether this process is sending the delivery.
func (d *doneList) begun(id string) bool {
	d.waiting.Lock()
	defer d.waiting.Unlock()
	_, ok := d.waiting.sending[id]
	return ok
}

// group deletes one group; when that fails the ids wait on.
func (d *doneList) group(ctx context.Context) error {
	d.waiting.Lock()
	n := min(len(d.waiting.ids), doneGroup)
	ids := d.waiting.ids[:n:n]
	d.waiting.ids = d.waiting.ids[n:]
	d.waiting.Unlock()
	if n == 0 {
		return nil
	}
	err := d.outbox.Done(ctx, ids...)
	d.waiting.Lock()
	if err != nil {
		d.waiting.ids = append(d.waiting.ids, ids...)
	} else {
		for _, id := range ids {
			delete(d.waiting.set, id)
		}
	}
	d.metrics.pending.Set(float64(len(d.waiting.ids)))
	d.waiting.Unlock()
	return err
}

// flush deletes all that wait.
func (d *doneList) flush(ctx context.Context) error {
	for {
		d.waiting.Lock()
		n := len(d.waiting.ids)
		d.waiting.Unlock()
		if n == 0 {
			return nil
		}
		if err := d.group(ctx); err != nil {
			return fmt.Errorf("delete finished deliveries: %w", err)
		}
	}
}

// run flushes a little after the first id of each group has come, until ctx ends, then once more. While the database
// fails it tries less often, and says so once.
func (d *doneList) run(ctx context.Context) error {
	wait, failing := d.every, false
	for {
		select {
		case <-ctx.Done():
			return d.last(ctx)
		case <-d.wake:
		}
		select {
		case <-ctx.Done():
			return d.last(ctx)
		case <-time.After(wait):
		}
		err := d.flush(ctx)
		if err == nil {
			wait, failing = d.every, false
			continue
		}
		if !failing && ctx.Err() == nil {
			d.log.WarnContext(ctx, "deleting finished deliveries failed, trying again", slog.Any("error", err))
		}
		wait, failing = max(d.every, time.Second), true
		select { // come back although no id may be added
		case d.wake <- struct{}{}:
		default:
		}
	}
}

// last is the flush of a stop: what it cannot delete is delivered once more after the next start.
func (d *doneList) last(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := d.flush(ctx); err != nil {
		d.log.ErrorContext(ctx, "finished deliveries are left and will be made again", slog.Any("error", err))
	}
	return nil
}
