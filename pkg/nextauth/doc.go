// Package nextauth turns a session token of NextAuth 4 or Auth.js 5, or an HS256 JWT, into claims, and finds the token
// in the cookies of a request. It stands alone: it knows no users, no database and no HTTP server.
//
//	keys, err := nextauth.New([]string{secretInUse, secretBeingRotatedOut}, nextauth.Options{})
//	if name, token, ok := nextauth.FromCookies(r.Header["Cookie"]); ok {
//		claims, err := keys.Verify(token, name)
//	}
//
// What is taken, whatever the token's header says of other things:
//
//	form        header                                             key
//	NextAuth 4  JWE, alg dir, enc A256GCM                          HKDF-SHA256 of the secret, no salt, 32 bytes
//	Auth.js 5   JWE, alg dir, enc A256CBC-HS512, kid = thumbprint  HKDF-SHA256, salted with the cookie's name, 64 bytes
//	JWS         alg HS256                                          the secret itself
//
// Every token needs sub and exp. The package never trusts a claim before the key has proved it, never follows a key or
// certificate that a header brings along, never inflates compressed tokens (neither version makes any), and never
// panics: what it is given comes from strangers. All work is bounded by MaxTokenBytes and MaxCookieBytes.
//
// Callers: internal/identity (who is connecting) and the token command (SealV4).
package nextauth
