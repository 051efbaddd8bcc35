package notify

import (
	"context"

	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

// Settlement ties an emit to the committed occurrence that it tells.
type Settlement struct {
	// ByTrigger says that a trigger wrote the occurrence: an endpoint called for the same change says the same.
	ByTrigger bool

	// Settle marks the occurrence as told. It runs in the transaction of the emit's rows; when it fails, nothing is stored
	// or sent, and the emit returns its error.
	Settle func(ctx context.Context, tx *store.Store) error
}

// WithSettlement is a context for one emit that tells a committed occurrence.
func WithSettlement(ctx context.Context, s Settlement) context.Context {
	return context.WithValue(ctx, attemptKey{}, &attempt{settlement: &s})
}

// watchedKinds are the events of what triggers see, by the kind of the occurrence.
var watchedKinds = map[string]string{
	contract.EventAppointmentCreated:     "appointments/created",
	contract.EventAppointmentUpdated:     "appointments/updated",
	contract.EventAppointmentRescheduled: "appointments/rescheduled",
	contract.EventAppointmentDeleted:     "appointments/deleted",
	contract.EventScheduleUpdated:        "schedule/updated",
}

// pair keeps a change from being told twice, by a trigger and by a route that calls an endpoint (or realtime.emit) for it,
// whichever comes first and however much later the other does: an emit of a route takes the trigger's occurrence of the
// same change out, or says nothing where that was told already. Their words may differ (a route knows who did it), so the
// claims of claimKey cannot tell. It runs in the transaction of the emit's rows, behind its claims.
func (s *Service) pair(ctx context.Context, tx *store.Store, c *commitment) error {
	if !s.paired(c) {
		return nil
	}
	told, err := tx.Occurrences.Absorb(ctx, c.o.tenantID, watchedKinds[c.o.name], c.o.subject, s.opts.Now())
	if told {
		s.opts.Metrics.repeats.WithLabelValues(c.o.name).Add(float64(len(c.o.events) + len(c.o.notices)))
		c.o.events, c.o.notices = nil, nil
	}
	return err
}

// paired reports whether a trigger may have seen what the emit tells.
func (s *Service) paired(c *commitment) bool {
	if watchedKinds[c.o.name] == "" || s.opts.DedupWindow < 0 || s.opts.Triggered == nil || !s.opts.Triggered() {
		return false
	}
	return c.key == nil || c.key.settlement == nil || !c.key.settlement.ByTrigger
}
