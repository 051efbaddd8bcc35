package apidocs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// The parts of both documents that the page shows.
type (
	openAPIFile struct {
		Info struct {
			Title, Description string
		}
		Tags       []struct{ Name, Description string }
		Paths      map[string]map[string]operation
		Components components
	}
	asyncAPIFile struct {
		Info       struct{ Title, Description string }
		Operations map[string]asyncOperation
		Components components
	}
	components struct {
		Schemas         map[string]schema
		Parameters      map[string]parameter
		Responses       map[string]response
		Messages        map[string]message
		SecuritySchemes map[string]securityScheme
	}
	operation struct {
		OperationID, Summary, Description string
		Tags                              []string
		Security                          []map[string]json.RawMessage
		Parameters                        []parameter
		RequestBody                       *body
		Responses                         map[string]response
	}
	parameter struct {
		Ref         string `json:"$ref"`
		Name, In    string
		Description string
		Required    bool
		Schema      schema
	}
	body     struct{ Content map[string]media }
	response struct {
		Ref         string `json:"$ref"`
		Description string
		Content     map[string]media
	}
	media struct {
		Schema  schema
		Example json.RawMessage
	}
	securityScheme struct{ Description string }
	asyncOperation struct {
		Action, Summary string
		Messages        []reference
		Reply           *struct{ Messages []reference }
	}
	message struct {
		Name, Summary string
		Payload       schema
		Examples      []struct{ Payload json.RawMessage }
	}
	reference struct {
		Ref string `json:"$ref"`
	}
)

// schema is a JSON Schema; the zero value takes anything.
type schema struct {
	Ref         string `json:"$ref"`
	Type        string
	Description string
	Format      string
	Enum        []any
	Const       any
	Items       *schema
	OneOf       []schema
	AllOf       []schema
	Properties  properties
	Required    []string
	// Of the bounds, those that the documents use.
	MinLength, MaxLength, MinItems, MaxItems *int
	Minimum, Maximum                         *json.Number
	AdditionalProperties                     *schema
}

// UnmarshalJSON takes the boolean schemas, too.
func (s *schema) UnmarshalJSON(b []byte) error {
	if text := string(b); text == "true" || text == "false" {
		*s = schema{}
		return nil
	}
	type plain schema
	return json.Unmarshal(b, (*plain)(s))
}

// property is a member of an object, in the order of the document.
type property struct {
	Name   string
	Schema schema
}

type properties []property

func (p *properties) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		one := property{Name: fmt.Sprint(name)}
		if err := d.Decode(&one.Schema); err != nil {
			return err
		}
		*p = append(*p, one)
	}
	return nil
}

// part is a piece of a type's text; Ref is the schema that it links to.
type part struct{ Text, Ref string }

// Parts is the type in words.
func (s schema) Parts() []part {
	text := func(t string) []part { return []part{{Text: t}} }
	switch {
	case s.Ref != "":
		return []part{{Text: last(s.Ref), Ref: last(s.Ref)}}
	case len(s.OneOf) > 0:
		return join(s.OneOf, " | ")
	case len(s.AllOf) > 0:
		return join(s.AllOf, " & ")
	case s.Const != nil:
		return text(fmt.Sprintf("%q", s.Const))
	case len(s.Enum) > 0:
		values := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			values[i] = fmt.Sprintf("%q", v)
		}
		return text(strings.Join(values, " | "))
	case s.Items != nil:
		return append(append(text("list of "), s.Items.Parts()...), text(s.bounds())...)
	case s.AdditionalProperties != nil && s.AdditionalProperties.defined():
		return append(text("object, each member "), s.AdditionalProperties.Parts()...)
	case s.Type == "":
		return text("any JSON")
	case s.Format != "":
		return text(s.Type + " (" + s.Format + ")")
	}
	return text(s.Type + s.bounds())
}

func (s schema) defined() bool { return s.Ref != "" || s.Type != "" || len(s.OneOf) > 0 }

// bounds are the limits of a value in words, or nothing.
func (s schema) bounds() string {
	switch {
	case s.Minimum != nil && s.Maximum != nil:
		return fmt.Sprintf(", %s to %s", *s.Minimum, *s.Maximum)
	case s.MaxLength != nil && s.MinLength != nil && *s.MinLength > 0:
		return fmt.Sprintf(", %d to %d characters", *s.MinLength, *s.MaxLength)
	case s.MaxLength != nil:
		return fmt.Sprintf(", at most %d characters", *s.MaxLength)
	case s.MaxItems != nil:
		return fmt.Sprintf(", at most %d", *s.MaxItems)
	}
	return ""
}

func join(list []schema, between string) (out []part) {
	for i, s := range list {
		if i > 0 {
			out = append(out, part{Text: between})
		}
		out = append(out, s.Parts()...)
	}
	return out
}

// last is the name that a reference ends in.
func last(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }
