package engineio

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lxzan/gws"
)

// linger is how long a closed WebSocket may take to answer the close frame (RFC 6455, 7.1.1): closing at once with
// unread bytes in the kernel would reset the connection and with it what the peer has not read yet.
const linger = 2 * time.Second

// joinBytes is up to which size queued frames are copied into one write; beyond it they go out as one writev.
const joinBytes = 16 << 10

// wsConn is one WebSocket. It is the net.Conn that gws writes its control frames through, so that they and ours never
// interleave, and gws's session, so that its events find it.
type wsConn struct {
	net.Conn
	c      *Conn
	server *Server
	writes sync.Mutex
	ended  atomic.Bool
	probed bool        // guarded by Conn.mu: it has sent its probe
	timer  *time.Timer // ends an upgrade that takes too long
}

// accept makes a WebSocket of a request. It answers the request itself when that fails.
func (s *Server) accept(w http.ResponseWriter, r *http.Request, c *Conn) (*gws.Conn, *wsConn, error) {
	if !isUpgrade(r) {
		s.refuse(w, r, badRequest, "not a WebSocket handshake")
		return nil, nil, errors.New("not a WebSocket handshake")
	}
	raw, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.refuse(w, r, badRequest, "cannot upgrade")
		return nil, nil, err
	}
	_ = raw.SetDeadline(time.Time{})
	ws := &wsConn{Conn: raw, c: c, server: s}
	var in io.Reader = raw
	// A quick client's first frames may be in net/http's buffer already.
	if n := buffered.Reader.Buffered(); n > 0 {
		early, _ := buffered.Peek(n)
		in = io.MultiReader(bytes.NewReader(bytes.Clone(early)), raw)
	}
	conn, err := s.upgrader.UpgradeFromConn(ws, bufio.NewReaderSize(in, 1024), r)
	if err != nil {
		return nil, nil, err
	}
	conn.Session().Store("", ws)
	return conn, ws, nil
}

// isUpgrade checks what RFC 6455, 4.2.1 asks of a handshake, before the connection is taken over: an error can still be
// answered then.
func isUpgrade(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.EqualFold(r.Header.Get("Upgrade"), "websocket") &&
		strings.Contains(strings.ToLower(strings.Join(r.Header.Values("Connection"), ",")), "upgrade") &&
		r.Header.Get("Sec-WebSocket-Version") == "13" && r.Header.Get("Sec-WebSocket-Key") != ""
}

// Write is what gws writes through: whole frames.
func (w *wsConn) Write(b []byte) (int, error) {
	w.writes.Lock()
	defer w.writes.Unlock()
	_ = w.SetWriteDeadline(time.Now().Add(w.server.opts.WriteTimeout))
	return w.Conn.Write(b)
}

var joinPool = sync.Pool{New: func() any { b := make([]byte, 0, joinBytes); return &b }}

// writePackets writes packets in one system call.
func (w *wsConn) writePackets(packets []*Packet) error {
	if len(packets) == 1 {
		_, err := w.Write(packets[0].frame)
		return err
	}
	n := 0
	for _, p := range packets {
		n += len(p.frame)
	}
	if n <= joinBytes {
		b := joinPool.Get().(*[]byte)
		defer joinPool.Put(b)
		joined := (*b)[:0]
		for _, p := range packets {
			joined = append(joined, p.frame...)
		}
		_, err := w.Write(joined)
		return err
	}
	bufs := make(net.Buffers, len(packets))
	for i, p := range packets {
		bufs[i] = p.frame
	}
	w.writes.Lock()
	defer w.writes.Unlock()
	_ = w.SetWriteDeadline(time.Now().Add(w.server.opts.WriteTimeout))
	_, err := bufs.WriteTo(w.Conn)
	return err
}

// close sends a close frame and ends the connection once the peer has answered. It returns at once. A writer that is
// stuck in the middle of a frame is cut.
func (w *wsConn) close(code uint16) {
	if !w.ended.CompareAndSwap(false, true) {
		return
	}
	if w.timer != nil {
		w.timer.Stop()
	}
	w.server.lingering.Go(func() {
		if !w.writes.TryLock() {
			_ = w.Close()
			return
		}
		defer w.writes.Unlock()
		_ = w.SetWriteDeadline(time.Now().Add(linger))
		_, err := w.Conn.Write(closeFrame(code))
		if half, ok := w.Conn.(interface{ CloseWrite() error }); ok && err == nil {
			_ = half.CloseWrite()
			_ = w.SetReadDeadline(time.Now().Add(linger)) // the reader closes
			return
		}
		_ = w.Close()
	})
}

