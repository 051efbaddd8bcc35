package sio

import (
	"fmt"
	"sync/atomic"

	"github.com/zishang520/socket.io-go-parser/v2/parser"
)

// Event is what a client emitted.
type Event struct {
	Name string
	// Args are JSON values as encoding/json decodes them into any, and []byte.
	Args []any
	// Ack answers the client's callback; nil when the client did not ask. The first call counts, later ones do nothing.
	// It may be called at any time from any goroutine, and fails only when the arguments cannot be encoded: then nothing
	// was answered yet.
	Ack func(args ...any) error
}

// panicAnswer is what a client's callback gets when OnEvent panicked before it answered.
var panicAnswer = map[string]any{"success": false, "error": "internal error"}

// handle is the library's middleware for every event: it runs in a goroutine of the library, for which the step waits.
func (s *Socket) handle() {
	c := s.conn
	defer c.done()
	p := s.event
	if p == nil {
		return
	}
	args := p.Data.([]any)
	e := Event{Name: args[0].(string), Args: args[1:]}
	if p.Id != nil {
		e.Ack = s.ack(*p.Id)
	}
	if c.guard("OnEvent", func() { c.srv.opts.OnEvent(s, e) }) && e.Ack != nil {
		_ = e.Ack(panicAnswer) // a map of constants can be encoded
	}
}

// ack answers the event with this id, once.
func (s *Socket) ack(id uint64) func(args ...any) error {
	var answered atomic.Bool
	return func(args ...any) error {
		if answered.Load() {
			return nil
		}
		if args == nil {
			args = []any{} // an ACK packet has an array, always
		}
		out, err := encode(parser.ACK, s.space.name, &id, args)
		if err != nil {
			s.conn.srv.opts.Metrics.encodeErrors.Inc()
			return fmt.Errorf("acknowledge: %w", err)
		}
		if answered.CompareAndSwap(false, true) {
			_ = s.send(out.packets()...) // a client that is gone needs no answer
		}
		return nil
	}
}
