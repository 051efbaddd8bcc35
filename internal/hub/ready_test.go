package hub

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReadinessShowsALockThatIsHeldForEver(t *testing.T) {
	h, err := New(Deps{}, Options{})
	require.NoError(t, err)
	require.NoError(t, h.Ready(t.Context()))

	h.mu.Lock()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, h.Ready(ctx), errWedged)
	require.ErrorIs(t, h.Ready(t.Context()), errWedged, "and no second probe is left hanging")
	h.mu.Unlock()
	require.Eventually(t, func() bool { return h.Ready(t.Context()) == nil }, 10*time.Second, time.Millisecond)
}
