package frontdoor

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// restTime is how long a client may go on sending what nobody reads any more: cut off at once it would see a reset
// connection in place of the answer.
const restTime = 2 * time.Second

// body is a request's body on its way to Next.js, whose next part has to come within idle. net/http has no such bound, and
// an answer, "down" included, waits for the body: without it a client could hold its request for as long as it likes.
type body struct {
	io.ReadCloser
	conn *http.ResponseController
	idle time.Duration

	mu   sync.Mutex
	over bool // read to its end, or released: the connection's deadline is net/http's again
}

// Read may run beside release, and after the handler: ReverseProxy does not wait for it.
func (b *body) Read(p []byte) (int, error) {
	b.within(b.idle, false)
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.within(0, true)
	}
	return n, err
}

// release leaves what is left of the body to net/http, which reads on to the end of a small one.
func (b *body) release() { b.within(restTime, true) }

// within sets the connection's deadline, none for 0, unless the body is over; last says that it is from now on.
func (b *body) within(d time.Duration, last bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		return
	}
	var at time.Time
	if d > 0 {
		at = time.Now().Add(d)
	}
	_ = b.conn.SetReadDeadline(at) // a test's recorder cannot
	b.over = last
}
