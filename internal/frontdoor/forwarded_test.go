package frontdoor_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/internal/frontdoor"
)

func TestOnlyTrustedProxiesAreBelieved(t *testing.T) {
	t.Parallel()
	trusted, err := frontdoor.ParseTrusted([]string{"10.0.0.0/8", "192.0.2.7", "loopback", "2001:db8::/32"})
	require.NoError(t, err)
	type seen struct{ remote, host, chain, proto string }
	for name, c := range map[string]struct {
		peer string
		sent []string // names and values
		want seen
	}{
		"a stranger's headers": {"203.0.113.9:5000",
			[]string{"X-Forwarded-For", "6.6.6.6", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "evil.example", "Forwarded", "for=6.6.6.6", "X-Real-Ip", "6.6.6.6"},
			seen{"203.0.113.9:5000", "app.example", "203.0.113.9", "http"}},
		"a proxy's headers": {"10.1.2.3:5000",
			[]string{"X-Forwarded-For", "203.0.113.9", "X-Forwarded-Proto", "HTTPS", "X-Forwarded-Host", "citas.example.com:8443", "X-Real-Ip", "6.6.6.6"},
			seen{"203.0.113.9:0", "citas.example.com:8443", "203.0.113.9, 10.1.2.3", "https"}},
		"what a client wrote before the proxy did": {"10.1.2.3:5000",
			[]string{"X-Forwarded-For", "6.6.6.6, 203.0.113.9"},
			seen{"203.0.113.9:0", "app.example", "203.0.113.9, 10.1.2.3", "http"}},
		"a chain of proxies, in several headers": {"127.0.0.1:5000",
			[]string{"X-Forwarded-For", "6.6.6.6,203.0.113.9", "X-Forwarded-For", "192.0.2.7:1234, 10.9.9.9"},
			seen{"203.0.113.9:0", "app.example", "203.0.113.9, 192.0.2.7, 10.9.9.9, 127.0.0.1", "http"}},
		"IPv6 with brackets and ports": {"[2001:db8::1]:5000",
			[]string{"X-Forwarded-For", "[2a00::5]:443"},
			seen{"[2a00::5]:0", "app.example", "2a00::5, 2001:db8::1", "http"}},
		"an IPv4 peer in IPv6 form": {"[::ffff:10.1.2.3]:5000",
			[]string{"X-Forwarded-For", "::ffff:203.0.113.9"},
			seen{"203.0.113.9:0", "app.example", "203.0.113.9, ::ffff:10.1.2.3", "http"}},
		"an entry that is no address": {"10.1.2.3:5000",
			[]string{"X-Forwarded-For", "203.0.113.9, unknown, 10.0.0.1"},
			seen{"10.0.0.1:0", "app.example", "10.0.0.1, 10.1.2.3", "http"}},
		"nothing but garbage": {"10.1.2.3:5000",
			[]string{"X-Forwarded-For", strings.Repeat(",", 60000), "X-Forwarded-Proto", "gopher", "X-Forwarded-Host", "a b/\r", "X-Forwarded-For", ""},
			seen{"10.1.2.3:5000", "app.example", "10.1.2.3", "http"}},
		"proxies alone": {"10.1.2.3:5000",
			[]string{"X-Forwarded-For", strings.Repeat("10.0.0.1, ", 1000) + "10.0.0.2"},
			seen{"10.0.0.1:0", "app.example", strings.Repeat("10.0.0.1, ", 31) + "10.0.0.2, 10.1.2.3", "http"}},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://app.example/", nil)
		r.RemoteAddr = c.peer
		for i := 0; i+1 < len(c.sent); i += 2 {
			r.Header.Add(c.sent[i], c.sent[i+1])
		}
		var got seen
		frontdoor.Forwarded(trusted, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			got = seen{r.RemoteAddr, r.Host, r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Proto")}
			require.Equal(t, r.Host, r.Header.Get("X-Forwarded-Host"))
			require.Empty(t, r.Header.Get("Forwarded")+r.Header.Get("X-Real-Ip"))
		})).ServeHTTP(httptest.NewRecorder(), r)
		require.Equal(t, c.want, got, name)
	}
}

func TestWhoIsSignedInAtAProxyOnlyTheProxySays(t *testing.T) {
	t.Parallel()
	trusted, err := frontdoor.ParseTrusted([]string{"10.0.0.1"})
	require.NoError(t, err)
	for peer, want := range map[string]string{"10.0.0.1:1": "ana@example.com", "10.0.0.2:1": "", "@": ""} {
		r := httptest.NewRequest(http.MethodGet, "http://app.example/", nil)
		r.RemoteAddr = peer
		r.Header.Set("X-Forwarded-User", "ana@example.com")
		r.Header.Set("X-Forwarded-Ssl", "on")
		r.Header.Set("X-Other", "stays")
		frontdoor.Forwarded(trusted, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			require.Equal(t, want, r.Header.Get("X-Forwarded-User"), peer)
			require.Equal(t, "http", r.Header.Get("X-Forwarded-Proto"))
			require.Empty(t, r.Header.Get("X-Forwarded-Ssl"), "it could say otherwise")
			require.Equal(t, "stays", r.Header.Get("X-Other"))
		})).ServeHTTP(httptest.NewRecorder(), r)
	}
}

func TestATrustedProxyThatIsNoneIsNamed(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"nginx", "10.0.0.0/33", "10.0.0", ""} {
		_, err := frontdoor.ParseTrusted([]string{"private", bad})
		require.ErrorContains(t, err, `"`+bad+`"`)
	}
}
