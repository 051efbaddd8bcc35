package emit_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/internal/identity"
	"github.com/citaplanner/realtime/pkg/contract"
	"github.com/citaplanner/realtime/pkg/emit"
)

func TestEveryEmitReachesTheServer(t *testing.T) {
	t.Parallel()
	s := start(t)
	c, a := s.client(t, emit.Options{}), s.world.A
	ctx, at := t.Context(), contract.At(time.Now())
	for name, call := range map[string]func() (contract.EmitResult, error){
		"created": func() (contract.EmitResult, error) {
			return c.AppointmentCreated(ctx, contract.AppointmentCreatedRequest{AppointmentID: a.Appointment, TenantID: a.ID, ActorID: a.Admin})
		},
		"updated": func() (contract.EmitResult, error) {
			return c.AppointmentUpdated(ctx, contract.AppointmentUpdatedRequest{AppointmentID: a.Appointment, TenantID: a.ID, Changes: json.RawMessage(`{"status":"CONFIRMED"}`)})
		},
		"deleted": func() (contract.EmitResult, error) {
			return c.AppointmentDeleted(ctx, contract.AppointmentDeletedRequest{AppointmentID: a.Appointment, TenantID: a.ID,
				AppointmentData: json.RawMessage(`{"clientName":"Carla","professionalId":"` + a.Professional + `"}`)})
		},
		"rescheduled": func() (contract.EmitResult, error) {
			return c.AppointmentRescheduled(ctx, contract.AppointmentRescheduledRequest{AppointmentID: a.Appointment, TenantID: a.ID, OldStartTime: at, OldEndTime: at})
		},
		"reminder": func() (contract.EmitResult, error) {
			return c.AppointmentReminder(ctx, contract.AppointmentReminderRequest{AppointmentID: a.Appointment, TenantID: a.ID, MinutesBefore: 0})
		},
		"schedule": func() (contract.EmitResult, error) {
			return c.ScheduleUpdated(ctx, contract.ScheduleUpdatedRequest{ProfessionalID: a.Professional, TenantID: a.ID})
		},
		"conflict": func() (contract.EmitResult, error) {
			return c.ScheduleConflict(ctx, contract.ScheduleConflictRequest{ProfessionalID: a.Professional, TenantID: a.ID, Conflict: json.RawMessage(`[1]`)})
		},
		"alert": func() (contract.EmitResult, error) {
			return c.SystemAlert(ctx, contract.SystemAlertRequest{TenantID: a.ID, Message: "Mantenimiento", Severity: contract.SeverityInfo})
		},
		"notify": func() (contract.EmitResult, error) {
			return c.Notify(ctx, contract.NotificationRequest{TenantID: a.ID, UserID: a.Admin, Type: "payment:received", Message: "Pago"})
		},
	} {
		result, err := call()
		require.NoError(t, err, name)
		require.NotEmpty(t, result.ID, name)
		require.NotEmpty(t, result.Notifications, name)
	}
	for name, call := range map[string]func() (contract.EmitResult, error){
		"refresh": func() (contract.EmitResult, error) {
			return c.CalendarRefresh(ctx, contract.CalendarRefreshRequest{TenantID: a.ID, Reason: "import"})
		},
		"tenant": func() (contract.EmitResult, error) { return c.EmitToTenant(ctx, a.ID, "one", map[string]any{"x": 1}) },
		"user":   func() (contract.EmitResult, error) { return c.EmitToUser(ctx, a.Admin, "two", nil) },
		"role":   func() (contract.EmitResult, error) { return c.EmitToRole(ctx, contract.RoleAdmin, a.ID, "three", 5) },
	} {
		result, err := call()
		require.NoError(t, err, name)
		require.NotEmpty(t, result.ID, name)
		require.Empty(t, result.Notifications, name)
	}
}

func TestABatchAnswersForEachEntry(t *testing.T) {
	t.Parallel()
	s := start(t)
	c, a := s.client(t, emit.Options{}), s.world.A
	results, err := c.Batch(t.Context(), contract.CalendarRefreshRequest{TenantID: a.ID, Reason: "import"},
		contract.AppointmentCreatedRequest{AppointmentID: "none", TenantID: a.ID},
		contract.AppointmentCreatedRequest{AppointmentID: a.Appointment, TenantID: a.ID})
	require.NoError(t, err)
	require.Len(t, results, 3)
	require.NoError(t, emit.ErrorOf(results[0]))
	require.Equal(t, contract.CodeNotFound, contract.CodeOf(emit.ErrorOf(results[1])))
	require.Len(t, results[2].Notifications, 1)

	_, err = c.Batch(t.Context())
	require.Equal(t, contract.CodeInvalid, contract.CodeOf(err))
}

func TestARefusalIsATypedErrorAndIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	s := start(t)
	tries := &counted{}
	c := s.client(t, emit.Options{HTTPClient: &http.Client{Transport: tries}})
	_, err := c.AppointmentCreated(t.Context(), contract.AppointmentCreatedRequest{TenantID: s.world.A.ID})
	var e *emit.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, emit.Error{Status: 400, Code: contract.CodeInvalid, Message: "appointmentId is required", Field: "appointmentId"}, *e)
	require.Equal(t, contract.CodeInvalid, contract.CodeOf(err))
	require.Equal(t, "emit: appointmentId is required (400 INVALID)", err.Error())
	require.EqualValues(t, 1, tries.n.Load())

	wrong, err := emit.New(s.url, "another-key", emit.Options{})
	require.NoError(t, err)
	_, err = wrong.EmitToTenant(t.Context(), s.world.A.ID, "x", nil)
	require.Equal(t, contract.CodeInvalidToken, contract.CodeOf(err))

	_, err = c.EmitToTenant(t.Context(), s.world.A.ID, "x", make(chan int))
	require.Equal(t, contract.CodeInvalid, contract.CodeOf(err), "what JSON cannot say is an error, and nothing is sent")
	require.EqualValues(t, 1, tries.n.Load())
}

// counted counts requests.
type counted struct{ n atomic.Int64 }

func (c *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	c.n.Add(1)
	return http.DefaultTransport.RoundTrip(r)
}

// The first answer is lost on its way: the second try gets it, and there is one notification.
func TestALostAnswerDoesNotMakeASecondNotification(t *testing.T) {
	t.Parallel()
	s := start(t)
	target, err := url.Parse(s.url)
	require.NoError(t, err)
	proxy, lost := httputil.NewSingleHostReverseProxy(target), atomic.Bool{}
	proxy.ModifyResponse = func(*http.Response) error {
		if lost.CompareAndSwap(false, true) {
			panic(http.ErrAbortHandler)
		}
		return nil
	}
	front := httptest.NewServer(proxy)
	defer front.Close()
	result, err := client(t, front.URL, emit.Options{}).Notify(t.Context(), contract.NotificationRequest{TenantID: s.world.A.ID,
		UserID: s.world.A.Admin, Type: "payment:received", Message: "Pago"})
	require.NoError(t, err)
	require.True(t, lost.Load())
	rows := s.world.Notifications()
	require.Len(t, rows, 1)
	require.Equal(t, []string{rows[0].ID}, result.Notifications)
}

func TestAKeyOfTheCallersMakesACallThatIsMadeTwiceOne(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx := emit.WithKey(t.Context(), "payment-7")
	r := contract.NotificationRequest{TenantID: s.world.A.ID, UserID: s.world.A.Admin, Type: "payment:received", Message: "Pago"}
	first, err := s.client(t, emit.Options{}).Notify(ctx, r)
	require.NoError(t, err)
	again, err := s.client(t, emit.Options{}).Notify(ctx, r)
	require.NoError(t, err)
	require.Equal(t, first.ID, again.ID)
	require.Len(t, s.world.Notifications(), 1)
	r.Message = "otro"
	_, err = s.client(t, emit.Options{}).Notify(ctx, r)
	require.Equal(t, contract.CodeKeyReused, contract.CodeOf(err))
}

func TestATenantsClientSendsATokenThatOpensThatTenantAlone(t *testing.T) {
	t.Parallel()
	s := start(t)
	sent := &recorded{}
	c := s.client(t, emit.Options{Tenant: s.world.A.ID, HTTPClient: &http.Client{Transport: sent}})
	_, err := c.EmitToTenant(t.Context(), s.world.A.ID, "x", nil)
	require.NoError(t, err)
	_, err = c.EmitToTenant(t.Context(), s.world.B.ID, "x", nil)
	require.Equal(t, contract.CodeForbidden, contract.CodeOf(err))
	for _, h := range sent.headers {
		require.NotContains(t, h.Get("Authorization"), key)
	}
	require.Equal(t, sent.headers[0].Get("Authorization"), sent.headers[1].Get("Authorization"), "it is used while it lives")

	token, err := identity.NewServiceToken(key, s.world.A.ID, time.Hour, time.Now())
	require.NoError(t, err)
	given, err := emit.New(s.url, token, emit.Options{})
	require.NoError(t, err)
	_, err = given.EmitToTenant(t.Context(), s.world.A.ID, "x", nil)
	require.NoError(t, err, "a service token takes the key's place")
}

