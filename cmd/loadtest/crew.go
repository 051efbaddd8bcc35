package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// person is a user of the app, and the session token that the load generator made.
type person struct{ ID, TenantID, Token string }

// target is a server under load.
type target struct {
	name, url, key string
	pid            int // 0: its CPU and memory are not asked for
}

// crew is a set of clients of one server.
type crew struct {
	target  target
	people  []person // by client
	clients []*client
	sink    *sink
	http    *http.Client
}

// figures is what one run measured.
type figures struct {
	Events     int64         `json:"events"` // deliveries, connects, emits: what the scenario is about
	Took       time.Duration `json:"took"`
	CPU        time.Duration `json:"cpu"` // of the server
	P50        time.Duration `json:"p50"`
	P99        time.Duration `json:"p99"`
	Worst      time.Duration `json:"worst"`
	Failed     int64         `json:"failed"` // lost, reordered, refused, broken
	MemoryEach int64         `json:"memoryEach,omitempty"`
}

func (f figures) perSecond() float64 { return float64(f.Events) / f.Took.Seconds() }
func (f figures) cpuEach() float64   { return float64(f.CPU.Microseconds()) / float64(max(f.Events, 1)) }

// connect opens a client for each of the people, so many at a time, and measures that.
func connect(ctx context.Context, t target, people []person, transport string, atOnce int) (*crew, figures, error) {
	c := &crew{target: t, people: people, clients: make([]*client, len(people)), sink: &sink{},
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 30 * time.Second}}
	var failed atomic.Int64
	var first atomic.Pointer[error]
	var times histogram
	cpu, err := cpuOf(t.pid)
	if err != nil {
		return nil, figures{}, err
	}
	start := time.Now()
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, p := range people {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			within, cancel := context.WithTimeout(ctx, 30*time.Second)
			defer cancel()
			began := time.Now()
			one, err := dial(within, c.sink, t.url, p.Token, transport)
			if err != nil {
				failed.Add(1)
				first.CompareAndSwap(nil, &err)
				return
			}
			c.clients[i] = one
			times.add(time.Since(began))
		})
	}
	wg.Wait()
	f := figures{Events: times.n.Load(), Took: time.Since(start), Failed: failed.Load(), P50: times.quantile(.5),
		P99: times.quantile(.99), Worst: time.Duration(times.max.Load())}
	after, err := cpuOf(t.pid)
	f.CPU = after - cpu
	if e := first.Load(); e != nil && failed.Load() == int64(len(people)) {
		err = errors.Join(err, fmt.Errorf("nobody could connect to %s: %w", t.name, *e))
	}
	return c, f, err
}

func (c *crew) close() {
	var wg sync.WaitGroup
	for _, one := range c.clients {
		if one != nil {
			wg.Go(one.close)
		}
	}
	wg.Wait()
	c.http.CloseIdleConnections()
}

// room is who gets what one emit endpoint's body names.
type room struct {
	path, who string // "tenant", `"tenantId":"…"`
	size      int64
}

// tenants lists the rooms of the crew's tenants.
func (c *crew) tenants() []room {
	return c.rooms("tenant", func(p person) (string, string) { return p.TenantID, fmt.Sprintf(`"tenantId":%q`, p.TenantID) })
}

// users lists the rooms of the crew's users.
func (c *crew) users() []room {
	return c.rooms("user", func(p person) (string, string) {
		return p.ID, fmt.Sprintf(`"tenantId":%q,"userId":%q`, p.TenantID, p.ID)
	})
}

func (c *crew) rooms(path string, of func(person) (key, who string)) []room {
	at := map[string]int{}
	var rooms []room
	for i, p := range c.people {
		if c.clients[i] == nil {
			continue
		}
		key, who := of(p)
		if _, known := at[key]; !known {
			at[key] = len(rooms)
			rooms = append(rooms, room{path: path, who: who})
		}
		rooms[at[key]].size++
	}
	return rooms
}

// load says how hard a run drives.
type load struct {
	lanes   int           // emits under way at once; each room belongs to one lane, so that its emits have an order
	payload int           // bytes of a message's data
	rate    float64       // deliveries a second in all; 0: as fast as they are delivered
	ahead   int64         // deliveries that may be outstanding, where rate is 0
	time    time.Duration // how long
}

var runs atomic.Int64

