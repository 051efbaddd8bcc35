package store

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// pgTarget is what Prisma's DATABASE_URL says, in terms of pgx.
// Rules: https://www.prisma.io/docs/orm/overview/databases/postgresql#arguments
type pgTarget struct {
	config       *pgxpool.Config
	schema       string
	bouncer      bool
	poolTimeout  time.Duration // wait for a free connection, 0 for no bound
	queryTimeout time.Duration // socket_timeout, 0 when not given
	warnings     []string      // for the log; they hold no values but paths
}

// passed are parameters that mean to pgx what they mean to Prisma.
var passed = []string{
	"host", "application_name", "options", "target_session_attrs", "channel_binding", "sslrootcert", "sslkey",
	"sslnegotiation", "sslsni", "gssencmode", "krbspn",
}

// parsePrismaURL reads the whole of Prisma's connection URL. A parameter that nobody knows is a warning, since the app
// starts with it; one that is known and wrong is an error that names it. No error holds the URL: it has the password.
func parsePrismaURL(raw string) (*pgTarget, error) {
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil {
		return nil, errors.New("not a valid URL: special characters in the user name and password must be " +
			"percent-encoded (# as %23, @ as %40, / as %2F)")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("its parameters are not valid: special characters must be percent-encoded")
	}
	if strings.Trim(u.Path, "/") == "" {
		return nil, errors.New("it names no database")
	}
	p := prismaParams{query: query, used: map[string]bool{}, settings: url.Values{}}
	t := &pgTarget{schema: "public"}
	for _, step := range []func(*pgTarget){p.names, p.pool, p.timeouts, p.tls} {
		if step(t); p.err != nil {
			return nil, p.err
		}
	}
	t.warnings = append(t.warnings, p.unknown()...)

	u.RawQuery = p.settings.Encode()
	config, err := pgxpool.ParseConfig(u.String())
	if err != nil {
		return nil, err // pgx blots the password out
	}
	p.apply(t, config)
	return t, nil
}

// prismaParams reads parameters one after the other, and remembers the first error.
type prismaParams struct {
	query    url.Values
	used     map[string]bool
	settings url.Values // for pgx
	err      error

	limit, cacheSize  int
	lifetime, maxIdle time.Duration
}

// get is the last value of a parameter, as in Prisma.
func (p *prismaParams) get(name string) (string, bool) {
	p.used[name] = true
	values := p.query[name]
	if len(values) == 0 {
		return "", false
	}
	return values[len(values)-1], true
}

func (p *prismaParams) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

// number is a whole number of at least 0, or def.
func (p *prismaParams) number(name string, def int) int {
	text, ok := p.get(name)
	if !ok || text == "" {
		return def
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > math.MaxInt32 {
		p.fail("%s must be a whole number, 0 or more", name)
		return def
	}
	return n
}

// seconds is number as a duration.
func (p *prismaParams) seconds(name string, def int) time.Duration {
	return time.Duration(p.number(name, def)) * time.Second
}

// flag is true, false or not given.
func (p *prismaParams) flag(name string) bool {
	switch text, _ := p.get(name); strings.ToLower(text) {
	case "", "false", "0":
		return false
	case "true", "1":
		return true
	}
	p.fail("%s must be true or false", name)
	return false
}

func (p *prismaParams) names(t *pgTarget) {
	if schema, ok := p.get("schema"); ok && schema != "" {
		if strings.ContainsAny(schema, ".\"\x00") || len(schema) > 63 {
			p.fail("schema is not a usable name")
			return
		}
		t.schema = schema
	}
	t.bouncer = p.flag("pgbouncer")
	for _, name := range passed {
		if value, ok := p.get(name); ok && value != "" {
			p.settings.Set(name, value)
		}
	}
	if !p.settings.Has("application_name") {
		p.settings.Set("application_name", "citaplanner-realtime")
	}
}

func (p *prismaParams) pool(t *pgTarget) {
	p.limit = p.number("connection_limit", runtime.NumCPU()*2+1) // Prisma's default
	if p.limit == 0 {
		p.fail("connection_limit must be 1 or more")
	}
	p.cacheSize = p.number("statement_cache_size", 500)
	p.lifetime = p.seconds("max_connection_lifetime", 0)
	p.maxIdle = p.seconds("max_idle_connection_lifetime", 300)
	if p.flag("single_use_connections") {
		t.warnings = append(t.warnings, "single_use_connections is ignored: connections are always pooled")
	}
}

func (p *prismaParams) timeouts(t *pgTarget) {
	t.poolTimeout = p.seconds("pool_timeout", 10)
	t.queryTimeout = p.seconds("socket_timeout", 0)
	p.settings.Set("connect_timeout", strconv.Itoa(p.number("connect_timeout", 5)))
}

// tls turns Prisma's TLS parameters into libpq's, which pgx reads: sslaccept says whether the certificate is checked
// (by default it is not), sslcert is the certificate authority.
func (p *prismaParams) tls(t *pgTarget) {
	mode, ok := p.get("sslmode")
	if !ok || mode == "" {
		mode = "prefer"
	}
	if !slices.Contains([]string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}, mode) {
		p.fail("sslmode must be disable, prefer or require (or libpq's allow, verify-ca, verify-full)")
		return
	}
	accept, _ := p.get("sslaccept")
	if accept != "" && accept != "strict" && accept != "accept_invalid_certs" {
		p.fail("sslaccept must be strict or accept_invalid_certs")
		return
	}
	if _, ok := p.get("sslidentity"); ok && mode != "disable" {
		p.fail("sslidentity (a PKCS#12 file) is not supported: convert it with " +
			"\"openssl pkcs12 -in client.p12 -out client.pem -nodes\" and set sslcert=client.pem&sslkey=client.pem")
		return
	}
	password, hasPassword := p.get("sslpassword")
	cert, hasCert := p.get("sslcert")
	if mode == "disable" {
		p.settings.Set("sslmode", mode)
		return
	}
	if accept == "strict" && mode != "verify-ca" {
		// No falling back to plain text here: pgx would do so for a bad certificate, too.
		mode = "verify-full"
	}
	if hasCert && cert != "" {
		p.certificate(t, cert, mode)
	}
	if hasPassword && p.settings.Has("sslkey") {
		p.settings.Set("sslpassword", password)
	}
	if accept != "strict" && mode == "require" && p.settings.Has("sslrootcert") && accept != "" {
		p.settings.Del("sslrootcert") // libpq would check it; accept_invalid_certs says not to
	}
	p.settings.Set("sslmode", mode)
}

