// Package limits is the rate-limit primitive: token buckets by key, bounded in number. Who limits what, and what the
// refused get to see, is each package's own matter.
package limits

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Rate is how much of something is taken: PerSecond on average, Burst at once. The zero Rate is no limit.
type Rate struct {
	PerSecond float64
	Burst     int
}

// Limited reports whether there is a limit.
func (r Rate) Limited() bool { return r.PerSecond > 0 }

// Bucket makes a token bucket, full; nil where there is no limit.
func (r Rate) Bucket() *rate.Limiter {
	if !r.Limited() {
		return nil
	}
	return rate.NewLimiter(rate.Limit(r.PerSecond), max(r.Burst, 1))
}

// Take takes n tokens from a bucket at once, or none: then it says after what time trying again makes sense. A nil bucket
// has no end. More tokens than the bucket holds are taken as the whole bucket.
func Take(b *rate.Limiter, now time.Time, n int) (retryAfter time.Duration, ok bool) {
	if b == nil {
		return 0, true
	}
	r := b.ReserveN(now, min(n, b.Burst()))
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait, wait <= 0
}

// maxKeys bounds the memory of a Keyed: about 10 MB.
const maxKeys = 50_000

// Keyed is a bucket for each key. Safe for use by many goroutines.
type Keyed struct {
	rate Rate
	now  func() time.Time

	mu      sync.Mutex
	buckets map[string]*rate.Limiter
	swept   time.Time
	rest    *rate.Limiter // of all keys that there is no room for
}

// NewKeyed makes buckets of a rate; now nil is time.Now.
func NewKeyed(r Rate, now func() time.Time) *Keyed {
	if now == nil {
		now = time.Now
	}
	return &Keyed{rate: r, now: now, buckets: map[string]*rate.Limiter{}, rest: r.Bucket()}
}

// Take is the function Take for a key's bucket. The key "" has no limit.
func (k *Keyed) Take(key string, n int) (retryAfter time.Duration, ok bool) {
	if k == nil || !k.rate.Limited() || key == "" {
		return 0, true
	}
	now := k.now()
	return Take(k.bucket(key, now), now, n)
}

func (k *Keyed) bucket(key string, now time.Time) *rate.Limiter {
	k.mu.Lock()
	defer k.mu.Unlock()
	if b := k.buckets[key]; b != nil {
		return b
	}
	if len(k.buckets) >= maxKeys && !k.sweep(now) {
		return k.rest
	}
	b := k.rate.Bucket()
	k.buckets[key] = b
	return b
}

// sweep forgets the buckets that are full, which are as good as new ones, at most once a second; it reports whether there
// is room now.
func (k *Keyed) sweep(now time.Time) bool {
	if age := now.Sub(k.swept); age >= 0 && age < time.Second {
		return false
	}
	k.swept = now
	for key, b := range k.buckets {
		if b.TokensAt(now) >= float64(b.Burst()) {
			delete(k.buckets, key)
		}
	}
	return len(k.buckets) < maxKeys
}
