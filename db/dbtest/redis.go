//go:build unix

package dbtest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/internal/freeport"
)

// Redis starts a Redis server of the test's own on a free port of the loopback interface and returns its address. It
// keeps nothing on disk and goes when the test ends.
func Redis(t testing.TB) (addr string) {
	t.Helper()
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("this test needs Redis: install it (apt-get install redis-server)")
	}
	for range 3 {
		addr, err = startRedis(t, binary)
		if !errors.Is(err, errPortTaken) {
			break
		}
	}
	require.NoError(t, err)
	return addr
}

func startRedis(t testing.TB, binary string) (string, error) {
	t.Helper()
	dir, err := os.MkdirTemp("", "dbtest-redis-")
	if err != nil {
		return "", err
	}
	port, err := freeport.Find()
	if err != nil {
		return "", err
	}
	p, err := start(dir, nil, binary, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
	if err != nil {
		return "", err
	}
	addr := "127.0.0.1:" + port
	client := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1})
	defer func() { _ = client.Close() }()
	if err := p.await(func(ctx context.Context) error { return client.Ping(ctx).Err() }); err != nil {
		p.stop()
		return "", err
	}
	t.Cleanup(p.stop)
	return addr, nil
}
