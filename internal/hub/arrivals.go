package hub

import (
	"context"
	"sync"
	"time"

	"github.com/citaplanner/realtime/internal/identity"
	"github.com/citaplanner/realtime/pkg/engineio"
)

// The front end in use attaches its listeners when something re-renders it while its sockets are connected already, and
// the answer to its first list of notifications is often that something (contract/frontend.md, "Connection"). An answer
// that overtakes CONNECT makes it deaf. So the list waits for the sockets that are on their way.

// showUp is how long a page may take until its first handshake is seen: it sends the handshakes and the list request
// together, but over several TCP connections, some of which it has to open first: a round trip more. That the user has
// sockets already says nothing: they may be another tab's, or those of the page before a reload. It is 150 ms of the
// default second; who lets lists wait longer, for slow networks or machines, gives a page as much more.
func (h *Hub) showUp() time.Duration { return max(150*time.Millisecond, h.opts.ArrivalWait*3/20) }

// maxLinger bounds how long a socket counts as on its way after CONNECT's answer was sent. That answer and the list's
// travel on different TCP connections. Between the handshake's answer and CONNECT lay at least a round trip of the client:
// half of it again lets the one arrive before the other. It is 100 ms of the default second, and more as showUp is.
func (h *Hub) maxLinger() time.Duration { return max(100*time.Millisecond, h.opts.ArrivalWait/10) }

// arrivals counts the sockets of each user that are between their first request and the answer to CONNECT.
type arrivals struct {
	mu      sync.Mutex
	of      map[string]*arriving // by user id; only those who have some
	awaited map[string]*awaiting // by user id; those of whom a page has asked before its first socket came
}

type arriving struct {
	n    int
	none chan struct{} // closed when n is 0
}

type awaiting struct {
	pages int
	some  chan struct{} // closed when the user's first socket is on its way
}

func newArrivals() *arrivals {
	return &arrivals{of: map[string]*arriving{}, awaited: map[string]*awaiting{}}
}

func (a *arrivals) begin(user string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.of[user] == nil {
		a.of[user] = &arriving{none: make(chan struct{})}
		if w := a.awaited[user]; w != nil {
			close(w.some)
			delete(a.awaited, user)
		}
	}
	a.of[user].n++
}

func (a *arrivals) end(user string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	one := a.of[user]
	if one.n--; one.n == 0 {
		delete(a.of, user)
		close(one.none)
	}
}

// on returns a channel that is closed when none of the user's sockets is on its way any more; nil when none is now.
func (a *arrivals) on(user string) (none <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if one := a.of[user]; one != nil {
		return one.none
	}
	return nil
}

// await returns when a socket of the user is on its way, or when ctx ends.
func (a *arrivals) await(ctx context.Context, user string) {
	a.mu.Lock()
	if a.of[user] != nil {
		a.mu.Unlock()
		return
	}
	w := a.awaited[user]
	if w == nil {
		w = &awaiting{some: make(chan struct{})}
		a.awaited[user] = w
	}
	w.pages++
	a.mu.Unlock()
	select {
	case <-w.some:
	case <-ctx.Done():
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if w.pages--; w.pages == 0 && a.awaited[user] == w {
		delete(a.awaited, user)
	}
}

// opened hears of a connection's first request. A proven session is enough to wait for, and costs no query.
func (h *Hub) opened(c *engineio.Conn) (proof any, arrived func()) {
	first := c.Handshake()
	p := h.deps.Identity.Prove(identity.Request{Header: first.Header, Host: first.Host,
		WebSocket: first.Query.Get("transport") == engineio.WebSocket})
	if p == nil {
		return nil, nil
	}
	user, start := p.Subject(), time.Now()
	h.arrivals.begin(user)
	end := sync.OnceFunc(func() { h.arrivals.end(user) })
	late := time.AfterFunc(h.opts.ArrivalWait, end) // a client that never sends CONNECT is waited for once, not for ever
	return p, func() {
		took := time.Since(start)
		// A browser has six connections to a host, and four or five sockets use two each: the poll that fetches CONNECT's
		// answer may have to queue.
		c.Flushed(func() {
			late.Stop()
			linger := min(took/2, h.maxLinger())
			if c.Closed() {
				linger = 0
			}
			time.AfterFunc(linger, end)
		})
	}
}

// Settle returns when no socket of the user is between its first request and CONNECT, or after Options.ArrivalWait, or
// when ctx ends. page says that a page asks, which may be about to open its first socket.
func (h *Hub) Settle(ctx context.Context, userID string, page bool) {
	if h.opts.ArrivalWait <= 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, h.opts.ArrivalWait)
	defer cancel()
	if page {
		soon, done := context.WithTimeout(ctx, h.showUp())
		h.arrivals.await(soon, userID)
		done()
	}
	if none := h.arrivals.on(userID); none != nil {
		select {
		case <-none:
		case <-ctx.Done():
		}
	}
}
