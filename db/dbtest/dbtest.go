package dbtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
	_ "time/tzdata" // the zone below, also where the system has none

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/store"
)

// Zone is the time zone of the test process and of the database sessions. It is set while packages are initialised,
// the only moment when nothing else reads time.Local.
var Zone = mexicoCity()

func mexicoCity() *time.Location {
	zone, err := time.LoadLocation("America/Mexico_City")
	if err != nil {
		panic(err)
	}
	time.Local = zone
	return zone
}

// Each runs fn twice, as a subtest on SQLite and as one on PostgreSQL, each with a fresh and migrated store that holds
// no rows.
func Each(t *testing.T, fn func(t *testing.T, st *store.Store)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { fn(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { fn(t, Postgres(t)) })
}

// Postgres is a store over a fresh PostgreSQL database, opened as realtime_app, with the server's own tables made.
// It is closed, and the database dropped, when the test ends.
func Postgres(t testing.TB) *store.Store {
	t.Helper()
	url, _ := PostgresURL(t)
	return open(t, store.Options{URL: url})
}

// SQLite is a store over a fresh file with all tables made. It is closed and removed when the test ends.
func SQLite(t testing.TB) *store.Store {
	t.Helper()
	return open(t, store.Options{URL: MigratedSQLiteURL(t)})
}

// SQLiteURL is the URL of a SQLite file that is not there yet.
func SQLiteURL(t testing.TB) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "test.db")
}

// MigratedSQLiteURL is the URL of a SQLite file with all tables and no rows.
func MigratedSQLiteURL(t testing.TB) string {
	t.Helper()
	file, err := migratedFile()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "test.db")
	require.NoError(t, os.WriteFile(path, file, 0o600))
	return "sqlite:" + path
}

// migratedFile is a SQLite file with all tables. Making them takes a hundred times as long as copying it.
var migratedFile = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "dbtest-sqlite-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "migrated.db")
	st, err := store.Open(context.Background(), store.Options{URL: "sqlite:" + path})
	if err != nil {
		return nil, err
	}
	_, err = st.Migrate(context.Background(), store.MigrateOptions{})
	if err := errors.Join(err, st.Close()); err != nil { // closing it moves what is in the log into the file
		return nil, err
	}
	return os.ReadFile(path)
})

// Open opens and migrates a store, and closes it when the test ends.
func Open(t testing.TB, o store.Options) *store.Store {
	t.Helper()
	st := open(t, o)
	_, err := st.Migrate(t.Context(), store.MigrateOptions{})
	require.NoError(t, err)
	return st
}

func open(t testing.TB, o store.Options) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	return st
}

// Statements counts the statements that fn runs on st; BEGIN and COMMIT are none. Nothing else may use st meanwhile.
func Statements(st *store.Store, fn func()) int {
	before := st.Stats().Statements
	fn()
	return int(st.Stats().Statements - before)
}
