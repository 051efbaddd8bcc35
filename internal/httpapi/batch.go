package httpapi

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/citaplanner/realtime/internal/emits"
	"github.com/citaplanner/realtime/internal/identity"
	"github.com/citaplanner/realtime/pkg/contract"
)

// batch answers POST /api/emit/batch: each entry stands alone, and one that fails does not keep the others back.
func (a *API) batch(c *gin.Context) error {
	return a.emitting(c, "batch", func(ctx context.Context, scope identity.Scope, body []byte) (any, error) {
		b, err := decode[contract.BatchRequest](body, false)
		if err != nil {
			return nil, err
		}
		if len(b.Emits) == 0 || len(b.Emits) > contract.MaxBatch {
			return nil, contract.InvalidField("emits", fmt.Sprintf("emits must be a list of 1 to %d entries", contract.MaxBatch))
		}
		if err := a.takeEmits(scope, len(b.Emits)-1); err != nil { // the request itself has counted as one
			return nil, err
		}
		var answer struct { // BatchAnswer without success, which is no part of what is kept for a repeat
			Results []contract.BatchResult `json:"results"`
		}
		answer.Results = make([]contract.BatchResult, 0, len(b.Emits))
		for i, entry := range b.Emits {
			if err := ctx.Err(); err != nil {
				return nil, contract.Wrap(contract.CodeUnavailable, "the request ended before the batch was done", err)
			}
			answer.Results = append(answer.Results, a.batchEntry(ctx, scope, i, entry))
		}
		return answer, nil
	})
}

func (a *API) batchEntry(ctx context.Context, scope identity.Scope, i int, entry json.RawMessage) contract.BatchResult {
	result, err := a.runEntry(ctx, scope, i, entry)
	if err != nil {
		e := contract.AsError(err)
		if e.Code == contract.CodeInternal {
			a.opts.Logger.ErrorContext(ctx, "batch entry failed", slog.Int("entry", i), slog.Any("error", err))
		}
		return contract.BatchResult{Status: statusOf(e.Code), Error: e.Message, Code: e.Code, Field: e.Field}
	}
	return contract.BatchResult{Success: true, EmitResult: &result, Status: http.StatusAccepted}
}

// runEntry runs one entry. Below an idempotency key each entry has a key of its own, so that a repeat after a crash in
// the middle of a batch emits the rest and nothing twice.
func (a *API) runEntry(ctx context.Context, scope identity.Scope, i int, entry json.RawMessage) (contract.EmitResult, error) {
	head, err := decode[struct {
		Kind string `json:"kind"`
	}](entry, false)
	if err != nil {
		return contract.EmitResult{}, err
	}
	k, ok := emits.ByName(head.Kind)
	if !ok {
		return contract.EmitResult{}, contract.InvalidField("kind", "kind must be the path of an emit endpoint below /api/emit/, such as appointments/created")
	}
	key := keyOf(ctx)
	if key == "" {
		return a.run(ctx, k, scope, entry)
	}
	result, _, err := a.deps.Notify.Once(ctx, digest(key, strconv.Itoa(i)), fingerprint(k.Name, entry),
		func(ctx context.Context) (contract.EmitResult, error) { return a.run(ctx, k, scope, entry) })
	return result, err
}
