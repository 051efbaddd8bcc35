package returning

import (
	"context"
	"time"

	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
)

// verdict is what was found about a user who came.
type verdict int

const (
	isNew     verdict = iota // never seen before
	isPresent                // was not away: connected to another node, or for less than the grace
	isBack                   // was away
	isUnclear                // perhaps connected to another node; that shows at its next beat
)

// result is the metric label of a verdict.
func (v verdict) result() string { return [...]string{"new", "present", "back", "unclear"}[v] }

// pass decides about everybody who came, in batches, and tells those who were away. It returns when to look again.
func (s *Service) pass(ctx context.Context) time.Duration {
	if ctx.Err() != nil {
		return retryAfter
	}
	if err := s.flush(ctx); err != nil { // what it would find otherwise is older than what is known
		return retryAfter
	}
	for ctx.Err() == nil {
		due, wait := s.due()
		if len(due) == 0 {
			return wait
		}
		s.decide(ctx, due)
	}
	return retryAfter
}

// due takes some of those whom to look at now, or says how long until there is one.
func (s *Service) due() (due map[store.Person]*arrival, wait time.Duration) {
	now := s.opts.Now()
	wait = s.opts.Beat
	s.mu.Lock()
	defer s.mu.Unlock()
	due = map[store.Person]*arrival{}
	for p, a := range s.waiting {
		switch left := a.due.Sub(now); {
		case left > 0:
			wait = min(wait, left)
		case len(due) < batch:
			due[p] = a
		}
	}
	return due, wait
}

// decide looks at some users who came, in one transaction. Another node that looks at one of them at the same time waits for
// its end, and finds the user here.
func (s *Service) decide(ctx context.Context, due map[store.Person]*arrival) {
	now := s.opts.Now()
	for p, a := range due {
		if !s.out.Here(p.TenantID, p.UserID) { // gone again, or perhaps back in a second: the absence goes on
			s.later(p, a, now.Add(time.Second))
			delete(due, p)
		}
	}
	if len(due) == 0 {
		return
	}
	var verdicts map[store.Person]verdict
	var absences []store.Absence
	var missed map[store.Owner][]models.NotificationLog
	work, cancel := unbroken(ctx)
	defer cancel()
	err := s.st.InTx(work, func(tx *store.Store) error {
		var seen []store.Seen
		var err error
		if verdicts, seen, absences, err = s.judge(work, tx, due, now); err != nil {
			return err
		}
		if missed, err = tx.Notifications.Missed(work, absences, s.opts.Limit); err != nil {
			return err
		}
		return tx.LastSeen.Write(work, seen)
	})
	if err != nil {
		s.failed(ctx, "look", err)
		for p, a := range due {
			s.later(p, a, now.Add(retryAfter))
		}
		return
	}
	for p, v := range verdicts {
		if v == isUnclear {
			s.later(p, due[p], due[p].beat.Add(s.opts.Beat+beatSlack))
			continue
		}
		s.mu.Lock()
		if s.waiting[p] == due[p] {
			delete(s.waiting, p)
		}
		s.mu.Unlock()
		s.opts.Metrics.returns.WithLabelValues(v.result()).Inc() // now: who sees it may count on what was decided
	}
	for _, a := range absences {
		s.tell(ctx, a, due[store.Person{TenantID: a.TenantID, UserID: a.ID}].only, missed[a.Owner])
	}
}

// later looks again at a user then.
func (s *Service) later(p store.Person, a *arrival, then time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting[p] == a {
		a.due = then
	}
}

// judge reads the rows of users who came, and says what each is, what to write, and who was away since when.
func (s *Service) judge(ctx context.Context, tx *store.Store, due map[store.Person]*arrival, now time.Time) (
	verdicts map[store.Person]verdict, seen []store.Seen, absences []store.Absence, err error,
) {
	people := make([]store.Person, 0, len(due))
	for p := range due {
		people = append(people, p)
	}
	rows, err := tx.LastSeen.Lock(ctx, people)
	if err != nil {
		return nil, nil, nil, err
	}
	verdicts = make(map[store.Person]verdict, len(due))
	for p, a := range due {
		row, found := rows[p]
		lost, since := s.lost(a)
		if !found && (a.crashed || lost) {
			row, found = s.supposed(p, a), true
		}
		v := isNew
		switch {
		case a.only > 0: // the row says nothing of that client
			row.At = now
		case found:
			v = s.verdict(row, a, now)
		}
		if lost {
			if v != isBack && since.IsZero() { // else since the user was away
				since = s.atWorst(a.came)
			}
			if v = isBack; !since.IsZero() && since.Before(row.At) {
				row.At = since
			}
		}
		verdicts[p] = v
		if v == isUnclear {
			continue
		}
		seen = append(seen, store.Seen{Person: p, At: now, State: store.SeenHere, Node: s.opts.Node})
		if v == isBack {
			since := row.At.Add(-inFlight)
			if oldest := now.Add(-s.opts.MaxAge); since.Before(oldest) {
				since = oldest
			}
			absences = append(absences, store.Absence{Owner: a.owner, Since: since})
		}
	}
	return verdicts, seen, absences, nil
}

// lost is what is known of a user's clients that could not have their sessions any more.
func (s *Service) lost(a *arrival) (lost bool, since time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return a.lost, a.since
}

// verdict judges by the row of a user who came.
func (s *Service) verdict(row store.Seen, a *arrival, now time.Time) verdict {
	elsewhere := row.State == store.SeenHere && row.Node != s.opts.Node
	beating := elsewhere && now.Sub(row.At).Abs() < s.opts.Beat+beatSlack
	switch {
	case elsewhere && !a.beat.IsZero() && row.At.After(a.beat): // that node lives, and has the user
		return isPresent
	case beating: // a node that died looks the same
		if a.beat.IsZero() {
			a.beat = row.At
		}
		return isUnclear
	case row.State == store.SeenLeft && a.came.Sub(row.At) <= s.opts.Grace: // a reload that another node answers
		return isPresent
	}
	return isBack
}
