//go:build !unix

package http1

import "errors"

// canTry: reading and writing always wait, and every connection is net/http's.
const canTry = false

func tryRead(uintptr, []byte) (int, bool, error) { return 0, false, errors.ErrUnsupported }

func tryWrite(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }
