//go:build faults

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/citaplanner/realtime/pkg/contract"
)

// follower is a user's page during a trial: it comes back by itself, drops by its id what it knows already, and reads the
// list of notifications when it is back, as the app does.
type follower struct {
	url, user, tenant, token string
	wanders                  bool // goes away and comes back for no reason
	catching                 sync.WaitGroup

	mu      sync.Mutex
	conn    *raw                 // nil while it is away
	byEvent map[string]time.Time // ids of notifications
	byList  map[string]time.Time
	created map[string]int // appointment:created by appointment
	viewed  map[string]bool
	dropped int        // notifications that came again
	away    []interval // the last one has no end while it is away
	wrong   []string
}

type interval struct{ from, to time.Time }

func newFollower(url, user, tenant, token string) *follower {
	return &follower{url: url, user: user, tenant: tenant, token: token, byEvent: map[string]time.Time{}, byList: map[string]time.Time{},
		created: map[string]int{}, viewed: map[string]bool{}}
}

// run lives until ctx ends.
func (f *follower) run(ctx context.Context, rng *rand.Rand) {
	defer f.catching.Wait()
	left := time.Now()
	for ctx.Err() == nil {
		c, err := f.connect()
		if err != nil {
			pause(ctx, 50*time.Millisecond)
			continue
		}
		f.back(c)
		since := left.Add(-time.Minute) // a row is as old as the beginning of its transaction
		f.catching.Go(func() { f.catchUp(ctx, since) })
		stay, leave := ctx, func() {}
		if f.wanders {
			stay, leave = context.WithTimeout(ctx, time.Second+time.Duration(rng.Int64N(int64(3*time.Second))))
		}
		f.listen(stay, c)
		leave()
		c.close()
		left = time.Now()
		if ctx.Err() != nil {
			return
		}
		f.gone(left)
		if f.wanders {
			pause(ctx, time.Duration(rng.Int64N(int64(2*time.Second))))
		}
	}
}

// pause waits a moment, as a client does before it tries again.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// connect returns a connection that is signed in.
func (f *follower) connect() (*raw, error) {
	c, err := dial(f.url, f.token)
	if err != nil {
		return nil, err
	}
	refused := false
	err = c.until("an answer", func(p []string) bool {
		refused = contains(p, "4{")
		return refused || contains(p, `2["connection:success"`)
	})
	if err == nil && refused {
		err = fmt.Errorf("refused: %s", c.all())
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (f *follower) back(c *raw) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conn = c
	if n := len(f.away); n > 0 {
		f.away[n-1].to = time.Now()
	}
}

func (f *follower) gone(at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conn = nil
	f.away = append(f.away, interval{from: at})
}

// losses is how often it has lost its connection; connected whether it has one.
func (f *follower) losses() (n int, connected bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.away), f.conn != nil
}

// listen takes events until the connection or ctx ends.
func (f *follower) listen(ctx context.Context, c *raw) {
	for {
		c.mu.Lock()
		packets, err, changed := c.packets, c.err, c.changed
		c.packets, c.came = nil, nil
		c.mu.Unlock()
		for _, p := range packets {
			f.take(p)
		}
		if err != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

func (f *follower) take(packet string) {
	var event []json.RawMessage
	var name string
	if !strings.HasPrefix(packet, "2[") || json.Unmarshal([]byte(packet[1:]), &event) != nil || len(event) < 2 ||
		json.Unmarshal(event[0], &name) != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch name {
	case contract.EventNotificationNew:
		var n contract.Notification
		if json.Unmarshal(event[1], &n) != nil || n.UserID != f.user || n.TenantID != f.tenant {
			f.wrong = append(f.wrong, packet)
			return
		}
		if f.knows(n.ID) {
			f.dropped++
		}
		f.byEvent[n.ID] = time.Now()
	case contract.EventAppointmentCreated:
		var v struct {
			Appointment struct{ AppointmentID string }
		}
		if json.Unmarshal(event[1], &v) != nil || f.tenant != "tenant-a" {
			f.wrong = append(f.wrong, packet)
			return
		}
		f.created[v.Appointment.AppointmentID]++
	case contract.EventUserViewingCalendar:
		var v struct{ Date string }
		_ = json.Unmarshal(event[1], &v)
		f.viewed[v.Date] = true
	}
}

// knows is called with mu held.
func (f *follower) knows(id string) bool { return !f.byEvent[id].IsZero() || !f.byList[id].IsZero() }

func (f *follower) sawViewing(date string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.viewed[date]
}

func (f *follower) send(packet string) error {
	f.mu.Lock()
	c := f.conn
	f.mu.Unlock()
	if c == nil {
		return fmt.Errorf("%s is away", f.user)
	}
	return c.send(packet)
}

// catchUp reads the list, newest first, back to a time, again until it is answered.
func (f *follower) catchUp(ctx context.Context, since time.Time) {
	cursor := ""
	for ctx.Err() == nil {
		got, err := call("GET", f.url+"/api/notifications?limit=100&cursor="+url.QueryEscape(cursor), "", "Authorization", "Bearer "+f.token)
		if err != nil || got.status != http.StatusOK {
			pause(ctx, 100*time.Millisecond)
			continue
		}
		var list struct {
			Notifications []struct {
				ID        string
				CreatedAt time.Time
			}
			Pagination struct{ NextCursor string }
		}
		if err := json.Unmarshal([]byte(got.body), &list); err != nil {
			f.mu.Lock()
			f.wrong = append(f.wrong, got.body)
			f.mu.Unlock()
			return
		}
		now, older := time.Now(), false
		f.mu.Lock()
		for _, n := range list.Notifications {
			if f.byList[n.ID].IsZero() {
				f.byList[n.ID] = now
			}
			older = older || n.CreatedAt.Before(since)
		}
		f.mu.Unlock()
		if cursor = list.Pagination.NextCursor; cursor == "" || older {
			return
		}
	}
}

// wasAway reports whether it was away at some time between the two.
func (f *follower) wasAway(from, to time.Time) bool {
	for _, a := range f.away {
		if a.from.Before(to) && (a.to.IsZero() || a.to.After(from)) {
			return true
		}
	}
	return false
}
