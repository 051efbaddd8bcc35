package apidocs_test

import (
	"strings"

	"github.com/citaplanner/realtime/db/demo"
	"github.com/citaplanner/realtime/pkg/contract"
)

// operation is one HTTP route. The list of them is written by hand; a test of internal/httpapi holds it against the routes
// that are registered, and those of internal/e2e hold it against the answers.
type operation struct {
	id, method, path, tag string
	summary, description  string
	access                string // a key of securities; "" is everybody
	params                []any
	request               any // a zero value, or a schema (m)
	example               any
	answers               map[int]reply
	problems              []int // statuses of components.responses
}

// reply is one answer that is no problem.
type reply struct {
	description string
	body        any    // a zero value, or a schema (m); nil: none
	media       string // "" is application/json
	headers     m
	example     any
}

// The tags, which are the page's chapters.
const (
	tagEmit     = "Emitting"
	tagInbox    = "Inbox"
	tagSocket   = "Sockets"
	tagOperator = "Operation"
	tagDocs     = "This description"
)

var tags = []m{
	{"name": tagEmit, "description": "For servers, such as the API routes of Next.js: an occurrence is stored as notifications and told to the sockets. " +
		"Switched off by EMIT_HTTP=false."},
	{"name": tagInbox, "description": "For the front end, with the user's session: the list of notifications, read state, preferences. " +
		"INBOX_ROUTES=upstream leaves these routes to the app."},
	{"name": tagSocket, "description": "The Socket.IO endpoint, its client, and who is connected. The events are in the AsyncAPI document, /api/asyncapi.json."},
	{"name": tagOperator, "description": "Health, readiness and metrics. With OPERATOR_ADDR they are served on that address, too."},
	{"name": tagDocs, "description": "Switched off by API_DOCS=false."},
}

// securities are the ways of access, and securitySchemes what they name.
var securities = map[string][]m{
	"server":   {{"apiKey": []string{}}, {"serviceToken": []string{}}},
	"cron":     {{"cronSecret": []string{}}},
	"session":  {{"sessionCookie": []string{}}, {"sessionToken": []string{}}},
	"operator": {{"apiKey": []string{}}, {"serviceToken": []string{}}, {"sessionCookie": []string{}}, {"sessionToken": []string{}}},
}

var securitySchemes = m{
	"apiKey":     m{"type": "http", "scheme": "bearer", "description": "REALTIME_API_KEY, which only servers know."},
	"cronSecret": m{"type": "http", "scheme": "bearer", "description": "CRON_SECRET, as Vercel's cron sends it."},
	"serviceToken": m{"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "An HS256 JWT signed with REALTIME_API_KEY, " +
		"aud realtime:emit, valid for at most a day; with a tenantId it opens that tenant alone."},
	"sessionCookie": m{"type": "apiKey", "in": "cookie", "name": "next-auth.session-token", "description": "The session of NextAuth 4 or Auth.js v5. " +
		"The cookie may also be called __Secure-next-auth.session-token, authjs.session-token or __Secure-authjs.session-token, and may come in " +
		"chunks (.0, .1, …). A request that writes needs an Origin that is allowed."},
	"sessionToken": m{"type": "http", "scheme": "bearer", "bearerFormat": "JWE or JWT", "description": "The same session token in the Authorization header."},
}

var (
	idempotencyKey = m{"$ref": "#/components/parameters/IdempotencyKey"}
	notificationID = m{"name": "id", "in": "path", "required": true, "description": "The notification's id.", "schema": m{"type": "string", "minLength": 1, "maxLength": 200}}

	parameters = m{"IdempotencyKey": m{"name": "Idempotency-Key", "in": "header", "required": false, "example": "created:" + exampleAppointment,
		"description": "Makes a repeat within 24 hours answer the first result, with Idempotent-Replayed: true, and emit nothing. The same key " +
			"with another body is 422; a repeat while the first is under way waits for it.",
		"schema": m{"type": "string", "minLength": 1, "maxLength": contract.MaxIdempotencyKey}}}

	problemsOfEmit  = []int{400, 401, 403, 404, 413, 415, 422, 429, 500, 503}
	problemsOfInbox = []int{400, 401, 500, 503}
	replayed        = m{"Idempotent-Replayed": m{"description": "true where the answer is that of an earlier request with the same key.", "schema": m{"type": "string", "const": "true"}}}
)

