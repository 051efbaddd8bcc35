package engineio

import (
	"bytes"
	"runtime"
	"sync/atomic"
	"time"
)

// joinBytes is up to which size queued frames are copied into one write; beyond it they go out as one writev.
const joinBytes = 16 << 10

// writerIdle is how long a writer without work stays.
const writerIdle = 100 * time.Millisecond

// writers write the queues of WebSockets: one goroutine for each processor, none of which ever waits for a peer. A write
// that would have to wait goes on in a goroutine of its own, so that a slow client holds up nobody. A goroutine for each
// drain would have its small stack grow and copied each time (BenchmarkBroadcast1k, both
// sides counted: 9.9 µs a delivery, now 7.8, and half the allocations).
type writers struct {
	jobs chan job
	most int32
	n    atomic.Int32
}

// job is a WebSocket's queue to write, or a poll to answer.
type job struct {
	conn *Conn
	poll *pollRequest
}

func newWriters() *writers {
	return &writers{jobs: make(chan job, 8192), most: int32(runtime.GOMAXPROCS(0))} //nolint:gosec // a small number
}

// do has a job done. It does not block.
func (p *writers) do(j job) {
	select {
	case p.jobs <- j:
	default:
		if j.poll != nil {
			go j.poll.send()
		} else {
			go j.conn.writeWaiting(nil, 0)
		}
		return
	}
	if n := p.n.Load(); n < p.most && p.n.CompareAndSwap(n, n+1) {
		go p.run()
	}
}

// run is one writer, until there has been no work for a while.
func (p *writers) run() {
	w := &writer{}
	w.write = w.try
	idle := time.NewTimer(writerIdle)
	defer idle.Stop()
	for {
		select {
		case j := <-p.jobs:
			w.do(j)
			continue
		default:
		}
		idle.Reset(writerIdle)
		select {
		case j := <-p.jobs:
			w.do(j)
			continue
		case <-idle.C:
		}
		p.n.Add(-1)
		select { // what was queued before the count went down has seen this writer in it
		case j := <-p.jobs:
			p.n.Add(1)
			w.do(j)
		default:
			return
		}
	}
}

// writer is what a writer keeps from one write to the next: no allocation a write.
type writer struct {
	join    [joinBytes]byte
	pending []byte
	n       int
	err     error
	write   func(fd uintptr) bool
}

// try writes once, as much as the kernel takes.
func (w *writer) try(fd uintptr) bool {
	w.n, w.err = tryWrite(fd, w.pending)
	return true
}

func (w *writer) do(j job) {
	if j.poll != nil {
		j.poll.send()
	} else {
		w.drain(j.conn)
	}
}

// drain writes a connection's queue until it is empty, or has to wait.
func (w *writer) drain(c *Conn) {
	for {
		batch, size, ws := c.takeQueue()
		if batch == nil {
			return
		}
		b, ok := w.joined(batch)
		if !ok || ws.raw == nil || !ws.writes.TryLock() {
			go c.writeWaiting(batch, size)
			return
		}
		w.pending = b
		err := ws.raw.Write(w.write)
		if err == nil {
			err = w.err
		}
		if err == nil && w.n < len(b) {
			rest := bytes.Clone(b[w.n:])
			go c.finishWrite(ws, rest, size) // keeps the lock: it is in the middle of a frame
			return
		}
		ws.writes.Unlock()
		if err != nil {
			c.cut(CloseTransport)
			return
		}
		c.wrote(size)
	}
}

// joined is the frames of packets as one, false where they are too large for copying to pay.
func (w *writer) joined(packets []*Packet) ([]byte, bool) {
	if len(packets) == 1 {
		return packets[0].frame, true
	}
	b := w.join[:0]
	for _, p := range packets {
		if len(b)+len(p.frame) > joinBytes {
			return nil, false
		}
		b = append(b, p.frame...)
	}
	return b, true
}

// takeQueue takes what is queued for the WebSocket in use; nil when there is nothing, and then the connection is written
// no more until the next packet. Whoever gets a batch must write it and go on taking.
func (c *Conn) takeQueue() (batch []*Packet, size int, ws *wsConn) {
	c.mu.Lock()
	if c.done || len(c.queue) == 0 {
		c.writing = false
		reason, flushed := c.closing, c.flushed
		c.flushed = nil
		c.mu.Unlock()
		if flushed != nil {
			flushed()
		}
		if reason != nil {
			c.cut(*reason) // all is flushed
		}
		return nil, 0, nil
	}
	batch, size, ws = c.queue, c.bytes, c.ws
	c.queue = nil
	c.mu.Unlock()
	return batch, size, ws
}

// wrote counts what is on the network.
func (c *Conn) wrote(size int) {
	c.srv.opts.Metrics.sent(size)
	c.mu.Lock()
	if !c.done {
		c.bytes -= size
	}
	c.mu.Unlock()
}

// writeWaiting writes a batch, and then the queue until it is empty, waiting for the peer where it has to.
func (c *Conn) writeWaiting(batch []*Packet, size int) {
	ws := c.wsInUse()
	for {
		if batch != nil {
			if err := ws.writePackets(batch); err != nil {
				c.cut(CloseTransport)
				return
			}
			c.wrote(size)
		}
		if batch, size, ws = c.takeQueue(); batch == nil {
			return
		}
	}
}

// finishWrite writes the rest of a batch under the WebSocket's lock, which it gives back, and then the queue.
func (c *Conn) finishWrite(ws *wsConn, rest []byte, size int) {
	err := ws.blocking(func() error {
		_, err := ws.Conn.Write(rest)
		return err
	})
	ws.writes.Unlock()
	if err != nil {
		c.cut(CloseTransport)
		return
	}
	c.wrote(size)
	c.writeWaiting(nil, 0)
}

func (c *Conn) wsInUse() *wsConn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ws
}
