package engineio

import (
	"bufio"
	"encoding/binary"
	"io"
	"unicode/utf8"
)

// Opcodes as a client sends them (RFC 6455, 5.2).
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xa
)

// Bits of a frame's first two bytes (RFC 6455, 5.2).
const (
	bitFIN  = 0x80
	bitsRSV = 0x70
	bitMask = 0x80
)

// maxControl is the longest payload of a control frame (RFC 6455, 5.5).
const maxControl = 125

// readBuffer is what a reader keeps for reading, in bytes: the frames of clients are short.
const readBuffer = 4 << 10

// firstChunk is how much is allocated for a frame before any of its payload has come. What a header announces costs
// nothing: the buffer doubles as bytes arrive.
const firstChunk = 4 << 10

// frameError is why a WebSocket can be read no further: the peer broke the protocol, or said goodbye.
type frameError struct {
	code    uint16 // of the close frame that answers it (RFC 6455, 7.4.1); 0 has none
	text    string
	goodbye bool // it was a close frame, whose code is repeated
}

func (e *frameError) Error() string { return e.text }

var (
	errFrame      = &frameError{code: 1002, text: "the frame is not one that RFC 6455 allows"}
	errFrameUTF8  = &frameError{code: 1007, text: "a text message is not valid UTF-8"}
	errFrameLarge = &frameError{code: 1009, text: "message too large"}
)

// frameReader reads the messages of one client (RFC 6455, 5 and 6.2). No extension is ever agreed upon, so that no
// reserved bit may be set. One goroutine uses it.
type frameReader struct {
	in    *bufio.Reader
	limit int                        // bytes of a message
	pong  func(payload []byte) error // answers a ping
	head  [8]byte                    // here because it would escape from header: two allocations a message otherwise
}

// header is what stands before a frame's payload.
type header struct {
	fin  bool
	op   byte
	n    int
	mask [4]byte
}

// message returns the next data message; the bytes are the caller's. Pings that come before or within it are answered.
// The error is a *frameError where the peer ended the WebSocket or must not go on, else the connection's own.
func (f *frameReader) message() (data []byte, bin bool, err error) {
	started := false
	for {
		h, err := f.header(started, len(data))
		if err != nil {
			return nil, false, err
		}
		if h.op >= opClose {
			if err := f.control(h); err != nil {
				return nil, false, err
			}
			continue
		}
		if !started {
			started, bin = true, h.op == opBinary
		}
		if data, err = f.payload(data, h); err != nil {
			return nil, false, err
		}
		if !h.fin {
			continue
		}
		if !bin && !utf8.Valid(data) {
			return nil, false, errFrameUTF8
		}
		return data, bin, nil
	}
}

// header reads and checks a frame's header. started tells that a fragmented message is under way, have its length so far.
func (f *frameReader) header(started bool, have int) (header, error) {
	b := f.head[:]
	if _, err := io.ReadFull(f.in, b[:2]); err != nil {
		return header{}, err
	}
	h := header{fin: b[0]&bitFIN != 0, op: b[0] & 0x0f}
	n := uint64(b[1] &^ bitMask)
	control := h.op >= opClose
	switch {
	case b[0]&bitsRSV != 0, b[1]&bitMask == 0: // a client masks everything (5.1)
		return header{}, errFrame
	case h.op > opBinary && !control, h.op > opPong:
		return header{}, errFrame
	case control && (!h.fin || n > maxControl):
		return header{}, errFrame
	case !control && started != (h.op == opContinuation):
		return header{}, errFrame
	}
	switch n {
	case 126:
		if _, err := io.ReadFull(f.in, b[:2]); err != nil {
			return header{}, err
		}
		n = uint64(binary.BigEndian.Uint16(b[:2]))
	case 127:
		if _, err := io.ReadFull(f.in, b); err != nil {
			return header{}, err
		}
		if n = binary.BigEndian.Uint64(b); n>>63 != 0 { // "the most significant bit MUST be 0"
			return header{}, errFrame
		}
	}
	if !control && n > uint64(f.limit-have) {
		return header{}, errFrameLarge
	}
	h.n = int(n) //nolint:gosec // at most limit, or maxControl
	_, err := io.ReadFull(f.in, b[:4])
	copy(h.mask[:], b)
	return h, err
}

// payload appends a frame's payload to data.
func (f *frameReader) payload(data []byte, h header) ([]byte, error) {
	for from, left := len(data), h.n; left > 0; {
		room := min(left, max(firstChunk, len(data)))
		if cap(data)-len(data) < room {
			size := len(data) + room
			if from > 0 { // or a message in fragments of one byte would be copied once for each
				size = max(size, min(2*len(data), f.limit))
			}
			grown := make([]byte, len(data), size)
			copy(grown, data)
			data = grown
		}
		chunk := data[len(data) : len(data)+room]
		if _, err := io.ReadFull(f.in, chunk); err != nil {
			return nil, err
		}
		unmask(chunk, h.mask, len(data)-from)
		data = data[:len(data)+room]
		left -= room
	}
	return data, nil
}

// control answers a ping, passes over a pong and ends at a close frame.
func (f *frameReader) control(h header) error {
	var buf [maxControl]byte
	body := buf[:h.n]
	if _, err := io.ReadFull(f.in, body); err != nil {
		return err
	}
	unmask(body, h.mask, 0)
	switch h.op {
	case opPing:
		return f.pong(body)
	case opClose:
		return closeOf(body)
	}
	return nil
}

// closeOf reads the body of a close frame (RFC 6455, 5.5.1): nothing, or a code that may be sent and a reason in UTF-8.
func closeOf(body []byte) error {
	goodbye := &frameError{text: "closed by the peer", goodbye: true}
	if len(body) == 0 {
		return goodbye
	}
	if len(body) == 1 {
		return errFrame
	}
	goodbye.code = binary.BigEndian.Uint16(body)
	switch {
	case !sendable(goodbye.code):
		return errFrame
	case !utf8.Valid(body[2:]):
		return errFrameUTF8
	}
	return goodbye
}

// sendable reports whether a close frame may hold the code (RFC 6455, 7.4; 1012 to 1014 were registered later).
func sendable(code uint16) bool {
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014, code >= 3000 && code <= 4999:
		return true
	}
	return false
}

// unmask undoes a client's mask (RFC 6455, 5.3), of which at bytes have been used. Eight bytes at a time: 4 KB take
// 0.6 µs, not 3 (BenchmarkUnmask).
func unmask(b []byte, mask [4]byte, at int) {
	var key [8]byte
	for i := range key {
		key[i] = mask[(at+i)&3]
	}
	word := binary.NativeEndian.Uint64(key[:])
	for len(b) >= 8 {
		binary.NativeEndian.PutUint64(b, binary.NativeEndian.Uint64(b)^word)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= key[i]
	}
}
