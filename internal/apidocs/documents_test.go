package apidocs_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the documents")

// TestDocuments keeps the committed documents and the code they are made from the same; -update writes them.
func TestDocuments(t *testing.T) {
	for file, build := range map[string]func(*testing.T) m{"openapi.json": openAPI, "asyncapi.json": asyncAPI} {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		require.NoError(t, e.Encode(build(t)))
		if *update {
			require.NoError(t, os.WriteFile(file, b.Bytes(), 0o644))
			continue
		}
		got, err := os.ReadFile(file)
		require.NoError(t, err, "run make types")
		require.Equal(t, b.String(), string(got), "run make types")
	}
}
