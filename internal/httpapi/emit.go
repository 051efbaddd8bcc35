package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/citaplanner/realtime/internal/emits"
	"github.com/citaplanner/realtime/internal/identity"
	"github.com/citaplanner/realtime/pkg/contract"
)

// emit answers one emit endpoint.
func (a *API) emit(k emits.Kind) func(*gin.Context) error {
	return func(c *gin.Context) error {
		return a.emitting(c, k.Name, func(ctx context.Context, scope identity.Scope, body []byte) (any, error) {
			return a.run(ctx, k, scope, body)
		})
	}
}

// emitting does what all emit endpoints share: the credential, the body, the drain, the idempotency key, the answer.
func (a *API) emitting(c *gin.Context, name string,
	run func(ctx context.Context, scope identity.Scope, body []byte) (any, error)) error {
	scope, err := a.emitScope(c)
	if err != nil {
		return err
	}
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	if err := a.takeEmits(scope, 1); err != nil {
		return err
	}
	key, err := idempotencyKey(c, scope)
	if err != nil {
		return err
	}
	end, err := a.begin() // only now: a body that never ends must not hold up a stop
	if err != nil {
		return err
	}
	defer end()
	ctx := c.Request.Context()
	replayed := false
	var answer json.RawMessage
	if key == "" {
		var v any
		if v, err = run(ctx, scope, body); err == nil {
			answer, err = json.Marshal(v)
		}
	} else {
		answer, replayed, err = a.deps.Notify.OnceRaw(ctx, key, fingerprint(name, body), func(ctx context.Context) (json.RawMessage, error) {
			v, err := run(withKey(ctx, key), scope, body)
			if err != nil {
				return nil, err
			}
			return json.Marshal(v)
		})
	}
	if err != nil {
		a.opts.Metrics.emits.WithLabelValues(name, string(contract.CodeOf(err))).Inc()
		return err
	}
	result := "ok"
	if replayed {
		result = "replayed"
		c.Header("Idempotent-Replayed", "true")
	}
	a.opts.Metrics.emits.WithLabelValues(name, result).Inc()
	c.Data(http.StatusAccepted, "application/json; charset=utf-8", succeeded(answer))
	return nil
}

// takeEmits counts emits against the rate of the key, or of the tenant whose token it is.
func (a *API) takeEmits(scope identity.Scope, n int) error {
	if after, ok := a.emits.Take(scope.KeyID+"/"+scope.TenantID, n); !ok {
		return &contract.Error{Code: contract.CodeRateLimited, Message: "too many emits with this key", RetryAfter: after}
	}
	return nil
}

// succeeded puts success:true in front of an object's members.
func succeeded(object json.RawMessage) []byte {
	out := append(make([]byte, 0, len(object)+16), `{"success":true`...)
	if len(object) > 2 {
		out = append(append(out, ','), object[1:]...)
		return out
	}
	return append(out, '}')
}

// idempotencyKey reads the header and binds it to the tenant that the credential names, so that two callers cannot see
// each other's results. It is empty where there is no header.
func idempotencyKey(c *gin.Context, scope identity.Scope) (string, error) {
	values := c.Request.Header.Values("Idempotency-Key")
	if len(values) == 0 {
		return "", nil
	}
	key := values[0]
	if key == "" || len(values) > 1 || !utf8.ValidString(key) || utf8.RuneCountInString(key) > contract.MaxIdempotencyKey {
		return "", contract.InvalidField("Idempotency-Key", "Idempotency-Key must be one text of 1 to 255 characters")
	}
	return digest("key", scope.TenantID, key), nil
}

// fingerprint tells whether a repeat asks for the same thing.
func fingerprint(name string, body []byte) string { return digest("body", name, string(body)) }

func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil))
}

type keyContext struct{}

// withKey hands the request's key to a batch, whose entries each get a key of their own below it.
func withKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, keyContext{}, key)
}

func keyOf(ctx context.Context) string {
	key, _ := ctx.Value(keyContext{}).(string)
	return key
}
