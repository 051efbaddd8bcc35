package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/citaplanner/realtime/pkg/contract"
)

// delivery is every event that an emit has to send: the body of a row in the outbox. A change of its JSON has to read
// what an older process left behind.
type delivery struct {
	ID       string    `json:"id"`
	TenantID string    `json:"tenantId"`
	Label    string    `json:"label"` // of the metrics
	Events   []event   `json:"events,omitempty"`
	Notices  []mailing `json:"notices,omitempty"`
	Until    time.Time `json:"until,omitzero"` // left over, it is of use until then; zero is for ever
}

// event goes to a user, or a role, or (neither given) the whole tenant.
type event struct {
	Name    string          `json:"name"`
	UserID  string          `json:"userId,omitempty"`
	Role    contract.Role   `json:"role,omitempty"`
	Payload json.RawMessage `json:"payload"`
}

// mailing is one notification for any number of users: what they share once, and the id of each one's row. That keeps
// an alert for thousands of users small.
type mailing struct {
	Shared contract.Notification `json:"shared"` // without id and userId
	To     []addressee           `json:"to"`
}

type addressee struct {
	UserID string `json:"userId"`
	RowID  string `json:"rowId"`
}

func (d *delivery) empty() bool { return len(d.Events) == 0 && len(d.Notices) == 0 }

// payload is notification:new for one of the users.
func (m *mailing) payload(to addressee) (json.RawMessage, error) {
	n := m.Shared
	n.ID, n.UserID = to.RowID, to.UserID
	return encode(n)
}

// send queues everything for whoever is connected. It goes on after an error: what could be sent is sent.
func (s *Service) send(ctx context.Context, d *delivery) (sockets int, err error) {
	var failed []error
	count := func(n int, err error) {
		sockets += n
		if err != nil {
			s.opts.Metrics.broadcastErrors.WithLabelValues(d.Label).Inc()
			failed = append(failed, err)
		}
	}
	for _, e := range d.Events {
		count(s.sendEvent(ctx, d.TenantID, e))
	}
	for i := range d.Notices {
		for _, to := range d.Notices[i].To {
			payload, err := d.Notices[i].payload(to)
			if err != nil {
				count(0, err)
				continue
			}
			count(s.out.ToUser(ctx, d.TenantID, to.UserID, contract.EventNotificationNew, payload))
		}
	}
	if len(failed) > 0 {
		err = fmt.Errorf("send delivery %s: %d events: %w", d.ID, len(failed), errors.Join(failed[:min(len(failed), 3)]...))
	}
	return sockets, err
}

func (s *Service) sendEvent(ctx context.Context, tenantID string, e event) (int, error) {
	switch {
	case e.UserID != "":
		return s.out.ToUser(ctx, tenantID, e.UserID, e.Name, e.Payload)
	case e.Role != "":
		return s.out.ToRole(ctx, tenantID, e.Role, e.Name, e.Payload)
	}
	return s.out.ToTenant(ctx, tenantID, e.Name, e.Payload)
}

// Deliver sends what a delivery row holds: internal/outbox calls it with the rows that a process left behind. What this
// very process has sent already, and not deleted yet, is not sent again. An error that is a *contract.Error with
// CodeInvalid means that the body will never be read.
func (s *Service) Deliver(ctx context.Context, body []byte) (sockets int, err error) {
	d, err := readDelivery(body)
	if err != nil {
		return 0, err
	}
	if s.done.holds(d.ID) {
		return 0, nil
	}
	if s.outlived(d) {
		s.opts.Logger.InfoContext(ctx, "a delivery is of no use any more", slog.String("delivery", d.ID))
		return 0, nil
	}
	if err := s.dropDeleted(ctx, d); err != nil {
		return 0, err
	}
	s.opts.Metrics.redelivered.Inc()
	n, err := s.send(ctx, d)
	s.opts.Logger.InfoContext(ctx, "a delivery was made good", slog.String("delivery", d.ID), slog.Int("sockets", n))
	return n, err
}

// dropDeleted takes the notifications out of a left-over delivery whose rows their users have deleted by now: the list
// showed them already, and a toast of one could neither be read nor deleted.
func (s *Service) dropDeleted(ctx context.Context, d *delivery) error {
	var ids []string
	for _, m := range d.Notices {
		for _, to := range m.To {
			ids = append(ids, to.RowID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	present, err := s.st.Notifications.Present(ctx, ids)
	if err != nil {
		return err
	}
	for i := range d.Notices {
		d.Notices[i].To = slices.DeleteFunc(d.Notices[i].To, func(to addressee) bool { return !present[to.RowID] })
	}
	return nil
}

// Events reads a delivery row for internal/outbox, which keeps it for sockets that join a little later: the function
// returned yields, in order, the events that a socket of that user and role, of the delivery's tenant, would have got,
// with the id of a notification's row, "" for other events. CodeUnavailable: this very process is about to send it.
func (s *Service) Events(body []byte) (
	func(userID string, role contract.Role, yield func(name string, payload json.RawMessage, rowID string)), error,
) {
	d, err := readDelivery(body)
	if err != nil {
		return nil, err
	}
	if s.done.begun(d.ID) {
		return nil, contract.NewError(contract.CodeUnavailable, "the delivery is being made by the emit itself")
	}
	rows := make([]map[string]addressee, len(d.Notices))
	for i, n := range d.Notices {
		rows[i] = make(map[string]addressee, len(n.To))
		for _, to := range n.To {
			rows[i][to.UserID] = to
		}
	}
	return func(userID string, role contract.Role, yield func(string, json.RawMessage, string)) {
		if s.outlived(d) {
			return
		}
		for _, e := range d.Events {
			if (e.UserID == "" || e.UserID == userID) && (e.Role == "" || e.Role == role) {
				yield(e.Name, e.Payload, "")
			}
		}
		for i := range d.Notices {
			if to, ok := rows[i][userID]; ok {
				if payload, err := d.Notices[i].payload(to); err == nil {
					yield(contract.EventNotificationNew, payload, to.RowID)
				}
			}
		}
	}, nil
}

// outlived reports whether the delivery says what is not true any more.
func (s *Service) outlived(d *delivery) bool { return !d.Until.IsZero() && s.opts.Now().After(d.Until) }

func readDelivery(body []byte) (*delivery, error) {
	d := &delivery{}
	if err := json.Unmarshal(body, d); err != nil {
		return nil, contract.Wrap(contract.CodeInvalid, "the delivery cannot be read", err)
	}
	if d.ID == "" || d.TenantID == "" {
		return nil, contract.NewError(contract.CodeInvalid, "the delivery names no tenant")
	}
	return d, nil
}

// encode is JSON as JavaScript writes it: <, > and & stay as they are.
func encode(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
