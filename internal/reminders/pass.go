package reminders

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

// Counts is what a pass did.
type Counts struct {
	Sent    int `json:"sent"`
	Skipped int `json:"skipped"` // too late, given up
	Failed  int `json:"failed"`  // tried again by the next pass
}

// Bounds of a pass.
const (
	// maxLookBack is how long an outage is looked back over, to say what it cost.
	maxLookBack = 24 * time.Hour

	// slack is looked back over beyond the tolerance, so that what has just become too late is noted.
	slack = time.Minute

	// maxRounds bounds the queries of one pass; what is left is the next one's.
	maxRounds = 50
)

// Pass sends what is due now, and arms what soon will be. In one process one pass runs at a time: another one waits, and
// finds what the first has left. An error means that the database was not there for all of it.
func (s *Service) Pass(ctx context.Context) (done Counts, err error) {
	select {
	case s.pass <- struct{}{}:
		defer func() { <-s.pass }()
	case <-ctx.Done():
		return Counts{}, fmt.Errorf("wait for the pass under way: %w", ctx.Err())
	}
	start, now := time.Now(), store.UTC(s.opts.Now())
	result := "ok"
	if done, err = s.seeTo(ctx, now); err != nil {
		result = "failed"
	} else {
		s.looked = now
		s.alive.Store(s.opts.Now().UnixNano())
		s.opts.Metrics.last.Set(float64(now.Unix()))
	}
	s.opts.Metrics.passes.WithLabelValues(result).Observe(time.Since(start).Seconds())
	if done.Skipped > 0 {
		s.opts.Logger.WarnContext(ctx, "reminders were too late to be sent", slog.Int("count", done.Skipped))
	}
	return done, err
}

// seeTo does what a pass does, round after round of one batch.
func (s *Service) seeTo(ctx context.Context, now time.Time) (done Counts, err error) {
	back, err := s.lookBack(ctx, now)
	if err != nil {
		return done, err
	}
	rules, err := s.rules(ctx)
	if err != nil {
		return done, err
	}
	for range maxRounds {
		found, err := s.st.Reminders.Find(ctx, s.windows(rules, now, back), rules.tenants, s.opts.Batch)
		if err != nil {
			return done, err
		}
		n, err := s.round(ctx, s.sort(found, rules, now), now, &done)
		if err != nil || len(found) < s.opts.Batch || n == 0 {
			return done, err
		}
	}
	return done, nil
}

// lookBack is from when on reminders were due that may not have been seen to: as long ago as one may be late and, after an
// outage, its length more.
func (s *Service) lookBack(ctx context.Context, now time.Time) (time.Time, error) {
	last := s.looked
	if last.IsZero() { // this process has just started: others, or an earlier one, may have looked
		var err error
		if last, err = s.st.Reminders.LastWork(ctx); err != nil {
			return time.Time{}, err
		}
		if last.IsZero() { // nobody ever has: nothing was missed
			return now.Add(-s.opts.Tolerance), nil
		}
	}
	if last.After(now) {
		last = now // the clock was set back
	}
	if earliest := now.Add(-maxLookBack); last.Before(earliest) {
		last = earliest
	}
	return last.Add(-s.opts.Tolerance - slack), nil
}

// windows are the windows of the minutes in use.
func (s *Service) windows(r rules, now, back time.Time) []store.ReminderWindow {
	windows := make([]store.ReminderWindow, len(r.minutes))
	for i, m := range r.minutes {
		ahead := time.Duration(m) * time.Minute
		windows[i] = store.ReminderWindow{
			Minutes: m, From: back.Add(ahead), Fresh: now.Add(ahead - s.opts.Tolerance), Due: now.Add(ahead),
			Until: now.Add(ahead + s.opts.Tolerance),
		}
	}
	return windows
}

// sorted is what has to be done about reminders.
type sorted struct {
	send            []dueReminder
	arm, late, moot []store.Reminder
}

// dueReminder is a reminder to send, of use until then.
type dueReminder struct {
	store.Reminder
	until time.Time
}

