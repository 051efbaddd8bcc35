package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/citaplanner/realtime/db/demo"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/config"
	"github.com/citaplanner/realtime/internal/frontdoor"
	"github.com/citaplanner/realtime/internal/http1"
	"github.com/citaplanner/realtime/internal/httpapi"
	"github.com/citaplanner/realtime/internal/hub"
	"github.com/citaplanner/realtime/internal/identity"
	"github.com/citaplanner/realtime/internal/notify"
	"github.com/citaplanner/realtime/internal/outbox"
	"github.com/citaplanner/realtime/internal/reminders"
	"github.com/citaplanner/realtime/internal/telemetry"
	"github.com/citaplanner/realtime/pkg/contract"
)

// service is what runs until its context ends.
type service interface {
	Run(ctx context.Context) error
}

// Options of New that are not settings.
type Options struct {
	Version string
	Logger  *slog.Logger         // nil discards
	Now     func() time.Time     // nil is time.Now
	Metrics *prometheus.Registry // nil makes one
}

// App is a server: built by New, run by Run.
type App struct {
	cfg  *config.Config
	opts Options

	Store    *store.Store
	Keys     *identity.EmitKeys
	hub      *hub.Hub
	notify   *notify.Service
	api      *httpapi.API
	handler  http.Handler    // api behind the check of X-Forwarded-*
	door     *frontdoor.Door // nil: none
	operator http.Handler    // for OPERATOR_ADDR; nil: none
	services map[string]service
	closers  []func() error

	listening sync.Mutex
	listener  net.Listener
	private   net.Listener // OPERATOR_ADDR's; nil: none
	stopping  atomic.Bool
}

// New opens the database, brings the server's own schema up to date and builds every part. ctx bounds the opening alone.
func New(ctx context.Context, cfg *config.Config, o Options) (*App, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Metrics == nil {
		o.Metrics = telemetry.NewRegistry(o.Version)
	}
	a := &App{cfg: cfg, opts: o}
	if err := a.openStore(ctx); err != nil {
		return nil, err
	}
	if err := a.build(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// Handler serves every route of the server.
func (a *App) Handler() http.Handler { return a.handler }

// Hub sends to sockets and tells who is connected.
func (a *App) Hub() *hub.Hub { return a.hub }

// Notify is the notification service.
func (a *App) Notify() *notify.Service { return a.notify }

// Listen binds the configured address; Run does it where nobody has.
func (a *App) Listen() error {
	a.listening.Lock()
	defer a.listening.Unlock()
	if a.listener != nil {
		return nil
	}
	addr := net.JoinHostPort(a.cfg.ListenHost(), strconv.Itoa(a.cfg.Port))
	// Keep-alive probes are for connections that nothing else watches: package http1 switches them on for those.
	l, err := (&net.ListenConfig{KeepAlive: -1}).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return fmt.Errorf("PORT %d (HOSTNAME %q) cannot be listened on: %w", a.cfg.Port, a.cfg.ListenHost(), err)
	}
	if a.operator != nil {
		if a.private, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", a.cfg.OperatorAddr); err != nil {
			_ = l.Close()
			return fmt.Errorf("OPERATOR_ADDR %q cannot be listened on: %w", a.cfg.OperatorAddr, err)
		}
	}
	a.listener = l
	return nil
}

// OperatorAddr is where operators are served, nil without OPERATOR_ADDR and before Listen.
func (a *App) OperatorAddr() net.Addr {
	a.listening.Lock()
	defer a.listening.Unlock()
	if a.private == nil {
		return nil
	}
	return a.private.Addr()
}

// Addr is where the server listens, nil before Listen.
func (a *App) Addr() *net.TCPAddr {
	a.listening.Lock()
	defer a.listening.Unlock()
	if a.listener == nil {
		return nil
	}
	addr, _ := a.listener.Addr().(*net.TCPAddr)
	return addr
}

