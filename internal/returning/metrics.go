package returning

import "github.com/prometheus/client_golang/prometheus"

// Metrics of those who come back.
type Metrics struct {
	returns  *prometheus.CounterVec
	replayed prometheus.Counter
	pruned   prometheus.Counter
	errors   *prometheus.CounterVec
}

// NewMetrics makes the collectors and registers them with reg, where there is one.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		returns: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "realtime_returns_total",
			Help: "Users whose first socket came, by what they were (new, present, back: told what they missed)."}, []string{"result"}),
		replayed: prometheus.NewCounter(prometheus.CounterOpts{Name: "realtime_replayed_notifications_total",
			Help: "Notifications sent again to users who came back."}),
		pruned: prometheus.NewCounter(prometheus.CounterOpts{Name: "realtime_last_seen_pruned_total",
			Help: "Rows of realtime.last_seen deleted, of users who have not been here for long."}),
		errors: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "realtime_returning_errors_total",
			Help: "What failed, by part (look: tried again; write: tried again; prune: tried again; send)."}, []string{"part"}),
	}
	if reg != nil {
		reg.MustRegister(m.returns, m.replayed, m.pruned, m.errors)
	}
	return m
}
