package apidocs_test

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/pkg/contract"
)

// asyncAPI builds the document of the events.
func asyncAPI(t *testing.T) m {
	t.Helper()
	s := newSchemas(t)
	d := &asyncDoc{s: s, messages: m{}, channel: m{}, operations: m{}}
	examples := eventExamples(t)
	for _, e := range contract.ServerEventTypes() {
		key := d.message(e, examples[e.Name])
		d.operations[operationID("send", key)] = m{"action": "send", "channel": m{"$ref": channelRef}, "summary": e.Summary, "messages": []m{{"$ref": channelRef + "/messages/" + key}}}
	}
	for _, e := range contract.ClientEventTypes() {
		key := d.message(e, examples[e.Name])
		ack := d.ack(e.Ack)
		d.operations[operationID("receive", key)] = m{"action": "receive", "channel": m{"$ref": channelRef}, "summary": e.Summary,
			"messages": []m{{"$ref": channelRef + "/messages/" + key}},
			"reply":    m{"channel": m{"$ref": channelRef}, "messages": []m{{"$ref": channelRef + "/messages/" + ack}}}}
	}
	s.of(contract.ConnectErrorData{})
	return m{
		"asyncapi": "3.0.0",
		"info": m{"title": "CitaPlanner Realtime events", "version": "1.0.0", "description": "The Socket.IO events of the real-time and notification server of CitaPlanner: " +
			"namespace /, path /api/socket, protocol 5 over Engine.IO 4 (polling and WebSocket). A payload is the event's first argument. " +
			"An acknowledgement callback may follow any event of a client. A socket that is refused gets connect_error with data as ConnectErrorData. " +
			"Callers of the raw emit endpoints may send further events. Payloads may get more members, none is renamed or removed. " +
			"Times are ISO 8601 in UTC, always with three decimals. The HTTP routes are in the OpenAPI document, /api/openapi.json."},
		"defaultContentType": "application/json",
		"servers": m{"server": m{"host": "{host}", "pathname": "/api/socket", "protocol": "socket.io", "protocolVersion": "5", "description": "This server, from a page of the same origin.",
			"variables": m{"host": m{"default": "localhost:3000", "description": "Host and port of the app's page."}},
			"security":  []m{{"$ref": "#/components/securitySchemes/sessionCookie"}, {"$ref": "#/components/securitySchemes/authToken"}}}},
		"channels":   m{"socket": m{"address": "/", "title": "The namespace /", "description": "A socket is in the rooms of its tenant, its user and its role in the tenant, and in none of another tenant.", "messages": d.channel}},
		"operations": d.operations,
		"components": m{"schemas": s.all, "messages": d.messages, "securitySchemes": m{
			"sessionCookie": m{"type": "httpApiKey", "in": "cookie", "name": "next-auth.session-token", "description": "The session cookie of NextAuth 4 or Auth.js v5, which the browser sends along, from an allowed Origin."},
			"authToken":     m{"type": "userPassword", "description": "auth.token of the CONNECT packet, or Authorization: Bearer of the handshake: a session token of NextAuth 4 or Auth.js v5, or an HS256 JWT."}}},
	}
}

const channelRef = "#/channels/socket"

type asyncDoc struct {
	s                             *schemas
	messages, channel, operations m
}

// message adds an event and returns its key.
func (d *asyncDoc) message(e contract.EventType, examples []json.RawMessage) string {
	key := operationID("", e.Name)
	var forms []m
	for _, p := range e.Payloads {
		forms = append(forms, d.s.of(p))
	}
	payload := forms[0]
	if len(forms) > 1 {
		payload = m{"oneOf": forms}
	}
	if len(forms) == 1 && e.Payloads[0] == nil { // nothing, null or {} (contract/events.md)
		payload = m{"oneOf": []m{{"type": "null"}, {"type": "object", "maxProperties": 0}}}
	}
	msg := m{"name": e.Name, "title": e.Name, "summary": e.Summary, "payload": payload}
	require.NotEmpty(d.s.t, examples, "%s has no example", e.Name)
	list := make([]m, 0, len(examples))
	for _, x := range examples {
		list = append(list, m{"payload": x})
	}
	msg["examples"] = list
	d.add(key, msg)
	return key
}

func (d *asyncDoc) ack(v any) string {
	name := reflect.TypeOf(v).Name()
	key := operationID("", string(name[0]|0x20)+name[1:])
	d.add(key, m{"name": name, "title": "Acknowledgement", "summary": "What an acknowledgement callback gets.", "payload": d.s.of(v)})
	return key
}

