package nextauth_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/pkg/nextauth"
)

func TestTheSessionCookieIsFoundInTheOrderOfItsNames(t *testing.T) {
	t.Parallel()
	const v4s, v4, v5s, v5 = nextauth.CookieV4Secure, nextauth.CookieV4, nextauth.CookieV5Secure, nextauth.CookieV5
	for what, c := range map[string]struct {
		header      []string
		name, token string
	}{
		"all four: the secure one of version 4": {[]string{v5 + "=d;" + v5s + "=c; " + v4 + "=b; " + v4s + "=a"}, v4s, "a"},
		"three":                                 {[]string{v5 + "=d; " + v5s + "=c; " + v4 + "=b"}, v4, "b"},
		"two":                                   {[]string{v5 + "=d; " + v5s + "=c"}, v5s, "c"},
		"one":                                   {[]string{v5 + "=d"}, v5, "d"},
		"an empty one is none":                  {[]string{v4s + "=; " + v4 + `=""; ` + v5 + "=d"}, v5, "d"},
		"chunks of an earlier name before a whole":   {[]string{v5 + "=d; " + v4 + ".1=B; " + v4 + ".0=A"}, v4, "AB"},
		"whole before chunks of its name":            {[]string{v4 + ".0=A; " + v4 + "=b; " + v4 + ".1=B"}, v4, "b"},
		"a cleared whole beside chunks":              {[]string{v4 + "=; " + v4 + ".0=A; " + v4 + ".1=B"}, v4, "AB"},
		"several header lines":                       {[]string{"a=1", v4 + ".1=B", v4 + ".0=A; x=y"}, v4, "AB"},
		"ten and more chunks by number, not by text": {[]string{v4 + ".10=K;" + v4 + ".9=J;" + v4 + ".2=C"}, v4, "CJK"},
		"the first of two":                           {[]string{v4 + "=a", v4 + "=b"}, v4, "a"},
		"the first of two chunks":                    {[]string{v4 + ".0=a; " + v4 + ".0=b; " + v4 + ".1=c"}, v4, "ac"},
		"a chunk is missing: the others":             {[]string{v4 + ".0=a; " + v4 + ".2=c"}, v4, "ac"},
		"chunk numbers nobody writes are not seen": {[]string{v4 + ".32=x; " + v4 + ".00=x; " + v4 + ".-1=x; " + v4 +
			".+1=x; " + v4 + ".=x; " + v4 + ".1.1=x; " + v4 + ".99999999999999999999=x; " + v4 + ".0=a"}, v4, "a"},
		"the last chunk number":                        {[]string{v4 + ".31=z; " + v4 + ".0=a"}, v4, "az"},
		"longer names are not ours":                    {[]string{v4 + "s=x; x" + v4 + "=y; " + v5 + "=d"}, v5, "d"},
		"names are exact about case":                   {[]string{strings.ToUpper(v4) + "=x; " + v5 + "=d"}, v5, "d"},
		"tabs and spaces":                              {[]string{"\t " + v4 + " \t=\t a \t"}, v4, "a"},
		"quotes":                                       {[]string{v4 + `="a"`}, v4, "a"},
		"half a quote stays":                           {[]string{v4 + `="`}, v4, `"`},
		"control characters stay for Verify to refuse": {[]string{v4 + "=a\x00\r\nb"}, v4, "a\x00\r\nb"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			name, token, ok := nextauth.FromCookies(c.header)
			require.True(t, ok)
			require.Equal(t, [2]string{c.name, c.token}, [2]string{name, token})
		})
	}
}

func TestWithoutASessionCookieThereIsNone(t *testing.T) {
	t.Parallel()
	for _, header := range [][]string{
		nil, {}, {""}, {";"}, {"="}, {"a=b"}, {"next-auth.session-token"}, {"next-auth.session-token="},
		{"next-auth.session-token.0="}, {"next-auth.csrf-token=x"}, {"\x00\xff=\xfe"},
	} {
		name, token, ok := nextauth.FromCookies(header)
		require.False(t, ok, header)
		require.Empty(t, name+token)
	}
}

func TestOnlySoMuchOfTheCookieHeadersIsRead(t *testing.T) {
	t.Parallel()
	junk := "junk=" + strings.Repeat("x", nextauth.MaxCookieBytes)
	session := nextauth.CookieV4 + "=abc"

	_, token, ok := nextauth.FromCookies([]string{session + "; " + junk})
	require.True(t, ok)
	require.Equal(t, "abc", token)
	for _, header := range [][]string{
		{junk + "; " + session}, {junk, session},
		{nextauth.CookieV4 + "=" + strings.Repeat("x", 100<<10)}, // not half of it either
	} {
		_, _, ok = nextauth.FromCookies(header)
		require.False(t, ok)
	}
	var many []string
	for i := range 200_000 {
		many = append(many, fmt.Sprintf("c%d=%d", i, i))
	}
	_, _, ok = nextauth.FromCookies(many)
	require.False(t, ok)
}
