package store_test

import (
	"context"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/store"
)

// slowly is a connection that is slow to write where there is an end: until the answer is read in the background, the statement's
// context has ended and the background reader has met the deadline.
type slowly struct {
	net.Conn
	end          *atomic.Pointer[context.CancelFunc]
	answer, late chan struct{} // hold one
}

func (c *slowly) Write(b []byte) (int, error) {
	end := c.end.Swap(nil)
	if end != nil {
		select {
		case <-c.answer: // an earlier one
		default:
		}
	}
	n, err := c.Conn.Write(b)
	if end != nil {
		<-c.answer
		(*end)()
		<-c.late
	}
	return n, err
}

func (c *slowly) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	at := c.answer
	if errors.Is(err, os.ErrDeadlineExceeded) {
		at = c.late
	}
	select {
	case at <- struct{}{}:
	default:
	}
	return n, err
}

func TestAStatementDoesNotEndAsTheOneBeforeIt(t *testing.T) {
	t.Parallel()
	url, _ := dbtest.PostgresURL(t)
	config, err := pgxpool.ParseConfig(dbtest.PlainURL(url))
	require.NoError(t, err)
	config.MaxConns = 1
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec // one write for a statement
	var end atomic.Pointer[context.CancelFunc]
	dial := config.ConnConfig.DialFunc
	config.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		return &slowly{conn, &end, make(chan struct{}, 1), make(chan struct{}, 1)}, err
	}
	store.DropCut(config)
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	for range 3 {
		require.NoError(t, pool.Ping(t.Context())) // is connected
		ctx, cancel := context.WithCancel(t.Context())
		end.Store(&cancel)
		_, err = pool.Exec(ctx, `SELECT 1`)
		require.NoError(t, err, "its answer was there before its end")
		require.Error(t, ctx.Err())
		var two int
		require.NoError(t, pool.QueryRow(t.Context(), `SELECT 2`).Scan(&two))
	}
}
