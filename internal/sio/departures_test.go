package sio

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDeparturesAreTheLastOnes(t *testing.T) {
	t.Parallel()
	var d departures
	first := time.Now()
	ids := make([]pid, maxDepartures+1)
	for i := range ids {
		ids[i] = newPID()
		d.add(ids[i], first.Add(time.Duration(i)))
		d.add(ids[i], first.Add(time.Duration(i))) // a session that is over twice
	}
	require.Len(t, d.at, maxDepartures)
	require.NotContains(t, d.at, ids[0])
	require.Equal(t, first.Add(1), d.at[ids[1]])
	require.Equal(t, first.Add(maxDepartures), d.at[ids[maxDepartures]])
}
