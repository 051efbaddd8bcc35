package apidocs_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/internal/apidocs"
	"github.com/citaplanner/realtime/internal/apidocs/conform"
)

// Every example in a document is one of the schema beside it.
func TestExamplesAreWhatTheyAreExamplesOf(t *testing.T) {
	t.Parallel()
	c, err := conform.New()
	require.NoError(t, err)
	checked := 0
	check := func(document, at string, example any) {
		b, err := json.Marshal(example)
		require.NoError(t, err)
		require.NoError(t, c.Schema(document, at, b), at)
		checked++
	}
	for document, text := range map[string][]byte{"openapi.json": apidocs.OpenAPI(), "asyncapi.json": apidocs.AsyncAPI()} {
		var doc any
		require.NoError(t, json.Unmarshal(text, &doc))
		walk(doc, "#", func(at string, object m) {
			schema, ok := object["schema"]
			if example, given := object["example"]; ok && given && schema != nil {
				check(document, at+"/schema", example)
			}
			if payload, ok := object["payload"].(m); ok && object["examples"] != nil {
				require.NotEmpty(t, payload)
				for _, e := range object["examples"].([]any) {
					check(document, at+"/payload", e.(m)["payload"])
				}
			}
		})
	}
	require.Greater(t, checked, 60)
}

// walk visits every object of a document with its JSON pointer.
func walk(v any, at string, visit func(string, m)) {
	switch v := v.(type) {
	case m:
		visit(at, v)
		for name, member := range v {
			walk(member, at+"/"+strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(name), visit)
		}
	case []any: // neither document has an example below a list, but for parameters
	}
}
