package httpapi

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/citaplanner/realtime/pkg/contract"
)

var errMethod = contract.NewError(contract.CodeMethodNotAllowed, "this route does not take that method")

// statuses is the one mapping from error codes to HTTP statuses.
var statuses = map[contract.Code]int{
	contract.CodeInvalid:      http.StatusBadRequest,
	contract.CodeUnauthorized: http.StatusUnauthorized,
	contract.CodeInvalidToken: http.StatusUnauthorized,
	contract.CodeTokenExpired: http.StatusUnauthorized,
	contract.CodeUserInactive: http.StatusUnauthorized,
	contract.CodeAuthDown:     http.StatusServiceUnavailable,
	contract.CodeUnavailable:  http.StatusServiceUnavailable,
	contract.CodeForbidden:    http.StatusForbidden,
	contract.CodeNotFound:     http.StatusNotFound,
	contract.CodeConflict:     http.StatusConflict,
	contract.CodeKeyReused:    http.StatusUnprocessableEntity,
	contract.CodeTooLarge:     http.StatusRequestEntityTooLarge,
	contract.CodeRateLimited:  http.StatusTooManyRequests,
	contract.CodeInternal:     http.StatusInternalServerError,

	contract.CodeMethodNotAllowed: http.StatusMethodNotAllowed,
	contract.CodeContentType:      http.StatusUnsupportedMediaType,
}

func statusOf(code contract.Code) int {
	if s, ok := statuses[code]; ok {
		return s
	}
	return http.StatusInternalServerError
}

// handle turns a handler that returns an error into Gin's form. It is the one place where errors are logged.
func (a *API) handle(f func(*gin.Context) error) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := f(c); err != nil {
			a.fail(c, err)
		}
	}
}

func (a *API) fail(c *gin.Context, err error) {
	e := contract.AsError(err)
	status := statusOf(e.Code)
	if status >= http.StatusInternalServerError {
		a.opts.Logger.LogAttrs(c.Request.Context(), slog.LevelError, "request failed",
			slog.String("route", c.FullPath()), slog.Int("status", status), slog.String("code", string(e.Code)), slog.Any("error", err))
	}
	a.opts.Metrics.problems.WithLabelValues(string(e.Code)).Inc()
	h := c.Writer.Header()
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="realtime"`)
	}
	if status == http.StatusServiceUnavailable || e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(max(1, int((e.RetryAfter+time.Second-1)/time.Second))))
	}
	writeProblem(c, contract.Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: e.Message,
		Error: e.Message, Code: e.Code, Field: e.Field})
}

func writeProblem(c *gin.Context, p contract.Problem) {
	body, err := json.Marshal(p)
	if err != nil { // strings and ints alone: cannot fail
		body = []byte(`{}`)
	}
	c.Abort()
	c.Data(p.Status, "application/problem+json", body)
}

// recover keeps a bug in one request from ending the process (net/http would, too, but without our log and answer).
func (a *API) recover(c *gin.Context) {
	defer func() {
		switch v := recover(); {
		case v == nil:
		case isAbort(v):
			panic(v)
		default:
			a.opts.Metrics.panics.Inc()
			a.opts.Logger.Error("panic in a request", slog.String("route", c.FullPath()), slog.Any("panic", v),
				slog.String("stack", string(debug.Stack())))
			if !c.Writer.Written() {
				a.fail(c, contract.NewError(contract.CodeInternal, "internal error"))
			}
		}
	}()
	c.Next()
}

// isAbort reports whether v is net/http's own way to cut a connection, which is not a bug.
func isAbort(v any) bool {
	err, ok := v.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}
