package engineio

import "sync"

// serial runs one function at a time, in the order in which they were given, without a goroutine of its own while idle.
type serial struct {
	mu    sync.Mutex
	busy  bool // somebody is running functions
	ended bool // the last one was given
	queue []func()
}

// call runs fn in its turn and returns when it is done. It reports false, and runs nothing, after the last one was given.
// The caller may find itself running what others gave meanwhile.
func (s *serial) call(fn func()) bool {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return false
	}
	if s.busy {
		done := make(chan struct{})
		s.queue = append(s.queue, func() { defer close(done); fn() })
		s.mu.Unlock()
		<-done
		return true
	}
	s.busy = true
	s.mu.Unlock()
	fn()
	s.drain()
	return true
}

// do gives fn to be run in its turn and returns at once.
func (s *serial) do(fn func(), last bool) bool {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return false
	}
	s.ended = last
	s.queue = append(s.queue, fn)
	if s.busy {
		s.mu.Unlock()
		return true
	}
	s.busy = true
	s.mu.Unlock()
	go s.drain()
	return true
}

// drain runs what waits; the caller has made the serial busy.
func (s *serial) drain() {
	for {
		s.mu.Lock()
		if len(s.queue) == 0 {
			s.busy, s.queue = false, nil
			s.mu.Unlock()
			return
		}
		fn := s.queue[0]
		s.queue[0] = nil
		s.queue = s.queue[1:]
		s.mu.Unlock()
		fn()
	}
}

// group counts what is not over. Unlike a sync.WaitGroup it may gain one while somebody waits.
type group struct {
	mu      sync.Mutex
	n       int
	waiting []chan struct{} // closed when n is 0
}

// Go runs fn in a goroutine of the group.
func (g *group) Go(fn func()) {
	g.enter()
	go func() {
		defer g.leave()
		fn()
	}()
}

func (g *group) enter() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.n++
}

func (g *group) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.n--; g.n == 0 {
		for _, ch := range g.waiting {
			close(ch)
		}
		g.waiting = nil
	}
}

// wait returns when the group has nothing.
func (g *group) wait() {
	g.mu.Lock()
	if g.n == 0 {
		g.mu.Unlock()
		return
	}
	ch := make(chan struct{})
	g.waiting = append(g.waiting, ch)
	g.mu.Unlock()
	<-ch
}
