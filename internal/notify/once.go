package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

// maxKey bounds an idempotency key, in bytes. Edges pass digests.
const maxKey = 512

// Once runs fn once for the key, whoever asks, here or on another process: a repeat gets the first result, and waits
// for it while the first is under way. The same key with another fingerprint is CodeKeyReused. The first emit of fn
// stores its result in the transaction of its rows, so that a process killed after that commit replays and does not
// emit twice. An fn that fails gives the key back: a repeat tries again.
//
// fn has to pass on the context it is given. The caller makes the key tell apart who asks for what.
func (s *Service) Once(
	ctx context.Context, key, fingerprint string, fn func(ctx context.Context) (contract.EmitResult, error),
) (result contract.EmitResult, replayed bool, err error) {
	raw, replayed, err := s.OnceRaw(ctx, key, fingerprint, func(ctx context.Context) (json.RawMessage, error) {
		r, err := fn(ctx)
		if err != nil {
			return nil, err
		}
		return encode(r)
	})
	if err != nil {
		return contract.EmitResult{}, false, err
	}
	if err := json.Unmarshal(raw, &result); err != nil {
		return contract.EmitResult{}, false, fmt.Errorf("read the stored result: %w", err)
	}
	return result, replayed, nil
}

// OnceRaw is Once for any result. Where fn calls an emit itself, its result has to be that emit's: it is what a replay
// after a crash answers. An fn of many emits, such as a batch, runs each under a key of its own by Once.
func (s *Service) OnceRaw(
	ctx context.Context, key, fingerprint string, fn func(ctx context.Context) (json.RawMessage, error),
) (result json.RawMessage, replayed bool, err error) {
	if key == "" || len(key) > maxKey || !plain(key) {
		return nil, false, contract.InvalidField("Idempotency-Key", "the idempotency key is not valid")
	}
	result, replayed, err = s.once(ctx, key, fingerprint, fn)
	label := "first"
	switch {
	case replayed:
		label = "replayed"
	case contract.CodeOf(err) == contract.CodeKeyReused:
		label = "reused"
	case err != nil:
		label = "failed"
	}
	s.opts.Metrics.keys.WithLabelValues(label).Inc()
	return result, replayed, err
}

func (s *Service) once(
	ctx context.Context, key, fingerprint string, fn func(ctx context.Context) (json.RawMessage, error),
) (json.RawMessage, bool, error) {
	for {
		// One at a time in this process, so that a repeat here always sees the complete result.
		f, mine := s.takeOff(key, fingerprint)
		if !mine {
			if f.first.Load() && f.fingerprint != fingerprint {
				return nil, false, errReused
			}
			if err := wait(ctx, f.landed); err != nil {
				return nil, false, err
			}
			continue
		}
		result, state, err := s.round(ctx, key, f, fn)
		switch {
		case errors.Is(err, errTakenOver): // somebody else's transaction came first: its result is there now, or soon
			continue
		case err != nil || state != store.IdempotencyRunning:
			return result, state == store.IdempotencyDone, err
		}
		if err := s.pause(ctx); err != nil {
			return nil, false, err
		}
	}
}

var errReused = contract.NewError(contract.CodeKeyReused, "the idempotency key was used with another body")

// round looks at the key, and runs fn if it is free.
func (s *Service) round(
	ctx context.Context, key string, f *flight, fn func(ctx context.Context) (json.RawMessage, error),
) (json.RawMessage, store.IdempotencyState, error) {
	defer s.land(key, f)
	record, err := s.st.Idempotency.Begin(ctx, key, f.fingerprint, s.opts.Now(), s.opts.KeyLease)
	switch {
	case err != nil:
		return nil, "", err
	case record.Fingerprint != f.fingerprint:
		return nil, "", errReused
	case record.State != store.IdempotencyStarted:
		return record.Response, record.State, nil
	}
	f.first.Store(true)
	result, err := s.first(ctx, key, fn)
	return result, store.IdempotencyStarted, err
}

