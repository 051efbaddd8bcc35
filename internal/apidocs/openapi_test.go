package apidocs_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/pkg/contract"
)

// openAPI builds the document of the HTTP routes.
func openAPI(t *testing.T) m {
	t.Helper()
	s := newSchemas(t)
	s.of(contract.Preferences{})
	s.all["BatchEntry"] = batchEntry(s)
	paths := m{}
	for _, list := range [][]operation{emitOperations(), inboxOperations(), otherOperations()} {
		for _, o := range list {
			item, ok := paths[o.path].(m)
			if !ok {
				item = m{}
				paths[o.path] = item
			}
			require.NotContains(t, item, o.method, o.path)
			item[o.method] = describe(s, o)
		}
	}
	s.all["PreferencesPatch"] = preferencesPatch(s)
	return m{
		"openapi": "3.1.0",
		"info": m{"title": "CitaPlanner Realtime", "version": "1.0.0", "description": "The HTTP routes of the real-time and notification server of CitaPlanner. " +
			"Errors are application/problem+json (RFC 9457); an answer may get more members, none is renamed or removed. JSON bodies are at most 1 MB. " +
			"The events are in the AsyncAPI document, /api/asyncapi.json."},
		"servers": []m{{"url": "/", "description": "This server."}}, "tags": tags, "paths": paths,
		"components": m{"schemas": s.all, "securitySchemes": securitySchemes, "parameters": parameters, "responses": problemResponses(s)},
	}
}

func describe(s *schemas, o operation) m {
	out := m{"operationId": o.id, "tags": []string{o.tag}, "summary": o.summary, "responses": responses(s, o)}
	out["security"] = []m{}
	if o.access != "" {
		out["security"] = securities[o.access]
	}
	if o.description != "" {
		out["description"] = o.description
	}
	if len(o.params) > 0 {
		out["parameters"] = o.params
	}
	if o.request != nil {
		media, required := "application/json", true
		if o.id == "socketSend" {
			media = "text/plain"
		}
		body := m{"schema": s.schema(o.request)}
		if o.example != nil {
			body["example"] = o.example
		}
		out["requestBody"] = m{"required": required, "content": m{media: body}}
	}
	return out
}

// schema takes a zero value, or a schema as it is.
func (s *schemas) schema(v any) m {
	if plain, ok := v.(m); ok {
		return plain
	}
	return s.of(v)
}

func responses(s *schemas, o operation) m {
	out := m{}
	for status, a := range o.answers {
		r := m{"description": a.description}
		if a.body != nil {
			media := a.media
			if media == "" {
				media = "application/json"
			}
			content := m{"schema": s.schema(a.body)}
			if a.example != nil {
				content["example"] = a.example
			}
			r["content"] = m{media: content}
			switch {
			case status != http.StatusOK:
			case o.id == "socketStatus":
				r["content"].(m)["text/plain"] = m{"schema": m{"type": "string"}}
			case o.id == "clientBundle":
				r["content"].(m)["application/json"] = m{"schema": m{"type": "object", "description": "A source map."}}
			}
		}
		if a.headers != nil {
			r["headers"] = a.headers
		}
		out[strconv.Itoa(status)] = r
	}
	for _, status := range o.problems {
		out[strconv.Itoa(status)] = m{"$ref": "#/components/responses/" + strings.ReplaceAll(http.StatusText(status), " ", "")}
	}
	return out
}

// problems are the refusals, with an example of each.
var problems = map[int]struct {
	description string
	code        contract.Code
	detail      string
	field       string
}{
	400: {"The request is wrong; detail says what, field where.", contract.CodeInvalid, "tenantId is required", "tenantId"},
	401: {"No credential, or none that is valid.", contract.CodeUnauthorized, "API key required", ""},
	403: {"The credential does not open this.", contract.CodeForbidden, "this token may emit in its own tenant only", ""},
	404: {"There is no such thing, or it is somebody else's.", contract.CodeNotFound, "appointment not found", ""},
	413: {"The body, or a field of it, is over its limit.", contract.CodeTooLarge, "the body is over 1048576 bytes", ""},
	415: {"The body is not JSON.", contract.CodeContentType, "the body must be application/json", ""},
	422: {"The Idempotency-Key was used with another body.", contract.CodeKeyReused, "the idempotency key was used with another body", ""},
	429: {"Too many emits of this key, or too many broadcasts wait for this tenant.", contract.CodeRateLimited, "too many emits with this key", ""},
	500: {"The server's fault.", contract.CodeInternal, "internal error", ""},
	503: {"A part that is needed does not answer, or the server is stopping: try again.", contract.CodeUnavailable, "the database does not answer", ""},
}

func problemResponses(s *schemas) m {
	out := m{}
	for status, p := range problems {
		example := m{"type": "about:blank", "title": http.StatusText(status), "status": status, "detail": p.detail, "error": p.detail, "code": p.code}
		if p.field != "" {
			example["field"] = p.field
		}
		r := m{"description": p.description, "content": m{"application/problem+json": m{"schema": s.of(contract.Problem{}), "example": example}}}
		if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
			r["headers"] = m{"Retry-After": m{"description": "Seconds after which trying again makes sense.", "schema": m{"type": "integer", "minimum": 1}}}
		}
		out[strings.ReplaceAll(http.StatusText(status), " ", "")] = r
	}
	return out
}

// batchEntry is the body of any emit endpoint with its kind, or the event's name, beside it.
func batchEntry(s *schemas) m {
	var forms []m
	for _, k := range contract.EmitKinds() {
		names := []string{k.Name}
		if k.Event != "" {
			names = append(names, k.Event)
		}
		forms = append(forms, m{"allOf": []m{{"type": "object", "required": []string{"kind"}, "properties": m{"kind": m{"type": "string", "enum": names}}}, s.of(k.Request)}})
	}
	return m{"description": "The body of an emit endpoint with its kind, the path below /api/emit/, beside it.", "oneOf": forms}
}

// preferencesPatch is Preferences with every field optional, and no others.
func preferencesPatch(s *schemas) m {
	p := s.all["Preferences"].(m)
	return m{"type": "object", "description": "Any fields of Preferences. What identifies the row is ignored.", "properties": p["properties"], "additionalProperties": false}
}

// operationID is a prefix and the words of a path in camel case.
func operationID(prefix, path string) string {
	var b strings.Builder
	b.WriteString(prefix)
	upper := prefix != ""
	for _, r := range path {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			upper = true
		case upper:
			b.WriteRune(unicode.ToUpper(r))
			upper = false
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
