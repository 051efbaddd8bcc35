package http1

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// poll is a request that is answered behind its handler.
type poll struct {
	answer func(body []byte, then func(error))
	gone   chan struct{}
}

// polls serves requests that wait, and hands each to the test.
func polls(t *testing.T) (*Server, string, chan poll) {
	asked := make(chan poll, 10)
	s, addr := start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		p := poll{gone: make(chan struct{})}
		p.answer = w.(*response).Detach(func() { close(p.gone) })
		w.WriteHeader(http.StatusTeapot) // as a router does behind its handlers; too late
		_, err := w.Write([]byte("x"))
		if err == nil {
			panic("written behind Detach")
		}
		asked <- p
	}), Options{})
	return s, addr, asked
}

const get = "GET /ours HTTP/1.1\r\nHost: h\r\n\r\n"

// told answers a poll and waits until it is written, or is not.
func told(p poll, body string) error {
	end := make(chan error, 1)
	p.answer([]byte(body), func(err error) { end <- err })
	return <-end
}

func TestAnAnswerMayComeBehindItsHandler(t *testing.T) {
	t.Parallel()
	_, addr, asked := polls(t)
	nc, r := dial(t, addr)
	for _, body := range []string{"one", "", strings.Repeat("three", 1<<20)} { // the last one waits for its reader
		send(t, nc, get)
		p := <-asked
		end := make(chan error, 1)
		p.answer([]byte(body), func(err error) { end <- err })
		res, got := answer(t, r)
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Equal(t, "text/plain", res.Header.Get("Content-Type"))
		require.Equal(t, body, got)
		require.NoError(t, <-end)
		require.ErrorIs(t, told(p, "twice"), http.ErrAbortHandler)
	}
}

func TestAClientThatLeavesIsNoticed(t *testing.T) {
	t.Parallel()
	_, addr, asked := polls(t)
	nc, _ := dial(t, addr)
	send(t, nc, get)
	p := <-asked
	require.NoError(t, nc.Close())
	<-p.gone
	require.ErrorIs(t, told(p, "late"), http.ErrAbortHandler)
}

func TestARequestBehindOneThatWaitsIsAnsweredBehindIt(t *testing.T) {
	t.Parallel()
	_, addr, asked := polls(t)
	nc, r := dial(t, addr)
	send(t, nc, get+get, get)
	for _, body := range []string{"one", "two", "three"} {
		p := <-asked
		require.Empty(t, asked)
		require.NoError(t, told(p, body))
		_, got := answer(t, r)
		require.Equal(t, body, got)
	}
}

func TestShutdownWaitsForAnswersThatAreStillToCome(t *testing.T) {
	t.Parallel()
	s, addr, asked := polls(t)
	nc, r := dial(t, addr)
	send(t, nc, get)
	p := <-asked
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(context.Background()) }()
	<-s.over
	require.NoError(t, told(p, "last"))
	res, body := answer(t, r)
	require.True(t, res.Close)
	require.Equal(t, "last", body)
	require.NoError(t, nc.Close())
	require.NoError(t, <-down)
}
