package main

import (
	"context"
	"fmt"
	"io"

	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/telemetry"
)

// migrate brings a database up to date: the app's tables where there are none, the server's own schema always.
func migrate(ctx context.Context, args []string, out, errOut io.Writer) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("migrate takes no arguments, but was given %q", args[0])}
	}
	cfg, _, err := load()
	if err != nil {
		return err
	}
	st, err := store.Open(ctx, store.Options{URL: cfg.Store(), DirectURL: cfg.DirectURL,
		Logger: telemetry.NewLogger(errOut, cfg.LogFormat, cfg.LogLevel)})
	if err != nil {
		return err
	}
	defer func() { _ = st.Close() }()
	applied, err := st.Migrate(ctx, store.MigrateOptions{})
	if err != nil {
		return err
	}
	for _, a := range applied {
		_, _ = fmt.Fprintln(out, "applied", a)
	}
	if len(applied) == 0 {
		_, _ = fmt.Fprintln(out, "nothing to do: the database is up to date")
	}
	return nil
}
