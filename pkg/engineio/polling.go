package engineio

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"
)

// pollAtOnce is a body that fits into a socket's empty send buffer, in bytes (tcp(7): tcp_wmem, 16 KB by default). The buffer
// is empty: the client has sent its next request.
const pollAtOnce = 8 << 10

// pollRequest is a GET that waits for packets. It is answered once, by whoever took it off the connection.
type pollRequest struct {
	conn   *Conn
	answer chan pollAnswer                     // to the goroutine that waits
	later  func(body []byte, then func(error)) // the way of an answer without one
	told   pollAnswer                          // what a writer has to send through later
}

// detacher is a ResponseWriter that can be answered after ServeHTTP has returned, so that a poll costs no goroutine while it
// waits. gone runs instead of an answer when the client leaves first. answer sends status 200 with the header as it is; it
// does not block, and runs then when the body is on the network, or never will be.
type detacher interface {
	Detach(gone func()) (answer func(body []byte, then func(error)))
}

// detachable finds the detacher below the writers of a router, nil where there is none.
func detachable(w http.ResponseWriter) detacher {
	for {
		if d, ok := w.(detacher); ok {
			return d
		}
		under, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return nil
		}
		w = under.Unwrap()
	}
}

// reply gives a poll that was taken off its connection its answer. It does not block.
func (s *Server) reply(p *pollRequest, a pollAnswer) {
	if p.later == nil {
		p.answer <- a
		return
	}
	p.told = a
	s.writers.do(job{poll: p})
}

type pollAnswer struct {
	body []byte
	then func() // what happens when the body is written
}

// answerPoll hands the queue to the pending GET. The lock is held, and there is such a GET.
//
// A close packet travels alone, on the client's next GET: the JavaScript client handles a message in a microtask but a
// close packet at once, so that in one payload the close would overtake the last words (engine.io's Socket.close waits
// for "drain" for the same reason).
func (c *Conn) answerPoll() {
	packets, a := c.queue, pollAnswer{}
	if reason := c.closing; reason != nil {
		if len(packets) == 0 {
			packets = append(packets, closePacket)
			a.then = func() { c.cut(*reason) }
		} else {
			c.final.Reset(min(c.srv.opts.WriteTimeout, c.srv.opts.PollGap))
		}
	}
	if flushed := c.flushed; flushed != nil {
		c.flushed = nil
		then := a.then
		a.then = func() {
			flushed()
			if then != nil {
				then()
			}
		}
	}
	a.body = encodePayload(packets)
	poll := c.poll
	c.poll, c.queue, c.bytes = nil, nil, 0
	c.srv.reply(poll, a)
}

// send answers through later.
func (p *pollRequest) send() {
	p.later(p.told.body, func(err error) { p.conn.wrotePoll(p.told, err) })
}

