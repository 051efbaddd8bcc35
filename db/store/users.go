package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/citaplanner/realtime/pkg/contract"
)

// Users reads users, client_users and clients: who may sign in, and who is told.
type Users struct{ s *Store }

// Account is whoever may sign in: a row of users, or of client_users for the portal.
type Account struct {
	ID, Email, FirstName, LastName, TenantID string

	Role   contract.Role // RoleClient for a portal user
	Portal bool          // a row of client_users
	Active bool          // the row's isActive and its tenant's
}

// Name is the first and last name.
func (a Account) Name() string { return joinName(a.FirstName, a.LastName) }

// Recipient is whoever may be sent a notification.
type Recipient struct {
	ID      string
	Name    string
	Contact string // the email address

	Portal      bool        // a row of client_users: the notification's userId stays null
	Preferences Preferences // the defaults where there is no row
}

// accountRow is a row of accountsSQL.
type accountRow struct {
	ID        string `gorm:"column:id"`
	Email     string `gorm:"column:email"`
	FirstName string `gorm:"column:firstName"`
	LastName  string `gorm:"column:lastName"`
	TenantID  string `gorm:"column:tenantId"`
	Role      string `gorm:"column:role"`
	Portal    int    `gorm:"column:portal"`
	Active    bool   `gorm:"column:active"`
}

// Account finds who signs in by id, in users, else in client_users, in one query. Inactive ones are found too:
// Active says. CodeNotFound when there is no such row.
func (u *Users) Account(ctx context.Context, id string) (Account, error) {
	accounts, err := u.Accounts(ctx, []string{id})
	if err != nil {
		return Account{}, err
	}
	a, ok := accounts[id]
	if !ok {
		return Account{}, notFound("user")
	}
	return a, nil
}

// Accounts is Account for many ids in one query; ids without a row are not in the map.
func (u *Users) Accounts(ctx context.Context, ids []string) (map[string]Account, error) {
	ids = distinct(ids)
	if len(ids) == 0 {
		return map[string]Account{}, nil
	}
	rows, err := u.accountRows(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("load accounts: %w", err)
	}
	accounts := make(map[string]Account, len(rows))
	for _, r := range rows {
		// users goes before client_users.
		if known, ok := accounts[r.ID]; ok && !known.Portal {
			continue
		}
		accounts[r.ID] = Account{
			ID: r.ID, Email: r.Email, FirstName: r.FirstName, LastName: r.LastName, TenantID: r.TenantID,
			Role: contract.Role(r.Role), Portal: r.Portal == 1, Active: r.Active,
		}
	}
	return accounts, nil
}

func (u *Users) accountRows(ctx context.Context, ids []string) (rows []accountRow, err error) {
	s := u.s
	query := `SELECT u.id, u.email, u."firstName", u."lastName", u."tenantId", CAST(u.role AS text) AS role,
			0 AS portal, (u."isActive" AND t."isActive") AS active
		FROM ` + s.t("users") + ` u JOIN ` + s.t("tenants") + ` t ON t.id = u."tenantId" WHERE u.id ` + s.among() + `
		UNION ALL
		SELECT c.id, c.email, c."firstName", c."lastName", c."tenantId", 'CLIENT', 1,
			(c."isActive" AND t."isActive")
		FROM ` + s.t("client_users") + ` c JOIN ` + s.t("tenants") + ` t ON t.id = c."tenantId"
		WHERE c.id ` + s.among()
	if s.pool == nil {
		list := asJSON(ids)
		_, err = s.find(ctx, "users.accounts", &rows, query, list, list)
		return rows, err
	}
	err = s.direct(ctx, "users.accounts", query, func(row pgx.CollectableRow) error {
		rows = append(rows, accountRow{})
		r := &rows[len(rows)-1]
		return row.Scan(&r.ID, &r.Email, &r.FirstName, &r.LastName, &r.TenantID, &r.Role, &r.Portal, &r.Active)
	}, ids, ids)
	return rows, err
}

// recipientRow is a user with the preferences, if any. The same columns come out of Recipients and Recipient.
type recipientRow struct {
	ID        string `gorm:"column:id"`
	FirstName string `gorm:"column:firstName"`
	LastName  string `gorm:"column:lastName"`
	Email     string `gorm:"column:email"`

	Preferences preferenceColumns `gorm:"embedded"`
}

func (r recipientRow) recipient() Recipient {
	return Recipient{
		ID: r.ID, Name: joinName(r.FirstName, r.LastName), Contact: r.Email, Preferences: r.Preferences.preferences(),
	}
}

