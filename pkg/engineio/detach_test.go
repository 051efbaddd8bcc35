package engineio_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/internal/http1"
	"github.com/citaplanner/realtime/pkg/engineio"
)

// detaching serves with polls that wait without a goroutine (detacher). handled tells of each request whose handler has
// returned: a poll that has no answer yet waits from then on.
func detaching(t *testing.T, o engineio.Options) (s *server, handled chan struct{}) {
	t.Helper()
	handled = make(chan struct{}, 100)
	return serveBy(t, func(h http.Handler) (string, func()) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		s := http1.New(http1.Options{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(w, r)
			handled <- struct{}{}
		}), Fast: func(string) bool { return true }, WriteTimeout: o.WriteTimeout,
			Rest: &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: patience}})
		go func() { _ = s.Serve(l) }()
		return "http://" + l.Addr().String(), func() { _ = s.Close() }
	}, o), handled
}

// waiting is detaching with a session whose poll waits.
func waiting(t *testing.T, o engineio.Options) (s *server, sid string, nc net.Conn, r *bufio.Reader) {
	t.Helper()
	s, handled := detaching(t, o)
	sid = s.openPolling()
	<-handled
	nc, r = s.rawDial("GET /?EIO=4&transport=polling&sid=" + sid + " HTTP/1.1\r\nHost: h\r\n\r\n")
	<-handled
	return s, sid, nc, r
}

func TestAPollThatIsAnsweredBehindItsHandlerIsLikeAnyOther(t *testing.T) {
	t.Parallel()
	s, _ := detaching(t, quick())
	sid := s.openPolling()
	got := s.get(sid) // the ping's: it had to wait
	require.Equal(t, "2", got.body)
	require.Equal(t, "text/plain; charset=UTF-8", got.header.Get("Content-Type"))
	require.Equal(t, "no-store", got.header.Get("Cache-Control"))
	require.Equal(t, "ok", s.post(sid, "3").body)
}

func TestAPollBehindItsHandlerMayHaveALongAnswer(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 8<<20) // more than the kernel takes at once (tcp_wmem: 4 MB)
	for name, reads := range map[string]bool{"that is read": true, "that nobody reads": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := engineio.Options{}
			if !reads {
				o.WriteTimeout = 100 * time.Millisecond
			}
			s, sid, nc, r := waiting(t, o)
			if !reads {
				require.NoError(t, nc.(*net.TCPConn).SetReadBuffer(4<<10))
			}
			require.NoError(t, s.h.conn(t, sid).Send(engineio.NewText([]byte(long))))
			if !reads {
				s.h.closed(t, "transport")
				return
			}
			res, err := http.ReadResponse(r, nil)
			require.NoError(t, err)
			body, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.Len(t, body, 1+len(long))
		})
	}
}

func TestAClientThatLeavesItsPollIsGone(t *testing.T) {
	t.Parallel()
	s, _, nc, _ := waiting(t, engineio.Options{})
	require.NoError(t, nc.Close())
	s.h.closed(t, "transport")
}

func TestAPollBehindItsHandlerIsToldOfTheEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end  func(s *server, sid string)
		want string
	}{
		"by the server":    {func(s *server, sid string) { s.h.conn(s.t, sid).Close(engineio.CloseForced) }, "1"},
		"by a second poll": {func(s *server, sid string) { require.Equal(s.t, http.StatusBadRequest, s.get(sid).status) }, "1"},
		"by the client":    {func(s *server, sid string) { s.post(sid, "1") }, "6"},
		"by a stop":        {func(s *server, _ string) { require.NoError(s.t, s.eio.Shutdown(context.Background())) }, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, sid, _, r := waiting(t, engineio.Options{})
			c.end(s, sid)
			res, err := http.ReadResponse(r, nil)
			require.NoError(t, err)
			body, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.Equal(t, c.want, string(body))
		})
	}
}
