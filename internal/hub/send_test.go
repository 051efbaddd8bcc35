package hub

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/identity"
	"github.com/citaplanner/realtime/internal/returning"
	"github.com/citaplanner/realtime/internal/sio"
	"github.com/citaplanner/realtime/pkg/contract"
)

// everybody signs in as Ana.
type everybody struct{}

func (everybody) Authenticate(context.Context, identity.Request) (identity.User, error) {
	return identity.User{ID: "ana", TenantID: "t1", Role: contract.RoleAdmin}, nil
}

func (everybody) Prove(identity.Request) *identity.Proof { return nil }

// joins is a returning.Service that knows of no absence, and tells of each socket that joins.
type joins struct {
	*returning.Service
	seen chan join
}

type join struct {
	place  *returning.Place
	placed bool // it had one already
}

func (j joins) Joined(u store.Owner, how returning.Coming, since time.Time, place *returning.Place) []returning.Event {
	one := join{place, place.Meant(returning.Telling{N: math.MaxUint64})}
	defer func() { j.seen <- one }()
	return j.Service.Joined(u, how, since, place)
}

// joining serves a hub, and returns it, its address and who joins.
func joining(t *testing.T, o Options) (h *Hub, url string, seen <-chan join) {
	t.Helper()
	h, err := New(Deps{Identity: everybody{}}, o)
	require.NoError(t, err)
	j := joins{returning.New(nil, h, nil, returning.Options{}), make(chan join, 1)}
	h.deps.Returns = j
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	t.Cleanup(func() { require.NoError(t, h.Shutdown(context.Background())) })
	return h, srv.URL, j.seen
}

// connect opens a socket by polling, and returns its private id when its CONNECT was answered.
func connect(t *testing.T, url, auth string) (pid string) {
	t.Helper()
	fetch := func(method, url, body string) string {
		req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		require.NoError(t, err)
		answer, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer answer.Body.Close()
		b, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, answer.StatusCode, string(b))
		return string(b)
	}
	url += "/socket.io/?EIO=4&transport=polling"
	var open struct{ Sid string }
	require.NoError(t, json.Unmarshal([]byte(strings.TrimPrefix(fetch(http.MethodGet, url, ""), "0")), &open))
	fetch(http.MethodPost, url+"&sid="+open.Sid, "40"+auth)
	first, _, _ := strings.Cut(fetch(http.MethodGet, url+"&sid="+open.Sid, ""), "\x1e")
	var answer struct{ Pid string }
	require.NoError(t, json.Unmarshal([]byte(strings.TrimPrefix(first, "40")), &answer), first)
	return answer.Pid
}

func TestATellingGoesToTheSocketsOfTheUserThatHadJoinedBefore(t *testing.T) {
	t.Parallel()
	h, url, seen := joining(t, Options{})
	connect(t, url, "")
	first := (<-seen).place
	sent := func(tenant string, telling returning.Telling) int {
		n, err := h.ToJoined(t.Context(), tenant, "ana", telling, contract.EventCalendarRefresh, json.RawMessage(`{}`))
		require.NoError(t, err)
		return n
	}
	require.True(t, first.Meant(returning.Telling{N: 1}))
	require.Equal(t, 1, sent("t1", returning.Telling{N: 1}))
	require.Zero(t, sent("t1", returning.Telling{}), "it joined behind that one")
	require.Zero(t, sent("t2", returning.Telling{N: 1}), "another tenant's")
}

// One who kept the place would get with the broadcast what Joined returns as well.
func TestOnlyWhoGetsItsSessionBackKeepsItsPlaceAmongTheTellings(t *testing.T) {
	t.Parallel()
	_, url, seen := joining(t, Options{Socket: sio.Options{Recovery: sio.Recovery{Time: time.Minute}}})
	pid := connect(t, url, "")
	require.False(t, (<-seen).placed)
	require.NotEqual(t, pid, connect(t, url, `{"pid":"`+pid+`","offset":"zz"}`), "it has never been sent that")
	require.False(t, (<-seen).placed)
}
