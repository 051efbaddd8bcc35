package e2e_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// handshake makes a polling handshake with these headers.
func handshake(s *scene, headers ...string) (status int, retryAfter, body string) {
	a := s.do("GET", "/api/socket?EIO=4&transport=polling", "", headers...)
	return a.status, a.header.Get("Retry-After"), a.body
}

// metric is the value of a line of /metrics.
func (s *scene) metric(name string) string {
	_, rest, _ := strings.Cut(s.do("GET", "/metrics", "").body, "\n"+name+" ")
	value, _, _ := strings.Cut(rest, "\n")
	return value
}

func TestConnectionsOfOneAddressAreBounded(t *testing.T) {
	t.Parallel()
	s := startPostgres(t, "MAX_CONNECTIONS_PER_ADDRESS", "3", "TRUSTED_PROXIES", "192.0.2.1")
	first := mustDial(t, s.url, s.token(s.world.A.Admin))
	for range 2 {
		status, _, _ := handshake(s)
		require.Equal(t, http.StatusOK, status)
	}
	status, after, body := handshake(s)
	require.Equal(t, http.StatusTooManyRequests, status)
	require.NotEmpty(t, after)
	require.JSONEq(t, `{"code":3,"message":"Too many connections from this address"}`, body)
	require.NotContains(t, []string{"", "0"}, s.metric(`realtime_engineio_refusals_total{reason="full_address"}`))

	status, _, _ = handshake(s, "X-Forwarded-For", "203.0.113.7")
	require.Equal(t, http.StatusOK, status, "behind a proxy that nobody has named all clients seem to be one: none is limited")

	first.close()
	require.Eventually(t, func() bool {
		status, _, _ := handshake(s)
		return status == http.StatusOK
	}, patience, 20*time.Millisecond, "a place is free again")
}

func TestHandshakesOfOneAddressAreLimitedByTheirRate(t *testing.T) {
	t.Parallel()
	s := startPostgres(t, "HANDSHAKES_PER_SECOND", "0.01", "HANDSHAKE_BURST", "2", "TRUSTED_PROXIES", "loopback")
	start := time.Now()
	for range 2 {
		status, _, _ := handshake(s, "X-Forwarded-For", "203.0.113.7")
		require.Equal(t, http.StatusOK, status)
	}
	status, after, body := handshake(s, "X-Forwarded-For", "203.0.113.7")
	require.Equal(t, http.StatusTooManyRequests, status)
	seconds, err := strconv.Atoi(after)
	require.NoError(t, err)
	require.LessOrEqual(t, seconds, 100)
	require.GreaterOrEqual(t, time.Duration(seconds)*time.Second+time.Since(start), 99*time.Second)
	require.JSONEq(t, `{"code":3,"message":"Too many handshakes from this address"}`, body)
	status, _, _ = handshake(s, "X-Forwarded-For", "203.0.113.8")
	require.Equal(t, http.StatusOK, status, "another client of the same proxy")
}

func TestSocketsOfOneUserAreBounded(t *testing.T) {
	t.Parallel()
	s := startPostgres(t, "MAX_CONNECTIONS_PER_USER", "2")
	mustDial(t, s.url, s.token(s.world.A.Admin))
	second := mustDial(t, s.url, s.token(s.world.A.Admin))
	third, err := dial(s.url, s.token(s.world.A.Admin))
	require.NoError(t, err)
	defer third.close()
	require.NoError(t, third.until("the refusal", func(p []string) bool { return contains(p, "4{") }))
	require.Contains(t, third.all(), `4{"data":{"code":"RATE_LIMITED","retryAfter":60000},"message":"Demasiadas conexiones de este usuario"}`)
	mustDial(t, s.url, s.token(s.world.A.Manager))
	second.close()
	require.Eventually(t, func() bool { return s.app.Hub().Stats().TotalConnections == 2 }, patience, 5*time.Millisecond)
	mustDial(t, s.url, s.token(s.world.A.Admin))
}

