package engineio_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/pkg/engineio"
)

// The sections are those of the Engine.IO protocol, 4th revision; the cases of its reference test suite are all here.

func TestHandshake(t *testing.T) {
	t.Parallel()
	s := serve(t, engineio.Options{PingInterval: 30 * time.Second, PingTimeout: 7 * time.Second, MaxPayload: 1_000_000})
	check := func(t *testing.T, packet string, upgrades []any) {
		t.Helper()
		require.Equal(t, "0", packet[:1])
		var v map[string]any
		require.NoError(t, json.Unmarshal([]byte(packet[1:]), &v))
		require.Len(t, v, 5)
		require.Len(t, v["sid"], 20)
		require.Equal(t, upgrades, v["upgrades"])
		require.EqualValues(t, 30_000, v["pingInterval"])
		require.EqualValues(t, 7_000, v["pingTimeout"])
		require.EqualValues(t, 1_000_000, v["maxPayload"])
	}
	t.Run("polling", func(t *testing.T) {
		got := s.request("GET", "EIO=4&transport=polling", "")
		require.Equal(t, http.StatusOK, got.status)
		require.Equal(t, "text/plain; charset=UTF-8", got.header.Get("Content-Type"))
		check(t, got.body, []any{"websocket"})
	})
	t.Run("WebSocket", func(t *testing.T) { check(t, read(t, s.ws("EIO=4&transport=websocket")), []any{}) })
	for name, c := range map[string]struct {
		method, query, want string
		status              int
	}{
		"EIO is missing":              {"GET", "transport=polling", `{"code":5,"message":"Unsupported protocol version"}`, 400},
		"EIO is 3":                    {"GET", "EIO=3&transport=polling", `{"code":5,"message":"Unsupported protocol version"}`, 400},
		"EIO is nonsense":             {"GET", "EIO=abc&transport=polling", `{"code":5,"message":"Unsupported protocol version"}`, 400},
		"transport is missing":        {"GET", "EIO=4", `{"code":0,"message":"Transport unknown"}`, 400},
		"transport is unknown":        {"GET", "EIO=4&transport=abc", `{"code":0,"message":"Transport unknown"}`, 400},
		"sid is unknown":              {"GET", "EIO=4&transport=polling&sid=abc", `{"code":1,"message":"Session ID unknown"}`, 400},
		"POST without a session":      {"POST", "EIO=4&transport=polling", `{"code":2,"message":"Bad handshake method"}`, 400},
		"PUT without a session":       {"PUT", "EIO=4&transport=polling", `{"code":2,"message":"Bad handshake method"}`, 400},
		"WebSocket without upgrading": {"GET", "EIO=4&transport=websocket", `{"code":3,"message":"Bad request"}`, 400},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.request(c.method, c.query, "")
			require.Equal(t, c.status, got.status)
			require.JSONEq(t, c.want, got.body)
		})
	}
	t.Run("WebSocket with a bad query is refused before the upgrade", func(t *testing.T) {
		for _, q := range []string{"transport=websocket", "EIO=abc&transport=websocket", "EIO=4", "EIO=4&transport=abc", "EIO=4&transport=websocket&sid=abc"} {
			_, err := s.dial(q)
			require.ErrorIs(t, err, websocket.ErrBadHandshake, q)
		}
	})
	t.Run("session ids differ", func(t *testing.T) { require.NotEqual(t, s.openPolling(), s.openPolling()) })
}

func TestHandshakeMayBeRefused(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var codes []int
	s := serve(t, engineio.Options{AllowRequest: func(r *http.Request) error {
		if r.Header.Get("X-No") != "" {
			return errString("not today")
		}
		return nil
	}, OnRefused: func(_ *http.Request, code int, _ string) {
		mu.Lock()
		defer mu.Unlock()
		codes = append(codes, code)
	}})
	got := s.request("GET", "EIO=4&transport=polling", "", "X-No", "1")
	require.Equal(t, http.StatusForbidden, got.status)
	require.JSONEq(t, `{"code":4,"message":"not today"}`, got.body)
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, []int{4}, codes)
	require.Zero(t, s.eio.Len())
}

type errString string

func (e errString) Error() string { return string(e) }

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	s := serve(t, engineio.Options{MaxConns: 1})
	s.openPolling()
	got := s.request("GET", "EIO=4&transport=polling", "")
	require.Equal(t, http.StatusServiceUnavailable, got.status)
	require.NotEmpty(t, got.header.Get("Retry-After"))
}

