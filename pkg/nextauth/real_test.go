package nextauth_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/pkg/nextauth"
)

const (
	realSecret = "a-secret-that-is-long-enough-for-production"
	oldSecret  = "the-secret-that-was-in-use-before-that-one"
)

type result struct {
	Value json.RawMessage
	Error string
}

func (r result) text(t *testing.T) string {
	t.Helper()
	var s string
	require.Empty(t, r.Error)
	require.NoError(t, json.Unmarshal(r.Value, &s), string(r.Value))
	return s
}

func (r result) claims(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	require.Empty(t, r.Error)
	require.NoError(t, json.Unmarshal(r.Value, &m), string(r.Value))
	return m
}

// node runs calls of testdata/node/real.mjs, all in one process.
func node(t *testing.T, calls ...map[string]any) []result {
	t.Helper()
	dir := filepath.Join("testdata", "node")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "next-auth", "package.json")); err != nil {
		t.Fatal("the real packages are missing: run `npm ci` in pkg/nextauth/testdata/node (or `make setup`)")
	}
	in, err := json.Marshal(calls)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "node", "real.mjs")
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var results []result
	require.NoError(t, json.Unmarshal(out, &results), string(out))
	require.Len(t, results, len(calls))
	return results
}

// session is what the app's jwt callback puts into a token, padded to as many bytes as asked for.
func session(padding int) map[string]any {
	return map[string]any{
		"sub": "user-1", "name": "Ana Núñez", "email": "ana@example.com", "role": "ADMIN",
		"tenant": map[string]any{"id": "tenant-1", "name": "Clínica Ñandú", "notes": strings.Repeat("x", padding)},
	}
}

func lasting(claims map[string]any, d time.Duration) map[string]any {
	claims["exp"] = float64(time.Now().Add(d).Unix())
	return claims
}

func realKeys(t testing.TB, secrets ...string) *nextauth.Keyring {
	t.Helper()
	keys, err := nextauth.New(secrets, nextauth.Options{})
	require.NoError(t, err)
	return keys
}

func TestTheRealPackagesTakeWhatWeSeal(t *testing.T) {
	t.Parallel()
	keys := realKeys(t, realSecret, oldSecret)
	claims := lasting(session(100), time.Hour)
	v4, err := keys.SealV4(claims)
	require.NoError(t, err)
	plain, err := keys.SealV5(nextauth.CookieV5, claims)
	require.NoError(t, err)
	secure, err := keys.SealV5(nextauth.CookieV5Secure, claims)
	require.NoError(t, err)

	got := node(t,
		map[string]any{"call": "decodeV4", "token": v4, "secret": realSecret},
		map[string]any{"call": "decodeV5", "token": plain, "secret": realSecret, "salt": nextauth.CookieV5},
		map[string]any{"call": "decodeV5", "token": secure, "secret": []string{oldSecret, realSecret},
			"salt": nextauth.CookieV5Secure},
		map[string]any{"call": "decodeV4", "token": v4, "secret": oldSecret},
		map[string]any{"call": "decodeV5", "token": plain, "secret": realSecret, "salt": nextauth.CookieV5Secure},
	)
	for _, r := range got[:3] {
		require.Equal(t, claims, r.claims(t))
	}
	require.NotEmpty(t, got[3].Error, "another secret")
	require.NotEmpty(t, got[4].Error, "another cookie")
}

