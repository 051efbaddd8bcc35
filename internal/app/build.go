package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/citaplanner/realtime/db/demo"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/apidocs"
	"github.com/citaplanner/realtime/internal/config"
	"github.com/citaplanner/realtime/internal/frontdoor"
	"github.com/citaplanner/realtime/internal/httpapi"
	"github.com/citaplanner/realtime/internal/hub"
	"github.com/citaplanner/realtime/internal/identity"
	"github.com/citaplanner/realtime/internal/inbox"
	"github.com/citaplanner/realtime/internal/limits"
	"github.com/citaplanner/realtime/internal/notify"
	"github.com/citaplanner/realtime/internal/outbox"
	"github.com/citaplanner/realtime/internal/reminders"
	"github.com/citaplanner/realtime/internal/returning"
	"github.com/citaplanner/realtime/internal/sessions"
	"github.com/citaplanner/realtime/internal/sio"
	"github.com/citaplanner/realtime/internal/telemetry"
	"github.com/citaplanner/realtime/pkg/contract"
	"github.com/citaplanner/realtime/pkg/engineio"
	"github.com/citaplanner/realtime/pkg/nextauth"
)

// openStore opens the database. The embedded one gets all tables and the demo world; the app's own gets our schema.
func (a *App) openStore(ctx context.Context) error {
	st, err := store.Open(ctx, store.Options{URL: a.cfg.Store(), DirectURL: a.cfg.DirectURL, Now: a.opts.Now,
		Logger: a.opts.Logger, Registry: a.opts.Metrics})
	if err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	a.Store = st
	a.closers = append(a.closers, st.Close)
	if a.cfg.AutoMigrate || a.cfg.Embedded() {
		applied, err := st.Migrate(ctx, store.MigrateOptions{OwnOnly: st.Dialect() == store.Postgres})
		if err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
		if len(applied) > 0 {
			a.opts.Logger.Info("database migrated", slog.Any("applied", applied))
		}
	}
	if st.Dialect() == store.Postgres {
		// A database without the tables is doctor's to explain.
		if missing, err := st.MissingIndexes(ctx); err == nil && len(missing) > 0 {
			a.opts.Logger.Warn("the inbox and reminders are slow on large tables: run realtime migrate --indexes",
				slog.Any("missing", missing))
		}
	}
	if a.cfg.Embedded() {
		if err := demo.Seed(ctx, st, a.opts.Now()); err != nil {
			return fmt.Errorf("demo data: %w", err)
		}
	}
	return nil
}

