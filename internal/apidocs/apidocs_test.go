package apidocs_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/internal/apidocs"
	"github.com/citaplanner/realtime/pkg/contract"
)

// The validators of both projects read the documents.
func TestTheDocumentsAreValid(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("validator/node_modules/@asyncapi/parser"); err != nil {
		t.Fatal("the validators are not installed: run `make setup` (or `npm ci` in internal/apidocs/validator)")
	}
	in, err := json.Marshal(map[string]json.RawMessage{"openapi": apidocs.OpenAPI(), "asyncapi": apidocs.AsyncAPI()})
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "node", "validate.mjs")
	cmd.Dir, cmd.Stdin, cmd.Stderr = "validator", strings.NewReader(string(in)), os.Stderr
	said, err := cmd.Output()
	require.NoError(t, err, "Node.js 20 or later is needed")
	require.Empty(t, string(said))
}

func TestEveryEventIsInTheAsyncAPIDocumentAndNoOther(t *testing.T) {
	var doc struct {
		Operations map[string]struct {
			Action   string
			Messages []struct {
				Ref string `json:"$ref"`
			}
		}
		Channels   map[string]struct{ Messages map[string]struct{} }
		Components struct {
			Messages map[string]struct{ Name string }
		}
	}
	require.NoError(t, json.Unmarshal(apidocs.AsyncAPI(), &doc))
	got := map[string][]string{}
	for _, o := range doc.Operations {
		key := o.Messages[0].Ref[strings.LastIndexByte(o.Messages[0].Ref, '/')+1:]
		got[o.Action] = append(got[o.Action], doc.Components.Messages[key].Name)
		require.Contains(t, doc.Channels["socket"].Messages, key)
	}
	require.ElementsMatch(t, contract.ServerEvents(), got["send"])
	require.ElementsMatch(t, contract.ClientEvents(), got["receive"])
}

func serve(t *testing.T, o apidocs.Options, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	d, err := apidocs.New(o)
	require.NoError(t, err)
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	d.ServeHTTP(w, r)
	return w
}

func TestThePageShowsEverythingAndAsksNobody(t *testing.T) {
	w := serve(t, apidocs.Options{}, apidocs.PagePath)
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
	require.Contains(t, w.Header().Get("Content-Security-Policy"), "default-src 'none'; img-src data:; style-src 'sha256-")
	html := w.Body.String()
	for _, name := range append(contract.ServerEvents(), contract.ClientEvents()...) {
		require.Contains(t, html, "<code>"+name+"</code></h3>")
	}
	for _, k := range contract.EmitKinds() {
		require.Contains(t, html, "<code>/api/emit/"+k.Name+"</code></h3>")
	}
	require.NotContains(t, html, "<script")
	require.NotRegexp(t, `(src|href|action)="(https?:)?//`, html)
	ids := map[string]bool{}
	for _, id := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(html, -1) {
		require.False(t, ids[id[1]], "two elements have the id %s", id[1])
		ids[id[1]] = true
	}
	for _, link := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(html, -1) {
		require.True(t, ids[link[1]], "nothing has the id %s", link[1])
	}
}

func TestWhatThisServerDoesNotServeIsNotDescribed(t *testing.T) {
	o := apidocs.Options{Serves: func(path string) bool { return !strings.HasPrefix(path, "/api/emit/") }}
	w := serve(t, o, apidocs.OpenAPIPath)
	var doc struct {
		Paths map[string]any
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &doc))
	require.NotContains(t, doc.Paths, "/api/emit/batch")
	require.Contains(t, doc.Paths, "/api/notifications")
	require.NotContains(t, serve(t, o, apidocs.PagePath).Body.String(), "/api/emit/batch</code>")
}

func TestADocumentThatHasNotChangedIsNotSentAgain(t *testing.T) {
	for _, path := range []string{apidocs.OpenAPIPath, apidocs.AsyncAPIPath, apidocs.PagePath} {
		first := serve(t, apidocs.Options{}, path)
		require.NotEmpty(t, first.Body.Bytes())
		again := serve(t, apidocs.Options{}, path, "If-None-Match", "W/"+first.Header().Get("ETag"))
		require.Equal(t, http.StatusNotModified, again.Code)
		require.Empty(t, again.Body.Bytes())
	}
}

// The page in a real Chromium: what the browser, axe and its width say. Pictures go to artifacts/apidocs.
func TestThePageIsReadableByEverybody(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("validator/node_modules/axe-core"); err != nil {
		t.Fatal("axe-core is not installed: run `make setup` (or `npm ci` in internal/apidocs/validator)")
	}
	browser, err := exec.LookPath("chromium")
	require.NoError(t, err, "Chromium is needed: run `make setup`")
	folder, err := filepath.Abs("../../artifacts/apidocs")
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(folder, 0o755))
	d, err := apidocs.New(apidocs.Options{})
	require.NoError(t, err)
	srv := httptest.NewServer(d)
	defer srv.Close()
	cmd := exec.CommandContext(t.Context(), "node", "page.mjs", srv.URL+apidocs.PagePath, folder)
	cmd.Dir, cmd.Env, cmd.Stderr = "validator", append(os.Environ(), "CHROMIUM="+browser), os.Stderr
	said, err := cmd.Output()
	require.NoError(t, err)
	require.Empty(t, string(said))
}
