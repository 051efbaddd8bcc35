package store

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

const base = "postgresql://user:s%23cret@db.example.com:6432/cita"

func TestPrismasURLIsTakenWhole(t *testing.T) {
	t.Parallel()
	target, err := parsePrismaURL(base + "?schema=agenda&connection_limit=7&pool_timeout=3&connect_timeout=9" +
		"&socket_timeout=20&statement_cache_size=50&application_name=cita&sslmode=disable&max_connection_lifetime=60" +
		"&max_idle_connection_lifetime=30")
	require.NoError(t, err)
	require.Empty(t, target.warnings)
	require.Equal(t, "agenda", target.schema)
	require.False(t, target.bouncer)
	require.Equal(t, 3*time.Second, target.poolTimeout)
	require.Equal(t, 20*time.Second, target.queryTimeout)

	pool, conn := target.config, target.config.ConnConfig
	require.EqualValues(t, 7, pool.MaxConns)
	require.Equal(t, time.Minute, pool.MaxConnLifetime)
	require.Equal(t, 30*time.Second, pool.MaxConnIdleTime)
	require.Equal(t, []any{"db.example.com", uint16(6432), "user", "s#cret", "cita"},
		[]any{conn.Host, conn.Port, conn.User, conn.Password, conn.Database})
	require.Equal(t, 9*time.Second, conn.ConnectTimeout)
	require.Equal(t, 50, conn.StatementCacheCapacity)
	require.Equal(t, map[string]string{"application_name": "cita", "timezone": "UTC", "search_path": `"agenda"`},
		conn.RuntimeParams)
	require.Nil(t, conn.TLSConfig)
}

func TestWithoutParametersPrismasDefaultsHold(t *testing.T) {
	t.Parallel()
	target, err := parsePrismaURL(strings.Replace(base, "postgresql", "postgres", 1))
	require.NoError(t, err)
	require.Equal(t, "public", target.schema)
	require.Equal(t, 10*time.Second, target.poolTimeout)
	require.Zero(t, target.queryTimeout)
	require.Equal(t, 5*time.Second, target.config.ConnConfig.ConnectTimeout)
	require.NotNil(t, target.config.ConnConfig.TLSConfig, "sslmode=prefer tries TLS first")
	require.True(t, target.config.ConnConfig.TLSConfig.InsecureSkipVerify)
	require.Len(t, target.config.ConnConfig.Fallbacks, 1, "and then plain text")
	require.Equal(t, pgx.QueryExecModeCacheStatement, target.config.ConnConfig.DefaultQueryExecMode)
}

func TestPgBouncerGetsNeitherPreparedStatementsNorUnknownSettings(t *testing.T) {
	t.Parallel()
	target, err := parsePrismaURL(base + "?pgbouncer=true&schema=agenda&connection_limit=1")
	require.NoError(t, err)
	require.True(t, target.bouncer)
	conn := target.config.ConnConfig
	require.Equal(t, pgx.QueryExecModeExec, conn.DefaultQueryExecMode)
	require.Equal(t, map[string]string{"application_name": "citaplanner-realtime", "timezone": "UTC"},
		conn.RuntimeParams, "PgBouncer passes these two on and refuses search_path")
	require.EqualValues(t, 1, target.config.MaxConns)

	target, err = parsePrismaURL(base + "?statement_cache_size=0")
	require.NoError(t, err)
	require.Equal(t, pgx.QueryExecModeExec, target.config.ConnConfig.DefaultQueryExecMode)
}

func TestSSLParametersMeanWhatPrismaMeans(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	ca := filepath.Join(folder, "ca.pem")
	require.NoError(t, os.WriteFile(ca, []byte(testCA), 0o600))
	for name, c := range map[string]struct {
		query            string
		tls, checked, ca bool
		warnings         int
	}{
		"disable":                      {query: "sslmode=disable"},
		"disable goes before the rest": {query: "sslmode=disable&sslaccept=strict&sslidentity=x.p12"},
		"require does not check":       {query: "sslmode=require", tls: true},
		"accept_invalid_certs":         {query: "sslmode=require&sslaccept=accept_invalid_certs", tls: true},
		"strict checks":                {query: "sslmode=require&sslaccept=strict", tls: true, checked: true},
		"strict alone checks":          {query: "sslaccept=strict", tls: true, checked: true},
		"strict with an authority":     {query: "sslaccept=strict&sslcert=" + ca, tls: true, checked: true, ca: true},
		"an authority without strict":  {query: "sslmode=require&sslcert=" + ca, tls: true, warnings: 1},
		"verify-full of libpq":         {query: "sslmode=verify-full&sslrootcert=" + ca, tls: true, checked: true, ca: true},
		"Neon":                         {query: "sslmode=require&channel_binding=require", tls: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target, err := parsePrismaURL(base + "?" + c.query)
			require.NoError(t, err)
			require.Len(t, target.warnings, c.warnings)
			config := target.config.ConnConfig
			require.Equal(t, c.tls, config.TLSConfig != nil)
			if c.tls {
				require.Equal(t, c.checked, !config.TLSConfig.InsecureSkipVerify)
				require.Equal(t, c.ca, config.TLSConfig.RootCAs != nil)
			}
			if c.checked {
				require.Empty(t, config.Fallbacks, "nothing unchecked to fall back to")
			}
		})
	}
}

