package console

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/citaplanner/realtime/internal/identity"
	"github.com/citaplanner/realtime/pkg/contract"
)

// maxBody is the largest body that the console takes, in bytes.
const maxBody = 64 << 10

// header is what only the console's own scripts send: a page of another origin would have to ask first (Fetch, CORS preflight),
// and nobody answers that here.
const header = "X-Console"

// ours refuses what no page of ours sent. A browser sends the session cookie along with any page's requests.
func (c *Console) ours(r *http.Request) error {
	if r.Header.Get(header) == "" || !c.deps.Origins.Allowed(r.Header.Get("Origin"), r.Host) {
		return contract.NewError(contract.CodeForbidden, "this is for the console's own page")
	}
	return nil
}

// local refuses who is not on this machine, or was led here by a name that somebody else controls (DNS rebinding): a
// development sign-in makes anybody anybody.
func local(r *http.Request) error {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	name, nameErr := netip.ParseAddr(strings.Trim(host, "[]"))
	if err == nil && peer.Addr().Unmap().IsLoopback() && (strings.EqualFold(host, "localhost") || nameErr == nil && name.IsLoopback()) {
		return nil
	}
	return contract.NewError(contract.CodeForbidden, "the demo signs in on this machine alone: open it as http://localhost")
}

// user is whose session the request carries.
func (c *Console) user(r *http.Request) (identity.User, error) {
	return c.deps.Identity.Authenticate(r.Context(), identity.Request{Header: r.Header, Host: r.Host, Method: r.Method})
}

// read reads a JSON body into v.
func read(w http.ResponseWriter, r *http.Request, v any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return contract.NewError(contract.CodeContentType, "the body must be application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return contract.NewError(contract.CodeTooLarge, "the body is over 65536 bytes")
	case err != nil:
		return contract.Wrap(contract.CodeInvalid, "the body could not be read", err)
	case strings.Contains(string(body), `\u0000`): // PostgreSQL has no such character
		return contract.NewError(contract.CodeInvalid, "the body must not hold the character U+0000")
	}
	return decode(body, v)
}

func decode(body []byte, v any) error {
	err := json.Unmarshal(body, v)
	var typ *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &typ) && typ.Field != "":
		return contract.InvalidField(typ.Field, typ.Field+" has the wrong type: "+typ.Value)
	case errors.As(err, &typ):
		return contract.NewError(contract.CodeInvalid, "the body must be a JSON object")
	}
	return contract.NewError(contract.CodeInvalid, "the body is not what this route takes: "+err.Error())
}

// write answers with JSON that is one user's alone.
func write(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body)
	return nil
}
