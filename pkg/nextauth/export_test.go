package nextauth

// V4Key is the derived key of the secret in use, to seal what the package itself never would.
func V4Key(k *Keyring) []byte { return k.v4[0].key }

// AuthJSKey is the derived key of the secret in use for a cookie.
func AuthJSKey(k *Keyring, cookie string) []byte {
	for _, c := range k.v5 {
		if c.cookie == cookie {
			return c.key
		}
	}
	return nil
}
