package identity_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/identity"
	"github.com/citaplanner/realtime/pkg/contract"
	"github.com/citaplanner/realtime/pkg/nextauth"
)

func TestAUserIsWhatTheDatabaseSaysWhateverTheTokenSays(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		s := newScene(t, st.Users, identity.Options{})

		u, err := s.signIn(w.A.Professional)
		require.NoError(t, err)
		require.WithinDuration(t, time.Now().Add(time.Hour), u.ExpiresAt, time.Minute)
		u.ExpiresAt = time.Time{}
		require.Equal(t, identity.User{ID: "a-professional", Email: "a-professional@example.com", Name: "Paula Profesional",
			TenantID: "tenant-a", Role: contract.RoleProfessional}, u)

		u, err = s.signIn(w.B.Portal)
		require.NoError(t, err)
		require.Equal(t, [3]any{"tenant-b", contract.RoleClient, true}, [3]any{u.TenantID, u.Role, u.Portal})

		for what, id := range map[string]string{"inactive": w.A.Inactive, "inactive portal user": w.A.PortalInactive,
			"unknown": "nobody", "a client, who is nobody": w.A.Client, "NUL": "a\x00b", "SQL": "' OR 1=1 --",
			"too long": strings.Repeat("u", 255)} {
			_, err := s.signIn(id)
			e := refusedWith(t, err, contract.CodeUserInactive, "User not found or inactive")
			require.NoError(t, e.Cause, what)
		}
		require.EqualValues(t, 2, s.metric("realtime_authentications_total", "result", "inactive", "credential", "token"))
		require.EqualValues(t, 5, s.metric("realtime_authentications_total", "result", "unknown"))
		require.EqualValues(t, 2, s.metric("realtime_authentications_total", "result", "ok"))

		w.SetTenantActive(w.A.ID, false)
		_, err = s.signIn(w.A.Admin)
		refusedWith(t, err, contract.CodeUserInactive, "User not found or inactive")
		w.SetTenantActive(w.A.ID, true)
		_, err = s.signIn(w.A.Admin)
		require.NoError(t, err, "a refusal is not remembered")
	})
}

