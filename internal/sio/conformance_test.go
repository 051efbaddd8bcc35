package sio

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The sections are those of the Socket.IO 5 protocol and of the reference test suite of socketio/socket.io-protocol.
// Every case runs over both transports.
func conformance(t *testing.T, o Options, run func(t *testing.T, r *rig, c *client)) {
	t.Helper()
	for name, open := range links {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := serve(t, o)
			run(t, r, open(t, r.url))
		})
	}
}

// custom has what the reference suite's server has: a second namespace, and the handshake's auth shown to the client.
func custom() Options {
	return Options{
		Namespaces:   []string{"/custom"},
		Authenticate: func(_ context.Context, hs Handshake) (any, *ConnectError) { return hs.Auth, nil },
		OnConnect: func(s *Socket) {
			auth := s.Data().(map[string]any)
			if auth == nil {
				auth = map[string]any{}
			}
			_ = s.Emit("auth", auth)
		},
		OnEvent: func(s *Socket, e Event) {
			switch {
			case e.Name == "message":
				_ = s.Emit("message-back", e.Args...)
			case e.Name == "message-with-ack" && e.Ack != nil:
				_ = e.Ack(e.Args...)
			}
		},
	}
}

func TestConnect(t *testing.T) {
	t.Parallel()
	t.Run("main namespace", func(t *testing.T) {
		conformance(t, custom(), func(t *testing.T, r *rig, c *client) {
			id := c.join("/", "")
			c.want(`2["auth",{}]`)
			require.Equal(t, "/", r.socket(id).Namespace())
		})
	})
	t.Run("main namespace with a payload", func(t *testing.T) {
		conformance(t, custom(), func(_ *testing.T, _ *rig, c *client) {
			c.join("/", `{"token":"123","nested":{"a":[1,2]}}`)
			c.want(`2["auth",{"nested":{"a":[1,2]},"token":"123"}]`)
		})
	})
	t.Run("custom namespace", func(t *testing.T) {
		conformance(t, custom(), func(_ *testing.T, _ *rig, c *client) {
			c.join("/custom", "")
			c.want(`2/custom,["auth",{}]`)
		})
	})
	t.Run("custom namespace with a payload, and without a comma", func(t *testing.T) {
		conformance(t, custom(), func(_ *testing.T, _ *rig, c *client) {
			c.join("/custom", `{"token":"abc"}`)
			c.want(`2/custom,["auth",{"token":"abc"}]`)
			c.send("1/custom")
			c.send("0/custom")
			require.True(c.t, strings.HasPrefix(c.text(), `0/custom,{"sid":"`))
		})
	})
	t.Run("unknown namespace is refused and the connection stays", func(t *testing.T) {
		conformance(t, custom(), func(_ *testing.T, _ *rig, c *client) {
			c.send("0/random")
			c.want(`4/random,{"message":"Invalid namespace"}`)
			c.join("/", "")
		})
	})
	t.Run("socket id is not the connection's and differs between namespaces", func(t *testing.T) {
		conformance(t, custom(), func(t *testing.T, r *rig, c *client) {
			a := c.join("/", "")
			c.text()
			b := c.join("/custom", "")
			require.NotEqual(t, a, b)
			require.NotEqual(t, a, r.socket(a).Conn().ID())
		})
	})
	t.Run("a namespace more than allowed", func(t *testing.T) {
		o := custom()
		o.MaxNamespaces = 1
		conformance(t, o, func(_ *testing.T, _ *rig, c *client) {
			c.join("/", "")
			c.text()
			c.send("0/custom,")
			c.want(`4/custom,{"data":{"code":"NAMESPACE_LIMIT"},"message":"Too many namespaces"}`)
		})
	})
	t.Run("no CONNECT in time closes the connection", func(t *testing.T) {
		conformance(t, Options{ConnectTimeout: 300 * time.Millisecond}, func(t *testing.T, r *rig, c *client) {
			c.wantClosed()
			r.eventually("the connection's end", func() bool { return r.Conns() == 0 })
		})
	})
	t.Run("a refused CONNECT carries message and data", func(t *testing.T) {
		o := Options{Authenticate: func(context.Context, Handshake) (any, *ConnectError) {
			return nil, &ConnectError{Message: "Invalid token <b>", Data: map[string]string{"code": "INVALID_TOKEN"}}
		}}
		conformance(t, o, func(_ *testing.T, r *rig, c *client) {
			c.send("0")
			c.want(`4{"data":{"code":"INVALID_TOKEN"},"message":"Invalid token <b>"}`)
			require.Zero(c.t, r.Len())
		})
	})
	t.Run("a refused CONNECT without data has no data member", func(t *testing.T) {
		o := Options{Authenticate: func(context.Context, Handshake) (any, *ConnectError) {
			return nil, &ConnectError{Message: "no"}
		}}
		conformance(t, o, func(_ *testing.T, _ *rig, c *client) {
			c.send("0")
			c.want(`4{"message":"no"}`)
		})
	})
}

