package sessions

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/citaplanner/realtime/internal/sio"
)

const (
	// batchBytes, batchEvents and batchSaves bound what is written at once; a client that comes back waits for no more.
	batchBytes, batchEvents, batchSaves = 1 << 20, 500, 200
	// batchTime bounds how long Redis may take for it.
	batchTime = 2 * time.Second
	// retryAfter is how long after a failure Redis is asked again.
	retryAfter = time.Second
	// flushTime bounds when the last batch begins that is still written when the process ends.
	flushTime = 3 * time.Second
	// claimTime is how long a session that was claimed is nobody else's before it is saved again.
	claimTime = 30 * time.Second
)

// Run writes and reads until ctx ends; then it writes what waits, bounded by 5 s.
func (s *Store) Run(ctx context.Context) error {
	idle := time.NewTicker(viewTime / 2)
	defer idle.Stop()
	for {
		select {
		case <-ctx.Done():
			for end := s.opts.Now().Add(s.flushTime); s.opts.Now().Before(end) && s.up.Load() && s.batch(ctx); {
			}
			return nil
		case <-idle.C:
			s.views.expire(s.opts.Now())
			continue
		case <-s.wake:
		}
		for s.batch(ctx) && ctx.Err() == nil {
		}
		if !s.up.Load() {
			select {
			case <-ctx.Done():
			case <-time.After(retryAfter):
			}
			s.hurry()
		}
	}
}

// work is what one batch does.
type work struct {
	events []*sio.SharedEvent
	bytes  int
	gaps   map[string]uint64
	anew   bool
	saves  map[string]build
	claims []*claim
}

// batch takes some of what waits and does it; more says that something may be left to do at once.
func (s *Store) batch(ctx context.Context) (more bool) {
	w := s.take()
	if len(w.events)+len(w.gaps)+len(w.saves)+len(w.claims) == 0 && !w.anew {
		if s.up.Load() {
			return false
		}
		// Nothing waits: see whether Redis is back, for those who come back next.
	}
	// A stop does not break it off half-way: that would count as a failure of Redis, to which nothing more is then written.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.batchTime)
	defer cancel()
	start := s.opts.Now()
	err := s.write(ctx, w)
	if err == nil {
		err = s.serve(ctx, w.claims)
	}
	s.opts.Metrics.seconds.Observe(s.opts.Now().Sub(start).Seconds())
	s.mu.Lock()
	s.bytes -= w.bytes
	if err != nil {
		for _, e := range w.events { // or not, but that cannot be said
			s.lack(e.Group, e.N)
		}
		for group, n := range w.gaps {
			s.lack(group, n)
		}
		s.anew = s.anew || w.anew
		for key, b := range w.saves {
			if s.saves[key] == nil {
				s.saves[key] = b
			}
		}
	}
	s.opts.Metrics.queued.Set(float64(s.bytes))
	s.mu.Unlock()
	result := "kept"
	if err != nil {
		result = "dropped"
	}
	s.opts.Metrics.events.WithLabelValues(result).Add(float64(len(w.events)))
	var wait []*claim
	for _, c := range w.claims {
		switch {
		case err != nil:
			c.got, c.err = nil, errors.Join(ErrUnavailable, err)
		case c.waits:
			wait = append(wait, c)
			continue
		}
		close(c.done)
	}
	s.again(wait)
	s.tell(ctx, err)
	return err == nil
}

// tell logs and shows that Redis went or came back, once.
func (s *Store) tell(ctx context.Context, err error) {
	was := s.up.Swap(err == nil)
	switch {
	case err != nil && was:
		s.opts.Metrics.up.Set(0)
		s.opts.Logger.WarnContext(ctx, "Redis does not take what clients may come back for: only this process's memory has it",
			slog.Any("error", err))
	case err == nil && !was:
		s.opts.Metrics.up.Set(1)
		s.opts.Logger.InfoContext(ctx, "Redis takes again what clients may come back for")
	}
}

// take takes some of what waits.
func (s *Store) take() *work {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &work{gaps: s.gaps, anew: s.anew, saves: map[string]build{}}
	s.gaps, s.anew = map[string]uint64{}, false
	n := 0
	for n < len(s.events) && n < batchEvents && w.bytes < batchBytes {
		for _, p := range s.events[n].Packets {
			w.bytes += p.Size() + perPacket
		}
		n++
	}
	w.events = slices.Clone(s.events[:n])
	clear(s.events[:n])
	if s.events = s.events[n:]; len(s.events) == 0 {
		s.events = nil
	}
	s.taken += uint64(n)
	s.claims = slices.DeleteFunc(s.claims, func(c *claim) bool {
		if c.behind > s.taken { // it is to find all that was published before it
			return false
		}
		w.claims = append(w.claims, c)
		s.takeSave(w, c.key)
		return true
	})
	for key := range s.saves {
		if len(w.saves) >= batchSaves {
			break
		}
		s.takeSave(w, key)
	}
	return w
}

func (s *Store) takeSave(w *work, key string) {
	if b := s.saves[key]; b != nil {
		w.saves[key] = b
		delete(s.saves, key)
	}
}

// write writes sessions and events. Sessions first: a position that is saved with one is then never behind an event that the
// session's socket was sent later.
func (s *Store) write(ctx context.Context, w *work) error {
	if w.anew {
		if err := s.forget(ctx); err != nil {
			return err
		}
	}
	pipe := s.client.Pipeline()
	settle := s.addSaves(ctx, pipe, w.saves)
	for group, entries := range s.entries(w) {
		args := append([]any{s.opts.Bytes, s.keep().Milliseconds(), s.node}, entries...)
		pipe.Eval(ctx, scriptAppend, []string{s.streamKey(group), s.groupKey(group)}, args...)
	}
	if pipe.Len() == 0 {
		if s.up.Load() {
			return nil
		}
		pipe.Ping(ctx)
	}
	_, err := pipe.Exec(ctx)
	settle(err)
	return err
}

