package httpapi

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/citaplanner/realtime/pkg/contract"
)

// stats answers GET /api/socket/stats with what its reader may see.
func (a *API) stats(c *gin.Context) error {
	op, err := a.operatorOf(c)
	if err != nil {
		return err
	}
	s := a.deps.Stats.Stats()
	if op.tenantID != "" {
		own, ok := s.Tenants[op.tenantID]
		if !ok {
			own = contract.TenantStats{Users: []string{}}
		}
		s = contract.SocketStats{TotalConnections: own.Count, Tenants: map[string]contract.TenantStats{op.tenantID: own}}
	}
	c.Header("Cache-Control", "no-store")
	c.JSON(http.StatusOK, s)
	return nil
}