func TestWeTakeWhatTheRealPackagesSeal(t *testing.T) {
	t.Parallel()
	encode := func(call, salt string, maxAge int) map[string]any {
		return map[string]any{"call": call, "token": session(0), "secret": oldSecret, "salt": salt, "maxAge": maxAge}
	}
	got := node(t,
		encode("encodeV4", "", 60), encode("encodeV5", nextauth.CookieV5, 60),
		encode("encodeV5", nextauth.CookieV5Secure, 60),
		encode("encodeV4", "", -60), encode("encodeV5", nextauth.CookieV5, -60), encode("encodeV4", "", -10),
		// An app on Auth.js 5 that kept the cookie of version 4.
		encode("encodeV5", nextauth.CookieV4, 60),
	)
	keys := realKeys(t, realSecret, oldSecret)
	for i, cookie := range []string{nextauth.CookieV4, nextauth.CookieV5, nextauth.CookieV5Secure} {
		for _, name := range []string{"", cookie} {
			claims, err := keys.Verify(got[i].text(t), name)
			require.NoError(t, err)
			require.Equal(t, "user-1", claims.Subject)
			require.Equal(t, "Ana Núñez", claims.Name)
			require.WithinDuration(t, time.Now().Add(time.Minute), claims.ExpiresAt, 30*time.Second)
			require.Equal(t, session(0)["tenant"], claims.Raw["tenant"])
		}
	}
	for _, i := range []int{3, 4} {
		_, err := keys.Verify(got[i].text(t), "")
		require.ErrorIs(t, err, nextauth.ErrExpired)
		_, err = realKeys(t, realSecret).Verify(got[i].text(t), "")
		require.ErrorIs(t, err, nextauth.ErrInvalid, "an expired token of another secret is just another secret's")
	}
	_, err := realKeys(t, oldSecret).Verify(got[1].text(t), nextauth.CookieV5Secure)
	require.ErrorIs(t, err, nextauth.ErrInvalid, "a token moved into another cookie")

	_, err = keys.Verify(got[6].text(t), nextauth.CookieV4)
	require.NoError(t, err)
	_, err = keys.Verify(got[6].text(t), "")
	require.ErrorIs(t, err, nextauth.ErrInvalid)
}

func TestCookiesAreReadAsNextAuthWritesAndReadsThem(t *testing.T) {
	t.Parallel()
	keys := realKeys(t, realSecret)
	var calls []map[string]any
	var tokens []string
	for _, padding := range []int{0, 2600, 3000, 6000, 9000} { // whole, about the limit, 2 and 3 and 4 chunks
		token, err := keys.SealV4(lasting(session(padding), time.Hour))
		require.NoError(t, err)
		tokens = append(tokens, token)
		calls = append(calls, map[string]any{"call": "cookieHeader", "name": nextauth.CookieV4Secure, "token": token})
	}
	headers := node(t, calls...)
	require.NotContains(t, headers[0].text(t), ".session-token.0=")
	require.Contains(t, headers[4].text(t), ".session-token.3=")

	calls = nil
	for _, h := range headers {
		calls = append(calls, map[string]any{"call": "readCookie", "name": nextauth.CookieV4Secure, "header": h.text(t)})
	}
	odd := []string{ // how the real reader takes what browsers do not write
		`a=1; next-auth.session-token="quoted"; b=2`,
		`next-auth.session-token=per%2Dcent`,
		`next-auth.session-token=bro%ken`,
		`next-auth.session-token=first; next-auth.session-token=second`,
		`next-auth.session-token =  spaced  `,
		`next-auth.session-token=a=b==`,
		`next-auth.session-token.1=B; next-auth.session-token.0=A; next-auth.session-token.10=K; next-auth.session-token.2=C`,
		`;;; ; =; next-auth.session-token=x;`,
	}
	for _, h := range odd {
		calls = append(calls, map[string]any{"call": "readCookie", "name": nextauth.CookieV4, "header": h})
	}
	read := node(t, calls...)
	for i, token := range tokens {
		require.Equal(t, token, read[i].text(t))
		name, got, ok := nextauth.FromCookies([]string{"theme=dark; " + headers[i].text(t)})
		require.True(t, ok)
		require.Equal(t, nextauth.CookieV4Secure, name)
		require.Equal(t, token, got)
		_, err := keys.Verify(got, name)
		require.NoError(t, err)
	}
	for i, h := range odd {
		_, got, ok := nextauth.FromCookies([]string{h})
		require.True(t, ok, h)
		require.Equal(t, read[len(tokens)+i].text(t), got, h)
	}
}
