package emit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/citaplanner/realtime/pkg/contract"
)

// Options of New; the zero value is usable.
type Options struct {
	// Tenant binds the client to one tenant: instead of the key itself, a token is sent that is signed with the key, lives
	// for five minutes, and emits in this tenant alone. "" sends the key.
	Tenant string

	// Timeout of one try, from the connection to the end of the answer. 0 is 10 s. The context of a call bounds all tries.
	Timeout time.Duration

	// Retries is how often a call is tried again after the network failed, or the server answered 429 or 5xx. 0 is 3;
	// below 0 is never.
	Retries int

	// Backoff is the longest pause before the first retry; it doubles for each further one, and each is drawn by chance
	// from its upper half. 0 is 200 ms.
	Backoff time.Duration

	// MaxWait is the longest pause, and the longest Retry-After that is waited for; a longer one ends the call. 0 is 30 s.
	MaxWait time.Duration

	// HTTPClient sends the requests. nil is one that keeps up to 32 connections alive, goes by HTTP_PROXY and HTTPS_PROXY,
	// and follows no redirects: the key is for this server alone.
	HTTPClient *http.Client

	// Now is the clock of tokens and of Retry-After dates. nil is time.Now.
	Now func() time.Time
}

// Client is safe for use by many goroutines. Make one and keep it: it keeps its connections.
type Client struct {
	base string
	key  string
	opts Options

	mu      sync.Mutex // guards the token
	token   string
	renewAt time.Time
}

// New makes a client of the server at an address such as http://realtime:3000; a path is kept as a prefix. key is the
// server's REALTIME_API_KEY, or a service token that somebody else signed with it. Nothing is sent yet.
func New(address, key string, o Options) (*Client, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, errors.New("emit: the address is no URL") // err would quote it, and with it a password
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return nil, errors.New("emit: the address must be one such as http://realtime:3000")
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return nil, errors.New("emit: the address must have no user, query or fragment")
	case strings.TrimSpace(key) == "":
		return nil, errors.New("emit: the API key is empty")
	case strings.ContainsFunc(key, func(r rune) bool { return r < 0x21 || r > 0x7e }):
		return nil, errors.New("emit: the API key holds what a header cannot")
	}
	positive(&o.Timeout, 10*time.Second)
	positive(&o.Backoff, 200*time.Millisecond)
	positive(&o.MaxWait, 30*time.Second)
	if o.Retries == 0 {
		o.Retries = 3
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.HTTPClient == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = 32
		o.HTTPClient = &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return &Client{base: strings.TrimSuffix(u.String(), "/") + "/api/emit/", key: key, opts: o}, nil
}

func positive(d *time.Duration, def time.Duration) {
	if *d <= 0 {
		*d = def
	}
}

// AppointmentCreated says that an appointment was made: the tenant hears appointment:created, the professional is
// notified.
func (c *Client) AppointmentCreated(ctx context.Context, r contract.AppointmentCreatedRequest) (contract.EmitResult, error) {
	return c.Emit(ctx, r)
}

// AppointmentUpdated says that an appointment was changed: the tenant hears appointment:updated, the professional is
// notified unless he or she is the actor.
func (c *Client) AppointmentUpdated(ctx context.Context, r contract.AppointmentUpdatedRequest) (contract.EmitResult, error) {
	return c.Emit(ctx, r)
}

// AppointmentDeleted says that an appointment was cancelled and its row is gone: the tenant hears appointment:deleted, the
// professional in the data is notified.
func (c *Client) AppointmentDeleted(ctx context.Context, r contract.AppointmentDeletedRequest) (contract.EmitResult, error) {
	return c.Emit(ctx, r)
}

// AppointmentRescheduled says that an appointment was moved: the tenant hears appointment:rescheduled, the professional is
// notified.
func (c *Client) AppointmentRescheduled(ctx context.Context, r contract.AppointmentRescheduledRequest) (contract.EmitResult, error) {
	return c.Emit(ctx, r)
}

// AppointmentReminder reminds the professional, and the client's portal user where there is one.
func (c *Client) AppointmentReminder(ctx context.Context, r contract.AppointmentReminderRequest) (contract.EmitResult, error) {
	return c.Emit(ctx, r)
}

// ScheduleUpdated says that a professional's working hours changed: the tenant hears schedule:updated, the professional is
// notified.
func (c *Client) ScheduleUpdated(ctx context.Context, r contract.ScheduleUpdatedRequest) (contract.EmitResult, error) {
	return c.Emit(ctx, r)
}

