package sio

// refusal is a reason to refuse what a client sent. Each one closes the connection: a client that speaks the protocol
// never sends such a thing, and the reference server closes too.
type refusal struct {
	label string // metric label
	text  string
}

func (r *refusal) Error() string { return r.text }

// The catalogue of refusals.
var (
	refusedEmpty       = &refusal{"empty", "empty packet"}
	refusedType        = &refusal{"type", "unknown packet type"}
	refusedDirection   = &refusal{"direction", "a packet that only servers send"}
	refusedUTF8        = &refusal{"utf8", "text that is not UTF-8"}
	refusedNamespace   = &refusal{"namespace", "namespace too long"}
	refusedID          = &refusal{"id", "malformed packet id"}
	refusedPayload     = &refusal{"payload", "payload of the wrong shape"}
	refusedDepth       = &refusal{"depth", "payload nested too deep"}
	refusedEventName   = &refusal{"event_name", "event name that is reserved or too long"}
	refusedAttachments = &refusal{"attachments", "malformed number of attachments, or too many"}
	refusedPlaceholder = &refusal{"placeholder", "placeholders that do not match the attachments"}
	refusedTooLarge    = &refusal{"attachments_size", "attachments too large in sum"}
	refusedBinary      = &refusal{"unexpected_binary", "binary data that no packet announced"}
	refusedText        = &refusal{"unexpected_text", "a packet in the middle of another one's attachments"}
)
