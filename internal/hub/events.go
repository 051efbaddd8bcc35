package hub

import (
	"context"
	"errors"
	"log/slog"
	"time"
	"unicode/utf8"

	"github.com/citaplanner/realtime/internal/limits"
	"github.com/citaplanner/realtime/internal/sio"
	"github.com/citaplanner/realtime/internal/wire"
	"github.com/citaplanner/realtime/pkg/contract"
)

// maxID and maxText bound, in bytes, what a client may name.
const (
	maxID   = 200
	maxText = 64
)

// What a person may get to read is in Spanish, as everywhere in the app.
const (
	textBadNotification = "Identificador de notificación inválido"
	textReadFailed      = "No se pudo marcar la notificación como leída"
	textReadAllFailed   = "No se pudieron marcar las notificaciones como leídas"
	textBadPayload      = "Datos inválidos"
	textUnknownEvent    = "Evento desconocido"
	textNoAppointment   = "Cita no encontrada"
	textTooManyEdits    = "Demasiadas citas en edición"
	textTooManyEvents   = "Demasiadas solicitudes, espera un momento"
	textTooManySockets  = "Demasiadas conexiones de este usuario"
	textTryAgain        = "Servicio no disponible, inténtalo de nuevo"
)

var (
	clientEvents = set(contract.ClientEvents()...)
	serverEvents = set(contract.ServerEvents()...)
)

// errBadPayload is what a handler answers to a payload of no known form.
var errBadPayload = contract.NewError(contract.CodeInvalid, textBadPayload)

// event handles one event of a client, in the connection's order. Whatever the client sent, the socket stays and the
// answer is an acknowledgement, an …:error event where there is one, or silence and a counter.
func (h *Hub) event(s *sio.Socket, e sio.Event) {
	ses, ok := s.Data().(*session)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), h.opts.EventTimeout)
	defer cancel()
	if h.opts.Wire.Watched() {
		h.opts.Wire.Record(wire.Event{TenantID: ses.user.TenantID, Direction: wire.In, Name: e.Name,
			Peer: contract.UserRoom(ses.user.ID)}, e.Args)
	}
	answer, err := h.limited(ctx, ses, e)
	name, result := e.Name, "ok"
	if !clientEvents[name] {
		name = "other"
	}
	if err != nil {
		code := contract.CodeOf(err)
		result = string(code)
		if code == contract.CodeInternal || code == contract.CodeUnavailable {
			h.opts.Logger.Error("client event failed", slog.String("event", name), slog.Any("error", err))
		}
	}
	h.opts.Metrics.in.WithLabelValues(name, result).Inc()
	if e.Ack == nil {
		return
	}
	if answer == nil {
		answer = map[string]any{}
	}
	answer["success"] = err == nil
	if err != nil {
		answer["error"] = userText(err)
		if e := contract.AsError(err); e.RetryAfter > 0 {
			answer["code"], answer["retryAfter"] = e.Code, milliseconds(e.RetryAfter)
		}
	}
	h.logSend("ack", e.Ack(answer))
}

// limited is handle, unless the socket sends events too often: then the event is refused as its own error says.
func (h *Hub) limited(ctx context.Context, ses *session, e sio.Event) (map[string]any, error) {
	after, ok := limits.Take(ses.events, h.opts.Now(), 1)
	if ok {
		return h.handle(ctx, ses, e)
	}
	err := &contract.Error{Code: contract.CodeRateLimited, Message: textTooManyEvents, RetryAfter: after}
	switch e.Name {
	case contract.EventNotificationRead:
		var id string
		if len(e.Args) > 0 {
			id, _ = idArg(e.Args[0], "notificationId")
		}
		h.emit(ses, contract.EventNotificationReadError, contract.NotificationReadError{NotificationID: id, Error: err.Message,
			Code: err.Code, RetryAfter: milliseconds(after)})
	case contract.EventNotificationReadAll:
		h.emit(ses, contract.EventNotificationReadAllError, contract.NotificationReadAllError{Error: err.Message,
			Code: err.Code, RetryAfter: milliseconds(after)})
	}
	return nil, err
}

// milliseconds is how JavaScript counts; a wait is never none.
func milliseconds(d time.Duration) int64 { return max(1, d.Milliseconds()) }

func (h *Hub) handle(ctx context.Context, ses *session, e sio.Event) (map[string]any, error) {
	var arg any
	if len(e.Args) > 0 {
		arg = e.Args[0]
	}
	switch e.Name {
	case contract.EventNotificationRead:
		return h.read(ctx, ses, arg)
	case contract.EventNotificationReadAll:
		return h.readAll(ctx, ses, arg)
	case contract.EventCalendarViewing:
		return nil, h.viewing(ses, arg)
	case contract.EventAppointmentEditing:
		return nil, h.edit(ctx, ses, arg)
	case contract.EventAppointmentEditingStop:
		return nil, h.stopEdit(ctx, ses, arg)
	case contract.EventPresenceUpdate:
		return nil, h.status(ses, arg)
	}
	return nil, contract.NewError(contract.CodeInvalid, textUnknownEvent)
}

