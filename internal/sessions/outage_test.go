//go:build unix

package sessions

import (
	"bytes"
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/internal/sio"
	"github.com/citaplanner/realtime/pkg/engineio"
)

// lines is a log that tests may read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// freeze stops Redis as SIGSTOP does, until thaw.
func freeze(t *testing.T, s *Store) (thaw func()) {
	t.Helper()
	info, err := s.client.Info(t.Context(), "server").Result()
	require.NoError(t, err)
	_, rest, _ := strings.Cut(info, "process_id:")
	pid, err := strconv.Atoi(strings.TrimSpace(strings.SplitN(rest, "\n", 2)[0]))
	require.NoError(t, err)
	thaw = sync.OnceFunc(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	t.Cleanup(thaw)
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	return thaw
}

func TestAnOutageOfRedisHoldsNobodyUpAndLeavesNoGapBehind(t *testing.T) {
	t.Parallel()
	addr := dbtest.Redis(t)
	log := &lines{}
	a := serve(t, addr, sio.Recovery{}, Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	b := serve(t, addr, sio.Recovery{}, Options{})
	v, other := travel(t, a, "ana:a"), travel(t, a, "ben:b")
	a.send(t, "a", "all", "one")
	require.Equal(t, `"one"`, v.next())
	require.Equal(t, `"one"`, other.next())
	a.store.flushed(t)

	thaw := freeze(t, a.store)
	slow := 0
	for i := range 2000 { // more than a batch
		start := time.Now()
		a.send(t, "a", "user:ana", "live", i)
		if time.Since(start) > redisWait/2 { // the machine may stand still, too, but not each time
			slow++
		}
		require.Less(t, slow, 3, "it does not wait for Redis")
		require.Equal(t, `"live" `+strconv.Itoa(i), v.next())
	}
	_ = v.ws.Close()
	require.Eventually(t, func() bool { return a.Get(v.sid) == nil }, patience, time.Millisecond)
	a.send(t, "a", "all", "missed")
	v.travel(a)
	require.True(t, v.recovered, "memory has it")
	require.Equal(t, `"missed"`, v.next())
	require.Equal(t, `"hello" true`, v.next())
	require.Eventually(t, func() bool { return !a.store.up.Load() }, patience, time.Millisecond)
	thaw()
	require.Eventually(t, a.store.up.Load, patience, time.Millisecond)
	a.store.flushed(t)
	require.Equal(t, 1, strings.Count(log.String(), "Redis does not take"), "once an outage")
	require.Equal(t, 1, strings.Count(log.String(), "Redis takes again"))
	require.NotContains(t, log.String(), v.pid)

	behind := travel(t, a, "cleo:a")
	a.send(t, "a", "all", "after")
	require.Equal(t, `"after"`, behind.next())
	a.store.flushed(t)
	_ = behind.ws.Close()
	behind.travel(b)
	require.True(t, behind.recovered, "the gap is before it came: %v", b.results(t))
}

func TestAStopInTheMiddleOfABatchLosesNothing(t *testing.T) {
	t.Parallel()
	addr := dbtest.Redis(t)
	s := newStore(t, addr, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var done sync.WaitGroup
	defer done.Wait()
	done.Go(func() { _ = s.Run(ctx) })
	publish := func(n uint64) {
		s.Publish(&sio.SharedEvent{Group: "g", Seq: n, N: n, All: true, Packets: []*engineio.Packet{engineio.NewText([]byte("x"))}})
	}
	thaw := freeze(t, s)
	publish(1)
	require.Eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.taken == 1
	}, patience, time.Millisecond)
	publish(2)
	cancel()
	thaw()
	done.Wait()
	n, err := s.client.XLen(context.Background(), s.streamKey("g")).Result()
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	require.True(t, s.up.Load())
}

func TestWhoMissedWhatRedisDidNotTakeIsNotRestored(t *testing.T) {
	t.Parallel()
	addr := dbtest.Redis(t)
	a := serve(t, addr, sio.Recovery{}, Options{QueueBytes: 10_000})
	b := serve(t, addr, sio.Recovery{}, Options{})
	v, quiet := travel(t, a, "ana:a"), travel(t, a, "ben:b")
	a.store.flushed(t)
	thaw := freeze(t, a.store)
	_, _ = v.ws.Close(), quiet.ws.Close()
	for range 100 {
		a.send(t, "a", "all", "dropped", strings.Repeat("x", 1000))
	}
	a.store.mu.Lock()
	require.LessOrEqual(t, a.store.bytes, 10_000+2*batchBytes)
	a.store.mu.Unlock()
	require.Positive(t, a.store.waiting(t), "it shows at once, not when Redis has answered")
	thaw()
	a.store.flushed(t)
	require.Eventually(t, func() bool {
		a.store.mu.Lock()
		defer a.store.mu.Unlock()
		return len(a.store.gaps) == 0 && a.store.up.Load()
	}, patience, time.Millisecond)
	for who, want := range map[*traveller]bool{v: false, quiet: true} {
		require.Eventually(t, func() bool { who.travel(b); return true }, patience, time.Millisecond)
		require.Equal(t, want, who.recovered, who.token)
	}
	require.Equal(t, 1, b.results(t)["missed"])
	require.Zero(t, a.store.waiting(t))
}

// waiting is the metric of the bytes that wait for Redis.
func (s *Store) waiting(t *testing.T) float64 {
	t.Helper()
	reg := prometheus.NewRegistry()
	require.NoError(t, reg.Register(s.opts.Metrics.queued))
	families, err := reg.Gather()
	require.NoError(t, err)
	return families[0].GetMetric()[0].GetGauge().GetValue()
}

func TestWhatRedisLostIsNoticed(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(t *testing.T, s *Store){
		"the events": func(t *testing.T, s *Store) {
			require.NoError(t, s.client.Del(t.Context(), s.streamKey("a")).Err())
		},
		"what is known of the group": func(t *testing.T, s *Store) {
			require.NoError(t, s.client.Del(t.Context(), s.groupKey("a")).Err())
		},
		"an event": func(t *testing.T, s *Store) {
			one, err := s.client.XRange(t.Context(), s.streamKey("a"), "-", "+").Result()
			require.NoError(t, err)
			require.NoError(t, s.client.XDel(t.Context(), s.streamKey("a"), one[1].ID).Err())
		},
		"everything": func(t *testing.T, s *Store) { require.NoError(t, s.client.FlushAll(t.Context()).Err()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := dbtest.Redis(t)
			a, b := serve(t, addr, sio.Recovery{}, Options{}), serve(t, addr, sio.Recovery{}, Options{})
			v := travel(t, a, "ana:a")
			a.send(t, "a", "all", "one")
			require.Equal(t, `"one"`, v.next())
			_ = v.ws.Close()
			a.send(t, "a", "all", "two")
			a.send(t, "a", "all", "three")
			a.store.flushed(t)
			lose(t, a.store)
			a.send(t, "a", "all", "four")
			a.store.flushed(t)
			v.travel(b)
			require.False(t, v.recovered)
			require.Equal(t, `"hello" false`, v.next())
			a.store.flushed(t)
			again := travel(t, a, "ben:a")
			a.send(t, "a", "all", "five")
			require.Equal(t, `"five"`, again.next())
			a.store.flushed(t)
			_ = again.ws.Close()
			a.send(t, "a", "all", "six")
			a.store.flushed(t)
			again.travel(b)
			require.True(t, again.recovered, "who came afterwards")
			require.Equal(t, `"six"`, again.next())
		})
	}
}

func TestWhereTooManyGroupsLackSomethingNobodyIsRestoredFromBefore(t *testing.T) {
	t.Parallel()
	addr := dbtest.Redis(t)
	a, b := serve(t, addr, sio.Recovery{}, Options{}), serve(t, addr, sio.Recovery{}, Options{})
	v := travel(t, a, "ana:a")
	a.send(t, "a", "all", "one")
	require.Equal(t, `"one"`, v.next())
	a.store.flushed(t)
	a.store.mu.Lock()
	for i := range maxGaps {
		a.store.lack("group "+strconv.Itoa(i), 1)
	}
	a.store.lack("a", 1<<62)
	a.store.mu.Unlock()
	a.send(t, "b", "all", "next")
	a.store.flushed(t)
	_ = v.ws.Close()
	v.travel(b)
	require.False(t, v.recovered)
	require.Equal(t, 1, b.results(t)["missed"])
}

func TestEventsGoWithTheirTime(t *testing.T) {
	t.Parallel()
	addr := dbtest.Redis(t)
	s, _ := run(t, addr, Options{Time: 2 * time.Second})
	publish := func(seq uint64) {
		s.Publish(&sio.SharedEvent{Group: "a", Seq: seq, N: seq, Packets: []*engineio.Packet{engineio.NewText("text")}})
		s.flushed(t)
	}
	var first []redis.XMessage
	var err error
	require.Eventually(t, func() bool { // or the stream is gone before it is looked at
		publish(1)
		first, err = s.client.XRange(t.Context(), s.streamKey("a"), "-", "+").Result()
		return err == nil && len(first) > 0
	}, patience, time.Millisecond)
	for end, seq := time.Now().Add(s.keep()), uint64(2); time.Now().Before(end); seq++ {
		publish(seq) // so that the stream stays
		time.Sleep(s.keep() / 20)
	}
	var left []redis.XMessage
	require.Eventually(t, func() bool { // or the stream is gone before it is looked at
		publish(100)
		left, err = s.client.XRange(t.Context(), s.streamKey("a"), "-", "+").Result()
		return err == nil && len(left) > 0
	}, patience, time.Millisecond)
	require.NotEqual(t, first[0].ID, left[0].ID, "it is too old")
	require.Eventually(t, func() bool {
		n, err := s.client.DBSize(t.Context()).Result()
		return err == nil && n == 0
	}, patience, 10*time.Millisecond, "where nothing comes any more, nothing stays")
}

func TestWhatIsNoEntryIsAGap(t *testing.T) {
	t.Parallel()
	for _, fields := range [][]any{{"t", "1", "e", "nonsense"}, {"t", "1"}, {"t", "1", "e", 5}, nil} {
		e, err := readEntry([]any{"7-0", fields}, "a")
		require.NoError(t, err)
		require.True(t, e.Gap)
		require.Equal(t, uint64(7), e.Pos)
	}
	_, err := readEntry("7-0", "a")
	require.Error(t, err)
}

func FuzzEntry(f *testing.F) {
	whole, err := encodeEvent(&sio.SharedEvent{Seq: 7, N: 3, Namespace: "/", Rooms: []string{"all"}, Except: "x",
		Packets: []*engineio.Packet{engineio.NewText("2[]"), engineio.NewBinary([]byte{0, 1})}}, "node")
	require.NoError(f, err)
	f.Add(whole)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Add([]byte("\x02{}\x00\x05abc"))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := decodeEvent(b, "a", 5)
		if err != nil {
			return
		}
		again, err := encodeEvent(e, e.Node)
		if err != nil {
			t.Fatal(err)
		}
		back, err := decodeEvent(again, "a", 5)
		if err != nil || back.Seq != e.Seq || len(back.Packets) != len(e.Packets) {
			t.Fatalf("%q is read as %+v, then as %+v (%v)", b, e, back, err)
		}
	})
}
