package notify

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

// AppointmentDeleted says that an appointment was deleted, or is about to be. Its row may be gone, so AppointmentData
// says what it was: an object with id (AppointmentID, where given, has to be the same), clientName, professionalId or
// userId, clientId, and whatever else the caller wants to tell. All but an id may be missing.
type AppointmentDeleted struct {
	TenantID, AppointmentID, ActorID string
	AppointmentData                  json.RawMessage
}

// AppointmentDeleted tells the tenant, and the professional that the data names, else the row's.
//
// The data goes out as it came, completed with id, appointmentId and, where the row or clientId tells it, clientName,
// and without personal data (see redact).
func (s *Service) AppointmentDeleted(ctx context.Context, in AppointmentDeleted) (contract.EmitResult, error) {
	err := checkAll(id("tenantId", in.TenantID), maybeID("appointmentId", in.AppointmentID),
		maybeID("actorId", in.ActorID), object("appointmentData", in.AppointmentData),
		needed("appointmentData", !null(in.AppointmentData)))
	if err != nil {
		return contract.EmitResult{}, err
	}
	data, err := readDeleted(in)
	if err != nil {
		return contract.EmitResult{}, err
	}
	const name = contract.EventAppointmentDeleted
	return s.emit(ctx, name, name, func(ctx context.Context, o *occurrence) error {
		view, err := s.st.Appointments.Deleted(ctx, in.TenantID, data.ids)
		if err != nil {
			return err
		}
		body, err := data.complete(view)
		if err != nil {
			return err
		}
		payload, err := encode(contract.AppointmentDeleted{
			AppointmentID: data.ids.AppointmentID, AppointmentData: body, DeletedBy: actorOf(in.ActorID), Timestamp: o.at,
		})
		if err != nil {
			return err
		}
		o.tenantID, o.subject, o.content = in.TenantID, data.ids.AppointmentID, contentOf(body)
		o.tell(event{Name: name, Payload: payload})
		p := view.Professional
		if p == nil || !p.Active || !wants(p.Recipient(), name) {
			return nil
		}
		n := notice{
			eventType: name, priority: contract.PriorityHigh, data: body,
			message: "Cita cancelada: " + orText(data.name(view), someClient),
		}
		if view.Exists { // the foreign key refuses the id of a row that is gone
			n.appointmentID = &data.ids.AppointmentID
		}
		o.notify(n, p.Recipient())
		return nil
	})
}

// deletedData is appointmentData, read.
type deletedData struct {
	members    map[string]json.RawMessage // without personal data
	ids        store.DeletedIDs
	clientName string // as the caller gave it
	nestedName string // that of the client object which the caller gave, for when no row tells
}

// name is the client's name, empty where nobody knows it.
func (d deletedData) name(view store.DeletedView) string {
	return orText(d.clientName, orText(view.ClientName, d.nestedName))
}

// readDeleted takes apart what the caller said, which has passed the checks of an object.
func readDeleted(in AppointmentDeleted) (d deletedData, err error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(in.AppointmentData, &all); err != nil {
		return d, contract.InvalidField("appointmentData", "appointmentData must be an object")
	}
	if d.clientName, err = member(all, "clientName", maxMessage/2); err != nil {
		return d, err
	}
	d.nestedName = nestedName(all["client"])
	if d.ids.ClientID, err = memberID(all, "clientId"); err != nil {
		return d, err
	}
	for _, name := range []string{"professionalId", "userId"} {
		if d.ids.ProfessionalID, err = memberID(all, name); err != nil || d.ids.ProfessionalID != "" {
			break
		}
	}
	if err != nil {
		return d, err
	}
	d.ids.AppointmentID = in.AppointmentID
	for _, name := range []string{"id", "appointmentId"} {
		id, err := memberID(all, name)
		switch {
		case err != nil:
			return d, err
		case id == "":
		case d.ids.AppointmentID == "":
			d.ids.AppointmentID = id
		case d.ids.AppointmentID != id:
			return d, contract.InvalidField("appointmentData."+name, "appointmentData is of another appointment")
		}
	}
	if d.ids.AppointmentID == "" {
		return d, contract.InvalidField("appointmentId", "appointmentId or appointmentData.id is required")
	}
	if err := json.Unmarshal(redact(in.AppointmentData), &d.members); err != nil {
		return d, contract.Wrap(contract.CodeInvalid, "appointmentData cannot be read", err)
	}
	return d, nil
}

// complete is the appointmentData that goes out.
func (d deletedData) complete(view store.DeletedView) (json.RawMessage, error) {
	out := make(map[string]json.RawMessage, len(d.members)+3)
	for k, v := range d.members {
		out[k] = v
	}
	set := map[string]string{
		"id": d.ids.AppointmentID, "appointmentId": d.ids.AppointmentID,
		"clientName": d.name(view),
	}
	for name, value := range set {
		if value == "" {
			continue
		}
		text, err := encode(value)
		if err != nil {
			return nil, err
		}
		out[name] = text
	}
	return encode(out)
}

// member is a text member of appointmentData, "" where it is missing or null.
func member(m map[string]json.RawMessage, name string, most int) (string, error) {
	if null(m[name]) {
		return "", nil
	}
	var v string
	if json.Unmarshal(m[name], &v) != nil {
		return "", contract.InvalidField("appointmentData."+name, "appointmentData."+name+" must be a text")
	}
	if strings.TrimSpace(v) == "" {
		return "", nil
	}
	return v, text("appointmentData."+name, v, most)()
}

func memberID(m map[string]json.RawMessage, name string) (string, error) {
	v, err := member(m, name, maxID)
	if err != nil {
		return "", err
	}
	return v, maybeID("appointmentData."+name, v)()
}

// nestedName is the name in Prisma's included client, "" where there is none.
func nestedName(client json.RawMessage) string {
	var c struct{ Name, FirstName, LastName string }
	if json.Unmarshal(client, &c) != nil {
		return ""
	}
	name := orText(c.Name, strings.TrimSpace(c.FirstName+" "+c.LastName))
	if text("client", name, maxMessage/2)() != nil {
		return ""
	}
	return name
}
