package hub

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/citaplanner/realtime/internal/limits"
	"github.com/citaplanner/realtime/pkg/contract"
)

// paceChunk is how many sockets of a paced broadcast are served at once: between chunks, others have their turn. 500
// writes take about 3 ms (make bench).
const paceChunk = 500

// perRecipient is what a recipient of a waiting broadcast counts for in a tenant's queue, in bytes: it is a pointer.
const perRecipient = 8

// pacer keeps one tenant's broadcasts from delaying another's: what is over a tenant's rate of deliveries waits in a queue
// of that tenant, in order, and is sent in chunks as the rate allows.
type pacer struct {
	rate    limits.Rate
	bytes   int // that may wait for a tenant
	now     func() time.Time
	metrics *Metrics

	mu    sync.Mutex
	lanes map[string]*lane
	hurry bool // flush was called: nothing is paced any more
	idle  chan struct{}
}

// lane is one tenant's queue.
type lane struct {
	bucket *rate.Limiter
	queue  []paced
	bytes  int
	busy   bool // a goroutine sends the queue
}

// paced is a broadcast that waits: send sends it to the recipients from…until.
type paced struct {
	recipients, bytes int
	send              func(from, until int) int
}

func newPacer(r limits.Rate, bytes int, now func() time.Time, m *Metrics) *pacer {
	if bytes <= 0 {
		bytes = 16 << 20
	}
	return &pacer{rate: r, bytes: bytes, now: now, metrics: m, lanes: map[string]*lane{}}
}

// send sends a broadcast now, or queues it, and returns to how many sockets it goes. CodeRateLimited: too much waits for
// this tenant already, and nothing was sent.
func (p *pacer) send(tenantID string, recipients, size int, send func(from, until int) int) (int, error) {
	if !p.rate.Limited() || recipients == 0 {
		return send(0, recipients), nil
	}
	now := p.now()
	p.mu.Lock()
	l := p.lane(tenantID, now)
	if !l.busy && (p.hurry || recipients <= l.bucket.Burst() && l.bucket.AllowN(now, recipients)) {
		p.mu.Unlock()
		return send(0, recipients), nil
	}
	b := paced{recipients, size + perRecipient*recipients, send}
	if l.bytes > 0 && l.bytes+b.bytes > p.bytes {
		p.mu.Unlock()
		p.metrics.paced.WithLabelValues("refused").Inc()
		return 0, &contract.Error{Code: contract.CodeRateLimited, Message: "too many broadcasts wait for this tenant",
			RetryAfter: time.Second}
	}
	l.queue = append(l.queue, b)
	l.bytes += b.bytes
	if !l.busy {
		l.busy = true
		go p.drain(l)
	}
	p.mu.Unlock()
	p.metrics.paced.WithLabelValues("queued").Inc()
	p.metrics.waiting.Add(float64(b.bytes))
	return recipients, nil
}

// maxIdleLanes is how many tenants are remembered before those are forgotten whose rate has recovered.
const maxIdleLanes = 1000

// lane finds a tenant's lane. The lock is held.
func (p *pacer) lane(tenantID string, now time.Time) *lane {
	if l := p.lanes[tenantID]; l != nil {
		return l
	}
	if len(p.lanes) >= maxIdleLanes && len(p.lanes)%maxIdleLanes == 0 {
		for id, l := range p.lanes {
			if !l.busy && l.bucket.TokensAt(now) >= float64(l.bucket.Burst()) {
				delete(p.lanes, id)
			}
		}
	}
	l := &lane{bucket: p.rate.Bucket()}
	p.lanes[tenantID] = l
	return l
}

// drain sends a lane's queue until it is empty.
func (p *pacer) drain(l *lane) {
	for {
		p.mu.Lock()
		if len(l.queue) == 0 {
			l.busy, l.queue = false, nil
			if p.idle != nil && !p.anyBusy() {
				close(p.idle)
				p.idle = nil
			}
			p.mu.Unlock()
			return
		}
		b := l.queue[0]
		l.queue[0] = paced{}
		l.queue = l.queue[1:]
		p.mu.Unlock()
		for from := 0; from < b.recipients; from += paceChunk {
			until := min(from+paceChunk, b.recipients)
			p.wait(l, until-from)
			b.send(from, until)
		}
		p.mu.Lock()
		l.bytes -= b.bytes
		p.mu.Unlock()
		p.metrics.waiting.Sub(float64(b.bytes))
	}
}

// wait waits until a lane may make n deliveries.
func (p *pacer) wait(l *lane, n int) {
	p.mu.Lock()
	hurry := p.hurry
	p.mu.Unlock()
	if hurry {
		return
	}
	now := p.now()
	time.Sleep(l.bucket.ReserveN(now, min(n, l.bucket.Burst())).DelayFrom(now))
}

func (p *pacer) anyBusy() bool {
	for _, l := range p.lanes {
		if l.busy {
			return true
		}
	}
	return false
}

// flush sends what waits without pacing, and returns when it is sent or ctx ends. Nothing is paced afterwards.
func (p *pacer) flush(ctx context.Context) {
	p.mu.Lock()
	p.hurry = true
	if !p.anyBusy() {
		p.mu.Unlock()
		return
	}
	if p.idle == nil {
		p.idle = make(chan struct{})
	}
	idle := p.idle
	p.mu.Unlock()
	select {
	case <-idle:
	case <-ctx.Done():
	}
}
