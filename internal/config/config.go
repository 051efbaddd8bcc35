package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/joho/godotenv"
)

// The values of NODE_ENV.
const (
	Development = "development"
	Production  = "production"
	Test        = "test"
)

// The values of INBOX_ROUTES: who answers /api/notifications.
const (
	InboxRealtime = "realtime"
	InboxUpstream = "upstream"
)

// EmbeddedURL is the DATABASE_URL of the embedded default: a SQLite file with demo data in the current folder.
const EmbeddedURL = "sqlite:realtime-demo.db"

// minSecret is the shortest session secret that production takes, in characters (contract/auth.md).
const minSecret = 32

// minCronSecret is the shortest CRON_SECRET that production takes: what Vercel's documentation advises.
const minCronSecret = 16

// Config holds every setting. The zero value is not usable: Load makes one.
type Config struct {
	Env      string `env:"NODE_ENV" envDefault:"development" help:"development, production or test"`
	Port     int    `env:"PORT" envDefault:"3000" help:"TCP port to listen on; 0 picks a free one"`
	Hostname string `env:"HOSTNAME" help:"address to listen on; empty, or the machine's own name: all interfaces in production, localhost otherwise"`

	DatabaseURL string `env:"DATABASE_URL" help:"the app's database in Prisma's form, or sqlite:<file>; empty: sqlite:realtime-demo.db with demo data"`
	DirectURL   string `env:"DIRECT_URL" help:"direct PostgreSQL connection for migrations and LISTEN where DATABASE_URL goes through PgBouncer"`
	AutoMigrate bool   `env:"AUTO_MIGRATE" envDefault:"true" help:"create the server's own schema (never the app's tables) at start"`
	RedisURL    string `env:"REDIS_URL" help:"redis://host:6379/0; with it clients come back to their sockets over restarts and servers; checked by doctor and /readyz"`
	RedisPrefix string `env:"REDIS_PREFIX" envDefault:"realtime:" help:"what the names of the keys in Redis begin with; the same for all servers of one app, another one for each app"`

	Secret     string   `env:"NEXTAUTH_SECRET" help:"NextAuth secret; several separated by commas while one is rotated; made at first start in development"`
	AuthSecret string   `env:"AUTH_SECRET" help:"the name Auth.js v5 uses for NEXTAUTH_SECRET"`
	AppURL     string   `env:"NEXTAUTH_URL" help:"the app's address: its origin may sign in by cookie and read across origins; the server's own host is always allowed"`
	Origins    []string `env:"ALLOWED_ORIGINS" help:"further origins, separated by commas"`

	APIKeys  []string `env:"REALTIME_API_KEY" help:"API key of the emit endpoints; several separated by commas while one is rotated; made at first start in development"`
	EmitHTTP bool     `env:"EMIT_HTTP" envDefault:"true" help:"serve the emit endpoints"`
	APIDocs  bool     `env:"API_DOCS" envDefault:"true" help:"serve /api/docs, /api/openapi.json and /api/asyncapi.json"`
	Console  bool     `env:"CONSOLE" envDefault:"true" help:"serve the console at /console/: in production the operator's page, for ADMIN and SUPERADMIN sessions; with the demo data of development the demo, too"`

	UpstreamURL     string        `env:"UPSTREAM_URL" help:"front door: where Next.js listens, such as http://127.0.0.1:3001; every request that is not the server's own goes there"`
	UpstreamTimeout time.Duration `env:"UPSTREAM_TIMEOUT" envDefault:"2m" help:"how long Next.js may take until its answer begins; streams are never cut; 0 is for ever"`
	TrustedProxies  []string      `env:"TRUSTED_PROXIES" help:"whose X-Forwarded-* headers are believed: addresses, networks such as 10.0.0.0/8, loopback, private; separated by commas"`
	InboxRoutes     string        `env:"INBOX_ROUTES" envDefault:"realtime" help:"who answers /api/notifications: realtime, or upstream (the app)"`
	InboxWait       time.Duration `env:"INBOX_WAIT" envDefault:"1s" help:"how long the first list may wait for the page's own sockets to connect, 15% of it for the first of them to show up; 0 answers at once"`
	OperatorAddr    string        `env:"OPERATOR_ADDR" help:"a second address such as 127.0.0.1:9100 for /metrics, /healthz, /readyz and /debug/pprof; /metrics then leaves the public one, as it does behind UPSTREAM_URL"`

	PingInterval   time.Duration `env:"PING_INTERVAL" envDefault:"25s" help:"Engine.IO heartbeat interval"`
	PingTimeout    time.Duration `env:"PING_TIMEOUT" envDefault:"20s" help:"how long a heartbeat may stay unanswered"`
	UpgradeTimeout time.Duration `env:"UPGRADE_TIMEOUT" envDefault:"10s" help:"how long an upgrade to WebSocket may take"`
	ConnectTimeout time.Duration `env:"CONNECT_TIMEOUT" envDefault:"45s" help:"how long a connection may stay without a CONNECT packet"`
	MaxPayload     int64         `env:"MAX_PAYLOAD" envDefault:"1000000" help:"largest packet or polling body from a client, bytes"`
	QueueBytes     int           `env:"QUEUE_BYTES" envDefault:"4194304" help:"bytes that may wait for one client before it is closed as too slow"`
	QueueAge       time.Duration `env:"QUEUE_AGE" envDefault:"30s" help:"how long a packet may wait for one client before it is closed as too slow"`
	RecoveryTime   time.Duration `env:"RECOVERY_TIME" envDefault:"2m" help:"how long a client whose connection broke may come back to its socket and get what it missed; 0 switches that off"`
	RecoveryBytes  int           `env:"RECOVERY_BYTES" envDefault:"4194304" help:"bytes of events kept for that of one tenant"`
	RecoveryTotal  int           `env:"RECOVERY_TOTAL_BYTES" envDefault:"67108864" help:"bytes of events kept for that of all tenants"`
	MaxConnections int           `env:"MAX_CONNECTIONS" envDefault:"0" help:"connections in all; 0 is unlimited"`

	Limits                string        `env:"LIMITS" envDefault:"on" help:"off switches the rates and the numbers of connections of one address or user off, for benchmarks; sizes and times stay"`
	MaxConnectionsAddress int           `env:"MAX_CONNECTIONS_PER_ADDRESS" envDefault:"2000" help:"connections of one client address (of IPv6, one /64); not counted behind a proxy that TRUSTED_PROXIES does not name; 0 is unlimited"`
	MaxConnectionsUser    int           `env:"MAX_CONNECTIONS_PER_USER" envDefault:"100" help:"sockets of one user; 0 is unlimited"`
	HandshakesPerSecond   float64       `env:"HANDSHAKES_PER_SECOND" envDefault:"100" help:"handshakes a second of one client address; 0 is unlimited, as for every rate"`
	HandshakeBurst        int           `env:"HANDSHAKE_BURST" envDefault:"1000" help:"handshakes of one client address at once"`
	EventsPerSecond       float64       `env:"EVENTS_PER_SECOND" envDefault:"50" help:"events a second of one socket"`
	EventBurst            int           `env:"EVENT_BURST" envDefault:"200" help:"events of one socket at once"`
	BytesPerSecond        int           `env:"BYTES_PER_SECOND" envDefault:"262144" help:"bytes a second that one connection may send; faster ones are read more slowly"`
	EmitsPerSecond        float64       `env:"EMITS_PER_SECOND" envDefault:"2000" help:"emits a second of one API key or tenant token; a batch counts each entry"`
	EmitBurst             int           `env:"EMIT_BURST" envDefault:"10000" help:"emits of one API key or tenant token at once"`
	FanoutPerSecond       float64       `env:"FANOUT_PER_SECOND" envDefault:"50000" help:"deliveries a second of one tenant's broadcasts; more are queued and paced, so that one tenant cannot delay another"`
	FanoutBurst           int           `env:"FANOUT_BURST" envDefault:"10000" help:"deliveries of one tenant's broadcasts at once"`
	FanoutQueueBytes      int           `env:"FANOUT_QUEUE_BYTES" envDefault:"16777216" help:"bytes of broadcasts that may wait for one tenant; over it emits are answered with 429"`
	MaxAttachments        int           `env:"MAX_ATTACHMENTS" envDefault:"10" help:"binary attachments of one packet of a client"`
	MaxNesting            int           `env:"MAX_NESTING" envDefault:"32" help:"how deep arrays and objects of a client's packet may nest"`
	HeaderTimeout         time.Duration `env:"HEADER_TIMEOUT" envDefault:"10s" help:"how long the headers of a request may take to arrive"`
	BodyTimeout           time.Duration `env:"BODY_TIMEOUT" envDefault:"30s" help:"how long the body of a request to the server itself may take to arrive"`

	UserCacheTTL       time.Duration `env:"USER_CACHE_TTL" envDefault:"30s" help:"how long a user row is remembered"`
	UserCacheSize      int           `env:"USER_CACHE_SIZE" envDefault:"10000" help:"how many user rows are remembered"`
	RecheckEvery       time.Duration `env:"RECHECK_EVERY" envDefault:"20s" help:"how often the rights of connected users are read again"`
	OfflineGrace       time.Duration `env:"OFFLINE_GRACE" envDefault:"5s" help:"how long after its last socket a user counts as gone"`
	ReplayLimit        int           `env:"REPLAY_LIMIT" envDefault:"50" help:"how many unread notifications of the last seven days a user who comes back is sent, the newest, oldest first; at most 1000; 0 sends none, and no calendar:refresh"`
	DedupWindow        time.Duration `env:"DEDUP_WINDOW" envDefault:"5s" help:"the same notification about the same appointment within this time is sent once; 0 never leaves one out"`
	Reminders          bool          `env:"REMINDERS" envDefault:"true" help:"send appointment reminders; false leaves it to an external cron that calls /api/cron/send-reminders, or to nobody"`
	RemindersInterval  time.Duration `env:"REMINDERS_INTERVAL" envDefault:"10s" help:"how often to look for reminders that are due; at most 25s"`
	RemindersTolerance time.Duration `env:"REMINDERS_TOLERANCE" envDefault:"15m" help:"how late a reminder may still be sent after an outage, or between two calls of an external cron; never after the appointment's start"`
	CronSecret         string        `env:"CRON_SECRET" help:"opens /api/cron/send-reminders, as Authorization: Bearer; empty: there is no such route"`

	CanaryMaxAge time.Duration `env:"CANARY_MAX_AGE" envDefault:"10s" help:"how old the last event may be that the server sent itself through database, dispatcher, hub and Redis before /readyz fails; one is sent five times in it; 0 sends none"`
	DrainTime    time.Duration `env:"DRAIN_TIME" envDefault:"10s" help:"how long a stop may take"`

	Metrics   bool       `env:"METRICS" envDefault:"true" help:"serve /metrics"`
	LogLevel  slog.Level `env:"LOG_LEVEL" envDefault:"info" help:"debug, info, warn or error"`
	LogFormat string     `env:"LOG_FORMAT" help:"text or json; empty: json in production, text otherwise"`
}

