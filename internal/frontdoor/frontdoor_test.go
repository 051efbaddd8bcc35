package frontdoor_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/internal/freeport"
	"github.com/citaplanner/realtime/internal/frontdoor"
	"github.com/citaplanner/realtime/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// patience bounds every wait; nothing is expected to take nearly as long.
const patience = 30 * time.Second

// house is a front door before an upstream.
type house struct {
	t      *testing.T
	door   *frontdoor.Door
	url    string
	client *http.Client
	log    *bytes.Buffer // read it when nothing is under way
}

func build(t *testing.T, next http.HandlerFunc, change ...func(*frontdoor.Options)) *house {
	t.Helper()
	upstream := httptest.NewServer(next)
	h := before(t, upstream.URL, change...)
	t.Cleanup(upstream.Close)
	t.Cleanup(upstream.CloseClientConnections)
	return h
}

func before(t *testing.T, upstream string, change ...func(*frontdoor.Options)) *house {
	t.Helper()
	u, err := url.Parse(upstream)
	require.NoError(t, err)
	h := &house{t: t, log: &bytes.Buffer{}}
	o := frontdoor.Options{Upstream: u, Logger: slog.New(slog.NewTextHandler(h.log, nil))}
	for _, f := range change {
		f(&o)
	}
	h.door = frontdoor.New(o)
	front := httptest.NewServer(frontdoor.Forwarded(nil, h.door))
	h.url, h.client = front.URL, front.Client()
	h.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.Cleanup(func() {
		_ = h.door.Close()
		front.CloseClientConnections()
		front.Close()
	})
	return h
}

func (h *house) get(path string, header ...string) *http.Response {
	h.t.Helper()
	req, err := http.NewRequest(http.MethodGet, h.url+path, nil)
	require.NoError(h.t, err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := h.client.Do(req)
	require.NoError(h.t, err)
	h.t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

func text(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(b)
}

func TestARequestArrivesAsItWasSent(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var line, host, body string
	var header http.Header
	h := build(t, func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		line, host, header, body = r.Method+" "+r.RequestURI, r.Host, r.Header.Clone(), string(b)
	})
	addr := strings.TrimPrefix(h.url, "http://")
	for _, target := range []string{"/", "/a%2Fb//c;d=1?x=1;y=2&z=%zz&&=", "//evil.example/x", "/citas/%C3%B1%20x?next=/a%3Fb"} {
		conn, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		_, err = fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: citas.example.com\r\nCookie: a=1; b=2\r\nX-Forwarded-For: 6.6.6.6\r\n"+
			"Forwarded: for=6.6.6.6\r\nConnection: close, X-Forwarded-For\r\nContent-Length: 4\r\n\r\nhola", target)
		require.NoError(t, err)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, res.StatusCode)
		_ = res.Body.Close()
		mu.Lock()
		require.Equal(t, "PUT "+target, line)
		require.Equal(t, "citas.example.com", host)
		require.Equal(t, "hola", body)
		require.Equal(t, "a=1; b=2", header.Get("Cookie"))
		require.Empty(t, header.Get("Forwarded"))
		require.Empty(t, header.Get("Accept-Encoding"), "the client asked for none")
		require.Equal(t, []string{"127.0.0.1", "http", "citas.example.com"},
			[]string{header.Get("X-Forwarded-For"), header.Get("X-Forwarded-Proto"), header.Get("X-Forwarded-Host")})
		mu.Unlock()
		require.NoError(t, conn.Close())
	}
}