func TestTheFirstCredentialThatIsPresentDecides(t *testing.T) {
	t.Parallel()
	s := newScene(t, newPeople(), identity.Options{})
	const name = nextauth.CookieV4
	one, two := s.token("one"), s.token("two")
	bearer, cookie := "Bearer "+two, name+"="+s.token("three")
	soon := time.Now().Add(time.Hour).Unix()
	expired := s.seal(map[string]any{"sub": "one", "exp": time.Now().Add(-time.Minute).Unix()})
	service := s.seal(map[string]any{"sub": "one", "exp": soon, "aud": []any{"x", identity.EmitAudience}})
	otherAud := s.seal(map[string]any{"sub": "one", "exp": soon, "aud": "app"})
	encoded := name + strings.ReplaceAll(cookie[len(name):], ".", "%2E")
	big := strings.Repeat("x", 100<<10)
	for what, c := range map[string]struct {
		token         any
		authorization []string
		cookie        []string
		want          string // the user's id, or the label of the refusal
	}{
		"auth.token before all": {one, []string{bearer}, []string{cookie}, "one"},
		"bearer before cookie":  {"", []string{bearer}, []string{cookie}, "two"},
		"cookie last":           {"", nil, []string{cookie}, "three"},
		"auth.token null":       {nil, nil, []string{cookie}, "three"},

		"a bad auth.token does not fall through": {"x", []string{bearer}, []string{cookie}, "invalid"},
		"auth.token is spaces":                   {"  ", nil, []string{cookie}, "invalid"},
		"auth.token is a number":                 {7.0, nil, []string{cookie}, "form"},
		"auth.token is false":                    {false, nil, []string{cookie}, "form"},
		"auth.token is a list of tokens":         {[]any{one}, nil, []string{cookie}, "form"},
		"auth.token is an object":                {map[string]any{"token": one}, nil, nil, "form"},
		"auth.token is raw JSON":                 {json.RawMessage(`"x"`), nil, nil, "form"},

		"a bad bearer does not fall through": {"", []string{"Bearer x"}, []string{cookie}, "invalid"},
		"the scheme in another case":         {"", []string{"bEARER   " + two + " \t"}, nil, "two"},
		"an empty bearer is absent":          {"", []string{"Bearer   "}, []string{cookie}, "three"},
		"a bare scheme is absent":            {"", []string{"Bearer"}, []string{cookie}, "three"},
		"Basic is another's":                 {"", []string{"Basic dTpw"}, []string{cookie}, "three"},
		"Basic and then Bearer":              {"", []string{"Basic dTpw", bearer}, nil, "two"},
		"two tokens in a bearer":             {"", []string{bearer + " " + two}, nil, "invalid"},
		"a token without the scheme":         {"", []string{two}, nil, "absent"},
		"control characters in the bearer":   {"", []string{bearer + "\x00"}, nil, "invalid"},

		"nothing":                 {nil, nil, nil, "absent"},
		"other cookies":           {"", nil, []string{"theme=dark"}, "absent"},
		"an empty session cookie": {"", nil, []string{name + "="}, "absent"},
		"a bad cookie":            {"", nil, []string{name + "=x"}, "invalid"},
		"a bad secure cookie does not fall through": {"", nil, []string{"__Secure-" + name + "=x; " + cookie}, "invalid"},

		"a second Cookie header":               {"", nil, []string{"a=b", cookie}, "three"},
		"a quoted cookie":                      {"", nil, []string{strings.Replace(cookie, "=", `="`, 1) + `"`}, "three"},
		"a percent-encoded cookie":             {"", nil, []string{encoded}, "three"},
		"100 KB of other cookies after it":     {"", nil, []string{cookie + "; a=" + big}, "three"},
		"100 KB of other cookies before it":    {"", nil, []string{"a=" + big + "; " + cookie}, "absent"},
		"a cookie of 40 KB":                    {"", nil, []string{name + "=" + big[:40<<10]}, "invalid"},
		"control characters in the cookie":     {"", nil, []string{cookie + "\x00\r\n\x7f"}, "invalid"},
		"an encoded line break in the cookie":  {"", nil, []string{cookie + "%0A"}, "invalid"},
		"expired":                              {expired, nil, []string{cookie}, "expired"},
		"a service token is no session":        {service, nil, nil, "invalid"},
		"another aud is ignored by us as well": {otherAud, nil, nil, "one"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, newPeople(staff("one", nil), staff("two", nil), staff("three", nil)), identity.Options{})
			h := http.Header{"Authorization": c.authorization, "Cookie": c.cookie, "Origin": {appURL}}
			u, err := s.Authenticate(t.Context(), identity.Request{AuthToken: c.token, Header: h, Host: "x"})
			switch c.want {
			case "one", "two", "three":
				require.NoError(t, err)
				require.Equal(t, c.want, u.ID)
				return
			case "absent":
				refusedWith(t, err, contract.CodeUnauthorized, "Authentication token required")
			case "expired":
				refusedWith(t, err, contract.CodeTokenExpired, "Invalid token")
			default:
				refusedWith(t, err, contract.CodeInvalidToken, "Invalid token")
			}
			require.EqualValues(t, 1, s.metric("realtime_authentications_total", "result", c.want))
		})
	}
}

func TestATokenThatNoBrowserSendsByItselfNeedsNoOrigin(t *testing.T) {
	t.Parallel()
	s := newScene(t, newPeople(staff("one", nil)), identity.Options{})
	for _, h := range []http.Header{nil, header("Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")} {
		_, err := s.Authenticate(t.Context(), identity.Request{AuthToken: s.token("one"), Header: h, WebSocket: true})
		require.NoError(t, err)
		h = h.Clone()
		if h == nil {
			h = http.Header{}
		}
		h.Set("Authorization", "Bearer "+s.token("one"))
		_, err = s.Authenticate(t.Context(), identity.Request{Header: h, WebSocket: true})
		require.NoError(t, err)
	}
}

