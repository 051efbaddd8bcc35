package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/citaplanner/realtime/internal/emits"
	"github.com/citaplanner/realtime/pkg/contract"
)

// FuzzBody looks for a body of an emit endpoint or of the preferences that is taken although PostgreSQL could not hold it,
// or is refused with anything but a whole RFC 9457 problem whose status is the client's fault.
func FuzzBody(f *testing.F) {
	for _, s := range []string{
		``, `{}`, `[]`, `null`, `{"tenantId":1}`, `{"tenantId":"t"}{}`, `{"minutesBefore":1e99}`, `{"oldStartTime":"2026-13-01"}`,
		`{"appointmentData":{"id":"a\u0000"}}`, `{"a":"\\u0000"}`, "{\"a\":\"\xff\"}", `{"emits":[{"kind":"tenant"}]}`,
		`{"unknown\n":1}`, `{"reminderMinutesBefore":[1]}`,
	} {
		f.Add([]byte(s), "application/json", true)
	}
	f.Add([]byte(`{}`), "text/plain; charset", false)
	gin.SetMode(gin.ReleaseMode)
	a := New(Deps{}, Options{MaxBody: 4096})
	decoders := []func([]byte, bool) error{into[contract.BatchRequest], into[map[string]json.RawMessage]}
	for _, k := range emits.Kinds {
		decoders = append(decoders, func(body []byte, strict bool) error { return decodeInto(body, k.Body(), strict) })
	}
	f.Fuzz(func(t *testing.T, body []byte, contentType string, strict bool) {
		for i, decode := range decoders {
			rec := httptest.NewRecorder()
			c, _ := gin.CreateTestContext(rec)
			c.Request = httptest.NewRequest(http.MethodPost, "/api/emit/tenant", bytes.NewReader(body))
			c.Request.Header.Set("Content-Type", contentType)
			got, err := a.readBody(c)
			if err == nil {
				if !utf8.Valid(got) || len(got) > 4096 || holdsNUL(got) {
					t.Fatalf("%q was taken", got)
				}
				err = decode(got, strict)
			}
			if err == nil {
				continue
			}
			a.fail(c, err)
			var p contract.Problem
			if jsonErr := json.Unmarshal(rec.Body.Bytes(), &p); jsonErr != nil || p.Error == "" || p.Detail != p.Error ||
				p.Status != rec.Code || p.Title == "" || p.Code == contract.CodeInternal || p.Status < 400 || p.Status > 499 {
				t.Fatalf("decoder %d: %d %s (%v)", i, rec.Code, rec.Body, err)
			}
			if len(p.Error) > 2*len(body)+500 || !utf8.ValidString(p.Error) {
				t.Fatalf("%q", p.Error)
			}
		}
	})
}

func into[T any](body []byte, strict bool) error {
	_, err := decode[T](body, strict)
	return err
}
