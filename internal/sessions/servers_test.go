package sessions

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/internal/sio"
)

// Whatever server sends, wherever the client is, whether its old connection is known to be broken or not: every event once, each
// sender's in order. A server does not send to the sockets of another yet: what one sends while the client is with the other
// reaches it when it comes back.
func TestNothingIsLostOrDoubledOrReorderedOverServers(t *testing.T) {
	t.Parallel()
	const senders, each = 4, 300
	addr := dbtest.Redis(t)
	recovery := sio.Recovery{Events: 4 * senders * each, Bytes: 64 << 20}
	var servers []*server
	for range 3 {
		servers = append(servers, serve(t, addr, recovery, Options{Bytes: 64 << 20, Late: patience}))
	}
	v := travel(t, servers[0], "ana:a")
	servers[0].store.flushed(t) // from here on
	sid := v.sid
	var sending sync.WaitGroup
	defer sending.Wait()
	for k := range senders {
		sending.Go(func() {
			for i := range each {
				room := "all"
				if i%3 == 0 {
					room = "user:ana"
				}
				servers[k%len(servers)].send(t, "a", room, "n", k, i)
				if i%5 == 0 {
					time.Sleep(time.Millisecond) // so that connections break in the middle
				}
			}
		})
	}
	var next [senders]int
	got, moves := 0, 0
	for end := time.Now().Add(5 * patience); got < senders*each; moves++ {
		require.False(t, time.Now().After(end), "it has %v after %d moves", next, moves)
		for n := range 1 + rand.IntN(100) {
			text, ok := v.event()
			if !ok {
				break
			}
			if n == 0 { // which always comes, hello at least: until then the session may be busy with this very connection
				_ = v.ws.SetReadDeadline(time.Now().Add(time.Duration(rand.IntN(20)+1) * time.Millisecond))
			}
			var k, i int
			if n, _ := fmt.Sscanf(text, `"n" %d %d`, &k, &i); n != 2 {
				continue // hello
			}
			require.Equal(t, next[k], i, "sender %d, after %d moves", k, moves)
			next[k]++
			got++
		}
		if moves%3 != 0 {
			_ = v.ws.Close() // the others come before a server has noticed
		}
		v.travel(servers[rand.IntN(len(servers))])
		require.True(t, v.recovered, "move %d; %v %v %v", moves, servers[0].results(t), servers[1].results(t), servers[2].results(t))
		require.Equal(t, sid, v.sid)
	}
	t.Logf("%d moves", moves)
}

// gate counts the pipelines of a client in which a script is, and holds them until it is open.
type gate struct {
	script string
	n      atomic.Int32
	open   chan struct{}
}

func (g *gate) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (g *gate) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (g *gate) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if slices.ContainsFunc(cmds, func(c redis.Cmder) bool { return len(c.Args()) > 1 && c.Args()[1] == g.script }) {
			g.n.Add(1)
			select {
			case <-g.open:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return next(ctx, cmds)
	}
}

func TestAClientThatIsFasterThanWhatItGotLastWaitsForIt(t *testing.T) {
	t.Parallel()
	addr := dbtest.Redis(t)
	a, b := serve(t, addr, sio.Recovery{}, Options{}), serve(t, addr, sio.Recovery{}, Options{Late: patience})
	v := travel(t, a, "ana:a")
	a.store.flushed(t)
	writes, reads := &gate{script: scriptAppend, open: make(chan struct{})}, &gate{script: scriptRead, open: make(chan struct{})}
	a.store.client.AddHook(writes)
	b.store.client.AddHook(reads)
	close(reads.open)
	a.send(t, "b", "group:b", "another's")
	require.Eventually(t, func() bool { return writes.n.Load() == 1 }, patience, time.Millisecond)
	a.send(t, "a", "user:ana", "last") // waits behind it
	a.send(t, "a", "user:ana", "missed")
	require.Equal(t, `"last"`, v.next())
	_ = v.ws.Close()
	go func() {
		for reads.n.Load() < 3 && t.Context().Err() == nil { // b has looked for it and does so again
			time.Sleep(time.Millisecond)
		}
		close(writes.open)
	}()
	v.travel(b)
	require.True(t, v.recovered, "%v", b.results(t))
	require.Equal(t, `"missed"`, v.next())
	require.Equal(t, `"hello" true`, v.next())
}

