package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/citaplanner/realtime/db/models"
)

// Owner is whose rows of notification_logs are meant. Those of a row of users have its id as userId; those of a portal
// user (client_users) have no userId, which the foreign key forbids, but the id as recipientId.
type Owner struct {
	TenantID, ID string
	Portal       bool
}

// Page says which of an owner's notifications are wanted, newest first.
type Page struct {
	Unread, Read bool // only those; at most one of them
	// Type: only of this event type, or with this label where a row has no event type; empty: all. Valid UTF-8 without NUL.
	Type     string
	Before   time.Time // only those behind the row with this createdAt and BeforeID; zero: from the newest on
	BeforeID string    // valid UTF-8 without NUL
	Offset   int
	Limit    int
}

// own is the condition that a row is the owner's, for the planner to see: an OR over both forms would use no index.
func (o Owner) own() (string, []any) {
	if o.Portal {
		return `"userId" IS NULL AND "recipientId" = ? AND "tenantId" = ?`, []any{o.ID, o.TenantID}
	}
	return `"userId" = ? AND "tenantId" = ?`, []any{o.ID, o.TenantID}
}

// filter is own and the conditions of a page, but for its place.
func (n *Notifications) filter(o Owner, p Page) (string, []any) {
	where, args := o.own()
	if p.Unread {
		where += ` AND "readAt" IS NULL`
	}
	if p.Read {
		where += ` AND "readAt" IS NOT NULL`
	}
	if p.Type == "" {
		return where, args
	}
	// metadata is text that need not be JSON, so that it cannot be cast. Whoever writes an eventType writes it so, and before
	// the data, which may hold a member of that name, too: the first one counts.
	at := `strpos(metadata, ?)`
	if n.s.dialect == SQLite {
		at = `instr(metadata, ?)`
	}
	const member = `"eventType":"`
	where += ` AND (` + at + ` = nullif(` + at + `, 0) OR CAST(type AS text) = ? AND coalesce(` + at + `, 0) = 0)`
	return where, append(args, `"eventType":`+jsonText(p.Type), member, p.Type, member)
}

// jsonText is a text as the rows' writers, JSON.stringify among them, write it into JSON: with <, > and & as they are.
func jsonText(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string, into memory: cannot fail
	return strings.TrimSuffix(b.String(), "\n")
}

// shown selects the rows of a condition with the columns that an inbox shows, and no others: who a row went to is in it,
// too, with the email address.
func (n *Notifications) shown(where string) string {
	return `SELECT id, type, channel, message, metadata, status, "readAt", "createdAt", "appointmentId"
		FROM ` + n.s.t("notification_logs") + ` WHERE ` + where
}

// List returns a page of the owner's notifications, newest first; rows of the same millisecond by descending id.
func (n *Notifications) List(ctx context.Context, o Owner, p Page) ([]models.NotificationLog, error) {
	if !plausible(o.TenantID, o.ID) {
		return nil, nil
	}
	where, args := n.filter(o, p)
	if !p.Before.IsZero() {
		// The first comparison says nothing new; it is what the index ("userId", "createdAt") can be entered with.
		where += ` AND "createdAt" <= ` + n.s.param("timestamp") + ` AND ("createdAt", id) < (` + n.s.param("timestamp") + `, ?)`
		before := UTC(p.Before)
		args = append(args, before, before, p.BeforeID)
	}
	var rows []models.NotificationLog
	_, err := n.s.find(ctx, "notifications.list", &rows,
		n.shown(where)+` ORDER BY "createdAt" DESC, id DESC LIMIT ? OFFSET ?`, append(args, p.Limit, p.Offset)...)
	if err != nil {
		return nil, fmt.Errorf("list notifications: %w", err)
	}
	return rows, nil
}

// Count is how many notifications a page's conditions match, wherever the page begins.
func (n *Notifications) Count(ctx context.Context, o Owner, p Page) (int64, error) {
	if !plausible(o.TenantID, o.ID) {
		return 0, nil
	}
	where, args := n.filter(o, p)
	var rows []struct {
		N int64 `gorm:"column:n"`
	}
	_, err := n.s.find(ctx, "notifications.count", &rows,
		`SELECT count(*) AS n FROM `+n.s.t("notification_logs")+` WHERE `+where, args...)
	if err != nil {
		return 0, fmt.Errorf("count notifications: %w", err)
	}
	return rows[0].N, nil
}

