package sio

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/pkg/engineio"
)

// person is the data of the sockets here: user and group stand before and behind the colon of the token.
type person struct{ user, group string }

// clock is one that tests move, and nothing else.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return begun.Add(time.Duration(c.ahead.Load())) }
func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }

var begun = time.Now()

// recovering serves with recovery; every socket joins "all" and the room of its group, but a recovered one joins nothing.
func recovering(t *testing.T, o Options) *rig {
	t.Helper()
	positive(&o.Recovery.Time, time.Minute)
	o.Recovery.Group = func(data any) string { return data.(person).group }
	o.Recovery.Restore = func(before, now any) (any, bool) { return now, before == now }
	o.Authenticate = func(_ context.Context, hs Handshake) (any, *ConnectError) {
		token, _ := hs.Auth["token"].(string)
		user, group, _ := strings.Cut(token, ":")
		return person{user, group}, nil
	}
	connect := o.OnConnect
	o.OnConnect = func(s *Socket) {
		if !s.Recovered() {
			s.Join("all", "group:"+s.Data().(person).group)
		}
		if connect != nil {
			connect(s) // before the client can know of it
		}
		_ = s.EmitRenewed("hello", s.Recovered())
	}
	return serve(t, o)
}

// traveller is a client that may come back, as the JavaScript client does it.
type traveller struct {
	*client
	token, sid, pid, offset string
	recovered               bool
}

// travel joins; a traveller that has a session asks for it.
func (v *traveller) travel(c *client) {
	c.t.Helper()
	v.client = c
	auth := map[string]any{"token": v.token}
	if v.pid != "" {
		auth["pid"], auth["offset"] = v.pid, v.offset
	}
	b, err := json.Marshal(auth)
	require.NoError(c.t, err)
	c.send("0" + string(b))
	text := c.text()
	var answer struct{ SID, PID string }
	require.NoError(c.t, json.Unmarshal([]byte(strings.TrimPrefix(text, "0")), &answer), text)
	require.NotEmpty(c.t, answer.SID)
	require.NotEmpty(c.t, answer.PID)
	v.recovered = answer.PID == v.pid
	v.sid, v.pid = answer.SID, answer.PID
}

func travel(t *testing.T, url, token string) *traveller {
	t.Helper()
	v := &traveller{token: token}
	v.travel(dial(t, url))
	require.Equal(t, `"hello" false`, v.next())
	return v
}

// parse takes an event's offset and returns the rest of it.
func (v *traveller) parse(text string) string {
	v.t.Helper()
	var all []json.RawMessage
	require.NoError(v.t, json.Unmarshal([]byte(strings.TrimPrefix(text, "2")), &all), text)
	require.NoError(v.t, json.Unmarshal(all[len(all)-1], &v.offset), "an offset comes last: %s", text)
	parts := make([]string, len(all)-1)
	for i := range parts {
		parts[i] = string(all[i])
	}
	return strings.Join(parts, " ")
}

// next is the next event without its offset.
func (v *traveller) next() string {
	v.t.Helper()
	return v.parse(v.text())
}

// lose breaks the connection under the client and waits until the server knows.
func (r *rig) lose(v *traveller) {
	r.t.Helper()
	gone := r.count(v.sid)
	v.close()
	r.eventually("the disconnect", func() bool { return r.countLocked(v.sid) > gone })
	require.Eventually(r.t, func() bool {
		r.recovery.mu.Lock()
		defer r.recovery.mu.Unlock()
		p, _ := parsePID(v.pid)
		l := r.recovery.lines[p]
		return l == nil || l.away != nil
	}, wait, time.Millisecond)
}

func (r *rig) count(id string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.countLocked(id)
}

func (r *rig) countLocked(id string) (n int) {
	for _, left := range r.left {
		if strings.HasPrefix(left, id+" ") {
			n++
		}
	}
	return n
}

func (r *rig) send(room, event string, args ...any) {
	r.t.Helper()
	_, err := r.Broadcast(Target{Rooms: []string{room}}, event, args...)
	require.NoError(r.t, err)
}

