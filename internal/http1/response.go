package http1

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// keptBuffer is up to which size a buffer is kept for the next user, in bytes.
const keptBuffer = 16 << 10

// buffers are for heads and bodies, of requests and of answers.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

func keep(b *[]byte) {
	if cap(*b) <= keptBuffer {
		*b = (*b)[:0]
		buffers.Put(b)
	}
}

// response is the http.ResponseWriter of one request. The answer is collected, and sent as one write when the handler
// returns, or at a Flush behind all of an announced Content-Length: the handlers that are served here do not stream.
type response struct {
	c      *conn
	header http.Header
	status int
	body   *[]byte
	sent   bool // or given up
	taken  bool // hijacked
	last   bool // the connection ends with this answer
	err    error
	later  *later
}

var (
	errTaken = http.ErrHijacked
	errLate  = errors.New("http1: the answer is on its way")
)

// Header is the answer's header.
func (w *response) Header() http.Header { return w.header }

// WriteHeader sets the status. Of several the first counts, and interim ones (1xx) are not sent.
func (w *response) WriteHeader(status int) {
	if w.status == 0 && status >= 200 && w.later == nil {
		w.status = status
	}
}

// Write appends to the body.
func (w *response) Write(b []byte) (int, error) {
	switch {
	case w.taken:
		return 0, errTaken
	case w.sent || w.later != nil:
		return 0, errLate
	}
	w.WriteHeader(http.StatusOK)
	if len(b) > 0 && w.bodiless() {
		return 0, http.ErrBodyNotAllowed
	}
	if w.body == nil {
		w.body, _ = buffers.Get().(*[]byte)
	}
	*w.body = append(*w.body, b...)
	return len(b), nil
}

// FlushError sends the answer if it is whole.
func (w *response) FlushError() error {
	if w.sent || w.taken || w.later != nil {
		return w.err
	}
	n := 0
	if w.body != nil {
		n = len(*w.body)
	}
	if length := w.header["Content-Length"]; len(length) == 1 && length[0] == strconv.Itoa(n) {
		w.send()
	}
	return w.err
}

// Flush is FlushError for http.Flusher.
func (w *response) Flush() { _ = w.FlushError() }

// SetReadDeadline satisfies http.ResponseController. A body has come, or never will, before the handler runs.
func (w *response) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline satisfies http.ResponseController. Every write has Options.WriteTimeout.
func (w *response) SetWriteDeadline(time.Time) error { return nil }

// Hijack satisfies http.Hijacker.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.sent || w.taken || w.later != nil {
		return nil, nil, errTaken
	}
	w.taken = true
	tcp, rest := w.c.release()
	in := bufio.NewReaderSize(&prefixed{TCPConn: tcp, first: rest}, len(rest)) // 16 bytes at least
	if len(rest) > 0 {
		_, _ = in.Peek(len(rest))
	}
	return tcp, bufio.NewReadWriter(in, bufio.NewWriterSize(tcp, 1)), nil
}

// send writes the answer, waiting for the peer where it has to.
func (w *response) send() {
	w.sent = true
	var body []byte
	if w.body != nil {
		body = *w.body
		defer keep(w.body)
	}
	out, _ := buffers.Get().(*[]byte)
	defer keep(out)
	*out = append(w.head((*out)[:0], len(body)), body...)
	if n, err := w.c.try(*out); err != nil || n < len(*out) {
		if err == nil {
			err = w.c.write((*out)[n:])
		}
		w.err = err
	}
}

// head appends the status line and the header (RFC 9112, 4 and 5).
func (w *response) head(b []byte, body int) []byte {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(w.status), 10)
	b = append(append(append(b, ' '), http.StatusText(w.status)...), "\r\n"...)
	if body > 0 && w.header["Content-Type"] == nil {
		b = append(append(append(b, "Content-Type: "...), w.sniffed()...), "\r\n"...)
	}
	for name, values := range w.header {
		if name == "Content-Length" || name == "Connection" || name == "Date" || name == "Transfer-Encoding" {
			continue // ours
		}
		for _, v := range values {
			b = append(append(append(append(b, name...), ": "...), newlines.Replace(v)...), "\r\n"...)
		}
	}
	b = append(append(append(b, "Date: "...), date()...), "\r\n"...)
	if !w.bodiless() {
		b = append(b, "Content-Length: "...)
		b = append(strconv.AppendInt(b, int64(body), 10), "\r\n"...)
	}
	if w.last {
		b = append(b, "Connection: close\r\n"...)
	}
	return append(b, "\r\n"...)
}

// bodiless reports whether the status has no body, so that one would be read as the next answer (RFC 9112, 6.3).
func (w *response) bodiless() bool {
	return w.status == http.StatusNoContent || w.status == http.StatusNotModified
}

// sniffed is what net/http takes a body for that has no Content-Type.
func (w *response) sniffed() string {
	if w.body == nil {
		return "application/octet-stream"
	}
	return http.DetectContentType(*w.body)
}

// newlines keeps a value on its line.
var newlines = strings.NewReplacer("\r", " ", "\n", " ")

// today is the Date that answers of one second share.
var today atomic.Pointer[stamp]

type stamp struct {
	second int64
	text   string
}

// date is the value of a Date field (RFC 9110, 6.6.1).
func date() string {
	now := time.Now()
	s := today.Load()
	if s == nil || s.second != now.Unix() {
		s = &stamp{now.Unix(), now.UTC().Format(http.TimeFormat)}
		today.Store(s)
	}
	return s.text
}
