package engineio

// CloseReason is why a connection ended: one value of the catalogue below.
type CloseReason struct {
	// Code is the metric label.
	Code string
	// Text is Socket.IO's name of the reason, as its clients and servers show it.
	Text string
	// Reconnects tells whether the unchanged client comes back by itself.
	Reconnects bool

	wsCode uint16 // RFC 6455, 7.4.1; 0 sends a close frame without a code
}

// Every reason to end a connection.
var (
	CloseClient         = CloseReason{Code: "client", Text: "transport close"}
	CloseTransport      = CloseReason{Code: "transport", Text: "transport close", Reconnects: true}
	CloseError          = CloseReason{Code: "transport_error", Text: "transport error", Reconnects: true, wsCode: 1002}
	ClosePingTimeout    = CloseReason{Code: "ping_timeout", Text: "ping timeout", Reconnects: true}
	CloseParse          = CloseReason{Code: "parse_error", Text: "parse error", Reconnects: true, wsCode: 1002}
	CloseTooLarge       = CloseReason{Code: "too_large", Text: "transport error", Reconnects: true, wsCode: 1009}
	CloseSlow           = CloseReason{Code: "slow", Text: "transport close", Reconnects: true, wsCode: 1008}
	CloseConnectTimeout = CloseReason{Code: "connect_timeout", Text: "forced server close", Reconnects: true}
	CloseForced         = CloseReason{Code: "forced", Text: "forced server close", Reconnects: true}
	CloseKicked         = CloseReason{Code: "kicked", Text: "forced server close"}
	CloseShutdown       = CloseReason{Code: "shutdown", Text: "server shutting down", Reconnects: true, wsCode: 1001}
	ClosePanic          = CloseReason{Code: "panic", Text: "transport error", Reconnects: true, wsCode: 1011}
)