// Load reads the environment, and in development the file .env of the current folder and the keys made at an earlier
// start (DevKeysFile); the environment wins over both. It returns an error of one line that names the variable.
func Load() (*Config, error) {
	vars := env.ToMap(os.Environ())
	mode := vars["NODE_ENV"]
	if mode == "" || mode == Development {
		if err := addFile(vars, ".env"); err != nil {
			return nil, err
		}
	}
	return Parse(vars)
}

// Parse checks the variables given.
func Parse(vars map[string]string) (*Config, error) {
	var c Config
	// An empty variable is an unset one: Compose files write NAME=${NAME:-}.
	set := make(map[string]string, len(vars))
	for k, v := range vars {
		if strings.TrimSpace(v) != "" {
			set[k] = strings.TrimSpace(v)
		}
	}
	if err := env.ParseWithOptions(&c, env.Options{Environment: set}); err != nil {
		return nil, firstProblem(err)
	}
	c.Origins, c.APIKeys, c.TrustedProxies = compact(c.Origins), compact(c.APIKeys), compact(c.TrustedProxies)
	if err := c.check(); err != nil {
		return nil, err
	}
	return &c, nil
}

// Embedded reports whether the server runs on its own SQLite file with demo data.
func (c *Config) Embedded() bool { return c.DatabaseURL == "" }