func TestASessionGoesToTheSameRightsAloneAndToOneProcess(t *testing.T) {
	t.Parallel()
	addr := dbtest.Redis(t)
	a, b := serve(t, addr, sio.Recovery{}, Options{}), serve(t, addr, sio.Recovery{}, Options{})
	v := travel(t, a, "ana:a")
	a.send(t, "a", "group:a", "secret")
	a.store.flushed(t)
	for _, token := range []string{"eve:a", "ana:b", "eve:b", ":", ""} {
		thief := &traveller{t: t, token: token, pid: v.pid, offset: v.offset}
		thief.travel(b)
		require.False(t, thief.recovered)
		require.Equal(t, `"hello" false`, thief.next())
	}
	require.Equal(t, 3, b.results(t)["rights"], "the others have no group to look in")
	keys, err := a.store.client.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	for _, key := range keys {
		require.NotContains(t, key, v.pid, "it is a secret")
		left, err := a.store.client.PTTL(t.Context(), key).Result()
		require.NoError(t, err)
		require.Positive(t, left, "%s goes by itself", key)
		require.LessOrEqual(t, left, a.store.keep())
	}

	_ = v.ws.Close()
	v.travel(b)
	require.True(t, v.recovered, "nobody has taken it from its owner")
	require.Equal(t, `"secret"`, v.next())
	require.Equal(t, `"hello" true`, v.next())
	require.Equal(t, []string{"all", "user:ana", "group:a"}, b.Get(v.sid).Rooms())
	b.store.flushed(t)

	var both, claimed sync.WaitGroup
	both.Add(2)
	got := make(chan *sio.Claimed, 2)
	for _, s := range []*server{serve(t, addr, sio.Recovery{}, Options{}), serve(t, addr, sio.Recovery{}, Options{})} {
		claimed.Go(func() {
			c, err := s.store.Claim(t.Context(), v.pid, "a", func(*sio.SharedSession, bool, bool) bool {
				both.Done()
				both.Wait()
				return true
			}, func(*sio.Claimed) bool { return true })
			if err != nil {
				t.Error(err)
			}
			got <- c
		})
	}
	claimed.Wait()
	close(got)
	had := 0
	for c := range got {
		if c != nil {
			had++
		}
	}
	require.Equal(t, 1, had, "one of two that have seen it has it")
}

func TestWhoWasKickedOrForgottenIsOverEverywhere(t *testing.T) {
	t.Parallel()
	addr := dbtest.Redis(t)
	a, b := serve(t, addr, sio.Recovery{}, Options{}), serve(t, addr, sio.Recovery{}, Options{})
	for name, end := range map[string]func(v *traveller){
		"a DISCONNECT packet": func(v *traveller) { _ = v.ws.WriteMessage(1, []byte("41")) },
		"a kick":              func(v *traveller) { a.Get(v.sid).Kick(sio.Reason{Text: "kicked", Label: "test", Reconnects: true}) },
		"rights that ended while away": func(v *traveller) {
			_ = v.ws.Close()
			require.Eventually(t, func() bool { return a.Get(v.sid) == nil }, patience, time.Millisecond)
			require.Eventually(t, func() bool {
				a.Forget(func(any) bool { return true })
				_, there, _, err := a.store.find(t.Context(), a.store.sessionKey(v.pid), "a")
				return err == nil && !there
			}, patience, time.Millisecond)
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := travel(t, a, "ana:a")
			v.t = t
			a.store.flushed(t)
			end(v)
			require.Eventually(t, func() bool {
				found, _, _, err := a.store.find(t.Context(), a.store.sessionKey(v.pid), "a")
				return err == nil && found == nil
			}, patience, time.Millisecond)
			v.travel(b)
			require.False(t, v.recovered)
		})
	}
}

func TestAGroupThatSendsMoreThanItsBytesIsNotRestoredAnotherIs(t *testing.T) {
	t.Parallel()
	addr := dbtest.Redis(t)
	o := Options{Bytes: 100_000}
	a, b := serve(t, addr, sio.Recovery{}, o), serve(t, addr, sio.Recovery{}, o)
	loud, quiet := travel(t, a, "ana:loud"), travel(t, a, "ben:quiet")
	a.send(t, "quiet", "group:quiet", "kept")
	a.store.flushed(t)
	_, _ = loud.ws.Close(), quiet.ws.Close()
	for range 50 {
		a.send(t, "loud", "group:loud", "noise", string(make([]byte, 1000))) // 6,000 bytes as JSON
	}
	a.store.flushed(t)
	memory, err := a.store.client.MemoryUsage(t.Context(), a.store.streamKey("loud")).Result()
	require.NoError(t, err)
	require.Less(t, memory, int64(150_000))
	quiet.travel(b)
	require.True(t, quiet.recovered)
	require.Equal(t, `"kept"`, quiet.next())
	loud.travel(b)
	require.False(t, loud.recovered)
	require.Equal(t, `"hello" false`, loud.next())
	require.Equal(t, 1, b.results(t)["missed"])

	a.send(t, "loud", "group:loud", "huge", string(make([]byte, 50_000)))
	a.store.flushed(t)
	n, err := a.store.client.XLen(t.Context(), a.store.streamKey("loud")).Result()
	require.NoError(t, err)
	require.Zero(t, n, "one that is larger than all is not kept, nor what was before it")
}

