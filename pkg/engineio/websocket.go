package engineio

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // RFC 6455, 4.2.2 asks for it
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// linger is how long a closed WebSocket may take to answer the close frame (RFC 6455, 7.1.1): closing at once with
// unread bytes in the kernel would reset the connection and with it what the peer has not read yet.
const linger = 2 * time.Second

// wsConn is one WebSocket. Whole frames are written through it, so that they never interleave.
type wsConn struct {
	net.Conn
	c      *Conn
	server *Server
	raw    syscall.RawConn // of Conn; nil where there is none: then every write may wait
	writes sync.Mutex
	torn   bool // a frame was begun and not finished. Guarded by writes
	ended  atomic.Bool
	probed bool        // guarded by Conn.mu: it has sent its probe
	timer  *time.Timer // ends an upgrade that takes too long

	parked atomic.Bool // no reader has it; whoever makes it false gives it to one
	// The reader that has it has what follows to itself.
	fd     int           // raw's descriptor, -1 for none; never changes
	polled bool          // the poller knows it
	early  *bytes.Reader // what came with the handshake; nil when it is read
}

// accept makes a WebSocket of a request (RFC 6455, 4.2.2). It answers the request itself when that fails.
func (s *Server) accept(w http.ResponseWriter, r *http.Request, c *Conn) (ws *wsConn, err error) {
	if !isUpgrade(r) {
		s.refuse(w, r, badRequest, "not a WebSocket handshake")
		return nil, errors.New("not a WebSocket handshake")
	}
	raw, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.refuse(w, r, badRequest, "cannot upgrade")
		return nil, err
	}
	_ = raw.SetDeadline(time.Time{})
	ws = &wsConn{Conn: raw, c: c, server: s, fd: -1}
	if plain, ok := raw.(syscall.Conn); ok && canTry {
		if ws.raw, err = plain.SyscallConn(); err == nil {
			_ = ws.raw.Control(func(fd uintptr) { ws.fd = int(fd) }) //nolint:gosec // a descriptor fits
		}
	}
	// A quick client's first frames may be in net/http's buffer already, which is given up: it is far larger than ours.
	if n := buffered.Reader.Buffered(); n > 0 {
		early, _ := buffered.Peek(n)
		ws.early = bytes.NewReader(bytes.Clone(early))
	}
	if _, err := ws.Write(switching(r.Header.Get("Sec-WebSocket-Key"))); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return ws, nil
}

// start has the WebSocket read from now on.
func (w *wsConn) start() {
	w.server.lingering.enter()
	if !w.park() {
		w.server.readers.read(w)
	}
}

// source is what a reader reads from.
func (w *wsConn) source() io.Reader {
	if w.early != nil {
		return io.MultiReader(w.early, w.Conn)
	}
	return w.Conn
}

// park leaves the WebSocket without a reader until there is something to read. It reports false when that cannot be: the
// caller has to read on. After true the caller has nothing of it any more.
func (w *wsConn) park() bool {
	if w.early != nil && w.early.Len() > 0 {
		return false
	}
	w.early = nil
	poll := &w.server.readers.poll
	if w.ended.Load() || !poll.enter(w) {
		return false
	}
	fd := w.fd
	w.parked.Store(true)
	if poll.arm(fd) && !w.ended.Load() {
		return true
	}
	// Who ends a WebSocket wakes it behind that: one of the two sees the other.
	return !w.unpark()
}

// unpark reports whether the caller has to give the WebSocket to a reader.
func (w *wsConn) unpark() bool { return w.parked.CompareAndSwap(true, false) }

// switching is the answer to a WebSocket handshake with the key given. No extension and no subprotocol is ever agreed upon.
func switching(key string) []byte {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // RFC 6455, 4.2.2 asks for SHA-1
	return []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n")
}

// isUpgrade checks what RFC 6455, 4.2.1 asks of a handshake, before the connection is taken over: an error can still be
// answered then.
func isUpgrade(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.EqualFold(r.Header.Get("Upgrade"), "websocket") &&
		strings.Contains(strings.ToLower(strings.Join(r.Header.Values("Connection"), ",")), "upgrade") &&
		r.Header.Get("Sec-WebSocket-Version") == "13" && isKey(r.Header.Get("Sec-WebSocket-Key"))
}

// isKey reports whether a key is 16 bytes in base64 (RFC 6455, 4.2.1).
func isKey(key string) bool {
	b, err := base64.StdEncoding.DecodeString(key)
	return err == nil && len(b) == 16
}

// Write writes whole frames.
func (w *wsConn) Write(b []byte) (int, error) {
	w.writes.Lock()
	defer w.writes.Unlock()
	n := 0
	err := w.blocking(func() (err error) {
		n, err = w.Conn.Write(b)
		return err
	})
	return n, err
}

