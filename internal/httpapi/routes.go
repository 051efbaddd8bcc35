package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/citaplanner/realtime/internal/emits"
	"github.com/citaplanner/realtime/internal/identity"
	"github.com/citaplanner/realtime/internal/inbox"
	"github.com/citaplanner/realtime/internal/limits"
	"github.com/citaplanner/realtime/internal/notify"
	"github.com/citaplanner/realtime/pkg/contract"
)

// SocketPath is where the Socket.IO endpoint lives, with and without a trailing slash.
const SocketPath = "/api/socket"

// Fast reports whether a path is one that clients and routes ask for all the time: the transport's, or an emit endpoint's.
// Their answers are short and come at once, or as a long poll's.
func Fast(path string) bool {
	return path == SocketPath || path == SocketPath+"/" || strings.HasPrefix(path, "/api/emit/")
}

// Stats tells who is connected; the hub satisfies it.
type Stats interface {
	Stats() contract.SocketStats
}

// Readiness is one part that has to work for the server to be ready.
type Readiness interface {
	Ready(ctx context.Context) error
}

// Authenticator finds out whose session a request carries.
type Authenticator interface {
	Authenticate(ctx context.Context, r identity.Request) (identity.User, error)
}

// Deps are what the routes call. What may be left out says so.
type Deps struct {
	Socket   http.Handler // the Engine.IO endpoint
	Bundle   http.Handler // the client bundle, socket.io.js and its kin
	Notify   *notify.Service
	Inbox    *inbox.Inbox // nil: the app answers /api/notifications itself
	Arrivals Arrivals     // needed with Inbox
	Identity Authenticator
	Keys     *identity.EmitKeys // nil: emitting over HTTP is switched off
	Origins  *identity.Origins
	Stats    Stats
	Parts    map[string]Readiness // by the name that /readyz shows
	Gather   http.Handler         // /metrics; nil: not served
	// CronSecret opens the route by which an external cron sends Reminders; empty: there is no such route.
	CronSecret string
	Reminders  ReminderPass

	Docs     http.Handler // docsPaths; nil: not served
	Pages    []Page       // the console's routes, which are its page's own and described nowhere
	Upstream http.Handler // answers what is no route of ours: the front door; nil: 404
}

// Page is a route of somebody else's. Path is in Gin's form; a parameter's value is the request's PathValue.
type Page struct {
	Method, Path string
	Serve        func(http.ResponseWriter, *http.Request) error
}

// Options of New; the zero value is usable.
type Options struct {
	MaxBody      int64         // bytes of a JSON body; 0 is 1 MB (contract/http.md)
	BodyTimeout  time.Duration // how long a body may take to arrive; 0 is 30 s
	Emits        limits.Rate   // emits of one key or tenant token; the zero Rate is no limit
	ReadyTimeout time.Duration // how long all checks of /readyz may take; 0 is 2 s
	Version      string
	Logger       *slog.Logger
	Metrics      *Metrics
	Now          func() time.Time
}

// API is an http.Handler with all routes of this server.
type API struct {
	deps   Deps
	opts   Options
	engine *gin.Engine
	start  time.Time
	emits  *limits.Keyed // by API key and tenant

	drain    sync.RWMutex // held for reading by each emit under way
	draining bool
}

