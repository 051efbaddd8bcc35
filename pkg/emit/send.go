package emit

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/citaplanner/realtime/pkg/contract"
)

// maxAnswer bounds what is read of an answer: a batch of alerts names each notification stored.
const maxAnswer = 64 << 20

// A service token's life, and what is left of it when another is made.
const (
	tokenLife  = 5 * time.Minute
	tokenSpare = time.Minute
)

// encode is v as JSON.
func encode(v any) (json.RawMessage, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, &Error{Code: contract.CodeInvalid, Message: "the request cannot be encoded as JSON", Cause: err}
	}
	return b, nil
}

// withKind is a request with its kind beside it, as a batch wants it.
func withKind(r contract.EmitRequest) (json.RawMessage, error) {
	body, err := encode(r)
	if err != nil {
		return nil, err
	}
	out := append(make([]byte, 0, len(body)+40), `{"kind":"`+r.Kind()+`"`...)
	if len(body) > 2 {
		out = append(out, ',')
	}
	return append(out, body[1:]...), nil
}

// post sends a body until it is answered, refused for good, or there is no time left. The idempotency key stays the same.
func (c *Client) post(ctx context.Context, kind string, body []byte, into any) error {
	key := keyOf(ctx)
	for try := 0; ; try++ {
		e := c.try(ctx, kind, key, body, into)
		if e == nil {
			return nil
		}
		if try >= c.opts.Retries || !e.again() {
			return e
		}
		if !c.pause(ctx, try, e.RetryAfter) {
			if err := ctx.Err(); err != nil {
				e.Cause = errors.Join(e.Cause, err)
			}
			return e
		}
	}
}

// try sends the body once.
func (c *Client) try(ctx context.Context, kind, key string, body []byte, into any) *Error {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+kind, bytes.NewReader(body))
	if err != nil {
		return &Error{Code: contract.CodeInternal, Message: "the request cannot be made", Cause: err}
	}
	req.Header.Set("Authorization", "Bearer "+c.credential())
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	req.Header.Set("User-Agent", "citaplanner-realtime-emit")
	res, err := c.opts.HTTPClient.Do(req)
	if err != nil {
		return unanswered(err)
	}
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1)) // to its end, or the connection is lost
	_ = res.Body.Close()
	switch {
	case err != nil:
		return unanswered(err)
	case len(answer) > maxAnswer:
		return &Error{Status: res.StatusCode, Code: contract.CodeInternal, Message: "the answer is too long"}
	case res.StatusCode < 200 || res.StatusCode > 299:
		return refusal(res, answer, c.opts.Now())
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return &Error{Status: res.StatusCode, Code: contract.CodeInternal, Message: "an answer that is none of the emit API", Cause: err}
	}
	return nil
}

// unanswered is an error of the network; the URL's own part of it says nothing that the caller does not know.
func unanswered(err error) *Error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return &Error{Code: contract.CodeUnavailable, Message: "the server did not answer", Cause: err}
}

// pause waits before the next try, and reports whether there is one: not where the server, or the caller's deadline, leaves
// no time.
func (c *Client) pause(ctx context.Context, try int, after time.Duration) bool {
	wait := c.opts.Backoff << min(try, 16)
	wait = min(wait/2+rand.N(wait/2+1), c.opts.MaxWait) //nolint:gosec // jitter
	if after > 0 {
		wait = max(wait, after)
	}
	if deadline, ok := ctx.Deadline(); wait > c.opts.MaxWait || ok && time.Until(deadline) <= wait {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// credential is the key, or the token of the tenant, made anew where it is about to lapse.
func (c *Client) credential() string {
	if c.opts.Tenant == "" {
		return c.key
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.opts.Now(); c.token == "" || !now.Before(c.renewAt) {
		c.token, c.renewAt = serviceToken(c.key, c.opts.Tenant, now), now.Add(tokenLife-tokenSpare)
	}
	return c.token
}

// serviceToken is a JWT (RFC 7519) signed with HS256 (RFC 7518, 3.2) that emits in one tenant.
func serviceToken(key, tenant string, now time.Time) string {
	claims, _ := json.Marshal(struct { // strings and numbers: cannot fail
		Audience string `json:"aud"`
		TenantID string `json:"tenantId"`
		IssuedAt int64  `json:"iat"`
		Expires  int64  `json:"exp"`
	}{"realtime:emit", tenant, now.Unix(), now.Add(tokenLife).Unix()})
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
