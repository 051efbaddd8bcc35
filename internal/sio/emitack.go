package sio

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/zishang520/socket.io/v2/socket"
)

// What the callback of EmitAck gets instead of an answer.
var (
	ErrAckTimeout   = errors.New("the client did not acknowledge in time")
	ErrDisconnected = errors.New("the socket disconnected before it acknowledged")
	// ErrTooManyAcks is what EmitAck returns when the socket owes too many already.
	ErrTooManyAcks = errors.New("too many acknowledgements are pending")
)

const defaultAckTimeout = 30 * time.Second

// EmitAck sends an event and calls fn exactly once, in the connection's order: with the client's answer, or with
// [ErrAckTimeout] or [ErrDisconnected]. A timeout of 0 or less is 30 s. When it returns an error, nothing was sent and
// fn is not called.
func (s *Socket) EmitAck(timeout time.Duration, event string, args []any, fn func(args []any, err error)) error {
	positive(&timeout, defaultAckTimeout)
	id := s.space.lib.Ids()
	ps, err := encodeEvent(s.space.name, &id, event, args)
	if err != nil {
		s.conn.srv.opts.Metrics.encodeErrors.Inc()
		return err
	}
	if !s.Connected() {
		return ErrDisconnected
	}
	if s.pending.Add(1) > int64(s.conn.srv.opts.MaxPendingAcks) {
		s.pending.Add(-1)
		return fmt.Errorf("emit %q: %w", event, ErrTooManyAcks)
	}
	timer := time.AfterFunc(math.MaxInt64, func() { s.abandon(id) }) // armed below, when there is something to abandon
	s.lib.Acks().Store(id, func(args []any, err error) {
		timer.Stop()
		s.pending.Add(-1)
		s.conn.guard("acknowledgement", func() { fn(args, err) })
	})
	timer.Reset(timeout)
	_ = s.send(ps...)
	if !s.Connected() { // it may have gone between the check and Store: nobody else would call fn before the timeout
		s.conn.eng.Do(s.dropAcks)
	}
	return nil
}

// acknowledged is a step: an ACK packet. One that nobody asked for, or that comes twice or too late, is ignored.
func (s *Socket) acknowledged(id uint64, args []any) {
	if ack, ok := s.lib.Acks().LoadAndDelete(id); ok {
		ack(args, nil)
	}
}

// abandon runs when the time for an answer is over.
func (s *Socket) abandon(id uint64) {
	expire := func() {
		if ack, ok := s.lib.Acks().LoadAndDelete(id); ok {
			s.conn.srv.opts.Metrics.ackTimeouts.Inc()
			ack(nil, ErrAckTimeout)
		}
	}
	if !s.conn.eng.Do(expire) {
		expire() // the connection is over: there is no order left to keep
	}
}

// dropAcks answers whatever is still open when the socket goes.
func (s *Socket) dropAcks() {
	s.lib.Acks().Range(func(id uint64, _ socket.Ack) bool {
		if ack, ok := s.lib.Acks().LoadAndDelete(id); ok {
			ack(nil, ErrDisconnected)
		}
		return true
	})
}