func TestATokenIsMadeAnewBeforeItLapses(t *testing.T) {
	t.Parallel()
	sent := &recorded{answer: ok}
	now := time.Now()
	c := client(t, "http://server.invalid", emit.Options{Tenant: "t", HTTPClient: &http.Client{Transport: sent}, Now: func() time.Time { return now }})
	for range 2 {
		_, err := c.EmitToTenant(t.Context(), "t", "x", nil)
		require.NoError(t, err)
		now = now.Add(4 * time.Minute)
	}
	require.NotEqual(t, sent.headers[0].Get("Authorization"), sent.headers[1].Get("Authorization"))
}

// recorded keeps what is sent; answer answers, or the real server does.
type recorded struct {
	mu      sync.Mutex
	headers []http.Header
	urls    []string
	answer  func(try int) *http.Response
}

func (r *recorded) RoundTrip(req *http.Request) (*http.Response, error) {
	r.mu.Lock()
	r.headers, r.urls = append(r.headers, req.Header.Clone()), append(r.urls, req.URL.String())
	try := len(r.headers)
	r.mu.Unlock()
	if r.answer == nil {
		return http.DefaultTransport.RoundTrip(req)
	}
	_ = req.Body.Close()
	res := r.answer(try)
	if res == nil {
		return nil, errors.New("connection refused")
	}
	return res, nil
}

func respond(status int, contentType, body string, header ...string) *http.Response {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", contentType)
	for i := 0; i+1 < len(header); i += 2 {
		w.Header().Set(header[i], header[i+1])
	}
	w.WriteHeader(status)
	_, _ = w.WriteString(body)
	return w.Result()
}

func ok(int) *http.Response {
	return respond(202, "application/json", `{"success":true,"id":"i","delivered":{"sockets":1},"notifications":[]}`)
}

func TestWhatMayGoBetterIsTriedAgainWithTheSameKey(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]func() *http.Response{
		"the network": func() *http.Response { return nil },
		"429": func() *http.Response {
			return respond(429, "application/problem+json", `{"code":"RATE_LIMITED","detail":"too many"}`)
		},
		"503": func() *http.Response {
			return respond(503, "application/problem+json", `{"code":"UNAVAILABLE","detail":"stopping"}`)
		},
		"a proxy": func() *http.Response { return respond(502, "text/html", `<h1>Bad Gateway</h1>`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sent := &recorded{answer: func(try int) *http.Response {
				if try < 3 {
					return bad()
				}
				return ok(try)
			}}
			result, err := client(t, "http://server.invalid/prefix/", emit.Options{HTTPClient: &http.Client{Transport: sent}}).EmitToTenant(t.Context(), "t", "x", nil)
			require.NoError(t, err)
			require.Equal(t, 1, result.Delivered.Sockets)
			require.Len(t, sent.headers, 3)
			require.Equal(t, "http://server.invalid/prefix/api/emit/tenant", sent.urls[0])
			require.NotEmpty(t, sent.headers[0].Get("Idempotency-Key"))
			require.Equal(t, sent.headers[0].Get("Idempotency-Key"), sent.headers[2].Get("Idempotency-Key"))
		})
	}
}

func TestTriesEndAndTheLastReasonIsTold(t *testing.T) {
	t.Parallel()
	sent := &recorded{answer: func(try int) *http.Response {
		return respond(503, "application/problem+json", `{"code":"UNAVAILABLE","detail":"try `+strconv.Itoa(try)+`"}`)
	}}
	_, err := client(t, "http://server.invalid", emit.Options{Retries: 2, HTTPClient: &http.Client{Transport: sent}}).EmitToTenant(t.Context(), "t", "x", nil)
	require.EqualError(t, err, "emit: try 3 (503 UNAVAILABLE)")
	_, err = client(t, "http://server.invalid", emit.Options{Retries: -1, HTTPClient: &http.Client{Transport: sent}}).EmitToTenant(t.Context(), "t", "x", nil)
	require.EqualError(t, err, "emit: try 4 (503 UNAVAILABLE)")
}

