package http1

import (
	"net/http"
	"sync"
	"time"
)

// later is an answer that comes behind the handler's return.
type later struct {
	w    *response
	gone func()

	mu    sync.Mutex
	state laterState
	ended chan struct{} // closed with done; nil where nobody waits
}

type laterState int

const (
	waiting laterState = iota
	sending
	done // or the client has left
)

// Detach lets the handler return before it has answered: the connection waits without a goroutine of the handler's. Whoever
// calls answer sends status 200 with the header as it is and that body; then runs when the body is on the network, with
// the error if it never will be. gone runs instead, once, when the client leaves first; an answer after that only runs
// then. answer may wait for the peer only where the kernel does not take the body at once, and does so in a goroutine of
// its own.
func (w *response) Detach(gone func()) (answer func(body []byte, then func(error))) {
	l := &later{w: w, gone: gone}
	w.status, w.later = http.StatusOK, l
	return l.answer
}

func (l *later) answer(body []byte, then func(error)) {
	l.mu.Lock()
	if l.state != waiting {
		l.mu.Unlock()
		then(http.ErrAbortHandler)
		return
	}
	l.state = sending
	l.mu.Unlock()
	w := l.w
	w.last = w.last || w.c.s.down.Load()
	out, _ := buffers.Get().(*[]byte)
	*out = append(w.head((*out)[:0], len(body)), body...)
	n, err := w.c.try(*out)
	if err == nil && n < len(*out) {
		go func() {
			l.finish(w.c.write((*out)[n:]), then)
			keep(out)
		}()
		return
	}
	keep(out)
	l.finish(err, then)
}

// finish lets the connection go on, or ends it, and says how the write ended.
func (l *later) finish(err error, then func(error)) {
	c := l.w.c
	l.mu.Lock()
	l.state = done
	switch {
	case err != nil:
		c.cut()
	case l.w.last:
		_ = c.tcp.CloseWrite()
		_ = c.tcp.SetReadDeadline(time.Now().Add(linger))
	case l.ended == nil: // else the next request is there
		if !c.rested() {
			c.cut()
		}
	}
	if l.ended != nil {
		close(l.ended)
	}
	l.mu.Unlock()
	then(err)
}

// wait returns when the answer has been sent.
func (l *later) wait() {
	l.mu.Lock()
	if l.state != done {
		if l.ended == nil {
			l.ended = make(chan struct{})
		}
		ended := l.ended
		l.mu.Unlock()
		<-ended
		return
	}
	l.mu.Unlock()
}

// leave tells the handler that the client is gone, unless the answer is on its way.
func (l *later) leave() {
	l.mu.Lock()
	if l.state != waiting {
		l.mu.Unlock()
		l.wait()
		return
	}
	l.state = done
	l.mu.Unlock()
	l.gone()
}
