// Package coalesce makes one call of the many that come while others are under way, as group commit does: a lone caller
// waits for nobody, and the busier it gets the more share one query, or one transaction. identity and notify use it; it
// knows nothing of either.
package coalesce

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Result is the answer to one question.
type Result[A any] struct {
	Answer A
	Err    error
}

// patience is how long a question waits for the calls under way before it is one more call's.
const patience = 20 * time.Millisecond

// Group is safe for use by many goroutines. A lone question never waits for a time to pass.
type Group[Q, A any] struct {
	// Run answers questions, in their order; it may be called by AtOnce goroutines. What it leaves unanswered is an error.
	// Its context is not that of any one caller: it never ends by itself.
	Run func(ctx context.Context, questions []Q) []Result[A]
	// AtOnce is how many calls of Run are under way at most; 0 is 1. There is one at a time, as few large ones cost less than
	// many small ones, and one more for who has waited for patience: one that hangs does not hold up everybody.
	AtOnce int
	// Most is how many questions one call gets; 0 is 100.
	Most int

	mu      sync.Mutex // guards what follows; not held during Run
	waiting []*question[Q, A]
	running int
}

type question[Q, A any] struct {
	Result[A]
	ask  Q
	done chan struct{} // closed when Result is there
}

// Do asks, and returns when the answer is there or ctx ends; the question is answered all the same then.
func (g *Group[Q, A]) Do(ctx context.Context, ask Q) (A, error) {
	q := &question[Q, A]{ask: ask, done: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, q)
	mine := g.running == 0
	impatient := !mine && g.running < g.AtOnce
	if mine {
		g.running++
	}
	g.mu.Unlock()
	if mine {
		g.work(context.WithoutCancel(ctx), q)
	}
	var long <-chan time.Time
	if impatient {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		long = timer.C
	}
	for {
		select {
		case <-q.done:
			return q.Answer, q.Err
		case <-long:
			long = nil
			if g.join(q) {
				g.work(context.WithoutCancel(ctx), q)
			}
		case <-ctx.Done():
			var none A
			return none, ctx.Err()
		}
	}
}

// join makes one more worker of a caller whose question still waits, where there may be one.
func (g *Group[Q, A]) join(q *question[Q, A]) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running >= g.AtOnce || !slices.Contains(g.waiting, q) {
		return false
	}
	g.running++
	return true
}

// work answers what waits. The caller's own goroutine does it until own is answered: a lone caller costs no goroutine.
func (g *Group[Q, A]) work(ctx context.Context, own *question[Q, A]) {
	for {
		batch := g.take()
		if batch == nil {
			return
		}
		g.answer(ctx, batch)
		if own == nil {
			continue
		}
		select {
		case <-own.done:
			go g.work(context.WithoutCancel(ctx), nil)
			return
		default:
		}
	}
}

// take takes what waits; nil when there is nothing, and then there is one worker less.
func (g *Group[Q, A]) take() []*question[Q, A] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		g.running--
		g.waiting = nil
		return nil
	}
	most := g.Most
	if most <= 0 {
		most = 100
	}
	n := min(len(g.waiting), most)
	batch := g.waiting[:n:n]
	g.waiting = g.waiting[n:]
	return batch
}

// answer runs one batch. A panic is an error of all: the goroutine may be nobody's to recover.
func (g *Group[Q, A]) answer(ctx context.Context, batch []*question[Q, A]) {
	asks := make([]Q, len(batch))
	for i, q := range batch {
		asks[i] = q.ask
	}
	var results []Result[A]
	err := errUnanswered
	func() {
		defer func() {
			if v := recover(); v != nil {
				err = fmt.Errorf("coalesce: panic: %v", v)
			}
		}()
		results = g.Run(ctx, asks)
	}()
	for i, q := range batch {
		if i < len(results) {
			q.Result = results[i]
		} else {
			q.Err = err
		}
		close(q.done)
	}
}

var errUnanswered = errors.New("coalesce: no answer")
