package canary

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/internal/leak"
)

func TestMain(m *testing.M) {
	leak.Main(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

// clock stands still until it is moved.
type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.ns.Load()) }
func (c *clock) advance(d time.Duration) { c.ns.Add(int64(d)) }

func newClock() *clock {
	c := &clock{}
	c.ns.Store(dbtest.Now.UnixNano())
	return c
}

func TestReadyNamesTheFirstPartThatLetsNothingThrough(t *testing.T) {
	t.Parallel()
	at := newClock()
	c := New(Options{MaxAge: 10 * time.Second, Now: at.now})
	broken := map[string]bool{}
	var way []string
	for _, name := range []string{"outbox", "hub", "redis"} {
		c.Add(Leg{name, func(context.Context, string) error {
			way = append(way, name)
			if broken[name] {
				return errors.New("wedged")
			}
			return nil
		}})
	}
	c.Lap(t.Context())
	require.Equal(t, []string{"outbox", "hub", "redis"}, way)
	require.NoError(t, c.Ready(t.Context()))
	require.Zero(t, c.Age())

	broken["hub"] = true
	for range 2 {
		at.advance(5 * time.Second)
		c.Lap(t.Context())
	}
	require.NoError(t, c.Ready(t.Context()), "it may be slow")
	require.Equal(t, 10*time.Second, c.Age())
	at.advance(2 * time.Second)
	require.EqualError(t, c.Ready(t.Context()), "no event has come through hub for 12 s")
	broken["outbox"] = true
	at.advance(20 * time.Second)
	require.ErrorContains(t, c.Ready(t.Context()), "through outbox for 22 s")
	clear(broken)
	c.Lap(t.Context())
	require.NoError(t, c.Ready(t.Context()))
}

func TestALegThatHangsForEverIsLeftAloneAndSeen(t *testing.T) {
	t.Parallel()
	at := newClock()
	c := New(Options{MaxAge: 20 * time.Millisecond, Now: at.now})
	hang, begun := make(chan struct{}), make(chan struct{})
	var runs atomic.Int32
	c.Add(Leg{"hub", func(context.Context, string) error {
		if runs.Add(1) == 1 {
			close(begun)
		}
		<-hang
		return nil
	}})
	c.Lap(t.Context())
	<-begun // perhaps behind its lap
	for range 2 {
		c.Lap(t.Context())
	}
	require.EqualValues(t, 1, runs.Load())
	at.advance(time.Second)
	require.Error(t, c.Ready(t.Context()))
	close(hang)
	require.Eventually(t, func() bool { c.Lap(t.Context()); return c.Ready(t.Context()) == nil }, time.Minute, time.Millisecond)
}

func TestATokenThatComesBackByAnotherEndsItsLegAndAnOldOneDoesNot(t *testing.T) {
	t.Parallel()
	at := newClock()
	c := New(Options{MaxAge: 50 * time.Millisecond, Now: at.now})
	sent := make(chan string, 1)
	c.Add(c.Leg("outbox", func(_ context.Context, token string) error { sent <- token; return nil }))
	arrive := func(token string) {
		payload, err := json.Marshal(token)
		require.NoError(t, err)
		c.Arrived(t.Context(), payload)
	}
	c.Lap(t.Context())
	old := <-sent
	require.Eventually(t, func() bool { return len(c.legs[0].busy) == 0 }, time.Minute, time.Millisecond, "it ends with its lap, or soon after")
	at.advance(time.Second)
	require.Error(t, c.Ready(t.Context()))
	go func() { arrive(old); arrive(<-sent) }()
	c.opts.MaxAge = time.Minute
	c.Lap(t.Context())
	require.Zero(t, c.Age())
	c.Arrived(t.Context(), []byte("no JSON"))
}

func TestRedisIsARoundTripByPublishAndSubscribe(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{Addr: dbtest.Redis(t), DialTimeout: time.Minute, ReadTimeout: time.Minute, MaxRetries: -1})
	defer func() { require.NoError(t, client.Close()) }()
	r := NewRedis(client, "node")
	defer func() { require.NoError(t, r.Close()) }()
	require.NoError(t, r.trip(t.Context(), "1"))
	require.NoError(t, client.Publish(t.Context(), "realtime:canary:node", "of somebody else").Err())
	require.NoError(t, r.trip(t.Context(), "2"))

	// A server that answers PING and passes nothing on: a ping does not see it.
	require.NoError(t, client.Do(t.Context(), "ACL", "SETUSER", "default", "resetchannels").Err())
	require.NoError(t, client.Ping(t.Context()).Err())
	short, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	require.Error(t, r.trip(short, "3"))
	require.NoError(t, client.Do(t.Context(), "ACL", "SETUSER", "default", "allchannels").Err())
	require.Eventually(t, func() bool { return r.trip(t.Context(), "4") == nil }, time.Minute, 10*time.Millisecond)
	require.NoError(t, client.Do(t.Context(), "CLIENT", "KILL", "TYPE", "pubsub").Err())
	require.Eventually(t, func() bool { return r.trip(t.Context(), "5") == nil }, time.Minute, 10*time.Millisecond,
		"the subscription is made again")
}