// results is the metric of the tries to come back.
func (r *rig) results(result string) int {
	r.t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(r.opts.Metrics.recoveries)
	families, err := reg.Gather()
	require.NoError(r.t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if m.GetLabel()[0].GetValue() == result {
				return int(m.GetCounter().GetValue())
			}
		}
	}
	return 0
}

func TestAClientThatComesBackGetsWhatItMissed(t *testing.T) {
	t.Parallel()
	for name, open := range links {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := recovering(t, Options{})
			v := &traveller{token: "ana:a"}
			v.travel(open(t, r.url))
			require.Equal(t, `"hello" false`, v.next())
			r.send("all", "one", 1)
			require.Equal(t, `"one" 1`, v.next())
			sid := v.sid
			r.socket(sid).Join("mine")
			r.lose(v)

			require.Zero(t, r.InRoom("all"), "nobody is there")
			require.Zero(t, r.Len())
			require.Empty(t, r.Rooms())
			require.Nil(t, r.Get(sid))
			r.send("all", "two", 2)
			r.send("mine", "three", []byte{3})
			r.send(sid, "four")
			r.send("group:b", "not its own")
			require.NoError(t, r.socket(sid).Emit("five", 5))

			v.travel(open(t, r.url))
			require.True(t, v.recovered)
			require.Equal(t, sid, v.sid)
			require.Equal(t, `"two" 2`, v.next())
			require.Contains(t, v.text(), `51-["three",{"_placeholder":true,"num":0},"`)
			v.wantBinary([]byte{3})
			require.Equal(t, `"four"`, v.next())
			require.Equal(t, `"five" 5`, v.next())
			require.Equal(t, `"hello" true`, v.next())
			require.Equal(t, []string{"all", "group:a", "mine"}, r.Get(sid).Rooms())
			require.Equal(t, 1, r.InRoom("mine"))
			r.send("mine", "live")
			require.Equal(t, `"live"`, v.next())
			require.Equal(t, 1, r.results(restored))
		})
	}
}

// What a client got and what it missed are one stream, whoever sends, and wherever the connection breaks.
func TestNothingIsLostOrDoubledOrReorderedWhileConnectionsBreak(t *testing.T) {
	t.Parallel()
	for name, open := range links {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const senders, each = 4, 400
			r := recovering(t, Options{Recovery: Recovery{Events: 2 * senders * each}, MaxConnects: 1000})
			v := &traveller{token: "ana:a"}
			v.travel(open(t, r.url))
			require.Equal(t, `"hello" false`, v.next())
			s := r.socket(v.sid)
			var sending sync.WaitGroup
			defer sending.Wait()
			for k := range senders {
				sending.Go(func() {
					for i := range each {
						if k == 0 {
							_ = s.Emit("n", k, i)
						} else {
							_, _ = r.Broadcast(Target{Rooms: []string{"all"}}, "n", k, i)
						}
						if i%20 == 0 {
							time.Sleep(time.Millisecond) // so that connections break in the middle
						}
					}
				})
			}
			var next [senders]int
			for got, breaks := 0, 0; got < senders*each; {
				for range 1 + rand.IntN(150) {
					text := v.parse(v.text())
					var k, i int
					if n, _ := fmt.Sscanf(text, `"n" %d %d`, &k, &i); n != 2 {
						continue // hello
					}
					require.Equal(t, next[k], i, "sender %d", k)
					next[k]++
					if got++; got == senders*each {
						break
					}
				}
				if breaks++; breaks%2 == 0 {
					v.close() // the other half comes back before the server has noticed
				}
				v.travel(open(t, r.url))
				require.True(t, v.recovered)
			}
			require.Zero(t, r.results(refusedMissed)+r.results(refusedBusy))
		})
	}
}

