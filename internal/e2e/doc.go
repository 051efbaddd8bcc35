// Package e2e holds the tests that go through the real edges: the npm socket.io-client in Node, HTTP, real databases,
// several processes. It has no code of its own.
package e2e