// The recipients of a broadcast are looked up before it has its place; who comes from elsewhere in between gets it all the same.
func TestWhoComesWhileABroadcastIsOnItsWayGetsItOnce(t *testing.T) {
	t.Parallel()
	addr := dbtest.Redis(t)
	a, b := serve(t, addr, sio.Recovery{}, Options{}), serve(t, addr, sio.Recovery{}, Options{})
	v := travel(t, a, "ana:a")
	target := sio.Target{Rooms: []string{"all"}, Group: "a"}
	m, err := b.Encode(target, "on its way")
	require.NoError(t, err)
	to := b.Recipients(target)
	require.Empty(t, to)
	a.store.flushed(t)
	_ = v.ws.Close()
	v.travel(b)
	require.True(t, v.recovered)
	require.Equal(t, `"hello" true`, v.next())
	b.Send(m, to, false)
	b.send(t, "a", "all", "next")
	require.Equal(t, `"on its way"`, v.next())
	require.Equal(t, `"next"`, v.next())
}

// Sockets get a broadcast in parts at different times: whoever got something in between is not restored by a guess.
func TestWhatIsSentWhileABroadcastIsSentInPartsIsNoPlaceToComeBackTo(t *testing.T) {
	t.Parallel()
	addr := dbtest.Redis(t)
	a, b := serve(t, addr, sio.Recovery{}, Options{}), serve(t, addr, sio.Recovery{}, Options{})
	first, second := travel(t, a, "ana:a"), travel(t, a, "ben:a")
	m, err := a.Encode(sio.Target{Rooms: []string{"all"}, Group: "a"}, "parts")
	require.NoError(t, err)
	a.Send(m, []*sio.Socket{a.Get(first.sid)}, true)
	for _, v := range []*traveller{first, second} {
		require.NoError(t, a.Get(v.sid).Emit("between"))
	}
	require.Equal(t, `"parts"`, first.next())
	require.Equal(t, `"between"`, second.next())
	a.store.flushed(t)
	for _, v := range []*traveller{first, second} {
		_ = v.ws.Close()
		v.travel(b)
		require.False(t, v.recovered)
	}
	require.Equal(t, 2, b.results(t)["missed"])
	a.Send(m, nil, false)
	third := travel(t, a, "cleo:a")
	a.send(t, "a", "all", "whole")
	require.Equal(t, `"whole"`, third.next())
	a.store.flushed(t)
	_ = third.ws.Close()
	third.travel(b)
	require.True(t, third.recovered, "the parts are over")
}

// What a process sends to nobody of its own is for those who were with another.
func TestWhatWasSentBetweenAStopAndAStartIsThere(t *testing.T) {
	t.Parallel()
	addr := dbtest.Redis(t)
	a, b := serve(t, addr, sio.Recovery{}, Options{}), serve(t, addr, sio.Recovery{}, Options{})
	v := travel(t, a, "ana:a")
	a.store.flushed(t)
	b.send(t, "a", "all", "before") // not sent to another server's sockets, until they come
	a.send(t, "a", "all", "live", []byte{1})
	require.Contains(t, v.next(), `"live"`)
	_, bin, err := v.ws.ReadMessage()
	require.NoError(t, err)
	require.Equal(t, []byte{1}, bin)
	a.stop()
	_, ok := v.read()
	require.False(t, ok)
	b.send(t, "a", "all", "meanwhile", []byte{2})
	b.store.flushed(t) // c asks Redis, not b
	c := serve(t, addr, sio.Recovery{}, Options{})
	v.travel(c)
	require.True(t, v.recovered)
	got := []string{v.next(), v.next()}
	require.Equal(t, `"before"`, got[0])
	require.Contains(t, got[1], `"meanwhile" {"_placeholder":true,"num":0}`)
	_, bin, err = v.ws.ReadMessage()
	require.NoError(t, err)
	require.Equal(t, []byte{2}, bin)
	require.Equal(t, `"hello" true`, v.next())
}

func TestAWholeTenantComesBackAtOnceAfterARestart(t *testing.T) {
	t.Parallel()
	const clients = 300
	addr := dbtest.Redis(t)
	a := serve(t, addr, sio.Recovery{}, Options{})
	all := make([]*traveller, clients)
	for i := range all {
		all[i] = travel(t, a, fmt.Sprintf("u%d:a", i))
	}
	for i := range 100 {
		a.send(t, "a", "group:a", "n", i)
	}
	for _, v := range all {
		for range 100 {
			v.next()
		}
	}
	a.stop()
	b := serve(t, addr, sio.Recovery{}, Options{})
	b.send(t, "a", "group:a", "new")
	start := time.Now()
	var back sync.WaitGroup
	for _, v := range all {
		back.Go(func() {
			v.travel(b)
			if got, _ := v.event(); !v.recovered || got != `"new"` {
				t.Errorf("%s: %v %s", v.token, v.recovered, got)
			}
		})
	}
	back.Wait()
	t.Logf("%d clients in %s", clients, time.Since(start))
}
