package hub

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/identity"
	"github.com/citaplanner/realtime/internal/presence"
	"github.com/citaplanner/realtime/internal/returning"
	"github.com/citaplanner/realtime/internal/sio"
	"github.com/citaplanner/realtime/pkg/contract"
	"github.com/citaplanner/realtime/pkg/engineio"
)

// Why the hub ends a connection. Reconnects tells whether the unchanged client comes back by itself: it does after a
// closed transport, it does not after a DISCONNECT packet.
var (
	reasonInactive = sio.Reason{Text: "user inactive", Label: "user_inactive"}
	reasonMoved    = sio.Reason{Text: "tenant changed", Label: "tenant_changed", Reconnects: true}
	reasonRole     = sio.Reason{Text: "role changed", Label: "role_changed", Reconnects: true}
	reasonExpired  = sio.Reason{Text: "session expired", Label: "session_expired", Reconnects: true}
)

// expiryTolerance is the clock tolerance of the token check (contract/auth.md): ending a session earlier would let the
// client straight back in, again and again.
const expiryTolerance = 15 * time.Second

// authenticate answers CONNECT.
func (h *Hub) authenticate(ctx context.Context, hs sio.Handshake) (any, *sio.ConnectError) {
	start := h.opts.Now()
	req := identity.Request{AuthToken: hs.Auth["token"]}
	if first := hs.Conn.Handshake(); first != nil {
		req.Header, req.Host, req.Method = first.Header, first.Host, "GET"
		req.WebSocket = first.Query.Get("transport") == "websocket"
	}
	req.Proof, _ = hs.Opened.(*identity.Proof)
	u, err := h.deps.Identity.Authenticate(ctx, req)
	if err != nil {
		e := contract.AsError(err)
		h.opts.Metrics.refusals.WithLabelValues(string(e.Code)).Inc()
		level := slog.LevelDebug // the metric counts them; a hostile client must not fill the log
		if e.Code == contract.CodeAuthDown || e.Code == contract.CodeInternal {
			e = contract.Wrap(contract.CodeAuthDown, "Authentication failed", err)
			if !errors.Is(err, context.Canceled) { // a client that left is no outage
				level = slog.LevelError
			}
		}
		h.opts.Logger.Log(ctx, level, "socket refused", slog.String("code", string(e.Code)), slog.Any("cause", e.Cause))
		return nil, &sio.ConnectError{Message: e.Message, Data: contract.ConnectErrorData{Code: e.Code}}
	}
	if most := h.opts.MaxPerUser; most > 0 && h.socketsOf(u.ID) >= most {
		h.opts.Metrics.refusals.WithLabelValues(string(contract.CodeRateLimited)).Inc()
		return nil, &sio.ConnectError{Message: textTooManySockets,
			Data: contract.ConnectErrorData{Code: contract.CodeRateLimited, RetryAfter: time.Minute.Milliseconds()}}
	}
	h.opts.Metrics.signIn.Observe(h.opts.Now().Sub(start).Seconds())
	return &session{user: u, events: h.opts.Events.Bucket()}, nil
}

// connected runs after the CONNECT packet was queued and before any event of the socket.
func (h *Hub) connected(s *sio.Socket) {
	ses := s.Data().(*session)
	ses.socket = s
	if !s.Recovered() {
		ses.anew()
	}
	u := ses.user
	now := h.opts.Now()
	h.add(ses)
	s.Join(contract.TenantRoom(u.TenantID), contract.UserRoom(u.ID), contract.RoleRoom(u.Role, u.TenantID))
	h.emit(ses, contract.EventConnectionSuccess, contract.ConnectionSuccess{
		UserID: u.ID, TenantID: u.TenantID, Role: u.Role, Timestamp: contract.At(now)})
	h.presence.Join(presence.Member{SocketID: s.ID(), UserID: u.ID, TenantID: u.TenantID, Email: u.Email})
	if s.Recovered() {
		h.resume(ses)
	} else if h.deps.Missed != nil { // a recovered socket has missed nothing
		for _, m := range h.deps.Missed(u.TenantID, u.ID, u.Role) {
			h.emit(ses, m.Name, m.Payload)
		}
	}
	ses.before = nil
	h.returned(ses)
	h.watchExpiry(ses, now)
	h.opts.Metrics.sockets.Inc()
	h.opts.Logger.Debug("socket connected", slog.String("socket", s.ID()), slog.String("user", u.ID))
}

