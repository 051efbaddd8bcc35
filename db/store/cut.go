package store

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
)

// cut is a connection's CustomData where a statement's context ended before the statement did.
const cut = "realtime.cut"

// dropCut has a pool not use a connection again on which a statement's context ended, though the statement ended well: where pgx was slow
// to write it (15 ms), its background reader may have met the deadline that cuts statements off, and hands that to the next
// statement as a time-out of its own (pgx 5.11, pgconn/internal/bgreader).
func dropCut(config *pgxpool.Config) {
	build := config.ConnConfig.BuildContextWatcherHandler
	config.ConnConfig.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &cutMarker{Handler: build(conn), data: conn.CustomData()}
	}
	config.PrepareConn = func(_ context.Context, conn *pgx.Conn) (bool, error) {
		return conn.PgConn().CustomData()[cut] == nil, nil
	}
}

// cutMarker is pgx's handler for contexts that end, and marks the connection.
type cutMarker struct {
	ctxwatch.Handler
	data map[string]any // the statement's goroutine has it
}

// HandleUnwatchAfterCancel is called when the statement is over.
func (m *cutMarker) HandleUnwatchAfterCancel() {
	m.Handler.HandleUnwatchAfterCancel()
	m.data[cut] = true
}