func TestDisconnect(t *testing.T) {
	t.Parallel()
	t.Run("client leaves its only namespace, then an event closes the connection", func(t *testing.T) {
		conformance(t, custom(), func(t *testing.T, r *rig, c *client) {
			id := c.join("/", "")
			c.text()
			c.send("1")
			r.wantLeft(id, "client namespace disconnect")
			c.provoke(`2["message"]`)
			c.wantClosed()
		})
	})
	t.Run("client leaves one namespace of two and the other goes on", func(t *testing.T) {
		conformance(t, custom(), func(t *testing.T, r *rig, c *client) {
			c.join("/", "")
			c.text()
			id := c.join("/custom", "")
			c.text()
			c.send("1/custom,")
			r.wantLeft(id, "client namespace disconnect")
			c.wantNothing()
		})
	})
	t.Run("client may join a namespace again on the same connection while the server knows several", func(t *testing.T) {
		conformance(t, custom(), func(t *testing.T, _ *rig, c *client) {
			a := c.join("/", "")
			c.text()
			c.send("1")
			require.NotEqual(t, a, c.join("/", ""))
		})
	})
	t.Run("CONNECT again where the handshake is forgotten closes the transport", func(t *testing.T) {
		conformance(t, Options{}, func(_ *testing.T, _ *rig, c *client) {
			c.join("/", "")
			c.send("1")
			c.provoke("0")
			c.wantClosed()
		})
	})
	t.Run("transport closes", func(t *testing.T) {
		conformance(t, custom(), func(_ *testing.T, r *rig, c *client) {
			id := c.join("/", "")
			c.close()
			r.wantLeft(id, "transport close")
			require.Zero(c.t, r.Len())
		})
	})
}

func TestInvalidPackets(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"invalid format":                   "abc",
		"empty":                            "",
		"unknown type":                     "7",
		"event without payload":            "2",
		"event that is an object":          "2{}",
		"event with an empty array":        "2[]",
		"event without name":               "2[{}]",
		"event with broken JSON":           `2["x"`,
		"event of a namespace not joined":  `2/custom,["x"]`,
		"event of an unknown namespace":    `2/nowhere,["x"]`,
		"CONNECT twice":                    "0",
		"CONNECT with a string":            `0/custom,"x"`,
		"CONNECT with null":                `0/custom,null`,
		"CONNECT_ERROR":                    `4{"message":"x"}`,
		"DISCONNECT with a payload":        `1[]`,
		"DISCONNECT of another namespace":  `1/custom,`,
		"acknowledgement without payload":  "31",
		"acknowledgement without id":       "3[]",
		"binary event without attachments": `5["x"]`,
		"reserved event disconnect":        `2["disconnect","forced"]`,
		"reserved event newListener":       `2["newListener"]`,
	}
	for name, packet := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conformance(t, custom(), func(t *testing.T, r *rig, c *client) {
				other := dial(t, r.url)
				other.join("/", "")
				other.text()
				id := c.join("/", "")
				c.text()
				c.provoke(packet)
				c.wantClosed()
				r.eventually("the disconnect", func() bool { return len(r.left) == 1 })
				require.Contains(t, []string{id + " parse error", id + " forced server close"}, r.leavers()[0])
				other.wantNothing() // nobody else is disturbed
			})
		})
	}
	t.Run("an event before CONNECT closes the connection", func(t *testing.T) {
		conformance(t, custom(), func(_ *testing.T, _ *rig, c *client) {
			c.provoke(`2["message"]`)
			c.wantClosed()
		})
	})
	t.Run("binary that nobody announced closes the connection", func(t *testing.T) {
		conformance(t, custom(), func(_ *testing.T, r *rig, c *client) {
			id := c.join("/", "")
			_ = c.write("", []byte{1})
			c.wantClosed()
			r.wantLeft(id, "parse error")
		})
	})
	t.Run("text between attachments closes the connection", func(t *testing.T) {
		conformance(t, custom(), func(_ *testing.T, _ *rig, c *client) {
			c.join("/", "")
			c.send(`51-["message",{"_placeholder":true,"num":0}]`)
			c.provoke(`2["message"]`)
			c.wantClosed()
		})
	})
}

