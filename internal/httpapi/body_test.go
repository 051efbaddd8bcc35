package httpapi

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"
)

// Without an end to the waiting anybody could hold connections for as long as they like, and would never see the answer.
func TestABodyThatNeverArrivesHoldsNothing(t *testing.T) {
	t.Parallel()
	const patience = 30 * time.Second
	none := http.NotFoundHandler()
	a := New(Deps{Bundle: none, Upstream: none}, Options{BodyTimeout: 50 * time.Millisecond})
	a.engine.POST("/reads", a.handle(func(c *gin.Context) error {
		_, err := a.readBody(c)
		return err
	}))
	a.engine.POST("/answers", func(c *gin.Context) { c.Status(http.StatusUnauthorized) })
	srv := httptest.NewServer(a)
	defer srv.Close()
	for _, c := range []struct {
		request string
		status  int
	}{
		{"POST /reads", http.StatusBadRequest}, {"POST /answers", http.StatusUnauthorized}, {"GET /healthz", http.StatusOK},
		{"POST /api/emit/none", http.StatusNotFound},
	} {
		for _, length := range []string{"Content-Length: 100", "Transfer-Encoding: chunked"} {
			conn, err := net.Dial("tcp", srv.Listener.Addr().String())
			require.NoError(t, err)
			require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
			_, err = fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n5\r\n", c.request, length)
			require.NoError(t, err)
			from := bufio.NewReader(conn)
			res, err := http.ReadResponse(from, nil)
			require.NoError(t, err, "%s %s", c.request, length)
			require.Equal(t, c.status, res.StatusCode, c.request)
			_, _ = io.Copy(io.Discard, res.Body)
			_, err = from.ReadByte()
			require.ErrorIs(t, err, io.EOF, "the connection is over")
			_ = conn.Close()
		}
	}
}

func TestABodyThatArrivedLeavesTheHandlerItsTime(t *testing.T) {
	t.Parallel()
	a := New(Deps{Bundle: http.NotFoundHandler()}, Options{BodyTimeout: 5 * time.Second})
	a.engine.POST("/slow", a.handle(func(c *gin.Context) error {
		if _, err := a.readBody(c); err != nil {
			return err
		}
		select {
		case <-c.Request.Context().Done():
			return c.Request.Context().Err()
		case <-time.After(5500 * time.Millisecond):
			c.Status(http.StatusOK)
			return nil
		}
	}))
	srv := httptest.NewServer(a)
	defer srv.Close()
	for range 2 { // on one connection
		res, err := http.Post(srv.URL+"/slow", "application/json", http.NoBody)
		require.NoError(t, err)
		require.Equal(t, http.StatusBadRequest, res.StatusCode, "empty")
		require.NoError(t, res.Body.Close())
		res, err = http.Post(srv.URL+"/slow", "application/json", strings.NewReader(`{}`))
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.NoError(t, res.Body.Close())
	}
}
