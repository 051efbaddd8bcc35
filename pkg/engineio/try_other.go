//go:build !unix

package engineio

import "errors"

// canTry: every write may wait.
const canTry = false

func tryWrite(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }
