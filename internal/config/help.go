package config

import (
	"fmt"
	"io"
	"reflect"
)

// Setting describes one variable for help texts.
type Setting struct{ Name, Default, Help string }

// Settings lists every variable in the order of Config.
func Settings() []Setting {
	t := reflect.TypeFor[Config]()
	var out []Setting
	for f := range t.Fields() {
		out = append(out, Setting{f.Tag.Get("env"), f.Tag.Get("envDefault"), f.Tag.Get("help")})
	}
	return out
}

// WriteHelp prints a line or two for each variable.
func WriteHelp(w io.Writer) {
	for _, s := range Settings() {
		def := s.Default
		if def == "" {
			def = "-"
		}
		_, _ = fmt.Fprintf(w, "  %-18s %-12s %s\n", s.Name, def, s.Help)
	}
}

// WriteMarkdown prints the README's configuration table.
func WriteMarkdown(w io.Writer) {
	_, _ = fmt.Fprint(w, "| variable | default | what it does |\n|---|---|---|\n")
	for _, s := range Settings() {
		def := ""
		if s.Default != "" {
			def = "`" + s.Default + "`"
		}
		_, _ = fmt.Fprintf(w, "| `%s` | %s | %s |\n", s.Name, def, s.Help)
	}
}
