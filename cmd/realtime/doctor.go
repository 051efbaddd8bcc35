package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/config"
)

// doctorTimeout bounds each thing that doctor asks over the network.
const doctorTimeout = 10 * time.Second

// finding is one line of the report; advice says what to do, empty where nothing is wrong.
type finding struct{ level, subject, problem, advice string }

// The levels of a finding.
const (
	levelOK      = "ok"
	levelWarning = "warning"
	levelError   = "error"
)

// doctor checks what the server needs and says what to do about each finding. It changes nothing.
func doctor(ctx context.Context, args []string, out, _ io.Writer) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("doctor takes no arguments, but was given %q", args[0])}
	}
	cfg, err := config.Load()
	if err != nil {
		return usageError{err}
	}
	findings := checkSettings(cfg)
	findings = append(findings, checkPort(ctx, cfg))
	findings = append(findings, checkDatabase(ctx, cfg)...)
	findings = append(findings, checkRedis(ctx, cfg)...)
	bad := 0
	for _, f := range findings {
		mark := map[string]string{levelOK: "ok     ", levelWarning: "WARNING", levelError: "ERROR  "}[f.level]
		_, _ = fmt.Fprintf(out, "%s  %s: %s\n", mark, f.subject, f.problem)
		if f.advice != "" && f.level != levelOK {
			_, _ = fmt.Fprintf(out, "         → %s\n", f.advice)
		}
		if f.level == levelError {
			bad++
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d checks failed", bad, len(findings))
	}
	return nil
}

func checkSettings(cfg *config.Config) []finding {
	var out []finding
	switch secrets := cfg.Secrets(); {
	case len(secrets) == 0:
		out = append(out, finding{levelWarning, "NEXTAUTH_SECRET", "not set: development makes one of its own, which the app does not know",
			"set it to the app's value, so that the app's sessions sign in"})
	case len(secrets[0]) < 32:
		out = append(out, finding{levelWarning, "NEXTAUTH_SECRET", "shorter than 32 characters: production refuses it", "openssl rand -base64 32, in the app as well"})
	default:
		out = append(out, finding{levelOK, "NEXTAUTH_SECRET", fmt.Sprintf("%d in use", len(secrets)), ""})
	}
	switch {
	case !cfg.EmitHTTP:
		out = append(out, finding{levelOK, "REALTIME_API_KEY", "not needed: EMIT_HTTP is off", ""})
	case len(cfg.APIKeys) == 0:
		out = append(out, finding{levelWarning, "REALTIME_API_KEY", "not set: development makes one of its own",
			"openssl rand -base64 32, the same in the app's environment"})
	default:
		out = append(out, finding{levelOK, "REALTIME_API_KEY", fmt.Sprintf("%d in use", len(cfg.APIKeys)), ""})
	}
	switch {
	case cfg.Reminders:
		out = append(out, finding{levelOK, "REMINDERS", "sent by the server", ""})
	case cfg.CronSecret == "":
		out = append(out, finding{levelWarning, "REMINDERS", "off, and without CRON_SECRET no cron can call for them either",
			"REMINDERS=true, or CRON_SECRET=$(openssl rand -base64 24) and a cron; ignore this if the app reminds by itself"})
	default:
		out = append(out, finding{levelOK, "REMINDERS", "sent when a cron calls /api/cron/send-reminders", ""})
	}
	if cfg.AppURL == "" {
		out = append(out, finding{levelWarning, "NEXTAUTH_URL", "not set: only pages of this server's own host sign in by cookie",
			"set it to the address that browsers open"})
	} else {
		out = append(out, finding{levelOK, "NEXTAUTH_URL", cfg.AppURL, ""})
	}
	return out
}

// checkPort finds out whether the port is free, or this server is what listens there.
func checkPort(ctx context.Context, cfg *config.Config) finding {
	subject := fmt.Sprintf("PORT %d", cfg.Port)
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(cfg.ListenHost(), strconv.Itoa(cfg.Port)))
	if err == nil {
		_ = l.Close()
		return finding{levelOK, subject, "free", ""}
	}
	url := fmt.Sprintf("http://127.0.0.1:%d/api/socket", cfg.Port)
	req, rerr := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if rerr == nil {
		if res, derr := http.DefaultClient.Do(req); derr == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK && res.Header.Get("Content-Type") != "" {
				return finding{levelOK, subject, "a Socket.IO endpoint answers there: this server seems to be running", ""}
			}
		}
	}
	return finding{levelError, subject, err.Error(), "stop what listens there, or set PORT or HOSTNAME"}
}

func checkDatabase(ctx context.Context, cfg *config.Config) []finding {
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	st, err := store.Open(ctx, store.Options{URL: cfg.Store(), DirectURL: cfg.DirectURL, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return []finding{{levelError, "DATABASE_URL", err.Error(), "check host, port, user, password and database name; is the database up?"}}
	}
	defer func() { _ = st.Close() }()
	found, err := st.Inspect(ctx)
	var out []finding
	for _, f := range found {
		out = append(out, finding{string(f.Level), f.Subject, f.Problem, f.Advice})
	}
	if err != nil {
		out = append(out, finding{levelError, "database", err.Error(), "look at the database's own log"})
	}
	return out
}

func checkRedis(ctx context.Context, cfg *config.Config) []finding {
	if cfg.RedisURL == "" {
		return []finding{{levelOK, "REDIS_URL", "not set: one node", ""}}
	}
	o, err := redis.ParseURL(cfg.RedisURL)
	if err != nil {
		return []finding{{levelError, "REDIS_URL", err.Error(), "it must look like redis://user:password@host:6379/0"}}
	}
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	client := redis.NewClient(o)
	defer func() { _ = client.Close() }()
	if err := client.Ping(ctx).Err(); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			err = errors.New("no answer")
		}
		return []finding{{levelError, "Redis", err.Error(), "is it up, and reachable from here?"}}
	}
	return append([]finding{{levelOK, "Redis", "answers", ""}}, inspectRedis(ctx, client)...)
}

// inspectRedis looks for what recovery over restarts needs. A Redis that does not say is not complained of.
func inspectRedis(ctx context.Context, client *redis.Client) (out []finding) {
	info, err := client.InfoMap(ctx, "server", "memory").Result()
	if err != nil {
		return nil
	}
	version := info["Server"]["redis_version"]
	var major, minor int
	if n, _ := fmt.Sscanf(version, "%d.%d", &major, &minor); n == 2 && (major < 6 || major == 6 && minor < 2) {
		out = append(out, finding{levelError, "Redis", "version " + version + " is too old for recovery over restarts", "use 6.2 or later"})
	}
	if policy := info["Memory"]["maxmemory_policy"]; strings.HasPrefix(policy, "allkeys-") || strings.HasPrefix(policy, "volatile-") {
		out = append(out, finding{levelWarning, "Redis", "maxmemory-policy " + policy + " evicts keys: clients are then not recovered",
			"use noeviction, or enough memory"})
	}
	return out
}
