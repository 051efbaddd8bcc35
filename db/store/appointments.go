package store

import (
	"context"
	"fmt"
	"time"

	"github.com/citaplanner/realtime/db/models"
)

// Appointments reads appointments.
type Appointments struct{ s *Store }

// AppointmentView is an appointment with everything that is told about it.
type AppointmentView struct {
	Appointment models.Appointment

	ClientFirstName, ClientLastName string

	ServiceName     string
	ServiceDuration int // minutes
	ServiceColor    string

	Professional Professional
	BranchName   string

	// Portal is the client's active portal user of this tenant, nil where there is none.
	Portal *Recipient
}

// ClientName is the client's first and last name.
func (v AppointmentView) ClientName() string { return joinName(v.ClientFirstName, v.ClientLastName) }

// Professional is the user whom an appointment is with.
type Professional struct {
	ID, FirstName, LastName, Email string

	// Active is whether there is somebody to notify: the row is active and of the appointment's tenant. Who has moved
	// to another tenant is not active here, and has no name or email either: they belong to the other tenant now.
	Active      bool
	Preferences Preferences
}

// Name is the first and last name.
func (p Professional) Name() string { return joinName(p.FirstName, p.LastName) }

// Recipient is the professional as one whom to notify. Ask Active first.
func (p Professional) Recipient() Recipient {
	return Recipient{ID: p.ID, Name: p.Name(), Contact: p.Email, Preferences: p.Preferences}
}

// viewRow is a row of Load's query.
type viewRow struct {
	models.Appointment

	ClientFirstName *string `gorm:"column:clientFirstName"`
	ClientLastName  *string `gorm:"column:clientLastName"`
	ServiceName     *string `gorm:"column:serviceName"`
	ServiceDuration *int    `gorm:"column:serviceDuration"`
	ServiceColor    *string `gorm:"column:serviceColor"`
	BranchName      *string `gorm:"column:branchName"`

	UserFirstName *string `gorm:"column:userFirstName"`
	UserLastName  *string `gorm:"column:userLastName"`
	UserEmail     *string `gorm:"column:userEmail"`
	UserActive    *bool   `gorm:"column:userActive"`

	PortalID        *string `gorm:"column:portalId"`
	PortalFirstName *string `gorm:"column:portalFirstName"`
	PortalLastName  *string `gorm:"column:portalLastName"`
	PortalEmail     *string `gorm:"column:portalEmail"`

	Preferences preferenceColumns `gorm:"embedded"`
}

// Load reads an appointment of this tenant with its client, service, professional (and preferences), branch and portal
// user in one query. CodeNotFound when there is none, another tenant's included. Joined rows of another tenant, which
// the database does not rule out, stay blank.
func (a *Appointments) Load(ctx context.Context, tenantID, id string) (AppointmentView, error) {
	if !plausible(tenantID, id) {
		return AppointmentView{}, notFound("appointment")
	}
	s := a.s
	query := `SELECT a.*, c."firstName" AS "clientFirstName", c."lastName" AS "clientLastName",
			s.name AS "serviceName", s.duration AS "serviceDuration", s.color AS "serviceColor",
			b.name AS "branchName", u."firstName" AS "userFirstName", u."lastName" AS "userLastName",
			u.email AS "userEmail", u."isActive" AS "userActive", cu.id AS "portalId",
			cu."firstName" AS "portalFirstName", cu."lastName" AS "portalLastName", cu.email AS "portalEmail",
			` + preferenceSelect + `
		FROM ` + s.t("appointments") + ` a
		LEFT JOIN ` + s.t("clients") + ` c ON c.id = a."clientId" AND c."tenantId" = a."tenantId"
		LEFT JOIN ` + s.t("services") + ` s ON s.id = a."serviceId" AND s."tenantId" = a."tenantId"
		LEFT JOIN ` + s.t("branches") + ` b ON b.id = a."branchId" AND b."tenantId" = a."tenantId"
		LEFT JOIN ` + s.t("users") + ` u ON u.id = a."userId" AND u."tenantId" = a."tenantId"
		LEFT JOIN ` + s.t("user_notification_preferences") + ` p ON p."userId" = u.id
		LEFT JOIN ` + s.t("client_users") + ` cu ON cu."clientId" = c.id AND cu."tenantId" = a."tenantId"
			AND cu."isActive"
		WHERE a.id = ? AND a."tenantId" = ?`
	var rows []viewRow
	if _, err := s.find(ctx, "appointments.load", &rows, query, id, tenantID); err != nil {
		return AppointmentView{}, fmt.Errorf("load appointment %s: %w", id, err)
	}
	if len(rows) == 0 {
		return AppointmentView{}, notFound("appointment")
	}
	return rows[0].view(), nil
}

func (r viewRow) view() AppointmentView {
	v := AppointmentView{
		Appointment:     r.Appointment,
		ClientFirstName: or(r.ClientFirstName), ClientLastName: or(r.ClientLastName),
		ServiceName: or(r.ServiceName), ServiceDuration: or(r.ServiceDuration), ServiceColor: or(r.ServiceColor),
		BranchName: or(r.BranchName),
		Professional: Professional{
			ID: r.UserID, FirstName: or(r.UserFirstName), LastName: or(r.UserLastName), Email: or(r.UserEmail),
			Active: or(r.UserActive), Preferences: r.Preferences.preferences(),
		},
	}
	for _, t := range []*time.Time{
		&v.Appointment.StartTime, &v.Appointment.EndTime, &v.Appointment.CreatedAt, &v.Appointment.UpdatedAt,
	} {
		*t = UTC(*t)
	}
	if r.PortalID != nil {
		v.Portal = &Recipient{
			ID: *r.PortalID, Name: joinName(or(r.PortalFirstName), or(r.PortalLastName)), Contact: or(r.PortalEmail),
			Portal: true, Preferences: DefaultPreferences(),
		}
	}
	return v
}

// Exists reports whether there is such an appointment in this tenant.
func (a *Appointments) Exists(ctx context.Context, tenantID, id string) (bool, error) {
	if !plausible(tenantID, id) {
		return false, nil
	}
	var one []int
	n, err := a.s.find(ctx, "appointments.exists", &one,
		`SELECT 1 FROM `+a.s.t("appointments")+` WHERE id = ? AND "tenantId" = ?`, id, tenantID)
	if err != nil {
		return false, fmt.Errorf("look for appointment %s: %w", id, err)
	}
	return n > 0, nil
}

// or is *p, or the zero value for NULL.
func or[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
