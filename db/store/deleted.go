package store

import (
	"context"
	"fmt"
)

// DeletedIDs are the ids that a caller names for an appointment that is gone, or about to be; only AppointmentID is
// needed.
type DeletedIDs struct{ AppointmentID, ProfessionalID, ClientID string }

// DeletedView is what is left of a deleted appointment.
type DeletedView struct {
	Exists       bool          // the row is still there, in this tenant
	ClientName   string        // of the client named, else of the row's; empty when unknown
	Professional *Professional // the one named, else the row's; nil when there is no such user
}

// deletedRow is the outcome of Deleted's query.
type deletedRow struct {
	AppointmentID     *string `gorm:"column:appointmentId"`
	AppointmentTenant *string `gorm:"column:appointmentTenant"`
	UserID            *string `gorm:"column:userId"`
	UserTenant        *string `gorm:"column:userTenant"`
	UserFirstName     *string `gorm:"column:userFirstName"`
	UserLastName      *string `gorm:"column:userLastName"`
	UserEmail         *string `gorm:"column:userEmail"`
	UserActive        *bool   `gorm:"column:userActive"`
	ClientID          *string `gorm:"column:clientId"`
	ClientTenant      *string `gorm:"column:clientTenant"`
	ClientFirstName   *string `gorm:"column:clientFirstName"`
	ClientLastName    *string `gorm:"column:clientLastName"`

	Preferences preferenceColumns `gorm:"embedded"`
}

// Deleted finds in one query what is left of a deleted appointment. CodeNotFound when the tenant does not exist, or when
// one of the ids named is another tenant's; an id that exists nowhere finds nobody.
func (a *Appointments) Deleted(ctx context.Context, tenantID string, ids DeletedIDs) (DeletedView, error) {
	if !plausible(tenantID) {
		return DeletedView{}, notFound("tenant")
	}
	for _, id := range []*string{&ids.AppointmentID, &ids.ProfessionalID, &ids.ClientID} {
		if !plausible(*id) {
			*id = ""
		}
	}
	s := a.s
	text := s.param("text")
	query := `SELECT a.id AS "appointmentId", a."tenantId" AS "appointmentTenant", u.id AS "userId",
			u."tenantId" AS "userTenant", u."firstName" AS "userFirstName", u."lastName" AS "userLastName",
			u.email AS "userEmail", u."isActive" AS "userActive", c.id AS "clientId", c."tenantId" AS "clientTenant",
			c."firstName" AS "clientFirstName", c."lastName" AS "clientLastName", ` + preferenceSelect + `
		FROM ` + s.t("tenants") + ` t
		LEFT JOIN ` + s.t("appointments") + ` a ON a.id = ` + text + `
		LEFT JOIN ` + s.t("users") + ` u ON u.id = coalesce(nullif(` + text + `, ''),
			CASE WHEN a."tenantId" = t.id THEN a."userId" END)
		LEFT JOIN ` + s.t("user_notification_preferences") + ` p ON p."userId" = u.id
		LEFT JOIN ` + s.t("clients") + ` c ON c.id = coalesce(nullif(` + text + `, ''),
			CASE WHEN a."tenantId" = t.id THEN a."clientId" END)
		WHERE t.id = ` + text
	var rows []deletedRow
	_, err := s.find(ctx, "appointments.deleted", &rows, query,
		ids.AppointmentID, ids.ProfessionalID, ids.ClientID, tenantID)
	if err != nil {
		return DeletedView{}, fmt.Errorf("load what is left of appointment %s: %w", ids.AppointmentID, err)
	}
	if len(rows) == 0 {
		return DeletedView{}, notFound("tenant")
	}
	return rows[0].view(tenantID, ids)
}

func (r deletedRow) view(tenantID string, ids DeletedIDs) (DeletedView, error) {
	foreign := func(id, tenant *string) bool { return id != nil && or(tenant) != tenantID }
	switch {
	case foreign(r.AppointmentID, r.AppointmentTenant):
		return DeletedView{}, notFound("appointment")
	case foreign(r.UserID, r.UserTenant) && ids.ProfessionalID != "":
		return DeletedView{}, notFound("user")
	case foreign(r.ClientID, r.ClientTenant) && ids.ClientID != "":
		return DeletedView{}, notFound("client")
	}
	v := DeletedView{Exists: r.AppointmentID != nil}
	if r.ClientID != nil && or(r.ClientTenant) == tenantID {
		v.ClientName = joinName(or(r.ClientFirstName), or(r.ClientLastName))
	}
	if r.UserID != nil && or(r.UserTenant) == tenantID {
		v.Professional = &Professional{ID: *r.UserID, FirstName: or(r.UserFirstName), LastName: or(r.UserLastName),
			Email: or(r.UserEmail), Active: or(r.UserActive), Preferences: r.Preferences.preferences()}
	}
	return v, nil
}

// Professional is the row of users of this tenant, active or not, with its preferences, in one query; CodeNotFound for
// any other, a portal user included.
func (u *Users) Professional(ctx context.Context, tenantID, id string) (Professional, error) {
	if !plausible(tenantID, id) {
		return Professional{}, notFound("user")
	}
	var rows []struct {
		Recipient recipientRow `gorm:"embedded"` // named: GORM skips an embedded type that is not exported
		Active    bool         `gorm:"column:active"`
	}
	s := u.s
	query := `SELECT u.id, u."firstName", u."lastName", u.email, u."isActive" AS active, ` + preferenceSelect + `
		FROM ` + s.t("users") + ` u
		LEFT JOIN ` + s.t("user_notification_preferences") + ` p ON p."userId" = u.id
		WHERE u.id = ? AND u."tenantId" = ?`
	if _, err := s.find(ctx, "users.professional", &rows, query, id, tenantID); err != nil {
		return Professional{}, fmt.Errorf("load professional: %w", err)
	}
	if len(rows) == 0 {
		return Professional{}, notFound("user")
	}
	r := rows[0].Recipient
	return Professional{ID: r.ID, FirstName: r.FirstName, LastName: r.LastName, Email: r.Email, Active: rows[0].Active,
		Preferences: r.Preferences.preferences()}, nil
}

// TryComplete is Complete that tells whether it stored the first answer: not when another process took the key over, or
// the key is gone.
func (i *Idempotency) TryComplete(ctx context.Context, key string, response []byte) (first bool, err error) {
	keys, err := i.s.returning(ctx, "idempotency.complete", `UPDATE `+i.s.t("realtime.idempotency_keys")+`
		SET response = ?, completed_at = ? WHERE key = ? AND response IS NULL RETURNING key`, clean(string(response)), i.s.now(), key)
	if err != nil {
		return false, fmt.Errorf("complete request: %w", err)
	}
	return len(keys) == 1, nil
}