func TestACookieSignsInOnlyFromAnOriginThatMay(t *testing.T) {
	t.Parallel()
	const evil = "https://evil.example"
	neither, plain, both := [2]bool{}, [2]bool{true, false}, [2]bool{true, true}
	s := newScene(t, newPeople(staff("one", nil)), identity.Options{})
	for what, c := range map[string]struct {
		header []string
		ok     [2]bool // on plain HTTP, on a WebSocket handshake
	}{
		"own":                               {[]string{"Origin", "http://localhost:3000"}, both},
		"own host by TLS at the proxy":      {[]string{"Origin", "https://localhost:3000"}, both},
		"the app's":                         {[]string{"Origin", appURL}, both},
		"the app's by http":                 {[]string{"Origin", "http://app.example.com"}, neither},
		"foreign":                           {[]string{"Origin", evil}, neither},
		"foreign, calling itself same":      {[]string{"Origin", evil, "Sec-Fetch-Site", "same-origin"}, neither},
		"own with another port":             {[]string{"Origin", "http://localhost:3001"}, neither},
		"null":                              {[]string{"Origin", "null"}, neither},
		"empty":                             {[]string{"Origin", ""}, neither},
		"two":                               {[]string{"Origin", appURL, "Origin", appURL}, neither},
		"two in one":                        {[]string{"Origin", appURL + ", " + appURL}, neither},
		"an allowed one as a prefix":        {[]string{"Origin", appURL + ".evil.example"}, neither},
		"an allowed one as a user":          {[]string{"Origin", appURL + "@evil.example"}, neither},
		"an allowed one as a path":          {[]string{"Origin", "https://evil.example/app.example.com"}, neither},
		"hostile":                           {[]string{"Origin", strings.Repeat("https://", 1<<16)}, neither},
		"none":                              {nil, plain},
		"none, of the same origin":          {[]string{"Sec-Fetch-Site", "same-origin"}, plain},
		"none, typed by the user":           {[]string{"Sec-Fetch-Site", "none"}, plain},
		"none, of another site":             {[]string{"Sec-Fetch-Site", "cross-site"}, neither},
		"none, of another host of the site": {[]string{"Sec-Fetch-Site", "Same-Site"}, neither},
		"none, of who knows where":          {[]string{"Sec-Fetch-Site", "same-origin", "Sec-Fetch-Site", "?"}, neither},
		"a forged Host at a proxy":          {[]string{"Origin", evil, "X-Forwarded-Host", "evil.example"}, neither},
	} {
		for i, webSocket := range []bool{false, true} {
			h := header(c.header...)
			h.Set("Cookie", nextauth.CookieV4+"="+s.token("one"))
			r := identity.Request{Header: h, Host: "localhost:3000", WebSocket: webSocket, Method: "GET"}
			_, err := s.Authenticate(t.Context(), r)
			if c.ok[i] {
				require.NoError(t, err, what)
				continue
			}
			before := s.metric("realtime_authentications_total", "result", "origin", "credential", "cookie")
			require.NotZero(t, before, what)
			e := refusedWith(t, err, contract.CodeInvalidToken, "Invalid token")
			require.Error(t, e.Cause)
			require.Less(t, len(e.Cause.Error()), 400)
		}
	}
}

func TestADatabaseThatDoesNotAnswerIsNoVerdictOnTheUser(t *testing.T) {
	t.Parallel()
	st := dbtest.SQLite(t)
	w := dbtest.Seed(t, st)
	s := newScene(t, st.Users, identity.Options{CacheTTL: -1})
	_, err := s.signIn(w.A.Admin)
	require.NoError(t, err)
	require.NoError(t, st.Close())
	_, err = s.signIn(w.A.Admin)
	e := refusedWith(t, err, contract.CodeAuthDown, "Authentication failed")
	require.Error(t, e.Cause)
	require.NotZero(t, e.RetryAfter)
	require.EqualValues(t, 1, s.metric("realtime_authentications_total", "result", "unavailable"))
}

func TestACallerThatGoesAwayIsNoOutage(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p := newPeople(staff("one", nil))
	release := make(chan struct{})
	p.onQuery(func(context.Context) { <-release }, nil)
	s := newScene(t, p, identity.Options{})
	_, err := s.Authenticate(ctx, identity.Request{AuthToken: s.token("one")})
	refusedWith(t, err, contract.CodeAuthDown, "Authentication failed")
	require.EqualValues(t, 1, s.metric("realtime_authentications_total", "result", "left"))

	late, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err = s.Authenticate(late, identity.Request{AuthToken: s.token("one")})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.EqualValues(t, 1, s.metric("realtime_authentications_total", "result", "unavailable"))
	close(release)
}

func TestNoErrorHoldsATokenOrAPerson(t *testing.T) {
	t.Parallel()
	p := newPeople(staff("someone-in-person", func(a *store.Account) { a.Active = false }))
	s := newScene(t, p, identity.Options{})
	token := s.token("someone-in-person")
	for _, r := range []identity.Request{
		{AuthToken: token}, {AuthToken: token + "x"}, {AuthToken: token[:len(token)-9]},
		{Header: header("Cookie", nextauth.CookieV4+"="+token, "Origin", "null")},
	} {
		_, err := s.Authenticate(t.Context(), r)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "someone-in-person")
		require.NotContains(t, err.Error(), token[:40])
	}
	p.fail(errors.New("connection refused"))
	_, err := s.signIn("someone-in-person")
	require.ErrorContains(t, err, "connection refused")
}