// disconnected runs once for each connected, last.
func (h *Hub) disconnected(s *sio.Socket, reason string) {
	ses := h.remove(s.ID())
	if ses == nil {
		return
	}
	ses.stopTimers()
	heard := h.opts.Now()
	if reason == engineio.ClosePingTimeout.Text { // what was sent since the last answer may have reached nobody
		heard = heard.Add(-h.silence())
	}
	editing := h.presence.Lost(s.ID(), heard)
	ses.editing.Store(&editing)
	h.opts.Metrics.sockets.Dec()
	h.opts.Metrics.disconnects.WithLabelValues(reason).Inc()
}

// tenantOf says by whose account a socket's events are kept for its client to come back (see sio.Recovery).
func tenantOf(data any) string {
	if ses, ok := data.(*session); ok {
		return ses.user.TenantID
	}
	return ""
}

// restore lets a client come back to its socket when the credential that it shows now is worth the same as the one before:
// what was sent meanwhile was for that user, tenant and role.
func restore(before, now any) (data any, ok bool) {
	b, ok := before.(*session)
	n, ok2 := now.(*session)
	if !ok || !ok2 || b.user.ID != n.user.ID || b.user.TenantID != n.user.TenantID || b.user.Role != n.user.Role ||
		b.user.Portal != n.user.Portal {
		return nil, false
	}
	n.before = b
	n.place.Keep(&b.place)
	// Until resume it is saved so.
	n.editing.Store(b.editing.Load())
	if b.events != nil { // coming back is no way to a new limit; coming from another process is
		n.events = b.events
	}
	return n, true
}

// anew forgets what restore took over from a session that its client did not get back: too much was missed.
func (s *session) anew() {
	s.before = nil
	s.place.Keep(&returning.Place{})
	s.editing.Store(nil)
}

// saved is a session as other processes have to know it.
type saved struct {
	User    string        `json:"u"`
	Tenant  string        `json:"t"`
	Role    contract.Role `json:"r"`
	Portal  bool          `json:"p,omitempty"`
	Editing []string      `json:"e,omitempty"`
}

// save and load are sio.Recovery's.
func (h *Hub) save(socketID string, data any) ([]byte, error) {
	ses := data.(*session)
	s := saved{User: ses.user.ID, Tenant: ses.user.TenantID, Role: ses.user.Role, Portal: ses.user.Portal}
	if lost := ses.editing.Load(); lost != nil {
		s.Editing = *lost
	} else {
		s.Editing = h.presence.EditedBy(socketID)
	}
	return json.Marshal(s)
}

func load(b []byte) (any, error) {
	var s saved
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, err
	}
	ses := &session{user: identity.User{ID: s.User, TenantID: s.Tenant, Role: s.Role, Portal: s.Portal}}
	ses.editing.Store(&s.Editing)
	return ses, nil
}

// resume gives a recovered socket back what the page believes to be so: it says it once, and not after each connection.
func (h *Hub) resume(ses *session) {
	if editing := ses.before.editing.Load(); editing != nil {
		for _, id := range *editing {
			h.presence.Edit(ses.socket.ID(), id)
		}
	}
	ses.editing.Store(nil) // from here on presence knows
}

