package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/citaplanner/realtime/internal/config"
)

func printVersion(_ context.Context, _ []string, out, _ io.Writer) error {
	_, err := fmt.Fprintf(out, "realtime %s (%s %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

func help(_ context.Context, _ []string, out, _ io.Writer) error {
	_, _ = fmt.Fprint(out, "CitaPlanner Realtime: the Socket.IO and notification server of CitaPlanner.\n\nUsage: realtime [subcommand]\n\n")
	for _, c := range commands() {
		_, _ = fmt.Fprintf(out, "  %-30s %s\n", c.name+" "+c.args, c.help)
	}
	_, _ = fmt.Fprint(out, "\nSettings, read from the environment and in development from the file .env (name, default, meaning):\n\n")
	config.WriteHelp(out)
	return nil
}

// health asks the server on this machine; a container image without a shell has no curl.
func health(ctx context.Context, _ []string, _, _ io.Writer) error {
	cfg, err := config.Load()
	if err != nil {
		return usageError{err}
	}
	host := cfg.ListenHost()
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	url := "http://" + net.JoinHostPort(host, strconv.Itoa(cfg.Port)) + "/healthz"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, res.Status)
	}
	return nil
}
