package frontdoor

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// The headers with which a proxy tells of its client. Forwarded makes the kept ones true and drops the others, which could
// contradict them; a proxy's further X-Forwarded-* (-User, -Email) stay, a stranger's do not.
const (
	forwardedFor   = "X-Forwarded-For"
	forwardedProto = "X-Forwarded-Proto"
	forwardedHost  = "X-Forwarded-Host"
)

var (
	kept    = []string{forwardedFor, forwardedProto, forwardedHost}
	dropped = []string{"Forwarded", "X-Real-Ip", "X-Forwarded-Port", "X-Forwarded-Server", "X-Forwarded-Prefix",
		"X-Forwarded-Ssl", "X-Forwarded-Scheme", "X-Forwarded-Protocol"}
)

// maxHops is how many entries of X-Forwarded-For are looked at, from the nearest on.
const maxHops = 32

// named are the words that TRUSTED_PROXIES takes for networks.
var named = map[string][]string{
	"loopback": {"127.0.0.0/8", "::1/128"},
	"private":  {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"}, // RFC 1918, RFC 4193
}

// ParseTrusted reads addresses, networks in CIDR form, and the words loopback and private. The error names the entry.
func ParseTrusted(entries []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, e := range entries {
		words, ok := named[strings.ToLower(e)]
		if !ok {
			words = []string{e}
		}
		for _, w := range words {
			p, err := netip.ParsePrefix(w)
			if err != nil {
				addr, err := netip.ParseAddr(w)
				if err != nil {
					return nil, fmt.Errorf("%q is neither an address, a network such as 10.0.0.0/8, loopback nor private", e)
				}
				p = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen())
			}
			out = append(out, p.Masked())
		}
	}
	return out, nil
}

// Forwarded believes X-Forwarded-* of trusted peers alone. Behind it, RemoteAddr is the client's own address (port 0 where
// a proxy told it), Host is what the client asked for, and X-Forwarded-For, -Proto and -Host say the same; everything else
// that tells of a client is gone.
func Forwarded(trusted []netip.Prefix, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := r.Header
		peer, ok := parseAddr(r.RemoteAddr)
		unknown := ok && h.Get(forwardedFor) != "" && !within(trusted, peer)
		chain, proto, host := []string{hostOf(r.RemoteAddr)}, "http", r.Host
		if r.TLS != nil {
			proto = "https"
		}
		believed := ok && within(trusted, peer)
		if believed {
			chain = append(clients(trusted, h.Values(forwardedFor)), chain...)
			if p := strings.ToLower(first(h.Get(forwardedProto))); p == "http" || p == "https" {
				proto = p
			}
			if f := first(h.Get(forwardedHost)); validHost(f) {
				host = f
			}
		}
		for name := range h {
			if slices.Contains(dropped, name) || (!believed && strings.HasPrefix(name, "X-Forwarded-")) {
				delete(h, name)
			}
		}
		h.Set(forwardedFor, strings.Join(chain, ", "))
		h.Set(forwardedProto, proto)
		h.Set(forwardedHost, host)
		r.Host = host
		if len(chain) > 1 {
			r.RemoteAddr = net.JoinHostPort(chain[0], "0")
		} else if unknown && within(inside, peer) {
			r = r.WithContext(context.WithValue(r.Context(), unknownProxy{}, true))
		}
		next.ServeHTTP(w, r)
	})
}

// inside are the addresses that a proxy in front may have and a stranger on the Internet has not.
var inside, _ = ParseTrusted([]string{"loopback", "private"})

type unknownProxy struct{}

// ByUnknownProxy reports whether a request behind Forwarded came from an address of the inside that speaks for others and
// is not among the trusted: a proxy that nobody has named. All its clients seem to be one, so that nothing may be limited by
// their address.
func ByUnknownProxy(r *http.Request) bool { return r.Context().Value(unknownProxy{}) != nil }

// clients walks X-Forwarded-For from the nearest entry to the first one that no trusted proxy wrote about itself: that is
// the client. What stands before it anybody may have made up. An entry that is no address ends the walk.
func clients(trusted []netip.Prefix, headers []string) []string {
	entries := strings.Split(strings.Join(headers, ","), ",")
	if len(entries) > maxHops {
		entries = entries[len(entries)-maxHops:]
	}
	from := len(entries)
	for from > 0 {
		addr, ok := parseAddr(strings.TrimSpace(entries[from-1]))
		if !ok {
			break
		}
		from--
		entries[from] = addr.String()
		if !within(trusted, addr) {
			break
		}
	}
	return entries[from:]
}

// parseAddr reads an address with or without port, brackets and zone.
func parseAddr(s string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(strings.Trim(hostOf(s), "[]"))
	return addr.Unmap().WithZone(""), err == nil
}

func hostOf(s string) string {
	if host, _, err := net.SplitHostPort(s); err == nil {
		return host
	}
	return s
}

func within(networks []netip.Prefix, addr netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(addr) {
			return true
		}
	}
	return false
}

// first is the first entry of a comma-separated header: what the outermost proxy saw.
func first(s string) string {
	s, _, _ = strings.Cut(s, ",")
	return strings.TrimSpace(s)
}

// validHost reports whether s can be a Host header (RFC 9110, 7.2): a name or address with or without a port.
func validHost(s string) bool {
	if s == "" || len(s) > 260 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte(".-_:[]", c) >= 0:
		default:
			return false
		}
	}
	return true
}
