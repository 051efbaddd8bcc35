package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	sqlite "github.com/glebarez/go-sqlite"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/migrations"
)

// begins is a SQLite file whose transactions are begun when that has returned.
type begins struct {
	driver driver.Driver
	dsn    string
	begin  func() error
}

func (w begins) Driver() driver.Driver { return w.driver }

func (w begins) Connect(context.Context) (driver.Conn, error) {
	c, err := w.driver.Open(w.dsn)
	return beginsConn{c, w.begin}, err
}

type beginsConn struct {
	driver.Conn
	begin func() error
}

func (c beginsConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	if err := c.begin(); err != nil {
		return nil, err
	}
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
}

func TestAProcessThatIsOvertakenAtEachMigrationFindsAllMade(t *testing.T) {
	t.Parallel()
	dsn := "file:" + filepath.Join(t.TempDir(), "x.db") + "?_txlock=immediate&_pragma=busy_timeout(15000)&_pragma=journal_mode(WAL)"
	open := func(begin func() error) *sql.DB {
		db := sql.OpenDB(begins{&sqlite.Driver{}, dsn, begin})
		t.Cleanup(func() { require.NoError(t, db.Close()) })
		return db
	}
	set, log := migrations.Own(false), slog.New(slog.DiscardHandler)
	left := 2 // transactions of the faster one: the table of versions, and the first migration
	faster := open(func() error {
		if left--; left < 0 {
			return errors.New("its turn is over")
		}
		return nil
	})
	slower := open(func() error {
		_, err := set.Apply(t.Context(), faster, log)
		left = 1
		if err != nil {
			require.ErrorContains(t, err, "its turn is over")
		}
		return nil
	})
	applied, err := (&Store{core: &core{log: log}}).apply(t.Context(), slower, set)
	require.NoError(t, err)
	require.Empty(t, applied)
	current, newest, err := set.Versions(t.Context(), slower)
	require.NoError(t, err)
	require.Equal(t, newest, current)
}
