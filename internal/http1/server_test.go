package http1

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/internal/leak"
)

// patience is how long a test waits for what must come.
const patience = time.Minute

func TestMain(m *testing.M) { leak.Main(m) }

// silent is for what net/http says of what a test does on purpose.
var silent = log.New(io.Discard, "", 0)

// start serves h, with /ours as what is answered here.
func start(t *testing.T, h http.Handler, o Options) (*Server, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	o.Handler, o.Fast = h, func(path string) bool { return strings.HasPrefix(path, "/ours") }
	o.Rest = &http.Server{Handler: h, ReadHeaderTimeout: patience, ErrorLog: silent}
	s := New(o)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		require.ErrorIs(t, <-served, http.ErrServerClosed)
	})
	return s, l.Addr().String()
}

func dial(t *testing.T, addr string) (*net.TCPConn, *bufio.Reader) {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = nc.Close() })
	require.NoError(t, nc.SetDeadline(time.Now().Add(patience)))
	return nc.(*net.TCPConn), bufio.NewReader(nc)
}

func send(t *testing.T, w io.Writer, pieces ...string) {
	t.Helper()
	for _, p := range pieces {
		_, err := io.WriteString(w, p)
		require.NoError(t, err)
	}
}

// answer reads one answer to a GET.
func answer(t *testing.T, r *bufio.Reader) (*http.Response, string) {
	t.Helper()
	res, err := http.ReadResponse(r, nil)
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, string(body)
}

// echo says what it was asked.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	w.Header().Set("X-Asked", r.Method+" "+r.RequestURI+" "+r.Host+" "+strings.Join(r.Header.Values("X"), "|"))
	w.Header().Set("X-Split", "a\r\nb: c")
	if err != nil {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	switch r.URL.Path {
	case "/ours/none":
		w.WriteHeader(http.StatusNoContent)
	case "/ours/wrong":
		w.WriteHeader(http.StatusNoContent)
		_, _ = w.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
	case "/ours/late":
		_, _ = w.Write([]byte("a"))
		w.WriteHeader(http.StatusTeapot) // too late
	default:
		_, _ = w.Write(body)
	}
})

// Every exchange reads the same from us as from net/http alone.
func TestAnswersAreThoseOfNetHTTP(t *testing.T) {
	t.Parallel()
	_, ours := start(t, echo, Options{})
	plain := &http.Server{Handler: echo, ReadHeaderTimeout: patience, ErrorLog: silent}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go func() { _ = plain.Serve(l) }()
	t.Cleanup(func() { _ = plain.Close() })
	large := strings.Repeat("x", maxBody+1)
	for name, pieces := range map[string][]string{
		"a GET":                   {"GET /ours?a=b HTTP/1.1\r\nHost: h\r\nX: 1\r\nx: 2\r\n\r\n"},
		"a POST":                  {"POST /ours HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"},
		"in pieces":               {"PO", "ST /ours HTTP/1.1\r\nHo", "st: h\r\nContent-Length: 4\r\n\r\nbo", "dy"},
		"in many pieces":          strings.Split("GET /ours HTTP/1.1\r\nHost: h\r\nX: abc\r\n\r\n", ""),
		"two at once":             {"GET /ours HTTP/1.1\r\nHost: h\r\n\r\nPOST /ours/2 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"},
		"ours, then theirs":       {"GET /ours HTTP/1.1\r\nHost: h\r\n\r\nGET /theirs HTTP/1.1\r\nHost: h\r\n\r\n"},
		"theirs, then ours":       {"GET /theirs HTTP/1.1\r\nHost: h\r\n\r\nGET /ours HTTP/1.1\r\nHost: h\r\n\r\n"},
		"no content":              {"GET /ours/none HTTP/1.1\r\nHost: h\r\n\r\n"},
		"content all the same":    {"GET /ours/wrong HTTP/1.1\r\nHost: h\r\n\r\nGET /ours HTTP/1.1\r\nHost: h\r\n\r\n"},
		"an empty length":         {"GET /ours HTTP/1.1\r\nHost: h\r\nContent-Length:\r\n\r\n"},
		"an empty length and one": {"POST /ours HTTP/1.1\r\nHost: h\r\nContent-Length:\r\nContent-Length: 2\r\n\r\nab"},
		"bare line ends":          {"GET /ours HTTP/1.1\nHost: h\n\n"},
		"a bare line end":         {"GET /ours HTTP/1.1\r\nHost: h\r\n\n"},
		"a late status":           {"GET /ours/late HTTP/1.1\r\nHost: h\r\n\r\n"},
		"chunks":                  {"POST /ours HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"},
		"a large body":            {"POST /ours HTTP/1.1\r\nHost: h\r\nContent-Length: " + strconv.Itoa(len(large)) + "\r\n\r\n", large},
		"an expectation":          {"POST /ours HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok"},
		"HTTP/1.0":                {"GET /ours HTTP/1.0\r\n\r\n"},
		"closing":                 {"GET /ours HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"},
		"no Host":                 {"GET /ours HTTP/1.1\r\n\r\n"},
		"two lengths":             {"POST /ours HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"},
		"no HTTP":                 {"hello\r\n\r\n"},
		"a head without end":      {"GET /ours HTTP/1.1\r\nHost: h\r\nX: ", strings.Repeat("x", 2<<20), "\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, exchange(t, l.Addr().String(), pieces), exchange(t, ours, pieces))
		})
	}
}

