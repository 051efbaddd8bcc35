package http1

import "github.com/prometheus/client_golang/prometheus"

// Metrics of connections and requests.
type Metrics struct {
	requests, handed prometheus.Counter
}

// NewMetrics makes the collectors and registers them with reg, where there is one.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounter(prometheus.CounterOpts{Name: "realtime_http1_requests_total",
			Help: "Requests of the transport and the emit endpoints that were read without net/http."}),
		handed: prometheus.NewCounter(prometheus.CounterOpts{Name: "realtime_http1_handed_total",
			Help: "Connections handed to net/http, for a request that is somebody else's, large or unusual."}),
	}
	if reg != nil {
		reg.MustRegister(m.requests, m.handed)
	}
	return m
}