func TestRetryAfterIsWaitedForUnlessItIsTooLong(t *testing.T) {
	t.Parallel()
	sent := &recorded{answer: func(try int) *http.Response {
		if try > 1 {
			return ok(try)
		}
		return respond(429, "application/problem+json", `{"code":"RATE_LIMITED","detail":"too many"}`, "Retry-After", "1")
	}}
	now := time.Now()
	o := emit.Options{HTTPClient: &http.Client{Transport: sent}, Now: func() time.Time { return now }}
	began := time.Now()
	_, err := client(t, "http://server.invalid", o).EmitToTenant(t.Context(), "t", "x", nil)
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(began), time.Second)

	for _, after := range []string{"600", now.Add(10 * time.Minute).UTC().Format(http.TimeFormat)} {
		sent.answer = func(int) *http.Response {
			return respond(429, "application/problem+json", `{"code":"RATE_LIMITED","detail":"too many"}`, "Retry-After", after)
		}
		_, err = client(t, "http://server.invalid", o).EmitToTenant(t.Context(), "t", "x", nil)
		var e *emit.Error
		require.ErrorAs(t, err, &e)
		require.InDelta(t, 600, e.RetryAfter.Seconds(), 2)
	}
	require.Len(t, sent.headers, 4, "not tried again")
}

func TestTheContextBoundsTheCall(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	}))
	defer slow.Close()
	defer close(hold)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := client(t, slow.URL, emit.Options{}).EmitToTenant(ctx, "t", "x", nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, contract.CodeUnavailable, contract.CodeOf(err))

	_, err = client(t, slow.URL, emit.Options{Timeout: 20 * time.Millisecond, Retries: -1}).EmitToTenant(t.Context(), "t", "x", nil)
	require.ErrorIs(t, err, context.DeadlineExceeded, "one try has a time of its own")
}

func TestAnAnswerThatIsNoneOfTheAPIIsAnError(t *testing.T) {
	t.Parallel()
	for _, res := range []func(int) *http.Response{
		func(int) *http.Response { return respond(200, "text/html", "<h1>Welcome</h1>") },
		func(int) *http.Response {
			return respond(302, "text/html", "", "Location", "https://elsewhere.invalid/")
		},
		func(int) *http.Response { return respond(404, "text/html", "<h1>Not found</h1>") },
	} {
		sent := &recorded{answer: res}
		c := &http.Client{Transport: sent, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		_, err := client(t, "http://server.invalid", emit.Options{HTTPClient: c}).EmitToTenant(t.Context(), "t", "x", nil)
		require.Equal(t, contract.CodeInternal, contract.CodeOf(err))
		require.Len(t, sent.headers, 1)
	}
}

func TestARedirectDoesNotCarryTheKeyElsewhere(t *testing.T) {
	t.Parallel()
	asked := atomic.Bool{}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Store(true) }))
	defer elsewhere.Close()
	here := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer here.Close()
	_, err := client(t, here.URL, emit.Options{}).EmitToTenant(t.Context(), "t", "x", nil)
	require.Error(t, err)
	require.False(t, asked.Load())
}

func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	connections := atomic.Int64{}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"code":"NOT_FOUND","detail":"` + strings.Repeat("x", 8192) + `"}`))
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	srv.Start()
	defer srv.Close()
	c := client(t, srv.URL, emit.Options{})
	const calls = 20
	for range calls {
		_, err := c.EmitToTenant(t.Context(), "t", "x", nil)
		require.Equal(t, contract.CodeNotFound, contract.CodeOf(err))
	}
	// net/http gives up a connection whose own write it hears of more than 50 ms behind the answer.
	require.Less(t, connections.Load(), int64(calls/2))
}

func TestAnAddressOrKeyThatCannotBeOneIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]string{{"", key}, {"realtime:3000", key}, {"ftp://realtime", key}, {"http://u:p@realtime", key}, {"http://realtime?x=1", key},
		{"http://realtime:3000", ""}, {"http://realtime:3000", "a\nb"}, {"http://\x7f", key}} {
		_, err := emit.New(c[0], c[1], emit.Options{})
		require.Error(t, err, c)
	}
}