// exchange sends pieces and then nothing more, and returns all that comes back, without its date and in an order of its own.
func exchange(t *testing.T, addr string, pieces []string) []string {
	nc, r := dial(t, addr)
	for _, p := range pieces {
		if _, err := io.WriteString(nc, p); err != nil {
			break // refused before its end
		}
	}
	_ = nc.CloseWrite()
	var all []string
	for {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			return all
		}
		if res.StatusCode == http.StatusContinue { // where the body was there, too, net/http says so or not
			continue
		}
		body, _ := io.ReadAll(res.Body)
		res.Header.Del("Date")
		var h bytes.Buffer
		require.NoError(t, res.Header.Write(&h))
		all = append(all, res.Status, h.String(), strconv.FormatBool(res.Close), string(body))
	}
}

func TestALargeBufferIsNotKeptForALittle(t *testing.T) {
	t.Parallel()
	kept := make(chan int, 2)
	_, addr := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kept <- cap(*w.(*response).c.in)
		echo(w, r)
	}), Options{})
	nc, r := dial(t, addr)
	send(t, nc, "POST /ours HTTP/1.1\r\nHost: h\r\nContent-Length: "+strconv.Itoa(maxBody)+"\r\n\r\n"+strings.Repeat("x", maxBody)+"GET /ours")
	_, body := answer(t, r)
	require.Len(t, body, maxBody)
	require.Greater(t, <-kept, keptBuffer)
	send(t, nc, " HTTP/1.1\r\nHost: h\r\n\r\n")
	answer(t, r)
	require.LessOrEqual(t, <-kept, keptBuffer)
}

func TestABodyThatStaysOutIsAnError(t *testing.T) {
	t.Parallel()
	_, addr := start(t, echo, Options{BodyTimeout: time.Second})
	for _, ends := range []bool{false, true} {
		nc, r := dial(t, addr)
		send(t, nc, "POST /ours HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbo")
		if ends {
			require.NoError(t, nc.CloseWrite())
		}
		res, _ := answer(t, r)
		require.Equal(t, http.StatusBadRequest, res.StatusCode)
		require.True(t, res.Close)
		_, err := r.ReadByte()
		require.ErrorIs(t, err, io.EOF)
	}
}

func TestConnectionsThatSayNothingAreClosed(t *testing.T) {
	t.Parallel()
	for name, said := range map[string]string{"at all": "", "more of a head": "GET /ours HTTP/1.1\r\nHo", "after a request": "GET /ours HTTP/1.1\r\nHost: h\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, addr := start(t, echo, Options{HeaderTimeout: 5 * time.Second, IdleTimeout: time.Second}) // 5 s in which something is said
			nc, r := dial(t, addr)
			send(t, nc, said)
			_, err := io.Copy(io.Discard, r)
			require.NoError(t, err, "closed, not reset or held")
		})
	}
}

