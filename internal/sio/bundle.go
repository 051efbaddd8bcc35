package sio

import (
	"bytes"
	"compress/gzip"
	"embed"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// clientVersion of the files in client/: dist of the npm package socket.io-client, unchanged but for gzip -n -9, with
// its licence beside them.
const clientVersion = "4.8.4"

//go:embed client/*.gz
var clientFiles embed.FS

// ClientBundle serves the browser's client library under the names that Node's socket.io serves it: the last element of
// the path is one of socket.io.js, socket.io.min.js, socket.io.esm.min.js, socket.io.msgpack.min.js, or one of these
// with .map. Validation and headers are Node's too.
func (s *Server) ClientBundle() http.Handler { return http.HandlerFunc(serveClient) }

func serveClient(w http.ResponseWriter, r *http.Request) {
	name := path.Base(r.URL.Path)
	packed, err := clientFiles.ReadFile("client/" + name + ".gz")
	if err != nil {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	const etag = `"` + clientVersion + `"`
	h := w.Header()
	h.Set("ETag", etag)
	h.Set("Cache-Control", "public, max-age=0")
	h.Set("Vary", "Accept-Encoding")
	if v := r.Header.Get("If-None-Match"); v == etag || v == "W/"+etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Type", "application/javascript; charset=utf-8")
	if strings.HasSuffix(name, ".map") {
		h.Set("Content-Type", "application/json; charset=utf-8")
	}
	if acceptsGzip(r.Header.Values("Accept-Encoding")) {
		h.Set("Content-Encoding", "gzip")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(packed))
		return
	}
	if r.Method == http.MethodHead {
		return
	}
	zr, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	_, _ = io.Copy(w, zr) // an error means that the client has gone
}

// acceptsGzip reads Accept-Encoding (RFC 9110, section 12.5.3) as far as it is about gzip; q=0 means no.
func acceptsGzip(values []string) bool {
	for _, v := range values {
		for item := range strings.SplitSeq(v, ",") {
			coding, params, _ := strings.Cut(strings.TrimSpace(item), ";")
			if coding = strings.TrimSpace(coding); !strings.EqualFold(coding, "gzip") && coding != "*" {
				continue
			}
			q, isWeighted := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(params), " ", ""), "q=")
			weight, err := strconv.ParseFloat(q, 64)
			return !isWeighted || err == nil && weight > 0
		}
	}
	return false
}
