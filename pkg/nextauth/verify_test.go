package nextauth_test

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/pkg/nextauth"
)

func errorsIs(err, target error) bool { return errors.Is(err, target) }

var testNow = time.Date(2025, 11, 12, 15, 4, 5, 0, time.UTC)

// keysAt is a keyring whose clock stands.
func keysAt(t testing.TB, now time.Time, secrets ...string) *nextauth.Keyring {
	t.Helper()
	keys, err := nextauth.New(secrets, nextauth.Options{Now: func() time.Time { return now }})
	require.NoError(t, err)
	return keys
}

// forms makes a token of the claims in each form.
func forms(t testing.TB, keys *nextauth.Keyring, claims map[string]any) map[string]string {
	t.Helper()
	v4, err := keys.SealV4(claims)
	require.NoError(t, err)
	v5, err := keys.SealV5(nextauth.CookieV5, claims)
	require.NoError(t, err)
	hs, err := keys.SignHS256(claims)
	require.NoError(t, err)
	return map[string]string{"v4": v4, "v5": v5, "hs256": hs}
}

func TestATokenIsTakenUntilFifteenSecondsAfterItsExp(t *testing.T) {
	t.Parallel()
	made := keysAt(t, testNow, realSecret)
	for form, token := range forms(t, made, map[string]any{"sub": "u", "exp": testNow.Unix()}) {
		for _, c := range []struct {
			after time.Duration
			want  error
		}{
			{-time.Hour, nil}, {0, nil}, {15*time.Second - 1, nil},
			{15 * time.Second, nextauth.ErrExpired}, {1e6 * time.Hour, nextauth.ErrExpired},
		} {
			claims, err := keysAt(t, testNow.Add(c.after), realSecret).Verify(token, "")
			require.ErrorIs(t, err, c.want, "%s after %s", form, c.after)
			if c.want == nil {
				require.Equal(t, testNow, claims.ExpiresAt)
			} else {
				require.NotErrorIs(t, err, nextauth.ErrInvalid)
			}
		}
	}
	clock := func() time.Time { return testNow }
	strict, err := nextauth.New([]string{realSecret}, nextauth.Options{Now: clock, Leeway: -1})
	require.NoError(t, err)
	_, err = strict.Verify(forms(t, made, map[string]any{"sub": "u", "exp": testNow.Unix()})["v4"], "")
	require.ErrorIs(t, err, nextauth.ErrExpired)
}

func TestClaimsThatAreNoDatesOrIDsAreInvalid(t *testing.T) {
	t.Parallel()
	keys := keysAt(t, testNow, realSecret)
	later := testNow.Unix() + 60
	for what, change := range map[string]map[string]any{
		"no exp": {"exp": nil}, "exp as text": {"exp": fmt.Sprint(later)}, "exp is true": {"exp": true},
		"exp is a list": {"exp": []any{later}}, "exp zero": {"exp": 0}, "exp negative": {"exp": -later},
		"exp in milliseconds": {"exp": later * 1000}, "exp huge": {"exp": 1e300},
		"exp over a hundred years ahead": {"exp": testNow.AddDate(101, 0, 0).Unix()},
		"exp beyond JSON's floats":       {"exp": json.RawMessage("1e400")},
		"no sub":                         {"sub": nil}, "sub empty": {"sub": ""}, "sub a number": {"sub": 7},
		"sub an object": {"sub": map[string]any{"id": "u"}}, "sub of 256 bytes": {"sub": strings.Repeat("u", 256)},
		"nbf ahead": {"nbf": testNow.Unix() + 16}, "nbf as text": {"nbf": "0"}, "nbf null": {"nbf": json.RawMessage("null")},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			claims := map[string]any{"sub": "u", "exp": later}
			for name, value := range change {
				if value == nil {
					delete(claims, name)
					continue
				}
				claims[name] = value
			}
			for form, token := range forms(t, keys, claims) {
				_, err := keys.Verify(token, "")
				require.ErrorIs(t, err, nextauth.ErrInvalid, form)
				require.NotErrorIs(t, err, nextauth.ErrExpired, form)
			}
		})
	}
	odd := map[string]any{"sub": "u", "exp": float64(later) + 0.5, "nbf": testNow.Unix() + 15, "name": 7, "email": nil}
	for form, token := range forms(t, keys, odd) {
		claims, err := keys.Verify(token, "")
		require.NoError(t, err, form)
		require.Equal(t, time.Unix(later, 5e8).UTC(), claims.ExpiresAt)
		require.Empty(t, claims.Name+claims.Email)
	}
}