func TestEventsOfOneSocketAreLimitedAndSayWhenToComeBack(t *testing.T) {
	t.Parallel()
	s := startPostgres(t, "EVENTS_PER_SECOND", "0.02", "EVENT_BURST", "2")
	c := mustDial(t, s.url, s.token(s.world.A.Admin))
	for i := range 3 {
		require.NoError(t, c.send(fmt.Sprintf(`42%d["presence:update","online"]`, i)))
	}
	require.NoError(t, c.send(`42["notification:read","n1"]`))
	require.NoError(t, c.send(`42["notification:read:all"]`))
	require.NoError(t, c.until("the errors", func(p []string) bool { return contains(p, `2["notification:read:all:error"`) }))
	got := strings.Join(c.all(), "\n")
	require.Contains(t, got, `30[{"success":true}]`)
	require.Contains(t, got, `31[{"success":true}]`)
	require.Regexp(t, `32\[{"code":"RATE_LIMITED","error":"Demasiadas solicitudes, espera un momento","retryAfter":\d{4,5},"success":false}\]`, got)
	require.Regexp(t, `2\["notification:read:error",{"notificationId":"n1","error":"Demasiadas[^"]*","code":"RATE_LIMITED","retryAfter":\d+},"[^"]+"\]`, got)
	require.Regexp(t, `2\["notification:read:all:error",{"error":"Demasiadas[^"]*","code":"RATE_LIMITED","retryAfter":\d+},"[^"]+"\]`, got)
	other := mustDial(t, s.url, s.token(s.world.A.Admin))
	require.NoError(t, other.send(`427["presence:update","online"]`))
	require.NoError(t, other.until("an answer", func(p []string) bool { return contains(p, `37[{"success":true}]`) }), "each socket has its own")
}

func TestWhoSendsTooMuchIsReadSlowlyAndLosesNothing(t *testing.T) {
	t.Parallel()
	s := startPostgres(t, "MAX_PAYLOAD", "10000", "BYTES_PER_SECOND", "20000", "EVENTS_PER_SECOND", "0")
	c := mustDial(t, s.url, s.token(s.world.A.Admin))
	pad := strings.Repeat("x", 5000)
	for i := range 12 { // 60 KB, 20 KB of them at once
		require.NoError(t, c.send(fmt.Sprintf(`42%d["presence:update","online",%q]`, i, pad)))
	}
	require.NoError(t, c.until("all answers", func(p []string) bool { return count(p, "3") >= 12 }))
	require.NotContains(t, []string{"", "0"}, s.metric("realtime_engineio_throttled_total"))
}

func TestEmitsOfAKeyAreLimited(t *testing.T) {
	t.Parallel()
	s := startPostgres(t, "EMITS_PER_SECOND", "0.01", "EMIT_BURST", "3")
	body := m{"tenantId": s.world.A.ID, "event": "x", "data": 1}
	res := s.emit("tenant", body)
	require.Equal(t, http.StatusAccepted, res.status, res.body)
	batch := m{"emits": []m{{"kind": "tenant", "tenantId": s.world.A.ID, "event": "x"}, {"kind": "tenant", "tenantId": s.world.A.ID, "event": "y"}}}
	res = s.emit("batch", batch)
	require.Equal(t, http.StatusAccepted, res.status, res.body)
	res = s.emit("tenant", body)
	require.Equal(t, http.StatusTooManyRequests, res.status, "a batch counts its entries")
	require.Contains(t, res.body, `"code":"RATE_LIMITED"`)
	require.NotEmpty(t, res.header.Get("Retry-After"))
}

func TestBroadcastsOverATenantsRateAreAnswered429WhenTooManyWait(t *testing.T) {
	t.Parallel()
	s := startPostgres(t, "FANOUT_PER_SECOND", "1", "FANOUT_BURST", "1", "FANOUT_QUEUE_BYTES", "3000")
	a, b := mustDial(t, s.url, s.token(s.world.A.Admin)), mustDial(t, s.url, s.token(s.world.B.Admin))
	emit := func(tenant string) answer {
		return s.emit("tenant", m{"tenantId": tenant, "event": "news", "data": strings.Repeat("x", 1000)})
	}
	last := http.StatusAccepted
	for start := time.Now(); last == http.StatusAccepted && time.Since(start) < patience; { // more than one a second
		last = emit(s.world.A.ID).status
	}
	require.Equal(t, http.StatusTooManyRequests, last)
	require.Equal(t, http.StatusAccepted, emit(s.world.B.ID).status)
	require.NoError(t, b.until("its own", func(p []string) bool { return contains(p, `2["news"`) }), "another tenant does not wait")
	require.NoError(t, a.until("what was queued", func(p []string) bool { return count(p, `2["news"`) >= 3 }))
}
