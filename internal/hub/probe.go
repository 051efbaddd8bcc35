package hub

import (
	"context"
	"fmt"

	"github.com/citaplanner/realtime/internal/sio"
	"github.com/citaplanner/realtime/pkg/contract"
)

// What a canary is sent as: a tenant and a room that no database has.
const (
	probeTenant = "\x00canary"
	probeEvent  = "canary"
)

// touch takes the locks that every sign-in takes, for a moment: a list of all who are there would hold them for milliseconds.
func (h *Hub) touch() {
	h.presence.TenantUsers(probeTenant)
	h.socketsOf(probeTenant)
}

// Probe sends an event with the token through all that every event passes (presence, the session table, the encoder, the
// rooms, the pacer) to one subscriber of this process's own, and returns when it has it. A lock that somebody holds for
// ever holds Probe up, too: the caller does not wait longer than it wants.
func (h *Hub) Probe(ctx context.Context, token string) error {
	h.touch()
	m, err := h.sio.Encode(sio.Target{}, probeEvent, token)
	if err != nil {
		return fmt.Errorf("encode a canary: %w", err)
	}
	to := h.sio.Recipients(sio.Target{Rooms: []string{contract.TenantRoom(probeTenant)}})
	subscriber := make(chan sio.Encoded, 1)
	_, err = h.pacer.send(probeTenant, len(to)+1, m.Size(), func(int, int) int {
		h.sio.Send(m, to, false)
		subscriber <- m
		return len(to) + 1
	})
	if err != nil {
		return fmt.Errorf("send a canary: %w", err)
	}
	select {
	case got := <-subscriber:
		if got.Size() < len(token) {
			return errWedged
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