// emitOperations are made from the contract's list; examples are by kind.
func emitOperations() []operation {
	out := make([]operation, 0, len(contract.EmitKinds())+1)
	for _, k := range contract.EmitKinds() {
		description := "Sends the event `" + k.Event + "`. 202 means that what it stored is committed."
		switch k.Event {
		case "":
			description = "Sends the event that the body names."
		case contract.EventNotificationNew:
			description = "Stores a notification for each of those meant, and sends `notification:new` to them."
		case contract.EventCalendarRefresh:
			description = "Sends the event `calendar:refresh`. Nothing is stored."
		}
		out = append(out, operation{
			id: operationID("emit", k.Name), method: "post", path: "/api/emit/" + k.Name, tag: tagEmit, summary: k.Summary, access: "server",
			description: description, params: []any{idempotencyKey}, request: k.Request, example: emitExamples[k.Name], problems: problemsOfEmit,
			answers: map[int]reply{202: {"Accepted: stored, and queued for the sockets of this node.", contract.EmitAnswer{}, "", replayed,
				m{"success": true, "id": "0198f2c4-7a31-7c1e-9f0a-5d2f3b6c8e01", "delivered": m{"sockets": 2}, "notifications": []string{"0198f2c4-7a31-7c1e-9f0a-5d2f3b6c8e02"}}}},
		})
	}
	return append(out, operation{
		id: "emitBatch", method: "post", path: "/api/emit/batch", tag: tagEmit, summary: "Up to 1,000 emits at once.", access: "server",
		description: "Each entry stands alone: one that fails does not keep the others back. With an Idempotency-Key a repeat after a crash in the middle emits the rest and nothing twice.",
		params:      []any{idempotencyKey}, request: contract.BatchRequest{}, problems: problemsOfEmit,
		example: m{"emits": []m{{"kind": "appointments/created", "appointmentId": exampleAppointment, "tenantId": exampleTenant},
			{"kind": "calendar/refresh", "tenantId": exampleTenant, "reason": "import"}}},
		answers: map[int]reply{202: {"One result for each entry, in their order.", contract.BatchAnswer{}, "", replayed,
			m{"success": true, "results": []m{
				{"success": true, "id": "0198f2c4-7a31-7c1e-9f0a-5d2f3b6c8e01", "delivered": m{"sockets": 2}, "notifications": []string{}, "status": 202},
				{"success": false, "status": 404, "error": "tenant not found", "code": "NOT_FOUND"}}}}},
	})
}

// The examples are the demo's: who tries the server can paste them.
const exampleTenant, exampleAppointment, exampleUser = demo.TenantID, demo.AppointmentID, "demo-laura"

