package outbox

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/citaplanner/realtime/db/store"
)

// DispatcherMetrics of the dispatcher. The label kind is one of the emit kinds: the database checks it.
type DispatcherMetrics struct {
	results   *prometheus.CounterVec
	delay     prometheus.Histogram
	backlog   *prometheus.GaugeVec
	oldest    prometheus.Gauge
	errors    prometheus.Counter
	listening prometheus.Gauge
	lost      prometheus.Counter
}

// NewDispatcherMetrics makes the collectors and registers them with reg, where there is one.
func NewDispatcherMetrics(reg prometheus.Registerer) *DispatcherMetrics {
	m := &DispatcherMetrics{
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "realtime_occurrences_total",
			Help: "Committed occurrences by kind and result (told, failed: tried again, dead, taken: told by another, moot).",
		}, []string{"kind", "result"}),
		delay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "realtime_occurrence_seconds", Help: "Time that telling one occurrence took.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 12),
		}),
		backlog: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "realtime_occurrences", Help: "Occurrences in the database by state (pending, dead).",
		}, []string{"state"}),
		oldest: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "realtime_occurrences_oldest_seconds", Help: "Age of the oldest occurrence that is pending.",
		}),
		errors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "realtime_occurrences_errors_total", Help: "Looks for occurrences that failed.",
		}),
		listening: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "realtime_occurrences_listening", Help: "1 while NOTIFY wakes the dispatcher, 0 while it only polls.",
		}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "realtime_occurrences_listen_lost_total", Help: "How often the listening connection was lost.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.results, m.delay, m.backlog, m.oldest, m.errors, m.listening, m.lost)
	}
	return m
}

func (m *DispatcherMetrics) told(row store.Occurrence, result string, took time.Duration) {
	m.results.WithLabelValues(row.Kind, result).Inc()
	m.delay.Observe(took.Seconds())
}

func (m *DispatcherMetrics) setBacklog(b store.OccurrenceBacklog, now time.Time) {
	m.backlog.WithLabelValues("pending").Set(float64(b.Pending))
	m.backlog.WithLabelValues("dead").Set(float64(b.Dead))
	age := 0.0
	if b.Pending > 0 {
		age = max(0, now.Sub(b.Oldest).Seconds())
	}
	m.oldest.Set(age)
}

func (m *DispatcherMetrics) setListening(on bool) {
	v := 0.0
	if on {
		v = 1
	}
	m.listening.Set(v)
}
