package http1

import (
	"bufio"
	"bytes"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func everyPath(string) bool { return true }

// FuzzRequest holds that whatever is understood here, net/http understands in the same way: no request means one thing to one
// of the two and another to the other.
func FuzzRequest(f *testing.F) {
	for _, head := range []string{
		"GET /api/socket/?EIO=4&transport=polling&t=abc HTTP/1.1\r\nHost: localhost:3000\r\nCookie: a=b; c=d\r\nCookie: e=f\r\n\r\n",
		"POST /api/emit/user HTTP/1.1\r\nhost: a\r\nContent-Length: 2\r\nContent-Type:application/json\t \r\n\r\n{}",
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, keep-alive\r\nUpgrade: WebSocket\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n folded: b\r\n\r\n", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +2\r\n\r\n{}", "GET /? HTTP/1.1\r\nHost: a\r\nX: \x80\r\n\r\n",
		"GET //a/b HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a;b?c=%zz HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET /a:b HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nPragma: no-cache\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\nContent-Length: 2\r\n\r\n{}", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n",
	} {
		f.Add([]byte(head))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, n, v := parse(b, everyPath)
		if v != whole {
			return
		}
		theirs, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(b)))
		require.NoError(t, err)
		ours := r.http("")
		require.Equal(t, theirs.Method, ours.Method)
		require.Equal(t, theirs.URL.String(), ours.URL.String())
		require.Equal(t, theirs.URL.Path, ours.URL.Path)
		require.Equal(t, theirs.URL.Query(), ours.URL.Query())
		require.Equal(t, theirs.RequestURI, ours.RequestURI)
		require.Equal(t, theirs.Host, ours.Host)
		require.Equal(t, theirs.ContentLength, ours.ContentLength)
		require.Equal(t, theirs.Close, ours.Close)
		want := maps.Clone(theirs.Header)
		for _, ownField := range []string{"Content-Length", "Cache-Control"} { // kept by net/http; added for a Pragma
			delete(want, ownField)
			delete(ours.Header, ownField)
		}
		require.Equal(t, want, ours.Header)
		rest, err := io.ReadAll(theirs.Body)
		if err == nil {
			require.Equal(t, string(b[n:min(len(b), n+r.body)]), string(rest))
		}
	})
}

func TestWhatIsLeftToNetHTTP(t *testing.T) {
	t.Parallel()
	only := func(path string) bool { return strings.HasPrefix(path, "/ours") }
	for head, want := range map[string]verdict{
		"GET /ours HTTP/1.1\r\nHost: a\r\n\r\n":                                                whole,
		"GET /ours HTTP/1.1\r\nHost: a\r\n":                                                    more,
		"GET /ou":                                                                              more,
		"G":                                                                                    more,
		"GET /theirs HTTP/1.1\r\n":                                                             strange, // before its head is whole
		"PRI * HTTP/2.0\r\n":                                                                   strange,
		"\x16\x03\x01\x02\x00\x01":                                                             strange, // TLS
		"HEAD /ours HTTP/1.1\r\nHost: a\r\n\r\n":                                               strange,
		"GET /ours HTTP/1.0\r\nHost: a\r\n\r\n":                                                strange,
		"GET /ours%2f HTTP/1.1\r\nHost: a\r\n\r\n":                                             strange,
		"GET http://a/ours HTTP/1.1\r\nHost: a\r\n\r\n":                                        strange,
		"GET /ours HTTP/1.1\r\n\r\n":                                                           strange, // no Host
		"GET /ours HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n":                                     strange,
		"GET /ours HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n":                           strange,
		"POST /ours HTTP/1.1\r\nHost: a\r\n\r\n":                                               strange, // no length
		"POST /ours HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n":                      strange,
		"POST /ours HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n":                 strange,
		"POST /ours HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n":                       strange,
		"GET /ours HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n":                             strange,
		"POST /ours HTTP/1.1\r\nHost: a\r\nContent-Length:\r\nContent-Length: 1\r\n\r\n":       strange,
		"GET /ours HTTP/1.1\nHost: a\n\n":                                                      strange, // whole, for net/http
		"GET /ours HTTP/1.1\r\nHost: a\r\n\n":                                                  strange,
		"GET /ours HTTP/1.1\r\nX: " + strings.Repeat("x", maxHead):                             strange,
		"GET /ours HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", maxHead) + "\r\n\r\n":     strange,
		"GET /ours HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", maxHead-100) + "\r\n\r\n": whole,
		"GET /ours HTTP/1.1\r\nHost: a\r\nConnection: x\r\n\r\n":                               strange,
		"GET /ours HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n":                                strange,
		"GET /ours HTTP/1.1\r\nHost: a\r\n b: c\r\n\r\n":                                       strange,
		"GET /ours HTTP/1.1\r\nHost: a\r\nX : c\r\n\r\n":                                       strange,
		"GET /ours HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n":                                     strange,
		"POST /ours HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\n":                      whole,
		"GET /ours HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n\r\n":             whole,
	} {
		_, _, got := parse([]byte(head), only)
		require.Equal(t, want, got, "%.200q", head)
	}
}
