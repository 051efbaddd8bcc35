package sio

import "github.com/prometheus/client_golang/prometheus"

// Metrics of Socket.IO below users and events.
type Metrics struct {
	connects      *prometheus.CounterVec
	refusals      *prometheus.CounterVec
	panics        *prometheus.CounterVec
	encodeErrors  prometheus.Counter
	kicks         *prometheus.CounterVec
	ackTimeouts   prometheus.Counter
	broadcastSize prometheus.Histogram

	recoveries       *prometheus.CounterVec
	recoveryBytes    prometheus.Gauge
	recoverySessions prometheus.Gauge
}

// NewMetrics makes the collectors and registers them with reg, where there is one.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		connects: counters("realtime_sio_connects_total",
			"CONNECT packets by result (joined, refused, namespace, limit, gone).", "result"),
		refusals: counters("realtime_sio_refused_packets_total",
			"Packets of clients that broke the protocol and closed their connection, by reason.", "reason"),
		panics: counters("realtime_sio_panics_total", "Panics of callbacks, by callback.", "callback"),
		encodeErrors: prometheus.NewCounter(prometheus.CounterOpts{Name: "realtime_sio_encode_errors_total",
			Help: "Packets that were not sent because they cannot be encoded."}),
		kicks: counters("realtime_sio_kicks_total", "Sockets disconnected by the server, by reason.", "reason"),
		ackTimeouts: prometheus.NewCounter(prometheus.CounterOpts{Name: "realtime_sio_ack_timeouts_total",
			Help: "Acknowledgements that did not come in time."}),
		broadcastSize: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "realtime_sio_broadcast_sockets",
			Help: "Recipients of a broadcast.", Buckets: []float64{0, 1, 10, 100, 1000, 10000, 100000}}),
		recoveries: counters("realtime_sio_recoveries_total", "Clients that came back for their session, by result "+
			"(restored, restored_elsewhere; or a new socket because of: unknown, malformed, rights, missed, busy, unavailable).", "result"),
		recoveryBytes: prometheus.NewGauge(prometheus.GaugeOpts{Name: "realtime_sio_recovery_bytes",
			Help: "Bytes of events kept for clients that may come back."}),
		recoverySessions: prometheus.NewGauge(prometheus.GaugeOpts{Name: "realtime_sio_recovery_sessions",
			Help: "Sessions whose clients are away and may come back."}),
	}
	if reg != nil {
		reg.MustRegister(m.recoveries, m.recoveryBytes, m.recoverySessions)
		reg.MustRegister(m.connects, m.refusals, m.panics, m.encodeErrors, m.kicks, m.ackTimeouts, m.broadcastSize)
	}
	return m
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}
