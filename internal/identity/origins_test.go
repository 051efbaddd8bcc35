package identity_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/internal/identity"
)

func TestOriginsAreListedAsBrowsersWriteThemTheAppsFirst(t *testing.T) {
	t.Parallel()
	o, err := identity.NewOrigins("https://App.Example.com:443/api/auth?x=1", []string{
		"http://localhost:3000/", "HTTP://OTHER.example:80", "http://localhost:3000", "https://app.example.com//",
		"http://[::1]:5173", "https://xn--ande-7na.example",
	})
	require.NoError(t, err)
	require.Equal(t, []string{
		"https://app.example.com", "http://localhost:3000", "http://other.example", "http://[::1]:5173",
		"https://xn--ande-7na.example",
	}, o.List())

	o, err = identity.NewOrigins("", nil)
	require.NoError(t, err)
	require.Empty(t, o.List())
}

func TestWhatIsNoOriginStopsTheStartAndIsNamed(t *testing.T) {
	t.Parallel()
	const wildcards = ": list each origin; wildcards are not allowed together with credentials"
	for s, want := range map[string]string{
		"*":                        `"*"` + wildcards,
		"https://*.example.com":    `"https://*.example.com"` + wildcards,
		"null":                     `"null" is not an origin such as https://app.example.com: the scheme must be`,
		"app.example.com":          `the scheme must be http or https`,
		"ftp://example.com":        `the scheme must be http or https`,
		"https://example.com/path": `it has a path`,
		"https://u:p@example.com":  `only scheme, host and port are allowed`,
		"https://example.com?x":    `only scheme, host and port are allowed`,
		"https://ñandú.example":    `xn--`,
		"https://exa mple.com":     `it cannot be read`,
		"https://example.com:0":    `the port must be 1 to 65535`,
		"https://example.com:http": `it cannot be read`,
		"https://":                 `the host must be ASCII`,
		"https://:443":             `the host must be ASCII`,
		"":                         `the scheme must be http or https`,
		"//example.com":            `the scheme must be http or https`,
	} {
		_, err := identity.NewOrigins("", []string{"http://localhost", s})
		require.ErrorContains(t, err, want, s)
	}
	for _, s := range []string{
		"app.example.com", "/app", "https://", "https://a b/", "%zz", "ftp://app.example.com", "https://*/",
	} {
		_, err := identity.NewOrigins(s, nil)
		require.Error(t, err, s)
	}
}

func TestAnOriginIsAllowedByTheListOrBecauseItIsOurOwn(t *testing.T) {
	t.Parallel()
	o, err := identity.NewOrigins("https://app.example.com", []string{"http://partner.example:8080"})
	require.NoError(t, err)
	for _, c := range []struct {
		origin, host string
		want         bool
	}{
		{"https://app.example.com", "internal:3000", true},
		{"HTTPS://APP.example.com", "internal:3000", true},
		{"https://app.example.com:443", "internal:3000", true},
		{"http://app.example.com", "internal:3000", false},
		{"https://app.example.com:444", "internal:3000", false},
		{"https://app.example.com.", "internal:3000", false},
		{"https://sub.app.example.com", "internal:3000", false},
		{"https://app.example.com/", "internal:3000", false}, // no browser writes a slash
		{"http://partner.example:8080", "", true},
		{"http://partner.example", "", false},

		{"http://localhost:3000", "localhost:3000", true},
		{"https://localhost:3000", "localhost:3000", true},
		{"http://LOCALHOST:3000", "LocalHost:3000", true},
		{"http://localhost:3001", "localhost:3000", false},
		{"http://localhost", "localhost:3000", false},
		{"http://localhost:3000", "localhost", false},
		{"http://localhost", "localhost", true},
		{"https://localhost", "localhost", true},
		{"https://localhost:443", "localhost", true},
		{"https://localhost:80", "localhost", false},
		{"https://localhost", "localhost:443", true},
		{"https://localhost", "localhost:80", false},
		{"http://localhost", "localhost:80", true},
		{"http://127.0.0.1:3000", "localhost:3000", false},
		{"http://[::1]:3000", "[::1]:3000", true},
		{"http://[::1]", "[::1]", true},
		{"http://[::1", "[::1", false},

		{"null", "null", false},
		{"null", "localhost", false},
		{"", "", false},
		{"", "localhost", false},
		{"http://", "", false},
		{"http://localhost", "", false},
		{"http://localhost", "user@localhost", false},
		{"http://localhost", "localhost/x", false},
		{"http://localhost", "localhost:99999", false},
		{"http://localhost:99999", "localhost:99999", false},
		{"http://localhost\x00", "localhost\x00", false},
		{"http://local\nhost", "local\nhost", false},
		{"http://loc%61lhost", "localhost", false},
		{"file://localhost", "localhost", false},
		{"chrome-extension://abc", "abc", false},
		{"http:localhost", "localhost", false},
		{"http://a,http://b", "a", false},
		{"http://" + strings.Repeat("a", 400), strings.Repeat("a", 400), false},
	} {
		require.Equal(t, c.want, o.Allowed(c.origin, c.host), "%q for %q", c.origin, c.host)
	}
}

func FuzzAllowed(f *testing.F) {
	f.Add("https://app.example.com:443", "app.example.com")
	f.Add("http://[::1]:3000", "[::1]:3000")
	f.Add("null", "\xff@:%")
	o, err := identity.NewOrigins("", nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, origin, host string) {
		if !o.Allowed(origin, host) {
			return
		}
		// Without a list only the own host is let in: whatever ports say, the Origin's begins with its name.
		name := strings.ToLower(host)
		if i := strings.LastIndexByte(name, ':'); i >= 0 && !strings.HasSuffix(name, "]") {
			name = name[:i]
		}
		rest := strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(origin), "http://"), "https://")
		if after, ok := strings.CutPrefix(rest, name); !ok || name == "" || (after != "" && after[0] != ':') {
			t.Fatalf("%q may for %q", origin, host)
		}
	})
}
