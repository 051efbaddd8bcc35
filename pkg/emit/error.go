package emit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/citaplanner/realtime/pkg/contract"
)

// Error is why a call failed. contract.CodeOf(err) is its code, too.
type Error struct {
	// Status is the HTTP status; 0 where there was no answer.
	Status int
	// Code is what the server said, such as contract.CodeNotFound; contract.CodeUnavailable where there was no answer,
	// contract.CodeInternal where the answer was none of this API, such as a proxy's page.
	Code contract.Code
	// Message is a fixed sentence, in English.
	Message string
	// Field is the field that is wrong, where there is one.
	Field string
	// RetryAfter is when trying again makes sense; 0 is unknown.
	RetryAfter time.Duration
	// Cause is the network's or the context's error, where there is one.
	Cause error
}

// Error says what failed, without the key, the body or the address's query.
func (e *Error) Error() string {
	text := "emit: " + e.Message
	if e.Status != 0 {
		text += fmt.Sprintf(" (%d %s)", e.Status, e.Code)
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap gives the same as a contract.Error, and the cause.
func (e *Error) Unwrap() []error {
	same := &contract.Error{Code: e.Code, Message: e.Message, Field: e.Field, RetryAfter: e.RetryAfter}
	if e.Cause == nil {
		return []error{same}
	}
	return []error{same, e.Cause}
}

// ErrorOf is what a batch's entry failed with, an *Error; nil where it did not fail.
func ErrorOf(r contract.BatchResult) error {
	if r.Success {
		return nil
	}
	return &Error{Status: r.Status, Code: r.Code, Message: r.Error, Field: r.Field}
}

// again reports whether another try may go better.
func (e *Error) again() bool {
	if e.Status == 0 {
		return !errors.Is(e.Cause, context.Canceled)
	}
	return e.Status == http.StatusTooManyRequests || e.Status >= 500 && e.Status != http.StatusNotImplemented
}

// refusal reads an answer that is no success: a problem (RFC 9457), or whatever stands between says.
func refusal(res *http.Response, body []byte, now time.Time) *Error {
	e := &Error{Status: res.StatusCode, RetryAfter: retryAfter(res.Header.Get("Retry-After"), now)}
	var p contract.Problem
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/problem+json") && json.Unmarshal(body, &p) == nil && p.Code != "" {
		e.Code, e.Message, e.Field = p.Code, p.Detail, p.Field
		return e
	}
	e.Code, e.Message = contract.CodeInternal, "an answer that is none of the emit API"
	if e.again() {
		e.Code = contract.CodeUnavailable
	}
	return e
}

// retryAfter reads seconds or a date (RFC 9110, 10.2.3).
func retryAfter(text string, now time.Time) time.Duration {
	const most = 24 * time.Hour
	if n, err := strconv.ParseUint(text, 10, 32); err == nil {
		return min(time.Duration(n)*time.Second, most)
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(at.Sub(now), 0), most)
	}
	return 0
}
