// Package httpapi is the HTTP edge: the routes of contract/http.md in Gin, their authentication, their bodies and their
// problems (RFC 9457). A handler parses, calls the service that owns the matter, and writes the answer; it never touches
// the database and never sends an event itself. Package app mounts it.
package httpapi
