package inbox

import "github.com/prometheus/client_golang/prometheus"

// Metrics of the inbox.
type Metrics struct {
	read    prometheus.Counter
	deleted prometheus.Counter
	unsent  prometheus.Counter
}

// NewMetrics makes the collectors and registers them with reg, where there is one.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		read: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "realtime_inbox_read_total", Help: "Notifications marked as read; one read again counts again.",
		}),
		deleted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "realtime_inbox_deleted_total", Help: "Notifications deleted by their users.",
		}),
		unsent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "realtime_inbox_broadcast_errors_total", Help: "Events about reading and deleting that could not be sent.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.read, m.deleted, m.unsent)
	}
	return m
}
