package identity_test

import (
	"encoding/base64"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/internal/identity"
	"github.com/citaplanner/realtime/pkg/contract"
	"github.com/citaplanner/realtime/pkg/nextauth"
)

const (
	newKey = "the-api-key-in-use-0123456789abcdef"
	oldKey = "the-api-key-that-is.rotated.out-0123"
)

var emitNow = time.Date(2025, 11, 12, 15, 4, 5, 0, time.UTC)

func emitKeys(t testing.TB, at time.Time, keys ...string) *identity.EmitKeys {
	t.Helper()
	e, err := identity.NewEmitKeys(keys, identity.EmitKeysOptions{Now: func() time.Time { return at }})
	require.NoError(t, err)
	return e
}

func signed(t testing.TB, key string, claims map[string]any) string {
	t.Helper()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims(claims)).SignedString([]byte(key))
	require.NoError(t, err)
	return token
}

func TestEachAPIKeyOpensWhileOneIsRotated(t *testing.T) {
	t.Parallel()
	both, one := emitKeys(t, emitNow, newKey, oldKey), emitKeys(t, emitNow, newKey)
	first, err := both.Check("Bearer " + newKey)
	require.NoError(t, err)
	second, err := both.Check("bearer  " + oldKey + " ")
	require.NoError(t, err)
	require.Empty(t, first.TenantID+second.TenantID)
	require.Len(t, first.KeyID, 8)
	require.NotEqual(t, first.KeyID, second.KeyID)
	again, err := one.Check("Bearer " + newKey)
	require.NoError(t, err)
	require.Equal(t, first, again, "the id is stable")

	_, err = one.Check("Bearer " + oldKey)
	refusedWith(t, err, contract.CodeInvalidToken, "Invalid API key or service token")
}

func TestWithoutAnAPIKeyNothingIsEmitted(t *testing.T) {
	t.Parallel()
	e := emitKeys(t, emitNow, newKey, oldKey)
	for _, missing := range []string{"", " ", "Bearer", "Bearer ", "Basic " + newKey, newKey, "Bearer" + newKey} {
		_, err := e.Check(missing)
		refusedWith(t, err, contract.CodeUnauthorized, "API key required")
	}
	for _, bad := range []string{
		newKey[:len(newKey)-1], newKey + "x", strings.ToUpper(newKey), newKey + " " + oldKey, newKey + "," + oldKey,
		newKey + "\x00",
		"x", "..", "a.b.c", "....", strings.Repeat("x", 1<<20), strings.Repeat(".", 1<<20), "\xff",
	} {
		_, err := e.Check("Bearer " + bad)
		refused := refusedWith(t, err, contract.CodeInvalidToken, "Invalid API key or service token")
		require.NotContains(t, refused.Error(), "api-key")
	}
}

func TestAServiceTokenEmitsToItsTenantUntilItExpires(t *testing.T) {
	t.Parallel()
	for _, key := range []string{newKey, oldKey} {
		for _, tenant := range []string{"tenant-a", ""} {
			token, err := identity.NewServiceToken(key, tenant, time.Hour, emitNow)
			require.NoError(t, err)
			for after, code := range map[time.Duration]contract.Code{
				-time.Hour: "", 0: "", time.Hour: "", time.Hour + 14*time.Second: "",
				time.Hour + 16*time.Second: contract.CodeTokenExpired, 1000 * time.Hour: contract.CodeTokenExpired,
			} {
				scope, err := emitKeys(t, emitNow.Add(after), newKey, oldKey).Check("Bearer " + token)
				require.Equal(t, code, contract.CodeOf(err), after)
				if code != "" {
					require.Equal(t, identity.Scope{}, scope)
					continue
				}
				byKey, err := emitKeys(t, emitNow, key).Check("Bearer " + key)
				require.NoError(t, err)
				require.Equal(t, identity.Scope{TenantID: tenant, KeyID: byKey.KeyID}, scope)
			}
			_, err = emitKeys(t, emitNow, "another-key").Check("Bearer " + token)
			refusedWith(t, err, contract.CodeInvalidToken, "Invalid API key or service token")
			_, err = emitKeys(t, emitNow.Add(2*time.Hour), "another-key").Check("Bearer " + token)
			refusedWith(t, err, contract.CodeInvalidToken, "Invalid API key or service token")
		}
	}
}

