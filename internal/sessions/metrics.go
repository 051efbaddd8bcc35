package sessions

import "github.com/prometheus/client_golang/prometheus"

// Metrics of what is kept in Redis for clients that may come back.
type Metrics struct {
	up      prometheus.Gauge
	events  *prometheus.CounterVec
	saves   *prometheus.CounterVec
	queued  prometheus.Gauge
	seconds prometheus.Histogram
}

// NewMetrics makes the collectors and registers them with reg, where there is one.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		up: prometheus.NewGauge(prometheus.GaugeOpts{Name: "realtime_sessions_redis_up",
			Help: "1 while Redis takes what clients may come back for."}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "realtime_sessions_events_total",
			Help: "Events for clients that may come back, by result (kept; dropped: Redis did not take them in time)."}, []string{"result"}),
		saves: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "realtime_sessions_saves_total",
			Help: "Sessions written to Redis, by result (kept, over, moved: another process has it, failed)."}, []string{"result"}),
		queued: prometheus.NewGauge(prometheus.GaugeOpts{Name: "realtime_sessions_queued_bytes",
			Help: "Bytes of events that wait for Redis."}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "realtime_sessions_redis_seconds",
			Help: "How long Redis takes for a batch.", Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1}}),
	}
	if reg != nil {
		reg.MustRegister(m.up, m.events, m.saves, m.queued, m.seconds)
	}
	return m
}
