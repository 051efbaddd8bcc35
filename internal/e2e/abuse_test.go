package e2e_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// abuse is one way to hurt a server. It returns when everything that it opened is closed, or is the server's to end.
type abuse struct {
	name string
	run  func(h *hostile)
}

// hostile is a client that keeps to no rule.
type hostile struct {
	t     *testing.T
	s     *scene
	token string
	rng   *rand.Rand
}

// TestNoAbuseHurtsAnybodyElse runs one abuse after the other against one server. Meanwhile a bystander of the same tenant gets a
// message every few milliseconds, and afterwards the server must be as before. The times that the server gives its clients are
// short, so that the test need not wait for long, but such that on a busy machine the bystander can answer its pings, and the
// abusers can do what they are here for.
func TestNoAbuseHurtsAnybodyElse(t *testing.T) {
	s := startPostgres(t, "LOG_LEVEL", "error", "LIMITS", "off", "QUEUE_BYTES", "2000000", "MAX_PAYLOAD", "100000", "HEADER_TIMEOUT", "5s",
		"BODY_TIMEOUT", "1s", "UPGRADE_TIMEOUT", "1s", "CONNECT_TIMEOUT", "5s", "PING_INTERVAL", "5s", "PING_TIMEOUT", "20s",
		"OFFLINE_GRACE", "10ms")
	bystander := mustDial(t, s.url, s.token(s.world.A.Admin))
	h := &hostile{t: t, s: s, token: s.token(s.world.A.Receptionist), rng: rand.New(rand.NewPCG(1, 2))}
	for _, a := range abuses {
		t.Run(a.name, func(t *testing.T) {
			before := take(t, s)
			end := watch(t, s, bystander)
			h.t = t
			a.run(h)
			end()
			before.restored(t, s)
		})
	}
}

// state is what must be as before.
type state struct {
	conns, sockets, goroutines, files int
	heap                              uint64
}

func take(t *testing.T, s *scene) state {
	t.Helper()
	http.DefaultClient.CloseIdleConnections()
	files, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return state{s.app.Hub().Conns(), s.app.Hub().Stats().TotalConnections, runtime.NumGoroutine(), len(files), m.HeapAlloc}
}

func (b state) restored(t *testing.T, s *scene) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		now := take(t, s)
		require.Equal(c, b.conns, now.conns, "connections")
		require.Equal(c, b.sockets, now.sockets, "sockets")
		require.LessOrEqual(c, now.goroutines, b.goroutines+8, "goroutines: the pool of the database may have grown")
		require.LessOrEqual(c, now.files, b.files+12, "descriptors")
		require.Less(c, now.heap, b.heap+(16<<20), "heap")
	}, 2*patience, 50*time.Millisecond)
	res, err := http.Get(s.url + "/healthz")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.NoError(t, res.Body.Close())
}

// watch sends the bystander numbered messages until the function returned is called, which checks that all came, in order,
// and logs how long they took.
func watch(t *testing.T, s *scene, bystander *raw) (end func()) {
	t.Helper()
	stop, stopped := make(chan struct{}), make(chan int)
	bystander.mu.Lock()
	bystander.packets, bystander.came = nil, nil
	bystander.mu.Unlock()
	go func() {
		n := 0
		for ; ; n++ {
			select {
			case <-stop:
				stopped <- n
				return
			case <-time.After(5 * time.Millisecond):
			}
			_, _ = s.app.Hub().ToUser(t.Context(), s.world.A.ID, s.world.A.Admin, "tick", m{"n": n, "t": time.Now().UnixNano()})
		}
	}()
	return func() {
		close(stop)
		sent := <-stopped
		require.NoError(t, bystander.until("every tick", func(p []string) bool { return count(p, `2["tick"`) >= sent }))
		var took []time.Duration
		next := 0
		bystander.mu.Lock()
		for i, p := range bystander.packets {
			var n int
			var at int64
			if k, _ := fmt.Sscanf(p, `2["tick",{"n":%d,"t":%d}]`, &n, &at); k == 2 {
				require.Equal(t, next, n, "in order")
				next++
				took = append(took, bystander.came[i].Sub(time.Unix(0, at)))
			}
		}
		bystander.mu.Unlock()
		require.Equal(t, sent, next)
		if len(took) == 0 {
			return // the abuse was over in a moment
		}
		slices.Sort(took)
		worst := took[len(took)-1]
		t.Logf("a bystander's %d messages: p50 %s, p99 %s, worst %s", len(took), took[len(took)/2].Round(time.Microsecond),
			took[len(took)*99/100].Round(time.Microsecond), worst.Round(time.Microsecond))
		require.Less(t, worst, 20*time.Second, "held up")
	}
}

