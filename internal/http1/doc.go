// Package http1 serves the HTTP/1.1 requests that a real-time server gets by the thousand (handshakes, polls, emits) with
// about half of net/http's processor time, and leaves everything else to net/http.
//
// It reads a strict part of HTTP/1.1 only: GET and POST, plain paths that Options.Fast names, small heads, bodies that
// announce their length and are small, no chunks, no Expect, no folded, doubled or empty framing headers, no bare LF
// (RFC 9112). A connection that shows anything else goes to net/http with every byte that was read of it, and stays there:
// what is odd, large, or somebody else's is answered as if this package did not exist, and no request can mean one thing
// here and another there (FuzzRequest holds that).
//
// What is saved (a handshake's and a poll's profile): net/http's background read and its goroutine for each request, two
// timers a request (one goroutine looks at all deadlines instead), a header map of many allocations, a flush for each
// answer, new stacks that grow (connections are served by few goroutines that stay), and for a long poll the goroutine that
// waits: see response.Detach.
package http1
