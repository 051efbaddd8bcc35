package presence

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/pkg/contract"
)

// held is an Announcer that looks whether anything else of the user could be announced meanwhile.
type held struct {
	t    *testing.T
	p    *Presence
	seen []string
}

func (h *held) ToTenantExcept(tenantID, _, event string, _ any) {
	if o := h.p.order(tenantID, "ana"); o.TryLock() {
		o.Unlock()
		h.t.Errorf("%s can be overtaken", event)
	}
	h.seen = append(h.seen, event)
}

func (h *held) ToSocket(string, string, any) {}

func TestAUsersComingAndGoingAreAnnouncedInTheirOrder(t *testing.T) {
	out := &held{t: t}
	out.p = New(out, Options{})
	for range 2 {
		out.p.Join(Member{SocketID: "s", UserID: "ana", TenantID: "t"})
		out.p.Leave("s")
	}
	require.Equal(t, []string{contract.EventUserOnline, contract.EventUserOffline, contract.EventUserOnline, contract.EventUserOffline}, out.seen)
	out.p.opts.Grace = 1
	out.p.Join(Member{SocketID: "s", UserID: "ana", TenantID: "t"})
	out.p.Leave("s")
	out.p.leaving.Wait()
	require.Len(t, out.seen, 6)
}
