package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

// OutboxChannel is the NOTIFY channel that wakes the dispatchers: with an empty payload for a new occurrence, with
// "triggers" when triggers were installed or removed.
const OutboxChannel = "realtime_outbox"

// listenName is the application_name of listening connections, so that an administrator can tell them.
const listenName = "citaplanner-realtime-listen"

// How a listening connection is kept.
const (
	listenPing     = 10 * time.Second // a connection that says nothing for so long is asked whether it lives
	listenPatience = 5 * time.Second  // for connecting, and for that answer
	listenRetry    = 250 * time.Millisecond
	listenRetryMax = 10 * time.Second
)

// ErrNoListen means that this database cannot be listened to: SQLite, or PgBouncer without a DIRECT_URL.
var ErrNoListen = errors.New("there is no direct connection to listen on")

// listenConfig is a connection of its own, over DIRECT_URL where there is one.
func (s *Store) listenConfig() (*pgx.ConnConfig, error) {
	if s.dialect != Postgres {
		return nil, ErrNoListen
	}
	direct := s.opts.DirectURL
	if direct == "" {
		direct = s.opts.URL
	}
	target, err := parsePrismaURL(direct)
	if err != nil {
		return nil, fmt.Errorf("DIRECT_URL: %w", err)
	}
	if target.bouncer {
		return nil, ErrNoListen // a transaction's end takes the session, and what it listens to, away
	}
	config := target.config.ConnConfig
	config.RuntimeParams["application_name"] = listenName
	return config, nil
}

// Listen calls heard for every NOTIFY on the channel, and once whenever it has begun to listen, because what was said
// before was missed. It connects again with backoff until ctx ends; changed hears of each beginning (nil) and each loss.
// ErrNoListen where it cannot be done at all.
func (s *Store) Listen(ctx context.Context, channel string, heard func(payload string), changed func(err error)) error {
	config, err := s.listenConfig()
	if err != nil {
		return err
	}
	wait := listenRetry
	for ctx.Err() == nil {
		err := s.listenOnce(ctx, config, channel, func() {
			wait = listenRetry
			changed(nil)
			heard("")
		}, heard)
		if ctx.Err() != nil {
			break
		}
		changed(fault(err))
		select {
		case <-ctx.Done():
		case <-time.After(wait/2 + rand.N(wait)): //nolint:gosec // jitter
		}
		wait = min(2*wait, listenRetryMax)
	}
	return ctx.Err()
}

// listenOnce listens until the connection is lost.
func (s *Store) listenOnce(
	ctx context.Context, config *pgx.ConnConfig, channel string, begun func(), heard func(payload string),
) error {
	conn, err := s.beginListening(ctx, config, channel)
	if err != nil {
		return err
	}
	defer func() {
		brief, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(brief)
	}()
	begun()
	for {
		quiet, cancel := context.WithTimeout(ctx, listenPing)
		n, err := conn.WaitForNotification(quiet)
		cancel()
		switch {
		case err == nil:
			heard(n.Payload)
			continue
		case ctx.Err() != nil:
			return ctx.Err()
		case quiet.Err() == nil || conn.IsClosed():
			return err
		}
		asked, cancel := context.WithTimeout(ctx, listenPatience)
		err = conn.Ping(asked)
		cancel()
		if err != nil {
			return err
		}
	}
}

func (s *Store) beginListening(ctx context.Context, config *pgx.ConnConfig, channel string) (*pgx.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, listenPatience)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config.Copy())
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, `LISTEN `+pgx.Identifier{channel}.Sanitize()); err != nil {
		_ = conn.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	return conn, nil
}

// Notify says something on a channel; on SQLite nobody listens.
func (s *Store) Notify(ctx context.Context, channel, payload string) error {
	if s.dialect != Postgres {
		return nil
	}
	if _, err := s.exec(ctx, "notify", `SELECT pg_notify(?, ?)`, channel, payload); err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	return nil
}

// ProbeListen says something and reports whether a listening connection hears it: whether dispatchers are woken.
func (s *Store) ProbeListen(ctx context.Context) error {
	config, err := s.listenConfig()
	if err != nil {
		return err
	}
	const channel = OutboxChannel + "_probe"
	conn, err := s.beginListening(ctx, config, channel)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if err := s.Notify(ctx, channel, ""); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, listenPatience)
	defer cancel()
	_, err = conn.WaitForNotification(ctx)
	return err
}
