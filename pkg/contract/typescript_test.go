package contract_test

import (
	"flag"
	"fmt"
	"go/ast"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/pkg/contract"
)

var update = flag.Bool("update", false, "write the TypeScript types")

// TestTypeScript keeps the npm package's types and this package the same; -update writes them.
func TestTypeScript(t *testing.T) {
	const file = "../nextjs/src/contract.ts"
	g := &typescript{source: readSource(t)}
	want := g.generate(t)
	if *update {
		require.NoError(t, os.MkdirAll("../nextjs/src", 0o755))
		require.NoError(t, os.WriteFile(file, []byte(want), 0o644))
		return
	}
	got, err := os.ReadFile(file)
	require.NoError(t, err, "run make types")
	require.Equal(t, want, string(got), "run make types")
}

// tsNames are the types whose Go names say too little, or too much, outside their package.
var tsNames = map[string]string{"Time": "Timestamp", "Code": "ErrorCode"}

// tsSkip are types that only Go has.
var tsSkip = []string{"Error", "EmitRequest"}

// tsFields are fields for which Go has no type that says as much.
var tsFields = map[string]string{"BatchRequest.emits": "BatchEntry[]"}

type typescript struct {
	*source
	b strings.Builder
}

func (g *typescript) generate(t *testing.T) string {
	t.Helper()
	g.line("// Code generated from pkg/contract by `make types`. DO NOT EDIT.")
	g.doc("", "A time: ISO 8601 in UTC, always with three decimals and Z, as Date.prototype.toISOString writes it.")
	g.line("export type Timestamp = string")
	for _, d := range g.types {
		switch {
		case slices.Contains(tsSkip, d.name):
		case d.underlying != "":
			g.union(t, d)
		default:
			g.structure(t, d)
		}
	}
	g.batch()
	g.doc("", "The body of PUT and PATCH /api/notifications/preferences. What identifies the row is ignored.")
	g.line("export type PreferencesPatch = Partial<Preferences>")
	g.names(t, "serverEvents", "ServerEvent", "The events that the server itself sends.", contract.ServerEventTypes())
	g.names(t, "clientEvents", "ClientEvent", "The events that the server takes.", contract.ClientEventTypes())
	g.events(t, "ServerToClientEvents", "The events of the server as socket.io-client wants them: `Socket<ServerToClientEvents, ClientToServerEvents>`.",
		contract.ServerEventTypes())
	g.events(t, "ClientToServerEvents", "The events of a client. An acknowledgement callback may follow any of them.", contract.ClientEventTypes())
	g.bounds()
	return g.b.String()
}

func (g *typescript) line(format string, args ...any) { fmt.Fprintf(&g.b, format+"\n", args...) }

// doc writes a TSDoc comment, on one line where it fits.
func (g *typescript) doc(indent, text string) {
	if indent == "" {
		g.line("")
	}
	switch lines := strings.Split(text, "\n"); {
	case text == "":
	case len(lines) == 1:
		g.line("%s/** %s */", indent, text)
	default:
		g.line("%s/**", indent)
		for _, l := range lines {
			g.line("%s * %s", indent, l)
		}
		g.line("%s */", indent)
	}
}

func tsName(name string) string {
	if other, ok := tsNames[name]; ok {
		return other
	}
	return name
}

// union writes a label type and the list of its values.
func (g *typescript) union(t *testing.T, d typeDecl) {
	t.Helper()
	values := g.of(d.name, "")
	require.NotEmpty(t, values, d.name)
	name := tsName(d.name)
	list := lowerFirst(name) + "s"
	switch {
	case strings.HasSuffix(name, "y"):
		list = lowerFirst(strings.TrimSuffix(name, "y") + "ies")
	case strings.HasSuffix(name, "s"):
		list = lowerFirst(name + "es")
	}
	g.doc("", renamed(d.doc, d))
	g.line("export type %s = (typeof %s)[number]", name, list)
	g.doc("", "Every "+name+".")
	g.line("export const %s = [", list)
	for _, v := range values {
		g.doc("  ", v.doc)
		g.line("  '%s',", v.value)
	}
	g.line("] as const")
}

// structure writes a struct as an interface.
func (g *typescript) structure(t *testing.T, d typeDecl) {
	t.Helper()
	var extends []string
	for _, f := range d.fields {
		if !f.embeds {
			continue
		}
		if star, ok := f.typ.(*ast.StarExpr); ok {
			extends = append(extends, "Partial<"+g.expr(t, d, f, star.X)+">")
			continue
		}
		extends = append(extends, g.expr(t, d, f, f.typ))
	}
	head := "export interface " + tsName(d.name)
	if len(extends) > 0 {
		head += " extends " + strings.Join(extends, ", ")
	}
	g.doc("", renamed(d.doc, d))
	g.line("%s {", head)
	for _, f := range d.fields {
		if f.embeds {
			continue
		}
		require.NotEmpty(t, f.json, "%s.%s has no JSON name", d.name, f.name)
		g.doc("  ", f.doc)
		optional := ""
		if f.omitempty {
			optional = "?"
		}
		g.line("  %s%s: %s", f.json, optional, g.field(t, d, f))
	}
	g.line("}")
}

func (g *typescript) field(t *testing.T, d typeDecl, f fieldDecl) string {
	t.Helper()
	if typ, ok := tsFields[d.name+"."+f.json]; ok {
		return typ
	}
	if value, ok := strings.CutPrefix(f.schema, "enum="); ok {
		return "'" + value + "'"
	}
	star, pointer := f.typ.(*ast.StarExpr)
	switch {
	case pointer && f.omitempty:
		return g.expr(t, d, f, star.X)
	case pointer:
		require.Equal(t, "nullable", f.schema, "%s.%s may be null: its jsonschema tag has to say so", d.name, f.name)
		return g.expr(t, d, f, star.X) + " | null"
	}
	return g.expr(t, d, f, f.typ)
}

