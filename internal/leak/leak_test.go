package leak_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/citaplanner/realtime/internal/leak"
)

func TestAGoroutineThatEndsLateIsWaitedFor(t *testing.T) {
	before := goleak.IgnoreCurrent()
	go time.Sleep(2 * time.Second) // longer than goleak waits
	require.NoError(t, leak.Wait(before))
}
