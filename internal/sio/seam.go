package sio

import (
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/zishang520/engine.io-go-parser/packet"
	"github.com/zishang520/engine.io/v2/engine"
	"github.com/zishang520/engine.io/v2/transports"
	"github.com/zishang520/engine.io/v2/types"
	"github.com/zishang520/socket.io-go-parser/v2/parser"

	"github.com/citaplanner/realtime/pkg/engineio"
)

// This file is what the library sees of us: a parser (SetParser) and, for each connection, an engine.Socket.

// codec is the parser of the library. Decoding is done before the library gets anything (see conn.message), so its
// decoder only hands on; encoding is encode.
type codec struct {
	failed func(kind parser.PacketType, err error)
}

var _ parser.Parser = codec{}

// NewEncoder returns the encoder for what the library itself writes: CONNECT, CONNECT_ERROR, DISCONNECT.
func (c codec) NewEncoder() parser.Encoder { return c }

// NewDecoder returns the decoder of one connection.
func (c codec) NewDecoder() parser.Decoder { return &handover{} }

// Encode returns nothing, and counts it, when the packet cannot be encoded: the library would send a bare packet type.
func (c codec) Encode(p *parser.Packet) []types.BufferInterface {
	data := p.Data
	if m, ok := data.(map[string]any); ok && p.Type == parser.CONNECT_ERROR && m["data"] == nil {
		data = map[string]any{"message": m["message"]} // Node leaves an absent data away; the library writes null
	}
	e, err := encode(p.Type, p.Nsp, p.Id, data)
	if err != nil {
		c.failed(p.Type, err)
		return nil
	}
	out := []types.BufferInterface{types.NewStringBuffer(e.text)}
	for _, a := range e.attachments {
		out = append(out, types.NewBytesBuffer(a))
	}
	return out
}

// handover takes packets that the strict decoder has made.
type handover struct{ emitter }

var errNotDecoded = errors.New("only decoded packets are handed to the library")

// Add hands a packet to the library; what the library does with it in this goroutine is done when Add returns.
func (h *handover) Add(v any) error {
	p, ok := v.(*parser.Packet)
	if !ok {
		return errNotDecoded
	}
	h.Emit("decoded", p)
	return nil
}

// Destroy has nothing to release.
func (h *handover) Destroy() {}

// sharedContext is the one request that the library sees for every connection: it would copy header and query into each
// socket, cookies included. Ours are with engineio.Conn for as long as they are needed.
func sharedContext() *types.HttpContext {
	ctx := types.NewHttpContext(nowhere{}, &http.Request{Method: http.MethodGet, URL: &url.URL{}, Header: http.Header{}})
	ctx.Flush() // ends the goroutine that waits for the request's end
	return ctx
}

type nowhere struct{}

func (nowhere) Header() http.Header         { return http.Header{} }
func (nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (nowhere) WriteHeader(int)             {}

var _ engine.Socket = (*conn)(nil)

// Write sends what the library itself writes: a CONNECT, CONNECT_ERROR or DISCONNECT packet.
func (c *conn) Write(r io.Reader, _ *packet.Options, _ engine.SendCallback) engine.Socket {
	if a := c.attempt; a != nil && a.socket != nil && a.line != nil { // CONNECT: once an attempt has a socket, nothing else
		if ps, err := a.answer(a.socket.space.name); err == nil {
			_ = c.eng.Send(ps...)
		}
		return c
	}
	switch b := r.(type) {
	case *types.StringBuffer:
		_ = c.eng.Send(engineio.NewText(b.Bytes())) // an error means that the connection is ending: Close follows
	case *types.BytesBuffer:
		_ = c.eng.Send(engineio.NewBinary(b.Bytes()))
	}
	if c.attempt != nil && c.attempt.refused {
		c.done() // a CONNECT_ERROR was the last thing that the library does about a CONNECT
	}
	return c
}

// Send is Write.
func (c *conn) Send(r io.Reader, o *packet.Options, cb engine.SendCallback) engine.Socket {
	return c.Write(r, o, cb)
}

// Close is the library's answer to a packet that does not fit the state of the connection.
func (c *conn) Close(bool) {
	c.leaving = true
	c.eng.Close(closedState)
}

// ReadyState is "open" until the end of the connection has been handed up, so that the library finishes every step.
func (c *conn) ReadyState() string {
	if c.closed {
		return "closed"
	}
	return "open"
}

// Protocol is Engine.IO 4; pkg/engineio refuses every other.
func (c *conn) Protocol() int { return 4 }

// Request is the same empty one for all.
func (c *conn) Request() *types.HttpContext { return c.srv.context }

// RemoteAddress of the handshake.
func (c *conn) RemoteAddress() string { return c.eng.RemoteAddr() }

// Id of the Engine.IO session, which is a secret of the client.
func (c *conn) Id() string { return c.eng.ID() } //nolint:revive,staticcheck // the library's name

// The rest of engine.Socket is the business of pkg/engineio; the library's Socket.IO layer never calls it.

// SetReadyState does nothing.
func (c *conn) SetReadyState(string) {}

// Transport is nil: the library asks for it on volatile emits only, which this package does not have.
func (c *conn) Transport() transports.Transport { return nil }

// Upgraded is not known here.
func (c *conn) Upgraded() bool { return false }

// Upgrading is not known here.
func (c *conn) Upgrading() bool { return false }

// Construct does nothing.
func (c *conn) Construct(string, engine.BaseServer, transports.Transport, *types.HttpContext, int) {}

// MaybeUpgrade does nothing.
func (c *conn) MaybeUpgrade(transports.Transport) {}