// fanOut emits to rooms in turn, and waits at the end for what is under way.
func (c *crew) fanOut(ctx context.Context, rooms []room, l load) (figures, error) {
	var perRound int64
	for _, r := range rooms {
		perRound += r.size
	}
	l.lanes = min(l.lanes, len(rooms))
	l.ahead = max(l.ahead, 2*perRound/int64(len(rooms)))
	run := runs.Add(1)
	broken := c.sink.broken.Load()
	c.sink.reset(run)
	var expected atomic.Int64
	pad := strings.Repeat("x", max(0, l.payload-60))
	return c.measure(func(start time.Time) error {
		errs := make([]error, l.lanes)
		var wg sync.WaitGroup
		for lane := range l.lanes {
			wg.Go(func() {
				var own []room // of this lane
				var share float64
				for i := lane; i < len(rooms); i += l.lanes {
					own = append(own, rooms[i])
					share += float64(rooms[i].size) / float64(perRound)
				}
				due := start
				for i := 0; time.Since(start) < l.time && ctx.Err() == nil; i++ {
					r := own[i%len(own)]
					at := time.Now()
					if l.rate > 0 {
						due = due.Add(time.Duration(float64(r.size) / (l.rate * share) * float64(time.Second)))
						time.Sleep(time.Until(due))
						at = due // a message that leaves late is late
					}
					for l.rate == 0 && expected.Load()-c.sink.delivered.Load() > l.ahead && time.Since(start) < l.time {
						time.Sleep(100 * time.Microsecond)
					}
					expected.Add(r.size)
					if err := c.emit(ctx, r.path, fmt.Sprintf(`{%s,"event":%q,"data":{"r":%d,"n":%d,"t":%d,"pad":%q}}`,
						r.who, benchEvent, run, i/len(own), at.UnixNano(), pad)); err != nil {
						errs[lane] = err
						return
					}
				}
			})
		}
		wg.Wait()
		for deadline := time.Now().Add(20 * time.Second); c.sink.delivered.Load() < expected.Load() && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		return errors.Join(errs...)
	}, func() (events, failed int64) {
		missing := expected.Load() - c.sink.delivered.Load()
		return c.sink.delivered.Load(), max(missing, c.sink.lost.Load()) + c.sink.reordered.Load() + c.sink.broken.Load() - broken
	})
}

// asks has every client send events and wait for their acknowledgements; each goes to the others of its tenant, too.
// Events are acknowledgements. rate is events a second of all clients, 0 is as fast as they are answered.
func (c *crew) asks(ctx context.Context, l load) (figures, error) {
	c.sink.reset(runs.Add(1))
	var failed atomic.Int64
	return c.measure(func(start time.Time) error {
		var wg sync.WaitGroup
		for i, one := range c.clients {
			if one == nil {
				continue
			}
			wg.Go(func() {
				due := start
				if l.rate > 0 { // spread over the first round
					due = due.Add(time.Duration(float64(i) / l.rate * float64(time.Second)))
				}
				for n := 0; time.Since(start) < l.time && ctx.Err() == nil; n++ {
					at := time.Now()
					if l.rate > 0 {
						due = due.Add(time.Duration(float64(len(c.clients)) / l.rate * float64(time.Second)))
						time.Sleep(time.Until(due))
						at = due
					}
					within, cancel := context.WithTimeout(ctx, 20*time.Second)
					err := one.ask(within, n, `["presence:update","`+[]string{"online", "away"}[n%2]+`"]`)
					cancel()
					if err != nil {
						failed.Add(1)
						return
					}
					c.sink.latency.add(time.Since(at))
				}
			})
		}
		wg.Wait()
		return nil
	}, func() (int64, int64) { return c.sink.acks.Load(), failed.Load() })
}

// notifies calls the emit endpoint that stores a notification for one user of the crew after the other.
func (c *crew) notifies(ctx context.Context, l load) (figures, error) {
	c.sink.reset(runs.Add(1))
	var done atomic.Int64
	return c.measure(func(start time.Time) error {
		errs := make([]error, l.lanes)
		var wg sync.WaitGroup
		for lane := range l.lanes {
			wg.Go(func() {
				due := start
				for i := lane; time.Since(start) < l.time && ctx.Err() == nil; i += l.lanes {
					p := c.people[i%len(c.people)]
					at := time.Now()
					if l.rate > 0 {
						due = due.Add(time.Duration(float64(l.lanes) / l.rate * float64(time.Second)))
						time.Sleep(time.Until(due))
						at = due
					}
					if errs[lane] = c.emit(ctx, "notification", fmt.Sprintf(`{"tenantId":%q,"userId":%q,"type":"load","message":"Carga %d"}`,
						p.TenantID, p.ID, i)); errs[lane] != nil {
						return
					}
					done.Add(1)
					c.sink.latency.add(time.Since(at))
				}
			})
		}
		wg.Wait()
		return errors.Join(errs...)
	}, func() (int64, int64) { return done.Load(), 0 })
}

// measure runs something and adds what it cost.
func (c *crew) measure(run func(start time.Time) error, count func() (events, failed int64)) (figures, error) {
	before, err := cpuOf(c.target.pid)
	if err != nil {
		return figures{}, err
	}
	start := time.Now()
	err = run(start)
	f := figures{Took: time.Since(start), P50: c.sink.latency.quantile(.5), P99: c.sink.latency.quantile(.99),
		Worst: time.Duration(c.sink.latency.max.Load())}
	f.Events, f.Failed = count()
	after, cpuErr := cpuOf(c.target.pid)
	f.CPU = after - before
	return f, errors.Join(err, cpuErr)
}

func (s *sink) reset(run int64) {
	s.run.Store(run)
	s.delivered.Store(0)
	s.lost.Store(0)
	s.reordered.Store(0)
	s.acks.Store(0)
	s.latency.reset()
}

// emit calls an emit endpoint.
func (c *crew) emit(ctx context.Context, path, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.target.url+"/api/emit/"+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.target.key)
	req.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	if err == nil && res.StatusCode != http.StatusAccepted {
		err = fmt.Errorf("%s answered /api/emit/%s with %s: %.200s", c.target.name, path, res.Status, b)
	}
	return err
}
