package http1

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
)

// maxBody is up to which size a body is taken here, in bytes. Larger ones are net/http's.
const maxBody = 64 << 10

// maxHead is the same of a head, and with maxBody bounds what a connection keeps.
const maxHead = 32 << 10

// request is what the head of a request says.
type request struct {
	method, target, host string
	header               http.Header
	body                 int  // its length in bytes
	last                 bool // Connection: close
}

// verdict is what is known of the bytes that have come.
type verdict int

const (
	more    verdict = iota // the head is not whole
	strange                // not for us: net/http has to answer
	whole                  // the head is whole and understood
)

// parse reads the head of a request. n is its length, in bytes, with the empty line.
func parse(b []byte, fast func(path string) bool) (r request, n int, v verdict) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end > maxHead || end < 0 && len(b) > maxHead {
		return r, 0, strange
	}
	if end < 0 {
		// What can be seen to be somebody else's is not waited for. After a bare LF there may be no CRLF CRLF to come: net/http
		// takes an empty line that ends so for the head's end (RFC 9112, 2.2).
		if bytes.Count(b, []byte("\n")) != bytes.Count(b, []byte("\r\n")) {
			return r, 0, strange
		}
		if line := bytes.IndexByte(b, '\n'); line >= 0 || len(b) > 5 && !bytes.HasPrefix(b, []byte("GET /")) && !bytes.HasPrefix(b, []byte("POST /")) {
			if line < 0 || !r.start(strings.TrimSuffix(string(b[:line]), "\r"), fast) {
				return r, 0, strange
			}
		}
		return r, 0, more
	}
	n = end + 4
	// One string for all: the names and values are parts of it.
	head := string(b[:end+2])
	line, rest, _ := strings.Cut(head, "\r\n")
	if !r.start(line, fast) || !r.fields(rest) {
		return r, n, strange
	}
	return r, n, whole
}

// start reads the request line (RFC 9112, 3).
func (r *request) start(line string, fast func(path string) bool) bool {
	target, ok := strings.CutSuffix(line, " HTTP/1.1")
	if !ok {
		return false
	}
	if r.method, r.target, ok = strings.Cut(target, " "); !ok || r.method != http.MethodGet && r.method != http.MethodPost {
		return false
	}
	path, query, _ := strings.Cut(r.target, "?")
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c >= 0x7f || c == '#' {
			return false
		}
	}
	return strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "//") && plain(path, "-._/") && fast(path)
}

// fields reads the header fields (RFC 9112, 5), each of which ends with CRLF.
func (r *request) fields(s string) bool {
	count := strings.Count(s, "\r\n")
	r.header = make(http.Header, count)
	values := make([]string, count) // one allocation for all of them, as in net/textproto
	length := ""
	for s != "" {
		line, rest, _ := strings.Cut(s, "\r\n")
		s = rest
		name, value, ok := strings.Cut(line, ":")
		if !ok || !plain(name, "-_") {
			return false
		}
		value = strings.Trim(value, " \t")
		if !text(value) {
			return false
		}
		switch name = textproto.CanonicalMIMEHeaderKey(name); name {
		case "Host":
			if r.host != "" || value == "" {
				return false
			}
			r.host = value
			continue
		case "Content-Length":
			if length != "" || value == "" {
				return false
			}
			length = value
		case "Connection":
			if r.header[name] != nil || !r.connection(value) {
				return false
			}
		case "Upgrade":
			if !strings.EqualFold(value, "websocket") {
				return false
			}
		case "Transfer-Encoding", "Expect", "Trailer", "Proxy-Connection", "Http2-Settings":
			return false
		}
		if had := r.header[name]; had != nil {
			r.header[name] = append(had, value)
			continue
		}
		values[0] = value
		r.header[name] = values[:1:1]
		values = values[1:]
	}
	return plain(r.host, "-._:[]") && r.announced(length)
}

// connection reads the options of a Connection field (RFC 9110, 7.6.1); false where one is not known here.
func (r *request) connection(value string) bool {
	for option := range strings.SplitSeq(value, ",") {
		switch option = strings.TrimSpace(option); {
		case strings.EqualFold(option, "close"):
			r.last = true
		case strings.EqualFold(option, "keep-alive"), strings.EqualFold(option, "upgrade"):
		default:
			return false
		}
	}
	return true
}

// announced reads Content-Length: a GET has none or 0, a POST must have one.
func (r *request) announced(length string) bool {
	if length == "" {
		return r.method == http.MethodGet
	}
	if len(length) > len(strconv.Itoa(maxBody)) {
		return false
	}
	for i := range len(length) {
		if length[i] < '0' || length[i] > '9' {
			return false
		}
		r.body = 10*r.body + int(length[i]-'0')
	}
	return r.body <= maxBody && (r.method == http.MethodPost || r.body == 0)
}

// http makes the request of net/http that a handler takes.
func (r *request) http(remote string) *http.Request {
	path, query, asked := strings.Cut(r.target, "?")
	return &http.Request{Method: r.method, URL: &url.URL{Path: path, RawQuery: query, ForceQuery: asked && query == ""},
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: r.header, Body: http.NoBody, ContentLength: int64(r.body),
		Close: r.last, Host: r.host, RequestURI: r.target, RemoteAddr: remote}
}

// plain reports whether a text is of ASCII letters, digits and the marks given. Names and paths may hold more (RFC 9110,
// 5.6.2; RFC 3986, 3.3) and those that come here never do.
func plain(s, marks string) bool {
	for i := range len(s) {
		c := s[i]
		if c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte(marks, c) >= 0 {
			continue
		}
		return false
	}
	return s != ""
}

// text reports whether a field's value is visible text (RFC 9110, 5.5).
func text(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