// build makes every part above the store. Nothing runs yet.
func (a *App) build(ctx context.Context) error {
	origins, err := identity.NewOrigins(a.cfg.AppURL, a.cfg.Origins)
	if err != nil {
		return fmt.Errorf("NEXTAUTH_URL, ALLOWED_ORIGINS: %w", err)
	}
	keys, err := nextauth.New(a.cfg.Secrets(), nextauth.Options{Now: a.opts.Now})
	if err != nil {
		return fmt.Errorf("NEXTAUTH_SECRET: %w", err)
	}
	reg, log := a.opts.Metrics, a.opts.Logger
	checks := identity.NewMetrics(reg)
	if a.cfg.EmitHTTP {
		if a.Keys, err = identity.NewEmitKeys(a.cfg.APIKeys, identity.EmitKeysOptions{Now: a.opts.Now, Metrics: checks}); err != nil {
			return fmt.Errorf("REALTIME_API_KEY: %w", err)
		}
	}
	people := identity.New(a.Store.Users, keys, origins, identity.Options{CacheTTL: a.cfg.UserCacheTTL,
		CacheSize: a.cfg.UserCacheSize, RecheckEvery: a.cfg.RecheckEvery, Now: a.opts.Now, Logger: log,
		Metrics: checks})
	// The hub needs the inbox, which sends through the hub: the sender is filled in last.
	out := &sender{}
	window := a.cfg.DedupWindow
	if window == 0 {
		window = -1 // the setting's 0 is "never"; the option's is "the default"
	}
	triggers := outbox.NewTriggers(a.Store)
	triggers.Refresh(ctx)
	a.notify = notify.New(a.Store, out, notify.Options{Now: a.opts.Now, Logger: log, DedupWindow: window,
		Triggered: triggers.Installed, Metrics: notify.NewMetrics(reg)})
	tap := a.newWire()
	left := outbox.New(a.Store, a.notify, outbox.Options{Now: a.opts.Now, Logger: log, Metrics: outbox.NewMetrics(reg)})
	box := inbox.New(a.Store, out, inbox.Options{Now: a.opts.Now, Logger: log, Metrics: inbox.NewMetrics(reg)})
	kept, err := a.newSessions()
	if err != nil {
		return err
	}
	links := hub.Deps{Identity: people, Inbox: box, Appointments: a.Store.Appointments, Missed: left.Missed}
	var back *returning.Service
	if a.cfg.ReplayLimit > 0 {
		back = a.newReturning(out)
		links.Returns = back
	}
	a.hub, err = hub.New(links, hub.Options{Socket: a.socketOptions(kept), Grace: a.cfg.OfflineGrace,
		MaxPerUser: a.cfg.MaxConnectionsUser, Events: limits.Rate{PerSecond: a.cfg.EventsPerSecond, Burst: a.cfg.EventBurst},
		Fanout: limits.Rate{PerSecond: a.cfg.FanoutPerSecond, Burst: a.cfg.FanoutBurst}, FanoutQueue: a.cfg.FanoutQueueBytes,
		ArrivalWait: a.cfg.InboxWait, Now: a.opts.Now, Logger: log, Metrics: hub.NewMetrics(reg), Wire: tap})
	if err != nil {
		return err
	}
	out.Hub = a.hub
	parts := map[string]httpapi.Readiness{"server": a, "database": a.Store, "outbox": left, "events": a.hub}
	due := a.newReminders(parts)
	bus, err := a.addRedis(parts)
	if err != nil {
		return err
	}
	a.services = map[string]service{"outbox": left, "notify": a.notify, "identity": watched{people, a.hub}, "memory": trimmer{},
		"reminders": due}
	if back != nil {
		a.services["returning"] = back
	}
	if kept != nil {
		a.services["sessions"] = kept
	}
	a.addDispatcher(triggers, bus, parts)
	deps := httpapi.Deps{Socket: a.hub, Bundle: a.hub.ClientBundle(), Notify: a.notify, Identity: people, Keys: a.Keys,
		Origins: origins, Stats: a.hub, Parts: parts, CronSecret: a.cfg.CronSecret, Reminders: due}
	if a.cfg.InboxRoutes == config.InboxRealtime {
		deps.Inbox, deps.Arrivals = box, a.hub
	}
	var gather http.Handler
	if a.cfg.Metrics {
		gather = telemetry.Handler(reg)
	}
	if a.cfg.OperatorAddr == "" && a.cfg.UpstreamURL == "" { // a front door is the whole world's
		deps.Gather = gather
	}
	if a.cfg.APIDocs {
		docs, err := apidocs.New(apidocs.Options{Serves: func(path string) bool {
			switch {
			case strings.HasPrefix(path, "/api/emit/"):
				return a.cfg.EmitHTTP
			case strings.HasPrefix(path, "/api/notifications"):
				return deps.Inbox != nil
			case path == "/metrics":
				return deps.Gather != nil
			}
			return true
		}})
		if err != nil {
			return err
		}
		deps.Docs = docs
	}
	if tap != nil {
		if deps.Pages, err = a.consolePages(people, origins, keys, tap); err != nil {
			return err
		}
	}
	trusted, err := frontdoor.ParseTrusted(a.cfg.TrustedProxies)
	if err != nil {
		return fmt.Errorf("TRUSTED_PROXIES: %w", err)
	}
	if a.cfg.UpstreamURL != "" {
		upstream, err := url.Parse(a.cfg.UpstreamURL)
		if err != nil {
			return fmt.Errorf("UPSTREAM_URL: %w", err)
		}
		a.door = frontdoor.New(frontdoor.Options{Upstream: upstream, AnswerTimeout: a.cfg.UpstreamTimeout, Logger: log,
			Metrics: frontdoor.NewMetrics(reg)})
		a.closers = append(a.closers, a.door.Close)
		deps.Upstream = a.door
	}
	a.api = httpapi.New(deps, httpapi.Options{Version: a.opts.Version, Logger: log, Now: a.opts.Now, Metrics: httpapi.NewMetrics(reg),
		BodyTimeout: a.cfg.BodyTimeout, Emits: limits.Rate{PerSecond: a.cfg.EmitsPerSecond, Burst: a.cfg.EmitBurst}})
	a.handler = frontdoor.Forwarded(trusted, a.api)
	if a.cfg.OperatorAddr != "" {
		a.operator = a.api.Operator(gather)
	}
	return nil
}

// newReminders makes the service that reminds by itself or, with REMINDERS=false, only when a cron calls.
func (a *App) newReminders(parts map[string]httpapi.Readiness) *reminders.Service {
	every := a.cfg.RemindersInterval
	if !a.cfg.Reminders {
		every = -1
	}
	due := reminders.New(a.Store, a.notify, reminders.Options{Every: every, Tolerance: a.cfg.RemindersTolerance, Now: a.opts.Now,
		Logger: a.opts.Logger, Metrics: reminders.NewMetrics(a.opts.Metrics)})
	if a.cfg.Reminders {
		parts["reminders"] = due
	}
	return due
}

// newReturning makes what tells users who come back what they have missed.
func (a *App) newReturning(out *sender) *returning.Service {
	// The same after a restart, where it can be: see returning.Options.Node.
	node := uuid.NewString()
	if host, err := os.Hostname(); err == nil && a.cfg.Port != 0 {
		node = net.JoinHostPort(host, strconv.Itoa(a.cfg.Port))
	}
	return returning.New(a.Store, out, notify.Replay, returning.Options{Limit: a.cfg.ReplayLimit, Grace: a.cfg.OfflineGrace,
		Recovery: a.cfg.RecoveryTime, Node: node, Now: a.opts.Now, Logger: a.opts.Logger, Metrics: returning.NewMetrics(a.opts.Metrics)})
}

