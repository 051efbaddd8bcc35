package demo

import (
	"context"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

// Agenda reads and writes the demo tenants' appointments as CitaPlanner's own routes do, for the console's calendar: the
// demo has no Next.js app. It tells nobody: that is for its caller, after the write, as in the app.
type Agenda struct {
	st  *store.Store
	now func() time.Time
}

// NewAgenda makes an Agenda on a store that Seed has filled; now nil is time.Now.
func NewAgenda(st *store.Store, now func() time.Time) *Agenda {
	if now == nil {
		now = time.Now
	}
	return &Agenda{st, now}
}

// Week is a tenant's week, Monday to Sunday. Days and minutes are those of the tenant's own clock.
type Week struct {
	Zone          string   `json:"zone"`
	Today         string   `json:"today"`  // yyyy-MM-dd
	Minute        int      `json:"minute"` // of today, now
	Days          []string `json:"days"`
	Appointments  []Entry  `json:"appointments"`
	Clients       []Choice `json:"clients"`
	Services      []Choice `json:"services"`
	Professionals []Choice `json:"professionals"`
}

// Choice is what an appointment can be made of.
type Choice struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Minutes int    `json:"minutes,omitempty"` // a service's
	Color   string `json:"color,omitempty"`   // a service's
}

// Entry is an appointment in the calendar.
type Entry struct {
	ID               string `json:"id"`
	Date             string `json:"date"`   // yyyy-MM-dd
	Minute           int    `json:"minute"` // of the day
	Minutes          int    `json:"minutes"`
	Status           string `json:"status"`
	Notes            string `json:"notes"`
	ClientID         string `json:"clientId"`
	ClientName       string `json:"clientName"`
	ServiceID        string `json:"serviceId"`
	ServiceName      string `json:"serviceName"`
	Color            string `json:"color"`
	ProfessionalID   string `json:"professionalId"`
	ProfessionalName string `json:"professionalName"`
	BranchName       string `json:"branchName"`

	Start time.Time `json:"-"`
	End   time.Time `json:"-"`
}

// Booking is a new appointment. Its professional is UserID.
type Booking struct {
	ClientID  string `json:"clientId"`
	ServiceID string `json:"serviceId"`
	UserID    string `json:"userId"`
	Date      string `json:"date"`
	Minute    int    `json:"minute"`
	Notes     string `json:"notes"`
}

// Change is what changes of an appointment; nil stays as it is.
type Change struct {
	Date   *string `json:"date"`
	Minute *int    `json:"minute"`
	UserID *string `json:"userId"`
	Status *string `json:"status"`
	Notes  *string `json:"notes"`
}

const (
	maxNotes = 500 // characters
	// maxVisits is how many appointments of a tenant may start on one day: more is no calendar to look at.
	maxVisits = 60
	cancelled = "CANCELLED"
)

var statuses = []string{"PENDING", "CONFIRMED", "COMPLETED", cancelled, "NO_SHOW"}

// Week reads the week that a day (yyyy-MM-dd, empty for today) is in; cancelled appointments are left out.
func (a *Agenda) Week(ctx context.Context, tenantID, day string) (Week, error) {
	t, zone, err := find(tenantID)
	if err != nil {
		return Week{}, err
	}
	now := a.now().In(zone)
	if day == "" {
		day = now.Format(time.DateOnly)
	}
	from, err := at(day, 0, zone)
	if err != nil {
		return Week{}, err
	}
	from = from.AddDate(0, 0, -(int(from.Weekday())+6)%7)
	w := Week{Zone: t.zone, Today: now.Format(time.DateOnly), Minute: now.Hour()*60 + now.Minute(), Appointments: []Entry{}}
	for i := range 7 {
		w.Days = append(w.Days, from.AddDate(0, 0, i).Format(time.DateOnly))
	}
	for _, c := range t.clients {
		w.Clients = append(w.Clients, Choice{ID: c.id, Name: c.first + " " + c.last})
	}
	for _, s := range t.services {
		w.Services = append(w.Services, Choice{ID: s.id, Name: s.name, Minutes: s.minutes, Color: s.color})
	}
	for _, p := range t.users {
		if p.role == contract.RoleProfessional && !p.inactive {
			w.Professionals = append(w.Professionals, Choice{ID: p.id, Name: p.first + " " + p.last})
		}
	}
	var rows []models.Appointment
	err = a.st.DB(ctx).Where(`"tenantId" = ? AND "startTime" >= ? AND "startTime" < ? AND status <> ?`, tenantID,
		store.UTC(from), store.UTC(from.AddDate(0, 0, 7)), cancelled).Order(`"startTime", id`).Limit(7 * maxVisits).Find(&rows).Error
	if err != nil {
		return Week{}, fmt.Errorf("read a demo week: %w", err)
	}
	for _, r := range rows {
		w.Appointments = append(w.Appointments, t.entry(r, zone))
	}
	return w, nil
}