// One is a notification of the owner, or nil.
func (n *Notifications) One(ctx context.Context, o Owner, id string) (*models.NotificationLog, error) {
	if !plausible(o.TenantID, o.ID, id) {
		return nil, nil
	}
	own, args := o.own()
	var rows []models.NotificationLog
	_, err := n.s.find(ctx, "notifications.one", &rows, n.shown(`id = ? AND `+own), append([]any{id}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("load notification: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	return &rows[0], nil
}

// MarkRead gives a notification of the owner its readAt and reports whether there is one. A row that was read before
// keeps its first time.
func (n *Notifications) MarkRead(ctx context.Context, o Owner, id string) (bool, error) {
	if !plausible(o.TenantID, o.ID, id) {
		return false, nil
	}
	now := n.s.now()
	own, args := o.own()
	count, err := n.s.exec(ctx, "notifications.mark_read", `UPDATE `+n.s.t("notification_logs")+`
		SET "updatedAt" = CASE WHEN "readAt" IS NULL THEN `+n.s.param("timestamp")+` ELSE "updatedAt" END,
			"readAt" = coalesce("readAt", ?)
		WHERE id = ? AND `+own, append([]any{now, now, id}, args...)...)
	if err != nil {
		return false, fmt.Errorf("mark notification as read: %w", err)
	}
	return count > 0, nil
}

// MarkAllRead gives all unread notifications of the owner readAt and returns how many there were.
func (n *Notifications) MarkAllRead(ctx context.Context, o Owner) (int64, error) {
	if !plausible(o.TenantID, o.ID) {
		return 0, nil
	}
	now := n.s.now()
	own, args := o.own()
	count, err := n.s.exec(ctx, "notifications.mark_all_read", `UPDATE `+n.s.t("notification_logs")+`
		SET "readAt" = ?, "updatedAt" = ? WHERE "readAt" IS NULL AND `+own, append([]any{now, now}, args...)...)
	if err != nil {
		return 0, fmt.Errorf("mark all notifications as read: %w", err)
	}
	return count, nil
}

// Present lists those of ids whose rows are still there, in one query, whoever they belong to.
func (n *Notifications) Present(ctx context.Context, ids []string) (map[string]bool, error) {
	list := idList(ids)
	if list == "" {
		return map[string]bool{}, nil
	}
	var found []string
	_, err := n.s.find(ctx, "notifications.present", &found,
		`SELECT id FROM `+n.s.t("notification_logs")+` WHERE id `+n.s.inIDs(), list)
	if err != nil {
		return nil, fmt.Errorf("look for notifications: %w", err)
	}
	present := make(map[string]bool, len(found))
	for _, id := range found {
		present[id] = true
	}
	return present, nil
}

// Delete removes a notification of the owner and reports whether there was one.
func (n *Notifications) Delete(ctx context.Context, o Owner, id string) (bool, error) {
	if !plausible(o.TenantID, o.ID, id) {
		return false, nil
	}
	own, args := o.own()
	count, err := n.s.exec(ctx, "notifications.delete",
		`DELETE FROM `+n.s.t("notification_logs")+` WHERE id = ? AND `+own, append([]any{id}, args...)...)
	if err != nil {
		return false, fmt.Errorf("delete notification: %w", err)
	}
	return count > 0, nil
}

// TypeCount is how many of an owner's notifications have an event type; where Event is empty, how many without one have
// a label.
type TypeCount struct {
	Event  string `gorm:"column:event"` // as it stands in the JSON text, without its quotes
	Label  string `gorm:"column:label"`
	Total  int64  `gorm:"column:total"`
	Unread int64  `gorm:"column:unread"`
	Recent int64  `gorm:"column:recent"` // created since the time asked for
}

// Stats counts the owner's notifications by type.
func (n *Notifications) Stats(ctx context.Context, o Owner, since time.Time) ([]TypeCount, error) {
	if !plausible(o.TenantID, o.ID) {
		return nil, nil
	}
	event := `coalesce(substring(metadata from '"eventType"\s*:\s*"([^"\\]*)"'), '')`
	if n.s.dialect == SQLite {
		event = `coalesce(CASE WHEN json_valid(metadata) AND json_type(metadata, '$.eventType') = 'text'
			THEN trim(json_extract(metadata, '$.eventType')) END, '')`
	}
	own, args := o.own()
	var rows []TypeCount
	_, err := n.s.find(ctx, "notifications.stats", &rows,
		`SELECT event, CASE WHEN event = '' THEN label ELSE '' END AS label, count(*) AS total,
			sum(CASE WHEN "readAt" IS NULL THEN 1 ELSE 0 END) AS unread, sum(CASE WHEN "createdAt" >= `+n.s.param("timestamp")+`
			THEN 1 ELSE 0 END) AS recent
		FROM (SELECT `+event+` AS event, CAST(type AS text) AS label, "readAt", "createdAt" FROM `+n.s.t("notification_logs")+`
			WHERE `+own+`) AS rows GROUP BY 1, 2`, append([]any{UTC(since)}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("count notifications by type: %w", err)
	}
	return rows, nil
}
