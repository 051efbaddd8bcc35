// Package leak has tests wait for goroutines that are about to end. goleak itself waits for less than half a second, which a busy
// machine may take to run them at all.
package leak

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is for a machine that does much else.
const patience = time.Minute

// reads are pgx's on an open connection that was slow to write once (BGReader). dbtest keeps one such for the whole process, and other
// open connections have no goroutine that could be seen here.
var reads = goleak.IgnoreAnyFunction("github.com/jackc/pgx/v5/pgconn/internal/bgreader.(*BGReader).bgRead")

// Wait returns when no goroutine is left but those of the options, or, after a minute, an error that shows the others.
func Wait(options ...goleak.Option) error {
	options = append(options, reads)
	end := time.Now().Add(patience)
	for {
		if left := goleak.Find(options...); left == nil || time.Now().After(end) {
			return left
		}
	}
}

// Main runs a package's tests, which fail when they leave a goroutine. It does not return.
func Main(m *testing.M, options ...goleak.Option) {
	code := m.Run()
	if code == 0 {
		if err := Wait(options...); err != nil {
			fmt.Fprintln(os.Stderr, "goleak:", err)
			code = 1
		}
	}
	os.Exit(code)
}
