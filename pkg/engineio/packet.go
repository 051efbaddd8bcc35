package engineio

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"sync"
	"unicode/utf8"
)

// Packet types, Engine.IO protocol "Packet encoding".
const (
	typeOpen    = '0'
	typeClose   = '1'
	typePing    = '2'
	typePong    = '3'
	typeMessage = '4'
	typeUpgrade = '5'
	typeNoop    = '6'

	typeBinary = 'b' // a base64 message, in polling payloads alone
	separator  = 0x1e
)

// Opcodes of RFC 6455, 5.2, with FIN set: our frames are never fragmented.
const (
	frameText   = 0x81
	frameBinary = 0x82
	frameClose  = 0x88
	framePong   = 0x8a
)

// Message is what a client sent: the payload of a message packet. Data belongs to whom it is given.
type Message struct {
	Data   []byte
	Binary bool
}

// Packet is an outgoing packet, framed once. It never changes, and any number of connections may share it.
type Packet struct {
	frame  []byte // a whole WebSocket frame
	head   int    // where the frame's payload begins
	binary bool
	once   sync.Once
	base64 []byte // the polling form of a binary packet, made when first needed
}

// NewText makes a message packet of text. The bytes are copied.
func NewText[T string | []byte](payload T) *Packet { return newPacket(frameText, typeMessage, payload) }

// NewBinary makes a message packet of bytes, which are copied.
func NewBinary(payload []byte) *Packet {
	p := newPacket(frameBinary, 0, payload)
	p.binary = true
	return p
}

// newPacket frames a payload behind its packet type; type 0 has none (binary messages over WebSocket).
func newPacket[T string | []byte](op, typ byte, payload T) *Packet {
	n := len(payload)
	if typ != 0 {
		n++
	}
	frame := appendHeader(make([]byte, 0, n+10), op, n)
	head := len(frame)
	if typ != 0 {
		frame = append(frame, typ)
	}
	return &Packet{frame: append(frame, payload...), head: head}
}

// appendHeader writes the header of an unmasked frame (RFC 6455, 5.2).
func appendHeader(b []byte, op byte, n int) []byte {
	switch {
	case n < 126:
		return append(b, op, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, op, 126), uint16(n))
	default:
		return binary.BigEndian.AppendUint64(append(b, op, 127), uint64(n))
	}
}

// closeFrame is a close frame; code 0 has no body.
func closeFrame(code uint16) []byte {
	if code == 0 {
		return []byte{frameClose, 0}
	}
	return binary.BigEndian.AppendUint16([]byte{frameClose, 2}, code)
}

// polling is the packet's form in a polling payload.
func (p *Packet) polling() []byte {
	if !p.binary {
		return p.frame[p.head:]
	}
	p.once.Do(func() {
		raw := p.frame[p.head:]
		p.base64 = make([]byte, 1+base64.StdEncoding.EncodedLen(len(raw)))
		p.base64[0] = typeBinary
		base64.StdEncoding.Encode(p.base64[1:], raw)
	})
	return p.base64
}

// Size is the number of bytes that the packet holds, its WebSocket header included.
func (p *Packet) Size() int { return len(p.frame) }

// Payload is what NewText or NewBinary was given. It must not be written to.
func (p *Packet) Payload() (payload []byte, binary bool) {
	if p.binary {
		return p.frame[p.head:], true
	}
	return p.frame[p.head+1:], false // behind the packet type
}

// size is what the packet counts for in a queue.
func (p *Packet) size() int { return len(p.frame) + 64 }

// encodePayload joins packets for a polling response.
func encodePayload(packets []*Packet) []byte {
	n := 0
	for _, p := range packets {
		n += len(p.polling()) + 1
	}
	out := make([]byte, 0, n)
	for i, p := range packets {
		if i > 0 {
			out = append(out, separator)
		}
		out = append(out, p.polling()...)
	}
	return out
}

// incoming is a packet that a client sent.
type incoming struct {
	typ  byte
	data []byte
	bin  bool
}

var (
	errPacket = errors.New("invalid packet")
	errUTF8   = errors.New("invalid UTF-8")
)

// decodeText reads one text packet, as a WebSocket text frame holds it.
func decodeText(b []byte) (incoming, error) {
	if len(b) == 0 || b[0] < typeOpen || b[0] > typeNoop {
		return incoming{}, errPacket
	}
	return incoming{typ: b[0], data: b[1:]}, nil
}

// decodePayload reads a polling body: packets joined by separators. Its memory is a small multiple of the body's.
func decodePayload(body []byte) ([]incoming, error) {
	if !utf8.Valid(body) {
		return nil, errUTF8
	}
	out := make([]incoming, 0, min(bytes.Count(body, []byte{separator})+1, 64))
	for {
		one, rest, more := bytes.Cut(body, []byte{separator})
		p, err := decodePolling(one)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
		if !more {
			return out, nil
		}
		body = rest
	}
}

func decodePolling(b []byte) (incoming, error) {
	if len(b) > 0 && b[0] == typeBinary {
		// Strict, and without the line ends that Go passes over: encoders write one form, and that alone is taken.
		data, err := base64.StdEncoding.Strict().DecodeString(string(b[1:]))
		if err != nil || bytes.ContainsAny(b, "\r\n") {
			return incoming{}, errPacket
		}
		return incoming{typ: typeMessage, data: data, bin: true}, nil
	}
	return decodeText(b)
}