func TestMessage(t *testing.T) {
	t.Parallel()
	s := serve(t, engineio.Options{})
	t.Run("polling: a text packet", func(t *testing.T) {
		sid := s.openPolling()
		got := s.post(sid, "4hello")
		require.Equal(t, http.StatusOK, got.status)
		require.Equal(t, "ok", got.body)
		require.Equal(t, "4hello", s.get(sid).body)
	})
	t.Run("polling: several text packets", func(t *testing.T) {
		sid := s.openPolling()
		require.Equal(t, "ok", s.post(sid, "4test1\x1e4test2\x1e4test3").body)
		require.Equal(t, "4test1\x1e4test2\x1e4test3", s.get(sid).body)
	})
	t.Run("polling: text and binary packets", func(t *testing.T) {
		sid := s.openPolling()
		require.Equal(t, "ok", s.post(sid, "4hello\x1ebAQIDBA==").body)
		require.Equal(t, "4hello\x1ebAQIDBA==", s.get(sid).body)
	})
	t.Run("polling: many bytes of every kind of text", func(t *testing.T) {
		sid := s.openPolling()
		text := "4" + strings.Repeat("€uro ñ 😀 ", 1000)
		require.Equal(t, "ok", s.post(sid, text).body)
		require.Equal(t, text, s.get(sid).body)
	})
	t.Run("WebSocket: a text packet", func(t *testing.T) {
		c, _ := s.openWS()
		write(t, c, "4hello")
		require.Equal(t, "4hello", read(t, c))
	})
	t.Run("WebSocket: a binary packet", func(t *testing.T) {
		c, _ := s.openWS()
		require.NoError(t, c.WriteMessage(websocket.BinaryMessage, []byte{1, 2, 3, 4}))
		kind, b, err := c.ReadMessage()
		require.NoError(t, err)
		require.Equal(t, websocket.BinaryMessage, kind)
		require.Equal(t, []byte{1, 2, 3, 4}, b)
	})
	t.Run("WebSocket: packets of every length form", func(t *testing.T) {
		c, _ := s.openWS()
		for _, n := range []int{0, 1, 124, 125, 126, 65534, 65535, 65536, 300_000} {
			write(t, c, "4"+strings.Repeat("x", n))
			require.Len(t, readData(t, c), n+1)
		}
	})
	t.Run("WebSocket: a control ping is answered", func(t *testing.T) {
		c, _ := s.openWS()
		pong := make(chan string, 1)
		c.SetPongHandler(func(data string) error { pong <- data; return nil })
		require.NoError(t, c.WriteControl(websocket.PingMessage, []byte("are you there"), time.Now().Add(patience)))
		write(t, c, "4x")
		require.Equal(t, "4x", readData(t, c))
		require.Equal(t, "are you there", <-pong)
	})
}

func TestInvalidPacketsEndTheSession(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"an unknown type": "abc", "an empty body": "", "an empty packet in the middle": "4a\x1e\x1e4b", "broken base64": "b###",
		"a type above the last": "7", "invalid UTF-8": "4\xff\xfe", "a ping, which is the server's to send": "2", "an open packet": "0", "a noop": "6",
	} {
		t.Run("polling: "+name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, engineio.Options{})
			sid := s.openPolling()
			require.Equal(t, http.StatusBadRequest, s.post(sid, body).status)
			require.Equal(t, http.StatusBadRequest, s.get(sid).status)
			s.h.closed(t, "parse_error")
		})
		t.Run("WebSocket: "+name, func(t *testing.T) {
			t.Parallel()
			if strings.Contains(body, "\x1e") || strings.HasPrefix(body, "b") {
				return // forms of a polling payload alone
			}
			s := serve(t, engineio.Options{})
			c, _ := s.openWS()
			write(t, c, body)
			closes(t, c)
			s.h.closed(t, "parse_error")
		})
	}
	t.Run("polling: a binary body", func(t *testing.T) {
		t.Parallel()
		s := serve(t, engineio.Options{})
		sid := s.openPolling()
		got := s.request("POST", "EIO=4&transport=polling&sid="+sid, "\x01", "Content-Type", "application/octet-stream")
		require.Equal(t, http.StatusBadRequest, got.status)
		s.h.closed(t, "parse_error")
	})
}