// Store is the URL of the database to open.
func (c *Config) Store() string {
	if c.Embedded() {
		return EmbeddedURL
	}
	return c.DatabaseURL
}

// Secrets lists the session secrets, the one in use first.
func (c *Config) Secrets() []string {
	s := c.Secret
	if s == "" {
		s = c.AuthSecret
	}
	return compact(strings.Split(s, ","))
}

// BaseURL is the address that a person on this machine types.
func (c *Config) BaseURL(port int) string { return fmt.Sprintf("http://localhost:%d", port) }

// ListenHost is the host to bind. A HOSTNAME that is the machine's own name was set by a shell or a container engine,
// not chosen by a person: binding it would hide the server from 127.0.0.1.
func (c *Config) ListenHost() string {
	own, _ := os.Hostname()
	if c.Hostname != "" && c.Hostname != own {
		return c.Hostname
	}
	if c.Env == Production {
		return ""
	}
	return "localhost"
}

func (c *Config) check() error {
	switch c.Env {
	case Development, Production, Test:
	default:
		return problem("NODE_ENV", "must be development, production or test, not %q", c.Env)
	}
	if c.Port < 0 || c.Port > 65535 {
		return problem("PORT", "must be 0 to 65535, not %d", c.Port)
	}
	switch c.LogFormat {
	case "":
		c.LogFormat = "text"
		if c.Env == Production {
			c.LogFormat = "json"
		}
	case "text", "json":
	default:
		return problem("LOG_FORMAT", "must be text or json, not %q", c.LogFormat)
	}
	if err := c.checkAddresses(); err != nil {
		return err
	}
	if err := c.checkNumbers(); err != nil {
		return err
	}
	if c.Env == Production {
		return c.checkProduction()
	}
	return nil
}