// Book makes an appointment of the tenant.
func (a *Agenda) Book(ctx context.Context, tenantID string, b Booking) (Entry, error) {
	t, zone, err := find(tenantID)
	if err != nil {
		return Entry{}, err
	}
	start, err := at(b.Date, b.Minute, zone)
	if err != nil {
		return Entry{}, err
	}
	s, ok := t.service(b.ServiceID)
	switch {
	case !ok:
		return Entry{}, contract.InvalidField("serviceId", "serviceId is no service of this tenant")
	case !slices.ContainsFunc(t.clients, func(c client) bool { return c.id == b.ClientID }):
		return Entry{}, contract.InvalidField("clientId", "clientId is no client of this tenant")
	case !t.serves(b.UserID):
		return Entry{}, contract.InvalidField("userId", "userId is no professional of this tenant")
	case utf8.RuneCountInString(b.Notes) > maxNotes:
		return Entry{}, contract.InvalidField("notes", fmt.Sprintf("notes has more than %d characters", maxNotes))
	}
	now := store.UTC(a.now())
	row := models.Appointment{
		ID: uuid.Must(uuid.NewV7()).String(), StartTime: store.UTC(start), EndTime: store.UTC(start.Add(s.length())),
		Status: "CONFIRMED", TenantID: tenantID, BranchID: t.branches[0].id, ClientID: b.ClientID, ServiceID: b.ServiceID,
		UserID: b.UserID, CreatedAt: now, UpdatedAt: now,
	}
	if b.Notes != "" {
		row.Notes = &b.Notes
	}
	err = a.st.InTx(ctx, func(tx *store.Store) error {
		if err := room(ctx, tx, row, zone); err != nil {
			return err
		}
		return tx.DB(ctx).Create(&row).Error
	})
	if err != nil {
		return Entry{}, fmt.Errorf("book a demo appointment: %w", err)
	}
	return t.entry(row, zone), nil
}

// Change changes an appointment of the tenant and returns it as it was and as it is.
func (a *Agenda) Change(ctx context.Context, tenantID, id string, c Change) (was, is Entry, err error) {
	t, zone, err := find(tenantID)
	if err != nil {
		return was, is, err
	}
	err = a.st.InTx(ctx, func(tx *store.Store) error {
		var rows []models.Appointment
		if err := tx.DB(ctx).Where(`id = ? AND "tenantId" = ?`, id, tenantID).Find(&rows).Error; err != nil {
			return err
		}
		if len(rows) == 0 || rows[0].Status == cancelled {
			return contract.NewError(contract.CodeNotFound, "there is no such appointment")
		}
		row := rows[0]
		was = t.entry(row, zone)
		if err := c.apply(t, zone, was, &row); err != nil {
			return err
		}
		row.UpdatedAt = store.UTC(a.now())
		is = t.entry(row, zone)
		if is.Date != was.Date {
			if err := room(ctx, tx, row, zone); err != nil {
				return err
			}
		}
		return tx.DB(ctx).Model(&models.Appointment{}).Where("id = ?", id).Updates(map[string]any{
			"startTime": row.StartTime, "endTime": row.EndTime, "userId": row.UserID, "status": row.Status, "notes": row.Notes,
			"updatedAt": row.UpdatedAt,
		}).Error
	})
	if err != nil {
		return was, is, fmt.Errorf("change a demo appointment: %w", err)
	}
	return was, is, nil
}

