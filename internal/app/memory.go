package app

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// How much is allocated in trimEvery while something is going on, and while nothing is, in bytes.
const (
	trimEvery = 5 * time.Second
	trimBusy  = 16 << 20
	trimQuiet = 2 << 20
)

// trimmer gives the memory that a burst has needed back to the system, once, as soon as it is quiet again: a storm of
// sign-ins leaves as much garbage as there is in use, and stacks that have grown (10,000 idle connections: 25.8 KB each
// before, see make bench for now). Under load nothing is forced.
type trimmer struct{}

// Run trims until ctx ends.
func (trimmer) Run(ctx context.Context) error {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	var last uint64
	burst := true // starting up is one
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		metrics.Read(sample)
		allocated := sample[0].Value.Uint64() - last
		last = sample[0].Value.Uint64()
		switch {
		case allocated > trimBusy:
			burst = true
		case burst && allocated < trimQuiet:
			burst = false
			runtime.GC() // a collection halves a stack that is too large, once
			runtime.GC()
			debug.FreeOSMemory()
		}
	}
}