// writeLoop writes the queue until it is empty. One runs at a time.
func (c *Conn) writeLoop() {
	for {
		c.mu.Lock()
		if c.done || len(c.queue) == 0 {
			c.writing = false
			reason := c.closing
			c.mu.Unlock()
			if reason != nil {
				c.cut(*reason) // all is flushed
			}
			return
		}
		batch, n, w := c.queue, c.bytes, c.ws
		c.queue = nil
		c.mu.Unlock()
		if err := w.writePackets(batch); err != nil {
			c.cut(CloseTransport)
			return
		}
		c.srv.opts.Metrics.sent(n)
		c.mu.Lock()
		if !c.done {
			c.bytes -= n
		}
		c.mu.Unlock()
	}
}

// serveUpgrade takes the WebSocket that a polling client wants to change to.
func (c *Conn) serveUpgrade(rw http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	taken := c.done || c.closing != nil || c.ws != nil || c.probe != nil
	c.mu.Unlock()
	if taken {
		c.srv.refuse(rw, r, badRequest, "upgrade not possible")
		return
	}
	conn, w, err := c.srv.accept(rw, r, c)
	if err != nil {
		return
	}
	c.mu.Lock()
	if c.done || c.closing != nil || c.ws != nil || c.probe != nil {
		c.mu.Unlock()
		w.close(1008)
	} else {
		c.probe = w
		w.timer = time.AfterFunc(c.srv.opts.UpgradeTimeout, func() { c.abandon(w) })
		c.mu.Unlock()
	}
	c.srv.lingering.Go(conn.ReadLoop)
}

// abandon ends an upgrade that came to nothing; polling goes on.
func (c *Conn) abandon(w *wsConn) {
	c.mu.Lock()
	was := c.probe == w
	if was {
		c.probe = nil
	}
	c.mu.Unlock()
	if was {
		c.srv.opts.Metrics.upgrades.WithLabelValues("abandoned").Inc()
		w.close(1002)
	}
}

// probing handles a frame of a WebSocket that is not in use yet (protocol, "Upgrade").
func (c *Conn) probing(w *wsConn, data []byte, bin bool) {
	c.mu.Lock()
	if c.probe != w {
		c.mu.Unlock()
		return
	}
	switch {
	case !bin && string(data) == "2probe" && !w.probed:
		w.probed = true
		c.mu.Unlock()
		if _, err := w.Write(probePacket.frame); err != nil {
			c.abandon(w)
			return
		}
		c.mu.Lock()
		c.releasePoll()
		c.mu.Unlock()
	case !bin && string(data) == "5" && w.probed: // also while closing: the client polls no more, and the queue must arrive
		w.timer.Stop()
		c.probe, c.ws = nil, w
		c.releasePoll()
		c.flush()
		c.mu.Unlock()
		c.srv.opts.Metrics.upgraded()
	default:
		c.mu.Unlock()
		c.abandon(w)
	}
}

// events are gws's calls, all from the one goroutine that reads a WebSocket.
type events struct{}

func socketOf(conn *gws.Conn) *wsConn {
	v, _ := conn.Session().Load("")
	return v.(*wsConn)
}

func (events) OnOpen(*gws.Conn) {}

func (events) OnPong(*gws.Conn, []byte) {}

func (events) OnPing(conn *gws.Conn, payload []byte) {
	frame := append(appendHeader(make([]byte, 0, len(payload)+2), framePong, len(payload)), payload...)
	_, _ = socketOf(conn).Write(frame)
}

func (events) OnMessage(conn *gws.Conn, m *gws.Message) {
	w := socketOf(conn)
	data, bin := bytes.Clone(m.Bytes()), m.Opcode == gws.OpcodeBinary
	_ = m.Close()
	c := w.c
	c.mu.Lock()
	active := c.ws == w
	c.mu.Unlock()
	if !active {
		c.probing(w, data, bin)
		return
	}
	if bin {
		c.receive(incoming{typ: typeMessage, data: data, bin: true})
		return
	}
	p, err := decodeText(data)
	if err != nil {
		c.cut(CloseParse)
		return
	}
	c.receive(p)
}

// OnClose runs when reading is over, for whatever reason.
func (events) OnClose(conn *gws.Conn, err error) {
	w := socketOf(conn)
	w.ended.Store(true)
	_ = w.Close()
	c := w.c
	c.mu.Lock()
	active := c.ws == w
	c.mu.Unlock()
	if active {
		c.cut(closeReasonOf(err))
		return
	}
	c.abandon(w)
}

func closeReasonOf(err error) CloseReason {
	var frame *gws.CloseError
	switch {
	case errors.As(err, &frame):
		return CloseClient
	case errors.Is(err, gws.ErrTextEncoding):
		return CloseParse
	case err != nil && strings.HasSuffix(err.Error(), "message too large"):
		return CloseTooLarge
	case err != nil && strings.HasPrefix(err.Error(), "gws: "):
		return CloseError
	}
	return CloseTransport
}
