package identity

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
	"github.com/citaplanner/realtime/pkg/nextauth"
)

// Accounts reads who may sign in; store.Users satisfies it.
type Accounts interface {
	// Accounts are the rows of ids, active or not, by id; ids without a row are not in the map.
	Accounts(ctx context.Context, ids []string) (map[string]store.Account, error)
}

var _ Accounts = (*store.Users)(nil)

// User is who is connecting, as the database has it now; ExpiresAt alone comes from the token.
type User struct {
	ID, Email, Name, TenantID string

	Role      contract.Role
	Portal    bool      // a row of client_users
	ExpiresAt time.Time // when the token's right ends, UTC, without the clock tolerance
}

// Owner says which notifications are the user's.
func (u User) Owner() store.Owner {
	return store.Owner{TenantID: u.TenantID, ID: u.ID, Portal: u.Portal}
}

// Request is what a handshake or an HTTP request brings along.
type Request struct {
	// AuthToken is auth.token of the CONNECT packet as decoded from JSON; nil is absent, and for HTTP requests.
	AuthToken any
	// Header of the handshake's first request. Authorization, Cookie, Origin and Sec-Fetch-Site are looked at.
	Header http.Header
	// Host is what the client asked for (http.Request.Host): an Origin of the same host is this server's own.
	Host string
	// WebSocket says that the first request was a WebSocket handshake, for which every browser sends an Origin.
	WebSocket bool
	// Proof is what Prove found in the same header a moment ago; nil: nothing. It spares the second decryption.
	Proof *Proof
	// Method of the request. No rule depends on it: with an Origin or Sec-Fetch-Site all methods are treated alike.
	Method string
}

// Options of New; the zero value is usable.
type Options struct {
	CacheTTL     time.Duration // how long a user's row is remembered; 0 is 30 s, negative remembers nothing
	CacheSize    int           // how many rows are remembered; 0 is 10,000
	RecheckEvery time.Duration // how often Run reads the rows of connected users again; 0 is 20 s
	LoadTimeout  time.Duration // how long one query may take; 0 is 5 s
	Now          func() time.Time
	Logger       *slog.Logger // nil discards
	Metrics      *Metrics     // nil counts for nobody
}

func (o *Options) fill() {
	if o.CacheTTL == 0 {
		o.CacheTTL = 30 * time.Second
	}
	if o.CacheSize <= 0 {
		o.CacheSize = 10000
	}
	if o.RecheckEvery <= 0 {
		o.RecheckEvery = 20 * time.Second
	}
	if o.LoadTimeout <= 0 {
		o.LoadTimeout = 5 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
}

// Service finds out who is connecting. It is safe for use by many goroutines.
type Service struct {
	accounts Accounts
	keys     *nextauth.Keyring
	origins  *Origins
	opts     Options
	cache    *cache
	ledger   *ledger
}

// New makes a Service; all three dependencies are needed.
func New(accounts Accounts, keys *nextauth.Keyring, origins *Origins, o Options) *Service {
	o.fill()
	return &Service{
		accounts: accounts, keys: keys, origins: origins, opts: o,
		cache:  newCache(accounts.Accounts, o),
		ledger: newLedger(),
	}
}

// Authenticate finds the user whose credential the request carries: the first credential that is present decides
// (contract/auth.md). Errors are *contract.Error with the codes and messages of that document; causes name neither
// token nor user.
func (s *Service) Authenticate(ctx context.Context, r Request) (User, error) {
	u, kind, refused, cause := s.authenticate(ctx, r)
	if refused != nil {
		s.opts.Metrics.authentications.WithLabelValues(refused.label, kind).Inc()
		return User{}, refused.with(cause)
	}
	s.opts.Metrics.authentications.WithLabelValues("ok", kind).Inc()
	return u, nil
}

func (s *Service) authenticate(ctx context.Context, r Request) (u User, kind string, _ *refusal, cause error) {
	claims, kind, refused, cause := s.prove(r)
	if refused != nil {
		return u, kind, refused, cause
	}
	u, refused, cause = s.user(ctx, claims)
	return u, kind, refused, cause
}

// Proof is a credential of a handshake's header that was found good.
type Proof struct {
	claims nextauth.Claims
	kind   string
	at     time.Time
}

// Subject is the id of the user, not looked up: the user may be gone.
func (p *Proof) Subject() string { return p.claims.Subject }

// proofLife is how long a Proof counts. It is below the clock tolerance of a token's end (contract/auth.md).
const proofLife = 10 * time.Second

// Prove checks the credential that the request's header carries; nil where there is no good one. No query is made.
func (s *Service) Prove(r Request) *Proof {
	claims, kind, refused, _ := s.prove(r)
	if refused != nil {
		return nil
	}
	return &Proof{claims, kind, s.opts.Now()}
}

// prove checks the credential of a request, whatever the database says.
func (s *Service) prove(r Request) (_ nextauth.Claims, kind string, _ *refusal, cause error) {
	if p := r.Proof; p != nil && (r.AuthToken == nil || r.AuthToken == "") && s.opts.Now().Sub(p.at).Abs() < proofLife {
		return p.claims, p.kind, nil, nil
	}
	cred, refused := present(r)
	if refused != nil {
		return nextauth.Claims{}, cred.kind, refused, nil
	}
	if cred.kind == kindCookie {
		if err := s.origins.mayUseCookie(r); err != nil {
			return nextauth.Claims{}, cred.kind, &refusedOrigin, err
		}
	}
	claims, err := s.keys.Verify(cred.token, cred.cookie)
	switch {
	case errors.Is(err, nextauth.ErrExpired):
		return nextauth.Claims{}, cred.kind, &refusedExpired, err
	case err != nil:
		return nextauth.Claims{}, cred.kind, &refusedInvalid, err
	case forEmitting(claims.Raw):
		return nextauth.Claims{}, cred.kind, &refusedInvalid, errServiceToken
	}
	return claims, cred.kind, nil, nil
}

// errServiceToken is the cause where a service token of the emit endpoints wants to be somebody.
var errServiceToken = errors.New("a service token is no session")

// user reads the account that proved claims name.
func (s *Service) user(ctx context.Context, claims nextauth.Claims) (User, *refusal, error) {
	account, asked, err := s.cache.get(ctx, claims.Subject)
	switch {
	case contract.CodeOf(err) == contract.CodeNotFound:
		return User{}, &refusedUnknown, nil
	case err != nil && errors.Is(ctx.Err(), context.Canceled): // past its deadline it waited for us: that is an outage
		return User{}, &refusedLeft, ctx.Err()
	case err != nil:
		return User{}, &refusedDown, err
	case account.ID != claims.Subject || account.TenantID == "" || !account.Active:
		return User{}, &refusedInactive, nil
	}
	s.ledger.handedOut(account, asked)
	return User{
		ID: account.ID, Email: account.Email, Name: account.Name(), TenantID: account.TenantID, Role: account.Role,
		Portal: account.Portal, ExpiresAt: claims.ExpiresAt,
	}, nil, nil
}

// Invalidate forgets what is remembered of a user, for whoever has just changed the row.
func (s *Service) Invalidate(id string) { s.cache.invalidate(id) }
