package engineio

import "github.com/prometheus/client_golang/prometheus"

// Metrics of the transport.
type Metrics struct {
	conns      *prometheus.GaugeVec
	handshakes *prometheus.CounterVec
	refusals   *prometheus.CounterVec
	closes     *prometheus.CounterVec
	upgrades   *prometheus.CounterVec
	bytesIn    prometheus.Counter
	messagesIn prometheus.Counter
	bytesOut   prometheus.Counter
	writes     prometheus.Counter
	slow       prometheus.Counter
	panics     prometheus.Counter
	throttled  prometheus.Counter
}

// NewMetrics makes the collectors and registers them with reg, where there is one.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "realtime_engineio_" + name, Help: help})
	}
	vec := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "realtime_engineio_" + name, Help: help}, []string{label})
	}
	m := &Metrics{
		conns: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "realtime_engineio_connections",
			Help: "Open connections by transport."}, []string{"transport"}),
		handshakes: vec("handshakes_total", "Connections opened, by first transport.", "transport"),
		refusals:   vec("refusals_total", "Requests refused, by reason.", "reason"),
		closes:     vec("closes_total", "Connections ended, by reason.", "reason"),
		upgrades:   vec("upgrades_total", "Upgrades to WebSocket, by result.", "result"),
		bytesIn:    counter("received_bytes_total", "Bytes of messages received."),
		messagesIn: counter("received_messages_total", "Messages received."),
		bytesOut:   counter("sent_bytes_total", "Bytes written, queue accounting included."),
		writes:     counter("writes_total", "Writes to sockets and polling responses; each may join many packets."),
		slow:       counter("slow_total", "Connections closed because their queue was full or too old."),
		panics:     counter("panics_total", "Panics of the handler."),
		throttled:  counter("throttled_total", "Messages whose reading was put off because their client sends too fast."),
	}
	if reg != nil {
		reg.MustRegister(m.conns, m.handshakes, m.refusals, m.closes, m.upgrades, m.bytesIn, m.messagesIn, m.bytesOut,
			m.writes, m.slow, m.panics, m.throttled)
	}
	return m
}

func (m *Metrics) opened(transport string) {
	m.conns.WithLabelValues(transport).Inc()
	m.handshakes.WithLabelValues(transport).Inc()
}

func (m *Metrics) upgraded() {
	m.upgrades.WithLabelValues("done").Inc()
	m.conns.WithLabelValues(Polling).Dec()
	m.conns.WithLabelValues(WebSocket).Inc()
}

func (m *Metrics) closed(reason CloseReason, transport string) {
	m.conns.WithLabelValues(transport).Dec()
	m.closes.WithLabelValues(reason.Code).Inc()
}

func (m *Metrics) received(n int) {
	m.messagesIn.Inc()
	m.bytesIn.Add(float64(n))
}

func (m *Metrics) sent(n int) {
	m.writes.Inc()
	m.bytesOut.Add(float64(n))
}