func TestWhatIsWrongInAURLIsNamedAndTheURLIsNotShown(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"?connection_limit=many":                   "connection_limit",
		"?connection_limit=0":                      "connection_limit",
		"?connection_limit=-1":                     "connection_limit",
		"?connection_limit=99999999999":            "connection_limit",
		"?pool_timeout=1.5":                        "pool_timeout",
		"?connect_timeout=x":                       "connect_timeout",
		"?socket_timeout=x":                        "socket_timeout",
		"?statement_cache_size=x":                  "statement_cache_size",
		"?pgbouncer=maybe":                         "pgbouncer",
		"?sslmode=sometimes":                       "sslmode",
		"?sslaccept=perhaps":                       "sslaccept",
		"?sslcert=/no/such/file":                   "sslcert",
		"?sslidentity=client.p12&sslpassword=s3cr": "sslidentity",
		`?schema=a"b`:                              "schema",
		"?schema=%zz":                              "percent-encoded",
	} {
		_, err := parsePrismaURL(base + query)
		require.ErrorContains(t, err, want, query)
		require.NotContains(t, err.Error(), "cret", query)
		require.NotContains(t, err.Error(), "s3cr", query)
	}
	for _, bad := range []string{
		"postgresql://user:s#cret@host/db", "postgresql://user:s%zzcret@host/db", "postgresql://user:scret@host:port/db",
		"postgresql://user:scret@host", "postgresql://user:scret@host/", "postgresql://user:scret@ho st/db",
	} {
		_, err := parsePrismaURL(bad)
		require.Error(t, err, bad)
		require.NotContains(t, err.Error(), "cret", bad)
	}
}

func TestAnUnknownParameterIsAWarning(t *testing.T) {
	t.Parallel()
	target, err := parsePrismaURL(base + "?foo=secret-value&single_use_connections=true&schema=public")
	require.NoError(t, err)
	require.Equal(t, []string{
		"single_use_connections is ignored: connections are always pooled",
		`the parameter "foo" is not known and ignored`,
	}, target.warnings)
	require.NotContains(t, target.config.ConnConfig.RuntimeParams, "foo")
}

func TestASocketFolderIsTaken(t *testing.T) {
	t.Parallel()
	target, err := parsePrismaURL("postgresql://user:pw@localhost/db?host=/cloudsql/project:region:instance")
	require.NoError(t, err)
	require.Equal(t, "/cloudsql/project:region:instance", target.config.ConnConfig.Host)
}

func TestPathsOfSQLiteURLs(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"sqlite:data/x.db": "data/x.db", "file:./dev.db": "./dev.db", "file:/var/x.db": "/var/x.db",
		"sqlite:///var/x.db": "/var/x.db", "file::memory:": ":memory:", "sqlite::memory:": ":memory:",
		":memory:": ":memory:", "sqlite:": ":memory:",
	} {
		path, parameters := sqlitePath(url)
		require.Equal(t, want, path, url)
		require.False(t, parameters)
	}
	path, parameters := sqlitePath("file:./dev.db?connection_limit=1")
	require.Equal(t, "./dev.db", path)
	require.True(t, parameters)
}

// testCA is a certificate authority that signed nothing.
const testCA = `-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIUIZ7B08ZCDrXeXIASc8yv36jDtCcwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMjMxOTA5MDRaGA8yMTI2MTAzMDE5MDkw
NFowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABGHi
PYZiA4uKieCKlMI6Am6Ns4Wrt8go5bub7yUuyz3T72sZtH3jvP/lLMfZZ2/ehUX8
+bHS2QE/vxP8bB1RYgGjUzBRMB0GA1UdDgQWBBSN3V4q7kSkkRgHoMJmSXwzWk+k
yjAfBgNVHSMEGDAWgBSN3V4q7kSkkRgHoMJmSXwzWk+kyjAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIBd3KSLukJuqitdl/NYv3spM9Cf8w6vMQs66
vuIZte8MAiEAvgyGMzIDGe4DThij4jXw/oHD9W8I5S9KmT6f9kaXt14=
-----END CERTIFICATE-----
`
