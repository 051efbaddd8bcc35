package identity_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/identity"
	"github.com/citaplanner/realtime/pkg/contract"
	"github.com/citaplanner/realtime/pkg/nextauth"
)

const (
	secret = "a-secret-that-is-long-enough-for-production"
	appURL = "https://app.example.com"
)

// people is an Accounts whose rows and moods a test sets, for what a database cannot be made to do on the dot.
type people struct {
	mu      sync.Mutex
	rows    map[string]store.Account
	err     error
	queries int
	asked   [][]string                // the ids of each Accounts
	hold    func(ctx context.Context) // called in each query before it answers
	held    func()                    // called after the rows were read and before they are returned
}

func staff(id string, change func(*store.Account)) store.Account {
	a := store.Account{ID: id, Email: id + "@example.com", FirstName: "Ana", LastName: "Núñez", TenantID: "tenant-a",
		Role: contract.RoleManager, Active: true}
	if change != nil {
		change(&a)
	}
	return a
}

func newPeople(rows ...store.Account) *people {
	p := &people{rows: map[string]store.Account{}}
	for _, a := range rows {
		p.rows[a.ID] = a
	}
	return p
}

func (p *people) change(id string, change func(*store.Account)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.rows[id]
	change(&a)
	p.rows[id] = a
}

func (p *people) remove(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.rows, id)
}

func (p *people) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

func (p *people) onQuery(hold func(ctx context.Context), held func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hold, p.held = hold, held
}

func (p *people) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.queries
}

func (p *people) Accounts(ctx context.Context, ids []string) (map[string]store.Account, error) {
	p.mu.Lock()
	p.asked = append(p.asked, ids)
	p.mu.Unlock()
	return p.query(ctx, ids)
}

func (p *people) query(ctx context.Context, ids []string) (map[string]store.Account, error) {
	p.mu.Lock()
	p.queries++
	hold, held := p.hold, p.held
	p.mu.Unlock()
	if hold != nil {
		hold(ctx)
	}
	p.mu.Lock()
	rows, err := map[string]store.Account{}, p.err
	for _, id := range ids {
		if a, ok := p.rows[id]; ok {
			rows[id] = a
		}
	}
	p.mu.Unlock()
	if held != nil {
		held()
	}
	if err == nil {
		err = ctx.Err()
	}
	return rows, err
}

// scene is a service with what a test needs to use it.
type scene struct {
	*identity.Service
	t    testing.TB
	keys *nextauth.Keyring
	reg  *prometheus.Registry
}

func newScene(t testing.TB, accounts identity.Accounts, o identity.Options) scene {
	t.Helper()
	keys, err := nextauth.New([]string{secret}, nextauth.Options{Now: o.Now})
	require.NoError(t, err)
	origins, err := identity.NewOrigins(appURL, nil)
	require.NoError(t, err)
	reg := prometheus.NewRegistry()
	o.Metrics = identity.NewMetrics(reg)
	return scene{identity.New(accounts, keys, origins, o), t, keys, reg}
}

// token is a session of an hour.
func (s scene) token(id string) string {
	return s.seal(map[string]any{
		"sub": id, "exp": time.Now().Add(time.Hour).Unix(), "tenantId": "of-the-token", "role": "SUPERADMIN",
	})
}

func (s scene) seal(claims map[string]any) string {
	s.t.Helper()
	token, err := s.keys.SealV4(claims)
	require.NoError(s.t, err)
	return token
}

// signIn is a socket's handshake with a good token.
func (s scene) signIn(id string) (identity.User, error) {
	return s.Authenticate(s.t.Context(), identity.Request{AuthToken: s.token(id)})
}

// metric is the value of a counter or gauge with these labels ("name", "value", …), 0 where it was never counted.
func (s scene) metric(name string, labels ...string) float64 {
	s.t.Helper()
	return metric(s.t, s.reg, name, labels...)
}

func metric(t testing.TB, reg *prometheus.Registry, name string, labels ...string) float64 {
	t.Helper()
	families, err := reg.Gather()
	require.NoError(t, err)
	var sum float64
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			have := map[string]string{}
			for _, l := range m.GetLabel() {
				have[l.GetName()] = l.GetValue()
			}
			matches := true
			for i := 0; i < len(labels); i += 2 {
				matches = matches && have[labels[i]] == labels[i+1]
			}
			if matches {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// refusedWith asserts what a socket is shown.
func refusedWith(t testing.TB, err error, code contract.Code, message string) *contract.Error {
	t.Helper()
	var e *contract.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, [2]string{string(code), message}, [2]string{string(e.Code), e.Message}, err)
	return e
}