var emitExamples = m{
	contract.KindAppointmentCreated: m{"appointmentId": exampleAppointment, "tenantId": exampleTenant, "actorId": exampleUser},
	contract.KindAppointmentUpdated: m{"appointmentId": exampleAppointment, "tenantId": exampleTenant, "actorId": exampleUser, "changes": m{"status": "CONFIRMED"}},
	contract.KindAppointmentDeleted: m{"appointmentId": exampleAppointment, "tenantId": exampleTenant,
		"appointmentData": m{"id": exampleAppointment, "clientName": "Carla Cliente", "professionalId": exampleUser}},
	contract.KindAppointmentRescheduled: m{"appointmentId": exampleAppointment, "tenantId": exampleTenant,
		"oldStartTime": "2026-03-02T16:00:00.000Z", "oldEndTime": "2026-03-02T16:45:00.000Z"},
	contract.KindAppointmentReminder: m{"appointmentId": exampleAppointment, "tenantId": exampleTenant, "minutesBefore": 60},
	contract.KindScheduleUpdated:     m{"professionalId": exampleUser, "tenantId": exampleTenant, "schedule": m{"monday": []string{"09:00", "17:00"}}},
	contract.KindScheduleConflict:    m{"professionalId": exampleUser, "tenantId": exampleTenant, "conflict": m{"type": "overlap", "appointments": []string{exampleAppointment}}},
	contract.KindCalendarRefresh:     m{"tenantId": exampleTenant, "reason": "import", "affectedDates": []string{"2026-03-02"}},
	contract.KindSystemAlert:         m{"tenantId": exampleTenant, "message": "Mantenimiento a las 22:00", "severity": "warning", "role": "ADMIN"},
	contract.KindNotification: m{"tenantId": exampleTenant, "userId": exampleUser, "type": "payment:received", "message": "Pago recibido",
		"data": m{"amount": 450}, "priority": "medium"},
	contract.KindTenant: m{"tenantId": exampleTenant, "event": "commission:earned", "data": m{"amount": 120.5, "description": "Corte"}},
	contract.KindUser:   m{"userId": exampleUser, "event": "commission:earned", "data": m{"amount": 120.5, "description": "Corte"}},
	contract.KindRole:   m{"role": "RECEPTIONIST", "tenantId": exampleTenant, "event": "reception:call", "data": m{"box": 3}},
}

func query(name, description string, schema m) m {
	return m{"name": name, "in": "query", "required": false, "description": description, "schema": schema}
}

