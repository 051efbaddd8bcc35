package frontdoor

import "github.com/prometheus/client_golang/prometheus"

// Metrics of the front door.
type Metrics struct {
	requests *prometheus.CounterVec
}

// NewMetrics makes the collectors and registers them with reg, where there is one.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "realtime_frontdoor_requests_total",
		Help: "Requests passed on to Next.js, by outcome: ok, unreachable, timeout, left (the client did)."}, []string{"outcome"})}
	if reg != nil {
		reg.MustRegister(m.requests)
	}
	return m
}
