package identity

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Origins are the web origins (RFC 6454) that may sign in by cookie and read answers across origins, besides the
// server's own. A browser attaches the session cookie to requests that any page makes: without this check a foreign
// page could open a socket as the user (cross-site WebSocket hijacking).
type Origins struct {
	list []origin
}

// origin is a scheme, a host in lower case and a port, never the default's absence.
type origin struct {
	scheme, host string
	port         int
	explicit     bool // the port was written out
}

// maxOrigin is the longest Origin looked at, in bytes: a host name has at most 253.
const maxOrigin = 300

// NewOrigins takes the app's address (NEXTAUTH_URL, whose path does not matter; "" for none) and further origins, where
// a trailing slash is tolerated. What is no http(s) origin is an error that names it, and so is "*": everybody together
// with credentials is what the check is there to prevent.
func NewOrigins(appURL string, more []string) (*Origins, error) {
	o := &Origins{}
	if appURL != "" {
		u, err := url.Parse(appURL)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("%q is not an address such as https://app.example.com", appURL)
		}
		if err := o.add(u.Scheme + "://" + u.Host); err != nil {
			return nil, err
		}
	}
	for _, s := range more {
		if err := o.add(strings.TrimRight(s, "/")); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func (o *Origins) add(s string) error {
	if strings.Contains(s, "*") {
		return fmt.Errorf("%q: list each origin; wildcards are not allowed together with credentials", s)
	}
	parsed, err := parseOrigin(s)
	if err != nil {
		return fmt.Errorf("%q is not an origin such as https://app.example.com: %w", s, err)
	}
	if !slices.ContainsFunc(o.list, parsed.same) {
		o.list = append(o.list, parsed)
	}
	return nil
}

// List is the origins as browsers write them, the app's own first.
func (o *Origins) List() []string {
	list := make([]string, len(o.list))
	for i, one := range o.list {
		list[i] = one.String()
	}
	return list
}

// Allowed reports whether a request for host with this Origin header may use the session cookie and read the answer.
// The server's own origin is the one whose host and port are those of the Host header; behind a proxy that ends TLS the
// scheme cannot be told, so a Host without a port stands for the default port of the Origin's scheme.
func (o *Origins) Allowed(header, host string) bool {
	from, err := parseOrigin(header)
	if err != nil { // "null", the origin of sandboxed pages and files, included
		return false
	}
	return slices.ContainsFunc(o.list, from.same) || from.isOwn(host)
}

// mayUseCookie decides on a request that would sign in by cookie. An Origin has to be allowed. Without one, a WebSocket
// handshake is refused: every browser sends it there. On plain HTTP a browser sends none with a same-origin GET, but
// then Sec-Fetch-Site tells a foreign page (Fetch Metadata, W3C); a same-site one is foreign, too: another host of the
// domain.
func (o *Origins) mayUseCookie(r Request) error {
	switch values := r.Header.Values("Origin"); {
	case len(values) > 1:
		return errors.New("several Origin headers")
	case len(values) == 1 && !o.Allowed(values[0], r.Host):
		return fmt.Errorf("origin %.100q is neither the server's own (%.100q) nor allowed", values[0], r.Host)
	case len(values) == 1:
		return nil
	case r.WebSocket:
		return errors.New("a WebSocket handshake with a cookie needs an Origin")
	}
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		switch strings.ToLower(strings.TrimSpace(site)) {
		case "same-origin", "none":
		default:
			return fmt.Errorf("Sec-Fetch-Site is %.40q", site)
		}
	}
	return nil
}

// parseOrigin reads scheme://host[:port] and nothing else.
func parseOrigin(s string) (origin, error) {
	if len(s) > maxOrigin {
		return origin{}, errors.New("too long")
	}
	if strings.ContainsAny(s, "?#@\\") {
		return origin{}, errors.New("only scheme, host and port are allowed")
	}
	u, err := url.Parse(s)
	if err != nil {
		return origin{}, errors.New("it cannot be read")
	}
	o := origin{scheme: strings.ToLower(u.Scheme), host: strings.ToLower(u.Hostname())}
	switch o.scheme {
	case "http", "https":
	default:
		return origin{}, errors.New("the scheme must be http or https")
	}
	if u.Path != "" || u.Opaque != "" {
		return origin{}, errors.New("it has a path")
	}
	if o.host == "" || strings.Trim(o.host, "abcdefghijklmnopqrstuvwxyz0123456789.-_:") != "" {
		return origin{}, errors.New("the host must be ASCII (names with other letters in their xn-- form)")
	}
	o.port = defaultPort(o.scheme)
	if p := u.Port(); p != "" {
		o.explicit = true
		if o.port, err = strconv.Atoi(p); err != nil || o.port < 1 || o.port > 65535 {
			return origin{}, errors.New("the port must be 1 to 65535")
		}
	}
	return o, nil
}

func defaultPort(scheme string) int {
	if scheme == "https" {
		return 443
	}
	return 80
}

func (o origin) same(other origin) bool {
	return o.scheme == other.scheme && o.host == other.host && o.port == other.port
}

// isOwn compares with a Host header.
func (o origin) isOwn(host string) bool {
	own, err := parseOrigin("http://" + host)
	if err != nil || own.host != o.host {
		return false
	}
	if own.explicit {
		return own.port == o.port
	}
	return o.port == defaultPort(o.scheme)
}

// String is the origin as browsers write it: without a default port.
func (o origin) String() string {
	host := o.host
	if strings.Contains(host, ":") { // IPv6
		host = "[" + host + "]"
	}
	if o.port == defaultPort(o.scheme) {
		return o.scheme + "://" + host
	}
	return o.scheme + "://" + host + ":" + strconv.Itoa(o.port)
}