func TestEachSecretOpensWhileOneIsRotated(t *testing.T) {
	t.Parallel()
	claims := map[string]any{"sub": "u", "exp": testNow.Unix() + 60}
	for form, token := range forms(t, keysAt(t, testNow, oldSecret), claims) {
		_, err := keysAt(t, testNow, realSecret, oldSecret, realSecret).Verify(token, "")
		require.NoError(t, err, form)
		_, err = keysAt(t, testNow, realSecret).Verify(token, "")
		require.ErrorIs(t, err, nextauth.ErrInvalid, form)
	}
	for form, token := range forms(t, keysAt(t, testNow, realSecret, oldSecret), claims) {
		_, err := keysAt(t, testNow, realSecret).Verify(token, "")
		require.NoError(t, err, "sealed with the first: %s", form)
	}
}

func TestAnAuthJSTokenWithoutKidIsTriedWithEveryKey(t *testing.T) {
	t.Parallel()
	keys := keysAt(t, testNow, realSecret, oldSecret)
	old := keysAt(t, testNow, oldSecret)
	for _, cookie := range []string{nextauth.CookieV5, nextauth.CookieV5Secure} {
		// The library's own token, opened with the exported keys of the test, and sealed again with another kid.
		for kid, want := range map[string]bool{"": true, "unknown": false} {
			token := sealed(t, jose.A256CBC_HS512, nextauth.AuthJSKey(old, cookie), kid, nil)
			for _, name := range []string{"", cookie} {
				_, err := keys.Verify(token, name)
				require.Equal(t, want, err == nil, "kid %q, cookie %q: %v", kid, name, err)
			}
			for _, name := range []string{nextauth.CookieV4, "session", cookie + ".0"} {
				_, err := keys.Verify(token, name)
				require.ErrorIs(t, err, nextauth.ErrInvalid)
			}
		}
	}
}

// sealed is a JWE of good claims with any encryption, key and headers.
func sealed(t testing.TB, enc jose.ContentEncryption, key []byte, kid string, o *jose.EncrypterOptions) string {
	t.Helper()
	e, err := jose.NewEncrypter(enc, jose.Recipient{Algorithm: jose.DIRECT, Key: key, KeyID: kid}, o)
	require.NoError(t, err)
	j, err := e.Encrypt([]byte(fmt.Sprintf(`{"sub":"u","exp":%d}`, testNow.Unix()+60)))
	require.NoError(t, err)
	s, err := j.CompactSerialize()
	require.NoError(t, err)
	return s
}

