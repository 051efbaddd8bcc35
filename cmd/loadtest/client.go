package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// benchEvent is the event that the fan-out scenarios emit. Its data is {"r":<run>,"n":<number>,"t":<nanoseconds>,"pad":"…"}.
const benchEvent = "bench"

// sink is where all clients of a crew count what they get.
type sink struct {
	run       atomic.Int64 // only messages of this run count
	delivered atomic.Int64
	lost      atomic.Int64 // numbers that were passed over
	reordered atomic.Int64 // numbers that came late, or twice
	acks      atomic.Int64
	others    atomic.Int64 // every other event: presence and such
	latency   histogram    // from when a message was due to when it was read
	broken    atomic.Int64 // connections that ended by themselves
}

// client is one Socket.IO client, light enough to have 10,000 of in one process.
type client struct {
	sink  *sink
	token string

	conn   net.Conn
	writes sync.Mutex // one frame at a time

	ready  chan error // closed, or an error, when connection:success has come
	told   bool
	run    int64
	next   int64
	acked  chan struct{}
	closed atomic.Bool

	// polling only
	http *http.Client
	base string
}

var errRefused = errors.New("refused")

// dial opens a connection, signs in with the session cookie and waits for connection:success.
func dial(ctx context.Context, s *sink, server, token, transport string) (*client, error) {
	c := &client{sink: s, token: token, ready: make(chan error, 1), acked: make(chan struct{}, 1)}
	var err error
	if transport == "polling" {
		err = c.openPolling(ctx, server)
	} else {
		err = c.openWebSocket(ctx, server)
	}
	if err != nil {
		return nil, err
	}
	select {
	case err = <-c.ready:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *client) openWebSocket(ctx context.Context, server string) (err error) {
	u, err := url.Parse(server)
	if err != nil {
		return err
	}
	if c.conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", u.Host); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.conn, "GET /api/socket?EIO=4&transport=websocket HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\n"+
		"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"+
		"Cookie: next-auth.session-token=%s\r\n\r\n", u.Host, server, c.token)
	if err != nil {
		return err
	}
	in := bufio.NewReaderSize(c.conn, 2<<10)
	_ = c.conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	res, err := http.ReadResponse(in, nil) //nolint:bodyclose // a 101 has none, and after anything else the connection is closed
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		_ = c.conn.Close()
		return fmt.Errorf("%w: %s", errRefused, res.Status)
	}
	_ = c.conn.SetReadDeadline(time.Time{})
	go c.read(in)
	return nil
}

// read takes frames until the connection ends.
func (c *client) read(in *bufio.Reader) {
	buf := make([]byte, 0, 512)
	for {
		data, op, err := readFrame(in, buf)
		if err == nil && op == 8 {
			err = io.EOF
		}
		if err != nil {
			c.ended(err)
			return
		}
		if op == 1 {
			c.packet(data)
		}
		buf = data[:0]
	}
}

func (c *client) ended(err error) {
	if c.closed.CompareAndSwap(false, true) {
		c.sink.broken.Add(1)
	}
	select {
	case c.ready <- err:
	default:
	}
	_ = c.shut()
}

// readFrame reads one frame of a server: whole and not masked.
func readFrame(in *bufio.Reader, buf []byte) (data []byte, op byte, err error) {
	var h [8]byte
	if _, err := io.ReadFull(in, h[:2]); err != nil {
		return nil, 0, err
	}
	op = h[0] & 0x0f
	n := int(h[1] & 0x7f)
	switch n {
	case 126:
		if _, err := io.ReadFull(in, h[:2]); err != nil {
			return nil, 0, err
		}
		n = int(binary.BigEndian.Uint16(h[:2]))
	case 127:
		if _, err := io.ReadFull(in, h[:8]); err != nil {
			return nil, 0, err
		}
		n = int(binary.BigEndian.Uint64(h[:8])) //nolint:gosec // our own servers' frames
	}
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	_, err = io.ReadFull(in, buf[:n])
	return buf[:n], op, err
}

// packet handles one Engine.IO packet.
func (c *client) packet(p []byte) {
	switch {
	case len(p) == 0:
	case p[0] == '0':
		_ = c.send("40")
	case p[0] == '2':
		_ = c.send("3")
	case len(p) < 2 || p[0] != '4':
	case p[1] == '4':
		select {
		case c.ready <- fmt.Errorf("%w: %s", errRefused, p):
		default:
		}
	case p[1] == '3':
		c.sink.acks.Add(1)
		select {
		case c.acked <- struct{}{}:
		default:
		}
	case p[1] == '2':
		c.event(p[2:])
	}
}

