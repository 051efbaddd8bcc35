package console

import (
	"encoding/json"
	"html"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/citaplanner/realtime/internal/emits"
	"github.com/citaplanner/realtime/internal/identity"
	"github.com/citaplanner/realtime/internal/wire"
	"github.com/citaplanner/realtime/pkg/contract"
)

// operator is an ADMIN, who sees the own tenant, or a SUPERADMIN, who sees all: as at /api/socket/stats (contract/http.md).
func (c *Console) operator(r *http.Request) (u identity.User, sees string, err error) {
	u, err = c.user(r)
	if err != nil {
		return u, "", err
	}
	switch u.Role {
	case contract.RoleSuperadmin:
		return u, wire.Everything, nil
	case contract.RoleAdmin:
		return u, u.TenantID, nil
	}
	return u, "", contract.NewError(contract.CodeForbidden, "only an administrator may see this")
}

// operatorPage is the page itself. With the demo it signs itself in; else whoever opens it has to be an administrator already.
func (c *Console) operatorPage(w http.ResponseWriter, r *http.Request) error {
	if c.deps.Demo == nil {
		if _, _, err := c.operator(r); err != nil {
			return refusedPage(w, err)
		}
	}
	return c.files.page("operator.html")(w, r)
}

// refusedPage says to a person why there is no page.
func refusedPage(w http.ResponseWriter, err error) error {
	status, text := http.StatusUnauthorized, "Inicia sesión en CitaPlanner como administrador y vuelve a cargar esta página."
	switch contract.CodeOf(err) {
	case contract.CodeForbidden:
		status, text = http.StatusForbidden, "Esta página es solo para administradores."
	case contract.CodeAuthDown, contract.CodeUnavailable, contract.CodeInternal:
		return err
	}
	secure(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`<!doctype html><html lang="es"><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
		`<title>Consola</title><main><h1>Consola</h1><p>` + html.EscapeString(text) + `</p></main></html>`))
	return nil
}

// snapshot is what the operator's page shows; it asks each second.
type snapshot struct {
	Me      me                              `json:"me"`
	All     bool                            `json:"all"` // all tenants, not the own alone
	Demo    bool                            `json:"demo"`
	Now     contract.Time                   `json:"now"`
	Sockets int                             `json:"sockets"`
	Tenants map[string]contract.TenantStats `json:"tenants"`
	Wire    wire.View                       `json:"wire"`
	Latency map[string]histogram            `json:"latency"`
	Kinds   []kind                          `json:"kinds"`
}

type me struct {
	UserID   string        `json:"userId"`
	Name     string        `json:"name"`
	TenantID string        `json:"tenantId"`
	Role     contract.Role `json:"role"`
}

// kind is what can be emitted.
type kind struct {
	Name  string `json:"name"`
	Event string `json:"event"`
}

func (c *Console) snapshot(w http.ResponseWriter, r *http.Request) error {
	u, sees, err := c.operator(r)
	if err != nil {
		return err
	}
	var after uint64
	if text := r.URL.Query().Get("after"); text != "" {
		if after, err = strconv.ParseUint(text, 10, 64); err != nil {
			return contract.InvalidField("after", "after must be the seq of an event")
		}
	}
	s := snapshot{Me: me{u.ID, u.Name, u.TenantID, u.Role}, All: sees == wire.Everything, Demo: c.deps.Demo != nil,
		Now: contract.At(c.now()), Tenants: map[string]contract.TenantStats{}, Wire: c.deps.Wire.Watch(sees, after)}
	for id, t := range c.deps.Stats.Stats().Tenants {
		if sees == wire.Everything || id == sees {
			s.Tenants[id] = t
			s.Sockets += t.Count
		}
	}
	if s.Latency, err = c.latencies(); err != nil {
		return err
	}
	for _, k := range emits.Kinds {
		s.Kinds = append(s.Kinds, kind{k.Name, k.Alias})
	}
	return write(w, http.StatusOK, s)
}

// emit emits as the emit endpoint of that kind does, in the operator's own tenant whoever it is.
func (c *Console) emit(w http.ResponseWriter, r *http.Request) error {
	if err := c.ours(r); err != nil {
		return err
	}
	u, _, err := c.operator(r)
	if err != nil {
		return err
	}
	k, ok := emits.ByName(strings.TrimPrefix(r.PathValue("kind"), "/"))
	if !ok {
		return contract.NewError(contract.CodeNotFound, "there is no such kind of event")
	}
	if after, ok := c.emits.Take(u.TenantID+"/"+u.ID, 1); !ok {
		return &contract.Error{Code: contract.CodeRateLimited, Message: "too many emits", RetryAfter: after}
	}
	var body json.RawMessage
	if err := read(w, r, &body); err != nil {
		return err
	}
	result, err := k.Run(r.Context(), c.deps.Notify, u.TenantID, func(v any) error { return decode(body, v) })
	if err != nil {
		return err
	}
	return write(w, http.StatusAccepted, result)
}

// histogram is what was counted up to each bound, in seconds; the last count is that of all.
type histogram struct {
	Bounds []float64 `json:"bounds"`
	Counts []uint64  `json:"counts"`
}

// shown are the histograms of latency that the page shows, by the name that it knows.
var shown = map[string]string{
	"realtime_notify_seconds":       "emit",
	"realtime_sign_in_seconds":      "signIn",
	"realtime_http_request_seconds": "http",
}

// latencies are the server's own figures, of all tenants together: they say nothing of any.
func (c *Console) latencies() (map[string]histogram, error) {
	families, err := c.deps.Gatherer.Gather()
	if err != nil {
		return nil, err
	}
	out := map[string]histogram{}
	for _, f := range families {
		name, ok := shown[f.GetName()]
		if !ok {
			continue
		}
		sums, all := map[float64]uint64{}, uint64(0)
		for _, m := range f.GetMetric() {
			h := m.GetHistogram()
			for _, b := range h.GetBucket() {
				sums[b.GetUpperBound()] += b.GetCumulativeCount()
			}
			all += h.GetSampleCount()
		}
		one := histogram{Bounds: slices.Sorted(maps.Keys(sums))}
		for _, bound := range one.Bounds {
			one.Counts = append(one.Counts, sums[bound])
		}
		one.Counts = append(one.Counts, all)
		out[name] = one
	}
	return out, nil
}