// newSessions makes what clients come back for over restarts and processes; nil: there is no Redis, or no recovery.
func (a *App) newSessions() (*sessions.Store, error) {
	if a.cfg.RedisURL == "" || a.cfg.RecoveryTime <= 0 {
		return nil, nil
	}
	client, err := a.newRedis(-1)
	if err != nil {
		return nil, err
	}
	return sessions.New(client, sessions.Options{Prefix: a.cfg.RedisPrefix, Time: a.cfg.RecoveryTime, Bytes: a.cfg.RecoveryBytes,
		CacheBytes: a.cfg.RecoveryTotal, Now: a.opts.Now, Logger: a.opts.Logger, Metrics: sessions.NewMetrics(a.opts.Metrics)}), nil
}

func (a *App) socketOptions(kept *sessions.Store) sio.Options {
	handshakes := rateOf{limits.NewKeyed(limits.Rate{PerSecond: a.cfg.HandshakesPerSecond, Burst: a.cfg.HandshakeBurst}, a.opts.Now)}
	recovery := sio.Recovery{Time: a.cfg.RecoveryTime, Bytes: a.cfg.RecoveryBytes, Total: a.cfg.RecoveryTotal}
	if kept != nil { // a nil pointer is not a nil interface
		recovery.Shared = kept
	}
	return sio.Options{
		Engine: engineio.Options{
			PingInterval: a.cfg.PingInterval, PingTimeout: a.cfg.PingTimeout, UpgradeTimeout: a.cfg.UpgradeTimeout,
			MaxPayload: a.cfg.MaxPayload, QueueBytes: a.cfg.QueueBytes, QueueAge: a.cfg.QueueAge, MaxConns: a.cfg.MaxConnections,
			MaxConnsPerAddr: a.cfg.MaxConnectionsAddress, AddrKey: a.addrKey(), Admit: handshakes.take,
			InBytes: a.cfg.BytesPerSecond, InBurst: 2 * int(a.cfg.MaxPayload), BodyTimeout: a.cfg.BodyTimeout,
			Logger: a.opts.Logger, Metrics: engineio.NewMetrics(a.opts.Metrics),
		},
		Recovery:       recovery,
		MaxAttachments: a.cfg.MaxAttachments, MaxDepth: a.cfg.MaxNesting,
		ConnectTimeout: a.cfg.ConnectTimeout, Logger: a.opts.Logger, Metrics: sio.NewMetrics(a.opts.Metrics),
	}
}

// rateOf is the rate of one thing by key.
type rateOf struct{ *limits.Keyed }

func (r rateOf) take(key string) (time.Duration, bool) { return r.Take(key, 1) }

// addrKey is by what a request's connections are counted. It warns once of a proxy that is not among the trusted.
func (a *App) addrKey() func(*http.Request) string {
	warn := sync.OnceFunc(func() {
		a.opts.Logger.Warn("a proxy in front is not named in TRUSTED_PROXIES: nothing is limited by client address behind it")
	})
	return func(r *http.Request) string {
		if frontdoor.ByUnknownProxy(r) {
			warn()
			return ""
		}
		return engineio.AddrKey(r)
	}
}

// sender is the hub, once there is one.
type sender struct{ *hub.Hub }

// watched runs the re-checks over the hub's sockets.
type watched struct {
	people *identity.Service
	hub    *hub.Hub
}

func (w watched) Run(ctx context.Context) error { return w.people.Run(ctx, w.hub) }

// redisPart makes a Redis client a part of /readyz.
type redisPart struct{ client *redis.Client }

func (r redisPart) Ready(ctx context.Context) error {
	if err := r.client.Ping(ctx).Err(); err != nil {
		return contract.Wrap(contract.CodeUnavailable, "Redis does not answer", err)
	}
	return nil
}

// addRedis connects to Redis, where there is one.
func (a *App) addRedis(parts map[string]httpapi.Readiness) (*redis.Client, error) {
	if a.cfg.RedisURL == "" {
		return nil, nil
	}
	client, err := a.newRedis(0)
	if err != nil {
		return nil, err
	}
	parts["redis"] = redisPart{client}
	return client, nil
}

// quiet keeps the Redis library from writing lines of its own beside the log: what matters of its errors comes back to the callers.
type quiet struct{ log *slog.Logger }

func (q quiet) Printf(ctx context.Context, format string, v ...any) {
	q.log.DebugContext(ctx, "Redis", slog.String("said", fmt.Sprintf(format, v...)))
}

// newRedis makes a client that tries again so often; 0 is its default, -1 never.
func (a *App) newRedis(retries int) (*redis.Client, error) {
	o, err := redis.ParseURL(a.cfg.RedisURL)
	if err != nil {
		return nil, fmt.Errorf("REDIS_URL: %w", err)
	}
	o.DialTimeout, o.ReadTimeout, o.MaxRetries = time.Second, time.Second, retries
	redis.SetLogger(quiet{a.opts.Logger})
	client := redis.NewClient(o)
	a.closers = append(a.closers, client.Close)
	return client, nil
}
