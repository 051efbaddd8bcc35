package httpapi

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/internal/apidocs"
	"github.com/citaplanner/realtime/internal/identity"
	"github.com/citaplanner/realtime/internal/inbox"
)

// What is registered is described in the OpenAPI document, and what is described is registered.
func TestEveryRouteIsDescribedAndNoOther(t *testing.T) {
	none := http.NotFoundHandler()
	a := New(Deps{Bundle: none, Socket: none, Gather: none, Docs: none, Inbox: &inbox.Inbox{}, Keys: &identity.EmitKeys{}, CronSecret: "x"}, Options{})
	served := map[string]bool{}
	for _, r := range a.engine.Routes() {
		if r.Method == http.MethodOptions || r.Method == http.MethodHead { // preflights, and GET without a body
			continue
		}
		path := strings.TrimSuffix(r.Path, "/") // the socket's two forms
		if path == SocketPath && r.Method != http.MethodGet && r.Method != http.MethodPost {
			continue // the transport refuses them
		}
		parts := strings.Split(path, "/")
		for i, p := range parts {
			if name, ok := strings.CutPrefix(p, ":"); ok {
				parts[i] = "{" + name + "}"
			}
		}
		served[r.Method+" "+strings.Join(parts, "/")] = true
	}
	require.Equal(t, keys(served), keys(described(t)))
}

func TestTheDocsAreWhereTheyAreSaidToBe(t *testing.T) {
	require.ElementsMatch(t, []string{apidocs.PagePath, apidocs.OpenAPIPath, apidocs.AsyncAPIPath}, docsPaths)
}

// described lists method and path of the OpenAPI document's operations; a path parameter with a list of values is each of them.
func described(t *testing.T) map[string]bool {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]struct {
			Parameters []struct {
				Name, In string
				Schema   struct{ Enum []string }
			}
		}
	}
	require.NoError(t, json.Unmarshal(apidocs.OpenAPI(), &doc))
	out := map[string]bool{}
	for path, item := range doc.Paths {
		for method, o := range item {
			paths := []string{path}
			for _, p := range o.Parameters {
				if p.In == "path" && len(p.Schema.Enum) > 0 {
					paths = nil
					for _, v := range p.Schema.Enum {
						paths = append(paths, strings.Replace(path, "{"+p.Name+"}", v, 1))
					}
				}
			}
			for _, p := range paths {
				out[strings.ToUpper(method)+" "+p] = true
			}
		}
	}
	return out
}

func keys(m map[string]bool) (out []string) {
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
