package app

import (
	"context"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/canary"
	"github.com/citaplanner/realtime/internal/emits"
	"github.com/citaplanner/realtime/internal/httpapi"
	"github.com/citaplanner/realtime/internal/outbox"
)

// addDispatcher makes the dispatcher of committed occurrences, and the canary that goes through it, the hub and Redis (nil:
// there is none).
func (a *App) addDispatcher(triggers *outbox.Triggers, bus *redis.Client, parts map[string]httpapi.Readiness) {
	node := uuid.NewString()
	// A backlog must not take the connections from requests: Prisma's connection_limit is 5 on two cores.
	workers := min(8, max(1, a.Store.Stats().Max/2))
	o := outbox.DispatcherOptions{Node: node, Triggers: triggers, Workers: workers, Now: a.opts.Now, Logger: a.opts.Logger,
		Metrics: outbox.NewDispatcherMetrics(a.opts.Metrics)}
	var bird *canary.Canary
	if a.cfg.CanaryMaxAge > 0 {
		bird = canary.New(canary.Options{MaxAge: a.cfg.CanaryMaxAge, Now: a.opts.Now, Logger: a.opts.Logger,
			Metrics: canary.NewMetrics(a.opts.Metrics)})
		o.Canary = bird.Arrived
	}
	d := outbox.NewDispatcher(a.Store, emits.Emitter{Notify: a.notify}, o)
	parts["dispatcher"], a.services["dispatcher"] = d, d
	if bird == nil {
		return
	}
	bird.Add(bird.Leg("outbox", func(ctx context.Context, token string) error {
		if err := a.Store.Occurrences.AddCanary(ctx, node, token); err != nil {
			return err
		}
		if a.Store.Dialect() == store.SQLite { // which has no NOTIFY
			d.Wake()
		}
		return nil
	}))
	bird.Add(canary.Leg{Name: "hub", Run: a.hub.Probe})
	if bus != nil {
		way := canary.NewRedis(bus, node)
		bird.Add(way.Leg())
		a.closers = append(a.closers, way.Close)
	}
	parts["canary"], a.services["canary"] = bird, bird
}

var (
	_ httpapi.Aged   = (*canary.Canary)(nil)
	_ httpapi.Noted  = (*outbox.Dispatcher)(nil)
	_ outbox.Emitter = emits.Emitter{}
)
