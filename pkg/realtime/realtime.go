// Package realtime embeds the CitaPlanner Realtime server in another Go program: the same server that the command runs,
// with its sockets, notifications and emit functions, mounted in an HTTP server of the caller's or listening by itself.
//
//	srv, err := realtime.New(ctx, realtime.Options{Environment: map[string]string{
//		"DATABASE_URL": "postgresql://…", "NEXTAUTH_SECRET": secret, "REALTIME_API_KEY": key}})
//	…
//	mux.Handle("/api/socket", srv.Handler())
//	go srv.Serve(ctx)
//	n, err := srv.EmitToTenant(ctx, tenantID, "calendar:refresh", payload)
//
// It is a thin door: nothing is decided here.
package realtime

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/citaplanner/realtime/internal/app"
	"github.com/citaplanner/realtime/internal/config"
	"github.com/citaplanner/realtime/internal/notify"
	"github.com/citaplanner/realtime/pkg/contract"
)

// Options of New.
type Options struct {
	// Environment holds the settings by the names that `realtime help` lists. The process's own environment is not
	// read. NEXTAUTH_SECRET is needed, REALTIME_API_KEY or EMIT_HTTP=false too; the rest has defaults.
	Environment map[string]string

	Version string               // shown by /healthz
	Logger  *slog.Logger         // nil: silent
	Metrics *prometheus.Registry // nil: one of its own, served at /metrics
	Now     func() time.Time     // nil: time.Now
}

// Server is an embedded server.
type Server struct{ app *app.App }

// New opens the database and builds the server; ctx bounds that alone. A wrong setting is an error that names it.
func New(ctx context.Context, o Options) (*Server, error) {
	cfg, err := config.Parse(o.Environment)
	if err != nil {
		return nil, err
	}
	a, err := app.New(ctx, cfg, app.Options{Version: o.Version, Logger: o.Logger, Now: o.Now, Metrics: o.Metrics})
	if err != nil {
		return nil, err
	}
	return &Server{a}, nil
}

// Handler serves every route: /api/socket, /api/emit/…, /healthz and the others.
func (s *Server) Handler() http.Handler { return s.app.Handler() }

// Run listens on PORT and serves until ctx ends, then drains within DRAIN_TIME.
func (s *Server) Run(ctx context.Context) error { return s.app.Run(ctx) }

// Serve runs the background work for a program that mounts Handler itself, until ctx ends, then drains.
func (s *Server) Serve(ctx context.Context) error { return s.app.Serve(ctx) }

// Close closes the database, after Run or Serve.
func (s *Server) Close() error { return s.app.Close() }

// EmitToTenant sends an event to every socket of a tenant and returns how many of this node it was queued for. data is
// anything that JSON can encode. Nothing is stored.
func (s *Server) EmitToTenant(ctx context.Context, tenantID, event string, data any) (int, error) {
	return sockets(s.app.Notify().EmitToTenant(ctx, notify.EmitToTenant{TenantID: tenantID, Event: event, Data: data}))
}

// EmitToUser sends an event to every socket of a user, as EmitToTenant does.
func (s *Server) EmitToUser(ctx context.Context, userID, event string, data any) (int, error) {
	return sockets(s.app.Notify().EmitToUser(ctx, notify.EmitToUser{UserID: userID, Event: event, Data: data}))
}

// EmitToRole sends an event to every socket of a role of a tenant, as EmitToTenant does.
func (s *Server) EmitToRole(ctx context.Context, role contract.Role, tenantID, event string, data any) (int, error) {
	return sockets(s.app.Notify().EmitToRole(ctx, notify.EmitToRole{Role: role, TenantID: tenantID, Event: event, Data: data}))
}

// ConnectedUsers counts the users of a tenant that have a socket, each once.
func (s *Server) ConnectedUsers(tenantID string) int { return s.app.Hub().UsersOf(tenantID) }

// Stats counts the sockets of every tenant and lists its users: getConnectionStats of the old socket module.
func (s *Server) Stats() contract.SocketStats { return s.app.Hub().Stats() }

func sockets(r contract.EmitResult, err error) (int, error) { return r.Delivered.Sockets, err }
