package hub

import (
	"context"

	"github.com/citaplanner/realtime/internal/sio"
	"github.com/citaplanner/realtime/pkg/contract"
)

// errWedged is what /readyz shows when a send does not come back.
var errWedged = contract.NewError(contract.CodeUnavailable, "events do not travel")

// Ready sends an event to nobody through all that every event passes (presence, the session table, the rooms), and fails
// when that does not come back in time: a lock that somebody holds for ever shows here, where a constant would not.
func (h *Hub) Ready(ctx context.Context) error {
	if !h.probing.CompareAndSwap(false, true) {
		if h.stuck.Load() { // one probe that hangs is enough
			return errWedged
		}
		return nil
	}
	done := make(chan error, 1)
	go func() {
		h.touch()
		_, err := h.sio.Broadcast(sio.Target{Rooms: []string{"nobody"}}, "ready")
		h.stuck.Store(false)
		h.probing.Store(false) // before the answer: who has it may ask again at once, and is to be told by a probe
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		h.stuck.Store(true)
		return errWedged
	}
}
