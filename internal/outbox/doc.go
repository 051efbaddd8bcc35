// Package outbox makes good what a killed process left behind: deliveries that were committed together with their rows
// and never sent. The composition root runs it; it takes what is due, hands it to a Deliverer (internal/notify) for
// whoever is connected now, and keeps it for a while for sockets that join a little later, because after a restart most
// clients are still on their way back: the hub asks Missed when a socket has joined.
//
// It also forgets old claims and idempotency keys. It never looks into a delivery's body itself, never sends anything
// that is not committed, and gives nothing to a socket of another tenant than the delivery's.
package outbox
