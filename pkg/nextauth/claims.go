package nextauth

import (
	"fmt"
	"math"
	"time"
	"unicode/utf8"
)

// Claims is what a proved token says.
type Claims struct {
	Subject   string    // sub, never empty
	ExpiresAt time.Time // exp, UTC; the token is taken until the leeway after it
	Name      string    // name, where it is text
	Email     string    // email, where it is text
	// Raw holds every claim as encoding/json decodes it. It is the caller's to keep.
	Raw map[string]any
}

// check reads the claims of a proved token.
func (k *Keyring) check(raw map[string]any) (Claims, error) {
	sub, ok := raw["sub"].(string)
	if !ok || sub == "" || len(sub) > maxSubject || !utf8.ValidString(sub) {
		return Claims{}, invalid("no sub, or not an id")
	}
	now := k.now()
	exp, err := date(raw["exp"])
	if err != nil || exp.Sub(now) > maxLifetime {
		return Claims{}, invalid("no exp, or not a date")
	}
	if nbf, ok := raw["nbf"]; ok { // RFC 7519, section 4.1.5
		start, err := date(nbf)
		if err != nil || now.Add(k.leeway).Before(start) {
			return Claims{}, invalid("not valid yet")
		}
	}
	// The same limit as the jose package of NextAuth: exp <= now - tolerance has expired.
	if !now.Before(exp.Add(k.leeway)) {
		return Claims{}, fmt.Errorf("%w on %s", ErrExpired, exp.Format(time.RFC3339))
	}
	c := Claims{Subject: sub, ExpiresAt: exp, Raw: raw}
	c.Name, _ = raw["name"].(string)
	c.Email, _ = raw["email"].(string)
	return c, nil
}

// date reads a NumericDate (RFC 7519, section 2): seconds since 1970, perhaps with a fraction. Text, what is not
// finite and what no calendar reaches are refused.
func date(v any) (time.Time, error) {
	f, ok := v.(float64)
	if !ok || math.IsNaN(f) || f <= 0 || f > lastSecond {
		return time.Time{}, invalid("not a date")
	}
	seconds, fraction := math.Modf(f)
	return time.Unix(int64(seconds), int64(fraction*1e9)).UTC(), nil
}
