package nextauth_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/pkg/nextauth"
)

// vector is a case of testdata/nextauth.json: what a handshake carries, and what has to become of it.
type vector struct {
	Name            string
	Want            string // accept or reject
	Secret          []string
	AuthToken       json.RawMessage
	AuthTokenRepeat *[2]any // a text and how many times it is repeated
	Authorization   string
	Cookie          string
	Claims          map[string]any
}

func vectors(t testing.TB) []vector {
	t.Helper()
	b, err := os.ReadFile("testdata/nextauth.json")
	require.NoError(t, err)
	var file struct{ Cases []vector }
	require.NoError(t, json.Unmarshal(b, &file))
	require.Len(t, file.Cases, 28)
	return file.Cases
}

// credential picks the token as a server does; sent is false where a vector carries none, or one that is no text.
func (v vector) credential(t testing.TB) (token, cookie string, sent bool) {
	t.Helper()
	if v.AuthTokenRepeat != nil {
		return strings.Repeat(v.AuthTokenRepeat[0].(string), int(v.AuthTokenRepeat[1].(float64))), "", true
	}
	if len(v.AuthToken) > 0 {
		if err := json.Unmarshal(v.AuthToken, &token); err != nil || token != "" {
			return token, "", err == nil
		}
	}
	if token, sent = strings.CutPrefix(v.Authorization, "Bearer "); sent {
		return token, "", true
	}
	cookie, token, sent = nextauth.FromCookies([]string{v.Cookie})
	return token, cookie, sent
}

func TestEveryTokenOfTheRealPackagesComesOutAsItShould(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			keys, err := nextauth.New(v.Secret, nextauth.Options{})
			require.NoError(t, err)
			token, cookie, sent := v.credential(t)
			if !sent {
				require.Equal(t, "reject", v.Want)
				return
			}
			claims, err := keys.Verify(token, cookie)
			if v.Want == "reject" {
				require.Error(t, err)
				expired := v.Name == "expired an hour ago"
				require.Equal(t, expired, errorsIs(err, nextauth.ErrExpired), err)
				require.Equal(t, !expired, errorsIs(err, nextauth.ErrInvalid), err)
				require.Equal(t, nextauth.Claims{}, claims)
				return
			}
			require.NoError(t, err)
			require.Equal(t, v.Claims, claims.Raw)
			require.Equal(t, v.Claims["sub"], claims.Subject)
			require.Equal(t, v.Claims["name"], claims.Name)
			require.Equal(t, v.Claims["email"], claims.Email)
			require.EqualValues(t, v.Claims["exp"], claims.ExpiresAt.Unix())
		})
	}
}
