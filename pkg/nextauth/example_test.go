package nextauth_test

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/citaplanner/realtime/pkg/nextauth"
)

// A request is signed in by its session cookie, whichever version made it.
func ExampleFromCookies() {
	keys, err := nextauth.New([]string{"the secret of the app, in NEXTAUTH_SECRET"}, nextauth.Options{})
	if err != nil {
		panic(err)
	}
	session, _ := keys.SealV4(map[string]any{"sub": "user-1", "exp": time.Now().Add(time.Hour).Unix()})
	r := &http.Request{Header: http.Header{"Cookie": {"theme=dark; next-auth.session-token=" + session}}}

	name, token, ok := nextauth.FromCookies(r.Header["Cookie"])
	if !ok {
		fmt.Println("not signed in")
	}
	claims, err := keys.Verify(token, name)
	switch {
	case errors.Is(err, nextauth.ErrExpired):
		fmt.Println("sign in again")
	case err != nil:
		fmt.Println("not a session")
	default:
		fmt.Println(name, claims.Subject)
	}
	// Output: next-auth.session-token user-1
}
