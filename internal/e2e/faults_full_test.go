//go:build faults

package e2e_test

import (
	"testing"
	"time"
)

// TestFaults is 10,000 emits through faults of all kinds in an order of chance. make faults runs it; -seed repeats an order.
func TestFaults(t *testing.T) {
	tr := newTrial(t, trialSize{emits: 10_000, perSecond: 120, hold: 2 * time.Second, patience: 5 * time.Minute})
	var order []fault
	for range 15 {
		order = append(order, killed)
	}
	for range 3 {
		order = append(append(order, killedInAnOutage), faults...)
	}
	tr.rng.Shuffle(len(order), func(i, k int) { order[i], order[k] = order[k], order[i] })
	tr.run(order)
}