// New builds the routes.
func New(d Deps, o Options) *API {
	if o.MaxBody <= 0 {
		o.MaxBody = 1 << 20
	}
	if o.BodyTimeout <= 0 {
		o.BodyTimeout = 30 * time.Second
	}
	if o.ReadyTimeout <= 0 {
		o.ReadyTimeout = 2 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	gin.SetMode(gin.ReleaseMode)
	a := &API{deps: d, opts: o, engine: gin.New(), start: o.Now(), emits: limits.NewKeyed(o.Emits, o.Now)}
	a.routes()
	return a
}

func (a *API) routes() {
	r := a.engine
	// A redirect of /api/socket/ would break polling: both paths are registered instead.
	r.RedirectTrailingSlash = false
	r.HandleMethodNotAllowed = true
	r.ContextWithFallback = false
	_ = r.SetTrustedProxies(nil)
	r.Use(a.observe, a.recover, func(c *gin.Context) {
		// The transport and the app see to the bodies of their own requests.
		if route := c.FullPath(); route != "" && route != SocketPath && route != SocketPath+"/" {
			a.bound(c)
		}
	})
	r.NoRoute(a.otherwise(contract.NewError(contract.CodeNotFound, "no such route")))
	r.NoMethod(a.otherwise(errMethod))

	for _, path := range []string{SocketPath, SocketPath + "/"} {
		r.Any(path, a.cors, a.socket)
	}
	for _, name := range bundleNames {
		r.GET(SocketPath+"/"+name, a.cors, gin.WrapH(a.deps.Bundle))
		r.HEAD(SocketPath+"/"+name, a.cors, gin.WrapH(a.deps.Bundle))
	}
	r.GET(SocketPath+"/stats", a.handle(a.stats))
	r.GET("/healthz", a.healthz)
	r.GET("/readyz", a.readyz)
	if a.deps.Gather != nil {
		r.GET("/metrics", gin.WrapH(a.deps.Gather))
	}
	if a.deps.Docs != nil {
		for _, path := range docsPaths {
			r.GET(path, gin.WrapH(a.deps.Docs))
			r.HEAD(path, gin.WrapH(a.deps.Docs))
		}
	}
	for _, p := range a.deps.Pages {
		r.Handle(p.Method, p.Path, a.handle(func(c *gin.Context) error {
			for _, v := range c.Params {
				c.Request.SetPathValue(v.Key, v.Value)
			}
			return p.Serve(c.Writer, c.Request)
		}))
	}
	if a.deps.Inbox != nil {
		a.inboxRoutes(r)
	}
	if a.deps.CronSecret != "" {
		a.cronRoutes(r)
	}
	if a.deps.Keys != nil {
		for _, k := range emits.Kinds {
			r.POST("/api/emit/"+k.Name, a.handle(a.emit(k)))
		}
		r.POST("/api/emit/batch", a.handle(a.batch))
	}
}

// bundleNames are the files of the client bundle that Node's socket.io serves (socket.io/dist/index.js, serve()).
var bundleNames = []string{
	"socket.io.js", "socket.io.min.js", "socket.io.msgpack.min.js", "socket.io.esm.min.js",
	"socket.io.js.map", "socket.io.min.js.map", "socket.io.msgpack.min.js.map", "socket.io.esm.min.js.map",
}

// docsPaths are where the descriptions of the interface are.
var docsPaths = []string{"/api/docs", "/api/openapi.json", "/api/asyncapi.json"}

// ServeHTTP makes API an http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.engine.ServeHTTP(w, r) }

// ownPrefixes are paths below which nothing is the app's: what is not there is answered here.
var ownPrefixes = []string{SocketPath + "/", "/api/emit/"}

// otherwise answers what no route matches: the app behind the front door does, where there is one.
func (a *API) otherwise(err error) gin.HandlerFunc {
	refuse := a.handle(func(*gin.Context) error { return err })
	return func(c *gin.Context) {
		own := slices.ContainsFunc(ownPrefixes, func(p string) bool { return strings.HasPrefix(c.Request.URL.Path, p) })
		if a.deps.Upstream == nil || own {
			a.bound(c)
			refuse(c)
			return
		}
		c.Writer.Header().Del("Allow") // Gin's, of the methods that are ours
		a.deps.Upstream.ServeHTTP(proxied{c.Writer}, c.Request)
		c.Writer.WriteHeaderNow() // or Gin would write its own page under an empty 404
	}
}

// proxied lets informational answers (1xx, RFC 9110, 15.2) through, which Gin's writer would take for the answer's status.
type proxied struct{ gin.ResponseWriter }

// Unwrap lets the front door set deadlines (http.ResponseController).
func (p proxied) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func (p proxied) WriteHeader(code int) {
	under, ok := p.ResponseWriter.(interface{ Unwrap() http.ResponseWriter })
	if code < 200 && code != http.StatusSwitchingProtocols && ok {
		under.Unwrap().WriteHeader(code)
		return
	}
	p.ResponseWriter.WriteHeader(code)
}

// Operator serves what operators need, and nothing else, for an address of its own.
func (a *API) Operator(gather http.Handler) http.Handler {
	r := gin.New()
	_ = r.SetTrustedProxies(nil)
	r.Use(a.recover, a.bound)
	r.GET("/healthz", a.healthz)
	r.GET("/readyz", a.readyz)
	r.GET(SocketPath+"/stats", a.handle(a.stats))
	if gather != nil {
		r.GET("/metrics", gin.WrapH(gather))
	}
	r.GET("/debug/pprof/*name", func(c *gin.Context) {
		switch strings.TrimPrefix(c.Param("name"), "/") {
		case "cmdline", "symbol": // the command line may hold secrets
			c.Status(http.StatusNotFound)
		case "profile":
			pprof.Profile(c.Writer, c.Request)
		case "trace":
			pprof.Trace(c.Writer, c.Request)
		default:
			pprof.Index(c.Writer, c.Request)
		}
	})
	return r
}

// socket hands Engine.IO requests to the transport. A plain GET, as the deployment guide's curl sends it, says that the
// endpoint is there.
func (a *API) socket(c *gin.Context) {
	q := c.Request.URL.RawQuery
	if c.Request.Method == http.MethodGet && !strings.Contains(q, "EIO=") && !strings.Contains(q, "transport=") {
		c.JSON(http.StatusOK, contract.SocketStatus{
			Status: "ok", Protocol: 5, Engine: 4, Path: SocketPath, Transports: []string{"polling", "websocket"},
			Version: a.opts.Version, Timestamp: contract.At(a.opts.Now()),
		})
		return
	}
	a.deps.Socket.ServeHTTP(c.Writer, c.Request)
}

// Drain refuses emits from now on and waits until those under way are answered, or for ctx.
func (a *API) Drain(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		a.drain.Lock()
		a.draining = true
		a.drain.Unlock()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// begin counts an emit as under way; end must be called when it is answered.
func (a *API) begin() (end func(), err error) {
	a.drain.RLock()
	if a.draining {
		a.drain.RUnlock()
		return nil, &contract.Error{Code: contract.CodeUnavailable, Message: "the server is stopping", RetryAfter: time.Second}
	}
	return a.drain.RUnlock, nil
}
