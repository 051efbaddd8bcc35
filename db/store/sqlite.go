package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/glebarez/sqlite"
	"github.com/google/uuid"
	"gorm.io/gorm"

	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/pkg/contract"
)

// sqliteTime is how the driver writes a time. It compares as text in the order of time as long as all are in UTC.
const sqliteTime = "2006-01-02 15:04:05.999999999-07:00"

// openSQLite opens, and creates, the embedded database.
//
// One writer at a time is let through by core.writer; readers do not wait for it, nor it for them (WAL). The busy
// timeout is for other processes on the same file. BEGIN is IMMEDIATE: a transaction that reads and then writes would
// otherwise fail at once, without any waiting, when another wrote in between.
func (c *core) openSQLite(ctx context.Context) (*gorm.DB, error) {
	path, unknown := sqlitePath(c.opts.URL)
	if unknown {
		c.log.WarnContext(ctx, "parameters of a SQLite DATABASE_URL are ignored")
	}
	pragmas := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(15000)", "foreign_keys(1)", "journal_mode(WAL)", "synchronous(NORMAL)",
	}}
	memory := path == ":memory:"
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath()
	if memory {
		// SQLite's memdb file system: all connections see the same database, which goes with the last of them.
		dsn = "file:/realtime-" + uuid.NewString()
		pragmas.Set("vfs", "memdb")
	} else if dir := filepath.Dir(path); dir != "." {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make the folder of the SQLite database: %w", err)
		}
	}
	db, err := sql.Open(sqlite.DriverName, dsn+"?"+pragmas.Encode())
	if err != nil {
		return nil, fmt.Errorf("open SQLite: %w", err)
	}
	conns := max(4, runtime.GOMAXPROCS(0)*2)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	c.sql, c.dialect, c.names, c.writer = db, SQLite, models.SQLiteNames(), make(chan struct{}, 1)
	c.closers = append(c.closers, func() { _ = db.Close() })

	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, contract.Wrap(contract.CodeUnavailable, "the SQLite database cannot be opened", err)
	}
	if memory {
		c.closers = append(c.closers, func() { _ = conn.Close() }) // keeps the database in being
	} else {
		_ = conn.Close()
	}
	return c.gorm(&sqlite.Dialector{Conn: db})
}

// sqlitePath is the file of a "sqlite:" or "file:" URL, and whether it had parameters, which mean nothing here.
func sqlitePath(raw string) (path string, parameters bool) {
	path = raw
	for _, prefix := range []string{"sqlite://", "sqlite:", "file://", "file:"} {
		if rest, ok := strings.CutPrefix(path, prefix); ok {
			path = rest
			break
		}
	}
	path, query, _ := strings.Cut(path, "?")
	if path == "" {
		path = ":memory:"
	}
	return path, query != ""
}
