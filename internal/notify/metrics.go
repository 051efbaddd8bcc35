package notify

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/citaplanner/realtime/pkg/contract"
)

// Metrics of the notification service. The label event is a name of the contract, "custom" or "raw": never one that a
// caller made up.
type Metrics struct {
	emits           *prometheus.HistogramVec
	notifications   *prometheus.CounterVec
	repeats         *prometheus.CounterVec
	broadcastErrors *prometheus.CounterVec
	redelivered     prometheus.Counter
	pending         prometheus.Gauge
	keys            *prometheus.CounterVec
}

// NewMetrics makes the collectors and registers them with reg, where there is one.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	m := &Metrics{
		emits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "realtime_notify_seconds",
			Help:    "Time from the call until the event is queued for sockets, by event and result.",
			Buckets: prometheus.ExponentialBuckets(0.0002, 2.5, 12),
		}, []string{"event", "result"}),
		notifications: counters("realtime_notify_notifications_total",
			"Notifications by event and what became of them (sent; stored only, because push is off).", "event", "result"),
		repeats: counters("realtime_notify_repeats_total",
			"Events and notifications that were left out as repeats, by event.", "event"),
		broadcastErrors: counters("realtime_notify_broadcast_errors_total",
			"Events that could not be queued for sockets; the outbox tries again.", "event"),
		redelivered: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "realtime_notify_redelivered_total", Help: "Deliveries made for a process that ended before it could.",
		}),
		pending: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "realtime_notify_deliveries_pending", Help: "Deliveries that are made and whose rows are not deleted yet.",
		}),
		keys: counters("realtime_notify_idempotent_total",
			"Requests with an idempotency key by result (first, replayed, reused, failed).", "result"),
	}
	if reg != nil {
		reg.MustRegister(m.emits, m.notifications, m.repeats, m.broadcastErrors, m.redelivered, m.pending, m.keys)
	}
	return m
}

// Labels of emits whose event name is the caller's.
const (
	labelCustom = "custom"
	labelRaw    = "raw"
)

// resultLabel is "ok" or the error's code.
func resultLabel(err error) string {
	if err == nil {
		return "ok"
	}
	return string(contract.CodeOf(err))
}