func inboxOperations() []operation {
	const base = "/api/notifications"
	preferences := func(id, method string) operation {
		return operation{id: id, method: method, path: base + "/preferences", tag: tagInbox, access: "session", summary: "Change preferences.",
			description: "The fields given are changed; what identifies the row is ignored; an unknown field, or one of the wrong type, is a 400 that names it, and nothing is changed.",
			request:     m{"$ref": schemaRef + "PreferencesPatch"}, example: m{"notifySystemAlerts": false, "reminderMinutesBefore": []int{1440, 60}},
			answers: map[int]reply{200: {description: "The whole row as it is now.", body: contract.PreferencesSavedAnswer{}}}, problems: []int{400, 401, 403, 413, 415, 500, 503}}
	}
	return []operation{
		{id: "listNotifications", method: "get", path: base, tag: tagInbox, access: "session", summary: "The user's notifications, newest first.",
			description: "The first page waits, at most INBOX_WAIT, while sockets of the same user are about to connect.",
			params: []any{
				query("page", "From 1. A cursor goes before it.", m{"type": "integer", "minimum": 1, "maximum": 100000, "default": 1}),
				query("limit", "Entries of a page.", m{"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
				query("unread", "Only those that are not read.", m{"type": "boolean"}), query("read", "Only those that are read.", m{"type": "boolean"}),
				query("type", "Only those of this type, as the list shows it.", m{"type": "string", "maxLength": 200}),
				query("cursor", "pagination.nextCursor of the page before: neither repeats nor skips when new ones arrive in between.", m{"type": "string"}),
			},
			answers: map[int]reply{200: {description: "A page.", body: contract.InboxList{}}}, problems: problemsOfInbox},
		{id: "actOnNotifications", method: "post", path: base, tag: tagInbox, access: "session", summary: "The same as read-all, by an action in the body.",
			request: contract.InboxAction{}, example: m{"action": "read-all"},
			answers: map[int]reply{200: {description: "How many were unread.", body: contract.InboxReadAllAnswer{}}}, problems: []int{400, 401, 413, 415, 500, 503}},
		{id: "readAllNotifications", method: "post", path: base + "/read-all", tag: tagInbox, access: "session", summary: "Mark all as read.",
			description: "The user's other devices hear `notification:read:all:success`.",
			answers:     map[int]reply{200: {description: "How many were unread.", body: contract.InboxReadAllAnswer{}}}, problems: []int{401, 500, 503}},
		{id: "readNotification", method: "patch", path: base + "/{id}/read", tag: tagInbox, access: "session", summary: "Mark one as read.",
			description: "A second read keeps the first time. The user's other devices hear `notification:read:success`.", params: []any{notificationID},
			answers: map[int]reply{200: {description: "The notification.", body: contract.InboxReadAnswer{}}}, problems: []int{400, 401, 404, 500, 503}},
		{id: "deleteNotification", method: "delete", path: base + "/{id}", tag: tagInbox, access: "session", summary: "Delete one.",
			description: "The user's other devices hear `notification:deleted`.", params: []any{notificationID},
			answers: map[int]reply{200: {description: "It is gone.", body: contract.InboxDeleteAnswer{}}}, problems: []int{400, 401, 404, 500, 503}},
		{id: "notificationStats", method: "get", path: base + "/stats", tag: tagInbox, access: "session", summary: "Counts of the user's notifications.",
			answers: map[int]reply{200: {description: "The counts.", body: contract.InboxStats{}, example: m{"unreadCount": 2, "totalCount": 31, "recentCount": 5,
				"byType": m{"appointment:created": 20, "system:alert": 11}}}}, problems: []int{401, 500, 503}},
		{id: "preferences", method: "get", path: base + "/preferences", tag: tagInbox, access: "session", summary: "What the user wants to be told of.",
			description: "A row with the defaults is made where there is none.",
			answers:     map[int]reply{200: {description: "The whole row.", body: contract.PreferencesAnswer{}}}, problems: []int{401, 500, 503}},
		preferences("replacePreferences", "put"), preferences("changePreferences", "patch"),
	}
}

// bundleNames are the files of the Socket.IO client.
var bundleNames = []string{"socket.io.js", "socket.io.min.js", "socket.io.msgpack.min.js", "socket.io.esm.min.js",
	"socket.io.js.map", "socket.io.min.js.map", "socket.io.msgpack.min.js.map", "socket.io.esm.min.js.map"}

func otherOperations() []operation {
	engine := []any{query("EIO", "4: an Engine.IO request of a Socket.IO client.", m{"type": "string"}),
		query("transport", "polling, or websocket with an upgrade.", m{"type": "string", "enum": []string{"polling", "websocket"}}),
		query("sid", "The session that the handshake opened.", m{"type": "string"})}
	return []operation{
		{id: "socketStatus", method: "get", path: "/api/socket", tag: tagSocket, summary: "The Socket.IO endpoint.", params: engine,
			description: "With EIO it is Engine.IO 4 (polling, or a WebSocket upgrade) with Socket.IO 5 above it. Without, it says that the endpoint is there. " +
				"The path with a trailing slash is the same; other methods are refused by the transport.",
			answers: map[int]reply{101: {description: "A WebSocket."}, 200: {description: "The status, or with EIO packets as text.", body: contract.SocketStatus{},
				example: m{"status": "ok", "protocol": 5, "engine": 4, "path": "/api/socket", "transports": []string{"polling", "websocket"}, "version": "1.0.0",
					"timestamp": "2026-03-02T16:00:00.000Z"}}, 400: engineRefusal, 403: engineRefusal, 429: engineRefusal, 503: engineRefusal}},
		{id: "socketSend", method: "post", path: "/api/socket", tag: tagSocket, summary: "Packets of a polling client.", params: engine,
			request: m{"type": "string"},
			answers: map[int]reply{200: {description: "ok", media: "text/html", body: m{"type": "string"}}, 400: engineRefusal, 413: {description: "Over MAX_PAYLOAD."}}},
		{id: "clientBundle", method: "get", path: "/api/socket/{file}", tag: tagSocket, summary: "The Socket.IO client, as Node's server serves it.",
			params: []any{m{"name": "file", "in": "path", "required": true, "schema": m{"type": "string", "enum": bundleNames}},
				m{"name": "If-None-Match", "in": "header", "required": false, "schema": m{"type": "string"}}},
			answers: map[int]reply{200: {description: "The file.", media: "application/javascript", body: m{"type": "string"}}, 304: {description: "Not changed."}}, problems: []int{404}},
		{id: "socketStats", method: "get", path: "/api/socket/stats", tag: tagSocket, access: "operator", summary: "Who is connected, by tenant.",
			description: "An API key or a SUPERADMIN sees all tenants, a token of one tenant or an ADMIN its own.",
			answers: map[int]reply{200: {description: "The counts.", body: contract.SocketStats{},
				example: m{"totalConnections": 3, "tenants": m{exampleTenant: m{"users": []string{exampleUser}, "count": 3}}}}}, problems: []int{401, 403, 500, 503}},
		sendReminders("get"), sendReminders("post"),
		{id: "health", method: "get", path: "/healthz", tag: tagOperator, summary: "The process answers.",
			answers: map[int]reply{200: {description: "It does.", body: contract.Health{}, example: m{"status": "ok", "version": "1.0.0", "uptimeSeconds": 86400}}}},
		{id: "readiness", method: "get", path: "/readyz", tag: tagOperator, summary: "Every part works.",
			answers: map[int]reply{200: {description: "Ready.", body: contract.Readiness{}, example: m{"status": "ready", "parts": m{"database": m{"status": "ok"}}}},
				503: {description: "Not ready: the parts say which.", body: contract.Readiness{},
					example: m{"status": "not ready", "parts": m{"database": m{"status": "failed", "error": "the database does not answer"}}}}}},
		{id: "metrics", method: "get", path: "/metrics", tag: tagOperator, summary: "Metrics in the Prometheus text format.",
			description: "Not on the public address where OPERATOR_ADDR or UPSTREAM_URL is set; switched off by METRICS=false.",
			answers:     map[int]reply{200: {description: "The metrics.", media: "text/plain", body: m{"type": "string"}}}},
		{id: "openapi", method: "get", path: "/api/openapi.json", tag: tagDocs, summary: "The HTTP routes: OpenAPI 3.1.",
			answers: map[int]reply{200: {description: "The document.", body: m{"type": "object"}}, 304: {description: "Not changed."}}},
		{id: "asyncapi", method: "get", path: "/api/asyncapi.json", tag: tagDocs, summary: "The events: AsyncAPI 3.",
			answers: map[int]reply{200: {description: "The document.", body: m{"type": "object"}}, 304: {description: "Not changed."}}},
		{id: "docs", method: "get", path: "/api/docs", tag: tagDocs, summary: "Both, for people.",
			answers: map[int]reply{200: {description: "The page.", media: "text/html", body: m{"type": "string"}}, 304: {description: "Not changed."}}},
	}
}

func sendReminders(method string) operation {
	return operation{id: "sendReminders" + strings.ToUpper(method[:1]) + method[1:], method: method, path: "/api/cron/send-reminders", tag: tagOperator,
		access: "cron", summary: "One look for reminders that are due, for an external cron.",
		description: "There is no such route without CRON_SECRET. Two at once send nothing twice.",
		answers: map[int]reply{200: {description: "What it did.", body: contract.CronAnswer{},
			example: m{"success": true, "sent": 2, "skipped": 0, "failed": 0, "timestamp": "2026-03-02T16:00:00.000Z"}}}, problems: []int{401, 404, 500, 503}}
}

// engineRefusal is how Engine.IO refuses (engine.io/lib/server.ts, abortRequest).
var engineRefusal = reply{description: "Refused by the transport.", body: m{"type": "object", "required": []string{"code", "message"},
	"properties": m{"code": m{"type": "integer"}, "message": m{"type": "string"}}}}