// forget lets every group begin anew, at a position behind all that is known of sessions: nobody is restored with what was before.
func (s *Store) forget(ctx context.Context) error {
	groups := s.client.Scan(ctx, 0, s.groupKey("*"), 1000).Iterator()
	for groups.Next(ctx) {
		if err := s.client.Del(ctx, groups.Val()).Err(); err != nil {
			return err
		}
	}
	return groups.Err()
}

// entries encodes events by group, what is lacking first.
func (s *Store) entries(w *work) map[string][]any {
	out := map[string][]any{}
	add := func(e *sio.SharedEvent) {
		b, err := encodeEvent(e, s.node)
		if err != nil { // plain strings and numbers
			s.opts.Logger.Error("an event cannot be kept", slog.Any("error", err))
			return
		}
		out[e.Group] = append(out[e.Group], b)
	}
	for group, n := range w.gaps {
		add(&sio.SharedEvent{Group: group, N: n, Gap: true})
	}
	for _, e := range w.events {
		add(e)
	}
	return out
}

// addSaves adds what writes sessions. settle counts, and tells of those that another process has.
func (s *Store) addSaves(ctx context.Context, pipe redis.Pipeliner, saves map[string]build) (settle func(error)) {
	if len(saves) == 0 {
		return func(error) {}
	}
	var keys []string
	args := []any{s.node, s.keep().Milliseconds()}
	var kept []*sio.SharedSession // nil: over
	for key, b := range saves {
		one, keep := b()
		if one == nil && keep {
			continue
		}
		group, data, at, away, life := "", []byte{}, uint64(0), "0", s.keep()
		if one != nil {
			var err error
			if data, err = encodeSession(one); err != nil {
				s.opts.Logger.Error("a session cannot be kept", slog.Any("error", err))
				continue
			}
			group, at = one.Group, one.At
			if one.Away {
				away, life = "1", s.opts.Time
			}
		}
		keys = append(keys, key, s.groupKey(group))
		args = append(args, data, strconv.FormatUint(at, 10), away, life.Milliseconds())
		kept = append(kept, one)
	}
	if len(kept) == 0 {
		return func(error) {}
	}
	cmd := pipe.Eval(ctx, scriptSave, keys, args...)
	return func(error) {
		answers, err := cmd.Int64Slice()
		if err != nil || len(answers) != len(kept) {
			s.opts.Metrics.saves.WithLabelValues("failed").Add(float64(len(kept)))
			return
		}
		for i, one := range kept {
			switch {
			case answers[i] == 0:
				s.opts.Metrics.saves.WithLabelValues("moved").Inc()
				if one != nil && one.Moved != nil {
					go one.Moved() // it runs callbacks
				}
			case one == nil:
				s.opts.Metrics.saves.WithLabelValues("over").Inc()
			default:
				s.opts.Metrics.saves.WithLabelValues("kept").Inc()
			}
		}
	}
}

// again has claims served once more, a little later.
func (s *Store) again(wait []*claim) {
	if len(wait) == 0 {
		return
	}
	time.AfterFunc(lookAgain, func() {
		s.mu.Lock()
		s.claims = append(s.claims, wait...)
		s.mu.Unlock()
		s.hurry()
	})
}

// serve claims sessions and reads their groups, each once.
func (s *Store) serve(ctx context.Context, claims []*claim) error {
	if len(claims) == 0 {
		return nil
	}
	pipe := s.client.Pipeline()
	taken := make([]*redis.Cmd, len(claims))
	for i, c := range claims {
		if c.session == nil {
			taken[i] = pipe.Eval(ctx, scriptClaim, []string{c.key}, s.node, c.owner, claimTime.Milliseconds())
		}
	}
	reads := map[string]*redis.Cmd{}
	for _, c := range claims {
		if reads[c.group] == nil {
			from := strconv.FormatUint(s.views.from(c.group), 10)
			reads[c.group] = pipe.Eval(ctx, scriptRead, []string{s.streamKey(c.group), s.groupKey(c.group)}, from)
		}
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	now := s.opts.Now()
	for group, cmd := range reads {
		answer, err := cmd.Slice()
		if err == nil {
			err = s.views.add(group, answer, now)
		}
		if err != nil {
			return err
		}
	}
	for i, c := range claims {
		if c.session == nil {
			answer, err := taken[i].Slice()
			if err != nil {
				return err
			}
			if len(answer) != 3 {
				continue
			}
			if c.session, c.err = s.session(c.owner, answer); c.err != nil {
				continue
			}
		}
		v := s.views.of[c.group]
		fresh := v.events
		if c.got != nil { // it is known what the others say: thousands may wait after a crash
			fresh = v.behind(c.got.Pos)
		}
		c.got = &sio.Claimed{Session: c.session, Events: fresh, Node: s.node, Pos: v.pos, Trimmed: v.trimmed}
		c.waits = !c.enough(c.got) && time.Now().Before(c.patience)
		c.got.Events = v.events
	}
	s.views.bound(s.opts.CacheBytes)
	return nil
}

// position reads a position as a script answers it; 0 is none.
func position(v any) uint64 {
	text, _ := v.(string)
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