func TestTheFiltersOfABroadcastHoldForTheClientsThatAreAway(t *testing.T) {
	t.Parallel()
	r := recovering(t, Options{Namespaces: []string{"/other"}})
	a, b := travel(t, r.url, "ana:a"), travel(t, r.url, "ben:b")
	r.lose(a)
	r.lose(b)
	n, err := r.Broadcast(Target{Rooms: []string{"all"}, Only: func(s *Socket) bool { return s.Data().(person).group == "a" }}, "only a")
	require.NoError(t, err)
	require.Zero(t, n, "it was queued for nobody")
	_, _ = r.Broadcast(Target{All: true, Except: a.sid}, "all but a")
	_, _ = r.Broadcast(Target{All: true, Namespace: "/other"}, "elsewhere")
	for v, missed := range map[*traveller]string{a: `"only a"`, b: `"all but a"`} {
		v.travel(dial(t, r.url))
		require.True(t, v.recovered)
		require.Equal(t, missed, v.next())
		require.Equal(t, `"hello" true`, v.next())
	}
}

func TestASessionIsForTheSameRightsAlone(t *testing.T) {
	t.Parallel()
	r := recovering(t, Options{})
	a := travel(t, r.url, "ana:a")
	for _, token := range []string{"eve:a", "ana:b", ":", ""} {
		thief := &traveller{token: token, pid: a.pid, offset: a.offset}
		thief.travel(dial(t, r.url)) // while its client is there
		require.False(t, thief.recovered)
		require.NotEqual(t, a.sid, thief.sid)
		require.Equal(t, `"hello" false`, thief.next())
	}
	r.lose(a)
	r.send("group:a", "secret")
	for _, token := range []string{"eve:b", "ana:b", "", "eve:a"} {
		thief := &traveller{token: token, pid: a.pid, offset: a.offset}
		thief.travel(dial(t, r.url))
		require.False(t, thief.recovered)
		require.Equal(t, `"hello" false`, thief.next())
		thief.wantNothing()
	}
	require.Equal(t, 8, r.results(refusedRights))
	a.travel(dial(t, r.url))
	require.True(t, a.recovered, "nobody has taken it from its owner")
	require.Equal(t, `"secret"`, a.next())
}

// An old connection that nobody has noticed to be dead ends first, then its client is back.
func TestAClientMayBeBackBeforeItsOldConnectionIsKnownToBeDead(t *testing.T) {
	t.Parallel()
	for name, open := range links {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var order []string
			var mu sync.Mutex
			say := func(s string) { mu.Lock(); defer mu.Unlock(); order = append(order, s) }
			r := recovering(t, Options{
				OnConnect:    func(*Socket) { say("came") },
				OnDisconnect: func(_ *Socket, reason string) { say(reason) },
			})
			v := &traveller{token: "ana:a"}
			v.travel(open(t, r.url))
			require.Equal(t, `"hello" false`, v.next())
			old := v.client
			r.send("all", "lost on the way")
			v.travel(open(t, r.url))
			require.True(t, v.recovered)
			require.Equal(t, `"lost on the way"`, v.next())
			require.Equal(t, `"hello" true`, v.next())
			old.wantClosed()
			require.Equal(t, 1, r.Len())
			told := func() []string { mu.Lock(); defer mu.Unlock(); return slices.Clone(order) }
			r.eventually("the second arrival, which is told behind hello", func() bool { return len(told()) == 3 })
			require.Equal(t, []string{"came", "transport close", "came"}, told())
		})
	}
}

func TestWhoLeftOrWasSentAwayIsNotRestored(t *testing.T) {
	t.Parallel()
	r := recovering(t, Options{})
	ends := map[string]func(v *traveller){
		"a DISCONNECT packet of the client": func(v *traveller) { v.send("1") },
		"a kick":                            func(v *traveller) { r.socket(v.sid).Kick(Reason{Text: "kicked", Label: "test"}) },
		"a kick after which clients come back": func(v *traveller) {
			r.socket(v.sid).Kick(Reason{Text: "moved", Label: "test", Reconnects: true})
		},
		"a packet that breaks the protocol": func(v *traveller) { v.send("9") },
		"rights that ended while away": func(v *traveller) {
			r.lose(v)
			r.Forget(func(data any) bool { return data == person{"ana", "a"} })
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			v := travel(t, r.url, "ana:a")
			sid := v.sid
			end(v)
			r.eventually("the disconnect", func() bool { return r.countLocked(sid) == 1 })
			v.travel(dial(t, r.url))
			require.False(t, v.recovered)
			require.NotEqual(t, sid, v.sid)
		})
	}
	require.Equal(t, len(ends), r.results(refusedUnknown))
}

