package console

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/citaplanner/realtime/db/demo"
	"github.com/citaplanner/realtime/internal/identity"
	"github.com/citaplanner/realtime/internal/limits"
	"github.com/citaplanner/realtime/internal/notify"
	"github.com/citaplanner/realtime/internal/wire"
	"github.com/citaplanner/realtime/pkg/contract"
)

// Authenticator finds out whose session a request carries.
type Authenticator interface {
	Authenticate(ctx context.Context, r identity.Request) (identity.User, error)
}

// Stats tells who is connected; the hub satisfies it.
type Stats interface {
	Stats() contract.SocketStats
}

// Sessions signs demo users in. It exists with the demo data alone.
type Sessions interface {
	// Session makes a session token of a user.
	Session(userID string) (token string, expires time.Time, err error)
}

// Deps are what the console calls; all are needed, but for Demo.
type Deps struct {
	Identity Authenticator
	Origins  *identity.Origins
	Stats    Stats
	Wire     *wire.Tap
	Notify   *notify.Service
	Gatherer prometheus.Gatherer // where the histograms of latency are
	Demo     *Demo               // nil: the operator's page alone
}

// Demo is what the demo needs besides: development with the demo data, and nothing else.
type Demo struct {
	Agenda   *demo.Agenda
	Sessions Sessions
}

// Console has the routes of the console. It is safe for use by many goroutines.
type Console struct {
	deps  Deps
	files *files
	emits *limits.Keyed // of one operator
	now   func() time.Time
}

// A person who clicks, not a machine: those have the emit endpoints.
var emitRate = limits.Rate{PerSecond: 10, Burst: 40}

// New makes the console; now nil is time.Now. An error means that the embedded files are broken.
func New(d Deps, now func() time.Time) (*Console, error) {
	if now == nil {
		now = time.Now
	}
	f, err := openFiles()
	if err != nil {
		return nil, err
	}
	return &Console{deps: d, files: f, emits: limits.NewKeyed(emitRate, now), now: now}, nil
}

// Path is where the console lives.
const Path = "/console/"

// Route is one route. Path is in Gin's form; a parameter's value is the request's PathValue.
type Route struct {
	Method, Path string
	Serve        func(http.ResponseWriter, *http.Request) error
}

// Routes are all routes there are. Those of the demo do not exist without it.
func (c *Console) Routes() []Route {
	routes := []Route{
		{http.MethodGet, "/console", c.toPage},
		{http.MethodGet, Path + "assets/:file", c.files.asset},
		{http.MethodGet, Path + "icon.svg", c.files.icon},
		{http.MethodGet, Path + "operator", c.operatorPage},
		{http.MethodGet, Path + "api/operator", c.snapshot},
		{http.MethodPost, Path + "api/operator/emit/*kind", c.emit},
	}
	if c.deps.Demo == nil {
		return append(routes, Route{http.MethodGet, Path, c.operatorPage})
	}
	return append(routes,
		Route{http.MethodGet, "/", c.toPage},
		Route{http.MethodGet, Path, c.files.page("index.html")},
		Route{http.MethodGet, Path + "pane", c.files.page("pane.html")},
		Route{http.MethodGet, Path + "api/demo/people", c.people},
		Route{http.MethodPost, Path + "api/demo/session", c.session},
		Route{http.MethodGet, Path + "api/demo/week", c.week},
		Route{http.MethodPost, Path + "api/demo/appointments", c.book},
		Route{http.MethodPatch, Path + "api/demo/appointments/:id", c.change},
	)
}

// toPage leads to the console. Whether it does may change with a setting: nobody is to remember it.
func (*Console) toPage(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, Path, http.StatusFound)
	return nil
}
