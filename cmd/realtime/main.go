// Command realtime is the CitaPlanner Realtime server. README.md says how to run it, `realtime help` what can be set.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // the container image has no time zones of its own
)

// version is set by the linker: -X main.version=….
var version = "dev"

// command is one subcommand.
type command struct {
	name, args, help string
	run              func(ctx context.Context, args []string, out, errOut io.Writer) error
}

func commands() []command {
	return []command{
		{"serve", "", "run the server (what happens without a subcommand)", serve},
		{"migrate", "[--indexes] [--demo] [--grants]", "create the app's tables in an empty database, and the server's own schema; --indexes: and the indexes of the inbox and of reminders; --demo: and the demo world; --grants: print the rights that the server's role needs, as SQL", migrate},
		{"triggers", "install|remove|status", "triggers on the app's tables that emit changes without a line of code", triggers},
		{"outbox", "[list|show|replay|drop] [--dead] [--all] [ID…]", "what is committed and not told yet, and dead letters: list, show, replay, drop", outboxCommand},
		{"token", "--user ID [--hours N]", "print a session token for trying things", token},
		{"doctor", "", "check database, tables, secrets, port and Redis, and say what to do", doctor},
		{"health", "", "ask the running server whether it lives (for container health checks)", health},
		{"version", "", "print the version", printVersion},
		{"help", "", "print this text", help},
	}
}

// Exit codes: 1 a failure while running, 2 a wrong call or a wrong setting.
const (
	exitFailed = 1
	exitUsage  = 2
)

// usageError is a wrong call or a wrong setting.
type usageError struct{ error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once, whatever the drain is waiting for
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	name := "serve"
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	switch name {
	case "-h", "--help":
		name = "help"
	case "-v", "--version":
		name = "version"
	}
	for _, c := range commands() {
		if c.name != name {
			continue
		}
		err := c.run(ctx, args, out, errOut)
		if err == nil {
			return 0
		}
		// One line, whatever the cause: a driver's error may be several.
		_, _ = fmt.Fprintln(errOut, "realtime:", strings.Join(strings.Fields(err.Error()), " "))
		var usage usageError
		if errors.As(err, &usage) {
			return exitUsage
		}
		return exitFailed
	}
	_, _ = fmt.Fprintf(errOut, "realtime: there is no subcommand %q; realtime help lists them\n", name)
	return exitUsage
}
