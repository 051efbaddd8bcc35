package sio

import (
	"reflect"
	"slices"
	"sync"

	"github.com/zishang520/engine.io/v2/events"
)

// emitter is the part of a connection that the library listens to. The library's own emitter keeps a concurrent map of
// concurrent slices for what is three listeners here, and there are two emitters a connection.
type emitter struct {
	mu        sync.Mutex // guards listeners; not held while they run
	listeners []listener
}

type listener struct {
	event events.EventName
	fn    events.Listener
	code  uintptr // how RemoveListener finds it: by its code, as the library's emitter does
	once  bool
}

var _ events.EventEmitter = (*emitter)(nil)

func (e *emitter) add(event events.EventName, fns []events.Listener, once bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, fn := range fns {
		if fn != nil {
			e.listeners = append(e.listeners, listener{event, fn, reflect.ValueOf(fn).Pointer(), once})
		}
	}
}

// On adds listeners.
func (e *emitter) On(event events.EventName, fns ...events.Listener) error {
	e.add(event, fns, false)
	return nil
}

// AddListener is On.
func (e *emitter) AddListener(event events.EventName, fns ...events.Listener) error {
	return e.On(event, fns...)
}

// Once adds listeners that are called once.
func (e *emitter) Once(event events.EventName, fns ...events.Listener) error {
	e.add(event, fns, true)
	return nil
}

// Emit calls the listeners in the order they came in. They may add and remove listeners.
func (e *emitter) Emit(event events.EventName, args ...any) {
	var few [2]events.Listener // no allocation for what the library registers
	run := few[:0]
	e.mu.Lock()
	keep := e.listeners[:0]
	for _, l := range e.listeners {
		if l.event == event {
			run = append(run, l.fn)
		}
		if l.event != event || !l.once {
			keep = append(keep, l)
		}
	}
	clear(e.listeners[len(keep):])
	e.listeners = keep
	e.mu.Unlock()
	for _, fn := range run {
		fn(args...)
	}
}

// RemoveListener removes the first listener with the same code.
func (e *emitter) RemoveListener(event events.EventName, fn events.Listener) bool {
	if fn == nil {
		return false
	}
	code := reflect.ValueOf(fn).Pointer()
	e.mu.Lock()
	defer e.mu.Unlock()
	i := slices.IndexFunc(e.listeners, func(l listener) bool { return l.event == event && l.code == code })
	if i < 0 {
		return false
	}
	e.listeners = slices.Delete(e.listeners, i, i+1)
	return true
}

// RemoveAllListeners removes the listeners of one event.
func (e *emitter) RemoveAllListeners(event events.EventName) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := len(e.listeners)
	e.listeners = slices.DeleteFunc(e.listeners, func(l listener) bool { return l.event == event })
	return len(e.listeners) < n
}

// Clear removes all listeners.
func (e *emitter) Clear() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.listeners = nil
}

// Listeners of one event.
func (e *emitter) Listeners(event events.EventName) []events.Listener {
	e.mu.Lock()
	defer e.mu.Unlock()
	var fns []events.Listener
	for _, l := range e.listeners {
		if l.event == event {
			fns = append(fns, l.fn)
		}
	}
	return fns
}

// ListenerCount counts the listeners of one event.
func (e *emitter) ListenerCount(event events.EventName) int { return len(e.Listeners(event)) }

// EventNames lists the events that have listeners.
func (e *emitter) EventNames() []events.EventName {
	e.mu.Lock()
	defer e.mu.Unlock()
	var names []events.EventName
	for _, l := range e.listeners {
		if !slices.Contains(names, l.event) {
			names = append(names, l.event)
		}
	}
	return names
}

// Len counts the events that have listeners.
func (e *emitter) Len() int { return len(e.EventNames()) }

// SetMaxListeners does nothing: the library has given that limit up.
func (e *emitter) SetMaxListeners(uint) {}

// GetMaxListeners is 0: no limit.
func (e *emitter) GetMaxListeners() uint { return 0 }
