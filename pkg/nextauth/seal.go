package nextauth

import (
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// SealV4 makes a session token as NextAuth 4 does, with the secret in use. Nothing is added to the claims: a token
// without sub and exp is made, and refused by Verify.
func (k *Keyring) SealV4(claims map[string]any) (string, error) {
	return seal(jose.A256GCM, k.v4[0].key, "", claims)
}

// SealV5 makes a session token as Auth.js 5 does for the cookie of that name, one of CookieNames, with the secret in
// use. Nothing is added to the claims.
func (k *Keyring) SealV5(cookieName string, claims map[string]any) (string, error) {
	for _, c := range k.v5 { // the secret in use comes first
		if c.cookie == cookieName {
			return seal(jose.A256CBC_HS512, c.key, c.kid, claims)
		}
	}
	return "", fmt.Errorf("no session cookie is called %q", cookieName)
}

// SignHS256 makes a JWS with the secret in use. Nothing is added to the claims.
func (k *Keyring) SignHS256(claims map[string]any) (string, error) {
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims(claims)).SignedString(k.secrets[0])
	if err != nil {
		return "", fmt.Errorf("sign claims: %w", err)
	}
	return signed, nil
}

func seal(enc jose.ContentEncryption, key []byte, kid string, claims map[string]any) (string, error) {
	plain, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode claims: %w", err)
	}
	encrypter, err := jose.NewEncrypter(enc, jose.Recipient{Algorithm: jose.DIRECT, Key: key, KeyID: kid}, nil)
	if err != nil {
		return "", fmt.Errorf("seal claims: %w", err)
	}
	sealed, err := encrypter.Encrypt(plain)
	if err != nil {
		return "", fmt.Errorf("seal claims: %w", err)
	}
	return sealed.CompactSerialize()
}
