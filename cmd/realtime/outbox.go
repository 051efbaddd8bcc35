package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/citaplanner/realtime/db/store"
)

// outboxCommand lists occurrences that are not told yet or cannot be, shows, replays and drops them.
func outboxCommand(ctx context.Context, args []string, out, errOut io.Writer) error {
	name := "list"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	}
	act, ok := map[string]func(context.Context, *store.Store, []int64, outboxFlags, io.Writer) error{
		"list": listOccurrences, "show": showOccurrences, "replay": replayOccurrences, "drop": dropOccurrences,
	}[name]
	if !ok {
		return usageError{fmt.Errorf("outbox takes list, show, replay or drop, not %q", name)}
	}
	var f outboxFlags
	flags := flag.NewFlagSet("outbox "+name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	switch name {
	case "list":
		flags.BoolVar(&f.dead, "dead", false, "dead letters alone")
		flags.IntVar(&f.limit, "limit", 100, "how many")
	case "replay", "drop":
		flags.BoolVar(&f.all, "all", false, "all dead letters")
	}
	if err := flags.Parse(args); err != nil {
		return usageError{fmt.Errorf("outbox %s: %w", name, err)}
	}
	ids, err := occurrenceIDs(flags.Args())
	switch {
	case err != nil:
		return usageError{err}
	case name == "list" && len(ids) > 0, f.limit < 0:
		return usageError{errors.New("outbox list takes no ids, and a limit of 1 or more")}
	case name != "list" && (len(ids) > 0) == f.all:
		return usageError{fmt.Errorf("outbox %s takes the ids that outbox list shows, or (replay and drop) --all", name)}
	}
	st, err := openStore(ctx, errOut)
	if err != nil {
		return err
	}
	defer func() { _ = st.Close() }()
	return act(ctx, st, ids, f, out)
}

type outboxFlags struct {
	dead, all bool
	limit     int
}

func occurrenceIDs(args []string) ([]int64, error) {
	var ids []int64
	for _, a := range args {
		id, err := strconv.ParseInt(a, 10, 64)
		if err != nil || id < 1 {
			return nil, fmt.Errorf("%q is no id: outbox list shows them", a)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func listOccurrences(ctx context.Context, st *store.Store, _ []int64, f outboxFlags, out io.Writer) error {
	b, err := st.Occurrences.Backlog(ctx)
	if err != nil {
		return err
	}
	states := []store.OccurrenceState{store.OccurrenceDead}
	if !f.dead {
		states = append(states, store.OccurrencePending)
	}
	list, err := st.Occurrences.List(ctx, f.limit, states...)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "%d pending, %d dead letters\n", b.Pending, b.Dead)
	if len(list) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "ID\tSTATE\tKIND\tABOUT\tFROM\tWRITTEN\tATTEMPTS\tLAST ERROR")
	for _, o := range list {
		_, _ = fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n", o.ID, o.State, o.Kind, brief(o.Subject, 40), o.Source,
			o.CreatedAt.Format(time.RFC3339), o.Attempts, brief(o.Error, 80))
	}
	return w.Flush()
}

// brief is one line of at most n characters.
func brief(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// showOccurrences prints all of them, payload included: it holds what the app's routes and tables say.
func showOccurrences(ctx context.Context, st *store.Store, ids []int64, _ outboxFlags, out io.Writer) error {
	list, err := st.Occurrences.Get(ctx, ids...)
	if err != nil {
		return err
	}
	for _, o := range list {
		var payload bytes.Buffer
		if json.Indent(&payload, o.Payload, "", "  ") != nil {
			payload.Write(o.Payload)
		}
		_, _ = fmt.Fprintf(out, "id        %d\nstate     %s\nkind      %s\nabout     %s\ntenant    %s\nfrom      %s\nwritten   %s\nattempts  %d\n",
			o.ID, o.State, o.Kind, o.Subject, o.TenantID, o.Source, o.CreatedAt.Format(time.RFC3339Nano), o.Attempts)
		if !o.DueAt.IsZero() && o.State == store.OccurrencePending {
			_, _ = fmt.Fprintf(out, "due       %s\n", o.DueAt.Format(time.RFC3339Nano))
		}
		if o.Error != "" {
			_, _ = fmt.Fprintf(out, "error     %s\n", o.Error)
		}
		_, _ = fmt.Fprintf(out, "payload   %s\n\n", payload.String())
	}
	if len(list) < len(ids) {
		return fmt.Errorf("%d of %d are not there (any more): what was told is deleted", len(ids)-len(list), len(ids))
	}
	return nil
}

func replayOccurrences(ctx context.Context, st *store.Store, ids []int64, _ outboxFlags, out io.Writer) error {
	n, err := st.Occurrences.Replay(ctx, ids...)
	return didWith(out, "replayed", n, ids, err)
}

func dropOccurrences(ctx context.Context, st *store.Store, ids []int64, _ outboxFlags, out io.Writer) error {
	n, err := st.Occurrences.Discard(ctx, ids...)
	return didWith(out, "dropped", n, ids, err)
}

func didWith(out io.Writer, what string, n int64, ids []int64, err error) error {
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "%s %d dead letters\n", what, n)
	if n < int64(len(ids)) {
		return fmt.Errorf("%d of %d are no dead letters", int64(len(ids))-n, len(ids))
	}
	return nil
}
