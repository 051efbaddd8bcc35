package console

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/citaplanner/realtime/db/demo"
	"github.com/citaplanner/realtime/internal/identity"
	"github.com/citaplanner/realtime/internal/notify"
	"github.com/citaplanner/realtime/pkg/contract"
)

// person is somebody whom the demo can sign in.
type person struct {
	ID   string        `json:"id"`
	Name string        `json:"name"`
	Role contract.Role `json:"role"`
}

// house is a tenant of the demo.
type house struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	People []person `json:"people"`
}

// houses are the demo's tenants with who works there: a client's portal shows no calendar.
func houses() (out []house) {
	for _, u := range demo.Describe() {
		if u.Portal || !u.Active {
			continue
		}
		if n := len(out); n == 0 || out[n-1].ID != u.TenantID {
			out = append(out, house{ID: u.TenantID, Name: u.Tenant})
		}
		last := &out[len(out)-1]
		last.People = append(last.People, person{u.ID, u.Name, u.Role})
	}
	return out
}

func (c *Console) people(w http.ResponseWriter, r *http.Request) error {
	if err := local(r); err != nil {
		return err
	}
	return write(w, http.StatusOK, map[string]any{"tenants": houses()})
}

// session is the development sign-in: whoever asks from this machine's browser, on our own page, is any demo user. A token is
// answered, not a cookie, so that two panes of one page can be two users.
func (c *Console) session(w http.ResponseWriter, r *http.Request) error {
	if err := local(r); err != nil {
		return err
	}
	if err := c.ours(r); err != nil {
		return err
	}
	var body struct {
		UserID string `json:"userId"`
	}
	if err := read(w, r, &body); err != nil {
		return err
	}
	for _, h := range houses() {
		for _, p := range h.People {
			if p.ID != body.UserID {
				continue
			}
			token, expires, err := c.deps.Demo.Sessions.Session(p.ID)
			if err != nil {
				return err
			}
			return write(w, http.StatusOK, map[string]any{"token": token, "expiresAt": contract.At(expires), "me": p, "tenant": h})
		}
	}
	return contract.NewError(contract.CodeNotFound, "there is no such user in the demo")
}

// worker is a signed-in demo user who may see the calendar.
func (c *Console) worker(r *http.Request) (identity.User, error) {
	if err := local(r); err != nil {
		return identity.User{}, err
	}
	if r.Method != http.MethodGet {
		if err := c.ours(r); err != nil {
			return identity.User{}, err
		}
	}
	u, err := c.user(r)
	if err == nil && u.Portal {
		err = contract.NewError(contract.CodeForbidden, "a portal user has no calendar")
	}
	return u, err
}

func (c *Console) week(w http.ResponseWriter, r *http.Request) error {
	u, err := c.worker(r)
	if err != nil {
		return err
	}
	week, err := c.deps.Demo.Agenda.Week(r.Context(), u.TenantID, r.URL.Query().Get("date"))
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, week)
}

// book writes an appointment, then emits: what a route of the app does. So does change.
func (c *Console) book(w http.ResponseWriter, r *http.Request) error {
	u, err := c.worker(r)
	if err != nil {
		return err
	}
	var b demo.Booking
	if err := read(w, r, &b); err != nil {
		return err
	}
	made, err := c.deps.Demo.Agenda.Book(r.Context(), u.TenantID, b)
	if err != nil {
		return err
	}
	_, err = c.deps.Notify.AppointmentCreated(r.Context(), notify.AppointmentCreated{TenantID: u.TenantID, AppointmentID: made.ID, ActorID: u.ID})
	if err != nil {
		return err
	}
	return write(w, http.StatusCreated, made)
}

func (c *Console) change(w http.ResponseWriter, r *http.Request) error {
	u, err := c.worker(r)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := read(w, r, &raw); err != nil {
		return err
	}
	var change demo.Change
	if err := decode(raw, &change); err != nil {
		return err
	}
	was, is, err := c.deps.Demo.Agenda.Change(r.Context(), u.TenantID, r.PathValue("id"), change)
	if err != nil {
		return err
	}
	if err := c.tell(r, u, was, is, raw); err != nil {
		return err
	}
	return write(w, http.StatusOK, is)
}

// tell emits what has changed, by the rules of the triggers (README): a status that becomes CANCELLED is deleted, another time
// or professional is rescheduled, the rest is updated.
func (c *Console) tell(r *http.Request, u identity.User, was, is demo.Entry, changes json.RawMessage) error {
	ctx := r.Context()
	var err error
	switch {
	case is.Status == "CANCELLED":
		data, _ := json.Marshal(map[string]any{"id": is.ID, "clientName": is.ClientName, "serviceName": is.ServiceName,
			"professionalId": is.ProfessionalID, "startTime": contract.At(is.Start), "endTime": contract.At(is.End)}) // texts alone
		_, err = c.deps.Notify.AppointmentDeleted(ctx, notify.AppointmentDeleted{TenantID: u.TenantID, AppointmentID: is.ID,
			ActorID: u.ID, AppointmentData: data})
	case !was.Start.Equal(is.Start) || was.ProfessionalID != is.ProfessionalID:
		_, err = c.deps.Notify.AppointmentRescheduled(ctx, notify.AppointmentRescheduled{TenantID: u.TenantID, AppointmentID: is.ID,
			ActorID: u.ID, OldStartTime: was.Start, OldEndTime: was.End})
	default:
		_, err = c.deps.Notify.AppointmentUpdated(ctx, notify.AppointmentUpdated{TenantID: u.TenantID, AppointmentID: is.ID,
			ActorID: u.ID, Changes: changes})
	}
	return err
}

var _ Sessions = SessionsFunc(nil)

// SessionsFunc makes a function Sessions.
type SessionsFunc func(userID string) (string, time.Time, error)

// Session calls f.
func (f SessionsFunc) Session(userID string) (string, time.Time, error) { return f(userID) }