func (c *Config) checkAddresses() error {
	if c.DatabaseURL != "" && !hasScheme(c.DatabaseURL, "postgres://", "postgresql://", "sqlite:", "file:") {
		return problem("DATABASE_URL", "must begin with postgresql://, postgres://, sqlite: or file:")
	}
	if c.DirectURL != "" && !hasScheme(c.DirectURL, "postgres://", "postgresql://") {
		return problem("DIRECT_URL", "must begin with postgresql:// or postgres://")
	}
	if c.RedisURL != "" && !hasScheme(c.RedisURL, "redis://", "rediss://", "unix://") {
		return problem("REDIS_URL", "must begin with redis://, rediss:// or unix://")
	}
	if err := c.checkFrontDoor(); err != nil {
		return err
	}
	if err := checkOrigin("NEXTAUTH_URL", c.AppURL); err != nil {
		return err
	}
	for _, o := range c.Origins {
		if err := checkOrigin("ALLOWED_ORIGINS", o); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) checkFrontDoor() error {
	if err := checkOrigin("UPSTREAM_URL", c.UpstreamURL); err != nil {
		return err
	}
	if u, err := url.Parse(c.UpstreamURL); err == nil && (strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil) {
		return problem("UPSTREAM_URL", "must have no path, query or password: requests keep their own")
	}
	if c.InboxRoutes != InboxRealtime && c.InboxRoutes != InboxUpstream {
		return problem("INBOX_ROUTES", "must be realtime or upstream, not %q", c.InboxRoutes)
	}
	if c.OperatorAddr != "" {
		if _, _, err := net.SplitHostPort(c.OperatorAddr); err != nil {
			return problem("OPERATOR_ADDR", "must be host:port such as 127.0.0.1:9100, not %q", c.OperatorAddr)
		}
	}
	if c.UpstreamTimeout < 0 || c.InboxWait < 0 {
		return problem("UPSTREAM_TIMEOUT and INBOX_WAIT", "must not be negative")
	}
	return nil
}

func (c *Config) checkNumbers() error {
	for name, d := range map[string]time.Duration{
		"PING_INTERVAL": c.PingInterval, "PING_TIMEOUT": c.PingTimeout, "UPGRADE_TIMEOUT": c.UpgradeTimeout,
		"CONNECT_TIMEOUT": c.ConnectTimeout, "QUEUE_AGE": c.QueueAge, "USER_CACHE_TTL": c.UserCacheTTL,
		"RECHECK_EVERY": c.RecheckEvery, "DRAIN_TIME": c.DrainTime, "HEADER_TIMEOUT": c.HeaderTimeout, "BODY_TIMEOUT": c.BodyTimeout,
	} {
		if d <= 0 {
			return problem(name, "must be a time above zero such as 25s, not %s", d)
		}
	}
	if err := c.checkLimits(); err != nil {
		return err
	}
	if err := c.checkReminders(); err != nil {
		return err
	}
	if c.RecheckEvery > 50*time.Second || c.UserCacheTTL > 50*time.Second {
		// A connection must end within a minute of its right to exist (contract/auth.md).
		name := "RECHECK_EVERY"
		if c.UserCacheTTL > 50*time.Second {
			name = "USER_CACHE_TTL"
		}
		return problem(name, "must be at most 50s: a lost right has to end a connection within a minute")
	}
	if c.ReplayLimit < 0 || c.ReplayLimit > 1000 {
		return problem("REPLAY_LIMIT", "must be 0 to 1000, not %d", c.ReplayLimit)
	}
	if c.OfflineGrace < 0 || c.DedupWindow < 0 {
		return problem("OFFLINE_GRACE and DEDUP_WINDOW", "must not be negative")
	}
	if c.CanaryMaxAge != 0 && c.CanaryMaxAge < 500*time.Millisecond {
		return problem("CANARY_MAX_AGE", "must be 0 (none) or at least 500ms, not %s", c.CanaryMaxAge)
	}
	if c.RecoveryTime < 0 || c.RecoveryTime > time.Hour {
		return problem("RECOVERY_TIME", "must be at most 1h, or 0 for none, not %s", c.RecoveryTime)
	}
	if c.RecoveryBytes < 65536 || c.RecoveryTotal < c.RecoveryBytes {
		return problem("RECOVERY_BYTES", "must be at least 65536, and RECOVERY_TOTAL_BYTES no less")
	}
	if c.MaxPayload < 1024 {
		return problem("MAX_PAYLOAD", "must be at least 1024 bytes, not %d", c.MaxPayload)
	}
	if c.QueueBytes < 65536 {
		return problem("QUEUE_BYTES", "must be at least 65536 bytes, not %d", c.QueueBytes)
	}
	if c.MaxConnections < 0 || c.UserCacheSize < 1 {
		return problem("MAX_CONNECTIONS", "must not be negative, and USER_CACHE_SIZE must be above zero")
	}
	return nil
}

func (c *Config) checkReminders() error {
	if c.RemindersInterval <= 0 || c.RemindersInterval > 25*time.Second {
		return problem("REMINDERS_INTERVAL", "must be above zero and at most 25s, so that none is more than 30s late, not %s", c.RemindersInterval)
	}
	if c.RemindersTolerance < time.Minute || c.RemindersTolerance > 24*time.Hour {
		return problem("REMINDERS_TOLERANCE", "must be 1m to 24h, not %s", c.RemindersTolerance)
	}
	return nil
}

func (c *Config) checkLimits() error {
	switch c.Limits {
	case "on":
	case "off":
		c.MaxConnectionsAddress, c.MaxConnectionsUser, c.HandshakesPerSecond, c.EventsPerSecond, c.BytesPerSecond = 0, 0, 0, 0, 0
		c.EmitsPerSecond, c.FanoutPerSecond = 0, 0
	default:
		return problem("LIMITS", "must be on or off, not %q", c.Limits)
	}
	for name, v := range map[string]float64{
		"MAX_CONNECTIONS_PER_ADDRESS": float64(c.MaxConnectionsAddress), "MAX_CONNECTIONS_PER_USER": float64(c.MaxConnectionsUser),
		"HANDSHAKES_PER_SECOND": c.HandshakesPerSecond, "EVENTS_PER_SECOND": c.EventsPerSecond,
		"BYTES_PER_SECOND": float64(c.BytesPerSecond), "EMITS_PER_SECOND": c.EmitsPerSecond, "FANOUT_PER_SECOND": c.FanoutPerSecond,
	} {
		if !(v >= 0 && v <= 1e12) { // NaN is neither
			return problem(name, "must be 0 (unlimited) or above")
		}
	}
	for name, v := range map[string]int{
		"HANDSHAKE_BURST": c.HandshakeBurst, "EVENT_BURST": c.EventBurst, "EMIT_BURST": c.EmitBurst, "FANOUT_BURST": c.FanoutBurst,
		"FANOUT_QUEUE_BYTES": c.FanoutQueueBytes, "MAX_ATTACHMENTS": c.MaxAttachments, "MAX_NESTING": c.MaxNesting,
	} {
		if v < 1 {
			return problem(name, "must be above zero, not %d", v)
		}
	}
	return nil
}

func (c *Config) checkProduction() error {
	if c.DatabaseURL == "" {
		return problem("DATABASE_URL", "must be set in production: the app's own PostgreSQL URL")
	}
	secrets := c.Secrets()
	if len(secrets) == 0 {
		return problem("NEXTAUTH_SECRET", "must be set in production: the same value as the app's")
	}
	for _, s := range secrets {
		if len(s) < minSecret {
			return problem("NEXTAUTH_SECRET", "must have at least %d characters in production", minSecret)
		}
	}
	if c.EmitHTTP && len(c.APIKeys) == 0 {
		return problem("REALTIME_API_KEY", "must be set in production, or EMIT_HTTP=false")
	}
	for _, k := range c.APIKeys {
		if len(k) < minSecret {
			return problem("REALTIME_API_KEY", "must have at least %d characters in production", minSecret)
		}
		if slices.Contains(secrets, k) {
			return problem("REALTIME_API_KEY", "must differ from NEXTAUTH_SECRET: a leak of one would be a leak of both")
		}
	}
	if c.CronSecret != "" && len(c.CronSecret) < minCronSecret {
		return problem("CRON_SECRET", "must have at least %d characters in production", minCronSecret)
	}
	return nil
}

func problem(name, format string, args ...any) error {
	return fmt.Errorf("%s %s", name, fmt.Sprintf(format, args...))
}

// firstProblem turns the library's aggregate into one line that names the variable, and not its value: it may be secret.
func firstProblem(err error) error {
	var agg env.AggregateError
	if errors.As(err, &agg) && len(agg.Errors) > 0 {
		err = agg.Errors[0]
	}
	var pe env.ParseError
	if errors.As(err, &pe) {
		if f, ok := reflect.TypeFor[Config]().FieldByName(pe.Name); ok {
			return problem(f.Tag.Get("env"), "is not a valid %s", kindOf(f.Type))
		}
	}
	return err
}

func kindOf(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return "time such as 25s or 2m"
	case reflect.TypeFor[slog.Level]():
		return "log level (debug, info, warn, error)"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "whole number"
	}
	return t.String()
}

func checkOrigin(name, s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return problem(name, "must be an address such as https://app.example.com, not %q", s)
	}
	return nil
}

func hasScheme(s string, schemes ...string) bool {
	for _, p := range schemes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

func compact(in []string) []string {
	var out []string
	for _, s := range in {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

func addFile(vars map[string]string, name string) error {
	file, err := godotenv.Read(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s cannot be read: %w", name, err)
	}
	for k, v := range file {
		if _, ok := vars[k]; !ok {
			vars[k] = v
		}
	}
	return nil
}
