package migrations_test

import (
	"bytes"
	"database/sql"
	"log/slog"
	"path/filepath"
	"testing"

	_ "github.com/glebarez/sqlite"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/migrations"
)

func TestASetIsAppliedOnceAndKnowsItsVersion(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "x.db"))
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	set, log := migrations.Own(false), slog.New(slog.DiscardHandler)
	_, newest, err := set.Versions(t.Context(), db)
	require.Error(t, err, "there is no version table, and asking made none")
	require.EqualValues(t, 4, newest)

	applied, err := set.Apply(t.Context(), db, log)
	require.NoError(t, err)
	require.Equal(t, []string{"own/00001_own.sql", "own/00002_occurrences.sql", "own/00003_reminders.sql", "own/00004_last_seen.sql"}, applied)
	applied, err = set.Apply(t.Context(), db, log)
	require.NoError(t, err)
	require.Empty(t, applied)
	current, newest, err := set.Versions(t.Context(), db)
	require.NoError(t, err)
	require.Equal(t, newest, current)
}

func TestSetsOfBothDatabasesMakeTheSameTables(t *testing.T) {
	t.Parallel()
	for _, sets := range [][2]migrations.Set{
		{migrations.App(true), migrations.App(false)}, {migrations.Own(true), migrations.Own(false)},
	} {
		var postgres, sqlite bytes.Buffer
		require.NoError(t, sets[0].WriteSQL(&postgres))
		require.NoError(t, sets[1].WriteSQL(&sqlite))
		require.Equal(t, bytes.Count(postgres.Bytes(), []byte("CREATE TABLE")),
			bytes.Count(sqlite.Bytes(), []byte("CREATE TABLE")))
	}
}
