package nextauth

import (
	"net/url"
	"strconv"
	"strings"
)

// The names of the session cookie. A cookie that is plain on http has the secure name on https.
const (
	CookieV4Secure = "__Secure-next-auth.session-token"
	CookieV4       = "next-auth.session-token"
	CookieV5Secure = "__Secure-authjs.session-token"
	CookieV5       = "authjs.session-token"
)

// The bounds of FromCookies.
const (
	// MaxCookieBytes is how much of a request's Cookie headers is read, all of them together; a pair that does not end
	// within it is not seen. Node takes 16 KiB of headers in all.
	MaxCookieBytes = 64 << 10
	// MaxChunks is how many chunks a cookie may have: .0 to .31. NextAuth makes chunks of about 3.9 KB.
	MaxChunks = 32
)

// CookieNames lists the names of the session cookie in the order in which they decide.
func CookieNames() []string { return []string{CookieV4Secure, CookieV4, CookieV5Secure, CookieV5} }

// FromCookies finds the session token in the Cookie headers of a request: that of the first name of CookieNames that is
// there, whole, or else in chunks, which are joined in the order of their numbers. ok is false where there is none; a
// cookie without a value is none. The token is not checked: with a chunk missing it is joined from the others, and no
// key will open it.
//
// Pairs are read as the cookie package of NextAuth's pages does: of several cookies of one name the first counts (the
// one with the longest path, RFC 6265, section 5.4), one pair of quotes is taken off, %XX is decoded where that is
// possible.
func FromCookies(header []string) (name, token string, ok bool) {
	var found [4]sessionCookie
	left := MaxCookieBytes
	for _, line := range header {
		cut := len(line) > left
		if cut {
			// What follows the last whole pair is not seen: half a token would be taken for a forged one.
			line = line[:left]
			line = line[:strings.LastIndexByte(line, ';')+1]
		}
		left -= len(line)
		for pair := range strings.SplitSeq(line, ";") {
			collect(&found, pair)
		}
		if cut {
			break
		}
	}
	for i, name := range CookieNames() {
		if token := found[i].token(); token != "" {
			return name, token, true
		}
	}
	return "", "", false
}

// sessionCookie is what the headers hold under one name.
type sessionCookie struct {
	whole  string
	chunks [MaxChunks]string
}

// token is the whole cookie, or else the chunks joined.
func (s *sessionCookie) token() string {
	if s.whole != "" {
		return s.whole
	}
	return strings.Join(s.chunks[:], "")
}

// collect keeps a pair where it belongs to a session cookie and is the first of its name.
func collect(found *[4]sessionCookie, pair string) {
	key, value, ok := strings.Cut(pair, "=")
	if !ok {
		return
	}
	key = strings.Trim(key, " \t")
	for i, name := range CookieNames() {
		suffix, ok := strings.CutPrefix(key, name)
		if !ok {
			continue
		}
		place := &found[i].whole
		if suffix != "" {
			n, ok := chunkNumber(suffix)
			if !ok {
				return
			}
			place = &found[i].chunks[n]
		}
		if *place == "" {
			*place = unquote(strings.Trim(value, " \t"))
		}
		return
	}
}

// chunkNumber reads ".0" to ".31", written as NextAuth writes them.
func chunkNumber(suffix string) (int, bool) {
	digits, ok := strings.CutPrefix(suffix, ".")
	if !ok || len(digits) > 2 {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || n >= MaxChunks || strconv.Itoa(n) != digits {
		return 0, false
	}
	return n, true
}

// unquote takes a value as the cookie package does.
func unquote(v string) string {
	if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
		v = v[1 : len(v)-1]
	}
	if strings.Contains(v, "%") {
		if decoded, err := url.PathUnescape(v); err == nil {
			return decoded
		}
	}
	return v
}
