// Package conform holds real answers and events against the documents of internal/apidocs. Tests use it; the server does
// not.
package conform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/citaplanner/realtime/internal/apidocs"
)

// Checker is safe for use by many goroutines. It remembers what it has seen.
type Checker struct {
	operations []operation
	messages   map[string]message // by the event's name
	responses  map[string]response

	mu       sync.Mutex // guards all below
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema
	seen     map[string]bool
}

type operation struct {
	method, id string
	path       []string
	at         string // JSON pointer
	responses  map[string]response
}

type response struct {
	Ref     string                     `json:"$ref"`
	Content map[string]json.RawMessage `json:"content"`
}

type message struct {
	at  string // JSON pointer of the payload
	ack string
}

// New reads both documents.
func New() (*Checker, error) {
	c := &Checker{messages: map[string]message{}, schemas: map[string]*jsonschema.Schema{}, seen: map[string]bool{},
		compiler: jsonschema.NewCompiler()}
	c.compiler.AssertFormat() // times are times
	for name, text := range map[string][]byte{"openapi.json": apidocs.OpenAPI(), "asyncapi.json": apidocs.AsyncAPI()} {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if err := c.compiler.AddResource("https://documents.invalid/"+name, doc); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := c.readOpenAPI(apidocs.OpenAPI()); err != nil {
		return nil, err
	}
	return c, c.readAsyncAPI(apidocs.AsyncAPI())
}

func (c *Checker) readOpenAPI(text []byte) error {
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string              `json:"operationId"`
			Responses   map[string]response `json:"responses"`
		} `json:"paths"`
		Components struct {
			Responses map[string]response `json:"responses"`
		} `json:"components"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return err
	}
	c.responses = doc.Components.Responses
	for path, item := range doc.Paths {
		for method, o := range item {
			c.operations = append(c.operations, operation{method: strings.ToUpper(method), id: o.OperationID,
				path: strings.Split(path, "/"), at: pointer("paths", path, method), responses: o.Responses})
		}
	}
	// /api/socket/stats goes before /api/socket/{file} (OpenAPI 3.1, 4.8.8.2).
	slices.SortFunc(c.operations, func(a, b operation) int {
		return strings.Count(strings.Join(a.path, "/"), "{") - strings.Count(strings.Join(b.path, "/"), "{")
	})
	return nil
}

func (c *Checker) readAsyncAPI(text []byte) error {
	type ref struct {
		Ref string `json:"$ref"`
	}
	var doc struct {
		Operations map[string]struct {
			Messages []ref `json:"messages"`
			Reply    *struct {
				Messages []ref `json:"messages"`
			} `json:"reply"`
		} `json:"operations"`
		Components struct {
			Messages map[string]struct {
				Name string `json:"name"`
			} `json:"messages"`
		} `json:"components"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return err
	}
	for _, o := range doc.Operations {
		key := last(o.Messages[0].Ref)
		m := message{at: pointer("components", "messages", key, "payload")}
		if o.Reply != nil {
			m.ack = pointer("components", "messages", last(o.Reply.Messages[0].Ref), "payload")
		}
		c.messages[doc.Components.Messages[key].Name] = m
	}
	return nil
}

// Answer checks an HTTP answer. described is false where the documents know no such route; err says what differs from
// the description.
func (c *Checker) Answer(method, path string, status int, contentType string, body []byte) (described bool, err error) {
	o, ok := c.operation(method, path)
	if !ok {
		return false, nil
	}
	code := strconv.Itoa(status)
	r, ok := o.responses[code]
	if !ok {
		return true, fmt.Errorf("%s %s: the status %s is not described: %.300s", method, path, code, body)
	}
	at := o.at + pointer("responses", code)[1:]
	if r.Ref != "" {
		at, r = pointer("components", "responses", last(r.Ref)), c.responses[last(r.Ref)]
	}
	c.note(o.id + " " + code)
	if len(r.Content) == 0 {
		return true, nil
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return true, fmt.Errorf("%s %s: the content type %q: %w", method, path, contentType, err)
	}
	if _, ok := r.Content[media]; !ok {
		return true, fmt.Errorf("%s %s: %s with %s is not described", method, path, code, media)
	}
	if !strings.HasSuffix(media, "json") {
		return true, nil
	}
	if err := c.validate("openapi.json", at+pointer("content", media, "schema")[1:], body); err != nil {
		return true, fmt.Errorf("%s %s: %s: %w", method, path, code, err)
	}
	return true, nil
}

func (c *Checker) operation(method, path string) (operation, bool) {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(path, "/")
	for _, o := range c.operations {
		if o.method == method && slices.EqualFunc(o.path, parts, func(pattern, part string) bool {
			return pattern == part || strings.HasPrefix(pattern, "{") && part != ""
		}) {
			return o, true
		}
	}
	return operation{}, false
}

// Event checks the payload of an event that the server sent.
func (c *Checker) Event(name string, payload []byte) error {
	m, ok := c.messages[name]
	if !ok {
		return fmt.Errorf("the event %s is not described", name)
	}
	c.note(name)
	if err := c.validate("asyncapi.json", m.at, payload); err != nil {
		return fmt.Errorf("the event %s: %w", name, err)
	}
	return nil
}

// Ack checks what an acknowledgement callback of a client's event got.
func (c *Checker) Ack(event string, answer []byte) error {
	m, ok := c.messages[event]
	if !ok || m.ack == "" {
		return fmt.Errorf("the event %s with an acknowledgement is not described", event)
	}
	c.note("ack " + event)
	if err := c.validate("asyncapi.json", m.ack, answer); err != nil {
		return fmt.Errorf("the acknowledgement of %s: %w", event, err)
	}
	return nil
}

// Schema checks a value against the schema at a JSON pointer, such as #/components/schemas/Problem, of openapi.json or
// asyncapi.json.
func (c *Checker) Schema(document, at string, value []byte) error {
	return c.validate(document, at, value)
}

func (c *Checker) validate(document, at string, value []byte) error {
	c.mu.Lock()
	schema, ok := c.schemas[document+at]
	if !ok {
		var err error
		if schema, err = c.compiler.Compile("https://documents.invalid/" + document + at); err != nil {
			c.mu.Unlock()
			return err
		}
		c.schemas[document+at] = schema
	}
	c.mu.Unlock()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(value))
	if err != nil {
		return fmt.Errorf("%w: %.300s", err, value)
	}
	if err := schema.Validate(v); err != nil {
		return fmt.Errorf("%w: %.500s", err, value)
	}
	return nil
}

func (c *Checker) note(what string) {
	c.mu.Lock()
	c.seen[what] = true
	c.mu.Unlock()
}

// Unseen lists what was described and has not been checked yet: operations with a status of success, by operationId and
// status, and events by name.
func (c *Checker) Unseen() (out []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.operations {
		for status := range o.responses {
			if what := o.id + " " + status; status[0] == '2' && !c.seen[what] {
				out = append(out, what)
			}
		}
	}
	for name, m := range c.messages {
		if m.ack != "" {
			name = "ack " + name
		}
		if !c.seen[name] {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// pointer is a JSON pointer as a fragment (RFC 6901, 6).
func pointer(parts ...string) string {
	r := strings.NewReplacer("~", "~0", "/", "~1", "%", "%25", "{", "%7B", "}", "%7D")
	for i, p := range parts {
		parts[i] = r.Replace(p)
	}
	return "#/" + strings.Join(parts, "/")
}

// last is the name that a reference ends in.
func last(ref string) string { return ref[strings.LastIndexByte(ref, '/')+1:] }
