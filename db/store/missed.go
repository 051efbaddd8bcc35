package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/citaplanner/realtime/db/models"
)

// Absence is whose notifications are asked for, and since when.
type Absence struct {
	Owner
	Since time.Time
}

// Missed are the unread notifications that this server stored for owners after Since: of each the newest limit, oldest
// first. An owner who has push notifications switched off (contract/events.md) has none: they would not have been sent.
// One query for users, one for portal users; each owner comes once.
func (n *Notifications) Missed(ctx context.Context, absences []Absence, limit int) (map[Owner][]models.NotificationLog, error) {
	missed := map[Owner][]models.NotificationLog{}
	var users, portals []Absence
	for _, a := range absences {
		switch {
		case !plausible(a.TenantID, a.ID):
		case a.Portal:
			portals = append(portals, a)
		default:
			users = append(users, a)
		}
	}
	if err := n.addMissed(ctx, missed, users, limit, `l."userId" = e.u`); err != nil {
		return nil, err
	}
	if err := n.addMissed(ctx, missed, portals, limit, `l."userId" IS NULL AND l."recipientId" = e.u`); err != nil {
		return nil, err
	}
	return missed, nil
}

func (n *Notifications) addMissed(
	ctx context.Context, missed map[Owner][]models.NotificationLog, absences []Absence, limit int, own string,
) error {
	if len(absences) == 0 {
		return nil
	}
	type entry struct {
		N int    `json:"n"`
		U string `json:"u"`
		T string `json:"t"`
		A string `json:"a"`
	}
	list := make([]entry, len(absences))
	for i, a := range absences {
		list[i] = entry{i, a.ID, a.TenantID, n.s.timeText(a.Since)}
	}
	body, err := json.Marshal(list)
	if err != nil {
		return fmt.Errorf("load missed notifications: %w", err)
	}
	source := `jsonb_to_recordset(CAST(? AS jsonb)) AS e(n integer, u text, t text, a timestamp(3))`
	if n.s.dialect == SQLite {
		source = `(SELECT json_extract(value, '$.n') AS n, json_extract(value, '$.u') AS u, json_extract(value, '$.t') AS t,
			json_extract(value, '$.a') AS a FROM json_each(?)) e`
	}
	var rows []struct {
		Place int `gorm:"column:owner"`

		models.NotificationLog
	}
	// Ranked, not one LIMIT for each: where the index of `migrate --indexes` is missing, the table is read once for all.
	_, err = n.s.find(ctx, "notifications.missed", &rows, `SELECT owner, id, type, message, metadata, "tenantId", "createdAt" FROM (
			SELECT e.n AS owner, l.id, CAST(l.type AS text) AS type, l.message, l.metadata, l."tenantId", l."createdAt",
				row_number() OVER (PARTITION BY e.n ORDER BY l."createdAt" DESC, l.id DESC) AS place
			FROM `+source+` JOIN `+n.s.t("notification_logs")+` l ON `+own+` AND l."tenantId" = e.t AND l."createdAt" > e.a
			LEFT JOIN `+n.s.t("user_notification_preferences")+` p ON p."userId" = l."userId"
			WHERE l."readAt" IS NULL AND l.metadata LIKE '%"isRealtime":true%' AND p."enablePushNotifications" IS NOT FALSE
		) m WHERE place <= ? ORDER BY owner, "createdAt", id`, string(body), limit)
	if err != nil {
		return fmt.Errorf("load missed notifications: %w", err)
	}
	for _, r := range rows {
		o := absences[r.Place].Owner
		missed[o] = append(missed[o], r.NotificationLog)
	}
	return nil
}
