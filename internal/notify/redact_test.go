package notify

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPersonalDataIsStrippedAndAllElseKept(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"outermost": {
			`{"clientPhone":"1","client_email":"2","clientNotes":"3","phone":"4","Email":"5","notes":"own","x":1}`,
			`{"notes":"own","x":1}`,
		},
		"the client's object": {
			`{"client":{"id":"c","firstName":"C","phone":"1","email":"2","notes":"3","address":"4","birthday":"5"}}`,
			`{"client":{"firstName":"C","id":"c"}}`,
		},
		"deeper, and in lists": {
			`{"group":{"clients":[{"id":"c","phone":"1","user":{"email":"2"}},[{"notes":"3"}]]}}`,
			`{"group":{"clients":[{"id":"c","user":{}},[{}]]}}`,
		},
		"a password, wherever it is": {
			`{"user":{"email":"u@example.com","password":"x","meta":{"accessToken":"y"}},"password":"z"}`,
			`{"user":{"email":"u@example.com","meta":{}}}`,
		},
		"the branch's phone stays": {`{"branch":{"phone":"1"}}`, `{"branch":{"phone":"1"}}`},
		"numbers stay exact":       {`{"n":12345678901234567890.10}`, `{"n":12345678901234567890.10}`},
		"no object":                {`null`, `null`},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, string(redact(json.RawMessage(c.in))))
		})
	}
}

func TestDepthIsOfNestingAlone(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int{
		`1`: 0, `"[[{"`: 0, `[]`: 1, `{"a":[{"b":"\"]]"}]}`: 3, `[[],[],[[]]]`: 3,
		strings.Repeat("[", 40) + strings.Repeat("]", 40): 40,
	} {
		require.Equal(t, want, depth([]byte(in)), in)
	}
}

func TestContentLeavesOutWhatChangesByItself(t *testing.T) {
	t.Parallel()
	same := contentOf(json.RawMessage(`{"a": 1, "timestamp":"x","updatedAt":"y","createdAt":"z"}`))
	require.Equal(t, same, contentOf(json.RawMessage(`{"timestamp":"other","a":1}`)))
	require.NotEqual(t, same, contentOf(json.RawMessage(`{"a":2}`)))
	one, other := contentOf(json.RawMessage(`1`), json.RawMessage(`23`)), contentOf(json.RawMessage(`12`), json.RawMessage(`3`))
	require.NotEqual(t, one, other)
}
