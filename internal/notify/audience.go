package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/coalesce"
	"github.com/citaplanner/realtime/pkg/contract"
)

// SystemAlert is told to every active user of a tenant, or of one role of it. Data is an object, or nothing.
type SystemAlert struct {
	TenantID, Message string
	Severity          contract.Severity
	Data              json.RawMessage
	Role              contract.Role // empty: everyone
}

// Custom is a notification of the caller's own kind, for one user, a portal user included, or (UserID empty) for every
// active user of the tenant. Data is an object, or nothing; Priority empty is medium.
type Custom struct {
	TenantID, UserID, Type, Message string
	Data                            json.RawMessage
	Priority                        contract.Priority
}

// SystemAlert stores a row for each user, so that each can read and delete their own, and tells the tenant or role.
func (s *Service) SystemAlert(ctx context.Context, in SystemAlert) (contract.EmitResult, error) {
	err := checkAll(id("tenantId", in.TenantID), text("message", in.Message, maxMessage),
		valid("severity", in.Severity.Valid(), "info, warning, error"), object("data", in.Data),
		valid("role", in.Role == "" || in.Role.Valid(), roles))
	if err != nil {
		return contract.EmitResult{}, err
	}
	data, err := withSeverity(in.Data, in.Severity)
	if err != nil {
		return contract.EmitResult{}, err
	}
	const name = contract.EventSystemAlert
	return s.emit(ctx, name, name, func(ctx context.Context, o *occurrence) error {
		to, err := s.audience(ctx, in.TenantID, in.Role, len(data)+len(in.Message))
		if err != nil {
			return err
		}
		payload, err := encode(contract.SystemAlert{
			ID: o.id, Type: name, Message: in.Message, Severity: in.Severity, Data: data, TenantID: in.TenantID,
			CreatedAt: o.at, Priority: in.Severity.Priority(),
		})
		if err != nil {
			return err
		}
		o.tenantID, o.content = in.TenantID, digest(contentOf(data), in.Message)
		// An alert is about nothing but what it says: another one in between does not make a repeat news.
		o.subject = digest(string(in.Role), o.content)
		o.tell(event{Name: name, Role: in.Role, Payload: payload})
		wanting := make([]store.Recipient, 0, len(to))
		for _, r := range to {
			if wants(r, name) {
				wanting = append(wanting, r)
			}
		}
		o.notifyAll(notice{
			eventType: name, message: in.Message, priority: in.Severity.Priority(), data: data,
		}, wanting)
		return nil
	})
}

// Custom stores and sends the notification; no preference switches it off.
func (s *Service) Custom(ctx context.Context, in Custom) (contract.EmitResult, error) {
	if in.Priority == "" {
		in.Priority = contract.PriorityMedium
	}
	err := checkAll(id("tenantId", in.TenantID), maybeID("userId", in.UserID), label("type", in.Type),
		text("message", in.Message, maxMessage), object("data", in.Data),
		valid("priority", in.Priority.Valid(), "low, medium, high, urgent"))
	if err != nil {
		return contract.EmitResult{}, err
	}
	return s.emit(ctx, "custom:"+in.Type, labelCustom, func(ctx context.Context, o *occurrence) error {
		n := notice{eventType: in.Type, message: in.Message, priority: in.Priority, data: in.Data}
		o.tenantID = in.TenantID
		o.content = digest(contentOf(orNull(in.Data)), in.Message, string(in.Priority))
		o.subject = o.content // as with alerts
		if in.UserID != "" {
			to, err := s.members.Do(ctx, store.Member{TenantID: in.TenantID, ID: in.UserID})
			if err != nil {
				return err
			}
			o.notify(n, to)
			return nil
		}
		to, err := s.audience(ctx, in.TenantID, "", len(in.Data)+len(in.Message))
		if err != nil {
			return err
		}
		o.notifyAll(n, to)
		return nil
	})
}

// recipients reads who is to be told by emits that came together, in one query.
func (s *Service) recipients(ctx context.Context, members []store.Member) []coalesce.Result[store.Recipient] {
	found, err := s.st.Users.RecipientsOf(ctx, members)
	results := make([]coalesce.Result[store.Recipient], len(members))
	for i, m := range members {
		r, ok := found[m]
		results[i] = coalesce.Result[store.Recipient]{Answer: r, Err: err}
		if err == nil && !ok {
			results[i].Err = contract.NewError(contract.CodeNotFound, "user not found")
		}
	}
	return results
}

// audience is the active users of a tenant, or of a role of it, each of whom gets size bytes.
func (s *Service) audience(
	ctx context.Context, tenantID string, role contract.Role, size int,
) ([]store.Recipient, error) {
	to, err := s.st.Users.Recipients(ctx, tenantID, role)
	if err != nil {
		return nil, err
	}
	if len(to)*size > maxMassBytes {
		return nil, &contract.Error{
			Code: contract.CodeTooLarge, Field: "data", Message: fmt.Sprintf("data is too large for %d users", len(to)),
		}
	}
	if len(to) == 0 { // nobody, or no such tenant
		return nil, s.tenantExists(ctx, tenantID)
	}
	return to, nil
}

// tenantLife is how long a tenant that existed is taken to exist, and tenantsKnown how many are remembered: a raw emit then
// asks the database nothing (half of what one to a room of 100 costs, see make bench). A tenant that is deleted has no
// sockets for longer than that.
const (
	tenantLife   = 5 * time.Second
	tenantsKnown = 10_000
)

func (s *Service) tenantExists(ctx context.Context, tenantID string) error {
	if known, ok := s.out.(acquainted); ok && known.Connected(tenantID) {
		return nil
	}
	now := s.opts.Now()
	s.tenants.Lock()
	age := now.Sub(s.tenants.seen[tenantID])
	s.tenants.Unlock()
	if age >= 0 && age < tenantLife {
		return nil
	}
	found, err := s.st.Tenants.Exists(ctx, tenantID)
	if err == nil && !found {
		err = contract.NewError(contract.CodeNotFound, "tenant not found")
	}
	if err == nil {
		s.tenants.Lock()
		defer s.tenants.Unlock()
		if len(s.tenants.seen) >= tenantsKnown {
			clear(s.tenants.seen)
		}
		s.tenants.seen[tenantID] = now
	}
	return err
}

// withSeverity is the alert's data, which components read severity from.
func withSeverity(data json.RawMessage, severity contract.Severity) (json.RawMessage, error) {
	m := map[string]json.RawMessage{}
	if !null(data) {
		if err := json.Unmarshal(data, &m); err != nil {
			return nil, contract.InvalidField("data", "data must be an object")
		}
	}
	m["severity"] = json.RawMessage(`"` + severity + `"`)
	return encode(m)
}