// returned tells a socket that joined what its user has missed.
func (h *Hub) returned(ses *session) {
	if h.deps.Returns == nil {
		return
	}
	how := returning.Anew
	since, lost := ses.socket.Lost()
	switch {
	case ses.socket.Doubtful(): // the inbox makes good what a crash took; what came is dropped by its id
		how = returning.Doubtful
	case ses.socket.Recovered():
		how = returning.Recovered
	case lost:
		how = returning.Lost
	}
	for _, e := range h.deps.Returns.Joined(ses.user.Owner(), how, since, &ses.place) {
		h.emit(ses, e.Name, e.Payload)
	}
}

// gone hears from presence who left.
func (h *Hub) gone(tenantID, userID string, left time.Time) {
	if h.deps.Returns != nil {
		h.deps.Returns.Left(tenantID, userID, left, h.stopping.Load())
	}
}

// silence is how long a client that is gone without a word counts as there.
func (h *Hub) silence() time.Duration {
	return h.opts.Socket.Engine.PingInterval + h.opts.Socket.Engine.PingTimeout
}

// watchExpiry tells the socket before its session ends, and ends it then.
func (h *Hub) watchExpiry(ses *session, now time.Time) {
	left := ses.user.ExpiresAt.Sub(now)
	ses.expiry.Lock()
	defer ses.expiry.Unlock()
	notice := max(left-h.opts.ExpiryNotice, 0)
	ses.expiry.timer = time.AfterFunc(notice, func() {
		if !ses.expiry.noticed {
			ses.expiry.noticed = true // one timer for both: there is one a socket
			h.emit(ses, contract.EventAuthExpiring, contract.AuthExpiring{ExpiresAt: contract.At(ses.user.ExpiresAt)})
			ses.rearm(max(left, 0) + expiryTolerance - notice)
			return
		}
		ses.socket.Kick(reasonExpired)
	})
}

func (s *session) rearm(d time.Duration) {
	s.expiry.Lock()
	defer s.expiry.Unlock()
	if !s.expiry.stopped {
		s.expiry.timer.Reset(d)
	}
}

func (s *session) stopTimers() {
	s.expiry.Lock()
	defer s.expiry.Unlock()
	s.expiry.stopped = true
	s.expiry.timer.Stop()
}

// AccountChanged ends the connections of a user whose right has changed; identity calls it.
func (h *Hub) AccountChanged(id string, now store.Account, found bool) {
	h.sio.Forget(func(data any) bool {
		ses, ok := data.(*session)
		return ok && ses.user.ID == id && (!found || !now.Active || now.TenantID != ses.user.TenantID ||
			now.Role != ses.user.Role || now.Portal != ses.user.Portal)
	})
	for _, ses := range h.sessionsOf(id) {
		switch {
		case !found || !now.Active:
			ses.socket.Kick(reasonInactive)
		case now.TenantID != ses.user.TenantID:
			ses.socket.Kick(reasonMoved)
		case now.Role != ses.user.Role || now.Portal != ses.user.Portal:
			ses.socket.Kick(reasonRole)
		}
	}
}

// socketsOf counts the sockets of a user. Sign-ins that are under way do not count yet: a few more than MaxPerUser may get
// in at the same moment.
func (h *Hub) socketsOf(userID string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.users[userID])
}

func (h *Hub) sessionsOf(userID string) []*session {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.users[userID])
}

func (h *Hub) add(ses *session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sockets[ses.socket.ID()] = ses
	h.users[ses.user.ID] = append(h.users[ses.user.ID], ses)
}

func (h *Hub) remove(socketID string) *session {
	h.mu.Lock()
	defer h.mu.Unlock()
	ses := h.sockets[socketID]
	if ses == nil {
		return nil
	}
	delete(h.sockets, socketID)
	of := h.users[ses.user.ID]
	if len(of) == 1 {
		delete(h.users, ses.user.ID)
		return ses
	}
	h.users[ses.user.ID] = slices.DeleteFunc(of, func(other *session) bool { return other == ses })
	return ses
}
