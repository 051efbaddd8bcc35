package hub

import "github.com/prometheus/client_golang/prometheus"

// Metrics of the hub.
type Metrics struct {
	sockets     prometheus.Gauge
	refusals    *prometheus.CounterVec
	disconnects *prometheus.CounterVec
	signIn      prometheus.Histogram
	in          *prometheus.CounterVec
	out         *prometheus.CounterVec
	deliveries  prometheus.Counter
	paced       *prometheus.CounterVec
	waiting     prometheus.Gauge
}

// NewMetrics makes the collectors and registers them with reg, where there is one.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		sockets:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "realtime_sockets", Help: "Signed-in sockets."}),
		refusals:    counters("realtime_connect_refusals_total", "Sockets refused at CONNECT, by code.", "code"),
		disconnects: counters("realtime_disconnects_total", "Sockets gone, by Socket.IO reason.", "reason"),
		signIn: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "realtime_sign_in_seconds",
			Help: "Time from CONNECT to the user being known.", Buckets: prometheus.ExponentialBuckets(0.00005, 3, 11)}),
		in:         counters("realtime_events_in_total", "Events from clients, by name (other: unknown ones) and result.", "event", "result"),
		out:        counters("realtime_events_out_total", "Events sent, by name (other: raw ones of callers).", "event"),
		deliveries: prometheus.NewCounter(prometheus.CounterOpts{Name: "realtime_deliveries_total", Help: "Events queued for a socket."}),
		paced: counters("realtime_paced_broadcasts_total",
			"Broadcasts over their tenant's rate, by result (queued, refused).", "result"),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{Name: "realtime_paced_bytes",
			Help: "Bytes of broadcasts that wait for their tenant's rate."}),
	}
	if reg != nil {
		reg.MustRegister(m.paced, m.waiting, m.sockets, m.refusals, m.disconnects, m.signIn, m.in, m.out, m.deliveries)
	}
	return m
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

// sent counts an event that was queued for n sockets. A name that the protocol does not know comes from a caller of the
// raw emit endpoints and must not become a label.
func (m *Metrics) sent(event string, n int) {
	if !serverEvents[event] {
		event = "other"
	}
	m.out.WithLabelValues(event).Inc()
	m.deliveries.Add(float64(n))
}
