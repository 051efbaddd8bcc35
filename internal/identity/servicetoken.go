package identity

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// EmitAudience is the aud of service tokens. A token with another aud opens no emit endpoint, and one with this is
	// nobody's session, whatever it was signed with.
	EmitAudience = "realtime:emit"
	// MaxServiceToken is how far ahead exp of a service token may be.
	MaxServiceToken = 24 * time.Hour

	serviceLeeway = 15 * time.Second // clock tolerance, as for sessions
	maxTenantID   = 255              // bytes
)

var errServiceTokenExpired = errors.New("the service token has expired")

// NewServiceToken makes a token, signed with an API key, that may emit to one tenant (tenantID "" is any) for at most
// MaxServiceToken from now.
func NewServiceToken(key, tenantID string, ttl time.Duration, now time.Time) (string, error) {
	if key == "" {
		return "", errors.New("no API key given")
	}
	if ttl <= 0 || ttl > MaxServiceToken {
		return "", fmt.Errorf("a service token lives up to %s, not %s", MaxServiceToken, ttl)
	}
	if len(tenantID) > maxTenantID {
		return "", errors.New("that is no tenant's id")
	}
	claims := jwt.MapClaims{"aud": EmitAudience, "iat": now.Unix(), "exp": now.Add(ttl).Unix()}
	if tenantID != "" {
		claims["tenantId"] = tenantID
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(key))
	if err != nil {
		return "", fmt.Errorf("sign service token: %w", err)
	}
	return token, nil
}

// serviceToken checks a JWS against every API key.
func (e *EmitKeys) serviceToken(token string) (Scope, error) {
	// The claims are checked here: the library turns an exp of 1e300 into whatever the processor makes of it.
	parser := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithoutClaimsValidation())
	for i := range e.keys {
		claims := jwt.MapClaims{}
		t, err := parser.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return e.keys[i].secret, nil })
		switch {
		case errors.Is(err, jwt.ErrTokenSignatureInvalid):
			continue
		case err != nil || !t.Valid: // the library's texts may quote the token
			return Scope{}, errors.New("not a JWT")
		}
		if _, ok := t.Header["crit"]; ok { // RFC 7515, section 4.1.11
			return Scope{}, errors.New("a critical header")
		}
		tenantID, err := allows(claims, e.opts.Now())
		if err != nil {
			return Scope{}, err
		}
		return Scope{TenantID: tenantID, KeyID: e.keys[i].id}, nil
	}
	return Scope{}, errors.New("no key has signed it with HS256")
}

// allows decides on proved claims. A session always has a sub and a service token needs none, so that one with a sub
// has to say by its aud that it is meant for emitting: the two stay apart even where an operator gave the emit
// endpoints the session secret as their key.
func allows(claims map[string]any, now time.Time) (tenantID string, _ error) {
	if err := inTime(claims, now); err != nil {
		return "", err
	}
	_, hasAud := claims["aud"]
	_, hasSub := claims["sub"]
	if (hasAud || hasSub) && !forEmitting(claims) {
		return "", errors.New("made for something else than emitting")
	}
	tenant, named := claims["tenantId"]
	if !named {
		return "", nil
	}
	// One that names a tenant badly must not be taken for one that may emit to any.
	tenantID, ok := tenant.(string)
	if !ok || tenantID == "" || len(tenantID) > maxTenantID {
		return "", errors.New("tenantId is no id")
	}
	return tenantID, nil
}

// inTime checks exp, which is required, and nbf (RFC 7519, section 4.1), both in seconds since 1970.
func inTime(claims map[string]any, now time.Time) error {
	seconds, leeway := float64(now.Unix()), serviceLeeway.Seconds()
	exp, ok := claims["exp"].(float64)
	switch {
	case !ok || exp <= 0:
		return errors.New("no exp, or not a date")
	case exp > seconds+MaxServiceToken.Seconds()+leeway:
		return fmt.Errorf("exp is more than %s ahead", MaxServiceToken)
	case exp <= seconds-leeway:
		return errServiceTokenExpired
	}
	if nbf, there := claims["nbf"]; there {
		if from, ok := nbf.(float64); !ok || from > seconds+leeway {
			return errors.New("not valid yet")
		}
	}
	return nil
}

// forEmitting reports whether claims have EmitAudience as their aud or among them (RFC 7519, section 4.1.3).
func forEmitting(claims map[string]any) bool {
	switch aud := claims["aud"].(type) {
	case string:
		return aud == EmitAudience
	case []any:
		for _, one := range aud {
			if one == EmitAudience {
				return true
			}
		}
	}
	return false
}