var abuses = []abuse{
	{"random bytes behind the WebSocket handshake", func(h *hostile) {
		h.many(200, func(c *wire) {
			b := make([]byte, 2000)
			c.h.fill(b)
			c.write(b)
		})
	}},
	{"frames that end too early", func(h *hostile) {
		whole := frame(0x81, true, []byte(`40{"token":"x"}`))
		h.many(len(whole), func(c *wire) { c.write(whole[:1+c.n]) })
	}},
	{"frames without mask, with reserved bits, with unknown opcodes", func(h *hostile) {
		h.many(60, func(c *wire) {
			switch c.n % 4 {
			case 0:
				c.write(frame(0x81, false, []byte("40")))
			case 1:
				c.write(frame(0x81|0x10<<(c.n%3), true, []byte("40")))
			case 2:
				c.write(frame(0x80|byte(3+c.n%5), true, []byte("40")))
			default:
				c.write([]byte{0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4})
			}
			c.gone()
		})
	}},
	{"floods of control frames", func(h *hostile) {
		ping := bytes.Repeat(frame(0x89, true, make([]byte, 125)), 500)
		h.many(8, func(c *wire) {
			for range 40 {
				c.write(ping) // 20,000 pings, whose pongs nobody reads
			}
			c.write(bytes.Repeat(frame(0x88, true, []byte{3, 0xe8}), 100))
			c.gone()
		})
	}},
	{"fragments without end, interleaved and of one byte", func(h *hostile) {
		h.many(20, func(c *wire) {
			switch c.n % 3 {
			case 0:
				c.write(frame(0x01, true, []byte("4")))
				c.write(bytes.Repeat(frame(0x00, true, []byte("x")), 100_001)) // over MAX_PAYLOAD
				c.gone()
			case 1:
				c.write(append(frame(0x01, true, []byte("4")), frame(0x81, true, []byte("40"))...))
				c.gone()
			default:
				for range 1000 {
					c.write(append(frame(0x01, true, []byte("4")), frame(0x89, true, nil)...)[:7])
				}
			}
		})
	}},
	{"two GETs at once, POSTs side by side", func(h *hostile) {
		for range 20 {
			sid := h.session()
			h.atOnce(4, func(int) { h.get(sid) })
			sid = h.session()
			h.atOnce(8, func(int) { h.post(sid, "40") })
		}
	}},
	{"POSTs that are too large, by their length and in chunks", func(h *hostile) {
		for range 10 {
			h.post(h.session(), strings.Repeat("x", 200_000))
			sid := h.session()
			req, err := http.NewRequest(http.MethodPost, h.polling(sid), io.MultiReader(strings.NewReader("4"), &endless{left: 50 << 20}))
			require.NoError(h.t, err)
			if res, err := http.DefaultClient.Do(req); err == nil {
				_ = res.Body.Close()
			}
		}
	}},
	{"a chunked POST that never ends", func(h *hostile) {
		h.atOnce(50, func(int) {
			sid := h.session()
			c := h.dial()
			defer c.close()
			c.printf("POST /api/socket?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n40\r\n", sid)
			c.gone()
		})
	}},
	{"upgrades abandoned at every step", func(h *hostile) {
		h.atOnce(60, func(i int) {
			sid := h.session()
			c := h.dial()
			defer c.close()
			c.upgrade("&sid=" + sid)
			switch i % 5 {
			case 1:
				c.write(frame(0x81, true, []byte("2probe")))
			case 2:
				c.write(frame(0x81, true, []byte("2probe")))
				c.read()
			case 3:
				c.write(append(frame(0x81, true, []byte("2probe")), frame(0x81, true, []byte("2probe"))...))
				c.gone()
			case 4:
				c.write(frame(0x81, true, []byte("40")))
				c.gone()
			}
			c.close()
			h.post(sid, "1") // polling goes on
		})
	}},
	{"floods of CONNECT", func(h *hostile) {
		connect := frame(0x81, true, []byte(`40{"token":"made up"}`))
		h.many(20, func(c *wire) {
			c.write(bytes.Repeat(connect, 100))
			c.gone()
		})
		h.many(300, func(c *wire) { // CONNECT_TIMEOUT ends them
			if c.n%2 == 0 {
				c.write(frame(0x81, true, []byte("40/nowhere,")))
			}
			c.gone()
		})
		h.many(20, func(c *wire) {
			c.write(frame(0x81, true, []byte(`40{"token":"`+strings.Repeat("x", 90_000)+`"}`)))
		})
	}},
	{"guesses of session ids", func(h *hostile) {
		h.atOnce(8, func(int) {
			for i := range 150 {
				sid := fmt.Sprintf("%020x", i)
				if i%2 == 0 {
					h.get(sid)
				} else {
					h.post(sid, "41")
				}
			}
		})
		h.atOnce(50, func(i int) {
			c := h.dial()
			defer c.close()
			c.printf("GET /api/socket?EIO=4&transport=websocket&sid=guess%d HTTP/1.1\r\nHost: x\r\n%s\r\n", i, upgradeHeaders)
			require.Contains(h.t, c.line(), "400")
		})
	}},
	{"readers that stop", func(h *hostile) {
		h.many(10, func(c *wire) {
			c.write(frame(0x81, true, []byte(`40{"token":"`+h.token+`"}`)))
		}, func(all []*wire) {
			require.Eventually(h.t, func() bool { return h.s.app.Hub().Stats().TotalConnections >= 11 }, patience, 5*time.Millisecond)
			pad := strings.Repeat("x", 64<<10)
			require.Eventually(h.t, func() bool { // QUEUE_BYTES and what the kernel takes
				_, _ = h.s.app.Hub().ToUser(h.t.Context(), h.s.world.A.ID, h.s.world.A.Receptionist, "flood", pad)
				return h.s.app.Hub().Stats().TotalConnections == 1
			}, 2*patience, time.Millisecond)
		})
	}},
	{"half-open sockets and slow headers", func(h *hostile) {
		h.atOnce(200, func(i int) {
			c := h.dial()
			defer c.close()
			c.write([]byte("GET /api/socket?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nX-Slow: "[:10*(i%7)]))
			c.gone()
		})
		h.many(50, func(c *wire) { c.write([]byte{0x81, 0xfe, 0x10}); c.gone() }) // the heartbeat ends them
	}},
	{"connections that are reset", func(h *hostile) {
		h.many(300, func(c *wire) {
			c.write(frame(0x81, true, []byte(`40{"token":"`+h.token+`"}`)))
			_ = c.Conn.(*net.TCPConn).SetLinger(0)
		})
	}},
	{"floods of headers", func(h *hostile) {
		h.atOnce(40, func(i int) {
			c := h.dial()
			defer c.close()
			switch i % 3 {
			case 0:
				c.printf("GET /api/socket?EIO=4&transport=polling&%s HTTP/1.1\r\nHost: x\r\n\r\n", strings.Repeat("a=1&", 50_000))
			case 1:
				c.printf("GET /api/socket?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n%s\r\n", strings.Repeat("X-A: b\r\n", 20_000))
			default:
				c.printf("GET /api/socket?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n%sCookie: next-auth.session-token=%s\r\n\r\n",
					upgradeHeaders, strings.Repeat("x", 100_000))
			}
			require.Contains(h.t, c.line(), "431", "request header fields too large (RFC 6585)")
		})
	}},
	{"packets of Socket.IO that are none", func(h *hostile) {
		packets := []string{
			`42` + strings.Repeat("[", 90_000), `42["` + strings.Repeat("x", 5000) + `"]`, `499999999999-["x"]`, `42`, `421`, `451-`, `43`,
			`451-["x",{"_placeholder":true,"num":0}]`, `4510-["x"]`, `42["disconnect"]`, `44{"message":"x"}`, `42{}`, "42[\"\xff\"]", `4`, `49`,
			`431["never asked for"]`, `42["presence:update",` + strings.Repeat(`{"a":`, 40) + `1` + strings.Repeat("}", 40) + `]`,
		}
		h.many(len(packets)*4, func(c *wire) {
			c.write(frame(0x81, true, []byte(`40{"token":"`+h.token+`"}`)))
			c.write(frame(0x81, true, []byte(packets[c.n%len(packets)])))
		})
	}},
	{"a flood of events whose answers nobody reads", func(h *hostile) {
		event := bytes.Repeat(frame(0x81, true, []byte(`421["presence:update","away"]`)), 500)
		h.many(2, func(c *wire) {
			c.write(frame(0x81, true, []byte(`40{"token":"`+h.token+`"}`)))
			for range 6 {
				c.write(event)
			}
			for answered := 0; answered < 3000; { // now they are read: all of them are there
				data, err := c.in.ReadString('}')
				if err != nil {
					h.t.Errorf("%d of 3,000 answers: %v", answered, err)
					return
				}
				answered += strings.Count(data, `"success":true`)
			}
		})
	}},
}

