package emits

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/notify"
	"github.com/citaplanner/realtime/pkg/contract"
)

// Decode reads a body into a pointer to a struct; unknown members are ignored.
type Decode = func(body any) error

// Kind is one kind of emit. Name is the endpoint's path below /api/emit/ and the kind in a batch and in realtime.emit;
// Alias is the event's name, which a batch takes as well, "" for none.
type Kind struct {
	Name, Alias string
	Request     contract.EmitRequest // a zero value of the body

	body func() any
	run  func(ctx context.Context, svc *notify.Service, tenantID string, decode Decode) (contract.EmitResult, error)
}

// Run makes the emit. tenantID is the one tenant that the caller may emit in, "" for any.
func (k Kind) Run(ctx context.Context, svc *notify.Service, tenantID string, decode Decode) (contract.EmitResult, error) {
	return k.run(ctx, svc, tenantID, decode)
}

// Body is a pointer to an empty body of the kind, such as decoders take.
func (k Kind) Body() any { return k.body() }

// ByName finds a kind by its name or alias.
func ByName(name string) (Kind, bool) {
	for _, k := range Kinds {
		if name != "" && (k.Name == name || k.Alias == name) {
			return k, true
		}
	}
	return Kind{}, false
}

// kind makes a Kind from a body type and the service's function. tenant is the body's tenantId, so that who may emit in
// one tenant cannot emit in another.
func kind[T contract.EmitRequest](name, alias string, tenant func(T) string,
	call func(context.Context, *notify.Service, T) (contract.EmitResult, error)) Kind {
	run := func(ctx context.Context, svc *notify.Service, tenantID string, decode Decode) (contract.EmitResult, error) {
		var v T
		if err := decode(&v); err != nil {
			return contract.EmitResult{}, err
		}
		if err := within(tenantID, tenant(v)); err != nil {
			return contract.EmitResult{}, err
		}
		return call(ctx, svc, v)
	}
	return Kind{name, alias, *new(T), func() any { return new(T) }, run}
}

// needing refuses a body without the field, whose zero value means something.
func needing(field string, k Kind) Kind {
	run := k.run
	k.run = func(ctx context.Context, svc *notify.Service, tenantID string, decode Decode) (contract.EmitResult, error) {
		var members map[string]json.RawMessage
		if err := decode(&members); err != nil {
			return contract.EmitResult{}, err
		}
		for name, value := range members {
			if strings.EqualFold(name, field) && string(value) != "null" { // as encoding/json matches names
				return run(ctx, svc, tenantID, decode)
			}
		}
		return contract.EmitResult{}, contract.InvalidField(field, field+" is missing")
	}
	return k
}

// within refuses a tenant that the caller may not emit in.
func within(allowed, tenantID string) error {
	if allowed == "" || tenantID == allowed {
		return nil
	}
	return contract.NewError(contract.CodeForbidden, "this token may emit in its own tenant only")
}

// Emitter emits committed occurrences.
type Emitter struct{ Notify *notify.Service }

// Emit makes one occurrence's emit. settle runs in the transaction of its rows: when it fails, nothing is stored or sent.
// byTrigger says that a trigger of ours wrote it.
func (e Emitter) Emit(
	ctx context.Context, kind string, payload []byte, byTrigger bool, settle func(ctx context.Context, tx *store.Store) error,
) error {
	k, ok := ByName(kind)
	if !ok {
		return contract.InvalidField("kind", fmt.Sprintf("there is no kind %q", kind))
	}
	ctx = notify.WithSettlement(ctx, notify.Settlement{ByTrigger: byTrigger, Settle: settle})
	_, err := k.run(ctx, e.Notify, "", func(body any) error {
		if trimmed := bytes.TrimSpace(payload); len(trimmed) == 0 || trimmed[0] != '{' {
			return contract.NewError(contract.CodeInvalid, "the payload is no object")
		}
		if err := json.Unmarshal(payload, body); err != nil {
			return contract.Wrap(contract.CodeInvalid, "the payload is not what this kind takes: "+err.Error(), err)
		}
		return nil
	})
	return err
}
