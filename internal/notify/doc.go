// Package notify turns something that happened (an appointment was made, a schedule changed, an alert is raised) into
// rows of notification_logs and events on sockets, as the contract's events.md says.
//
// The HTTP edge, the embedding API and (later) reminders call it. Each function reads what it needs in one query,
// checks that it belongs to the tenant named, honours preferences, and commits in one transaction: the claims that keep
// a double click from being told twice, the rows, one delivery row that lists every event still to be sent, and, for a
// request with an idempotency key, its answer. Then it sends, and forgets the delivery. A process that is killed
// between the two leaves the delivery row behind, which internal/outbox hands back to Deliver.
//
// It never sends before the commit, never sends to a room of another tenant than the one named, never waits for a
// socket, and knows neither HTTP nor Socket.IO.
package notify
