package identity

import (
	"strings"

	"github.com/citaplanner/realtime/pkg/nextauth"
)

// The kinds of credential, in the order in which they decide. They are labels of realtime_authentications_total.
const (
	kindToken  = "token"  // auth.token of the CONNECT packet
	kindBearer = "bearer" // Authorization: Bearer
	kindCookie = "cookie" // the session cookie
	kindNone   = "none"
)

// credential is a token and where it came from.
type credential struct {
	kind   string
	token  string
	cookie string // the cookie's name, for kindCookie
}

// present finds the first credential that is present, good or bad. An empty text counts as absent, and so does null;
// auth.token of any other type is present and bad.
func present(r Request) (credential, *refusal) {
	switch token := r.AuthToken.(type) {
	case nil:
	case string:
		if token != "" {
			return credential{kind: kindToken, token: token}, nil
		}
	default:
		return credential{kind: kindToken}, &refusedForm
	}
	if token := bearer(r.Header.Values("Authorization")); token != "" {
		return credential{kind: kindBearer, token: token}, nil
	}
	if name, token, ok := nextauth.FromCookies(r.Header.Values("Cookie")); ok {
		return credential{kind: kindCookie, token: token, cookie: name}, nil
	}
	return credential{kind: kindNone}, &refusedAbsent
}

// bearer is the first bearer token of the Authorization headers (RFC 6750, section 2.1), "" where there is none. Other
// schemes are passed over: a proxy in front may ask for Basic.
func bearer(authorization []string) string {
	for _, a := range authorization {
		scheme, token, _ := strings.Cut(strings.Trim(a, " \t"), " ")
		if token = strings.Trim(token, " \t"); token != "" && strings.EqualFold(scheme, "bearer") {
			return token
		}
	}
	return ""
}