// certificate places sslcert: with an sslkey beside it it is libpq's client certificate, else Prisma's authority.
func (p *prismaParams) certificate(t *pgTarget, cert, mode string) {
	// Prisma takes relative paths from the folder of its schema file.
	path := cert
	if _, err := os.Stat(path); err != nil && !filepath.IsAbs(path) {
		path = filepath.Join("prisma", cert)
	}
	if _, err := os.Stat(path); err != nil {
		p.fail("sslcert: there is no readable file %s", cert)
		return
	}
	switch {
	case p.settings.Has("sslkey"):
		p.settings.Set("sslcert", path)
	case strings.HasPrefix(mode, "verify-"):
		p.settings.Set("sslrootcert", path)
	default:
		t.warnings = append(t.warnings, "sslcert checks nothing without sslaccept=strict")
	}
}

// unknown is a warning for each parameter that was not asked for.
func (p *prismaParams) unknown() (warnings []string) {
	for name := range p.query {
		if !p.used[name] {
			warnings = append(warnings, fmt.Sprintf("the parameter %q is not known and ignored", name))
		}
	}
	slices.Sort(warnings)
	return warnings
}

// apply sets what is not in pgx's connection string.
func (p *prismaParams) apply(t *pgTarget, config *pgxpool.Config) {
	config.MaxConns = int32(min(p.limit, math.MaxInt32))
	config.MinConns = min(2, config.MaxConns)
	config.MaxConnIdleTime = p.maxIdle
	if p.maxIdle == 0 {
		config.MaxConnIdleTime = 24 * time.Hour
	}
	config.MaxConnLifetime = p.lifetime
	if p.lifetime == 0 {
		config.MaxConnLifetime = time.Hour // ours: follows a moved database
		config.MaxConnLifetimeJitter = 10 * time.Minute
	}
	conn := config.ConnConfig
	// The session's zone is only ever seen in casts; the driver reads timestamp columns as UTC by itself.
	conn.RuntimeParams["timezone"] = "UTC"
	if t.bouncer || p.cacheSize == 0 {
		// No prepared statement survives a pooler in transaction mode.
		conn.DefaultQueryExecMode = pgx.QueryExecModeExec
		conn.StatementCacheCapacity, conn.DescriptionCacheCapacity = 0, 0
	} else {
		conn.StatementCacheCapacity = p.cacheSize
	}
	if !t.bouncer {
		// For whoever looks into the session; our statements name the schema. PgBouncer refuses the parameter.
		conn.RuntimeParams["search_path"] = `"` + t.schema + `"`
	}
	t.config = config
}
