package apidocs_test

import (
	"encoding/json"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/invopop/jsonschema"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/pkg/contract"
)

type m = map[string]any

const (
	module    = "github.com/citaplanner/realtime"
	schemaRef = "#/components/schemas/"
)

// schemas collects the JSON Schemas of the contract's types, by the names that the documents give them.
type schemas struct {
	t   *testing.T
	r   *jsonschema.Reflector
	all m
}

func newSchemas(t *testing.T) *schemas {
	t.Helper()
	s := &schemas{t: t, all: m{}}
	s.r = &jsonschema.Reflector{Anonymous: true, AllowAdditionalProperties: true, Mapper: s.mapped}
	require.NoError(t, s.r.AddGoComments(module+"/internal/apidocs", "../../pkg/contract", jsonschema.WithFullComment()))
	comments := s.r.CommentMap
	s.r.CommentMap = nil
	s.r.LookupComment = func(typ reflect.Type, field string) string {
		key := typ.PkgPath() + "." + typ.Name()
		if field != "" {
			key += "." + field
		}
		return asJSONNames(typ, comments[key])
	}
	return s
}

// mapped is for the types whose JSON reflection cannot see: times and labels.
func (s *schemas) mapped(t reflect.Type) *jsonschema.Schema {
	if t == reflect.TypeFor[contract.Time]() {
		return &jsonschema.Schema{Type: "string", Format: "date-time"}
	}
	if _, ok := contract.Labels()[t.Name()]; ok && t.Kind() == reflect.String {
		s.label(t)
		return &jsonschema.Schema{Ref: schemaRef + schemaName(t)}
	}
	return nil
}

func (s *schemas) label(t reflect.Type) {
	s.all[schemaName(t)] = m{"type": "string", "enum": contract.Labels()[t.Name()], "description": s.r.LookupComment(t, "")}
}

func schemaName(t reflect.Type) string {
	if t.Name() == "Code" {
		return "ErrorCode" // as in TypeScript
	}
	return t.Name()
}

// of returns a reference to the schema of a value's type, and keeps the schema and those it refers to.
func (s *schemas) of(v any) m {
	s.t.Helper()
	t := reflect.TypeOf(v)
	switch {
	case t == nil:
		return m{"type": "null"}
	case t.Kind() == reflect.String:
		if schema := s.mapped(t); schema != nil {
			return m{"$ref": schema.Ref}
		}
		return m{"type": "string"}
	}
	if _, ok := s.all[t.Name()]; !ok {
		for name, def := range s.r.ReflectFromType(t).Definitions {
			s.all[name] = s.plain(def)
		}
		s.correct()
	}
	return m{"$ref": schemaRef + t.Name()}
}

// plain is a schema as ordered JSON that refers to where the documents keep schemas.
func (s *schemas) plain(def *jsonschema.Schema) json.RawMessage {
	s.t.Helper()
	b, err := json.Marshal(def)
	require.NoError(s.t, err)
	return json.RawMessage(strings.ReplaceAll(string(b), `"#/$defs/`, `"`+schemaRef))
}

// correct says what Go's types cannot.
func (s *schemas) correct() {
	s.edit("BatchResult", func(def m) { def["required"] = []string{"success", "status"} }) // an embedded pointer may be nil
	s.edit("BatchRequest", func(def m) { def["properties"].(m)["emits"].(m)["items"] = m{"$ref": schemaRef + "BatchEntry"} })
	s.edit("Preferences", func(def m) {
		def["properties"].(m)["reminderMinutesBefore"].(m)["items"] = m{"type": "integer", "minimum": 1, "maximum": 43200}
	})
}

func (s *schemas) edit(name string, change func(m)) {
	if raw, ok := s.all[name].(json.RawMessage); ok {
		var def m
		require.NoError(s.t, json.Unmarshal(raw, &def))
		order := propertyOrder(s.t, raw)
		change(def)
		def["properties"] = ordered{def["properties"].(m), order}
		s.all[name] = def
	}
}

// ordered is an object whose members keep the order of the Go type's fields.
type ordered struct {
	members m
	order   []string
}

func (o ordered) MarshalJSON() ([]byte, error) {
	parts := make([]string, 0, len(o.order))
	for _, name := range o.order {
		v, err := json.Marshal(o.members[name])
		if err != nil {
			return nil, err
		}
		parts = append(parts, `"`+name+`":`+string(v))
	}
	return []byte("{" + strings.Join(parts, ",") + "}"), nil
}

// propertyOrder is the order of a schema's properties.
func propertyOrder(t *testing.T, schema json.RawMessage) (names []string) {
	t.Helper()
	var def struct {
		Properties json.RawMessage `json:"properties"`
	}
	require.NoError(t, json.Unmarshal(schema, &def))
	d := json.NewDecoder(strings.NewReader(string(def.Properties)))
	_, err := d.Token()
	require.NoError(t, err)
	for d.More() {
		name, err := d.Token()
		require.NoError(t, err)
		names = append(names, name.(string))
		var skipped json.RawMessage
		require.NoError(t, d.Decode(&skipped))
	}
	return names
}

// asJSONNames is a doc comment with the fields called as JSON calls them, on one line.
func asJSONNames(t reflect.Type, doc string) string {
	doc = strings.Join(strings.Fields(doc), " ")
	if t.Kind() != reflect.Struct {
		return strings.Replace(doc, "Code names", "ErrorCode names", 1)
	}
	for f := range t.Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			doc = regexp.MustCompile(`\b`+f.Name+`\b`).ReplaceAllString(doc, name)
		}
	}
	return doc
}