// first runs fn for a key that was started, and stores its result or gives the key back, a panic included.
func (s *Service) first(
	ctx context.Context, key string, fn func(ctx context.Context) (json.RawMessage, error),
) (result json.RawMessage, err error) {
	a := &attempt{key: key}
	ended := false
	defer func() {
		if !ended || err != nil {
			s.settle(ctx, key, s.st.Idempotency.Release)
		}
	}()
	result, err = fn(context.WithValue(ctx, attemptKey{}, a))
	ended = true
	if err != nil {
		return nil, err
	}
	store := s.st.Idempotency.Complete
	if a.used.Load() { // the result without the number of sockets is there already
		store = s.st.Idempotency.Amend
	}
	s.settle(ctx, key, func(ctx context.Context, key string) error { return store(ctx, key, result) })
	return result, nil
}

// settle writes what became of a key, although the caller may be gone by now. When that fails, the lease ends it.
func (s *Service) settle(ctx context.Context, key string, write func(ctx context.Context, key string) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := write(ctx, key); err != nil {
		s.opts.Logger.ErrorContext(ctx, "an idempotency key could not be settled", slog.Any("error", err))
	}
}

// flight is a request that is at an idempotency key in this process.
type flight struct {
	fingerprint string
	first       atomic.Bool   // it has the key; until then it is only looking, and its fingerprint says nothing
	landed      chan struct{} // closed when it has ended
}

// takeOff makes a flight for the key, or returns the one that is under way (mine is false).
func (s *Service) takeOff(key, fingerprint string) (f *flight, mine bool) {
	s.flights.Lock()
	defer s.flights.Unlock()
	if f = s.flights.running[key]; f != nil {
		return f, false
	}
	f = &flight{fingerprint: fingerprint, landed: make(chan struct{})}
	s.flights.running[key] = f
	return f, true
}

// land ends the flight and tells those who wait for it.
func (s *Service) land(key string, f *flight) {
	s.flights.Lock()
	delete(s.flights.running, key)
	s.flights.Unlock()
	close(f.landed)
}

// pause waits until it is time to look at a key again that is under way on another process.
func (s *Service) pause(ctx context.Context) error {
	timer := time.NewTimer(s.opts.KeyPoll)
	defer timer.Stop()
	return wait(ctx, timer.C)
}

func wait[T any](ctx context.Context, until <-chan T) error {
	select {
	case <-until:
		return nil
	case <-ctx.Done():
		return &contract.Error{
			Code: contract.CodeUnavailable, Message: "the first request with this idempotency key is still under way",
			RetryAfter: time.Second, Cause: ctx.Err(),
		}
	}
}

// attempt is a request with an idempotency key under way, or a committed occurrence: the context carries it to the emit
// that stores the answer, or settles the occurrence.
type attempt struct {
	key        string
	settlement *Settlement // nil: an idempotency key
	used       atomic.Bool
}

type attemptKey struct{}

// attemptOf is the attempt that ctx carries, nil for none.
func attemptOf(ctx context.Context) *attempt {
	a, _ := ctx.Value(attemptKey{}).(*attempt)
	return a
}

// errTakenOver means that this request ran past its lease and a repeat has committed its own result. Nothing of this
// one's was committed.
var errTakenOver = errors.New("the idempotency key was taken over")

// take claims the answer for one emit; giveBack undoes it when that emit was not committed.
func (a *attempt) take() bool { return a.used.CompareAndSwap(false, true) }

func (a *attempt) giveBack() {
	if a != nil {
		a.used.Store(false)
	}
}

// complete stores the answer in the transaction of the rows it speaks of.
func (a *attempt) complete(ctx context.Context, tx *store.Store, result contract.EmitResult) error {
	if a == nil {
		return nil
	}
	if a.settlement != nil {
		return a.settlement.Settle(ctx, tx)
	}
	body, err := encode(result)
	if err != nil {
		return err
	}
	first, err := tx.Idempotency.TryComplete(ctx, a.key, body)
	if err == nil && !first {
		err = errTakenOver
	}
	return err
}