func (g *typescript) expr(t *testing.T, d typeDecl, f fieldDecl, e ast.Expr) string {
	t.Helper()
	switch e := e.(type) {
	case *ast.Ident:
		switch e.Name {
		case "string":
			return "string"
		case "bool":
			return "boolean"
		case "int", "int64":
			return "number"
		}
		return tsName(e.Name)
	case *ast.ArrayType:
		return g.expr(t, d, f, e.Elt) + "[]"
	case *ast.MapType:
		return "Record<string, " + g.expr(t, d, f, e.Value) + ">"
	case *ast.SelectorExpr: // json.RawMessage, the only type of another package
		object := "Record<string, unknown>"
		if strings.HasSuffix(d.name, "Request") {
			object = "object" // an interface of the caller's is no Record
		}
		switch f.schema {
		case "type=object":
			return object
		case "oneof_type=object;null":
			return object + " | null"
		case "":
			return "unknown"
		}
	}
	t.Fatalf("%s.%s: no TypeScript for %T", d.name, f.name, e)
	return ""
}

// batch writes the emit endpoints and what an entry of a batch may be.
func (g *typescript) batch() {
	g.doc("", "The bodies of the emit endpoints, by their path below /api/emit/.")
	g.line("export interface EmitRequests {")
	for _, k := range contract.EmitKinds() {
		g.doc("  ", k.Summary)
		g.line("  '%s': %s", k.Name, reflect.TypeOf(k.Request).Name())
	}
	g.line("}")
	g.doc("", "The path of an emit endpoint below /api/emit/.")
	g.line("export type EmitKind = keyof EmitRequests")
	g.doc("", "One emit of a batch: the body of an emit endpoint with its kind beside it.")
	g.line("export type BatchEntry = { [K in EmitKind]: { kind: K } & EmitRequests[K] }[EmitKind]")
}

// names writes the names of events as constants.
func (g *typescript) names(t *testing.T, object, union, doc string, types []contract.EventType) {
	t.Helper()
	constants := map[string]string{}
	for _, c := range g.of("", "Event") {
		constants[c.value] = lowerFirst(strings.TrimPrefix(c.name, "Event"))
	}
	g.doc("", doc)
	g.line("export const %s = {", object)
	for _, e := range types {
		require.Contains(t, constants, e.Name)
		g.line("  %s: '%s',", constants[e.Name], e.Name)
	}
	g.line("} as const")
	g.doc("", "The name of one of "+object+".")
	g.line("export type %s = (typeof %s)[keyof typeof %s]", union, object, object)
}

// events writes an event map of socket.io-client.
func (g *typescript) events(t *testing.T, name, doc string, types []contract.EventType) {
	t.Helper()
	g.doc("", doc)
	g.line("export interface %s {", name)
	for _, e := range types {
		var forms []string
		optional := ""
		for _, p := range e.Payloads {
			if p == nil {
				forms, optional = append(forms, "null"), "?"
				continue
			}
			form := tsName(reflect.TypeOf(p).Name())
			forms = append(forms, form)
		}
		args := fmt.Sprintf("payload%s: %s", optional, strings.Join(forms, " | "))
		if e.Ack != nil {
			args += fmt.Sprintf(", ack?: (answer: %s) => void", reflect.TypeOf(e.Ack).Name())
		}
		g.doc("  ", e.Summary)
		g.line("  '%s': (%s) => void", e.Name, args)
	}
	g.line("}")
}

func (g *typescript) bounds() {
	for _, c := range g.of("", "Max") {
		g.doc("", upperFirst(c.doc)+", at most.")
		g.line("export const %s = %s", lowerFirst(c.name), c.value)
	}
}

// renamed is a doc comment with the fields called as JSON calls them.
func renamed(doc string, d typeDecl) string {
	for _, f := range d.fields {
		if f.json != "" {
			doc = regexp.MustCompile(`\b`+f.name+`\b`).ReplaceAllString(doc, "`"+f.json+"`")
		}
	}
	for from, to := range tsNames {
		doc = regexp.MustCompile(`\b`+from+` (is|names)\b`).ReplaceAllString(doc, to+" $1")
	}
	return doc
}

func lowerFirst(s string) string {
	r := []rune(s)
	r[0] = unicode.ToLower(r[0])
	return string(r)
}

func upperFirst(s string) string {
	r := []rune(s)
	r[0] = unicode.ToUpper(r[0])
	return string(r)
}

// Nothing may be declared and then be missing from what is made of the catalogue, or be in it twice.
func TestTheCatalogueHoldsEveryName(t *testing.T) {
	s := readSource(t)
	var declared, listed []string
	for _, c := range s.of("", "Event") {
		declared = append(declared, c.value)
	}
	listed = append(contract.ClientEvents(), contract.ServerEvents()...)
	require.ElementsMatch(t, declared, listed)

	declared, listed = nil, nil
	for _, c := range s.of("", "Kind") {
		declared = append(declared, c.value)
	}
	for _, k := range contract.EmitKinds() {
		listed = append(listed, k.Name)
		require.Equal(t, k.Name, k.Request.Kind())
	}
	require.ElementsMatch(t, declared, listed)

	for _, d := range s.types {
		if d.underlying == "" {
			continue
		}
		declared = nil
		for _, c := range s.of(d.name, "") {
			declared = append(declared, c.value)
		}
		require.Equal(t, declared, contract.Labels()[d.name], d.name)
	}
}
