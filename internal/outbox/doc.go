// Package outbox tells what is committed and not yet told. It has two halves, each with a row behind it.
//
// A Dispatcher tells occurrences (realtime.occurrences): what the app's routes (SELECT realtime.emit) and the triggers on
// its tables wrote in the transaction of the change itself, so that a route which commits and dies loses nothing. It calls
// what the emit endpoints call (Emitter, internal/emits); the occurrence is settled in the transaction of the notification
// rows, so that each has them exactly once, whoever dies when. It looks for rows that are there and due, never for ids
// above the last one seen: ids are handed out before commits, and what commits late would be skipped. Those of one subject,
// such as an appointment, are told one after the other in the order of their commits (seq, handed out by a deferred
// trigger at the commit), whatever the number of nodes; several nodes share the rest by SKIP LOCKED and leases. NOTIFY
// wakes it, over a connection of its own; a slow poll stands behind.
//
// An Outbox makes good what a killed process left behind: deliveries that were committed together with their rows and
// never sent. It takes what is due, hands it to a Deliverer (internal/notify) for whoever is connected now, and keeps it for
// a while for sockets that join a little later, because after a restart most clients are still on their way back: the hub
// asks Missed when a socket has joined. It also forgets old claims and idempotency keys.
//
// River (riverqueue/river) was looked at first and does not carry this. It takes jobs by priority, scheduled_at and id
// (JobGetAvailable), with no order among jobs of one key: of one appointment, a retry of the first would run after the
// second, and two of them at once on two workers. scheduled_at is the insert's, not the commit's. Its insert is a client's
// business (kind, max_attempts, unique_key, the notification), where Prisma and a trigger have one SQL function; its driver
// for SQLite calls itself early. What it would save is this package's loop and backoff, a page; what it would add is its
// own schema, maintenance services and a leader beside tables that we need anyway. Its names and states are followed where
// they fit.
//
// The package never looks into a delivery's body or an occurrence's payload itself, never sends anything that is not
// committed, and gives nothing to a socket of another tenant.
package outbox
