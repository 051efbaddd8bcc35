package nextauth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// What is wrong with a token, for errors.Is. An expired one is proved to be ours first, and is not also ErrInvalid.
var (
	ErrInvalid = errors.New("invalid session token")
	ErrExpired = errors.New("session token has expired")
)

// invalid says why, in fixed words: texts of the token stay out of errors, which end up in logs.
func invalid(why string) error { return fmt.Errorf("%w: %s", ErrInvalid, why) }

// Verify proves a token with every key that may have made it and checks its claims. cookieName is the cookie that it
// came in without a chunk's number, which Auth.js 5 makes the key from; "" is a token that came outside a cookie, for
// which both names of Auth.js are tried. Errors are ErrInvalid or ErrExpired.
func (k *Keyring) Verify(token, cookieName string) (Claims, error) {
	if len(token) > MaxTokenBytes {
		return Claims{}, invalid("too long")
	}
	dots, ok := shape(token)
	if !ok {
		return Claims{}, invalid("not the alphabet of a token")
	}
	var raw map[string]any
	var err error
	switch dots {
	case 4:
		raw, err = k.decrypt(token, cookieName)
	case 2:
		raw, err = k.checkSignature(token)
	default:
		err = invalid("neither five parts nor three")
	}
	if err != nil {
		return Claims{}, err
	}
	return k.check(raw)
}

// shape counts the dots of a token, and refuses what is not base64url (RFC 7515, section 2): Go's decoder would skip
// line breaks.
func shape(token string) (dots int, ok bool) {
	for i := range len(token) {
		switch c := token[i]; {
		case c == '.':
			dots++
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return 0, false
		}
	}
	return dots, true
}

// decrypt opens a JWE in compact form (RFC 7516, section 7.1).
func (k *Keyring) decrypt(token, cookieName string) (map[string]any, error) {
	head, rest, _ := strings.Cut(token, ".")
	header, err := encryptionHeader(head)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(rest, ".") { // RFC 7518, section 4.5: direct encryption carries no key
		return nil, invalid("an encrypted key beside direct encryption")
	}
	switch enc := jose.ContentEncryption(header["enc"]); enc {
	case jose.A256GCM:
		return k.openV4(head, rest[1:])
	case jose.A256CBC_HS512:
		kid, named := header["kid"]
		return openV5(token, k.authjsKeys(cookieName, kid, named))
	default:
		return nil, invalid("an encryption that is not taken")
	}
}

// openV4 opens the parts of a JWE of A256GCM behind its empty key (RFC 7516, section 5.2; RFC 7518, section 5.3), which
// NextAuth 4 makes: every sign-in has one, and go-jose, with its second reading of the header, takes three times as long
// (BenchmarkVerifyV4).
func (k *Keyring) openV4(head, rest string) (map[string]any, error) {
	parts := strings.Split(rest, ".")
	if len(parts) != 3 {
		return nil, invalid("not a JWE")
	}
	nonce, err := base64.RawURLEncoding.Strict().DecodeString(parts[0])
	if err != nil || len(nonce) != 12 {
		return nil, invalid("not a JWE")
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(parts[1])
	if err != nil {
		return nil, invalid("not a JWE")
	}
	tag, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(tag) != 16 {
		return nil, invalid("not a JWE")
	}
	sealed = append(sealed, tag...)
	for _, key := range k.v4 {
		if plain, err := key.open.Open(nil, nonce, sealed, []byte(head)); err == nil {
			return object(plain)
		}
	}
	return nil, invalid("no key opens it")
}

// openV5 opens a JWE of A256CBC-HS512, which Auth.js makes.
func openV5(token string, keys [][]byte) (map[string]any, error) {
	if len(keys) == 0 {
		return nil, invalid("made with another key")
	}
	sealed, err := jose.ParseEncryptedCompact(token, []jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{jose.A256CBC_HS512})
	if err != nil {
		return nil, invalid("not a JWE")
	}
	for _, key := range keys {
		if plain, err := sealed.Decrypt(key); err == nil {
			return object(plain)
		}
	}
	return nil, invalid("no key opens it")
}

// object reads claims.
func object(plain []byte) (map[string]any, error) {
	var claims map[string]any
	if err := json.Unmarshal(plain, &claims); err != nil {
		return nil, invalid("the content is not a JSON object")
	}
	return claims, nil
}

// nextAuth4 is the header that NextAuth 4 writes, in base64url: {"alg":"dir","enc":"A256GCM"}.
const nextAuth4 = "eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0"

var nextAuth4Header = map[string]string{"alg": string(jose.DIRECT), "enc": string(jose.A256GCM)}

// encryptionHeader reads the protected header. Both versions write alg and enc, Auth.js also kid; anything else that
// would have to be understood (zip, crit) or that brings keys along (jwk, jku, x5c) is refused.
func encryptionHeader(part string) (map[string]string, error) {
	if part == nextAuth4 {
		return nextAuth4Header, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return nil, invalid("the header is not base64url")
	}
	var header map[string]string
	if err := json.Unmarshal(b, &header); err != nil {
		return nil, invalid("the header is not an object of texts")
	}
	for name := range header {
		switch name {
		case "alg", "enc", "kid", "typ", "cty":
		default:
			return nil, invalid("a header that is not taken")
		}
	}
	if header["alg"] != string(jose.DIRECT) {
		return nil, invalid("an algorithm that is not taken")
	}
	return header, nil
}

// authjsKeys are the keys that may have made an Auth.js token: of the cookie that it came in, or of both of Auth.js's;
// where the token names its key, only that one.
func (k *Keyring) authjsKeys(cookieName, kid string, named bool) [][]byte {
	var keys [][]byte
	for _, c := range k.v5 {
		if cookieName == "" && c.cookie != CookieV5 && c.cookie != CookieV5Secure {
			continue
		}
		if cookieName != "" && c.cookie != cookieName {
			continue
		}
		if !named || c.kid == kid {
			keys = append(keys, c.key)
		}
	}
	return keys
}

// checkSignature checks a JWS in compact form (RFC 7515, section 7.1), HS256 alone.
func (k *Keyring) checkSignature(token string) (map[string]any, error) {
	parser := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithoutClaimsValidation())
	claims := jwt.MapClaims{}
	t, err := parser.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) {
		return jwt.VerificationKeySet{Keys: k.secrets}, nil
	})
	if err != nil || !t.Valid {
		return nil, invalid("no secret has signed it with HS256")
	}
	if _, ok := t.Header["crit"]; ok { // RFC 7515, section 4.1.11: what is not understood must be refused
		return nil, invalid("a critical header")
	}
	return claims, nil
}
