package httpapi

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/citaplanner/realtime/pkg/contract"
)

// healthz says that the process answers; it asks nothing of anybody else, so that a database outage does not get a
// process with live sockets restarted.
func (a *API) healthz(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	c.JSON(http.StatusOK, contract.Health{Status: "ok", Version: a.opts.Version,
		UptimeSeconds: int(a.opts.Now().Sub(a.start) / time.Second)})
}

// Aged is a part that knows how long ago it was seen to work.
type Aged interface{ Age() time.Duration }

// Noted is a part that has something to say although it is ready.
type Noted interface{ Note() string }

// stateOf asks a part.
func stateOf(ctx context.Context, part Readiness) (s contract.PartState, ready bool) {
	s.Status = "ok"
	if err := part.Ready(ctx); err != nil {
		s.Status, s.Error = "failed", reason(err)
	}
	if p, ok := part.(Aged); ok {
		ms := p.Age().Milliseconds()
		s.AgeMs = &ms
	}
	if p, ok := part.(Noted); ok {
		s.Note = p.Note()
	}
	return s, s.Error == ""
}

// readyz asks every part, at once, and says which one is not ready. The texts are for operators: they hold no address and
// no credential.
func (a *API) readyz(c *gin.Context) {
	ctx, cancel := context.WithTimeout(c.Request.Context(), a.opts.ReadyTimeout)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	parts, ready := make(map[string]contract.PartState, len(a.deps.Parts)), true
	for name, part := range a.deps.Parts {
		wg.Go(func() {
			state, ok := stateOf(ctx, part)
			mu.Lock()
			defer mu.Unlock()
			parts[name], ready = state, ready && ok
		})
	}
	wg.Wait()
	c.Header("Cache-Control", "no-store")
	status, text := http.StatusOK, "ready"
	if !ready {
		status, text = http.StatusServiceUnavailable, "not ready"
		c.Header("Retry-After", "1")
	}
	c.JSON(status, contract.Readiness{Status: text, Parts: parts})
}

// reason is the sentence of a part's error that is meant to be shown.
func reason(err error) string {
	if e := contract.AsError(err); e.Code != contract.CodeInternal {
		return e.Message
	}
	return "does not answer"
}
