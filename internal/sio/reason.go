package sio

import "github.com/citaplanner/realtime/pkg/engineio"

// Reason is why the server ends a socket; callers keep a catalogue of them.
type Reason struct {
	// Text is what OnDisconnect gets.
	Text string
	// Label is the metric label.
	Label string
	// Reconnects tells whether the unchanged client comes back by itself. It does after a transport that closes; it does
	// not after a DISCONNECT packet, which it shows as "io server disconnect".
	Reconnects bool
}

// Why this package ends a connection, beside the reasons of pkg/engineio. OnDisconnect gets the text.
var (
	// A packet that does not fit the state: no such namespace joined, CONNECT twice, … Node's text.
	closedState = engineio.CloseReason{Code: "invalid_state", Text: "forced server close", Reconnects: true}
	// More CONNECT packets than a client has a reason to send.
	closedFlood = engineio.CloseReason{Code: "connect_flood", Text: "forced server close", Reconnects: true}
	// CONNECT after DISCONNECT on a connection whose handshake is forgotten: the client comes back with a new one.
	closedRejoin = engineio.CloseReason{Code: "rejoin", Text: "transport close", Reconnects: true}
	// The client is back on another connection, for the session of this one.
	closedSuperseded = engineio.CloseReason{Code: "superseded", Text: "transport close", Reconnects: true}
	// OnConnect panicked: nobody knows what the socket's state is.
	closedPanic = engineio.CloseReason{Code: "callback_panic", Text: "forced server close", Reconnects: true}
)
