package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/config"
	"github.com/citaplanner/realtime/internal/telemetry"
	"github.com/citaplanner/realtime/pkg/contract"
	"github.com/citaplanner/realtime/pkg/nextauth"
)

// maxTokenHours is how long a token of this command may live: it is for trying things.
const maxTokenHours = 24 * 30

// token prints a session token as NextAuth 4 makes it, for a user that exists.
func token(ctx context.Context, args []string, out, errOut io.Writer) error {
	flags := flag.NewFlagSet("token", flag.ContinueOnError)
	flags.SetOutput(errOut)
	user := flags.String("user", "", "id of a row of users or client_users")
	hours := flags.Int("hours", 24, "how many hours the token is good for, 1 to 720")
	force := flags.Bool("allow-production", false, "make a token in production too: whoever holds it is that user")
	if err := flags.Parse(args); err != nil {
		return usageError{err}
	}
	if *user == "" || flags.NArg() > 0 || *hours < 1 || *hours > maxTokenHours {
		return usageError{errors.New("usage: realtime token --user ID [--hours 1..720]")}
	}
	cfg, _, err := load()
	if err != nil {
		return err
	}
	if cfg.Env == config.Production && !*force {
		return usageError{errors.New("a token in production makes its holder that user: say --allow-production if that is meant")}
	}
	st, err := store.Open(ctx, store.Options{URL: cfg.Store(), DirectURL: cfg.DirectURL,
		Logger: telemetry.NewLogger(errOut, cfg.LogFormat, cfg.LogLevel)})
	if err != nil {
		return err
	}
	defer func() { _ = st.Close() }()
	u, err := st.Users.Account(ctx, *user)
	switch {
	case contract.CodeOf(err) == contract.CodeNotFound:
		return fmt.Errorf("there is no user %q; with the demo data, start the server once: it lists them", *user)
	case err != nil:
		return err
	case !u.Active:
		_, _ = fmt.Fprintf(errOut, "realtime: %s or its tenant is inactive: the server will refuse this token\n", u.ID)
	}
	keys, err := nextauth.New(cfg.Secrets(), nextauth.Options{})
	if err != nil {
		return err
	}
	now := time.Now()
	sealed, err := keys.SealV4(map[string]any{
		"sub": u.ID, "email": u.Email, "name": u.FirstName + " " + u.LastName, "role": string(u.Role), "tenantId": u.TenantID,
		"iat": now.Unix(), "exp": now.Add(time.Duration(*hours) * time.Hour).Unix(),
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, sealed)
	return err
}