// Run listens and serves until ctx ends, then stops as Serve says.
func (a *App) Run(ctx context.Context) error {
	if err := a.Listen(); err != nil {
		return err
	}
	runCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	start := func(srv httpServer, l net.Listener) httpServer {
		go func() {
			if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				cancel(fmt.Errorf("serve: %w", err))
			}
		}()
		return srv
	}
	if a.private != nil {
		operator := start(a.netHTTP(a.operator), a.private)
		defer func() { _ = operator.Close() }() // last: a stop can be watched
	}
	return a.serve(runCtx, start(http1.New(http1.Options{Handler: a.Handler(), Fast: httpapi.Fast, Rest: a.netHTTP(a.Handler()),
		HeaderTimeout: a.cfg.HeaderTimeout, BodyTimeout: a.cfg.BodyTimeout, IdleTimeout: idleTimeout, Logger: a.opts.Logger,
		Metrics: http1.NewMetrics(a.opts.Metrics)}), a.listener))
}

// httpServer is what serves a listener.
type httpServer interface {
	Serve(l net.Listener) error
	Shutdown(ctx context.Context) error
	Close() error
}

// idleTimeout is how long an HTTP connection is kept without a request.
const idleTimeout = 75 * time.Second

func (a *App) netHTTP(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h,
		// A session cookie in chunks is a few kilobytes; 64 KiB leaves room and bounds a flood of headers.
		MaxHeaderBytes:    64 << 10,
		ReadHeaderTimeout: a.cfg.HeaderTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(a.opts.Logger.Handler(), slog.LevelDebug),
	}
}

// Serve runs what works in the background, for programs that mount Handler in a server of their own. When ctx ends it
// stops: not ready, emits under way finished, queues flushed, sockets told to come back, background work finished, within
// the drain time.
func (a *App) Serve(ctx context.Context) error { return a.serve(ctx, nil) }

func (a *App) serve(ctx context.Context, srv httpServer) error {
	// What works in the background outlives ctx: it has to deliver what the drain still brings.
	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBackground()
	group, groupCtx := errgroup.WithContext(background)
	for name, s := range a.services {
		group.Go(func() error {
			if err := s.Run(groupCtx); err != nil && !errors.Is(err, context.Canceled) {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
	}
	select {
	case <-ctx.Done():
	case <-groupCtx.Done(): // a service failed
	}
	drainErr := a.drain(srv)
	stopBackground()
	err := group.Wait()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = errors.Join(cause, err)
	}
	return errors.Join(err, drainErr)
}

// drain is the stop, bounded by the drain time: what is left then is cut, which is logged and is no error.
func (a *App) drain(srv httpServer) error {
	a.stopping.Store(true)
	start := a.opts.Now()
	ctx, cancel := context.WithTimeout(context.Background(), a.cfg.DrainTime)
	defer cancel()
	a.opts.Logger.Info("stopping", slog.Int("sockets", a.hub.Stats().TotalConnections), slog.Duration("within", a.cfg.DrainTime))
	closed := make(chan error, 1)
	if srv != nil {
		go func() { closed <- srv.Shutdown(ctx) }() // closes the listener at once, waits for requests
	} else {
		closed <- nil
	}
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"emits under way", a.api.Drain},
		{"sockets", a.hub.Shutdown},
		{"upgraded connections", a.closeDoor},
		{"requests", func(context.Context) error { return <-closed }},
	} {
		if err := step.run(ctx); err != nil {
			a.opts.Logger.Warn("the drain time is over", slog.String("left", step.name), slog.Any("error", err))
		}
	}
	if srv != nil {
		_ = srv.Close()
	}
	a.opts.Logger.Info("stopped", slog.Duration("took", a.opts.Now().Sub(start)))
	return nil
}

// closeDoor ends the WebSockets of Next.js that go through the front door.
func (a *App) closeDoor(context.Context) error {
	if a.door == nil {
		return nil
	}
	return a.door.Close()
}

// Close closes the database. It is called after Run or Serve, or instead of them.
func (a *App) Close() error {
	var err error
	for i := len(a.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, a.closers[i]())
	}
	a.closers = nil
	return err
}

// errStopping is what /readyz shows while the server stops.
var errStopping = contract.NewError(contract.CodeUnavailable, "stopping")

// Ready makes App the part "server" of /readyz.
func (a *App) Ready(context.Context) error {
	if a.stopping.Load() {
		return errStopping
	}
	return nil
}

var (
	_ service           = (*outbox.Outbox)(nil)
	_ service           = (*reminders.Service)(nil)
	_ httpapi.Readiness = (*store.Store)(nil)
	_                   = demo.Seed
)
