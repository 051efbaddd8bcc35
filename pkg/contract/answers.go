package contract

// Problem is the body of every refusal, application/problem+json (RFC 9457). Error repeats Detail under the name that the
// app's front end and routes read.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Error  string `json:"error"`
	Code   Code   `json:"code"`
	Field  string `json:"field,omitempty"` // the field that is wrong, where there is one
}

// SocketStats is what GET /api/socket/stats answers.
type SocketStats struct {
	TotalConnections int                    `json:"totalConnections"`
	Tenants          map[string]TenantStats `json:"tenants"`
}

// TenantStats counts the sockets of a tenant and lists its users, each once, sorted.
type TenantStats struct {
	Users []string `json:"users"`
	Count int      `json:"count"`
}

// SocketStatus is what a plain GET /api/socket answers. Protocol is the version of Socket.IO's, Engine of the transport's below it.
type SocketStatus struct {
	Engine     int      `json:"engine"`
	Path       string   `json:"path"`
	Protocol   int      `json:"protocol"`
	Status     string   `json:"status"`
	Timestamp  Time     `json:"timestamp"`
	Transports []string `json:"transports"`
	Version    string   `json:"version"`
}

// CronAnswer is what /api/cron/send-reminders answers: what one look for reminders did.
type CronAnswer struct {
	Success   bool `json:"success"`
	Sent      int  `json:"sent"`
	Skipped   int  `json:"skipped"` // too late, given up
	Failed    int  `json:"failed"`  // tried again by the next look
	Timestamp Time `json:"timestamp"`
}

// Health is what GET /healthz answers.
type Health struct {
	Status        string `json:"status"`
	UptimeSeconds int    `json:"uptimeSeconds"`
	Version       string `json:"version"`
}

// Readiness is what GET /readyz answers: with 200 where Status is ready, with 503 where it is not ready.
type Readiness struct {
	Parts  map[string]PartState `json:"parts"`
	Status string               `json:"status"`
}

// PartState is the state of one part, such as the database. Status is ok or failed.
type PartState struct {
	Status string `json:"status"`
	Error  string `json:"error,omitempty"`
	Note   string `json:"note,omitempty"`  // what there is to say although the part is ready
	AgeMs  *int64 `json:"ageMs,omitempty"` // how long ago the part was seen to work
}