func TestAnAnswerComesBackAsItWasGiven(t *testing.T) {
	t.Parallel()
	h := build(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Set-Cookie", "a=1; HttpOnly")
		w.Header().Add("Set-Cookie", "b=2")
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte("\x1f\x8bnot really"))
		case "/hints":
			w.Header().Set("Link", "</app.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			_, _ = io.WriteString(w, "page")
		case "/trailer":
			w.Header().Set("Trailer", "X-Sum")
			_, _ = io.WriteString(w, "body")
			w.Header().Set("X-Sum", "42")
		case "/unchanged":
			w.WriteHeader(http.StatusNotModified)
		}
	})
	res := h.get("/redirect")
	require.Equal(t, http.StatusTemporaryRedirect, res.StatusCode)
	require.Equal(t, "/elsewhere", res.Header.Get("Location"))
	require.Equal(t, []string{"a=1; HttpOnly", "b=2"}, res.Header.Values("Set-Cookie"))
	res = h.get("/gzip", "Accept-Encoding", "gzip")
	require.Equal(t, "\x1f\x8bnot really", text(t, res.Body))
	require.Equal(t, http.StatusNotModified, h.get("/unchanged").StatusCode)
	res = h.get("/trailer")
	require.Equal(t, "body", text(t, res.Body))
	require.Equal(t, "42", res.Trailer.Get("X-Sum"))

	var hints []string
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			hints = append(hints, fmt.Sprint(code, " ", header.Get("Link")))
			return nil
		}}), http.MethodGet, h.url+"/hints", nil)
	require.NoError(t, err)
	res, err = h.client.Do(req)
	require.NoError(t, err)
	require.Equal(t, "page", text(t, res.Body))
	require.NoError(t, res.Body.Close())
	require.Equal(t, []string{"103 </app.css>; rel=preload"}, hints)
}

func TestEachEventOfAStreamArrivesBeforeTheNextIsWritten(t *testing.T) {
	t.Parallel()
	next, gone := make(chan struct{}), make(chan struct{})
	h := build(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for i := 0; ; i++ {
			_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
			_ = http.NewResponseController(w).Flush()
			select {
			case <-next:
			case <-r.Context().Done():
				close(gone)
				return
			}
		}
	})
	res := h.get("/events")
	lines := bufio.NewReader(res.Body)
	for i := range 3 {
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("data: %d\n", i), line)
		_, _ = lines.ReadString('\n')
		if i < 2 {
			next <- struct{}{}
		}
	}
	require.NoError(t, h.door.Close()) // a stop does not wait for a stream that never ends
	await(t, gone, "the upstream to hear of it")
}

func await[T any](t *testing.T, ch <-chan T, what string) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(patience):
		t.Fatal("waited in vain for " + what)
	}
}

// Not parallel: it counts what is allocated, by whomever.
func TestABodyIsPassedOnAsItComesWhateverItsSize(t *testing.T) {
	const size = 64 << 20
	firsts := make(chan byte)
	h := build(t, func(w http.ResponseWriter, r *http.Request) {
		var first [1]byte
		_, _ = io.ReadFull(r.Body, first[:])
		firsts <- first[0]
		n, _ := io.Copy(io.Discard, r.Body)
		_, _ = io.CopyN(w, zeros{}, n+1)
	})
	body, write := io.Pipe()
	req, err := http.NewRequest(http.MethodPost, h.url+"/upload", body)
	require.NoError(t, err)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	go func() {
		_, _ = write.Write([]byte("x"))
		<-firsts // the upstream has it while the rest is not even written
		_, _ = io.CopyN(write, zeros{}, size-1)
		_ = write.Close()
	}()
	res, err := h.client.Do(req)
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.EqualValues(t, size, n)
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(size/2), "both ways together")
}

// unheard is an address at which nobody listens.
func unheard(t *testing.T) string {
	t.Helper()
	port, err := freeport.Find()
	require.NoError(t, err)
	return "127.0.0.1:" + port
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

func TestAWebSocketGoesThroughUntilOneSideOrTheServerEndsIt(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{}, 2)
	h := build(t, func(w http.ResponseWriter, r *http.Request) {
		c, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.Close(); ended <- struct{}{} }()
		for {
			kind, b, err := c.ReadMessage()
			if err != nil || c.WriteMessage(kind, b) != nil {
				return
			}
		}
	})
	dial := func() *websocket.Conn {
		c, res, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(h.url, "http")+"/_next/webpack-hmr", nil)
		require.NoError(t, err)
		_ = res.Body.Close()
		t.Cleanup(func() { _ = c.Close() })
		require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
		require.NoError(t, c.WriteMessage(websocket.TextMessage, []byte("hola")))
		_, b, err := c.ReadMessage()
		require.NoError(t, err)
		require.Equal(t, "hola", string(b))
		return c
	}
	one, two := dial(), dial()
	require.NoError(t, one.Close())
	await(t, ended, "the upstream's side to end with the client's")
	require.NoError(t, h.door.Close())
	await(t, ended, "the upstream's side to end with the server")
	_, _, err := two.ReadMessage()
	require.Error(t, err)
}