func TestAPanicIsItsConnectionsAlone(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s, addr := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ours/panic" {
			panic("x")
		}
		echo(w, r)
	}), Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	bad, badly := dial(t, addr)
	good, well := dial(t, addr)
	send(t, bad, "GET /ours/panic HTTP/1.1\r\nHost: h\r\n\r\n")
	_, err := badly.ReadByte()
	require.ErrorIs(t, err, io.EOF)
	send(t, good, "GET /ours HTTP/1.1\r\nHost: h\r\n\r\n")
	res, _ := answer(t, well)
	require.Equal(t, http.StatusOK, res.StatusCode)
	require.NoError(t, s.Close())
	require.Contains(t, log.String(), "panic")
}

func TestAHijackedConnectionComesWithWhatWasRead(t *testing.T) {
	t.Parallel()
	_, addr := start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		nc, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, err = w.Write(nil)
		early := make([]byte, rw.Reader.Buffered())
		_, _ = io.ReadFull(rw, early)
		_, _ = nc.Write([]byte(string(early) + "|" + err.Error()))
		_ = nc.Close()
	}), Options{})
	nc, r := dial(t, addr)
	send(t, nc, "GET /ours HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nand so early")
	all, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "and so early|"+http.ErrHijacked.Error(), string(all))
}

func TestStrangersAreCountedAndServed(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	_, addr := start(t, echo, Options{Metrics: NewMetrics(reg)})
	for _, path := range []string{"/ours", "/theirs"} {
		nc, r := dial(t, addr)
		send(t, nc, "GET "+path+" HTTP/1.1\r\nHost: h\r\n\r\n")
		res, _ := answer(t, r)
		require.Equal(t, "GET "+path+" h", res.Header.Get("X-Asked"))
	}
	families, err := reg.Gather()
	require.NoError(t, err)
	require.Len(t, families, 2)
	for _, f := range families {
		require.InDelta(t, 1, f.GetMetric()[0].GetCounter().GetValue(), 0, f.GetName())
	}
}

func TestShutdownWaitsForRequestsUnderWay(t *testing.T) {
	t.Parallel()
	begun, finish := make(chan struct{}), make(chan struct{})
	s, addr := start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(begun)
		<-finish
		echo(w, r)
	}), Options{})
	_, unused := dial(t, addr)
	nc, r := dial(t, addr)
	send(t, nc, "GET /ours HTTP/1.1\r\nHost: h\r\n\r\n")
	<-begun
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(context.Background()) }()
	_, err := unused.ReadByte()
	require.ErrorIs(t, err, io.EOF)
	close(finish)
	res, _ := answer(t, r)
	require.Equal(t, http.StatusOK, res.StatusCode)
	_, err = r.ReadByte()
	require.ErrorIs(t, err, io.EOF)
	require.NoError(t, nc.Close())
	require.NoError(t, <-down)
}

func TestShutdownGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	begun, finish := make(chan struct{}), make(chan struct{})
	s, addr := start(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(begun)
		<-finish
	}), Options{})
	nc, _ := dial(t, addr)
	send(t, nc, "GET /ours HTTP/1.1\r\nHost: h\r\n\r\n")
	<-begun
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, s.Shutdown(ctx), context.Canceled)
	close(finish)
}

func TestShutdownWaitsForNoBodyThatStaysOut(t *testing.T) {
	t.Parallel()
	s, addr := start(t, echo, Options{BodyTimeout: 10 * time.Second}) // in which the request is seen to be under way
	nc, r := dial(t, addr)
	send(t, nc, "POST /ours HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbo")
	require.Eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		for c := range s.conns {
			return c.state.Load() == active
		}
		return false
	}, patience, time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(ctx) }()
	res, _ := answer(t, r)
	require.Equal(t, http.StatusBadRequest, res.StatusCode)
	require.NoError(t, nc.Close())
	require.NoError(t, <-down)
}

func TestAServerThatWasStoppedDoesNotListen(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := New(Options{Handler: echo, Rest: &http.Server{Handler: echo, ReadHeaderTimeout: patience}})
	require.NoError(t, s.Shutdown(context.Background()))
	require.ErrorIs(t, s.Serve(l), http.ErrServerClosed)
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
}
