package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/store"
)

func TestGrantsAreForTheRoleAndSchemaOfTheURLWhateverTheirNames(t *testing.T) {
	t.Parallel()
	sql, err := store.Grants(`postgresql://o'%22re%5C$$al:secret@db/app?schema=Mi%20Agenda&pgbouncer=true`)
	require.NoError(t, err)
	require.Contains(t, sql, `GRANT USAGE ON SCHEMA "Mi Agenda" TO "o'""re\$$al";`)
	require.Contains(t, sql, `GRANT SELECT, INSERT, UPDATE, DELETE ON "Mi Agenda"."notification_logs" TO "o'""re\$$al";`)
	require.Contains(t, sql, `GRANT SELECT ON "Mi Agenda"."notification_settings" TO`)
	require.NotContains(t, sql, "secret")
	_, err = store.Grants("sqlite:x.db")
	require.ErrorContains(t, err, "nothing to grant")

	_, owner := dbtest.EmptyPostgresURL(t)
	dbtest.Open(t, store.Options{URL: owner})
	admin := dbtest.SuperuserURL(t, owner)
	dbtest.Exec(t, admin, `CREATE ROLE "o'""re\$$al"`)
	sql, err = store.Grants(`postgresql://o'%22re%5C$$al@db/app`)
	require.NoError(t, err)
	dbtest.Exec(t, owner, sql)
	dbtest.Exec(t, admin, `DROP OWNED BY "o'""re\$$al"`, `DROP ROLE "o'""re\$$al"`)
}
