package notify

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/citaplanner/realtime/pkg/contract"
)

// EmitToTenant sends an event of the caller's to every socket of a tenant. Data is anything that JSON can say.
type EmitToTenant struct {
	TenantID, Event string
	Data            any
}

// EmitToUser sends to every socket of a user, in the tenant whose user this is now. TenantID may be empty; where it is
// not, the user has to be of that tenant.
type EmitToUser struct {
	TenantID, UserID, Event string
	Data                    any
}

// EmitToRole sends to every socket of a role of a tenant.
type EmitToRole struct {
	TenantID string
	Role     contract.Role
	Event    string
	Data     any
}

// roles is for the message of a wrong one.
const roles = "SUPERADMIN, ADMIN, MANAGER, PROFESSIONAL, RECEPTIONIST, CLIENT"

// EmitToTenant is the raw helper emitToTenant of the old socket module. Nothing is stored.
func (s *Service) EmitToTenant(ctx context.Context, in EmitToTenant) (contract.EmitResult, error) {
	return s.raw(ctx, in.Event, in.Data, id("tenantId", in.TenantID), func(ctx context.Context) (string, event, error) {
		return in.TenantID, event{}, s.tenantExists(ctx, in.TenantID)
	})
}

// EmitToUser is the raw helper emitToUser. CodeNotFound when there is no such user or portal user.
func (s *Service) EmitToUser(ctx context.Context, in EmitToUser) (contract.EmitResult, error) {
	ids := func() error { return checkAll(maybeID("tenantId", in.TenantID), id("userId", in.UserID)) }
	return s.raw(ctx, in.Event, in.Data, ids, func(ctx context.Context) (string, event, error) {
		tenantID, err := s.tenantOf(ctx, in.TenantID, in.UserID)
		if err == nil && in.TenantID != "" && tenantID != in.TenantID {
			err = contract.NewError(contract.CodeNotFound, "user not found")
		}
		return tenantID, event{UserID: in.UserID}, err
	})
}

// acquainted is a Broadcaster that knows the tenants of who is connected, as the database had them within the time that
// rights are read again (contract/auth.md: within a minute).
type acquainted interface {
	TenantOf(userID string) (tenantID string, ok bool)
	Connected(tenantID string) bool
}

// tenantOf is the tenant of a user or portal user. Where the caller names the tenant under which the user is connected, that
// costs no query: half of an emit's CPU (make bench). Otherwise the row decides, as it is now: a user who was moved still
// has the old tenant's sockets for up to a minute.
func (s *Service) tenantOf(ctx context.Context, named, userID string) (string, error) {
	if known, ok := s.out.(acquainted); ok && named != "" {
		if tenantID, ok := known.TenantOf(userID); ok && tenantID == named {
			return tenantID, nil
		}
	}
	account, err := s.st.Users.Account(ctx, userID)
	return account.TenantID, err
}

// EmitToRole is the raw helper emitToRole.
func (s *Service) EmitToRole(ctx context.Context, in EmitToRole) (contract.EmitResult, error) {
	ids := func() error { return checkAll(id("tenantId", in.TenantID), valid("role", in.Role.Valid(), roles)) }
	return s.raw(ctx, in.Event, in.Data, ids, func(ctx context.Context) (string, event, error) {
		return in.TenantID, event{Role: in.Role}, s.tenantExists(ctx, in.TenantID)
	})
}

// raw sends one event to the target that resolve finds.
func (s *Service) raw(
	ctx context.Context, name string, data any, ids field,
	resolve func(ctx context.Context) (tenantID string, target event, err error),
) (contract.EmitResult, error) {
	payload, err := rawData(data)
	if err == nil {
		err = checkAll(ids, eventName("event", name), document("data", payload))
	}
	if err != nil {
		return contract.EmitResult{}, err
	}
	return s.emit(ctx, name, labelRaw, func(ctx context.Context, o *occurrence) error {
		tenantID, target, err := resolve(ctx)
		if err != nil {
			return err
		}
		target.Name, target.Payload = name, payload
		o.tenantID, o.fleeting = tenantID, true
		o.always(target)
		return nil
	})
}

// rawData is data as JSON. What JSON cannot say is the caller's mistake, and so is a MarshalJSON that panics.
func rawData(data any) (payload json.RawMessage, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = contract.Wrap(contract.CodeInvalid, "data cannot be encoded as JSON", fmt.Errorf("panic: %v", r))
		}
	}()
	if raw, ok := data.(json.RawMessage); ok {
		return orNull(raw), nil
	}
	payload, err = encode(data)
	if err != nil {
		return nil, &contract.Error{
			Code: contract.CodeInvalid, Field: "data", Message: "data cannot be encoded as JSON", Cause: err,
		}
	}
	return payload, nil
}
