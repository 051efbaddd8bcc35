package contract_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// source is what the package's own files declare, in their order: the one source of what is generated from it.
type source struct {
	types  []typeDecl
	consts []constDecl
}

type typeDecl struct {
	name, doc  string
	underlying string // string for the labels; empty for structs
	fields     []fieldDecl
}

type fieldDecl struct {
	name, json, doc   string
	omitempty, embeds bool
	typ               ast.Expr
	schema            string // the jsonschema tag
}

type constDecl struct{ name, typ, value, doc string }

// readSource parses the files that declare names and payloads.
func readSource(t *testing.T) *source {
	t.Helper()
	s := &source{}
	for _, file := range []string{"events.go", "error.go", "payloads.go", "requests.go", "answers.go", "inbox.go"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		f, err := parser.ParseFile(token.NewFileSet(), file, text, parser.ParseComments)
		require.NoError(t, err)
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range g.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					s.addType(spec, textOf(g.Doc, spec.Doc))
				case *ast.ValueSpec:
					s.addConst(t, spec)
				}
			}
		}
	}
	return s
}

func (s *source) addType(spec *ast.TypeSpec, doc string) {
	d := typeDecl{name: spec.Name.Name, doc: doc}
	switch x := spec.Type.(type) {
	case *ast.Ident:
		d.underlying = x.Name
	case *ast.StructType:
		for _, f := range x.Fields.List {
			d.fields = append(d.fields, fieldOf(f))
		}
	}
	s.types = append(s.types, d)
}

func fieldOf(f *ast.Field) fieldDecl {
	d := fieldDecl{typ: f.Type, doc: textOf(f.Doc, f.Comment), embeds: len(f.Names) == 0}
	if !d.embeds {
		d.name = f.Names[0].Name
	}
	if f.Tag != nil {
		text, _ := strconv.Unquote(f.Tag.Value)
		tag := reflect.StructTag(text)
		name, rest, _ := strings.Cut(tag.Get("json"), ",")
		d.json, d.omitempty, d.schema = name, rest == "omitempty", tag.Get("jsonschema")
	}
	return d
}

func (s *source) addConst(t *testing.T, spec *ast.ValueSpec) {
	t.Helper()
	lit, ok := spec.Values[0].(*ast.BasicLit)
	require.True(t, ok, "%s is no literal", spec.Names[0])
	d := constDecl{name: spec.Names[0].Name, value: strings.Trim(lit.Value, `"`), doc: textOf(spec.Doc, spec.Comment)}
	if id, ok := spec.Type.(*ast.Ident); ok {
		d.typ = id.Name
	}
	s.consts = append(s.consts, d)
}

// of returns the constants of a type; with "" those that begin with a prefix.
func (s *source) of(typ, prefix string) (out []constDecl) {
	for _, c := range s.consts {
		if c.typ == typ && strings.HasPrefix(c.name, prefix) {
			out = append(out, c)
		}
	}
	return out
}

// textOf is the first comment there is.
func textOf(groups ...*ast.CommentGroup) string {
	for _, g := range groups {
		if text := strings.TrimSpace(g.Text()); text != "" {
			return text
		}
	}
	return ""
}
