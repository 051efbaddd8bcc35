package apidocs

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Where the documents are served.
const (
	OpenAPIPath  = "/api/openapi.json"
	AsyncAPIPath = "/api/asyncapi.json"
	PagePath     = "/api/docs"
)

//go:embed openapi.json
var openAPIDocument []byte

//go:embed asyncapi.json
var asyncAPIDocument []byte

// OpenAPI is the whole OpenAPI 3.1 document of the HTTP routes, as JSON.
func OpenAPI() []byte { return bytes.Clone(openAPIDocument) }

// AsyncAPI is the AsyncAPI 3 document of the events, as JSON.
func AsyncAPI() []byte { return bytes.Clone(asyncAPIDocument) }

// Options of New; the zero value is usable.
type Options struct {
	// Serves says whether this server has a path of the OpenAPI document, such as /api/emit/batch. The others are left
	// out. nil leaves out none.
	Serves func(path string) bool
}

// Docs is an http.Handler for the three paths. It is made once and never changes.
type Docs struct{ files map[string]file }

type file struct {
	body        []byte
	contentType string
	policy      string // Content-Security-Policy
	etag        string
}

// New makes the documents of this server and the page. An error means that the embedded documents are broken.
func New(o Options) (*Docs, error) {
	openAPI, err := only(openAPIDocument, o.Serves)
	if err != nil {
		return nil, fmt.Errorf("openapi.json: %w", err)
	}
	page, style, err := renderPage(openAPI, asyncAPIDocument)
	if err != nil {
		return nil, fmt.Errorf("the page of the API: %w", err)
	}
	const plain = "default-src 'none'"
	sum := sha256.Sum256([]byte(style))
	styled := plain + "; img-src data:; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	return &Docs{map[string]file{
		OpenAPIPath:  newFile(openAPI, "application/json; charset=utf-8", plain),
		AsyncAPIPath: newFile(asyncAPIDocument, "application/json; charset=utf-8", plain),
		PagePath:     newFile(page, "text/html; charset=utf-8", styled),
	}}, nil
}

func newFile(body []byte, contentType, policy string) file {
	sum := sha256.Sum256(body)
	return file{body, contentType, policy, `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
}

// only is the document without the paths that serves refuses.
func only(document []byte, serves func(string) bool) ([]byte, error) {
	if serves == nil {
		return document, nil
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(document, &top); err != nil {
		return nil, err
	}
	var paths map[string]json.RawMessage
	if err := json.Unmarshal(top["paths"], &paths); err != nil {
		return nil, err
	}
	for path := range paths {
		if !serves(path) {
			delete(paths, path)
		}
	}
	var err error
	if top["paths"], err = json.Marshal(paths); err != nil {
		return nil, err
	}
	return json.MarshalIndent(top, "", "  ")
}

// ServeHTTP answers GET and HEAD of the three paths.
func (d *Docs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := d.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Content-Security-Policy", f.policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-cache") // kept, and asked for again: another version may run by then
	h.Set("ETag", f.etag)
	if strings.Contains(r.Header.Get("If-None-Match"), f.etag) {
		h.Del("Content-Type")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(f.body) // net/http leaves the body of a HEAD away
}