// fill makes random bytes, the same in every run.
func (h *hostile) fill(b []byte) {
	for i := range b {
		b[i] = byte(h.rng.Uint32()) //nolint:gosec // any byte
	}
}

// many opens n WebSockets, does something with each, and closes them; between waits with all of them open.
func (h *hostile) many(n int, do func(*wire), between ...func(all []*wire)) {
	h.t.Helper()
	all := make([]*wire, n)
	for i := range all {
		all[i] = h.dial()
		all[i].n = i
		all[i].upgrade("")
	}
	if n <= 20 || len(between) > 0 {
		h.atOnce(n, func(i int) { do(all[i]) })
	} else {
		for _, c := range all { // in turn, so that the random bytes are the same in every run
			do(c)
		}
	}
	for _, f := range between {
		f(all)
	}
	for _, c := range all {
		c.close()
	}
}

func (*hostile) atOnce(n int, do func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { do(i) })
	}
	wg.Wait()
}

func (h *hostile) polling(sid string) string {
	return h.s.url + "/api/socket?EIO=4&transport=polling&sid=" + sid
}

// session opens a polling session and returns its id.
func (h *hostile) session() string {
	res, err := http.Get(h.s.url + "/api/socket?EIO=4&transport=polling")
	if err != nil {
		return ""
	}
	defer func() { _ = res.Body.Close() }()
	b, _ := io.ReadAll(res.Body)
	_, rest, _ := strings.Cut(string(b), `"sid":"`)
	sid, _, _ := strings.Cut(rest, `"`)
	return sid
}