// ScheduleConflict says that hours or appointments collide: administrators and managers hear schedule:conflict, the
// professional is notified.
func (c *Client) ScheduleConflict(ctx context.Context, r contract.ScheduleConflictRequest) (contract.EmitResult, error) {
	return c.Emit(ctx, r)
}

// CalendarRefresh asks every calendar of the tenant to load anew. Nothing is stored.
func (c *Client) CalendarRefresh(ctx context.Context, r contract.CalendarRefreshRequest) (contract.EmitResult, error) {
	return c.Emit(ctx, r)
}

// SystemAlert alerts every active user of the tenant, or of one role of it.
func (c *Client) SystemAlert(ctx context.Context, r contract.SystemAlertRequest) (contract.EmitResult, error) {
	return c.Emit(ctx, r)
}

// Notify notifies one user, or every active user of the tenant where none is named.
func (c *Client) Notify(ctx context.Context, r contract.NotificationRequest) (contract.EmitResult, error) {
	return c.Emit(ctx, r)
}

// EmitToTenant sends an event to every socket of a tenant. data is anything that JSON can encode. Nothing is stored.
func (c *Client) EmitToTenant(ctx context.Context, tenantID, event string, data any) (contract.EmitResult, error) {
	raw, err := encode(data)
	if err != nil {
		return contract.EmitResult{}, err
	}
	return c.Emit(ctx, contract.EmitToTenantRequest{TenantID: tenantID, Event: event, Data: raw})
}

// EmitToUser sends an event to every socket of a user, as EmitToTenant does.
func (c *Client) EmitToUser(ctx context.Context, userID, event string, data any) (contract.EmitResult, error) {
	raw, err := encode(data)
	if err != nil {
		return contract.EmitResult{}, err
	}
	return c.Emit(ctx, contract.EmitToUserRequest{UserID: userID, Event: event, Data: raw})
}

// EmitToRole sends an event to every socket of a role of a tenant, as EmitToTenant does.
func (c *Client) EmitToRole(ctx context.Context, role contract.Role, tenantID, event string, data any) (contract.EmitResult, error) {
	raw, err := encode(data)
	if err != nil {
		return contract.EmitResult{}, err
	}
	return c.Emit(ctx, contract.EmitToRoleRequest{Role: role, TenantID: tenantID, Event: event, Data: raw})
}

// Emit sends any of contract's requests; the other methods are this one by name. When it returns without an error, what
// it stored is committed. Errors are *[Error]; the context's own is below it.
func (c *Client) Emit(ctx context.Context, r contract.EmitRequest) (contract.EmitResult, error) {
	body, err := encode(r)
	if err != nil {
		return contract.EmitResult{}, err
	}
	var answer contract.EmitAnswer
	if err := c.post(ctx, r.Kind(), body, &answer); err != nil {
		return contract.EmitResult{}, err
	}
	return answer.EmitResult, nil
}

// Batch sends 1 to contract.MaxBatch requests at once and returns one result for each, in their order. Each stands alone:
// one that fails does not keep the others back, and is no error of Batch; ErrorOf makes one of it.
func (c *Client) Batch(ctx context.Context, requests ...contract.EmitRequest) ([]contract.BatchResult, error) {
	var batch contract.BatchRequest
	for _, r := range requests {
		entry, err := withKind(r)
		if err != nil {
			return nil, err
		}
		batch.Emits = append(batch.Emits, entry)
	}
	body, err := encode(batch)
	if err != nil {
		return nil, err
	}
	var answer contract.BatchAnswer
	if err := c.post(ctx, "batch", body, &answer); err != nil {
		return nil, err
	}
	if len(answer.Results) != len(requests) {
		return nil, &Error{Code: contract.CodeInternal, Message: fmt.Sprintf("the server answered %d of %d emits", len(answer.Results), len(requests))}
	}
	return answer.Results, nil
}

type keyContext struct{}

// WithKey gives the call made with the context an idempotency key of the caller's, 1 to contract.MaxIdempotencyKey
// characters, such as the id of the row that the call is about: then the same call made again within 24 hours, by
// another process or after a crash, answers the first result and emits nothing.
func WithKey(ctx context.Context, key string) context.Context {
	return context.WithValue(ctx, keyContext{}, key)
}

// keyOf is the caller's key, or a new one.
func keyOf(ctx context.Context) string {
	if key, ok := ctx.Value(keyContext{}).(string); ok && key != "" {
		return key
	}
	return rand.Text()
}