// servePoll answers a GET of a polling connection.
func (c *Conn) servePoll(w http.ResponseWriter, r *http.Request) {
	p := &pollRequest{conn: c, answer: make(chan pollAnswer, 1)}
	c.mu.Lock()
	switch {
	case c.done:
		c.mu.Unlock()
		c.srv.refuse(w, r, unknownSID, "closed session")
		return
	case c.ws != nil:
		c.mu.Unlock()
		c.srv.refuse(w, r, badRequest, "polling after the upgrade")
		return
	case c.poll != nil:
		// Two at once would tear the stream apart (protocol, "HTTP long-polling": one GET at a time).
		c.mu.Unlock()
		c.srv.refuse(w, r, badRequest, "two polls at once")
		c.cut(CloseError)
		return
	}
	c.poll = p
	switch {
	case len(c.queue) > 0 || c.closing != nil:
		c.answerPoll()
	case c.probe != nil && c.probe.probed:
		// The client waits for its poll to return before it finishes the upgrade.
		c.releasePoll()
	}
	if d := detachable(w); d != nil && c.poll == p {
		p.later = d.Detach(func() { c.leavePoll(p) })
		setPollHeader(w.Header())
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()

	select {
	case a := <-p.answer:
		c.writePoll(w, a)
	case <-r.Context().Done():
		c.leavePoll(p)
	}
}

// leavePoll is a client that gave up. What may have been on its way is lost, and with it the stream.
func (c *Conn) leavePoll(p *pollRequest) {
	c.mu.Lock()
	if c.poll == p {
		c.poll = nil
	}
	c.mu.Unlock()
	c.cut(CloseTransport)
}

// releasePoll answers the pending GET, if any, with a noop. The lock is held.
func (c *Conn) releasePoll() {
	if poll := c.poll; poll != nil {
		c.poll = nil
		c.srv.reply(poll, pollAnswer{body: noopPacket.polling()})
	}
}

func setPollHeader(h http.Header) {
	h.Set("Content-Type", "text/plain; charset=UTF-8")
	h.Set("Cache-Control", "no-store")
}

func (c *Conn) writePoll(w http.ResponseWriter, a pollAnswer) {
	setPollHeader(w.Header())
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	// A server-wide write timeout counts from the request's start, and a long poll is long. What the kernel takes at once
	// needs none (3 % of a poll's CPU), and the deadline must not stay for the connection's next request.
	rc := http.NewResponseController(w)
	slow := len(a.body) > pollAtOnce
	if slow {
		_ = rc.SetWriteDeadline(time.Now().Add(c.srv.opts.WriteTimeout))
	}
	_, err := w.Write(a.body)
	if err == nil {
		err = rc.Flush()
	}
	if slow {
		_ = rc.SetWriteDeadline(time.Time{})
	}
	if errors.Is(err, http.ErrNotSupported) {
		err = nil
	}
	c.wrotePoll(a, err)
}

// wrotePoll is the end of an answer to a poll.
func (c *Conn) wrotePoll(a pollAnswer, err error) {
	c.srv.opts.Metrics.sent(len(a.body))
	switch {
	case err != nil:
		c.cut(CloseTransport)
	case a.then != nil:
		a.then()
	}
}

// servePost takes the packets of a POST.
func (c *Conn) servePost(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	switch {
	case c.done || c.closing != nil:
		c.mu.Unlock()
		c.srv.refuse(w, r, unknownSID, "closed session")
		return
	case c.ws != nil:
		c.mu.Unlock()
		c.srv.refuse(w, r, badRequest, "polling after the upgrade")
		return
	case c.posting:
		c.mu.Unlock()
		c.srv.refuse(w, r, badRequest, "two posts at once")
		c.cut(CloseError)
		return
	}
	c.posting = true
	c.mu.Unlock()
	packets, refusal, reason := c.readPost(w, r)
	if refusal != "" {
		if reason == CloseTooLarge {
			c.srv.opts.OnRefused(r, badRequest.Code, refusal)
			c.srv.opts.Metrics.refusals.WithLabelValues("too_large").Inc()
			http.Error(w, http.StatusText(http.StatusRequestEntityTooLarge), http.StatusRequestEntityTooLarge)
		} else {
			c.srv.refuse(w, r, badRequest, refusal)
		}
		c.endPost()
		c.cut(reason)
		return
	}
	for _, p := range packets {
		c.throttle(len(p.data))
		if !c.receive(p) {
			break
		}
	}
	c.endPost()
	if c.brokeProtocol() {
		c.srv.refuse(w, r, badRequest, "invalid packet")
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html") // as the reference server: the text is for nobody
	h.Set("Content-Length", "2")
	h.Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, "ok")
}

func (c *Conn) endPost() {
	c.mu.Lock()
	c.posting = false
	c.mu.Unlock()
}

func (c *Conn) brokeProtocol() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing != nil && *c.closing == CloseParse
}

// readPost reads a body of at most MaxPayload bytes, however it is sent, and decodes it whole before anything of it is
// handed up: a body that is wrong anywhere counts for nothing and ends the session.
func (c *Conn) readPost(w http.ResponseWriter, r *http.Request) ([]incoming, string, CloseReason) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind == "application/octet-stream" { // binary travels as base64 since protocol 4
		return nil, "binary body", CloseParse
	}
	limit := c.srv.opts.MaxPayload
	if r.ContentLength > limit {
		return nil, "body too large", CloseTooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err == nil { // else boundBody's deadline stays: the answer must not wait for the rest
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, "body too large", CloseTooLarge
	case err != nil:
		return nil, "body not read", CloseTransport
	}
	packets, err := decodePayload(body)
	if err != nil {
		return nil, err.Error(), CloseParse
	}
	return packets, "", CloseReason{}
}
