package outbox

import "github.com/prometheus/client_golang/prometheus"

// Metrics of the outbox.
type Metrics struct {
	recovered *prometheus.CounterVec
	backlog   prometheus.Gauge
	errors    prometheus.Counter
	missed    prometheus.Counter
	evicted   prometheus.Counter
	pruned    *prometheus.CounterVec
}

// NewMetrics makes the collectors and registers them with reg, where there is one.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &Metrics{
		recovered: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "realtime_outbox_recovered_total",
			Help: "Left-over deliveries by result (delivered, failed: tried again, dropped, expired).",
		}, []string{"result"}),
		backlog: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "realtime_outbox_backlog", Help: "Deliveries in the database: made and not yet deleted, or still to make.",
		}),
		errors:  counter("realtime_outbox_errors_total", "Looks for deliveries that failed."),
		missed:  counter("realtime_outbox_missed_total", "Events handed to sockets that joined after they were made good."),
		evicted: counter("realtime_outbox_evicted_total", "Deliveries not kept for late sockets, for want of room."),
		pruned: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "realtime_outbox_pruned_total", Help: "Old rows deleted, by kind.",
		}, []string{"of"}),
	}
	if reg != nil {
		reg.MustRegister(m.recovered, m.backlog, m.errors, m.missed, m.evicted, m.pruned)
	}
	return m
}
