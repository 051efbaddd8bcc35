package identity

import "github.com/prometheus/client_golang/prometheus"

// Metrics of sign-in and of the emit endpoints' keys. Tenants and users are never labels.
type Metrics struct {
	authentications *prometheus.CounterVec
	lookups         *prometheus.CounterVec
	cached          prometheus.Gauge
	dropped         prometheus.Counter
	rechecks        *prometheus.CounterVec
	told            *prometheus.CounterVec
	emitChecks      *prometheus.CounterVec
}

// NewMetrics makes the collectors and registers them with reg, where there is one.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		authentications: counters("realtime_authentications_total",
			"Credentials checked, by result (ok, or why refused) and where the credential came from.", "result", "credential"),
		lookups: counters("realtime_account_lookups_total",
			"Accounts looked up at sign-in, by result (hit: remembered, miss: queried, shared: waited for another's query).",
			"result"),
		cached: prometheus.NewGauge(prometheus.GaugeOpts{Name: "realtime_accounts_remembered",
			Help: "Accounts remembered."}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{Name: "realtime_accounts_dropped_total",
			Help: "Remembered accounts that a re-check found changed."}),
		rechecks: counters("realtime_rechecks_total", "Re-checks of connected users, by result (ok, failed).", "result"),
		told: counters("realtime_recheck_changes_total",
			"Times that the connections of a user were told of a change, by what changed (gone, inactive, standing).", "change"),
		emitChecks: counters("realtime_emit_key_checks_total",
			"Credentials of the emit endpoints checked, by result (key, service_token, or why refused).", "result"),
	}
	if reg != nil {
		reg.MustRegister(m.authentications, m.lookups, m.cached, m.dropped, m.rechecks, m.told, m.emitChecks)
	}
	return m
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}
