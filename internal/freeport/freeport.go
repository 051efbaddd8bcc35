// Package freeport finds ports for servers that tests start.
package freeport

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"syscall"
)

// The ports are below those that systems give to who asks for any: 32,768 (Linux) and 49,152 (RFC 6335) and up.
const (
	first  = 10_000
	behind = 32_000
)

var given sync.Map // to this process

// Find returns a TCP port of the loopback interface that nobody listens on, that it has not returned before, and that the system gives
// to nobody who connects or listens on any: a server that is started again finds it free. (A client that tries again and again
// while it is down could even connect to itself there.)
func Find() (string, error) {
	for {
		port := strconv.Itoa(first + rand.IntN(behind-first)) //nolint:gosec // nobody has to guess it
		if _, taken := given.LoadOrStore(port, true); taken {
			continue
		}
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err == nil {
			return port, l.Close()
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return "", err
		}
	}
}