// writePackets writes packets as one writev.
func (w *wsConn) writePackets(packets []*Packet) error {
	bufs := make(net.Buffers, len(packets))
	for i, p := range packets {
		bufs[i] = p.frame
	}
	w.writes.Lock()
	defer w.writes.Unlock()
	return w.blocking(func() error {
		_, err := bufs.WriteTo(w.Conn)
		return err
	})
}

// blocking runs a write that may wait for the peer, within WriteTimeout. The deadline does not stay: it would fail a later
// write that does not wait. The lock is held.
func (w *wsConn) blocking(write func() error) error {
	_ = w.SetWriteDeadline(time.Now().Add(w.server.opts.WriteTimeout))
	err := write()
	w.torn = w.torn || err != nil
	if !w.ended.Load() {
		_ = w.SetWriteDeadline(time.Time{})
	}
	return err
}

// reset ends the connection at once. What the peer does not read the kernel would otherwise keep for minutes, megabytes
// for each connection, after the socket is closed.
func (w *wsConn) reset() {
	if tcp, ok := w.Conn.(interface{ SetLinger(sec int) error }); ok {
		_ = tcp.SetLinger(0)
	}
	_ = w.Close()
}

// close sends a close frame and ends the connection once the peer has answered. It returns at once. A writer that waits for
// the peer in the middle of a frame is given as long as the peer has for its answer, and then cut.
func (w *wsConn) close(code uint16) {
	if !w.ended.CompareAndSwap(false, true) {
		return
	}
	if w.timer != nil {
		w.timer.Stop()
	}
	w.server.lingering.Go(func() {
		defer func() {
			if w.unpark() { // a reader sees the end, and closes
				w.server.readers.read(w)
			}
		}()
		_ = w.SetWriteDeadline(time.Now().Add(linger)) // for who has the lock
		w.writes.Lock()
		defer w.writes.Unlock()
		_ = w.SetWriteDeadline(time.Now().Add(linger))
		if w.torn {
			w.reset()
			return
		}
		_, err := w.Conn.Write(closeFrame(code))
		if half, ok := w.Conn.(interface{ CloseWrite() error }); ok && err == nil {
			_ = half.CloseWrite()
			_ = w.SetReadDeadline(time.Now().Add(linger)) // the reader closes
			return
		}
		w.reset()
	})
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
	w, err := c.srv.accept(rw, r, c)
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
	w.start()
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

// read hands up what the client sends until nothing more is there, or its WebSocket ends, for whatever reason.
func (w *wsConn) read(r *reader) {
	parked := false
	w.c.guard("read", func() {
		for {
			data, bin, err := r.message()
			if err != nil {
				w.finish(err)
				return
			}
			w.c.throttle(len(data))
			w.take(data, bin)
			if r.in.Buffered() == 0 && w.park() {
				parked = true
				return
			}
		}
	})
	if parked {
		return
	}
	// The peer reads our close frame only if its own bytes do not meet a closed socket: they are taken until it has
	// closed too, or for as long as close allows (RFC 6455, 7.1.1).
	_, _ = io.Copy(io.Discard, w.Conn)
	w.server.readers.poll.leave(w)
	_ = w.Close()
	w.server.lingering.leave()
}

// take handles one data message.
func (w *wsConn) take(data []byte, bin bool) {
	c := w.c
	c.mu.Lock()
	active := c.ws == w
	c.mu.Unlock()
	switch {
	case !active:
		c.probing(w, data, bin)
	case bin:
		c.receive(incoming{typ: typeMessage, data: data, bin: true})
	default:
		p, err := decodeText(data)
		if err != nil {
			c.cut(CloseParse)
			return
		}
		c.receive(p)
	}
}

// pong answers a ping frame.
func (w *wsConn) pong(payload []byte) error {
	_, err := w.Write(append(appendHeader(make([]byte, 0, len(payload)+2), framePong, len(payload)), payload...))
	return err
}

// finish ends what the WebSocket was to its connection, now that it can be read no further.
func (w *wsConn) finish(err error) {
	var broken *frameError
	if errors.As(err, &broken) {
		w.close(broken.code)
	} else {
		w.ended.Store(true)
		_ = w.Close()
	}
	c := w.c
	c.mu.Lock()
	active := c.ws == w
	c.mu.Unlock()
	if active {
		c.cut(closeReasonOf(broken))
		return
	}
	c.abandon(w)
}

// closeReasonOf tells why a connection ends whose WebSocket broke the protocol, or just broke (nil).
func closeReasonOf(e *frameError) CloseReason {
	switch {
	case e == nil:
		return CloseTransport
	case e.goodbye:
		return CloseClient
	case e == errFrameUTF8:
		return CloseParse
	case e == errFrameLarge:
		return CloseTooLarge
	}
	return CloseError
}
