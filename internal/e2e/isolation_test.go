package e2e_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/pkg/contract"
)

// TestNoSocketEverReceivesAnythingOfAnotherTenant drives random connects, client events, emits, role changes and moves
// between tenants, and asserts after every step that no socket got a byte that names the other tenant's things: every id
// of the world begins with its tenant's letter. The seed is printed, so that a failure can be run again.
func TestNoSocketEverReceivesAnythingOfAnotherTenant(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	s := startPostgres(t, "RECHECK_EVERY", "200ms", "USER_CACHE_TTL", "50ms", "OFFLINE_GRACE", "20ms", "LOG_LEVEL", "error")
	w := &isolation{t: t, s: s, rnd: rnd, home: map[string]string{}}
	for _, tenant := range []string{"a", "b"} {
		for _, u := range w.users(tenant) {
			w.home[u] = tenant
		}
	}
	steps := []func(){w.connect, w.connect, w.disconnect, w.comeBack, w.comeBack, w.clientEvent, w.clientEvent, w.emit, w.emit, w.emit, w.changeRole, w.move}
	for i := range 400 {
		steps[rnd.IntN(len(steps))]()
		if i%20 == 0 {
			w.settle()
		}
		w.check()
	}
	w.settle()
	w.check()
	require.Positive(t, w.seen, "the test saw traffic")
	require.Positive(t, w.restored, "clients came back")
	require.Positive(t, w.refused, "thieves and those with other rights did not")
}

type isolation struct {
	t       *testing.T
	s       *scene
	rnd     *rand.Rand
	sockets []*watched
	home    map[string]string // user → the tenant whose row it is in
	seen    int
	probes  int

	restored, refused int
}

// watched is a socket and the tenant that it signed in under.
type watched struct {
	*raw
	user    string
	tenant  string
	role    contract.Role
	checked int
}

func (w *isolation) users(tenant string) []string {
	ids := w.s.world.A
	if tenant == "b" {
		ids = w.s.world.B
	}
	return []string{ids.Admin, ids.Admin2, ids.Manager, ids.Professional, ids.Professional2, ids.Portal}
}

func (w *isolation) pickUser() string { return pick(w.rnd, w.users(pick(w.rnd, []string{"a", "b"}))) }

func (w *isolation) connect() {
	if len(w.sockets) > 30 {
		w.disconnect()
	}
	user := w.pickUser()
	w.join(user, m{"token": w.s.token(user)})
}

func (w *isolation) join(user string, auth m) *watched {
	b, err := json.Marshal(auth)
	require.NoError(w.t, err)
	r, err := dialAuth(w.s.url, string(b))
	require.NoError(w.t, err)
	w.t.Cleanup(r.close)
	if r.signedIn() != nil {
		return nil // moved meanwhile and ended by a re-check
	}
	for _, p := range r.all() {
		if strings.HasPrefix(p, `2["connection:success",`) {
			var args []json.RawMessage
			var success contract.ConnectionSuccess
			require.NoError(w.t, json.Unmarshal([]byte(p[1:]), &args))
			require.NoError(w.t, json.Unmarshal(args[1], &success))
			s := &watched{raw: r, user: user, tenant: strings.TrimPrefix(success.TenantID, "tenant-"), role: success.Role}
			w.sockets = append(w.sockets, s)
			return s
		}
	}
	return nil
}

// comeBack breaks a connection and lets its client, or somebody else who knows its private id, ask for the session after
// something has happened.
func (w *isolation) comeBack() {
	if len(w.sockets) == 0 {
		return
	}
	i := w.rnd.IntN(len(w.sockets))
	before := w.sockets[i]
	w.sockets = append(w.sockets[:i], w.sockets[i+1:]...)
	if w.rnd.IntN(2) == 0 { // else the server finds the old connection still there
		before.close()
	}
	for range w.rnd.IntN(6) {
		pick(w.rnd, []func(){w.emit, w.emit, w.emit, w.changeRole, w.move})()
	}
	user := before.user
	if w.rnd.IntN(3) == 0 {
		user = w.pickUser()
	}
	pid, offset := before.session()
	after := w.join(user, m{"token": w.s.token(user), "pid": pid, "offset": offset})
	if after == nil {
		return
	}
	if now, _ := after.session(); now != pid {
		w.refused++
		return
	}
	w.restored++
	require.Equal(w.t, []any{before.user, before.tenant, before.role}, []any{after.user, after.tenant, after.role})
}

