package freeport_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/internal/freeport"
)

func TestAPortIsFreeAndNobodyElses(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		port, err := freeport.Find()
		require.NoError(t, err)
		require.False(t, seen[port])
		seen[port] = true
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		require.NoError(t, err)
		require.NoError(t, l.Close())
	}
}