func TestASessionEndsWithItsTime(t *testing.T) {
	t.Parallel()
	c := &clock{}
	r := recovering(t, Options{Now: c.now})
	v := travel(t, r.url, "ana:a")
	r.lose(v)
	r.send("all", "missed")
	c.forward(59 * time.Second)
	v.travel(dial(t, r.url))
	require.True(t, v.recovered)
	require.Equal(t, `"missed"`, v.next())
	require.Equal(t, `"hello" true`, v.next())
	c.forward(time.Hour) // nothing came meanwhile, and nothing is missed
	r.lose(v)
	v.travel(dial(t, r.url))
	require.True(t, v.recovered)
	require.Equal(t, `"hello" true`, v.next())
	r.lose(v)
	r.send("all", "missed")
	left := c.now()
	c.forward(61 * time.Second)
	v.travel(dial(t, r.url))
	require.False(t, v.recovered)
	require.Equal(t, 1, r.results(refusedUnknown))
	since, lost := r.socket(v.sid).Lost()
	require.True(t, lost)
	require.True(t, left.Equal(since), "%v, not %v", left, since)
	require.Equal(t, `"hello" false`, v.next()) // it is known by now
	other := travel(t, r.url, "ben:b")
	r.lose(other)
	c.forward(61 * time.Second)
	r.recovery.sweepNow()
	r.recovery.mu.Lock()
	require.Zero(t, r.recovery.bytes)
	require.Zero(t, r.recovery.away)
	require.Empty(t, r.recovery.groups)
	require.Len(t, r.recovery.lines, 1, "of who is there")
	r.recovery.mu.Unlock()
	require.Eventually(t, func() bool { return len(r.spaces["/"].rooms.absent()) == 0 }, wait, time.Millisecond, "its own sweep may be the one")
}

func TestWhoMissedMoreThanIsKeptIsNotRestored(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("x", 10_000)
	for name, c := range map[string]struct {
		opts   Options
		missed func(r *rig)
	}{
		"events": {Options{Recovery: Recovery{Events: 10}}, func(r *rig) {
			for i := range 11 {
				r.send("all", "n", i)
			}
		}},
		"bytes of the group": {Options{Recovery: Recovery{Bytes: 50_000}}, func(r *rig) {
			for range 5 {
				r.send("all", "big", big)
			}
		}},
		"bytes in all": {Options{Recovery: Recovery{Total: 50_000}}, func(r *rig) {
			for range 5 {
				r.send("all", "big", big)
			}
		}},
		"more than its queue may hold": {Options{Engine: engineio.Options{QueueBytes: 80_000}}, func(r *rig) {
			for range 5 {
				r.send("all", "big", big)
			}
		}},
		"one event larger than all that is kept": {Options{Recovery: Recovery{Bytes: 5_000}}, func(r *rig) { r.send("all", "big", big) }},
		"time": {Options{}, func(r *rig) {
			r.send("all", "missed")
			r.recovery.mu.Lock()
			defer r.recovery.mu.Unlock()
			r.recovery.expire(r.recovery.groups["a"], time.Now().Add(2*time.Minute))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := recovering(t, c.opts)
			v := travel(t, r.url, "ana:a")
			r.lose(v)
			c.missed(r)
			v.travel(dial(t, r.url))
			require.False(t, v.recovered)
			require.Equal(t, `"hello" false`, v.next())
			require.Equal(t, 1, r.results(refusedMissed))
		})
	}
}

func TestAGroupCannotUseUpWhatIsKeptForAnother(t *testing.T) {
	t.Parallel()
	r := recovering(t, Options{Recovery: Recovery{Bytes: 100_000, Total: 150_000, Sessions: 2, TotalSessions: 4}})
	quiet := travel(t, r.url, "ana:quiet")
	r.lose(quiet)
	r.send("group:quiet", "kept")
	for _, group := range []string{"b", "c"} {
		for i := range 3 {
			v := travel(t, r.url, fmt.Sprintf("u%d:%s", i, group))
			r.lose(v)
		}
		for range 50 {
			r.send("group:"+group, "noise", strings.Repeat("x", 9_000))
		}
	}
	r.recovery.mu.Lock()
	require.LessOrEqual(t, r.recovery.bytes, 150_000)
	require.LessOrEqual(t, r.recovery.away, 4)
	r.recovery.mu.Unlock()
	quiet.travel(dial(t, r.url))
	require.True(t, quiet.recovered)
	require.Equal(t, `"kept"`, quiet.next())
}

