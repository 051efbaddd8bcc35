package engineio

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// poller tells which WebSockets have something to read (epoll(7)). It is usable once ready is set. Go's own poller waits for
// it in turn, so that it needs no thread; it has a goroutine as long as there are WebSockets.
//
// A WebSocket is armed for one event. An event that was not meant for the one that has the descriptor by now (the kernel
// gives numbers away again) wakes a reader that then waits for nothing in particular, which does no harm.
type poller struct {
	ready func(*wsConn)

	mu      sync.Mutex  // guards what follows
	epoll   int         // file's descriptor
	file    *os.File    // nil until the first WebSocket, and where there is none to be had
	failed  atomic.Bool // nobody waits for events any more; set with the lock held
	slots   []*wsConn   // by descriptor
	count   int         // WebSockets that were armed and have not left
	running bool
}

const armed = syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLONESHOT

// enter makes a WebSocket known, before it is parked; false: nobody can tell when there is something to read.
func (p *poller) enter(w *wsConn) bool {
	if p.failed.Load() || w.fd < 0 {
		return false
	}
	if w.polled {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file == nil && !p.failed.Load() {
		p.failed.Store(!p.open())
	}
	if p.failed.Load() {
		return false
	}
	for len(p.slots) <= w.fd {
		p.slots = append(p.slots, nil)
	}
	p.slots[w.fd] = w
	w.polled = true
	p.count++
	if !p.running {
		p.running = true
		go p.run()
	}
	return true
}

// arm asks for one event of a descriptor that is known, whose WebSocket is parked; false: nobody will tell of it. Who fails
// looks for what is parked behind that: one of the two sees the other.
func (p *poller) arm(fd int) bool {
	event := syscall.EpollEvent{Events: armed, Fd: int32(fd)} //nolint:gosec // a descriptor fits
	err := syscall.EpollCtl(p.epoll, syscall.EPOLL_CTL_MOD, fd, &event)
	if errors.Is(err, syscall.ENOENT) {
		err = syscall.EpollCtl(p.epoll, syscall.EPOLL_CTL_ADD, fd, &event)
	}
	return err == nil && !p.failed.Load()
}

func (p *poller) open() bool {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return false
	}
	_ = syscall.SetNonblock(fd, true) // Go's poller takes it then
	p.epoll, p.file = fd, os.NewFile(uintptr(fd), "epoll")
	return true
}

// leave forgets a WebSocket, whose descriptor may be another's by now.
func (p *poller) leave(w *wsConn) {
	if !w.polled {
		return
	}
	w.polled = false
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.slots[w.fd] == w {
		p.slots[w.fd] = nil
	}
	if p.count--; p.count == 0 {
		_ = p.file.SetReadDeadline(time.Unix(1, 0)) // ends run
	}
}

// run waits for events until there is no WebSocket any more.
func (p *poller) run() {
	var events [128]syscall.EpollEvent
	raw, err := p.file.SyscallConn()
	for err == nil {
		n := 0
		err = raw.Read(func(uintptr) bool {
			n, _ = syscall.EpollWait(p.epoll, events[:], 0) // EINTR finds nothing, and is called again
			return n > 0
		})
		if err == nil {
			p.wake(events[:n])
		} else if errors.Is(err, os.ErrDeadlineExceeded) {
			if p.rest() {
				return
			}
			err = nil
		}
	}
	p.fail()
}

// rest ends run when there is still nothing to wait for.
func (p *poller) rest() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.file.SetReadDeadline(time.Time{})
	p.running = p.count > 0
	return !p.running
}

func (p *poller) wake(events []syscall.EpollEvent) {
	ready := make([]*wsConn, 0, len(events))
	p.mu.Lock()
	for _, e := range events {
		if w := p.slots[e.Fd]; w != nil {
			ready = append(ready, w)
		}
	}
	p.mu.Unlock()
	for _, w := range ready {
		if w.unpark() {
			p.ready(w)
		}
	}
}

// fail gives every WebSocket a reader that stays with it: nobody will tell when there is something to read.
func (p *poller) fail() {
	p.mu.Lock()
	p.failed.Store(true)
	all := append([]*wsConn(nil), p.slots...)
	p.mu.Unlock()
	for _, w := range all {
		if w != nil && w.unpark() {
			p.ready(w)
		}
	}
}