func TestAServiceTokenIsMadeForADayAtMost(t *testing.T) {
	t.Parallel()
	_, err := identity.NewServiceToken(newKey, "tenant-a", 24*time.Hour, emitNow)
	require.NoError(t, err)
	for _, ttl := range []time.Duration{0, -time.Second, 24*time.Hour + 1} {
		_, err := identity.NewServiceToken(newKey, "tenant-a", ttl, emitNow)
		require.ErrorContains(t, err, "a service token lives up to 24h0m0s")
	}
	_, err = identity.NewServiceToken("", "tenant-a", time.Hour, emitNow)
	require.Error(t, err)
	_, err = identity.NewServiceToken(newKey, strings.Repeat("t", 256), time.Hour, emitNow)
	require.Error(t, err)
}

func TestOnlyATokenThatSaysEnoughIsAServiceToken(t *testing.T) {
	t.Parallel()
	e := emitKeys(t, emitNow, oldKey, newKey)
	hour := emitNow.Add(time.Hour).Unix()
	const bad, meant = contract.CodeInvalidToken, identity.EmitAudience
	at := func(d time.Duration) map[string]any { return map[string]any{"exp": emitNow.Add(d).Unix()} }
	for what, c := range map[string]struct {
		claims map[string]any
		want   contract.Code
	}{
		"exp alone, as an API route signs it":  {map[string]any{"exp": hour}, ""},
		"with a tenant":                        {map[string]any{"exp": hour, "tenantId": "t"}, ""},
		"with sub, but meant for emitting":     {map[string]any{"exp": hour, "sub": "cron", "aud": meant}, ""},
		"several aud":                          {map[string]any{"exp": hour, "aud": []string{"x", meant}}, ""},
		"a day and no more":                    {at(24 * time.Hour), ""},
		"a session: sub":                       {map[string]any{"exp": hour, "sub": "user-1", "role": "SUPERADMIN"}, bad},
		"a session whose sub is empty":         {map[string]any{"exp": hour, "sub": ""}, bad},
		"for another audience":                 {map[string]any{"exp": hour, "aud": "app"}, bad},
		"for no audience":                      {map[string]any{"exp": hour, "aud": []string{}}, bad},
		"aud a number":                         {map[string]any{"exp": hour, "aud": 7}, bad},
		"no exp":                               {map[string]any{"tenantId": "t"}, bad},
		"exp as text":                          {map[string]any{"exp": "9999999999"}, bad},
		"exp null":                             {map[string]any{"exp": nil}, bad},
		"nbf as text":                          {map[string]any{"exp": hour, "nbf": "0"}, bad},
		"exp zero":                             {map[string]any{"exp": 0}, bad},
		"exp huge":                             {map[string]any{"exp": 1e300}, bad},
		"exp hugely negative":                  {map[string]any{"exp": -1e300}, bad},
		"over a day":                           {at(24*time.Hour + time.Minute), bad},
		"not yet":                              {map[string]any{"exp": hour, "nbf": hour - 60}, bad},
		"an empty tenant is not any tenant":    {map[string]any{"exp": hour, "tenantId": ""}, bad},
		"nor is null":                          {map[string]any{"exp": hour, "tenantId": nil}, bad},
		"nor a list":                           {map[string]any{"exp": hour, "tenantId": []string{"t"}}, bad},
		"a tenant of 256 bytes":                {map[string]any{"exp": hour, "tenantId": strings.Repeat("t", 256)}, bad},
		"expired a minute ago, with good rest": {at(-time.Minute), contract.CodeTokenExpired},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			scope, err := e.Check("Bearer " + signed(t, newKey, c.claims))
			require.Equal(t, c.want, contract.CodeOf(err), err)
			if tenant, ok := c.claims["tenantId"].(string); ok && c.want == "" {
				require.Equal(t, tenant, scope.TenantID)
			}
		})
	}
}

