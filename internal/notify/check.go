package notify

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/citaplanner/realtime/pkg/contract"
)

// Bounds of what a caller may say.
const (
	maxID         = 200     // bytes; ids of the app are cuids of 25
	maxMessage    = 2000    // characters of a notification's text
	maxReason     = 500     // characters
	maxType       = 128     // characters of an event name or a notification's type
	maxData       = 1 << 20 // bytes of JSON, as much as an HTTP body
	maxDepth      = 32      // levels of nesting
	maxDates      = 366
	maxMinutes    = 43200    // 30 days, as in the preferences
	maxMassBytes  = 64 << 20 // data times recipients of one emit
	reservedNames = " connect connect_error disconnect disconnecting newListener removeListener "
)

// field is one check of an input; fields are checked in order, and the first that fails is the error.
type field func() error

func checkAll(fields ...field) error {
	for _, f := range fields {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// id is a needed id.
func id(name, v string) field {
	return func() error {
		if v == "" {
			return contract.InvalidField(name, name+" is required")
		}
		return maybeID(name, v)()
	}
}

// maybeID is an id that may be left out. What PostgreSQL would refuse (U+0000, broken UTF-8) is no id.
func maybeID(name, v string) field {
	return func() error {
		if len(v) > maxID || !plain(v) {
			return contract.InvalidField(name, fmt.Sprintf("%s must be an id of at most %d bytes", name, maxID))
		}
		return nil
	}
}

// label is a short text without control characters, such as an event name.
func label(name, v string) field {
	return func() error {
		switch {
		case v == "":
			return contract.InvalidField(name, name+" is required")
		case utf8.RuneCountInString(v) > maxType || !plain(v):
			return contract.InvalidField(name, fmt.Sprintf("%s must be a name of at most %d characters", name, maxType))
		}
		return nil
	}
}

// eventName is a label that Socket.IO does not keep for itself (Socket.IO 5, reserved event names).
func eventName(name, v string) field {
	return func() error {
		if err := label(name, v)(); err != nil {
			return err
		}
		if strings.Contains(reservedNames, " "+v+" ") {
			return contract.InvalidField(name, name+" is a name that Socket.IO keeps for itself")
		}
		return nil
	}
}

// text is a text that is shown: line breaks are fine, U+0000 and broken UTF-8 are not.
func text(name, v string, most int) field {
	return func() error {
		switch {
		case strings.TrimSpace(v) == "":
			return contract.InvalidField(name, name+" is required")
		case !utf8.ValidString(v) || strings.IndexByte(v, 0) >= 0 || utf8.RuneCountInString(v) > most:
			return contract.InvalidField(name, fmt.Sprintf("%s must be a text of at most %d characters", name, most))
		}
		return nil
	}
}

func needed(name string, given bool) field {
	return func() error {
		if !given {
			return contract.InvalidField(name, name+" is required")
		}
		return nil
	}
}

// valid is a needed value of a closed list.
func valid(name string, ok bool, values string) field {
	return func() error {
		if !ok {
			return contract.InvalidField(name, name+" must be one of "+values)
		}
		return nil
	}
}

// document is any JSON value, or none.
func document(name string, v json.RawMessage) field {
	return func() error {
		switch {
		case len(v) == 0:
			return nil
		case len(v) > maxData:
			return &contract.Error{
				Code: contract.CodeTooLarge, Field: name, Message: fmt.Sprintf("%s is over %d bytes", name, maxData),
			}
		case !utf8.Valid(v) || !json.Valid(v):
			return contract.InvalidField(name, name+" is not valid JSON")
		case depth(v) > maxDepth:
			return contract.InvalidField(name, fmt.Sprintf("%s is nested deeper than %d levels", name, maxDepth))
		}
		return nil
	}
}

// object is a JSON object, null, or nothing.
func object(name string, v json.RawMessage) field {
	return func() error {
		if err := document(name, v)(); err != nil {
			return err
		}
		if first := firstByte(v); first != 0 && first != '{' && first != 'n' {
			return contract.InvalidField(name, name+" must be an object")
		}
		return nil
	}
}

// dates are days such as 2026-01-31, or whole times in ISO 8601, which JavaScript makes of a Date.
func dates(name string, list []string) field {
	return func() error {
		if len(list) > maxDates {
			return contract.InvalidField(name, fmt.Sprintf("%s must hold at most %d dates", name, maxDates))
		}
		for _, v := range list {
			_, err := time.Parse(time.DateOnly, v)
			if err != nil {
				_, err = time.Parse(time.RFC3339Nano, v)
			}
			if err != nil {
				return contract.InvalidField(name, name+" must hold dates such as 2026-01-31")
			}
		}
		return nil
	}
}

// plain reports whether v is valid UTF-8 without control characters.
func plain(v string) bool {
	if !utf8.ValidString(v) {
		return false
	}
	for i := range len(v) {
		if v[i] < 0x20 || v[i] == 0x7f {
			return false
		}
	}
	return true
}

// depth is how deep objects and lists are nested in valid JSON.
func depth(v []byte) int {
	deepest, level, inString := 0, 0, false
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			level++
			deepest = max(deepest, level)
		case c == '}' || c == ']':
			level--
		}
	}
	return deepest
}

// firstByte is the first byte of a JSON value, 0 of nothing.
func firstByte(v json.RawMessage) byte {
	for _, c := range v {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c
		}
	}
	return 0
}

// null reports whether v is nothing or JSON's null.
func null(v json.RawMessage) bool { first := firstByte(v); return first == 0 || first == 'n' }

// orNull is v, or null where there is nothing.
func orNull(v json.RawMessage) json.RawMessage {
	if null(v) {
		return json.RawMessage("null")
	}
	return v
}

// orEmpty is v, or {} where there is nothing.
func orEmpty(v json.RawMessage) json.RawMessage {
	if null(v) {
		return json.RawMessage("{}")
	}
	return v
}
