//go:build unix

package engineio

import (
	"errors"
	"syscall"
)

// canTry: sockets can be written to without waiting.
const canTry = true

// tryWrite writes what the kernel takes at once, which may be nothing.
func tryWrite(fd uintptr, b []byte) (int, error) {
	for {
		n, err := syscall.Write(int(fd), b) //nolint:gosec // a descriptor fits
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return 0, nil
		case err != nil:
			return 0, err
		}
		return n, nil
	}
}
