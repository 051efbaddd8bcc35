package console

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/internal/identity"
	"github.com/citaplanner/realtime/pkg/contract"
)

func TestTheDemoIsForThisMachineByItsOwnName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		peer, host string
		good       bool
	}{
		{"127.0.0.1:5000", "localhost:3000", true},
		{"127.0.0.1:5000", "LOCALHOST", true},
		{"[::1]:5000", "[::1]:3000", true},
		{"[::ffff:127.0.0.1]:5000", "127.0.0.1:3000", true},
		{"127.0.0.1:5000", "evil.example:3000", false}, // DNS rebinding
		{"127.0.0.1:5000", "localhost.evil.example", false},
		{"127.0.0.1:5000", "", false},
		{"192.168.1.7:5000", "localhost:3000", false}, // another machine that says so
		{"192.168.1.7:5000", "192.168.1.2:3000", false},
		{"", "localhost:3000", false},
	} {
		err := local(&http.Request{RemoteAddr: c.peer, Host: c.host})
		require.Equalf(t, c.good, err == nil, "%s asks for %s: %v", c.peer, c.host, err)
	}
}

func TestOnlyTheConsolesOwnPageMayAct(t *testing.T) {
	t.Parallel()
	origins, err := identity.NewOrigins("https://app.example.com", nil)
	require.NoError(t, err)
	c := &Console{deps: Deps{Origins: origins}}
	for _, one := range []struct {
		header, origin string
		good           bool
	}{
		{"1", "http://localhost:3000", true},
		{"1", "https://app.example.com", true}, // behind a proxy that ends TLS
		{"1", "https://evil.example", false},
		{"1", "null", false},
		{"1", "", false},
		{"", "http://localhost:3000", false},
	} {
		r := httptest.NewRequest(http.MethodPost, "http://localhost:3000/console/api/demo/session", http.NoBody)
		r.Header.Set(header, one.header)
		r.Header.Set("Origin", one.origin)
		got := c.ours(r)
		require.Equalf(t, one.good, got == nil, "%+v: %v", one, got)
		if got != nil {
			require.Equal(t, contract.CodeForbidden, contract.CodeOf(got))
		}
	}
}

func TestTheConsolesRoutesWithoutTheDemoAreTheOperators(t *testing.T) {
	t.Parallel()
	c, err := New(Deps{}, nil)
	require.NoError(t, err)
	var paths []string
	for _, r := range c.Routes() {
		paths = append(paths, r.Method+" "+r.Path)
	}
	require.Equal(t, []string{"GET /console", "GET /console/assets/:file", "GET /console/icon.svg", "GET /console/operator",
		"GET /console/api/operator", "POST /console/api/operator/emit/*kind", "GET /console/"}, paths)
}

func TestABodyOfTheWrongShapeIsSaidInTheCallersWords(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`[]`:                 "the body must be a JSON object",
		`{"tenantId":7}`:     "tenantId has the wrong type: number",
		`{"tenantId":"a"`:    "the body is not what this route takes: unexpected end of JSON input",
		`{"tenantId":"a"} x`: "the body is not what this route takes: invalid character 'x' after top-level value",
	} {
		var v contract.EmitToRoleRequest
		require.EqualError(t, decode([]byte(body), &v), want)
	}
}
