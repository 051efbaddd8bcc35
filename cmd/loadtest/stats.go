package main

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// histogram counts durations in buckets that are about 3 % wide, from a microsecond on. Many goroutines may add.
type histogram struct {
	buckets [64 * 32]atomic.Int64
	n, max  atomic.Int64
}

func bucketOf(us uint64) int {
	if us < 32 {
		return int(us) //nolint:gosec // below 32
	}
	shift := bits.Len64(us) - 6
	return (shift+1)*32 + int(us>>shift) - 32 //nolint:gosec // a 6-bit number
}

// valueOf is the upper end of a bucket.
func valueOf(bucket int) time.Duration {
	if bucket < 32 {
		return time.Duration(bucket+1) * time.Microsecond
	}
	shift := bucket/32 - 1
	return time.Duration((bucket%32+33)<<shift) * time.Microsecond
}

func (h *histogram) add(d time.Duration) {
	h.buckets[bucketOf(uint64(max(d, 0)/time.Microsecond))].Add(1) //nolint:gosec // not negative
	h.n.Add(1)
	for old := h.max.Load(); int64(d) > old && !h.max.CompareAndSwap(old, int64(d)); old = h.max.Load() {
	}
}

// quantile is a duration that a share q of all does not exceed; 0 where there is none.
func (h *histogram) quantile(q float64) time.Duration {
	want := int64(q*float64(h.n.Load()) + 0.5)
	if want == 0 {
		return 0
	}
	var seen int64
	for i := range h.buckets {
		if seen += h.buckets[i].Load(); seen >= want {
			return min(valueOf(i), time.Duration(h.max.Load()))
		}
	}
	return time.Duration(h.max.Load())
}

func (h *histogram) reset() {
	for i := range h.buckets {
		h.buckets[i].Store(0)
	}
	h.n.Store(0)
	h.max.Store(0)
}