func TestHTTPLongPolling(t *testing.T) {
	t.Parallel()
	t.Run("two polls at once end the session: the first gets the close packet", func(t *testing.T) {
		t.Parallel()
		s := serve(t, engineio.Options{})
		sid := s.openPolling()
		one := make(chan reply, 1)
		go func() { r, _ := s.try("GET", "EIO=4&transport=polling&sid="+sid, nil); one <- r }()
		other := s.get(sid)
		got := <-one
		require.ElementsMatch(t, []int{200, 400}, []int{got.status, other.status}, "whichever was there first")
		for _, r := range []reply{got, other} {
			if r.status == 200 {
				require.Equal(t, "1", r.body)
			}
		}
		s.h.closed(t, "transport_error")
		require.Equal(t, http.StatusBadRequest, s.get(sid).status)
	})
	t.Run("two posts at once end the session", func(t *testing.T) {
		t.Parallel()
		entered, leave := make(chan struct{}), make(chan struct{})
		s := serve(t, engineio.Options{}, func(e *echo) {
			e.onMessage = func(*engineio.Conn, engineio.Message) bool { close(entered); <-leave; return true }
		})
		sid := s.openPolling()
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = s.try("POST", "EIO=4&transport=polling&sid="+sid, strings.NewReader("4x"))
		}()
		<-entered
		require.Equal(t, http.StatusBadRequest, s.post(sid, "4y").status)
		close(leave)
		<-done
		s.h.closed(t, "transport_error")
	})
	t.Run("a poll that the client gives up ends the session", func(t *testing.T) {
		t.Parallel()
		s := serve(t, engineio.Options{})
		sid := s.openPolling()
		c, _ := s.rawDial("GET /?EIO=4&transport=polling&sid=" + sid + " HTTP/1.1\r\nHost: x\r\n\r\n")
		time.Sleep(20 * time.Millisecond) // the request has to be there before it is given up; either way the session ends
		_ = c.Close()
		s.h.closed(t, "transport")
	})
	t.Run("other methods are refused and disturb nothing", func(t *testing.T) {
		t.Parallel()
		s := serve(t, engineio.Options{})
		sid := s.openPolling()
		for _, m := range []string{"PUT", "DELETE", "HEAD"} {
			require.Equal(t, http.StatusBadRequest, s.request(m, "EIO=4&transport=polling&sid="+sid, "").status)
		}
		s.post(sid, "4x")
		require.Equal(t, "4x", s.get(sid).body)
	})
	t.Run("a poll waits for a packet", func(t *testing.T) {
		t.Parallel()
		s := serve(t, engineio.Options{})
		sid := s.openPolling()
		got := make(chan reply, 1)
		go func() { r, _ := s.try("GET", "EIO=4&transport=polling&sid="+sid, nil); got <- r }()
		require.NoError(t, s.h.conn(t, sid).Send(engineio.NewText("late"), engineio.NewBinary([]byte{1})))
		require.Equal(t, "4late\x1ebAQ==", (<-got).body)
	})
}

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	t.Run("polling: pings are sent and pongs keep the session", func(t *testing.T) {
		t.Parallel()
		s := serve(t, quick())
		sid := s.openPolling()
		for range beats {
			require.Equal(t, "2", s.get(sid).body)
			require.Equal(t, http.StatusOK, s.post(sid, "3").status)
		}
	})
	t.Run("polling: without pongs the session ends", func(t *testing.T) {
		t.Parallel()
		s := serve(t, quick())
		sid := s.openPolling()
		require.Equal(t, "2", s.get(sid).body)
		s.h.closed(t, "ping_timeout")
		require.Equal(t, http.StatusBadRequest, s.get(sid).status)
	})
	t.Run("WebSocket: pings are sent and pongs keep the session", func(t *testing.T) {
		t.Parallel()
		s := serve(t, quick())
		c, _ := s.openWS()
		for range beats {
			require.Equal(t, "2", read(t, c))
			write(t, c, "3")
		}
	})
	t.Run("WebSocket: without pongs the session ends", func(t *testing.T) {
		t.Parallel()
		s := serve(t, quick())
		c, _ := s.openWS()
		closes(t, c)
		s.h.closed(t, "ping_timeout")
	})
	t.Run("pongs that nobody asked for do not keep a session alive", func(t *testing.T) {
		t.Parallel()
		s := serve(t, quick())
		c, _ := s.openWS()
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
					if c.WriteMessage(websocket.TextMessage, []byte("3")) != nil {
						return
					}
				}
			}
		}()
		pings := 0
		for pings < 3 {
			if read(t, c) == "2" {
				pings++ // pings go on at their own pace: unasked pongs do not put them off
			}
		}
	})
}

