package identity

import (
	"time"

	"github.com/citaplanner/realtime/pkg/contract"
)

// refusal is a reason to refuse a credential of a socket or session. A socket.io client does not come back by itself
// after any of them; the code tells it whether to.
type refusal struct {
	label      string // of realtime_authentications_total
	code       contract.Code
	text       string        // connect_error.message: one of the four of contract/auth.md
	retryAfter time.Duration // 0: the same credential will be refused again
}

// The catalogue of refusals.
var (
	refusedAbsent   = refusal{"absent", contract.CodeUnauthorized, "Authentication token required", 0}
	refusedForm     = refusal{"form", contract.CodeInvalidToken, "Invalid token", 0} // auth.token is no text
	refusedOrigin   = refusal{"origin", contract.CodeInvalidToken, "Invalid token", 0}
	refusedInvalid  = refusal{"invalid", contract.CodeInvalidToken, "Invalid token", 0}
	refusedExpired  = refusal{"expired", contract.CodeTokenExpired, "Invalid token", 0}
	refusedUnknown  = refusal{"unknown", contract.CodeUserInactive, "User not found or inactive", 0}
	refusedInactive = refusal{"inactive", contract.CodeUserInactive, "User not found or inactive", 0}
	refusedDown     = refusal{"unavailable", contract.CodeAuthDown, "Authentication failed", 5 * time.Second}
	refusedLeft     = refusal{"left", contract.CodeAuthDown, "Authentication failed", 0} // the caller stopped waiting
)

// with makes the error that the edge shows; cause is for the log alone and holds no token.
func (r refusal) with(cause error) *contract.Error {
	return &contract.Error{Code: r.code, Message: r.text, RetryAfter: r.retryAfter, Cause: cause}
}
