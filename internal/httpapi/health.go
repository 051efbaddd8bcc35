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
			err := part.Ready(ctx)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				ready = false
				parts[name] = contract.PartState{Status: "failed", Error: reason(err)}
				return
			}
			parts[name] = contract.PartState{Status: "ok"}
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