func TestClose(t *testing.T) {
	t.Parallel()
	t.Run("polling: by the client; its pending poll gets a noop", func(t *testing.T) {
		t.Parallel()
		s := serve(t, engineio.Options{})
		sid := s.openPolling()
		got := make(chan reply, 1)
		go func() { r, _ := s.try("GET", "EIO=4&transport=polling&sid="+sid, nil); got <- r }()
		time.Sleep(20 * time.Millisecond)
		require.Equal(t, http.StatusOK, s.post(sid, "1").status)
		if r := <-got; r.status == http.StatusOK {
			require.Equal(t, "6", r.body)
		}
		s.h.closed(t, "client")
		require.Equal(t, http.StatusBadRequest, s.get(sid).status)
	})
	t.Run("WebSocket: by a close packet", func(t *testing.T) {
		t.Parallel()
		s := serve(t, engineio.Options{})
		c, _ := s.openWS()
		write(t, c, "1")
		closes(t, c)
		s.h.closed(t, "client")
	})
	t.Run("WebSocket: by a close frame", func(t *testing.T) {
		t.Parallel()
		s := serve(t, engineio.Options{})
		c, _ := s.openWS()
		require.NoError(t, c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(patience)))
		closes(t, c)
		s.h.closed(t, "client")
	})
	t.Run("WebSocket: by a connection that breaks", func(t *testing.T) {
		t.Parallel()
		s := serve(t, engineio.Options{})
		c, _ := s.openWS()
		require.NoError(t, c.NetConn().Close())
		s.h.closed(t, "transport")
	})
	t.Run("by the server: what is queued comes first", func(t *testing.T) {
		t.Parallel()
		s := serve(t, engineio.Options{})
		sid := s.openPolling()
		c := s.h.conn(t, sid)
		require.NoError(t, c.Send(engineio.NewText("last words")))
		c.Close(engineio.CloseKicked)
		require.ErrorIs(t, c.Send(engineio.NewText("too late")), engineio.ErrClosed)
		require.Equal(t, "4last words", s.get(sid).body)
		require.Equal(t, "1", s.get(sid).body, "a close packet travels alone: a client may handle it before messages beside it")
		s.h.closed(t, "kicked")

		ws, id := s.openWS()
		c = s.h.conn(t, id)
		require.NoError(t, c.Send(engineio.NewText("last words")))
		c.Close(engineio.CloseKicked)
		require.Equal(t, "4last words", read(t, ws))
		closes(t, ws)
	})
}

