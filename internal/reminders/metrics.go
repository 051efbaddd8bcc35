package reminders

import "github.com/prometheus/client_golang/prometheus"

// Metrics of reminders.
type Metrics struct {
	results  *prometheus.CounterVec
	lateness prometheus.Histogram
	passes   *prometheus.HistogramVec
	last     prometheus.Gauge
	pruned   prometheus.Counter
}

// NewMetrics makes the collectors and registers them with reg, where there is one.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "realtime_reminders_total",
			Help: "Reminders by result (sent, taken: another node sent it, or it changed meanwhile, late: given up, failed: tried again).",
		}, []string{"result"}),
		lateness: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "realtime_reminder_lateness_seconds", Help: "How long after it was due a reminder was sent.",
			Buckets: []float64{1, 2, 5, 10, 15, 20, 30, 60, 300, 900, 3600},
		}),
		passes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "realtime_reminder_pass_seconds", Help: "Time that a look for reminders took, sending included, by result (ok, failed).",
			Buckets: prometheus.ExponentialBuckets(0.001, 3, 10),
		}, []string{"result"}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "realtime_reminder_last_pass_timestamp_seconds", Help: "When a look for reminders last succeeded here.",
		}),
		pruned: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "realtime_reminders_pruned_total", Help: "Old rows of realtime.reminders deleted.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.results, m.lateness, m.passes, m.last, m.pruned)
	}
	return m
}
