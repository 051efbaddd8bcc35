package httpapi

import (
	"context"

	"github.com/citaplanner/realtime/internal/emits"
	"github.com/citaplanner/realtime/internal/identity"
	"github.com/citaplanner/realtime/pkg/contract"
)

// run makes the emit that a body asks for.
func (a *API) run(ctx context.Context, k emits.Kind, scope identity.Scope, body []byte) (contract.EmitResult, error) {
	return k.Run(ctx, a.deps.Notify, scope.TenantID, func(v any) error { return decodeInto(body, v, false) })
}
