//go:build unix

package http1

import (
	"errors"
	"syscall"
)

// canTry: sockets can be read and written without waiting.
const canTry = true

// tryRead reads what is there. again: nothing is yet.
func tryRead(fd uintptr, b []byte) (n int, again bool, err error) {
	for {
		n, err = syscall.Read(int(fd), b) //nolint:gosec // a descriptor fits
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return 0, true, nil
		case err != nil:
			return 0, false, err
		}
		return n, false, nil
	}
}

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