func TestUpgrade(t *testing.T) {
	t.Parallel()
	probe := func(t *testing.T, s *server, sid string) *websocket.Conn {
		t.Helper()
		c := s.ws("EIO=4&transport=websocket&sid=" + sid)
		write(t, c, "2probe")
		require.Equal(t, "3probe", read(t, c))
		return c
	}
	t.Run("from polling to WebSocket", func(t *testing.T) {
		t.Parallel()
		s := serve(t, engineio.Options{})
		sid := s.openPolling()
		c := probe(t, s, sid)
		write(t, c, "5")
		write(t, c, "4hello")
		require.Equal(t, "4hello", read(t, c))
		require.Equal(t, "websocket", s.h.conn(t, sid).Transport())
	})
	t.Run("a pending poll is released by a noop", func(t *testing.T) {
		t.Parallel()
		s := serve(t, engineio.Options{})
		sid := s.openPolling()
		got := make(chan reply, 1)
		go func() { r, _ := s.try("GET", "EIO=4&transport=polling&sid="+sid, nil); got <- r }()
		c := probe(t, s, sid)
		require.Equal(t, "6", (<-got).body)
		write(t, c, "5")
		write(t, c, "4x")
		require.Equal(t, "4x", read(t, c))
	})
	t.Run("polling requests after the upgrade are refused and disturb nothing", func(t *testing.T) {
		t.Parallel()
		s := serve(t, engineio.Options{})
		sid := s.openPolling()
		c := probe(t, s, sid)
		write(t, c, "5")
		write(t, c, "4x")
		require.Equal(t, "4x", read(t, c))
		require.Equal(t, http.StatusBadRequest, s.get(sid).status)
		require.Equal(t, http.StatusBadRequest, s.post(sid, "4y").status)
		write(t, c, "4z")
		require.Equal(t, "4z", read(t, c))
	})
	t.Run("a second WebSocket for the session is refused and disturbs nothing", func(t *testing.T) {
		t.Parallel()
		s := serve(t, engineio.Options{})
		c, sid := s.openWS()
		_, err := s.dial("EIO=4&transport=websocket&sid=" + sid)
		require.ErrorIs(t, err, websocket.ErrBadHandshake)
		write(t, c, "4x")
		require.Equal(t, "4x", read(t, c))
	})
	for name, abandon := range map[string]func(t *testing.T, s *server, sid string){
		"before the probe": func(_ *testing.T, s *server, sid string) {
			_ = s.ws("EIO=4&transport=websocket&sid=" + sid).NetConn().Close()
		},
		"after the probe": func(t *testing.T, s *server, sid string) { _ = probe(t, s, sid).NetConn().Close() },
		"with a wrong probe": func(t *testing.T, s *server, sid string) {
			c := s.ws("EIO=4&transport=websocket&sid=" + sid)
			write(t, c, "2prove")
			closes(t, c)
		},
		"with a message before the upgrade packet": func(t *testing.T, s *server, sid string) {
			c := probe(t, s, sid)
			write(t, c, "4early")
			closes(t, c)
		},
		"with an upgrade packet before the probe": func(t *testing.T, s *server, sid string) {
			c := s.ws("EIO=4&transport=websocket&sid=" + sid)
			write(t, c, "5")
			closes(t, c)
		},
		"by taking too long": func(t *testing.T, s *server, sid string) { closes(t, probe(t, s, sid)) },
	} {
		t.Run("abandoned "+name+": polling goes on, and another try succeeds", func(t *testing.T) {
			t.Parallel()
			o := engineio.Options{}
			if name == "by taking too long" {
				o.UpgradeTimeout = 10 * time.Second // in which the other try has to succeed
			}
			s := serve(t, o)
			sid := s.openPolling()
			abandon(t, s, sid)
			require.Equal(t, "ok", s.post(sid, "4still here").body)
			for body := ""; body != "4still here"; {
				body = s.get(sid).body
				require.Contains(t, []string{"6", "4still here"}, body)
			}
			var c *websocket.Conn
			require.Eventually(t, func() bool { // the server may still be noticing
				ws, err := s.dial("EIO=4&transport=websocket&sid=" + sid)
				c = ws
				return err == nil
			}, patience, 5*time.Millisecond)
			defer func() { _ = c.Close() }()
			write(t, c, "2probe")
			require.Equal(t, "3probe", read(t, c))
			write(t, c, "5")
			write(t, c, "4x")
			require.Equal(t, "4x", read(t, c))
		})
	}
}

func TestFlushedTellsWhenAPollingClientHasTakenWhatWasQueued(t *testing.T) {
	t.Parallel()
	s := serve(t, engineio.Options{})
	sid := s.openPolling()
	c := s.h.conn(t, sid)
	var ran atomic.Int32
	c.Flushed(func() { ran.Add(1) })
	require.EqualValues(t, 1, ran.Load(), "nothing is queued")
	require.NoError(t, c.Send(engineio.NewText("x")))
	for range 2 {
		c.Flushed(func() { ran.Add(1) })
	}
	require.EqualValues(t, 1, ran.Load(), "the client has not asked")
	require.Equal(t, "4x", s.get(sid).body)
	require.Eventually(t, func() bool { return ran.Load() == 3 }, patience, time.Millisecond)
	require.NoError(t, c.Send(engineio.NewText("y")))
	c.Flushed(func() { ran.Add(1) })
	s.post(sid, "1")
	s.h.closed(t, "client")
	require.EqualValues(t, 4, ran.Load(), "the connection is over")

	ws, sid := s.openWS()
	c = s.h.conn(t, sid)
	require.NoError(t, c.Send(engineio.NewText("z")))
	c.Flushed(func() { ran.Add(1) })
	require.Equal(t, "4z", read(t, ws))
	require.Eventually(t, func() bool { return ran.Load() == 5 }, patience, time.Millisecond)
}