func TestNoOtherAlgorithmIsTakenWhateverTheHeaderSays(t *testing.T) {
	t.Parallel()
	keys := keysAt(t, testNow, realSecret)
	v4, v5 := nextauth.V4Key(keys), nextauth.AuthJSKey(keys, nextauth.CookieV5)
	_, err := keys.Verify(sealed(t, jose.A256GCM, v4, "any kid", nil), "")
	require.NoError(t, err, "the keys of this test are right")

	good := jwt.MapClaims{"sub": "u", "exp": testNow.Unix() + 60}
	sign := func(m jwt.SigningMethod, key any, header map[string]any) string {
		tok := jwt.NewWithClaims(m, good)
		maps.Copy(tok.Header, header)
		s, err := tok.SignedString(key)
		require.NoError(t, err)
		return s
	}
	critical, kid := map[string]any{"crit": []string{"b64"}, "b64": false}, strings.Repeat("k", 11<<10)
	direct := func(header *jose.EncrypterOptions) string { return sealed(t, jose.A256GCM, v4, "", header) }
	for what, token := range map[string]string{
		"Auth.js's key for A256GCM":       sealed(t, jose.A256GCM, v5[:32], "", nil),
		"A128GCM":                         sealed(t, jose.A128GCM, v4[:16], "", nil),
		"A128CBC-HS256 with NextAuth's":   sealed(t, jose.A128CBC_HS256, v4, "", nil),
		"A192CBC-HS384":                   sealed(t, jose.A192CBC_HS384, v5[:48], "", nil),
		"compressed":                      direct(&jose.EncrypterOptions{Compression: jose.DEFLATE}),
		"a bomb":                          bomb(t, v4),
		"crit":                            direct((&jose.EncrypterOptions{}).WithHeader("crit", []string{"x"})),
		"a header of its own":             direct((&jose.EncrypterOptions{}).WithHeader("jku", "https://evil.example")),
		"HS384":                           sign(jwt.SigningMethodHS384, []byte(realSecret), nil),
		"HS512":                           sign(jwt.SigningMethodHS512, []byte(realSecret), nil),
		"none":                            sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil),
		"HS256 with a derived key":        sign(jwt.SigningMethodHS256, v4, nil),
		"HS256 with crit":                 sign(jwt.SigningMethodHS256, []byte(realSecret), critical),
		"HS256 signed with nothing":       sign(jwt.SigningMethodHS256, []byte{}, nil),
		"alg in another case":             reheader(direct(nil), `{"alg":"DIR","enc":"A256GCM"}`),
		"alg twice":                       reheader(direct(nil), `{"alg":"none","alg":"dir","enc":"A256GCM"}`),
		"A256KW":                          reheader(direct(nil), `{"alg":"A256KW","enc":"A256GCM"}`),
		"PBES2 with many rounds":          reheader(direct(nil), `{"alg":"PBES2-HS256+A128KW","p2c":2147483647}`),
		"a JWE with an encrypted key":     strings.Replace(direct(nil), "..", ".AAAA.", 1),
		"header an array":                 reheader(direct(nil), `[]`),
		"header null":                     reheader(direct(nil), `null`),
		"kid a number":                    reheader(direct(nil), `{"alg":"dir","enc":"A256GCM","kid":7}`),
		"header of 12 KiB":                reheader(direct(nil), `{"alg":"dir","enc":"A256GCM","kid":"`+kid+`"}`),
		"header nested":                   reheader(direct(nil), strings.Repeat("[", 9000)),
		"JWE in JSON":                     `{"protected":"eyJhbGciOiJkaXIifQ","iv":"AA","ciphertext":"AA","tag":"AA"}`,
		"a line break, which Go skips":    strings.Replace(direct(nil), "..", "..\n", 1),
		"padding":                         direct(nil) + "=",
		"a space":                         " " + direct(nil),
		"a NUL":                           direct(nil) + "\x00",
		"invalid UTF-8":                   "\xff\xfe",
		"Bearer":                          "Bearer " + direct(nil),
		"empty":                           "",
		"two dots":                        "..",
		"four dots":                       "....",
		"a thousand dots":                 strings.Repeat(".", 1000),
		"16 KiB and one":                  strings.Repeat("A", nextauth.MaxTokenBytes+1),
		"claims are not an object (JWE)":  wrapJWE(t, v4, `["sub"]`),
		"claims are null (JWE)":           wrapJWE(t, v4, `null`),
		"claims are two objects (JWE)":    wrapJWE(t, v4, `{"sub":"u","exp":9e9}{}`),
		"claims are nothing (JWE)":        wrapJWE(t, v4, ``),
		"claims are nested (JWE)":         wrapJWE(t, v4, strings.Repeat(`{"a":`, 2000)+strings.Repeat("}", 2000)),
		"claims are invalid UTF-8":        wrapJWE(t, v4, "{\"sub\":\"u\xff"),
		"claims are not an object (JWS)":  wrapJWS(t, `["sub"]`),
		"claims are null (JWS)":           wrapJWS(t, `null`),
		"claims are not JSON (JWS)":       wrapJWS(t, `{`),
		"exp differs by case (JWS)":       wrapJWS(t, `{"SUB":"u","EXP":9999999999}`),
		"claims are nothing (JWS)":        wrapJWS(t, ``),
		"claims hold a huge number (JWS)": wrapJWS(t, `{"sub":"u","exp":`+strings.Repeat("9", 5000)+`}`),
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			claims, err := keys.Verify(token, "")
			require.ErrorIs(t, err, nextauth.ErrInvalid)
			require.Equal(t, nextauth.Claims{}, claims)
			require.Less(t, len(err.Error()), 120, "fixed words alone")
		})
	}
}