func TestMessages(t *testing.T) {
	t.Parallel()
	plain := map[string]string{
		`2["message",1,"2",{"3":[true]}]`:              `2["message-back",1,"2",{"3":[true]}]`,
		`2["message"]`:                                 `2["message-back"]`,
		`2["message","<&> \u2028 ñ 🙂 \\ \" \u0000"]`:   `2["message-back","<&> \u2028 ñ 🙂 \\ \" \u0000"]`,
		`2["message",null,1.5,-0.25,1e21]`:             `2["message-back",null,1.5,-0.25,1e+21]`,
		`2456["message-with-ack",1,"2",{"3":[false]}]`: `3456[1,"2",{"3":[false]}]`,
		`20["message-with-ack"]`:                       `30[]`,
		`50-["message",1]`:                             `2["message-back",1]`,
		`2/custom,["message","a"]`:                     `2/custom,["message-back","a"]`,
		`2/custom,7["message-with-ack","a"]`:           `3/custom,7["a"]`,
	}
	for in, out := range plain {
		t.Run(in, func(t *testing.T) {
			t.Parallel()
			conformance(t, custom(), func(_ *testing.T, _ *rig, c *client) {
				c.join("/", "")
				c.text()
				c.join("/custom", "")
				c.text()
				c.send(in)
				c.want(out)
			})
		})
	}
	t.Run("binary event both ways", func(t *testing.T) {
		conformance(t, custom(), func(_ *testing.T, r *rig, c *client) {
			c.join("/", "")
			c.text()
			c.send(`52-["message",{"_placeholder":true,"num":0},{"x":[{"_placeholder":true,"num":1}]}]`)
			c.sendBinary([]byte{1, 2, 3})
			c.sendBinary([]byte{4, 5, 6})
			c.want(`52-["message-back",{"_placeholder":true,"num":0},{"x":[{"_placeholder":true,"num":1}]}]`)
			c.wantBinary([]byte{1, 2, 3})
			c.wantBinary([]byte{4, 5, 6})
			require.Equal(c.t, []byte{1, 2, 3}, r.event(0).Args[0])
		})
	})
	t.Run("binary acknowledgement both ways", func(t *testing.T) {
		conformance(t, custom(), func(t *testing.T, r *rig, c *client) {
			id := c.join("/custom", "")
			c.text()
			c.send(`51-/custom,789["message-with-ack",{"_placeholder":true,"num":0}]`)
			c.sendBinary([]byte{9})
			c.want(`61-/custom,789[{"_placeholder":true,"num":0}]`)
			c.wantBinary([]byte{9})

			got := make(chan []any, 1)
			require.NoError(t, r.socket(id).EmitAck(wait, "ask", []any{[]byte{7}}, func(args []any, err error) {
				if err == nil {
					got <- args
				}
			}))
			ask := c.text()
			rest, ok := strings.CutPrefix(ask, "51-/custom,")
			require.True(t, ok, ask)
			number, _, _ := strings.Cut(rest, "[")
			c.wantBinary([]byte{7})
			c.send("61-/custom," + number + `[{"_placeholder":true,"num":0}]`)
			c.sendBinary([]byte{8})
			require.Equal(t, []any{[]byte{8}}, <-got)
		})
	})
	t.Run("a client's acknowledgement that nobody asked for is ignored", func(t *testing.T) {
		conformance(t, custom(), func(_ *testing.T, _ *rig, c *client) {
			c.join("/", "")
			c.text()
			c.send(`3999["x"]`)
			c.wantNothing()
		})
	})
	t.Run("what the client gets is JSON", func(t *testing.T) {
		conformance(t, custom(), func(t *testing.T, _ *rig, c *client) {
			c.join("/", "")
			c.text()
			c.send(`2["message","` + strings.Repeat("x", 100_000) + `"]`)
			require.True(t, json.Valid([]byte(c.text()[1:])))
		})
	})
}
