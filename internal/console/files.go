package console

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/citaplanner/realtime/pkg/contract"
)

//go:embed all:dist
var dist embed.FS

// policy is the Content-Security-Policy of the pages: our own files alone. Styles may be inline: sonner, which shows the toasts,
// puts its own into the page. Frames are the console's panes.
const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
	"frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

// secure sets the headers that every file of the console has.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
}

// files are the built files.
type files struct {
	root   fs.FS
	assets map[string]func() asset // by name
}

// asset is a file of which the name says the content.
type asset struct {
	plain, zipped []byte
}

func openFiles() (*files, error) {
	root, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, err
	}
	f := &files{root, map[string]func() asset{}}
	entries, err := fs.ReadDir(root, "assets")
	if err != nil {
		return nil, fmt.Errorf("the console's files are not built, run make console: %w", err)
	}
	for _, e := range entries {
		f.assets[e.Name()] = sync.OnceValue(func() asset { return zip(root, path.Join("assets", e.Name())) })
	}
	return f, nil
}

// zip reads a file and compresses it, when it is first asked for: it takes longer than a start should.
func zip(root fs.FS, name string) asset {
	plain, err := fs.ReadFile(root, name)
	if err != nil {
		return asset{} // embedded, and listed: there
	}
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // a level that there is
	_, _ = w.Write(plain)
	_ = w.Close()
	return asset{plain, b.Bytes()}
}

// asset serves a file below assets/, whose name changes with its content.
func (f *files) asset(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("file")
	get, ok := f.assets[name]
	if !ok {
		return contract.NewError(contract.CodeNotFound, "no such file")
	}
	a, h := get(), w.Header()
	secure(h)
	h.Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Add("Vary", "Accept-Encoding")
	body := a.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = a.zipped
	}
	_, _ = w.Write(body)
	return nil
}

// icon serves the console's icon.
func (f *files) icon(w http.ResponseWriter, r *http.Request) error {
	return f.file(w, "icon.svg", "image/svg+xml")
}

// page serves a page; it names its assets, so it is asked for anew each time.
func (f *files) page(name string) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, _ *http.Request) error { return f.file(w, name, "text/html; charset=utf-8") }
}

func (f *files) file(w http.ResponseWriter, name, kind string) error {
	body, err := fs.ReadFile(f.root, name)
	if err != nil {
		return fmt.Errorf("the console's files: %w", err)
	}
	secure(w.Header())
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-cache")
	_, _ = w.Write(body)
	return nil
}
