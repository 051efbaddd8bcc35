package hub

import (
	"context"
	"log/slog"

	"github.com/citaplanner/realtime/internal/notify"
	"github.com/citaplanner/realtime/internal/presence"
	"github.com/citaplanner/realtime/internal/returning"
	"github.com/citaplanner/realtime/internal/sio"
	"github.com/citaplanner/realtime/internal/wire"
	"github.com/citaplanner/realtime/pkg/contract"
)

var (
	_ notify.Broadcaster    = (*Hub)(nil)
	_ presence.Announcer    = (*Hub)(nil)
	_ returning.Broadcaster = (*Hub)(nil)
)

// ToUser sends to the sockets of a user that signed in under that tenant. It returns how many sockets it was queued for.
func (h *Hub) ToUser(_ context.Context, tenantID, userID, event string, payload any) (int, error) {
	return h.send(tenantID, sio.Target{Rooms: []string{contract.UserRoom(userID)}}, event, payload)
}

// ToJoined is ToUser for the sockets that t is meant for alone.
func (h *Hub) ToJoined(_ context.Context, tenantID, userID string, t returning.Telling, event string, payload any) (int, error) {
	joined := func(s *sio.Socket) bool { ses, ok := s.Data().(*session); return ok && ses.place.Meant(t) }
	return h.send(tenantID, sio.Target{Rooms: []string{contract.UserRoom(userID)}, Only: joined}, event, payload)
}

// TenantOf is the tenant under which a user's sockets signed in. It is not known of who has none, nor while a user who was
// moved still has sockets of both.
func (h *Hub) TenantOf(userID string) (tenantID string, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, ses := range h.users[userID] {
		if ok && ses.user.TenantID != tenantID {
			return "", false
		}
		tenantID, ok = ses.user.TenantID, true
	}
	return tenantID, ok
}

// Here reports whether a user has a socket that signed in under the tenant.
func (h *Hub) Here(tenantID, userID string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, ses := range h.users[userID] {
		if ses.user.TenantID == tenantID {
			return true
		}
	}
	return false
}

// Connected reports whether somebody of a tenant has a socket.
func (h *Hub) Connected(tenantID string) bool { return h.sio.InRoom(contract.TenantRoom(tenantID)) > 0 }

// ToTenant sends to every socket of a tenant.
func (h *Hub) ToTenant(_ context.Context, tenantID, event string, payload any) (int, error) {
	return h.send(tenantID, sio.Target{Rooms: []string{contract.TenantRoom(tenantID)}}, event, payload)
}

// ToRole sends to every socket of a role of a tenant.
func (h *Hub) ToRole(_ context.Context, tenantID string, role contract.Role, event string, payload any) (int, error) {
	return h.send(tenantID, sio.Target{Rooms: []string{contract.RoleRoom(role, tenantID)}}, event, payload)
}

// ToTenantExcept sends to every socket of a tenant but one.
func (h *Hub) ToTenantExcept(tenantID, exceptSocket, event string, payload any) {
	_, err := h.send(tenantID, sio.Target{Rooms: []string{contract.TenantRoom(tenantID)}, Except: exceptSocket}, event, payload)
	h.logSend(event, err)
}

// ToSocket sends to one socket.
func (h *Hub) ToSocket(socketID, event string, payload any) {
	h.mu.Lock()
	ses := h.sockets[socketID]
	h.mu.Unlock()
	if ses != nil {
		h.emit(ses, event, payload)
	}
}

// send is the one way to a room. Whatever the room, a socket of another tenant is left out: a user who was moved keeps
// the old tenant's socket for up to a minute, and tenant and user ids come from outside.
func (h *Hub) send(tenantID string, t sio.Target, event string, payload any) (int, error) {
	only := t.Only
	t.Only = func(s *sio.Socket) bool {
		ses, ok := s.Data().(*session)
		return ok && ses.user.TenantID == tenantID && (only == nil || only(s))
	}
	t.Group = tenantID
	m, err := h.sio.Encode(t, event, payload)
	if err != nil {
		return 0, err
	}
	to := h.sio.Recipients(t)
	n, err := h.pacer.send(tenantID, len(to), m.Size(), func(from, until int) int { return h.sio.Send(m, to[from:until], until < len(to)) })
	h.opts.Metrics.sent(event, n)
	if err == nil && h.opts.Wire.Watched() {
		h.opts.Wire.Record(wire.Event{TenantID: tenantID, Direction: wire.Out, Name: event, Peer: t.Rooms[0], Sockets: n}, payload)
	}
	return n, err
}

func (h *Hub) emit(ses *session, event string, payload any) {
	emit := ses.socket.Emit
	if event == contract.EventConnectionSuccess || event == contract.EventPresenceState { // as connected sends them
		emit = ses.socket.EmitRenewed
	}
	h.logSend(event, emit(event, payload))
	h.opts.Metrics.sent(event, 1)
	if h.opts.Wire.Watched() {
		h.opts.Wire.Record(wire.Event{TenantID: ses.user.TenantID, Direction: wire.Out, Name: event,
			Peer: contract.UserRoom(ses.user.ID), Sockets: 1}, payload)
	}
}

func (h *Hub) logSend(event string, err error) {
	switch {
	case contract.CodeOf(err) == contract.CodeRateLimited: // counted, and not the server's fault
	case err != nil:
		h.opts.Logger.Error("an event could not be sent", slog.String("event", event), slog.Any("error", err))
	}
}
