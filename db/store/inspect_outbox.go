package store

import (
	"context"
	"errors"
	"fmt"
)

// inspectOutbox looks at how occurrences come in and go out: triggers, LISTEN, dead letters.
func (s *Store) inspectOutbox(ctx context.Context, r *report) error {
	if s.dialect != Postgres || r.empty {
		return nil
	}
	var ready []int
	n, err := s.find(ctx, "inspect", &ready, `SELECT 1 FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
		WHERE n.nspname = 'realtime' AND p.proname = 'emit'`)
	if err != nil || n == 0 {
		return err // the own tables are old, which is another finding
	}
	list, err := s.Triggers(ctx)
	if err != nil {
		return err
	}
	inspectTriggers(r, list)
	s.inspectListen(ctx, r)
	b, err := s.Occurrences.Backlog(ctx)
	switch {
	case err != nil && unavailable(err):
		return err
	case err != nil:
		r.fail("outbox", "it cannot be read", "grant the server's role SELECT on realtime.occurrences")
	case b.Dead > 0:
		r.warn("outbox", fmt.Sprintf("%d dead letters, %d pending", b.Dead, b.Pending), "look at them: realtime outbox list --dead")
	default:
		r.ok("outbox", "%d pending, no dead letters", b.Pending)
	}
	return nil
}

// inspectListen tries whether a dispatcher would be woken.
func (s *Store) inspectListen(ctx context.Context, r *report) {
	switch err := s.ProbeListen(ctx); {
	case errors.Is(err, ErrNoListen):
		r.warn("LISTEN", "DATABASE_URL goes through PgBouncer and there is no DIRECT_URL: committed occurrences wait for the next look",
			"set DIRECT_URL to a direct connection")
	case err != nil:
		r.warn("LISTEN", "a direct connection is not woken: "+fault(err).Error(), "check DIRECT_URL")
	default:
		r.ok("LISTEN", "a commit wakes the dispatcher")
	}
}

// inspectTriggers: none is fine, some are not.
func inspectTriggers(r *report, list []TriggerStatus) {
	installed := 0
	for _, t := range list {
		if t.Installed {
			installed++
		}
	}
	if installed == 0 {
		r.ok("triggers", "none: the app's routes emit by themselves")
		return
	}
	for _, t := range list {
		subject, advice := "trigger on "+t.Table, "as the owner of the table run: realtime triggers install"
		switch {
		case !t.Installed:
			r.warn(subject, "it is missing, while another table has one (Prisma drops it with a table that it makes anew)", advice)
		case !t.Enabled:
			r.warn(subject, "it is switched off and does not fire", advice)
		case t.Version != TriggerVersion:
			r.warn(subject, "it is of version "+t.Version+", "+TriggerVersion+" is current", advice)
		default:
			r.ok(subject, "version %s, fires", t.Version)
		}
	}
}
