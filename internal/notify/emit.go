package notify

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

// occurrence is one thing that happened: what is told to whom, and what is stored. The functions of the service make
// one from their input and one query; emit does the rest.
type occurrence struct {
	id       string // of the emit, and of its delivery row
	name     string // the event, which is also the metrics' label
	tenantID string
	subject  string        // what it is about, such as an appointment's id: part of every claim
	content  string        // contentOf what is said
	at       contract.Time // the time of the emit, the same in rows and payloads

	events  []told
	notices []notice

	// fleeting occurrences store nothing: there is no row to be made good, so there is no delivery row either.
	fleeting bool

	once  func(ctx context.Context, tx *store.Store) (bool, error) // in place of the claims; see Remind
	until time.Time                                                // the delivery is of use; zero is for ever
}

// told is an event, and the claim that it depends on ("" for none).
type told struct {
	event
	claim string
}

// notice is one notification for one or more recipients, who have not switched its kind off.
type notice struct {
	eventType     string
	message       string
	priority      contract.Priority
	data          json.RawMessage // an object or null
	appointmentID *string
	to            []store.Recipient
	claim         string
}

// tell adds an event for the tenant, a role or a user. It depends on a claim of its own.
func (o *occurrence) tell(e event) {
	o.events = append(o.events, told{e, claimKey(o, claimEvent, e.UserID+"/"+string(e.Role))})
}

// always adds an event that goes out even if it repeats the last one.
func (o *occurrence) always(e event) { o.events = append(o.events, told{event: e}) }

// notify adds a notification for one recipient.
func (o *occurrence) notify(n notice, to store.Recipient) {
	n.to, n.claim = []store.Recipient{to}, claimKey(o, claimNotice, to.ID)
	o.notices = append(o.notices, n)
}

// notifyAll adds a notification for an audience. One claim decides for all of them.
func (o *occurrence) notifyAll(n notice, to []store.Recipient) {
	if len(to) > 0 {
		n.to, n.claim = to, claimKey(o, claimNotice, everyone)
		o.notices = append(o.notices, n)
	}
}

// emit makes an occurrence and tells it. What was read may be gone when it is written (a user or an appointment deleted
// in between): then everything is read and decided once more.
func (s *Service) emit(
	ctx context.Context, name, metric string, prepare func(ctx context.Context, o *occurrence) error,
) (result contract.EmitResult, err error) {
	start := time.Now()
	defer func() {
		s.opts.Metrics.emits.WithLabelValues(metric, resultLabel(err)).Observe(time.Since(start).Seconds())
	}()
	id, at := s.opts.NewID(), contract.At(s.opts.Now())
	for first := true; ; first = false {
		o := &occurrence{id: id, name: name, at: at}
		if err := prepare(ctx, o); err != nil {
			return contract.EmitResult{}, err
		}
		result, err = s.commitAndSend(ctx, metric, o)
		if contract.CodeOf(err) != contract.CodeConflict || !first {
			return result, err
		}
	}
}

func (s *Service) commitAndSend(ctx context.Context, metric string, o *occurrence) (contract.EmitResult, error) {
	if !o.fleeting || attemptOf(ctx) != nil { // it may get a delivery row, which is not the outbox's meanwhile
		defer s.done.begin(o.id)()
	}
	d, result, stored, err := s.commit(ctx, metric, o)
	if err != nil {
		return contract.EmitResult{}, err
	}
	if d.empty() {
		return result, nil
	}
	// What is committed is sent, whether or not the caller still waits.
	ctx = context.WithoutCancel(ctx)
	n, err := s.send(ctx, d)
	result.Delivered.Sockets = n
	switch {
	case err != nil && stored:
		// The row is committed, so the emit has succeeded; the delivery row stays, and the outbox tries again.
		s.opts.Logger.ErrorContext(ctx, "committed events could not be sent", slog.String("event", metric),
			slog.String("delivery", d.ID), slog.Any("error", err))
		return result, nil
	case contract.CodeOf(err) == contract.CodeRateLimited:
		return contract.EmitResult{}, err
	case err != nil:
		return contract.EmitResult{}, contract.Wrap(contract.CodeUnavailable, "the event could not be sent", err)
	case stored:
		s.done.add(ctx, d.ID)
	}
	return result, nil
}

// compose makes the rows and the delivery of what is fresh; fresh nil means that nothing was claimed.
func (s *Service) compose(metric string, o *occurrence, fresh map[string]bool) (
	*delivery, []models.NotificationLog, error,
) {
	d := &delivery{ID: o.id, TenantID: o.tenantID, Label: metric, Until: o.until}
	for _, e := range o.events {
		if e.claim == "" || fresh == nil || fresh[e.claim] {
			d.Events = append(d.Events, e.event)
		}
	}
	var rows []models.NotificationLog
	for i := range o.notices {
		n := &o.notices[i]
		if fresh != nil && !fresh[n.claim] {
			continue
		}
		metadata, err := metadataOf(n)
		if err != nil {
			return nil, nil, err
		}
		m := mailing{Shared: notificationOf(o, n)}
		for _, to := range n.to {
			row := rowOf(o, n, to, s.opts.NewID(), metadata, s.st.Notifications.Label(n.eventType))
			rows = append(rows, row)
			if to.Preferences.EnablePushNotifications {
				m.To = append(m.To, addressee{UserID: to.ID, RowID: row.ID})
			}
		}
		if len(m.To) > 0 {
			d.Notices = append(d.Notices, m)
		}
	}
	return d, rows, nil
}

// answerOf is what the caller gets, but for the number of sockets.
func answerOf(o *occurrence, rows []models.NotificationLog) contract.EmitResult {
	ids := make([]string, len(rows))
	for i := range rows {
		ids[i] = rows[i].ID
	}
	return contract.EmitResult{ID: o.id, Notifications: ids}
}
