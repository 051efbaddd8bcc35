package sio

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/zishang520/socket.io-go-parser/v2/parser"

	"github.com/citaplanner/realtime/pkg/engineio"
)

// Errors of whatever sends. Each means that nothing went out.
var (
	ErrReserved = errors.New("event name is reserved by Socket.IO")
	ErrEncode   = errors.New("cannot be encoded")
)

// maxEmitDepth bounds how deep []byte is looked for; deeper values are a mistake (or a cycle).
const maxEmitDepth = 128

// encoded is a packet as it goes out: a text message, then one binary message for each attachment.
type encoded struct {
	text        []byte
	attachments [][]byte
}

// packets frames it; the frames may be sent to any number of connections.
func (e encoded) packets() []*engineio.Packet {
	ps := make([]*engineio.Packet, 0, 1+len(e.attachments))
	ps = append(ps, engineio.NewText(e.text))
	for _, a := range e.attachments {
		ps = append(ps, engineio.NewBinary(a))
	}
	return ps
}

// encode writes a packet as `<type>[<n>-][<nsp>,][<id>][<json>]` (Socket.IO 5, "Packet encoding"). A []byte that is an
// element of data, or of a []any or map[string]any in it, becomes an attachment; elsewhere (in structs, in typed slices
// and maps) it is base64 text, as encoding/json does it. What JSON cannot say is an error wrapping [ErrEncode], and so
// is a panic of a MarshalJSON method.
func encode(kind parser.PacketType, nsp string, id *uint64, data any) (e encoded, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: panic: %v", ErrEncode, r)
		}
	}()
	binary, err := holdsBinary(data, 0)
	if err != nil {
		return encoded{}, err
	}
	var b bytes.Buffer
	if binary && (kind == parser.EVENT || kind == parser.ACK) {
		data = detach(data, &e.attachments)
		b.WriteByte(byte(kind + parser.BINARY_EVENT - parser.EVENT))
		b.WriteString(strconv.Itoa(len(e.attachments)))
		b.WriteByte('-')
	} else {
		b.WriteByte(byte(kind))
	}
	if nsp != "/" && nsp != "" {
		b.WriteString(nsp)
		b.WriteByte(',')
	}
	if id != nil {
		b.WriteString(strconv.FormatUint(*id, 10))
	}
	if data != nil {
		if err := writeJSON(&b, data); err != nil {
			return encoded{}, err
		}
	}
	e.text = b.Bytes()
	return e, nil
}

// writeJSON leaves <, > and & as they are, as JSON.stringify does, and the newline of json.Encoder away.
func writeJSON(b *bytes.Buffer, v any) error {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("%w: %w", ErrEncode, err)
	}
	b.Truncate(b.Len() - 1)
	return nil
}

// encodeEvent is the EVENT packet of an emit.
func encodeEvent(nsp string, id *uint64, event string, args []any) ([]*engineio.Packet, error) {
	if reservedEvent(event) {
		return nil, fmt.Errorf("emit %q: %w", event, ErrReserved)
	}
	data := make([]any, 0, 1+len(args))
	e, err := encode(parser.EVENT, nsp, id, append(append(data, event), args...))
	if err != nil {
		return nil, fmt.Errorf("emit %q: %w", event, err)
	}
	return e.packets(), nil
}

func holdsBinary(v any, depth int) (bool, error) {
	if depth > maxEmitDepth {
		return false, fmt.Errorf("%w: nested deeper than %d", ErrEncode, maxEmitDepth)
	}
	found := false
	switch v := v.(type) {
	case []byte:
		return v != nil, nil // a nil slice is JSON's null
	case []any:
		for _, e := range v {
			b, err := holdsBinary(e, depth+1)
			if err != nil {
				return false, err
			}
			found = found || b
		}
	case map[string]any:
		for _, e := range v {
			b, err := holdsBinary(e, depth+1)
			if err != nil {
				return false, err
			}
			found = found || b
		}
	}
	return found, nil
}

// attachment is the placeholder of the protocol's "binary" section.
type attachment struct {
	Placeholder bool `json:"_placeholder"`
	Num         int  `json:"num"`
}

// detach returns v with placeholders for its bytes, and never writes to v: callers share their values.
func detach(v any, out *[][]byte) any {
	switch v := v.(type) {
	case []byte:
		if v == nil {
			return nil
		}
		*out = append(*out, bytes.Clone(v)) // frames outlive the call, the caller may reuse its buffer
		return attachment{Placeholder: true, Num: len(*out) - 1}
	case []any:
		c := make([]any, len(v))
		for i, e := range v {
			c[i] = detach(e, out)
		}
		return c
	case map[string]any:
		c := make(map[string]any, len(v))
		for k, e := range v {
			c[k] = detach(e, out)
		}
		return c
	}
	return v
}