// Recipients are the active users of the tenant, of one role or (role empty) of all, with their preferences, sorted by
// id, in one query. Portal users are none of them. An inactive tenant has no recipients.
func (u *Users) Recipients(ctx context.Context, tenantID string, role contract.Role) ([]Recipient, error) {
	if !plausible(tenantID) || (role != "" && !role.Valid()) {
		return nil, nil
	}
	s := u.s
	query := `SELECT u.id, u."firstName", u."lastName", u.email, ` + preferenceSelect + `
		FROM ` + s.t("users") + ` u
		JOIN ` + s.t("tenants") + ` t ON t.id = u."tenantId" AND t."isActive"
		LEFT JOIN ` + s.t("user_notification_preferences") + ` p ON p."userId" = u.id
		WHERE u."tenantId" = ? AND u."isActive"`
	args := []any{tenantID}
	if role != "" {
		query += ` AND u.role = ?`
		args = append(args, string(role))
	}
	var rows []recipientRow
	if _, err := s.find(ctx, "users.recipients", &rows, query+` ORDER BY u.id`, args...); err != nil {
		return nil, fmt.Errorf("load recipients: %w", err)
	}
	recipients := make([]Recipient, len(rows))
	for i, r := range rows {
		recipients[i] = r.recipient()
	}
	return recipients, nil
}

// Member is a user or portal user of a tenant.
type Member struct{ TenantID, ID string }

// RecipientsOf are the active users and portal users among members, in one query; who is not, or not active, or another tenant's
// is not in the map.
func (u *Users) RecipientsOf(ctx context.Context, members []Member) (map[Member]Recipient, error) {
	ids := make([]string, 0, len(members))
	for _, m := range members {
		if plausible(m.TenantID) {
			ids = append(ids, m.ID)
		}
	}
	if ids = distinct(ids); len(ids) == 0 {
		return map[Member]Recipient{}, nil
	}
	rows, err := u.memberRows(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("load recipients: %w", err)
	}
	found := make(map[Member]Recipient, len(rows))
	for _, row := range rows {
		m := Member{row.TenantID, row.Recipient.ID}
		if known, ok := found[m]; ok && !known.Portal || !slices.Contains(members, m) {
			continue // users goes before client_users; one tenant's answer is none for another's question
		}
		r := row.Recipient.recipient()
		r.Portal = row.Portal == 1
		found[m] = r
	}
	return found, nil
}

// memberRow is a user or portal user who may be told, of whatever tenant.
type memberRow struct {
	Portal    int          `gorm:"column:portal"`
	TenantID  string       `gorm:"column:tenantId"`
	Recipient recipientRow `gorm:"embedded"`
}

func (u *Users) memberRows(ctx context.Context, ids []string) (rows []memberRow, err error) {
	s := u.s
	query := `SELECT 0 AS portal, u."tenantId", u.id, u."firstName", u."lastName", u.email, ` + preferenceSelect + `
		FROM ` + s.t("users") + ` u
		LEFT JOIN ` + s.t("user_notification_preferences") + ` p ON p."userId" = u.id
		WHERE u.id ` + s.among() + ` AND u."isActive"
		UNION ALL
		SELECT 1, c."tenantId", c.id, c."firstName", c."lastName", c.email, ` + preferenceSelect + `
		FROM ` + s.t("client_users") + ` c
		LEFT JOIN ` + s.t("user_notification_preferences") + ` p ON 1 = 0
		WHERE c.id ` + s.among() + ` AND c."isActive"`
	if s.pool == nil {
		list := asJSON(ids)
		_, err = s.find(ctx, "users.recipient", &rows, query, list, list)
		return rows, err
	}
	err = s.direct(ctx, "users.recipient", query, func(row pgx.CollectableRow) error {
		rows = append(rows, memberRow{})
		r := &rows[len(rows)-1]
		dest := []any{&r.Portal, &r.TenantID, &r.Recipient.ID, &r.Recipient.FirstName, &r.Recipient.LastName, &r.Recipient.Email}
		return r.Recipient.Preferences.scan(row, dest...)
	}, ids, ids)
	return rows, err
}

// inIDs is the condition that takes an idList: one parameter, so that the statement is the same for any number of ids
// (prepared once) and has no limit of parameters.
func (s *Store) inIDs() string {
	if s.dialect == Postgres {
		return `IN (SELECT jsonb_array_elements_text(CAST(? AS jsonb)))`
	}
	return `IN (SELECT value FROM json_each(?))`
}

// among is the condition that takes a list of ids: an array where pgx is asked itself, whose plan is an index lookup
// whatever the statistics, and asJSON's text on SQLite.
func (s *Store) among() string {
	if s.dialect == Postgres {
		return `= ANY(CAST(? AS text[]))`
	}
	return s.inIDs()
}

// idList is the plausible ones of ids as JSON, each once; empty when there are none.
func idList(ids []string) string {
	kept := distinct(ids)
	if len(kept) == 0 {
		return ""
	}
	return asJSON(kept)
}

// distinct is the plausible ones of ids, each once.
func distinct(ids []string) []string {
	seen := make(map[string]bool, len(ids))
	kept := make([]string, 0, len(ids))
	for _, id := range ids {
		if plausible(id) && !seen[id] {
			seen[id] = true
			kept = append(kept, id)
		}
	}
	return kept
}

func asJSON(ids []string) string {
	b, err := json.Marshal(ids)
	if err != nil { // valid strings always encode
		return "[]"
	}
	return string(b)
}

// joinName is how the app shows a person.
func joinName(first, last string) string {
	switch {
	case last == "":
		return first
	case first == "":
		return last
	}
	return first + " " + last
}