func (c *client) event(p []byte) {
	if bytes.HasPrefix(p, []byte(`["`+benchEvent+`"`)) {
		c.number(p)
		return
	}
	if !c.told && bytes.HasPrefix(p, []byte(`["connection:success"`)) {
		c.told = true
		c.ready <- nil
		return
	}
	c.sink.others.Add(1)
}

// number checks that the messages of a run come all and in order.
func (c *client) number(p []byte) {
	run, n, due := field(p, `"r":`), field(p, `"n":`), field(p, `"t":`)
	if run != c.sink.run.Load() {
		return
	}
	if run != c.run {
		c.run, c.next = run, 0
	}
	switch {
	case n > c.next:
		c.sink.lost.Add(n - c.next)
		c.next = n + 1
	case n < c.next:
		c.sink.reordered.Add(1)
	default:
		c.next++
	}
	c.sink.latency.add(time.Duration(time.Now().UnixNano() - due))
	c.sink.delivered.Add(1)
}

// field reads the number behind a key; the keys come before anything of the caller's.
func field(p []byte, key string) int64 {
	i := bytes.Index(p, []byte(key))
	if i < 0 {
		return -1
	}
	var n int64
	for _, b := range p[i+len(key):] {
		if b < '0' || b > '9' {
			break
		}
		n = n*10 + int64(b-'0')
	}
	return n
}

// send sends one packet.
func (c *client) send(packet string) error {
	if c.http != nil {
		return c.post(packet)
	}
	b := make([]byte, 0, len(packet)+14)
	if len(packet) < 126 {
		b = append(b, 0x81, 0x80|byte(len(packet)))
	} else {
		b = binary.BigEndian.AppendUint16(append(b, 0x81, 0x80|126), uint16(len(packet))) //nolint:gosec // short packets only
	}
	mask := rand.Uint32() //nolint:gosec // a mask keeps proxies from guessing, not anybody's secret
	b = binary.LittleEndian.AppendUint32(b, mask)
	for i := range len(packet) {
		b = append(b, packet[i]^byte(mask>>(8*(i&3)))) //nolint:gosec // one byte of four
	}
	c.writes.Lock()
	defer c.writes.Unlock()
	_ = c.conn.SetWriteDeadline(time.Now().Add(20 * time.Second))
	_, err := c.conn.Write(b)
	return err
}

// openPolling opens a session by HTTP long-polling.
func (c *client) openPolling(ctx context.Context, server string) error {
	c.http = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2, DisableCompression: true}}
	c.base = server + "/api/socket?EIO=4&transport=polling"
	body, err := c.get(ctx)
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(body, `"sid":"`)
	sid, _, ok := strings.Cut(rest, `"`)
	if !ok {
		return fmt.Errorf("%w: no open packet in %.100q", errRefused, body)
	}
	c.base += "&sid=" + url.QueryEscape(sid)
	if err := c.send("40"); err != nil {
		return err
	}
	go func() {
		for {
			body, err := c.get(context.Background())
			if err != nil {
				c.ended(err)
				return
			}
			for p := range strings.SplitSeq(body, "\x1e") {
				c.packet([]byte(p))
			}
		}
	}()
	return nil
}

func (c *client) get(ctx context.Context) (string, error) { return c.do(ctx, http.MethodGet, nil) }

func (c *client) post(packet string) error {
	_, err := c.do(context.Background(), http.MethodPost, strings.NewReader(packet))
	return err
}

func (c *client) do(ctx context.Context, method string, body io.Reader) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base, body)
	if err != nil {
		return "", err
	}
	req.Header.Set("Cookie", "next-auth.session-token="+c.token)
	req.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	res, err := c.http.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%w: %s %.100s", errRefused, res.Status, b)
	}
	return string(b), err
}

// ask sends an event and waits for its acknowledgement.
func (c *client) ask(ctx context.Context, id int, event string) error {
	if err := c.send("42" + strconv.Itoa(id) + event); err != nil {
		return err
	}
	select {
	case <-c.acked:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *client) close() {
	c.closed.Store(true)
	_ = c.shut()
}

func (c *client) shut() error {
	if c.http != nil {
		_, _ = c.do(context.Background(), http.MethodPost, strings.NewReader("1"))
		c.http.CloseIdleConnections()
		return nil
	}
	return c.conn.Close()
}
