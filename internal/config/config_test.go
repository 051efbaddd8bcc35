package config_test

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/internal/config"
)

var update = flag.Bool("update", false, "write the README's table")

const longText = "0123456789abcdef0123456789abcdef"

func production(more ...string) map[string]string {
	vars := map[string]string{
		"NODE_ENV": "production", "DATABASE_URL": "postgresql://u:p@db:5432/citaplanner?schema=public",
		"NEXTAUTH_SECRET": longText, "NEXTAUTH_URL": "https://citas.example.com", "REALTIME_API_KEY": "key-" + longText,
	}
	for i := 0; i+1 < len(more); i += 2 {
		vars[more[i]] = more[i+1]
	}
	return vars
}

func TestNoEnvironmentIsAWorkingDevelopmentServer(t *testing.T) {
	c, err := config.Parse(nil)
	require.NoError(t, err)
	require.True(t, c.Embedded())
	require.Equal(t, config.EmbeddedURL, c.Store())
	require.Equal(t, 3000, c.Port)
	require.Equal(t, "localhost", c.ListenHost())
}

func TestTheAppsOwnEnvironmentIsEnough(t *testing.T) {
	c, err := config.Parse(production("PORT", "3100", "HOSTNAME", "0.0.0.0", "UNRELATED", "x"))
	require.NoError(t, err)
	require.Equal(t, "0.0.0.0", c.ListenHost())
	require.Equal(t, 3100, c.Port)
	require.Equal(t, []string{longText}, c.Secrets())
	require.Equal(t, "json", c.LogFormat)
}

func TestTheMachinesOwnNameIsNotAnAddressThatSomebodyChose(t *testing.T) {
	own, err := os.Hostname()
	require.NoError(t, err)
	c, err := config.Parse(production("HOSTNAME", own))
	require.NoError(t, err)
	require.Empty(t, c.ListenHost())
}

func TestSeveralSecretsAndTheOtherNameOfTheSecret(t *testing.T) {
	c, err := config.Parse(map[string]string{"AUTH_SECRET": "one, two,"})
	require.NoError(t, err)
	require.Equal(t, []string{"one", "two"}, c.Secrets())
}

func TestAWrongValueIsOneLineThatNamesTheVariable(t *testing.T) {
	for name, vars := range map[string]map[string]string{
		"NODE_ENV":         {"NODE_ENV": "prod"},
		"PORT":             {"PORT": "http"},
		"PING_INTERVAL":    {"PING_INTERVAL": "25"},
		"PING_TIMEOUT":     {"PING_TIMEOUT": "0s"},
		"DATABASE_URL":     {"DATABASE_URL": "mysql://x"},
		"REDIS_URL":        {"REDIS_URL": "localhost:6379"},
		"NEXTAUTH_URL":     {"NEXTAUTH_URL": "citas.example.com"},
		"ALLOWED_ORIGINS":  {"ALLOWED_ORIGINS": "https://a.example.com,nonsense"},
		"NEXTAUTH_SECRET":  production("NEXTAUTH_SECRET", "short"),
		"REALTIME_API_KEY": production("REALTIME_API_KEY", ""),
		"LOG_LEVEL":        {"LOG_LEVEL": "loud"},
		"EMIT_HTTP":        {"EMIT_HTTP": "perhaps"},
		"RECHECK_EVERY":    {"RECHECK_EVERY": "2m"},
		"MAX_PAYLOAD":      {"MAX_PAYLOAD": "10"},

		"REMINDERS_INTERVAL":  {"REMINDERS_INTERVAL": "30s"},
		"REMINDERS_TOLERANCE": {"REMINDERS_TOLERANCE": "2s"},
		"CRON_SECRET":         production("CRON_SECRET", "short"),
		"RECOVERY_TIME":       {"RECOVERY_TIME": "2h"},
		"RECOVERY_BYTES":      {"RECOVERY_BYTES": "100000000"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Parse(vars)
			require.Error(t, err)
			require.Truef(t, strings.HasPrefix(err.Error(), name+" "), "%q", err)
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestProductionNeedsItsSecretsAndNoKeyOnlyWhereEmittingIsOff(t *testing.T) {
	for _, name := range []string{"DATABASE_URL", "NEXTAUTH_SECRET", "REALTIME_API_KEY"} {
		_, err := config.Parse(production(name, ""))
		require.ErrorContains(t, err, name)
	}
	_, err := config.Parse(production("REALTIME_API_KEY", "", "EMIT_HTTP", "false"))
	require.NoError(t, err)
}

func TestTheAPIKeyIsNotTheSessionSecret(t *testing.T) {
	_, err := config.Parse(production("REALTIME_API_KEY", longText))
	require.ErrorContains(t, err, "REALTIME_API_KEY must differ")
}

func TestDevelopmentKeysAreMadeOnceAndKept(t *testing.T) {
	t.Chdir(t.TempDir())
	first, err := config.Parse(nil)
	require.NoError(t, err)
	made, err := first.FillDevelopment()
	require.NoError(t, err)
	require.True(t, made)
	require.GreaterOrEqual(t, len(first.Secret), 32)

	again, err := config.Parse(nil)
	require.NoError(t, err)
	_, err = again.FillDevelopment()
	require.NoError(t, err)
	require.Equal(t, first.Secret, again.Secret)
	require.Equal(t, first.APIKeys, again.APIKeys)

	info, err := os.Stat(config.DevKeysFile)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	given, err := config.Parse(map[string]string{"NEXTAUTH_SECRET": "mine", "REALTIME_API_KEY": "mine"})
	require.NoError(t, err)
	made, err = given.FillDevelopment()
	require.NoError(t, err)
	require.False(t, made)
	require.Equal(t, "mine", given.Secret)
}

func TestADotEnvFileIsReadInDevelopmentAndTheEnvironmentWins(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile(".env", []byte("PORT=4000\nREALTIME_API_KEY=from-file\n"), 0o600))
	t.Setenv("PORT", "4001")
	t.Setenv("NODE_ENV", "")
	t.Setenv("REALTIME_API_KEY", "")
	require.NoError(t, os.Unsetenv("REALTIME_API_KEY"))
	c, err := config.Load()
	require.NoError(t, err)
	require.Equal(t, 4001, c.Port)
	require.Equal(t, []string{"from-file"}, c.APIKeys)
}

func TestEverySettingHasAHelpText(t *testing.T) {
	var b bytes.Buffer
	config.WriteHelp(&b)
	for _, s := range config.Settings() {
		require.NotEmpty(t, s.Name)
		require.NotEmpty(t, s.Help, s.Name)
		require.Contains(t, b.String(), s.Name)
	}
}

// TestREADMETable keeps the README's configuration table and the struct the same; -update writes it.
func TestREADMETable(t *testing.T) {
	const file, begin, end = "../../README.md", "<!-- settings: make readme -->\n", "<!-- end settings -->"
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(text), begin)
	require.True(t, ok, "README.md lacks %q", begin)
	_, after, ok := strings.Cut(rest, end)
	require.True(t, ok, "README.md lacks %q", end)
	var b bytes.Buffer
	config.WriteMarkdown(&b)
	want := before + begin + b.String() + end + after
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(want), 0o644))
		return
	}
	require.Equal(t, want, string(text), "run make readme")
}
