package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"gorm.io/gorm"
)

// InEmitTx is InTx for what emits write: Recent.ClaimAll, Notifications.Insert, Outbox.Add and Idempotency.TryComplete of the
// store that fn is given, and nothing else of it. On PostgreSQL what needs no answer travels with what does, BEGIN with the
// first statement and COMMIT with the last: two round trips where there were five. An error of a statement may therefore
// come with a later one, or from the commit; nothing is committed then.
func (s *Store) InEmitTx(ctx context.Context, fn func(tx *Store) error) (err error) {
	if s.pool == nil || s.inTx {
		return s.InTx(ctx, fn)
	}
	conn, err := s.acquire(ctx)
	if err != nil {
		return fault(err)
	}
	defer conn.Release()
	p := &pipeline{conn: conn, timeout: s.opts.QueryTimeout, metrics: s.metrics}
	p.queue("", "BEGIN")
	ended := false
	defer func() { // a panic included
		if !ended {
			p.rollback(ctx)
		}
	}()
	tx := s.bind(refusing(s.db), true)
	tx.pipe = p
	if err := fn(tx); err != nil {
		return err
	}
	p.queue("", "COMMIT")
	if _, err := p.send(ctx); err != nil {
		return fault(err)
	}
	ended = true
	return nil
}

// pipeline is one transaction whose statements are sent together. One goroutine uses it.
type pipeline struct {
	conn    *pgxpool.Conn
	timeout time.Duration // of one round trip
	metrics *Metrics
	batch   pgx.Batch
	names   []string // the operations of batch; "" is not counted
	begun   bool     // something was sent
}

// queue keeps a statement for the next send.
func (p *pipeline) queue(operation, statement string, args ...any) {
	p.batch.Queue(numbered(statement), args...)
	p.names = append(p.names, operation)
}

// send sends what is queued and returns the first column of the last statement's rows, which is text.
func (p *pipeline) send(ctx context.Context) (last []string, err error) {
	if p.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.timeout)
		defer cancel()
	}
	for _, name := range p.names {
		if name != "" {
			defer p.metrics.begin(name)()
		}
	}
	p.begun = true
	results := p.conn.SendBatch(ctx, &p.batch)
	defer func() {
		err = errors.Join(err, results.Close())
		p.batch, p.names = pgx.Batch{}, p.names[:0]
	}()
	for range len(p.names) - 1 {
		if _, err := results.Exec(); err != nil {
			return nil, err
		}
	}
	rows, err := results.Query()
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// rollback ends the transaction, if there is one. When that fails the connection is closed, which does it, too.
func (p *pipeline) rollback(ctx context.Context) {
	if !p.begun || p.conn.Conn().IsClosed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if _, err := p.conn.Exec(ctx, "ROLLBACK"); err != nil {
		_ = p.conn.Conn().Close(ctx)
	}
}

// later runs a statement whose outcome is only whether it worked. In an emit's transaction it waits for the next round trip.
func (s *Store) later(ctx context.Context, operation, statement string, args ...any) error {
	if s.pipe != nil {
		s.pipe.queue(operation, statement, args...)
		return nil
	}
	_, err := s.exec(ctx, operation, statement, args...)
	return err
}

// returning runs a statement that writes and returns one column of text.
func (s *Store) returning(ctx context.Context, operation, statement string, args ...any) ([]string, error) {
	if s.pipe != nil {
		s.pipe.queue(operation, statement, args...)
		keys, err := s.pipe.send(ctx)
		return keys, fault(err)
	}
	var keys []string
	err := s.findWriting(ctx, operation, &keys, statement, args...)
	return keys, err
}

var errEmitTx = errors.New("store: only what emits write may be done in InEmitTx")

// refusing is a GORM that does nothing: what an emit's transaction does not know would be done outside it.
func refusing(db *gorm.DB) *gorm.DB {
	db = db.Session(&gorm.Session{NewDB: true})
	_ = db.AddError(fmt.Errorf("%w", errEmitTx))
	return db
}
