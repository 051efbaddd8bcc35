package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// cors answers as the Node server does with cors: {origin: [NEXTAUTH_URL, …], methods: ['GET','POST'], credentials: true}
// (npm cors 2.8, lib/index.js): an allowed origin is named back, any other request sees the app's own origin, which its
// browser then refuses.
func (a *API) cors(c *gin.Context) { a.allow(c, "GET,POST") }

// corsFor is cors for routes that take other methods, too.
func (a *API) corsFor(methods string) gin.HandlerFunc {
	return func(c *gin.Context) { a.allow(c, methods) }
}

func (a *API) allow(c *gin.Context, methods string) {
	h := c.Writer.Header()
	origin := c.GetHeader("Origin")
	h.Add("Vary", "Origin")
	switch {
	case origin != "" && a.deps.Origins.Allowed(origin, c.Request.Host):
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
	default:
		if own := a.deps.Origins.List(); len(own) > 0 {
			h.Set("Access-Control-Allow-Origin", own[0])
			h.Set("Access-Control-Allow-Credentials", "true")
		}
	}
	if c.Request.Method != http.MethodOptions {
		return
	}
	h.Set("Access-Control-Allow-Methods", methods)
	if wanted := c.GetHeader("Access-Control-Request-Headers"); wanted != "" {
		h.Add("Vary", "Access-Control-Request-Headers")
		h.Set("Access-Control-Allow-Headers", wanted)
	}
	h.Set("Content-Length", "0")
	c.AbortWithStatus(http.StatusNoContent)
}