// sort decides about each reminder.
func (s *Service) sort(found []store.FoundReminder, r rules, now time.Time) (o sorted) {
	for _, f := range found {
		due := f.DueAt()
		tolerance := r.toleranceOf(f.TenantTimes, s.opts.Tolerance)
		// A change after the due time has moved it there, unless the reminder was seen before: then it was a change
		// of something else, such as a note.
		armed := !f.ArmedAt.IsZero() && !f.ArmedAt.After(due)
		until := due.Add(tolerance)
		if until.After(f.StartAt) {
			until = f.StartAt
		}
		switch {
		case due.After(now):
			o.arm = append(o.arm, f.Reminder)
		case !armed && f.ChangedAt.After(due):
			o.moot = append(o.moot, f.Reminder)
		case now.Before(until) || now.Equal(due):
			o.send = append(o.send, dueReminder{f.Reminder, until})
		case !f.Late:
			o.late = append(o.late, f.Reminder)
		}
	}
	return o
}

// round does what was decided, adds it to done, and returns of how many reminders that changed something.
func (s *Service) round(ctx context.Context, o sorted, now time.Time, done *Counts) (changed int, err error) {
	sent, taken, err := s.send(ctx, o.send, done)
	changed = sent + taken
	for _, part := range []struct {
		outcome store.ReminderOutcome
		list    []store.Reminder
	}{{store.ReminderArmed, o.arm}, {store.ReminderLate, o.late}, {store.ReminderMoot, o.moot}} {
		n, settleErr := s.st.Reminders.Settle(ctx, part.outcome, part.list, now)
		changed += int(n)
		err = errors.Join(err, settleErr)
		if part.outcome == store.ReminderLate {
			done.Skipped += int(n)
			s.opts.Metrics.results.WithLabelValues("late").Add(float64(n))
		}
	}
	return changed, err
}

// send sends reminders, some at once, and counts them. The error is that of a database that is not there.
func (s *Service) send(ctx context.Context, list []dueReminder, done *Counts) (sent, taken int, err error) {
	// Nodes that look at the same moment find the same: in another order they share the work rather than wait for
	// each other's claims.
	list = slices.Clone(list)
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	var mu sync.Mutex
	var wg sync.WaitGroup
	work := make(chan dueReminder)
	for range min(s.opts.Workers, len(list)) {
		wg.Go(func() {
			for r := range work {
				ok, oneErr := s.remind(ctx, r)
				mu.Lock()
				switch {
				case oneErr != nil:
					done.Failed++
					if contract.CodeOf(oneErr) == contract.CodeUnavailable { // what is the matter with one alone is not the pass's fault
						err = oneErr
					}
				case ok:
					sent++
				default:
					taken++
				}
				mu.Unlock()
			}
		})
	}
	for _, r := range list {
		if ctx.Err() != nil {
			break // not claimed: another node's, or the next start's
		}
		work <- r
	}
	close(work)
	wg.Wait()
	done.Sent += sent
	return sent, taken, errors.Join(err, ctx.Err())
}

// errPanic is a Reminder that panicked: one reminder must not end the process.
var errPanic = errors.New("panic")

func (s *Service) remind(ctx context.Context, r dueReminder) (sent bool, err error) {
	result := "failed"
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errPanic, p)
		}
		if err != nil && ctx.Err() == nil {
			s.opts.Logger.WarnContext(ctx, "a reminder failed and is tried again", slog.String("appointment", r.AppointmentID),
				slog.Int("minutes", r.Minutes), slog.Any("error", err))
		}
		s.opts.Metrics.results.WithLabelValues(result).Inc()
	}()
	sent, err = s.out.Remind(ctx, r.Reminder, r.until)
	switch {
	case err != nil:
	case sent:
		result = "sent"
		s.opts.Metrics.lateness.Observe(s.opts.Now().Sub(r.DueAt()).Seconds())
	default:
		result = "taken"
	}
	return sent, err
}
