package httpapi

import (
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/citaplanner/realtime/internal/identity"
	"github.com/citaplanner/realtime/pkg/contract"
)

// session finds out whose session (cookie or bearer token) a request carries.
func (a *API) session(c *gin.Context) (identity.User, error) {
	r := c.Request
	return a.deps.Identity.Authenticate(r.Context(), identity.Request{Header: r.Header, Host: r.Host, Method: r.Method})
}

// emitScope checks the API key or service token that opens the emit endpoints.
func (a *API) emitScope(c *gin.Context) (identity.Scope, error) {
	return a.deps.Keys.Check(c.GetHeader("Authorization"))
}

// operator is who may read statistics: everything, or one tenant.
type operator struct{ tenantID string }

// operatorOf takes an API key or service token, or the session of an ADMIN (its own tenant) or SUPERADMIN (all).
func (a *API) operatorOf(c *gin.Context) (operator, error) {
	if auth := c.GetHeader("Authorization"); a.deps.Keys != nil && strings.HasPrefix(strings.ToLower(auth), "bearer ") {
		if scope, err := a.deps.Keys.Check(auth); err == nil {
			return operator{tenantID: scope.TenantID}, nil
		}
	}
	u, err := a.session(c)
	if err != nil {
		return operator{}, err
	}
	switch u.Role {
	case contract.RoleSuperadmin:
		return operator{}, nil
	case contract.RoleAdmin:
		return operator{tenantID: u.TenantID}, nil
	}
	return operator{}, contract.NewError(contract.CodeForbidden, "only an administrator may see this")
}
