package contract

import (
	"errors"
	"time"
)

// Code names a kind of failure. The HTTP edge maps it to a status, the socket edge to a text.
type Code string

// The kinds of failure that a caller can tell apart.
const (
	CodeInvalid      Code = "INVALID"          // the input is wrong; the message says what
	CodeUnauthorized Code = "AUTH_REQUIRED"    // no credential
	CodeInvalidToken Code = "INVALID_TOKEN"    // a credential that is not ours, broken or forged
	CodeTokenExpired Code = "TOKEN_EXPIRED"    // a credential that was good once
	CodeUserInactive Code = "USER_INACTIVE"    // unknown or inactive user, or inactive tenant
	CodeAuthDown     Code = "AUTH_UNAVAILABLE" // the check of a credential itself broke: trying again helps
	CodeUnavailable  Code = "UNAVAILABLE"      // a part we need does not answer; trying again helps
	CodeForbidden    Code = "FORBIDDEN"        // signed in, not allowed
	CodeNotFound     Code = "NOT_FOUND"        // no such thing in this tenant
	CodeConflict     Code = "CONFLICT"         // the state does not allow it
	CodeKeyReused    Code = "KEY_REUSED"       // an idempotency key with another body
	CodeTooLarge     Code = "TOO_LARGE"        // the body is over its limit
	CodeRateLimited  Code = "RATE_LIMITED"     // too often; retryAfter, or the Retry-After header, says when

	CodeMethodNotAllowed Code = "METHOD_NOT_ALLOWED"     // the route does not take that method
	CodeContentType      Code = "UNSUPPORTED_MEDIA_TYPE" // the body is not JSON

	CodeInternal Code = "INTERNAL" // our fault
)

// Error is the one error type that crosses a package boundary with a meaning. Message is a fixed sentence that may be
// shown to whoever asked; it never holds personal data. The cause, for the log alone, is wrapped.
type Error struct {
	Code       Code
	Message    string
	Field      string        // the field that is wrong, where there is one
	RetryAfter time.Duration // when trying again makes sense, 0 for unknown
	Cause      error
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Message + ": " + e.Cause.Error()
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Cause }

// NewError makes an Error without a cause.
func NewError(code Code, message string) *Error { return &Error{Code: code, Message: message} }

// InvalidField makes a CodeInvalid error that names the field.
func InvalidField(field, message string) *Error {
	return &Error{Code: CodeInvalid, Message: message, Field: field}
}

// Wrap makes an Error with a cause for the log.
func Wrap(code Code, message string, cause error) *Error {
	return &Error{Code: code, Message: message, Cause: cause}
}

// AsError finds the Error in err's chain; anything else is CodeInternal with a fixed sentence. nil stays nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: CodeInternal, Message: "internal error", Cause: err}
}

// CodeOf is AsError(err).Code, and empty for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	return AsError(err).Code
}
