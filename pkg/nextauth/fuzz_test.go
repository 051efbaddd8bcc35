package nextauth_test

import (
	"testing"

	"github.com/citaplanner/realtime/pkg/nextauth"
)

func FuzzVerify(f *testing.F) {
	for _, v := range vectors(f) {
		if token, cookie, ok := v.credential(f); ok && len(token) <= nextauth.MaxTokenBytes {
			f.Add(token, cookie)
		}
	}
	for _, token := range []string{
		"", ".", "..", "....", "e30..e30.e30.e30", "e30.e30.", "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AA.AA.AA",
	} {
		f.Add(token, "")
	}
	keys, err := nextauth.New([]string{"dev-secret-for-vectors-only", "another"}, nextauth.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, token, cookie string) {
		claims, err := keys.Verify(token, cookie)
		switch {
		case err == nil && (claims.Subject == "" || claims.ExpiresAt.IsZero() || claims.Raw == nil):
			t.Fatal("taken without sub or exp")
		case err != nil && errorsIs(err, nextauth.ErrInvalid) == errorsIs(err, nextauth.ErrExpired):
			t.Fatal(err)
		}
	})
}

func FuzzFromCookies(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.Cookie, "a=b")
	}
	f.Add(`next-auth.session-token="%41%zz"; ;=;`, "authjs.session-token.3=x\x00")
	f.Fuzz(func(t *testing.T, a, b string) {
		name, token, ok := nextauth.FromCookies([]string{a, b})
		if ok != (token != "") || ok != (name != "") || len(token) > nextauth.MaxCookieBytes {
			t.Fatalf("%q %d bytes %v", name, len(token), ok)
		}
	})
}