func (h *Hub) read(ctx context.Context, ses *session, arg any) (map[string]any, error) {
	id, ok := idArg(arg, "notificationId")
	err := error(contract.NewError(contract.CodeInvalid, textBadNotification))
	if ok {
		if err = h.deps.Inbox.MarkRead(ctx, ses.user.Owner(), id); err == nil {
			return map[string]any{"notificationId": id}, nil
		}
	}
	text := userText(err)
	if text == textTryAgain {
		text = textReadFailed
	}
	h.emit(ses, contract.EventNotificationReadError, contract.NotificationReadError{NotificationID: id, Error: text})
	return map[string]any{"notificationId": id}, err
}

func (h *Hub) readAll(ctx context.Context, ses *session, arg any) (map[string]any, error) {
	err := error(errBadPayload)
	if m, isMap := arg.(map[string]any); arg == nil || (isMap && len(m) == 0) {
		var n int64
		if n, err = h.deps.Inbox.MarkAllRead(ctx, ses.user.Owner()); err == nil {
			return map[string]any{"count": n}, nil
		}
	}
	text := userText(err)
	if text == textTryAgain {
		text = textReadAllFailed
	}
	h.emit(ses, contract.EventNotificationReadAllError, contract.NotificationReadAllError{Error: text})
	return nil, err
}

func (h *Hub) viewing(ses *session, arg any) error {
	m, _ := arg.(map[string]any)
	date, ok := m["date"].(string)
	viewType, ok2 := m["viewType"].(string)
	if !ok || !ok2 || len(date) > maxText || len(viewType) > maxText {
		return errBadPayload
	}
	h.presence.View(ses.socket.ID(), date, viewType)
	return nil
}

func (h *Hub) edit(ctx context.Context, ses *session, arg any) error {
	id, ok := idArg(arg, "appointmentId")
	if !ok {
		return errBadPayload
	}
	if err := h.ownAppointment(ctx, ses, id); err != nil {
		return err
	}
	if !h.presence.Edit(ses.socket.ID(), id) {
		return contract.NewError(contract.CodeRateLimited, textTooManyEdits)
	}
	return nil
}

// stopEdit needs no look at the database for what the socket is known to edit.
func (h *Hub) stopEdit(ctx context.Context, ses *session, arg any) error {
	id, ok := idArg(arg, "appointmentId")
	if !ok {
		return errBadPayload
	}
	if !h.presence.Editing(ses.socket.ID(), id) {
		if err := h.ownAppointment(ctx, ses, id); err != nil {
			return err
		}
	}
	h.presence.StopEdit(ses.socket.ID(), id)
	return nil
}

func (h *Hub) ownAppointment(ctx context.Context, ses *session, id string) error {
	found, err := h.deps.Appointments.Exists(ctx, ses.user.TenantID, id)
	if err != nil {
		return err
	}
	if !found {
		return contract.NewError(contract.CodeNotFound, textNoAppointment)
	}
	return nil
}

func (h *Hub) status(ses *session, arg any) error {
	status, ok := arg.(string)
	if m, isMap := arg.(map[string]any); isMap {
		status, ok = m["status"].(string)
	}
	if !ok || !h.presence.Update(ses.socket.ID(), contract.PresenceStatus(status)) {
		return errBadPayload
	}
	return nil
}

// idArg takes a bare id or an object that holds it, the two forms of contract/events.md.
func idArg(arg any, field string) (string, bool) {
	id, ok := arg.(string)
	if m, isMap := arg.(map[string]any); isMap {
		id, ok = m[field].(string)
	}
	if !ok || !validID(id) {
		return "", false
	}
	return id, true
}

// validID keeps out what PostgreSQL would refuse (U+0000) and what is no id.
func validID(id string) bool {
	if id == "" || len(id) > maxID || !utf8.ValidString(id) {
		return false
	}
	for i := range len(id) {
		if id[i] < 0x20 || id[i] == 0x7f {
			return false
		}
	}
	return true
}

// userText is the sentence of an error that a person may see.
func userText(err error) string {
	var e *contract.Error
	if errors.As(err, &e) {
		switch e.Code {
		case contract.CodeInternal, contract.CodeUnavailable:
		default:
			return e.Message
		}
	}
	return textTryAgain
}

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}
