package engineio

import (
	"bufio"
	"sync/atomic"
	"time"
)

// readerIdle is how long a reader without work stays.
const readerIdle = 100 * time.Millisecond

// readers read WebSockets. Where the platform tells which of them have something to read (poller), an idle one has no
// goroutine and no buffer of its own, and the few goroutines that read have stacks that have grown already: 10,000 idle
// connections took 23.3 KB each with a goroutine each, 12.0 so (make bench). Elsewhere, and where a
// WebSocket is no plain socket, a reader stays with it and waits.
//
// There is always one reader that is free while there is work, so that none of those that wait (a client in the middle of a
// frame, a handler that blocks) holds up another connection.
type readers struct {
	limit int
	jobs  chan *wsConn
	free  atomic.Int32 // readers that wait for a job, or are about to
	poll  poller
}

// reader is what one goroutine reads with.
type reader struct {
	frameReader
	ws *wsConn
}

func newReaders(limit int) *readers {
	p := &readers{limit: limit, jobs: make(chan *wsConn, 4096)}
	p.poll.ready = p.read
	return p
}

// read has what is there of a WebSocket read. It does not block.
func (p *readers) read(w *wsConn) {
	select {
	case p.jobs <- w:
	default:
		go p.newReader().read(w)
		return
	}
	if p.free.Load() == 0 {
		p.more()
	}
}

func (p *readers) more() {
	p.free.Add(1)
	go p.run()
}

func (p *readers) newReader() *reader {
	r := &reader{}
	r.in, r.limit = bufio.NewReaderSize(nil, readBuffer), p.limit
	r.pong = func(payload []byte) error { return r.ws.pong(payload) }
	return r
}

// run is one reader, until there has been no work for a while.
func (p *readers) run() {
	r := p.newReader()
	idle := time.NewTimer(readerIdle)
	defer idle.Stop()
	for {
		idle.Reset(readerIdle)
		select {
		case w := <-p.jobs:
			p.serve(r, w)
			continue
		case <-idle.C:
		}
		p.free.Add(-1)
		select { // what was queued before the count went down has seen this reader in it
		case w := <-p.jobs:
			p.free.Add(1)
			p.serve(r, w)
		default:
			return
		}
	}
}

func (p *readers) serve(r *reader, w *wsConn) {
	if p.free.Add(-1) == 0 && len(p.jobs) > 0 {
		p.more()
	}
	r.read(w)
	p.free.Add(1)
}

// read reads on at a WebSocket, with its early bytes first.
func (r *reader) read(w *wsConn) {
	r.ws = w
	r.in.Reset(w.source())
	w.read(r)
	r.ws = nil
	r.in.Reset(nil)
}