func (d *asyncDoc) add(key string, msg m) {
	d.messages[key] = msg
	d.channel[key] = m{"$ref": "#/components/messages/" + key}
}

// eventExamples are the exact payloads that the tests of internal/notify hold, and for the other events values of their types.
func eventExamples(t *testing.T) map[string][]json.RawMessage {
	t.Helper()
	out := map[string][]json.RawMessage{}
	for _, name := range []string{"appointment_created", "appointment_updated", "appointment_deleted_row_there", "appointment_rescheduled",
		"appointment_reminder", "schedule_updated", "schedule_conflict", "calendar_refresh", "system_alert"} {
		text, err := os.ReadFile("../notify/testdata/" + name + ".json")
		require.NoError(t, err)
		var golden struct {
			Sent []struct {
				Event   string
				Payload json.RawMessage
			}
		}
		require.NoError(t, json.Unmarshal(text, &golden))
		for _, e := range golden.Sent {
			if len(out[e.Event]) == 0 {
				out[e.Event] = []json.RawMessage{e.Payload}
			}
		}
	}
	at := contract.At(time.Date(2026, 3, 2, 16, 0, 0, 0, time.UTC))
	const user, other = exampleUser, "demo-diego"
	for name, payloads := range map[string][]any{
		contract.EventConnectionSuccess:          {contract.ConnectionSuccess{UserID: user, TenantID: exampleTenant, Role: contract.RoleProfessional, Timestamp: at}},
		contract.EventNotificationReadSuccess:    {contract.NotificationRead{NotificationID: "0198f2c4-7a31-7c1e-9f0a-5d2f3b6c8e02"}},
		contract.EventNotificationReadError:      {contract.NotificationReadError{NotificationID: "cm3f8n", Error: "Notificación no encontrada"}},
		contract.EventNotificationReadAllSuccess: {contract.NotificationReadAll{Count: 3}},
		contract.EventNotificationReadAllError:   {contract.NotificationReadAllError{Error: "Demasiadas solicitudes, espera un momento", Code: contract.CodeRateLimited, RetryAfter: 20}},
		contract.EventNotificationDeleted:        {contract.NotificationRead{NotificationID: "0198f2c4-7a31-7c1e-9f0a-5d2f3b6c8e02"}},
		contract.EventUserOnline:                 {contract.UserOnline{UserID: user, Email: "ana@example.com", Timestamp: at}},
		contract.EventUserOffline:                {contract.UserOffline{UserID: user, Timestamp: at}},
		contract.EventUserPresence:               {contract.UserPresence{UserID: user, Status: contract.StatusAway, Timestamp: at}},
		contract.EventUserViewingCalendar:        {contract.UserViewingCalendar{UserID: user, Date: "2026-03-02", ViewType: "week"}},
		contract.EventEditingStarted:             {contract.Editing{UserID: user, AppointmentID: exampleAppointment}},
		contract.EventEditingStopped:             {contract.Editing{UserID: user, AppointmentID: exampleAppointment}},
		contract.EventEditingConflict:            {contract.EditingConflict{UserID: other, AppointmentID: exampleAppointment, Since: at}},
		contract.EventPresenceState:              {contract.PresenceState{Users: []contract.PresentUser{{UserID: user, Status: contract.StatusOnline, Since: at}}}},
		contract.EventAuthExpiring:               {contract.AuthExpiring{ExpiresAt: at}},
		contract.EventNotificationRead:           {"0198f2c4-7a31-7c1e-9f0a-5d2f3b6c8e02", contract.NotificationRead{NotificationID: "0198f2c4-7a31-7c1e-9f0a-5d2f3b6c8e02"}},
		contract.EventNotificationReadAll:        {nil},
		contract.EventCalendarViewing:            {contract.CalendarViewing{Date: "2026-03-02", ViewType: "week"}},
		contract.EventAppointmentEditing:         {exampleAppointment, contract.AppointmentEditing{AppointmentID: exampleAppointment}},
		contract.EventAppointmentEditingStop:     {exampleAppointment},
		contract.EventPresenceUpdate:             {contract.StatusAway, contract.PresenceUpdate{Status: contract.StatusOnline}},
	} {
		for _, p := range payloads {
			b, err := json.Marshal(p)
			require.NoError(t, err)
			out[name] = append(out[name], b)
		}
	}
	return out
}
