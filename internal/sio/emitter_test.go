package sio

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zishang520/engine.io/v2/events"
)

func TestEmitterIsTheLibrarysEmitter(t *testing.T) {
	t.Parallel()
	var e emitter
	var got []string
	note := func(name string) events.Listener { return func(...any) { got = append(got, name) } }
	a := note("a")
	require.NoError(t, e.On("x", a, nil))
	require.NoError(t, e.AddListener("y", note("b")))
	require.NoError(t, e.Once("x", func(...any) {
		got = append(got, "once")
		e.Emit("y") // from within
		_ = e.On("x", func(...any) { got = append(got, "late") })
	}))
	e.Emit("nothing")
	e.Emit("x")
	require.Equal(t, []string{"a", "once", "b"}, got)
	got = nil
	e.Emit("x")
	require.Equal(t, []string{"a", "late"}, got)
	require.Equal(t, 2, e.ListenerCount("x"))
	require.Len(t, e.Listeners("y"), 1)
	require.Equal(t, []events.EventName{"x", "y"}, sorted(e.EventNames()))
	require.Equal(t, 2, e.Len())
	require.True(t, e.RemoveListener("x", a))
	require.False(t, e.RemoveListener("x", nil))
	require.False(t, e.RemoveListener("z", a))
	require.True(t, e.RemoveAllListeners("y"))
	require.False(t, e.RemoveAllListeners("y"))
	e.SetMaxListeners(1)
	require.Zero(t, e.GetMaxListeners())
	e.Clear()
	require.Zero(t, e.Len())
}

func sorted(names []events.EventName) []events.EventName {
	if len(names) == 2 && names[0] > names[1] {
		names[0], names[1] = names[1], names[0]
	}
	return names
}