func TestWhileNextJSIsDownAPageSaysSo(t *testing.T) {
	t.Parallel()
	addr := unheard(t)
	h := before(t, "http://"+addr)
	for range 3 {
		res := h.get("/dashboard", "Accept", "text/html,*/*;q=0.8")
		require.Equal(t, http.StatusBadGateway, res.StatusCode)
		require.Equal(t, "no-store", res.Header.Get("Cache-Control"))
		require.Contains(t, text(t, res.Body), "La aplicación no responde")
	}
	res := h.get("/api/appointments")
	require.Equal(t, http.StatusBadGateway, res.StatusCode)
	require.Equal(t, "application/problem+json", res.Header.Get("Content-Type"))
	require.JSONEq(t, `{"type":"about:blank","title":"Bad Gateway","status":502,"detail":"the app behind this server does not answer",
		"error":"the app behind this server does not answer","code":"UPSTREAM_DOWN"}`, text(t, res.Body))

	again, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	next := &httptest.Server{Listener: again, Config: &http.Server{Handler: http.NotFoundHandler()}} //nolint:gosec // a test's
	next.Start()
	t.Cleanup(next.Close)
	require.Equal(t, http.StatusNotFound, h.get("/").StatusCode)
	require.Equal(t, 1, strings.Count(h.log.String(), "does not answer"), "once, not for each request: %s", h.log)
	require.Equal(t, 1, strings.Count(h.log.String(), "answers again"))
}

// Without an end to the waiting for the rest of a body, the request would last for as long as the client likes.
func TestAClientWhoseBodyNeverEndsHoldsNothing(t *testing.T) {
	t.Parallel()
	addr := unheard(t)
	brief := func(o *frontdoor.Options) { o.BodyIdle = 500 * time.Millisecond }
	for name, h := range map[string]*house{
		"nobody listens": before(t, "http://"+addr, brief),
		"it reads on":    build(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body) }, brief),
		"it hangs up": build(t, func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = conn.Close()
			}
		}, brief),
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(h.url, "http://"))
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
		_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
		require.NoError(t, err)
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if name == "nobody listens" {
			require.NoError(t, err)
			require.Equal(t, http.StatusBadGateway, res.StatusCode)
		} else if err != nil { // the client counts as gone
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, name)
		}
		_ = conn.Close()
	}
}

func TestABodyMayTakeLongerThanAPauseWithinIt(t *testing.T) {
	t.Parallel()
	h := build(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		time.Sleep(6500 * time.Millisecond) // the answer's time is none of the body's
		_, _ = w.Write(b)
	}, func(o *frontdoor.Options) { o.BodyIdle = 6 * time.Second })
	for range 2 { // on one connection
		r, w := io.Pipe()
		go func() {
			for range 8 {
				time.Sleep(900 * time.Millisecond)
				_, _ = io.WriteString(w, "x")
			}
			_ = w.Close()
		}()
		res, err := h.client.Post(h.url, "text/plain", r)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Equal(t, "xxxxxxxx", text(t, res.Body))
		require.NoError(t, res.Body.Close())
	}
}

func TestAnAnswerThatDoesNotBeginInTimeIs504AndOneThatBeganIsNotCut(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	h := build(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stream" {
			_ = http.NewResponseController(w).Flush()
		}
		select {
		case <-release:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, "late")
	}, func(o *frontdoor.Options) { o.AnswerTimeout = 10 * time.Second }) // in which the stream begins
	stream := h.get("/stream")
	require.Equal(t, http.StatusGatewayTimeout, h.get("/slow").StatusCode) // takes longer than the stream may, if it were cut
	close(release)
	require.Equal(t, "late", text(t, stream.Body))
}

func TestAClientThatLeavesEndsTheRequestBehindItAndIsNoError(t *testing.T) {
	t.Parallel()
	began, ended := make(chan struct{}), make(chan struct{})
	h := build(t, func(_ http.ResponseWriter, r *http.Request) {
		close(began)
		<-r.Context().Done()
		close(ended)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-began; cancel() }()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url, nil)
	require.NoError(t, err)
	_, err = h.client.Do(req)
	require.ErrorIs(t, err, context.Canceled)
	await(t, ended, "the upstream to hear of it")
	require.Empty(t, h.log.String())
}
