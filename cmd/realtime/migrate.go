package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/citaplanner/realtime/db/demo"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/config"
	"github.com/citaplanner/realtime/internal/telemetry"
)

// migrate brings a database up to date: the app's tables where there are none, the server's own schema always.
func migrate(ctx context.Context, args []string, out, errOut io.Writer) error {
	flags := flag.NewFlagSet("migrate", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	withDemo := flags.Bool("demo", false, "also fill an empty database with the demo world")
	indexes := flags.Bool("indexes", false, "also build the indexes of the inbox on notification_logs and of reminders on appointments, without locking anybody out")
	grants := flags.Bool("grants", false, "do nothing but print the SQL that gives the role of DATABASE_URL its rights, for the tables' owner to run")
	if err := flags.Parse(args); err != nil {
		return usageError{fmt.Errorf("migrate: %w", err)}
	}
	if flags.NArg() > 0 {
		return usageError{fmt.Errorf("migrate takes no arguments, but was given %q", flags.Arg(0))}
	}
	cfg, _, err := load()
	if err != nil {
		return err
	}
	if *grants {
		sql, err := store.Grants(cfg.Store())
		_, _ = fmt.Fprint(out, sql)
		return err
	}
	if *withDemo && cfg.Env == config.Production {
		return usageError{errors.New("migrate --demo: the demo world's password is public, it is not for production")}
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
	if *withDemo {
		switch err := demo.Seed(ctx, st, time.Now()); {
		case errors.Is(err, demo.ErrNotDemo):
			_, _ = fmt.Fprintln(out, "no demo data: the database holds other tenants")
		case err != nil:
			return err
		default:
			applied = append(applied, "the demo world")
		}
	}
	if *indexes {
		made, err := st.MakeIndexes(ctx)
		for _, name := range made {
			applied = append(applied, "the index "+name)
		}
		if err != nil {
			return err
		}
	}
	for _, a := range applied {
		_, _ = fmt.Fprintln(out, "applied", a)
	}
	if len(applied) == 0 {
		_, _ = fmt.Fprintln(out, "nothing to do: the database is up to date")
	}
	return nil
}
