package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/telemetry"
)

// openStore opens the database that the settings name; it migrates nothing.
func openStore(ctx context.Context, errOut io.Writer) (*store.Store, error) {
	cfg, _, err := load()
	if err != nil {
		return nil, err
	}
	return store.Open(ctx, store.Options{URL: cfg.Store(), DirectURL: cfg.DirectURL,
		Logger: telemetry.NewLogger(errOut, cfg.LogFormat, cfg.LogLevel)})
}

// triggers installs, removes or shows the triggers on the app's tables that emit by themselves.
func triggers(ctx context.Context, args []string, out, errOut io.Writer) error {
	if len(args) != 1 {
		return usageError{errors.New("triggers takes one argument: install, remove or status")}
	}
	act, ok := map[string]func(context.Context, *store.Store, io.Writer) error{
		"install": installTriggers, "remove": removeTriggers, "status": showTriggers,
	}[args[0]]
	if !ok {
		return usageError{fmt.Errorf("triggers takes install, remove or status, not %q", args[0])}
	}
	st, err := openStore(ctx, errOut)
	if err != nil {
		return err
	}
	defer func() { _ = st.Close() }()
	return act(ctx, st, out)
}

func installTriggers(ctx context.Context, st *store.Store, out io.Writer) error {
	made, err := st.InstallTriggers(ctx)
	if err != nil {
		return err
	}
	if len(made) == 0 {
		_, _ = fmt.Fprintln(out, "nothing to do: the triggers are there, at version", store.TriggerVersion)
		return nil
	}
	_, _ = fmt.Fprintf(out, "installed on %s: changes are emitted from now on\n", strings.Join(made, " and "))
	return nil
}

func removeTriggers(ctx context.Context, st *store.Store, out io.Writer) error {
	removed, err := st.RemoveTriggers(ctx)
	if err != nil {
		return err
	}
	if len(removed) == 0 {
		_, _ = fmt.Fprintln(out, "nothing to do: there are no triggers")
		return nil
	}
	_, _ = fmt.Fprintf(out, "removed from %s; what is committed already is still told\n", strings.Join(removed, " and "))
	return nil
}

// showTriggers fails when what is installed is not whole, so that a script can ask.
func showTriggers(ctx context.Context, st *store.Store, out io.Writer) error {
	list, err := st.Triggers(ctx)
	if err != nil {
		return err
	}
	current := 0
	for _, t := range list {
		state := "not installed"
		switch {
		case t.Installed && !t.Enabled:
			state = "version " + t.Version + ", switched off (ALTER TABLE … DISABLE TRIGGER): it does not fire"
		case t.Installed && t.Version != store.TriggerVersion:
			state = "version " + t.Version + ", fires; version " + store.TriggerVersion + " is current"
		case t.Installed:
			state = "version " + t.Version + ", fires"
			current++
		}
		_, _ = fmt.Fprintf(out, "%-14s  %s\n", t.Table, state)
	}
	if current < len(list) {
		return errors.New("not all triggers are installed: run realtime triggers install")
	}
	return nil
}
