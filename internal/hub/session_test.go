package hub

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/internal/identity"
	"github.com/citaplanner/realtime/internal/limits"
	"github.com/citaplanner/realtime/internal/presence"
	"github.com/citaplanner/realtime/internal/returning"
	"github.com/citaplanner/realtime/pkg/contract"
)

func TestASessionOfAnotherProcessIsRestoredToTheSameRightsAlone(t *testing.T) {
	t.Parallel()
	h, err := New(Deps{}, Options{Events: limits.Rate{PerSecond: 1, Burst: 1}})
	require.NoError(t, err)
	u := identity.User{ID: "ana", TenantID: "t1", Role: contract.RoleAdmin, Email: "ana@example.com"}
	ses := &session{user: u, events: h.opts.Events.Bucket()}
	h.presence.Join(presence.Member{SocketID: "s1", UserID: "ana", TenantID: "t1"})
	require.True(t, h.presence.Edit("s1", "cita"))
	live, err := h.save("s1", ses)
	require.NoError(t, err)
	require.JSONEq(t, `{"u":"ana","t":"t1","r":"ADMIN","e":["cita"]}`, string(live))
	editing := h.presence.Leave("s1")
	ses.editing.Store(&editing)
	away, err := h.save("s1", ses)
	require.NoError(t, err)
	require.Equal(t, string(live), string(away), "what it was editing when it went")

	before, err := load(away)
	require.NoError(t, err)
	now := &session{user: u, events: h.opts.Events.Bucket()}
	data, ok := restore(before, now)
	require.True(t, ok)
	require.Same(t, now, data)
	require.NotNil(t, now.events, "its limit is this process's")
	require.Equal(t, []string{"cita"}, *now.before.editing.Load())
	again, err := h.save("socket", now)
	require.NoError(t, err)
	require.JSONEq(t, string(live), string(again), "a crash before it is resumed loses nothing of it")
	require.False(t, now.place.Meant(returning.Telling{N: 1}), "what it is told comes when it has joined")
	for name, change := range map[string]func(*identity.User){
		"user":   func(u *identity.User) { u.ID = "eve" },
		"tenant": func(u *identity.User) { u.TenantID = "t2" },
		"role":   func(u *identity.User) { u.Role = contract.RoleManager },
		"portal": func(u *identity.User) { u.Portal = true },
	} {
		other := u
		change(&other)
		_, ok := restore(before, &session{user: other})
		require.False(t, ok, name)
	}
	_, err = load([]byte("nonsense"))
	require.Error(t, err)
}
