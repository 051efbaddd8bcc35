package sio

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zishang520/engine.io/v2/types"
	"github.com/zishang520/socket.io/v2/socket"
)

// bareVariable makes the test binary serve the application on the bare library, in a process of its own that a defect
// may end. Its value is the variant: "plain", or what a row of the table needs.
const bareVariable = "SIO_BARE_LIBRARY"

// bareProcess is such a process.
type bareProcess struct {
	url    string
	exited chan struct{}
	mu     sync.Mutex
	errors bytes.Buffer // the end of a Go process is told on stderr
}

func (p *bareProcess) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.errors.Write(b)
}

func (p *bareProcess) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.errors.String()
}

func (p *bareProcess) dead() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// startBare starts one; url is empty when it ended before it listened.
func startBare(t *testing.T, variant string) *bareProcess {
	t.Helper()
	p := &bareProcess{exited: make(chan struct{})}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), bareVariable+"="+variant)
	cmd.Stderr = p
	stdin, err := cmd.StdinPipe() // its end ends the process, should this one be killed
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err == nil {
		p.url = strings.TrimSpace(line)
	}
	go func() { _ = cmd.Wait(); close(p.exited) }()
	t.Cleanup(func() {
		_ = stdin.Close()
		select {
		case <-p.exited:
		case <-time.After(5 * time.Second):
			_ = cmd.Process.Kill()
			<-p.exited
		}
	})
	return p
}

// serveBare is the process: it prints its address and serves until stdin ends.
func serveBare() {
	opts := socket.DefaultServerOptions()
	variant := os.Getenv(bareVariable)
	switch variant {
	case "compression":
		opts.SetPerMessageDeflate(&types.PerMessageDeflate{Threshold: 1024})
	case "recovery":
		opts.SetConnectionStateRecovery(&socket.ConnectionStateRecovery{})
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	handler := bareApp(opts, variant)
	fmt.Fprintln(os.Stdout, "http://"+listener.Addr().String())
	go func() { _ = http.Serve(listener, handler) }()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

// bareApp is the application as the library's documentation would have it written.
func bareApp(opts *socket.ServerOptions, variant string) http.Handler {
	a := newAppState()
	srv := socket.NewServer(nil, opts)
	if variant == "auth" {
		srv.Use(func(s *socket.Socket, next func(*socket.ExtendedError)) {
			_ = s.Handshake().Auth.(map[string]any)["token"]
			next(nil)
		})
	}
	_ = srv.On("connection", func(args ...any) {
		s := args[0].(*socket.Socket)
		a.came()
		s.Join("all")
		on := func(event string, fn func(args []any, ack func(...any))) {
			_ = s.On(event, func(args ...any) {
				ack := func(...any) {}
				if n := len(args); n > 0 {
					if f, ok := args[n-1].(socket.Ack); ok {
						args, ack = args[:n-1], func(answer ...any) { f(answer, nil) }
					}
				}
				fn(args, ack)
			})
		}
		on("echo", func(args []any, ack func(...any)) { ack(args...) })
		on("big", func(args []any, ack func(...any)) { ack(len(args[0].(string))) })
		on("seq", func(args []any, _ func(...any)) { a.seq(args) })
		on("shout", func(args []any, ack func(...any)) { _ = srv.To("all").Emit("heard", args...); ack(args...) })
		on("ask", func([]any, func(...any)) { _ = s.Emit("question", func([]any, error) {}) })
		on("bad", func([]any, func(...any)) { _ = s.Emit("bad", make(chan int)) })
		on("panic", func([]any, func(...any)) { panic("handler") })
		on("kick", func([]any, func(...any)) { s.Disconnect(true) })
		_ = s.On("disconnect", func(args ...any) { a.left(string(s.Id()), args[0].(string)) })
	})
	members := func() int {
		if ids, ok := srv.Sockets().Adapter().Rooms().Load("all"); ok {
			return ids.Len()
		}
		return 0
	}
	return a.control(srv.ServeHandler(nil), members, func(event string, arg any) { _ = srv.To("all").Emit(event, arg) })
}
