package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/citaplanner/realtime/pkg/contract"
)

// bound gives a request's body Options.BodyTimeout to arrive, also where nobody reads it: net/http reads on to the end of a
// small one before it sends the answer (server.go, maxPostHandlerReadBytes), and without a deadline would do so for as long
// as a client likes. The server itself ends the deadline with the request.
func (a *API) bound(c *gin.Context) {
	if c.Request.ContentLength != 0 { // -1 in chunks
		_ = http.NewResponseController(c.Writer).SetReadDeadline(time.Now().Add(a.opts.BodyTimeout)) // a test's recorder cannot
	}
}

// maxAhead is up to which size a body's announced length is believed before it is there, in bytes.
const maxAhead = 4 << 10

// readBody reads a JSON body of at most MaxBody bytes. What PostgreSQL or a JavaScript client could not take is refused
// here, once: invalid UTF-8, the character U+0000.
func (a *API) readBody(c *gin.Context) ([]byte, error) {
	if ct := c.GetHeader("Content-Type"); ct != "" {
		kind, _, err := mime.ParseMediaType(ct)
		if err != nil || (kind != "application/json" && !strings.HasSuffix(kind, "+json")) {
			return nil, contract.NewError(contract.CodeContentType, "the body must be application/json")
		}
	}
	body, err := readAll(http.MaxBytesReader(c.Writer, c.Request.Body, a.opts.MaxBody), c.Request.ContentLength)
	if err == nil { // it is here: the deadline must not end the handler, which net/http takes for a client that left
		_ = http.NewResponseController(c.Writer).SetReadDeadline(time.Time{})
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, contract.NewError(contract.CodeTooLarge, fmt.Sprintf("the body is over %d bytes", tooLarge.Limit))
	case err != nil:
		return nil, contract.Wrap(contract.CodeInvalid, "the body could not be read", err)
	case len(bytes.TrimSpace(body)) == 0:
		return nil, contract.NewError(contract.CodeInvalid, "the body is empty, a JSON object is needed")
	case !utf8.Valid(body):
		return nil, contract.NewError(contract.CodeInvalid, "the body is not valid UTF-8")
	case bytes.Contains(body, []byte(`\u0000`)) && holdsNUL(body):
		return nil, contract.NewError(contract.CodeInvalid, "the body must not hold the character U+0000")
	}
	return body, nil
}

// readAll reads a body whose length is announced, or -1.
func readAll(r io.Reader, length int64) ([]byte, error) {
	if length <= 0 || length > maxAhead {
		return io.ReadAll(r)
	}
	body := make([]byte, length)
	n, err := io.ReadFull(r, body)
	return body[:n], err
}

// decode reads one JSON object into T. Unknown fields are ignored, as emit endpoints must; strict refuses them.
func decode[T any](body []byte, strict bool) (v T, err error) {
	err = decodeInto(body, &v, strict)
	return v, err
}

// decodeInto is decode into a pointer.
func decodeInto(body []byte, v any, strict bool) error {
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return contract.NewError(contract.CodeInvalid, "the body must be a JSON object")
	}
	if !strict && json.Unmarshal(body, v) == nil {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(body)) // which tells better what is wrong
	if strict {
		d.DisallowUnknownFields()
	}
	if err := d.Decode(v); err != nil {
		return decodeError(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return contract.NewError(contract.CodeInvalid, "the body holds more than one JSON value")
	}
	return nil
}

func decodeError(err error) error {
	var typ *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &typ) && typ.Field != "":
		return contract.InvalidField(typ.Field, fmt.Sprintf("%s has the wrong type: %s is not a %s", typ.Field, typ.Value,
			jsonKind(typ.Type.Kind().String())))
	case errors.As(err, &syntax):
		return contract.NewError(contract.CodeInvalid, fmt.Sprintf("the body is not valid JSON at byte %d", syntax.Offset))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return contract.NewError(contract.CodeInvalid, "the body is not valid JSON: it ends too early")
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		name := strings.Trim(strings.TrimPrefix(err.Error(), "json: unknown field "), `"`)
		return contract.InvalidField(name, "unknown field "+name)
	}
	return contract.NewError(contract.CodeInvalid, "the body is not what this route takes: "+err.Error())
}

func jsonKind(kind string) string {
	switch kind {
	case "string", "bool":
		return kind
	case "struct", "map":
		return "object"
	case "slice", "array":
		return "list"
	}
	return "number"
}

// holdsNUL reports whether any string of a JSON text holds U+0000. An escaped backslash before u0000 is no such escape,
// which is why the text has to be decoded.
func holdsNUL(body []byte) bool {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return false // the caller's own decoding says what is wrong
	}
	return anyNUL(v)
}

func anyNUL(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.ContainsRune(v, 0)
	case []any:
		for _, e := range v {
			if anyNUL(e) {
				return true
			}
		}
	case map[string]any:
		for k, e := range v {
			if strings.ContainsRune(k, 0) || anyNUL(e) {
				return true
			}
		}
	}
	return false
}
