package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience bounds every wait of these tests; nothing is expected to take nearly as long.
const patience = time.Minute

// node is a Node.js process with real socket.io-client sockets in it.
type node struct {
	t  *testing.T
	in *json.Encoder

	each func(message) // sees every message first; nil: nobody does

	mu      sync.Mutex
	sockets map[string]*client
	next    int
}

// client is one socket in a node.
type client struct {
	n  *node
	id string

	mu       sync.Mutex
	messages []message
	changed  chan struct{} // closed and replaced when a message comes
}

// message is what sockets.mjs says.
type message struct {
	ID        string            `json:"id"`
	Type      string            `json:"type"`
	SID       string            `json:"sid"`
	Transport string            `json:"transport"`
	Event     string            `json:"event"`
	Args      []json.RawMessage `json:"args"`
	Message   string            `json:"message"`
	Data      json.RawMessage   `json:"data"`
	Reason    string            `json:"reason"`
	Active    bool              `json:"active"`
	Recovered bool              `json:"recovered"`
	Ack       int               `json:"ack"`
	Error     string            `json:"error"`
}

// payload is an event's first argument.
func (m message) payload() string {
	if len(m.Args) == 0 {
		return ""
	}
	return string(m.Args[0])
}

// open says how a socket connects; the zero value is the app's hook without a cookie.
type open struct {
	Cookie, Origin, Bearer string
	Token                  any // nil is the hook's ''
	Transports             []string
	Options                map[string]any
}

func startNode(t *testing.T) *node {
	t.Helper()
	if _, err := os.Stat("client/node_modules/socket.io-client"); err != nil {
		t.Fatal("the npm socket.io-client is not installed: run `make setup` (or `npm ci` in internal/e2e/client)")
	}
	path, err := exec.LookPath("node")
	require.NoError(t, err, "Node.js 20 or later is needed: the real clients run in it")
	cmd := exec.Command(path, "sockets.mjs")
	cmd.Dir, cmd.Stderr = "client", os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	n := &node{t: t, in: json.NewEncoder(stdin), sockets: map[string]*client{}}
	lines := bufio.NewReaderSize(stdout, 1<<20)
	_, err = lines.ReadString('\n') // ready
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				return
			}
			var m message
			if json.Unmarshal(line, &m) == nil {
				n.take(m)
			}
		}
	}()
	t.Cleanup(func() {
		_ = stdin.Close()
		<-done
		_ = cmd.Wait()
	})
	return n
}

func (n *node) take(m message) {
	n.mu.Lock()
	c := n.sockets[m.ID]
	n.mu.Unlock()
	if c == nil {
		return
	}
	if n.each != nil {
		n.each(m)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages = append(c.messages, m)
	close(c.changed)
	c.changed = make(chan struct{})
}

func (n *node) say(v map[string]any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	require.NoError(n.t, n.in.Encode(v))
}

// open opens a socket and does not wait.
func (n *node) open(url string, o open) *client {
	n.mu.Lock()
	n.next++
	c := &client{n: n, id: fmt.Sprint(n.next), changed: make(chan struct{})}
	n.sockets[c.id] = c
	n.mu.Unlock()
	say := map[string]any{"op": "open", "id": c.id, "url": url, "cookie": o.Cookie, "origin": o.Origin, "bearer": o.Bearer,
		"options": o.Options}
	if o.Token != nil {
		say["token"] = o.Token
	}
	if o.Transports != nil {
		say["transports"] = o.Transports
	}
	n.say(say)
	return c
}

// connect opens a socket and waits until it is signed in and knows who is there.
func (n *node) connect(url string, o open) *client {
	n.t.Helper()
	c := n.open(url, o)
	c.event("connection:success")
	c.event("presence:state")
	return c
}

// wait returns the first message that match takes and removes it and no other.
func (c *client) wait(what string, match func(message) bool) message {
	c.n.t.Helper()
	deadline := time.After(patience)
	for {
		c.mu.Lock()
		for i, m := range c.messages {
			if match(m) {
				c.messages = append(c.messages[:i:i], c.messages[i+1:]...)
				c.mu.Unlock()
				return m
			}
		}
		changed := c.changed
		c.mu.Unlock()
		select {
		case <-changed:
		case <-deadline:
			c.n.t.Fatalf("socket %s waited in vain for %s; it has %s", c.id, what, c.seen())
		}
	}
}

func (c *client) event(name string) message {
	c.n.t.Helper()
	return c.wait("the event "+name, func(m message) bool { return m.Type == "event" && m.Event == name })
}

func (c *client) kind(kind string) message {
	c.n.t.Helper()
	return c.wait(kind, func(m message) bool { return m.Type == kind })
}

func (c *client) emit(event string, args ...any) {
	if args == nil {
		args = []any{}
	}
	c.n.say(map[string]any{"op": "emit", "id": c.id, "event": event, "args": args})
}

// ask emits with an acknowledgement callback and returns what it got.
func (c *client) ask(event string, args ...any) string {
	c.n.t.Helper()
	c.n.mu.Lock()
	c.n.next++
	ack := c.n.next
	c.n.mu.Unlock()
	if args == nil {
		args = []any{}
	}
	c.n.say(map[string]any{"op": "emit", "id": c.id, "event": event, "args": args, "ack": ack})
	m := c.wait("an acknowledgement of "+event, func(m message) bool { return m.Type == "ack" && m.Ack == ack })
	require.Empty(c.n.t, m.Error)
	return m.payload()
}

// settle waits until all that the server sent to this socket before has arrived: an answer comes in order behind it.
func (c *client) settle() {
	c.n.t.Helper()
	c.ask("presence:update", "online")
}

func (c *client) close() { c.n.say(map[string]any{"op": "close", "id": c.id}) }

// seen lists the messages that nobody has asked for yet.
func (c *client) seen() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	for _, m := range c.messages {
		fmt.Fprintf(&b, "\n  %s %s %s %s %s", m.Type, m.Event, m.Message, m.Reason, m.payload())
	}
	if b.Len() == 0 {
		return "nothing"
	}
	return b.String()
}

// events lists the names of the events that came and that nobody has asked for yet.
func (c *client) events() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []string{}
	for _, m := range c.messages {
		if m.Type == "event" {
			out = append(out, m.Event)
		}
	}
	return out
}