// reheader replaces the protected header; the tag no longer fits, so that these must fail before or at it.
func reheader(token, header string) string {
	_, rest, _ := strings.Cut(token, ".")
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + rest
}

func wrapJWE(t testing.TB, key []byte, payload string) string {
	t.Helper()
	e, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.DIRECT, Key: key}, nil)
	require.NoError(t, err)
	j, err := e.Encrypt([]byte(payload))
	require.NoError(t, err)
	s, err := j.CompactSerialize()
	require.NoError(t, err)
	return s
}

func wrapJWS(t testing.TB, payload string) string {
	t.Helper()
	b64 := base64.RawURLEncoding
	text := b64.EncodeToString([]byte(`{"alg":"HS256"}`)) + "." + b64.EncodeToString([]byte(payload))
	sig, err := jwt.SigningMethodHS256.Sign(text, []byte(realSecret))
	require.NoError(t, err)
	return text + "." + b64.EncodeToString(sig)
}

// bomb is a token that would inflate to 10 MB.
func bomb(t testing.TB, key []byte) string {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	require.NoError(t, err)
	_, err = w.Write(bytes.Repeat([]byte(" "), 10<<20))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	e, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.DIRECT, Key: key},
		(&jose.EncrypterOptions{}).WithHeader("zip", "DEF"))
	require.NoError(t, err)
	j, err := e.Encrypt(b.Bytes())
	require.NoError(t, err)
	s, err := j.CompactSerialize()
	require.NoError(t, err)
	require.Less(t, len(s), nextauth.MaxTokenBytes)
	return s
}

func TestSecretsThatCannotBeUsedAreNamedByNumber(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		secrets []string
		want    string
	}{
		{nil, "no session secret given"},
		{[]string{"one", ""}, "session secret 2 is empty"},
		{strings.Split(strings.Repeat("s,", 17), ","), "18 session secrets given, at most 16 are taken"},
	} {
		_, err := nextauth.New(c.secrets, nextauth.Options{})
		require.EqualError(t, err, c.want)
	}
}

func TestASealOfWhatJSONCannotHoldIsAnError(t *testing.T) {
	t.Parallel()
	keys := realKeys(t, realSecret)
	bad := map[string]any{"sub": make(chan int)}
	_, err := keys.SealV4(bad)
	require.Error(t, err)
	_, err = keys.SealV5(nextauth.CookieV5, bad)
	require.Error(t, err)
	_, err = keys.SignHS256(bad)
	require.Error(t, err)
	_, err = keys.SealV5("session", map[string]any{})
	require.EqualError(t, err, `no session cookie is called "session"`)
}

func BenchmarkVerifyV4(b *testing.B) { benchmarkVerify(b, 0) }

func BenchmarkVerifyV4Chunked(b *testing.B) { benchmarkVerify(b, 6000) }

func benchmarkVerify(b *testing.B, size int) {
	keys := realKeys(b, oldSecret, realSecret)
	claims := lasting(session(size), time.Hour)
	token, err := realKeys(b, realSecret).SealV4(claims)
	require.NoError(b, err)
	b.SetBytes(int64(len(token)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := keys.Verify(token, ""); err != nil {
			b.Fatal(err)
		}
	}
}
