package nextauth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The bounds of what is looked at.
const (
	// MaxTokenBytes is the longest token that is looked at, chunks joined. Node itself refuses requests with more than
	// 16 KiB of headers, so that no app has sessions larger than this.
	MaxTokenBytes = 16 << 10
	// MaxSecrets is how many secrets a Keyring holds: one in use and those that are being rotated out.
	MaxSecrets = 16

	maxSubject  = 255                        // bytes of sub: ids are a few dozen
	maxLifetime = 100 * 365 * 24 * time.Hour // an exp further ahead is a mistake; time.Duration ends at 292 years
	lastSecond  = 253402300799               // the end of the year 9999, the last one that JSON times reach (RFC 3339)
)

// Options of New; the zero value is usable.
type Options struct {
	Now    func() time.Time // nil is time.Now
	Leeway time.Duration    // clock tolerance of exp and nbf; 0 is 15 s, as NextAuth has it; negative is none
}

// Keyring holds the keys derived from the secrets. It is immutable and safe for use by many goroutines.
type Keyring struct {
	now    func() time.Time
	leeway time.Duration

	// The first of each belongs to the secret in use: the Seal methods take it.
	secrets []jwt.VerificationKey // HS256, each a []byte
	v4      []nextAuthKey         // A256GCM
	v5      []authjsKey           // A256CBC-HS512, for each secret one for each cookie name
}

// nextAuthKey is the key of a secret for NextAuth 4's tokens.
type nextAuthKey struct {
	key  []byte
	open cipher.AEAD
}

// authjsKey is the key of a secret for tokens in one cookie.
type authjsKey struct {
	cookie string // the salt
	kid    string // the key's thumbprint, which Auth.js writes into the header
	key    []byte
}

// New derives all keys from the secrets, the one in use first. Empty secrets and more than MaxSecrets are errors; the
// texts never hold a secret. How long a secret has to be is the caller's matter.
func New(secrets []string, o Options) (*Keyring, error) {
	if len(secrets) == 0 {
		return nil, errors.New("no session secret given")
	}
	if len(secrets) > MaxSecrets {
		return nil, fmt.Errorf("%d session secrets given, at most %d are taken", len(secrets), MaxSecrets)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Leeway == 0 {
		o.Leeway = 15 * time.Second
	}
	k := &Keyring{now: o.Now, leeway: max(o.Leeway, 0)}
	for i, secret := range secrets {
		if secret == "" {
			return nil, fmt.Errorf("session secret %d is empty", i+1)
		}
		if slices.Contains(secrets[:i], secret) {
			continue
		}
		if err := k.add(secret); err != nil {
			return nil, fmt.Errorf("derive keys of session secret %d: %w", i+1, err)
		}
	}
	return k, nil
}

// add derives the keys of a secret: next-auth/jwt 4.24 and @auth/core/jwt 0.34, getDerivedEncryptionKey.
func (k *Keyring) add(secret string) error {
	const v4Info = "NextAuth.js Generated Encryption Key"
	v4, err := hkdf.Key(sha256.New, []byte(secret), nil, v4Info, 32)
	if err != nil {
		return err
	}
	for _, cookie := range CookieNames() {
		key, err := hkdf.Key(sha256.New, []byte(secret), []byte(cookie), "Auth.js Generated Encryption Key ("+cookie+")", 64)
		if err != nil {
			return err
		}
		k.v5 = append(k.v5, authjsKey{cookie: cookie, kid: thumbprint(key), key: key})
	}
	k.secrets = append(k.secrets, []byte(secret))
	block, err := aes.NewCipher(v4)
	if err != nil {
		return err
	}
	open, err := cipher.NewGCM(block)
	if err != nil {
		return err
	}
	k.v4 = append(k.v4, nextAuthKey{v4, open})
	return nil
}

// thumbprint is the JWK thumbprint (RFC 7638) of a symmetric key by SHA-512, as Auth.js makes it for 64-byte keys.
func thumbprint(key []byte) string {
	b64 := base64.RawURLEncoding
	sum := sha512.Sum512([]byte(`{"k":"` + b64.EncodeToString(key) + `","kty":"oct"}`))
	return b64.EncodeToString(sum[:])
}
