package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/pkg/contract"
)

// openPostgres connects to the app's database through one pool.
func (c *core) openPostgres(ctx context.Context) (*gorm.DB, error) {
	target, err := parsePrismaURL(c.opts.URL)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	for _, w := range target.warnings {
		c.log.WarnContext(ctx, "DATABASE_URL: "+w)
	}
	dropCut(target.config)
	pool, err := pgxpool.NewWithConfig(ctx, target.config)
	if err != nil {
		return nil, fmt.Errorf("open PostgreSQL: %w", fault(err))
	}
	c.closers = append(c.closers, pool.Close)
	if err := pool.Ping(ctx); err != nil {
		return nil, contract.Wrap(contract.CodeUnavailable, "the database does not answer", err)
	}
	if target.queryTimeout > 0 {
		c.opts.QueryTimeout = target.queryTimeout
	}
	c.poolTimeout = target.poolTimeout
	// As stdlib.OpenDBFromPool, with Prisma's pool_timeout around the wait for a connection.
	db := sql.OpenDB(&boundedConnector{Connector: stdlib.GetPoolConnector(pool), timeout: target.poolTimeout})
	db.SetMaxIdleConns(0)
	c.closers = append(c.closers, func() { _ = db.Close() })
	c.sql, c.pool, c.dialect = db, pool, Postgres
	c.schema, c.bouncer, c.names = target.schema, target.bouncer, models.PostgresNames(target.schema)
	return c.gorm(postgres.New(postgres.Config{Conn: db}))
}

// boundedConnector bounds the wait for a connection of the pool.
type boundedConnector struct {
	driver.Connector
	timeout time.Duration // 0: none of its own
}

// Connect takes a connection out of the pool.
func (b *boundedConnector) Connect(ctx context.Context) (driver.Conn, error) {
	return inTime(ctx, b.timeout, b.Connector.Connect)
}
