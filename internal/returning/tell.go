package returning

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

const (
	// tabTime is how long the sockets of one tab take to come back: each of the four or five waits by itself, up to 5 s and
	// half of it more (contract/frontend.md, "Connection"). Those that come after the first was told get the same.
	tabTime = 10 * time.Second
	// toldBytes bounds what is kept for them. Over it they get nothing: the first ones did.
	toldBytes = 16 << 20
	// sendTries is how often an event is sent whose tenant has too much waiting.
	sendTries = 20
)

// reasonReconnected is why calendars load anew.
const reasonReconnected = "reconnected"

// told is what users were told a moment ago. The caller locks.
type told struct {
	of    map[store.Person]*telling
	bytes int
}

type telling struct {
	until  time.Time
	since  time.Time // of what is told
	lost   bool      // lost sockets were told alone
	events []Event
	bytes  int
}

func (t *told) to(p store.Person, now time.Time) []Event {
	one := t.of[p]
	if one == nil || now.After(one.until) || one.lost {
		return nil
	}
	return one.events
}

// toLost is to for a socket whose client was last there then; zero: not known.
func (t *told) toLost(p store.Person, since, now time.Time) []Event {
	one := t.of[p]
	if one == nil || now.After(one.until) || !since.IsZero() && since.Before(one.since) {
		return nil
	}
	return one.events
}

func (t *told) remember(p store.Person, one *telling, now time.Time) {
	if one.lost && t.to(p, now) != nil {
		return // the others of a tab may come yet
	}
	t.forget(p)
	one.until = now.Add(tabTime)
	for _, e := range one.events {
		one.bytes += len(e.Name) + len(e.Payload)
	}
	if t.bytes+one.bytes > toldBytes {
		t.expire(now)
	}
	if t.bytes+one.bytes <= toldBytes {
		t.of[p] = one
		t.bytes += one.bytes
	}
}

func (t *told) forget(p store.Person) {
	if one := t.of[p]; one != nil {
		t.bytes -= one.bytes
		delete(t.of, p)
	}
}

func (t *told) expire(now time.Time) {
	for p, one := range t.of {
		if now.After(one.until) {
			t.forget(p)
		}
	}
}

// tell sends to a user who was away what was missed, oldest first, and lets calendars load anew. only is arrival's.
func (s *Service) tell(ctx context.Context, absence store.Absence, only uint64, rows []models.NotificationLog) {
	u, now := absence.Owner, s.opts.Now()
	p := store.Person{TenantID: u.TenantID, UserID: u.ID}
	events := make([]Event, 0, len(rows)+1)
	for _, row := range rows {
		payload, err := s.payload(row, u.ID)
		switch {
		case err != nil:
			s.failed(ctx, "send", err)
		case payload != nil:
			events = append(events, Event{contract.EventNotificationNew, payload})
		}
	}
	s.opts.Metrics.replayed.Add(float64(len(events)))
	refresh, err := json.Marshal(contract.CalendarRefresh{
		Reason: reasonReconnected, AffectedDates: []string{}, Timestamp: contract.At(now)})
	if err != nil {
		s.failed(ctx, "send", err)
	} else {
		events = append(events, Event{contract.EventCalendarRefresh, refresh})
	}
	s.mu.Lock()
	s.tellings++
	t := Telling{s.tellings, only}
	if _, here := s.here[p]; here { // what joins from here on gets it from Joined
		s.told.remember(p, &telling{since: absence.Since, lost: only > 0, events: events}, now)
	}
	s.mu.Unlock()
	for _, e := range events {
		if err := s.send(ctx, p, t, e); err != nil {
			s.failed(ctx, "send", err)
		}
	}
	s.opts.Logger.DebugContext(ctx, "a user came back", slog.String("user", u.ID), slog.Int("notifications", len(events)-1))
}

// send waits where the tenant's broadcasts are over their rate: a whole tenant may come back at once.
func (s *Service) send(ctx context.Context, p store.Person, t Telling, e Event) (err error) {
	for range sendTries {
		if _, err = s.out.ToJoined(ctx, p.TenantID, p.UserID, t, e.Name, e.Payload); contract.CodeOf(err) != contract.CodeRateLimited {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(max(min(contract.AsError(err).RetryAfter, time.Second), 10*time.Millisecond)):
		}
	}
	return err
}
