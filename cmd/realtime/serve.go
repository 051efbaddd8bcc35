package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/citaplanner/realtime/db/demo"
	"github.com/citaplanner/realtime/internal/app"
	"github.com/citaplanner/realtime/internal/config"
	"github.com/citaplanner/realtime/internal/telemetry"
)

// openTimeout bounds opening and migrating the database at start.
const openTimeout = time.Minute

// gcPercent is Go's GOGC: half as many collections as by default, which cost a seventh of a sign-in's CPU. What a burst
// leaves behind is given back by internal/app.
const gcPercent = 200

// load reads the settings; a wrong one is one line and exit code 2.
func load() (*config.Config, bool, error) {
	cfg, err := config.Load()
	if err != nil {
		return nil, false, usageError{err}
	}
	made, err := cfg.FillDevelopment()
	if err != nil {
		return nil, false, usageError{err}
	}
	return cfg, made, nil
}

func serve(ctx context.Context, args []string, out, errOut io.Writer) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("serve takes no arguments, but was given %q", args[0])}
	}
	cfg, madeKeys, err := load()
	if err != nil {
		return err
	}
	log := telemetry.NewLogger(errOut, cfg.LogFormat, cfg.LogLevel)
	if was := debug.SetGCPercent(gcPercent); was != 100 { // GOGC in the environment wins
		debug.SetGCPercent(was)
	}
	openCtx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	a, err := app.New(openCtx, cfg, app.Options{Version: version, Logger: log})
	if err != nil {
		return err
	}
	defer func() { _ = a.Close() }()
	if err := a.Listen(); err != nil {
		return usageError{err}
	}
	base := cfg.BaseURL(a.Addr().Port)
	log.Info("Socket.IO server initialized", slog.String("path", "/api/socket"), slog.String("version", version))
	log.Info("Ready on " + base)
	if cfg.Env != config.Production {
		banner(out, cfg, base, madeKeys)
	}
	return a.Run(ctx)
}

// banner says what a newcomer does next. It is for development alone: it shows the keys.
func banner(out io.Writer, cfg *config.Config, base string, madeKeys bool) {
	var b strings.Builder
	fmt.Fprintf(&b, "\n  CitaPlanner Realtime %s is ready on %s\n\n", version, base)
	if app.Demonstrates(cfg) {
		fmt.Fprintf(&b, "  Open %s/ to see two users side by side.\n\n", base)
	}
	if cfg.Embedded() {
		users := demo.Describe()
		fmt.Fprintf(&b, "  Demo data in %s; its users:\n", strings.TrimPrefix(config.EmbeddedURL, "sqlite:"))
		for _, u := range users {
			state := ""
			if !u.Active {
				state = " (inactive: sign-in is refused)"
			}
			fmt.Fprintf(&b, "    %-18s %-22s %-13s %s%s\n", u.ID, u.Name, u.Role, u.Tenant, state)
		}
		fmt.Fprintf(&b, "\n  A session token of a demo user, to connect with: io('%s', {path: '/api/socket', auth: {token}})\n", base)
		fmt.Fprintf(&b, "    go run ./cmd/realtime token --user %s\n", demo.UserID)
		if cfg.EmitHTTP && len(cfg.APIKeys) > 0 {
			fmt.Fprintf(&b, "\n  Emit an appointment to everyone of its tenant, as an API route does:\n")
			fmt.Fprintf(&b, "    curl -X POST %s/api/emit/appointments/created \\\n      -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' \\\n      -d '{\"appointmentId\":\"%s\",\"tenantId\":\"%s\"}'\n",
				base, cfg.APIKeys[0], demo.AppointmentID, demo.TenantID)
			fmt.Fprintf(&b, "\n  See who is connected:\n    curl -H 'Authorization: Bearer %s' %s/api/socket/stats\n", cfg.APIKeys[0], base)
		}
	}
	if madeKeys {
		fmt.Fprintf(&b, "\n  NEXTAUTH_SECRET and REALTIME_API_KEY were not set; development ones are kept in %s.\n  Next.js accepts the same sessions with\n    NEXTAUTH_SECRET=%s\n", config.DevKeysFile, cfg.Secrets()[0])
	}
	fmt.Fprintf(&b, "\n  What can be set: go run ./cmd/realtime help. What is wrong: go run ./cmd/realtime doctor.\n\n")
	_, _ = io.WriteString(out, b.String())
}
