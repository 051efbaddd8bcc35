package apidocs

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"html/template"
	"maps"
	"slices"
	"strings"
)

//go:embed page.html
var pageTemplate string

//go:embed page.css
var pageStyle string

// page is what the template shows.
type page struct {
	Style               template.CSS
	Title               string
	About, EventsAbout  string
	OpenAPI, AsyncAPI   string // paths of the documents
	Access              []access
	Chapters            []chapter
	FromServer, FromApp []event
	Schemas             []namedSchema
}

type access struct{ Name, Description string }

type chapter struct {
	ID, Name, Description string
	Routes                []route
}

type route struct {
	ID, Method, Path, Summary, Description string
	Access                                 []string
	Params                                 []parameter
	Body                                   []content
	Answers                                []answer
}

type content struct {
	Media   string
	Schema  schema
	Example string
}

type answer struct {
	Status, Description string
	Content             []content
}

type event struct {
	ID, Name, Summary string
	Payload           schema
	Ack               *schema
	Examples          []string
}

type namedSchema struct {
	Name     string
	Schema   schema
	Required map[string]bool
}

// methods is the order in which the methods of one path are shown.
var methods = []string{"get", "post", "put", "patch", "delete"}

// renderPage makes the page, and returns the style in it, which the browser is told to take.
func renderPage(openAPI, asyncAPI []byte) (html []byte, style string, err error) {
	var routes openAPIFile
	if err := json.Unmarshal(openAPI, &routes); err != nil {
		return nil, "", err
	}
	var events asyncAPIFile
	if err := json.Unmarshal(asyncAPI, &events); err != nil {
		return nil, "", err
	}
	p := page{Style: template.CSS(pageStyle), Title: routes.Info.Title, About: routes.Info.Description, //nolint:gosec // our own file
		EventsAbout: events.Info.Description, OpenAPI: OpenAPIPath, AsyncAPI: AsyncAPIPath}
	for _, name := range slices.Sorted(maps.Keys(routes.Components.SecuritySchemes)) {
		p.Access = append(p.Access, access{name, routes.Components.SecuritySchemes[name].Description})
	}
	p.Chapters = chapters(routes)
	for _, key := range slices.Sorted(maps.Keys(events.Operations)) {
		o := events.Operations[key]
		if e := eventOf(events, o); o.Action == "send" {
			p.FromServer = append(p.FromServer, e)
		} else {
			p.FromApp = append(p.FromApp, e)
		}
	}
	all := maps.Clone(routes.Components.Schemas)
	maps.Copy(all, events.Components.Schemas)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s := namedSchema{name, all[name], map[string]bool{}}
		for _, r := range s.Schema.Required {
			s.Required[r] = true
		}
		p.Schemas = append(p.Schemas, s)
	}
	t, err := template.New("page").Funcs(template.FuncMap{"words": words}).Parse(pageTemplate)
	if err != nil {
		return nil, "", err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return nil, "", err
	}
	return b.Bytes(), pageStyle, nil
}

// chapters are the routes by their tags, in the order of the tags; one without routes is left out.
func chapters(d openAPIFile) []chapter {
	var out []chapter
	for _, tag := range d.Tags {
		c := chapter{ID: "chapter-" + strings.ReplaceAll(strings.ToLower(tag.Name), " ", "-"), Name: tag.Name, Description: tag.Description}
		for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
			for _, method := range methods {
				if o, ok := d.Paths[path][method]; ok && slices.Contains(o.Tags, tag.Name) {
					c.Routes = append(c.Routes, routeOf(d, method, path, o))
				}
			}
		}
		if len(c.Routes) > 0 {
			out = append(out, c)
		}
	}
	return out
}

func routeOf(d openAPIFile, method, path string, o operation) route {
	r := route{ID: "route-" + o.OperationID, Method: strings.ToUpper(method), Path: path, Summary: o.Summary, Description: o.Description}
	for _, s := range o.Security {
		r.Access = slices.AppendSeq(r.Access, maps.Keys(s))
	}
	for _, p := range o.Parameters {
		if p.Ref != "" {
			p = d.Components.Parameters[last(p.Ref)]
		}
		r.Params = append(r.Params, p)
	}
	if o.RequestBody != nil {
		r.Body = contents(o.RequestBody.Content)
	}
	for _, status := range slices.Sorted(maps.Keys(o.Responses)) {
		a := o.Responses[status]
		if a.Ref != "" { // the example of a shared one is said once, with its schema
			a = d.Components.Responses[last(a.Ref)]
			a.Content = withoutExamples(a.Content)
		}
		r.Answers = append(r.Answers, answer{status, a.Description, contents(a.Content)})
	}
	return r
}

func contents(all map[string]media) (out []content) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, content{name, all[name].Schema, indented(all[name].Example)})
	}
	return out
}

func withoutExamples(all map[string]media) map[string]media {
	out := make(map[string]media, len(all))
	for name, c := range all {
		out[name] = media{Schema: c.Schema}
	}
	return out
}

func eventOf(d asyncAPIFile, o asyncOperation) event {
	msg := d.Components.Messages[last(o.Messages[0].Ref)]
	e := event{ID: "event-" + last(o.Messages[0].Ref), Name: msg.Name, Summary: msg.Summary, Payload: msg.Payload}
	if o.Reply != nil {
		ack := d.Components.Messages[last(o.Reply.Messages[0].Ref)].Payload
		e.Ack = &ack
	}
	for _, x := range msg.Examples {
		e.Examples = append(e.Examples, indented(x.Payload))
	}
	return e
}

// word is a piece of a text; Code is what stood between backticks (CommonMark, 6.1).
type word struct {
	Text string
	Code bool
}

func words(text string) (out []word) {
	for i, piece := range strings.Split(text, "`") {
		out = append(out, word{piece, i%2 == 1})
	}
	return out
}

func indented(v json.RawMessage) string {
	if len(v) == 0 {
		return ""
	}
	var b bytes.Buffer
	if err := json.Indent(&b, v, "", "  "); err != nil {
		return string(v)
	}
	return b.String()
}