func (w *isolation) disconnect() {
	if len(w.sockets) > 0 {
		i := w.rnd.IntN(len(w.sockets))
		w.sockets[i].close()
		w.sockets = append(w.sockets[:i], w.sockets[i+1:]...)
	}
}

func (w *isolation) clientEvent() {
	if len(w.sockets) == 0 {
		return
	}
	letter := pick(w.rnd, []string{"a", "b"})
	_ = pick(w.rnd, w.sockets).send("42" + pick(w.rnd, []string{
		`["appointment:editing","` + letter + `-appointment"]`, `["appointment:editing:stop","` + letter + `-appointment"]`,
		`["presence:update","away"]`, `["notification:read","` + letter + `-nothing"]`, `["notification:read:all",null]`,
		`["calendar:viewing",{"date":"2026-03-02","viewType":"day"}]`,
	}))
}

// emit calls a random endpoint with ids of random tenants: most are refused, and none may cross.
func (w *isolation) emit() {
	named, of := pick(w.rnd, []string{"a", "b"}), pick(w.rnd, []string{"a", "b"})
	tenant := "tenant-" + named
	w.probes++
	data := m{"n": w.probes, "of": named + "-probe"}
	switch w.rnd.IntN(6) {
	case 0:
		w.s.emit("appointments/created", m{"appointmentId": of + "-appointment", "tenantId": tenant})
	case 1:
		w.s.emit("appointments/updated", m{"appointmentId": of + "-appointment-2", "tenantId": tenant, "changes": data})
	case 2:
		w.s.emit("tenant", m{"tenantId": tenant, "event": "probe", "data": data})
	case 3:
		w.s.emit("role", m{"tenantId": tenant, "role": pick(w.rnd, []string{"ADMIN", "MANAGER", "PROFESSIONAL"}), "event": "probe", "data": data})
	case 4:
		user := w.pickUser()
		w.s.emit("user", m{"userId": user, "event": "probe", "data": m{"of": w.home[user] + "-probe"}})
	case 5:
		user := w.pickUser()
		w.s.emit("notification", m{"tenantId": tenant, "userId": user, "type": "x", "message": named + "-probe", "data": data})
	}
}

func (w *isolation) changeRole() {
	roles := []contract.Role{contract.RoleAdmin, contract.RoleManager, contract.RoleProfessional}
	w.s.world.SetRole(pick(w.rnd, w.users("a")[:5]), pick(w.rnd, roles))
}

// move puts a user into the other tenant's rows. The user's own id keeps its letter, so the moved ones are told apart by
// home; ids of people are left out of the check for the same reason.
func (w *isolation) move() {
	user := pick(w.rnd, w.users("b")[1:2])
	to := pick(w.rnd, []string{"a", "b"})
	w.s.world.MoveUser(user, "tenant-"+to)
	w.home[user] = to
}

func (w *isolation) settle() {
	for _, s := range w.sockets {
		_ = s.until("what is under way", func(p []string) bool { return len(p) > 0 })
	}
	time.Sleep(30 * time.Millisecond) // gives what must NOT come the time to come
}

func (w *isolation) check() {
	for _, s := range w.sockets {
		packets := s.all()
		foreign := map[string]string{"a": "b", "b": "a"}[s.tenant]
		for _, p := range packets[s.checked:] {
			w.seen++
			for _, mark := range []string{"tenant-" + foreign, `"` + foreign + "-appointment", foreign + "-probe", `"` + foreign + "-client", `"` + foreign + "-service"} {
				if strings.Contains(p, mark) {
					require.Fail(w.t, "a socket of tenant "+s.tenant+" received "+p)
				}
			}
		}
		s.checked = len(packets)
	}
}

func pick[T any](rnd *rand.Rand, from []T) T { return from[rnd.IntN(len(from))] }
