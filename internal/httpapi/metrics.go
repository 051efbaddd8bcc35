package httpapi

import (
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics of the HTTP edge. Long polls and WebSocket connections are the transport's to measure and are left out.
type Metrics struct {
	requests *prometheus.HistogramVec
	problems *prometheus.CounterVec
	emits    *prometheus.CounterVec
	panics   prometheus.Counter
}

// NewMetrics makes the collectors and registers them with reg, where there is one.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "realtime_http_request_seconds",
			Help: "Time to answer a request by route and status.", Buckets: prometheus.ExponentialBuckets(0.0005, 2.5, 11)}, []string{"route", "status"}),
		problems: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "realtime_http_problems_total",
			Help: "Requests answered with a problem, by code."}, []string{"code"}),
		emits: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "realtime_emits_total",
			Help: "Emit requests by kind and result (ok, replayed, or the error code)."}, []string{"kind", "result"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{Name: "realtime_http_panics_total", Help: "Panics in request handlers."}),
	}
	if reg != nil {
		reg.MustRegister(m.requests, m.problems, m.emits, m.panics)
	}
	return m
}

// observe times a request. A path that matched no route is one label value: a client must not be able to make more.
func (a *API) observe(c *gin.Context) {
	route := c.FullPath()
	if route == SocketPath || route == SocketPath+"/" {
		c.Next()
		return
	}
	start := time.Now()
	c.Next()
	if route == "" {
		route = "none"
		if a.deps.Upstream != nil {
			return // the front door counts what it passes on
		}
	}
	a.opts.Metrics.requests.WithLabelValues(route, strconv.Itoa(c.Writer.Status())).Observe(time.Since(start).Seconds())
}
