package identity_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/identity"
	"github.com/citaplanner/realtime/pkg/contract"
	"github.com/citaplanner/realtime/pkg/nextauth"
)

// vector is a case of pkg/nextauth/testdata/nextauth.json, made by the real packages.
type vector struct {
	Name            string
	Want            string // accept or reject
	Secret          []string
	AuthToken       any
	AuthTokenRepeat *[2]any // a text and how many times it is repeated
	Authorization   string
	Cookie          string
	Claims          map[string]any
}

func vectors(t testing.TB) []vector {
	t.Helper()
	b, err := os.ReadFile("../../pkg/nextauth/testdata/nextauth.json")
	require.NoError(t, err)
	var file struct{ Cases []vector }
	require.NoError(t, json.Unmarshal(b, &file))
	require.Len(t, file.Cases, 28)
	return file.Cases
}

// request is the vector as a handshake of a browser on the server's own origin.
func (v vector) request(webSocket bool) identity.Request {
	r := identity.Request{
		AuthToken: v.AuthToken, Header: header("Origin", "http://localhost:3000"), Host: "localhost:3000",
		WebSocket: webSocket, Method: "GET",
	}
	if v.AuthTokenRepeat != nil {
		r.AuthToken = strings.Repeat(v.AuthTokenRepeat[0].(string), int(v.AuthTokenRepeat[1].(float64)))
	}
	if v.Authorization != "" {
		r.Header.Set("Authorization", v.Authorization)
	}
	if v.Cookie != "" {
		r.Header.Set("Cookie", v.Cookie)
	}
	return r
}

// rejection is what the socket of a refused vector is shown.
func rejection(name string) (contract.Code, string) {
	switch name {
	case "no token anywhere", "empty auth.token and no cookie":
		return contract.CodeUnauthorized, "Authentication token required"
	case "expired an hour ago":
		return contract.CodeTokenExpired, "Invalid token"
	}
	return contract.CodeInvalidToken, "Invalid token"
}

func TestEveryHandshakeOfTheRealPackagesComesOutAsItShould(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		for _, id := range []string{"user-1", "user-2", "user-3", "user-4", "user-5"} {
			w.AddUser(w.B.ID, id, contract.RoleReceptionist)
		}
		for _, v := range vectors(t) {
			keys, err := nextauth.New(v.Secret, nextauth.Options{})
			require.NoError(t, err)
			origins, err := identity.NewOrigins("", nil)
			require.NoError(t, err)
			s := identity.New(st.Users, keys, origins, identity.Options{})
			for _, webSocket := range []bool{false, true} {
				u, err := s.Authenticate(t.Context(), v.request(webSocket))
				if v.Want == "reject" {
					code, message := rejection(v.Name)
					refusedWith(t, err, code, message)
					require.Equal(t, identity.User{}, u)
					continue
				}
				require.NoError(t, err, v.Name)
				require.Equal(t, v.Claims["sub"], u.ID, v.Name)
				require.Equal(t, w.B.ID, u.TenantID, "the database's, not the token's")
				require.Equal(t, contract.RoleReceptionist, u.Role)
				require.EqualValues(t, v.Claims["exp"], u.ExpiresAt.Unix())
			}
		}
	})
}