func TestAServiceTokenIsHS256AndNothingElse(t *testing.T) {
	t.Parallel()
	e := emitKeys(t, emitNow, newKey)
	claims := jwt.MapClaims{"exp": emitNow.Add(time.Hour).Unix()}
	sign := func(m jwt.SigningMethod, key any, header map[string]any) string {
		token := jwt.NewWithClaims(m, claims)
		maps.Copy(token.Header, header)
		s, err := token.SignedString(key)
		require.NoError(t, err)
		return s
	}
	good := sign(jwt.SigningMethodHS256, []byte(newKey), nil)
	_, err := e.Check("Bearer " + good)
	require.NoError(t, err)
	b64 := base64.RawURLEncoding.EncodeToString
	for what, token := range map[string]string{
		"none":        sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil),
		"HS512":       sign(jwt.SigningMethodHS512, []byte(newKey), nil),
		"crit":        sign(jwt.SigningMethodHS256, []byte(newKey), map[string]any{"crit": []string{"b64"}}),
		"no secret":   sign(jwt.SigningMethodHS256, []byte{}, nil),
		"changed":     good[:len(good)-4] + "AAAA",
		"not JSON":    b64([]byte("{")) + "." + b64([]byte("{")) + ".AA",
		"alg missing": b64([]byte("{}")) + "." + b64([]byte("{}")) + ".AA",
	} {
		_, err := e.Check("Bearer " + token)
		refusedWith(t, err, contract.CodeInvalidToken, "Invalid API key or service token")
		require.NotContains(t, err.Error(), token, what)
	}
}

func TestASessionNeverEmitsEvenWhereOneSecretServesBoth(t *testing.T) {
	t.Parallel()
	e, err := identity.NewEmitKeys([]string{secret}, identity.EmitKeysOptions{})
	require.NoError(t, err)
	s := newScene(t, newPeople(staff("one", nil)), identity.Options{})
	session := map[string]any{"sub": "one", "tenantId": "tenant-a", "exp": time.Now().Add(time.Hour).Unix()}
	v5, err := s.keys.SealV5(nextauth.CookieV5, session)
	require.NoError(t, err)
	hs, err := s.keys.SignHS256(session)
	require.NoError(t, err)
	for _, token := range []string{s.seal(session), v5, hs} {
		_, err := s.Authenticate(t.Context(), identity.Request{AuthToken: token})
		require.NoError(t, err, "a good session")
		_, err = e.Check("Bearer " + token)
		refusedWith(t, err, contract.CodeInvalidToken, "Invalid API key or service token")
	}
	service, err := identity.NewServiceToken(secret, "tenant-a", time.Hour, time.Now())
	require.NoError(t, err)
	_, err = e.Check("Bearer " + service)
	require.NoError(t, err)
	_, err = s.Authenticate(t.Context(), identity.Request{AuthToken: service})
	refusedWith(t, err, contract.CodeInvalidToken, "Invalid token")
}

func TestAPIKeysThatCannotBeUsedAreNamedByNumber(t *testing.T) {
	t.Parallel()
	_, err := identity.NewEmitKeys(nil, identity.EmitKeysOptions{})
	require.EqualError(t, err, "no API key given")
	for _, bad := range []string{"", "two words", "tab\t", "ñandú", "line\n", strings.Repeat("x", 9<<10)} {
		_, err := identity.NewEmitKeys([]string{newKey, bad}, identity.EmitKeysOptions{})
		require.EqualError(t, err, "API key 2 must be visible ASCII without spaces: it travels in a header")
	}
}

func TestEmitChecksAreCountedByResult(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	e, err := identity.NewEmitKeys([]string{newKey}, identity.EmitKeysOptions{Metrics: identity.NewMetrics(reg),
		Now: func() time.Time { return emitNow }})
	require.NoError(t, err)
	token, err := identity.NewServiceToken(newKey, "", time.Minute, emitNow)
	require.NoError(t, err)
	stale, err := identity.NewServiceToken(newKey, "", time.Minute, emitNow.Add(-time.Hour))
	require.NoError(t, err)
	for _, a := range []string{"Bearer " + newKey, "Bearer " + token, "Bearer " + stale, "Bearer x", ""} {
		_, _ = e.Check(a)
	}
	for _, result := range []string{"key", "service_token", "expired", "invalid", "missing"} {
		require.EqualValues(t, 1, metric(t, reg, "realtime_emit_key_checks_total", "result", result), result)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("Bearer " + newKey[:5])
	f.Add("Bearer e30.e30.")
	f.Add("bearer \x00.\xff.=")
	e, err := identity.NewEmitKeys([]string{newKey, oldKey}, identity.EmitKeysOptions{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, authorization string) {
		if _, err := e.Check(authorization); err == nil && !strings.Contains(authorization, "-0123") {
			t.Fatalf("%q opens", authorization)
		}
	})
}
