package httpapi

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatTheAppAnswersHoldsNothingOfOurRoutes(t *testing.T) {
	t.Parallel()
	app := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	a := New(Deps{Upstream: app, Bundle: app}, Options{})
	for _, target := range []string{"/elsewhere", "/healthz", "/", "//api/socket/", "/api/notifications"} {
		for _, method := range []string{http.MethodPost, http.MethodConnect, http.MethodTrace, "X-UNKNOWN"} {
			w := httptest.NewRecorder()
			a.ServeHTTP(w, httptest.NewRequest(method, target, nil))
			require.Equal(t, http.StatusNoContent, w.Code, "%s %s", method, target)
			require.Empty(t, w.Header(), "%s %s", method, target)
		}
	}
	w := httptest.NewRecorder()
	New(Deps{Bundle: app}, Options{}).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/healthz", nil))
	require.Equal(t, http.StatusMethodNotAllowed, w.Code)
	require.Equal(t, "GET", w.Header().Get("Allow"), "RFC 9110, 15.5.6")
}
