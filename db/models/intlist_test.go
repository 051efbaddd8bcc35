package models_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/models"
)

func TestAnIntListReadsBothForms(t *testing.T) {
	t.Parallel()
	for in, want := range map[any]models.IntList{
		"{1440,60}": {1440, 60}, "[1440, 60]": {1440, 60}, "{}": {}, "[]": {}, " {5} ": {5}, "{1,NULL,2}": {1, 2}, nil: nil,
		"[-3]": {-3},
	} {
		var l models.IntList
		require.NoError(t, l.Scan(in), "%v", in)
		require.Equal(t, want, l, "%v", in)
	}
	var l models.IntList
	require.NoError(t, l.Scan([]byte("{7}")))
	require.Equal(t, models.IntList{7}, l)
	for _, in := range []any{"", "x", "{", "{a}", "1,2", `["1"]`, 5, "{99999999999999999999}"} {
		require.Error(t, l.Scan(in), "%v", in)
	}
}

func TestAnIntListIsAnArrayLiteral(t *testing.T) {
	t.Parallel()
	v, err := models.IntList{1440, 60}.Value()
	require.NoError(t, err)
	require.Equal(t, "{1440,60}", v)
	v, err = models.IntList{}.Value()
	require.NoError(t, err)
	require.Equal(t, "{}", v)
	v, err = models.IntList(nil).Value()
	require.NoError(t, err)
	require.Nil(t, v)
}

func TestTableNamesFollowTheDatabase(t *testing.T) {
	t.Parallel()
	postgres, sqlite := models.PostgresNames("Agenda"), models.SQLiteNames()
	require.Equal(t, "Agenda.users", models.User{}.TableName(postgres))
	require.Equal(t, "users", models.User{}.TableName(sqlite))
	require.Equal(t, "realtime.deliveries", models.Delivery{}.TableName(postgres))
	require.Equal(t, "realtime_deliveries", models.Delivery{}.TableName(sqlite))
	require.Equal(t, `"Agenda"."users"`, postgres.Quoted("users"))
	require.Equal(t, `"realtime"."recent"`, postgres.Quoted("realtime.recent"))
	require.Equal(t, `"realtime_recent"`, sqlite.Quoted("realtime.recent"))
}