// Whatever a client says for pid and offset, it gets a socket, and nothing of it stays.
func TestHostileSessionsAreOrdinaryConnections(t *testing.T) {
	t.Parallel()
	r := recovering(t, Options{})
	owner := travel(t, r.url, "ana:a")
	r.lose(owner)
	pid, offset := owner.pid, owner.offset
	long := strings.Repeat("A", 100_000)
	for _, hostile := range []string{
		`"pid":1`, `"pid":true,"offset":null`, `"pid":{},"offset":[]`, `"pid":[],"offset":{}`, `"pid":""`, `"pid":"","offset":""`,
		`"pid":"` + long + `","offset":"1"`, `"pid":"` + pid + `"`, `"pid":"` + pid + `","offset":1`, `"pid":"` + pid + `","offset":""`,
		`"pid":"` + pid + `","offset":"` + long + `"`, `"pid":"` + pid + `","offset":"-1"`, `"pid":"` + pid + `","offset":"0"`,
		`"pid":"` + pid + `","offset":"1_0"`, `"pid":"` + pid[:21] + "\\n" + `","offset":"` + offset + `"`,
		`"pid":"` + pid[:21] + `é","offset":"` + offset + `"`, `"pid":"__proto__","offset":"constructor"`,
		`"pid":"AAAAAAAAAAAAAAAAAAAAAA","offset":"zzzzzzzzzzzzz"`, `"pid":"AAAAAAAAAAAAAAAAAAAAAA","offset":"1"`,
	} {
		c := dial(t, r.url)
		c.send(`0{"token":"ana:a",` + hostile + `}`)
		text := c.text()
		require.True(t, strings.HasPrefix(text, `0{"sid":"`), text)
		require.NotContains(t, text, pid, hostile)
		require.Contains(t, c.text(), `2["hello",false,`)
		c.send("1")
	}
	require.Zero(t, r.results(restored))
	require.Eventually(t, func() bool { return r.Len() == 0 }, wait, time.Millisecond)
	require.Eventually(t, func() bool {
		r.recovery.mu.Lock()
		defer r.recovery.mu.Unlock()
		return len(r.recovery.lines) == 1
	}, wait, time.Millisecond, "nothing is kept of who left")
	owner.travel(dial(t, r.url))
	require.True(t, owner.recovered)
	require.Equal(t, `"hello" true`, owner.next())
	r.lose(owner)
	owner.offset = "zzzzzzzzzzzz" // its own session, at a place where it never was
	owner.travel(dial(t, r.url))
	require.False(t, owner.recovered)
}

func FuzzSessionNames(f *testing.F) {
	f.Add("AAAAAAAAAAAAAAAAAAAAAA", "1")
	f.Add(newPID().String(), "zzzzzzzzzzzzz")
	f.Fuzz(func(t *testing.T, id, offset string) {
		if p, ok := parsePID(id); ok && p.String() != id {
			t.Errorf("%q is read as %q", id, p)
		}
		if seq, ok := parseOffset(offset); ok && (seq == 0 || len(offset) > maxOffset) {
			t.Errorf("%q is read as %d", offset, seq)
		}
	})
}

func TestWithoutRecoveryASessionThatIsAskedForIsIgnored(t *testing.T) {
	t.Parallel()
	r := serve(t, Options{OnConnect: func(s *Socket) { _ = s.Emit("hello", s.Recovered()) }})
	c := dial(t, r.url)
	c.send(`0{"pid":"AAAAAAAAAAAAAAAAAAAAAA","offset":"1"}`)
	text := c.text()
	require.True(t, strings.HasPrefix(text, `0{"sid":"`))
	require.NotContains(t, text, "pid")
	c.want(`2["hello",false]`)
}
