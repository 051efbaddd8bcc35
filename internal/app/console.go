package app

import (
	"time"

	"github.com/citaplanner/realtime/db/demo"
	"github.com/citaplanner/realtime/internal/config"
	"github.com/citaplanner/realtime/internal/console"
	"github.com/citaplanner/realtime/internal/httpapi"
	"github.com/citaplanner/realtime/internal/identity"
	"github.com/citaplanner/realtime/internal/wire"
	"github.com/citaplanner/realtime/pkg/nextauth"
)

// demoSession is how long a development sign-in lasts: a page that was open overnight signs in anew.
const demoSession = 12 * time.Hour

// newWire makes what shows the events to the console, nil without a console.
func (a *App) newWire() *wire.Tap {
	if !a.cfg.Console {
		return nil
	}
	return wire.New(a.opts.Now)
}

// Demonstrates reports whether the console shows the demo, with its sign-in that asks for no password: in development, on the
// demo data of the embedded database, and nowhere else. In front of Next.js / is the app's.
func Demonstrates(cfg *config.Config) bool {
	return cfg.Console && cfg.Env == config.Development && cfg.Embedded() && cfg.UpstreamURL == ""
}

// consolePages makes the console.
func (a *App) consolePages(
	people *identity.Service, origins *identity.Origins, keys *nextauth.Keyring, tap *wire.Tap,
) (pages []httpapi.Page, err error) {
	deps := console.Deps{Identity: people, Origins: origins, Stats: a.hub, Wire: tap, Notify: a.notify, Gatherer: a.opts.Metrics}
	if Demonstrates(a.cfg) {
		deps.Demo = &console.Demo{Agenda: demo.NewAgenda(a.Store, a.opts.Now), Sessions: console.SessionsFunc(
			func(user string) (string, time.Time, error) {
				now := a.opts.Now()
				ends := now.Add(demoSession)
				token, err := keys.SealV4(map[string]any{"sub": user, "iat": now.Unix(), "exp": ends.Unix()})
				return token, ends, err
			})}
	}
	c, err := console.New(deps, a.opts.Now)
	if err != nil {
		return nil, err
	}
	for _, r := range c.Routes() {
		pages = append(pages, httpapi.Page(r))
	}
	return pages, nil
}
