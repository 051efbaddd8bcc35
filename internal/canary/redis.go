package canary

import (
	"context"
	"fmt"
	"sync"

	"github.com/redis/go-redis/v9"
)

// Redis is a leg through Redis: what is published on the node's own channel comes back by its subscription.
type Redis struct {
	client  *redis.Client
	channel string

	mu  sync.Mutex    // held for a trip
	sub *redis.PubSub // nil: to be made
}

// NewRedis returns the leg of a node.
func NewRedis(client *redis.Client, node string) *Redis {
	return &Redis{client: client, channel: "realtime:canary:" + node}
}

// Leg is the leg for Canary.Add, which runs it once at a time.
func (r *Redis) Leg() Leg { return Leg{"redis", r.trip} }

func (r *Redis) trip(ctx context.Context, token string) (err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() {
		if err != nil && r.sub != nil { // whatever it was, the next trip subscribes anew
			_ = r.sub.Close()
			r.sub = nil
		}
	}()
	if r.sub == nil {
		r.sub = r.client.Subscribe(ctx, r.channel)
		if _, err := r.sub.Receive(ctx); err != nil {
			return fmt.Errorf("subscribe: %w", err)
		}
	}
	if err := r.client.Publish(ctx, r.channel, token).Err(); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	for {
		m, err := r.sub.ReceiveMessage(ctx)
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		if m.Payload == token {
			return nil
		}
	}
}

// Close ends the subscription, when Run has ended.
func (r *Redis) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sub == nil {
		return nil
	}
	return r.sub.Close()
}
