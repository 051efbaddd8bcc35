package presence

import (
	"maps"
	"slices"

	"github.com/citaplanner/realtime/pkg/contract"
)

// Edit notes that a socket's user is editing an appointment (which the caller has checked to be of this tenant). The
// others of the tenant hear appointment:editing:started; when somebody else was there first, the sender alone also gets
// appointment:editing:conflict. It reports false when the socket holds too many already.
func (p *Presence) Edit(socketID, appointmentID string) bool {
	now := p.opts.Now()
	p.mu.Lock()
	m, ok := p.sockets[socketID]
	if !ok {
		p.mu.Unlock()
		return true
	}
	if _, again := m.editing[appointmentID]; !again && len(m.editing) >= p.opts.MaxEditing {
		p.mu.Unlock()
		return false
	}
	if m.editing == nil { // most sockets never edit
		m.editing = map[string]struct{}{}
	}
	m.editing[appointmentID] = struct{}{}
	t := p.tenants[m.TenantID]
	byUser := t.editing[appointmentID]
	if byUser == nil {
		byUser = map[string]*edit{}
		t.editing[appointmentID] = byUser
	}
	first, other := earliestOther(byUser, m.UserID)
	e := byUser[m.UserID]
	if e == nil {
		e = &edit{since: now, sockets: map[string]struct{}{}}
		byUser[m.UserID] = e
	}
	e.sockets[socketID] = struct{}{}
	p.mu.Unlock()

	p.out.ToTenantExcept(m.TenantID, socketID, contract.EventEditingStarted,
		contract.Editing{UserID: m.UserID, AppointmentID: appointmentID})
	if other != "" {
		p.out.ToSocket(socketID, contract.EventEditingConflict, contract.EditingConflict{
			AppointmentID: appointmentID, UserID: other, Since: contract.At(first.since)})
	}
	return true
}

// Editing reports whether the socket is editing the appointment.
func (p *Presence) Editing(socketID, appointmentID string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	m, ok := p.sockets[socketID]
	if !ok {
		return false
	}
	_, editing := m.editing[appointmentID]
	return editing
}

// EditedBy lists the appointments that a socket is editing.
func (p *Presence) EditedBy(socketID string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m, ok := p.sockets[socketID]; ok {
		return slices.Sorted(maps.Keys(m.editing))
	}
	return nil
}

// StopEdit ends what Edit began. The others of the tenant hear appointment:editing:stopped, also where nothing was known
// of it (a page may say so after a reconnect), unless another socket of the same user still edits the appointment.
func (p *Presence) StopEdit(socketID, appointmentID string) {
	p.mu.Lock()
	m, ok := p.sockets[socketID]
	if !ok {
		p.mu.Unlock()
		return
	}
	delete(m.editing, appointmentID)
	t := p.tenants[m.TenantID]
	t.stopEditing(appointmentID, m.UserID, socketID)
	_, still := t.editing[appointmentID][m.UserID]
	p.mu.Unlock()
	if !still {
		p.out.ToTenantExcept(m.TenantID, socketID, contract.EventEditingStopped,
			contract.Editing{UserID: m.UserID, AppointmentID: appointmentID})
	}
}

// stopEditing removes a socket's edit and reports whether it was the user's last for that appointment. The lock is held.
func (t *tenant) stopEditing(appointmentID, userID, socketID string) bool {
	byUser := t.editing[appointmentID]
	e := byUser[userID]
	if e == nil {
		return false
	}
	delete(e.sockets, socketID)
	if len(e.sockets) > 0 {
		return false
	}
	delete(byUser, userID)
	if len(byUser) == 0 {
		delete(t.editing, appointmentID)
	}
	return true
}

func earliestOther(byUser map[string]*edit, userID string) (*edit, string) {
	var first *edit
	var id string
	for other, e := range byUser {
		if other != userID && (first == nil || e.since.Before(first.since) || (e.since.Equal(first.since) && other < id)) {
			first, id = e, other
		}
	}
	return first, id
}
