package sio

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/zishang520/socket.io-go-parser/v2/parser"
)

const (
	// maxNamespaceName is the longest name of a namespace in bytes: unknown ones are echoed in CONNECT_ERROR.
	maxNamespaceName = 256
	// maxSafeID is Number.MAX_SAFE_INTEGER: above it JavaScript cannot tell neighbouring ids apart.
	maxSafeID = 1<<53 - 1
)

// bounds of what a client may send.
type bounds struct {
	attachments int   // of one packet
	binary      int64 // bytes of all attachments of one packet
	depth       int   // of a payload; the outermost array or object is 1
	eventName   int   // bytes
}

// decoder turns the messages of one connection into packets. It is strict: whatever a conforming client never sends is
// a *refusal. A packet that it returns has exactly one of these shapes, with BINARY_EVENT and BINARY_ACK folded into
// EVENT and ACK:
//
//	CONNECT     Data map[string]any or nil   Id nil
//	DISCONNECT  Data nil                     Id nil
//	EVENT       Data []any{name string, …}   Id nil or at most 2^53-1
//	ACK         Data []any                   Id at most 2^53-1
//
// Not safe for concurrent use: the steps of a connection are its order.
type decoder struct {
	bounds  bounds
	partial *partial // a packet that waits for its attachments
}

// text takes a text message.
func (d *decoder) text(data []byte) (*parser.Packet, error) {
	if d.partial != nil {
		return nil, refusedText
	}
	if !utf8.Valid(data) { // encoding/json would put U+FFFD in its place
		return nil, refusedUTF8
	}
	h, rest, err := readHeader(data)
	if err != nil {
		return nil, err
	}
	if h.binary && h.attachments > uint64(d.bounds.attachments) {
		return nil, refusedAttachments
	}
	p := &parser.Packet{Type: h.kind, Nsp: h.nsp, Id: h.id}
	switch h.kind {
	case parser.CONNECT:
		err = d.connect(p, rest)
	case parser.DISCONNECT:
		err = wantNothing(h, rest)
	default:
		err = d.array(p, rest)
	}
	if err != nil || !h.binary {
		return emptyOn(err, p)
	}
	return d.await(p, int(h.attachments))
}

func emptyOn(err error, p *parser.Packet) (*parser.Packet, error) {
	if err != nil {
		return nil, err
	}
	return p, nil
}

// header is what stands before the JSON: `<type>[<n>-][/<nsp>,][<id>]`.
type header struct {
	kind        parser.PacketType // folded: never BINARY_…
	binary      bool
	attachments uint64
	nsp         string
	id          *uint64
}

// readHeader reads it and returns what is left, following decodeString of socket.io-parser 4.2 where that is strict
// and the protocol's grammar where it is not.
func readHeader(data []byte) (header, []byte, error) {
	if len(data) == 0 {
		return header{}, nil, refusedEmpty
	}
	h := header{kind: parser.PacketType(data[0]), nsp: "/"}
	rest := data[1:]
	switch h.kind {
	case parser.CONNECT, parser.DISCONNECT, parser.EVENT, parser.ACK:
	case parser.CONNECT_ERROR:
		return h, nil, refusedDirection
	case parser.BINARY_EVENT, parser.BINARY_ACK:
		h.binary = true
		h.kind -= parser.BINARY_EVENT - parser.EVENT
		n, after, found := readNumber(rest)
		if !found || len(after) == 0 || after[0] != '-' {
			return h, nil, refusedAttachments
		}
		h.attachments, rest = n, after[1:]
	default:
		return h, nil, refusedType
	}
	if len(rest) > 0 && rest[0] == '/' {
		var err error
		if h.nsp, rest, err = readNamespace(rest); err != nil {
			return h, nil, err
		}
	}
	if len(rest) > 0 && '0' <= rest[0] && rest[0] <= '9' {
		n, after, found := readNumber(rest)
		if !found || h.kind == parser.CONNECT || h.kind == parser.DISCONNECT {
			return h, nil, refusedID
		}
		h.id, rest = &n, after
	}
	if h.kind == parser.ACK && h.id == nil {
		return h, nil, refusedID
	}
	return h, rest, nil
}

// readNamespace reads up to the comma, or to the end where there is none ("1/admin").
func readNamespace(data []byte) (name string, rest []byte, err error) {
	end := len(data)
	for i, b := range data {
		if b == ',' {
			end = i
			break
		}
		if i >= maxNamespaceName {
			return "", nil, refusedNamespace
		}
	}
	return string(data[:end]), data[min(end+1, len(data)):], nil
}

// readNumber reads a number as JavaScript prints one: digits without a leading zero, at most 2^53-1.
func readNumber(data []byte) (n uint64, rest []byte, found bool) {
	i := 0
	for i < len(data) && '0' <= data[i] && data[i] <= '9' {
		i++
	}
	if i == 0 || i > 1 && data[0] == '0' {
		return 0, nil, false
	}
	n, err := strconv.ParseUint(string(data[:min(i, 20)]), 10, 64)
	if err != nil || n > maxSafeID || i > 20 {
		return 0, nil, false
	}
	return n, data[i:], true
}

func (d *decoder) connect(p *parser.Packet, rest []byte) error {
	if len(rest) == 0 {
		return nil // no credentials: Data stays nil
	}
	if rest[0] != '{' { // JSON's null would otherwise pass for an object
		return refusedPayload
	}
	var auth map[string]any
	if err := d.unmarshal(rest, &auth); err != nil {
		return err
	}
	p.Data = auth
	return nil
}

func wantNothing(h header, rest []byte) error {
	if len(rest) > 0 || h.binary {
		return refusedPayload
	}
	return nil
}

// array reads the payload of EVENT and ACK.
func (d *decoder) array(p *parser.Packet, rest []byte) error {
	if len(rest) == 0 || rest[0] != '[' {
		return refusedPayload
	}
	var args []any
	if err := d.unmarshal(rest, &args); err != nil {
		return err
	}
	p.Data = args
	if p.Type == parser.ACK {
		return nil
	}
	if len(args) == 0 {
		return refusedPayload
	}
	switch name := args[0].(type) {
	case string:
		if len(name) > d.bounds.eventName || reservedEvent(name) {
			return refusedEventName
		}
	case float64: // the JavaScript client lets an event be named by a number
		args[0] = strconv.FormatFloat(name, 'f', -1, 64)
		if len(args[0].(string)) > d.bounds.eventName {
			return refusedEventName
		}
	default:
		return refusedPayload
	}
	return nil
}

func (d *decoder) unmarshal(data []byte, v any) error {
	if deeper(data, d.bounds.depth) {
		return refusedDepth
	}
	if json.Unmarshal(data, v) != nil {
		return refusedPayload
	}
	return nil
}

// deeper tells whether arrays and objects nest deeper than limit. It looks at brackets outside of strings only, so that
// it is right for every text that encoding/json takes afterwards.
func deeper(data []byte, limit int) bool {
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch b := data[i]; {
		case quoted:
			switch b {
			case '\\':
				i++
			case '"':
				quoted = false
			}
		case b == '"':
			quoted = true
		case b == '[' || b == '{':
			if depth++; depth > limit {
				return true
			}
		case b == ']' || b == '}':
			depth--
		}
	}
	return false
}

// reservedEvent tells whether this is a name that the client or the server keeps for itself (RESERVED_EVENTS of
// socket.io-parser 4.2): it must not come from the other side.
func reservedEvent(name string) bool {
	switch name {
	case "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener":
		return true
	}
	return false
}
