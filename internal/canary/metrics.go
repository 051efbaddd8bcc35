package canary

import "github.com/prometheus/client_golang/prometheus"

// Metrics of the canary.
type Metrics struct {
	age *prometheus.GaugeVec
	lap *prometheus.HistogramVec
}

// NewMetrics makes the collectors and registers them with reg, where there is one.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		age: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "realtime_canary_age_seconds",
			Help: "Age of the last canary that came through each part of the way (outbox, hub, redis), and the whole of it (all).",
		}, []string{"leg"}),
		lap: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "realtime_canary_seconds", Help: "Time that a canary took for each part of the way.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2.5, 11),
		}, []string{"leg"}),
	}
	if reg != nil {
		reg.MustRegister(m.age, m.lap)
	}
	return m
}