// apply writes the change into the row.
func (c Change) apply(t tenant, zone *time.Location, was Entry, row *models.Appointment) error {
	if c.Date != nil || c.Minute != nil {
		date, minute := was.Date, was.Minute
		if c.Date != nil {
			date = *c.Date
		}
		if c.Minute != nil {
			minute = *c.Minute
		}
		start, err := at(date, minute, zone)
		if err != nil {
			return err
		}
		length := row.EndTime.Sub(row.StartTime)
		row.StartTime, row.EndTime = store.UTC(start), store.UTC(start.Add(length))
	}
	if c.UserID != nil {
		if !t.serves(*c.UserID) {
			return contract.InvalidField("userId", "userId is no professional of this tenant")
		}
		row.UserID = *c.UserID
	}
	if c.Status != nil {
		if !slices.Contains(statuses, *c.Status) {
			return contract.InvalidField("status", "status is none of the app's")
		}
		row.Status = *c.Status
	}
	if c.Notes != nil {
		if utf8.RuneCountInString(*c.Notes) > maxNotes {
			return contract.InvalidField("notes", fmt.Sprintf("notes has more than %d characters", maxNotes))
		}
		row.Notes = c.Notes
	}
	return nil
}

// room refuses one more appointment on a day that is full.
func room(ctx context.Context, tx *store.Store, row models.Appointment, zone *time.Location) error {
	local := row.StartTime.In(zone)
	from := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, zone)
	var n int64
	err := tx.DB(ctx).Model(&models.Appointment{}).Where(`"tenantId" = ? AND "startTime" >= ? AND "startTime" < ? AND status <> ?`,
		row.TenantID, store.UTC(from), store.UTC(from.AddDate(0, 0, 1)), cancelled).Count(&n).Error
	if err == nil && n >= maxVisits {
		return contract.NewError(contract.CodeConflict, "the day is full")
	}
	return err
}

// at is a minute of a day of the zone. A minute that the clocks leave out is the one after the gap.
func at(day string, minute int, zone *time.Location) (time.Time, error) {
	d, err := time.ParseInLocation(time.DateOnly, day, zone)
	if err != nil || d.Year() < 2000 || d.Year() > 2100 {
		return d, contract.InvalidField("date", "date must be a day such as 2026-01-31")
	}
	if minute < 0 || minute >= 24*60 {
		return d, contract.InvalidField("minute", "minute must be 0 to 1439")
	}
	return time.Date(d.Year(), d.Month(), d.Day(), 0, minute, 0, 0, zone), nil
}

// find is a demo tenant and its time zone.
func find(id string) (tenant, *time.Location, error) {
	for _, t := range tenants {
		if t.id == id {
			zone, err := time.LoadLocation(t.zone)
			return t, zone, err
		}
	}
	return tenant{}, nil, contract.NewError(contract.CodeForbidden, "this is no tenant of the demo")
}

func (t tenant) service(id string) (service, bool) {
	for _, s := range t.services {
		if s.id == id {
			return s, true
		}
	}
	return service{}, false
}

func (s service) length() time.Duration { return time.Duration(s.minutes) * time.Minute }

// serves reports whether somebody takes appointments.
func (t tenant) serves(userID string) bool {
	return slices.ContainsFunc(t.users, func(p person) bool {
		return p.id == userID && p.role == contract.RoleProfessional && !p.inactive
	})
}

// entry is a row as the calendar shows it.
func (t tenant) entry(r models.Appointment, zone *time.Location) Entry {
	local := r.StartTime.In(zone)
	e := Entry{
		ID: r.ID, Date: local.Format(time.DateOnly), Minute: local.Hour()*60 + local.Minute(),
		Minutes: int(r.EndTime.Sub(r.StartTime) / time.Minute), Status: r.Status, ClientID: r.ClientID, ServiceID: r.ServiceID,
		ProfessionalID: r.UserID, Start: store.UTC(r.StartTime), End: store.UTC(r.EndTime),
	}
	if r.Notes != nil {
		e.Notes = *r.Notes
	}
	if s, ok := t.service(r.ServiceID); ok {
		e.ServiceName, e.Color = s.name, s.color
	}
	for _, c := range t.clients {
		if c.id == r.ClientID {
			e.ClientName = c.first + " " + c.last
		}
	}
	for _, p := range t.users {
		if p.id == r.UserID {
			e.ProfessionalName = p.first + " " + p.last
		}
	}
	for _, b := range t.branches {
		if b.id == r.BranchID {
			e.BranchName = b.name
		}
	}
	return e
}
