package sio

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClientBundle(t *testing.T) {
	t.Parallel()
	s, err := New(Options{})
	require.NoError(t, err)
	get := func(method, path string, header ...string) *http.Response {
		req := httptest.NewRequest(method, path, nil)
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		s.ClientBundle().ServeHTTP(w, req)
		return w.Result()
	}
	body := func(r *http.Response) []byte {
		b, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		return b
	}
	for _, name := range []string{"socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"} {
		for suffix, kind := range map[string]string{"": "application/javascript", ".map": "application/json"} {
			plain := get("GET", "/api/socket/"+name+suffix)
			require.Equal(t, 200, plain.StatusCode)
			require.Equal(t, kind+"; charset=utf-8", plain.Header.Get("Content-Type"))
			require.Equal(t, `"4.8.4"`, plain.Header.Get("ETag"))
			require.Equal(t, "public, max-age=0", plain.Header.Get("Cache-Control"))
			text := body(plain)
			if suffix == "" {
				require.Contains(t, string(text[:100]), "Socket.IO v"+clientVersion)
			}
			packed := get("GET", "/x/"+name+suffix, "Accept-Encoding", "deflate, gzip;q=0.8")
			require.Equal(t, "gzip", packed.Header.Get("Content-Encoding"))
			zr, err := gzip.NewReader(bytes.NewReader(body(packed)))
			require.NoError(t, err)
			unpacked, err := io.ReadAll(zr)
			require.NoError(t, err)
			require.True(t, bytes.Equal(text, unpacked))
		}
	}
	for _, etag := range []string{`"4.8.4"`, `W/"4.8.4"`} {
		r := get("GET", "/socket.io.js", "If-None-Match", etag)
		require.Equal(t, 304, r.StatusCode)
		require.Zero(t, len(body(r)))
	}
	require.Zero(t, len(body(get("HEAD", "/socket.io.js"))))
	require.Equal(t, 405, get("POST", "/socket.io.js").StatusCode)
	require.Empty(t, get("GET", "/socket.io.js", "Accept-Encoding", "gzip;q=0").Header.Get("Content-Encoding"))
	for _, path := range []string{"/", "/socket.io.js.gz", "/LICENSE", "/../client/socket.io", "/socket.io.mjs"} {
		require.Equal(t, 404, get("GET", path).StatusCode, path)
	}
}
