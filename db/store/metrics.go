package store

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"gorm.io/gorm"
)

// operationKey is where op leaves the operation's name for the observer.
const operationKey = "realtime:operation"

// Metrics of the database.
type Metrics struct {
	// Duration of one statement in seconds, by operation ("users.account"); tenants and users are never labels.
	Duration *prometheus.HistogramVec

	statements atomic.Int64
}

// NewMetrics makes the collectors, registered where reg is not nil. A registry that has them already (two stores in
// one process) shares them.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{Duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "realtime_db_statement_seconds",
		Help:    "Duration of one database statement by operation.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"operation"})}
	if reg != nil {
		if err := reg.Register(m.Duration); err != nil {
			var already prometheus.AlreadyRegisteredError
			if errors.As(err, &already) {
				if shared, ok := already.ExistingCollector.(*prometheus.HistogramVec); ok {
					m.Duration = shared
				}
			}
		}
	}
	return m
}

// observer is a GORM plugin: it bounds, counts and times each statement.
type observer struct {
	metrics *Metrics
	timeout time.Duration
}

// Name is how GORM knows the plugin.
func (*observer) Name() string { return "realtime:observer" }

// Initialize hangs the observer around GORM's own callbacks.
func (o *observer) Initialize(db *gorm.DB) error {
	c := db.Callback()
	steps := []struct {
		before, after func(name string, fn func(*gorm.DB)) error
	}{
		{c.Query().Before("*").Register, c.Query().After("*").Register},
		{c.Create().Before("*").Register, c.Create().After("*").Register},
		{c.Update().Before("*").Register, c.Update().After("*").Register},
		{c.Delete().Before("*").Register, c.Delete().After("*").Register},
		{c.Raw().Before("*").Register, c.Raw().After("*").Register},
	}
	for _, s := range steps {
		if err := s.before("realtime:before", o.before); err != nil {
			return err
		}
		if err := s.after("realtime:after", o.after); err != nil {
			return err
		}
	}
	// Rows outlive their callback, so they are counted only, not bounded.
	return c.Row().Before("*").Register("realtime:before", func(*gorm.DB) { o.metrics.statements.Add(1) })
}

// running is a statement under way.
type running struct {
	since  time.Time
	cancel context.CancelFunc
}

const runningKey = "realtime:running"

func (o *observer) before(db *gorm.DB) {
	o.metrics.statements.Add(1)
	r := running{since: time.Now(), cancel: func() {}}
	if o.timeout > 0 {
		db.Statement.Context, r.cancel = context.WithTimeout(db.Statement.Context, o.timeout)
	}
	db.InstanceSet(runningKey, r)
}

func (o *observer) after(db *gorm.DB) {
	v, ok := db.InstanceGet(runningKey)
	if !ok {
		return
	}
	r, ok := v.(running)
	if !ok {
		return
	}
	// SQLite's driver says "interrupted" and does not say by whom.
	if ended := db.Statement.Context.Err(); ended != nil && db.Error != nil && !errors.Is(db.Error, ended) {
		db.Error = fmt.Errorf("%w: %w", ended, db.Error)
	}
	r.cancel()
	operation := "other"
	if v, ok := db.Get(operationKey); ok {
		if name, ok := v.(string); ok {
			operation = name
		}
	}
	o.metrics.Duration.WithLabelValues(operation).Observe(time.Since(r.since).Seconds())
}
