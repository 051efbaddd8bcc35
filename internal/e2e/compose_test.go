package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/demo"
)

// composeFile is what of docker-compose.yml matters here.
type composeFile struct {
	Services map[string]struct {
		Command     []string          `yaml:"command"`
		Environment map[string]string `yaml:"environment"`
		DependsOn   map[string]any    `yaml:"depends_on"`
	} `yaml:"services"`
}

// compose reads docker-compose.yml as `docker compose` does where no variable is set.
func compose(t *testing.T) composeFile {
	t.Helper()
	text, err := os.ReadFile("../../docker-compose.yml")
	require.NoError(t, err)
	text = regexp.MustCompile(`\$\{\w+:-([^}]*)\}`).ReplaceAll(text, []byte("$1"))
	var c composeFile
	require.NoError(t, yaml.Unmarshal(text, &c))
	return c
}

// TestTheComposeFileStartsWhatItSays runs the commands of docker-compose.yml with its own environment, as processes: only
// the addresses of the other services are this machine's. (Images are built by a container engine, which tests do not need.)
func TestTheComposeFileStartsWhatItSays(t *testing.T) {
	t.Parallel()
	next := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, "Next.js says ", r.URL.Path)
	}))
	t.Cleanup(next.Close)
	_, database := dbtest.EmptyPostgresURL(t)
	c := compose(t)
	overlays, err := filepath.Glob("../../deploy/*/compose.yml")
	require.NoError(t, err)
	require.Len(t, overlays, 2)
	for _, file := range overlays { // what they add to, and mount, is there
		var more struct {
			Services map[string]any `yaml:"services"`
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, yaml.Unmarshal(text, &more))
		require.Contains(t, more.Services, "realtime")
		for _, mounted := range regexp.MustCompile(`\./deploy/[\w./]+`).FindAllString(string(text), -1) {
			require.FileExists(t, filepath.Join("../..", mounted))
		}
	}
	for name := range c.Services {
		for other := range c.Services[name].DependsOn {
			require.Contains(t, c.Services, other)
		}
	}
	environment := func(service string) map[string]string {
		vars := map[string]string{}
		for name, value := range c.Services[service].Environment {
			switch name {
			case "DATABASE_URL":
				require.Contains(t, value, "@postgres:5432/")
				value = database
			case "REDIS_URL":
				require.Contains(t, value, "//redis:6379/")
				value = "redis://" + dbtest.Redis(t)
			case "UPSTREAM_URL":
				require.Equal(t, "http://app:"+c.Services["app"].Environment["PORT"], value)
				value = next.URL
			case "PORT":
				value = "0"
			case "OPERATOR_ADDR":
				value = "127.0.0.1:0"
			}
			vars[name] = value
		}
		return vars
	}
	out, err := command(t, t.TempDir(), environment("migrate"), c.Services["migrate"].Command...).CombinedOutput()
	require.NoErrorf(t, err, "%s", out)
	p := launch(t, t.TempDir(), environment("realtime"))
	page, err := call("GET", p.url+"/dashboard", "")
	require.NoError(t, err)
	require.Equal(t, "Next.js says /dashboard", page.body)
	(&scene{t: t, url: p.url}).ready(http.StatusOK)
	// What the app service knows is enough to emit.
	app := c.Services["app"].Environment
	require.Equal(t, "http://realtime:3000", app["REALTIME_URL"])
	emitted, err := call("POST", p.url+"/api/emit/appointments/created",
		fmt.Sprintf(`{"appointmentId":%q,"tenantId":%q}`, demo.AppointmentID, demo.TenantID),
		"Authorization", "Bearer "+app["REALTIME_API_KEY"], "Content-Type", "application/json")
	require.NoError(t, err)
	require.Equalf(t, http.StatusAccepted, emitted.status, "%s", emitted.body)
	for _, same := range []string{"NEXTAUTH_SECRET", "NEXTAUTH_URL", "DATABASE_URL", "REALTIME_API_KEY"} {
		require.Equal(t, app[same], c.Services["realtime"].Environment[same], same)
	}
}