func (h *hostile) get(sid string) {
	if res, err := http.Get(h.polling(sid)); err == nil {
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
	}
}

func (h *hostile) post(sid, body string) {
	if res, err := http.Post(h.polling(sid), "text/plain", strings.NewReader(body)); err == nil {
		_ = res.Body.Close()
	}
}

// endless is a body of x, longer than anybody wants.
type endless struct{ left int }

func (e *endless) Read(b []byte) (int, error) {
	n := min(len(b), e.left)
	if e.left -= n; n == 0 {
		return 0, io.EOF
	}
	return copy(b, bytes.Repeat([]byte("x"), n)), nil
}

// wire is a TCP connection whose errors are the abuse's own fault.
type wire struct {
	net.Conn
	h  *hostile
	in *bufio.Reader
	n  int // which of many
}

func (h *hostile) dial() *wire {
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.s.url, "http://"))
	if err != nil {
		panic(err) // the server is down: nothing else is worth a look
	}
	_ = conn.SetDeadline(time.Now().Add(2 * patience))
	return &wire{Conn: conn, h: h, in: bufio.NewReader(conn)}
}

const upgradeHeaders = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// upgrade makes a WebSocket of it, and reads the handshake's answer.
func (w *wire) upgrade(query string) {
	w.printf("GET /api/socket?EIO=4&transport=websocket%s HTTP/1.1\r\nHost: x\r\n%s\r\n", query, upgradeHeaders)
	for w.line() != "\r\n" {
	}
}

func (w *wire) write(b []byte)                    { _, _ = w.Write(b) }
func (w *wire) printf(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
func (w *wire) close()                            { _ = w.Close() }
func (w *wire) read()                             { _, _ = w.in.ReadByte() }

// line is the next line, or an empty one when there is none any more.
func (w *wire) line() string {
	s, err := w.in.ReadString('\n')
	if err != nil {
		return "\r\n"
	}
	return s
}

// gone reads until the server has ended the connection.
func (w *wire) gone() {
	if _, err := io.Copy(io.Discard, w.in); err != nil && os.IsTimeout(err) {
		w.h.t.Errorf("the server keeps connection %d", w.n)
	}
}

// frame is a WebSocket frame, masked or not.
func frame(first byte, masked bool, payload []byte) []byte {
	b := []byte{first}
	bit := byte(0)
	if masked {
		bit = 0x80
	}
	switch n := len(payload); {
	case n < 126:
		b = append(b, bit|byte(n))
	case n < 1<<16:
		b = append(b, bit|126, byte(n>>8), byte(n))
	default:
		b = append(b, bit|127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	if !masked {
		return append(b, payload...)
	}
	mask := [4]byte{1, 2, 3, 4}
	b = append(b, mask[:]...)
	for i, c := range payload {
		b = append(b, c^mask[i&3])
	}
	return b
}
