package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Reminders finds what is due in the app's tables and remembers in realtime.reminders what became of it.
type Reminders struct{ s *Store }

// Reminder names one reminder. Its key (appointment, recipient, minutes, start) is sent once; an appointment that is moved
// has another start, and so other reminders.
type Reminder struct {
	TenantID, AppointmentID string

	RecipientID string
	Portal      bool // the recipient is the client's portal user, not the professional

	Minutes int // before the start
	StartAt time.Time
}

// DueAt is when the reminder is to be sent.
func (r Reminder) DueAt() time.Time { return r.StartAt.Add(-time.Duration(r.Minutes) * time.Minute) }

// ReminderOutcome is what became of a reminder.
type ReminderOutcome string

// The outcomes of reminders.
const (
	ReminderArmed ReminderOutcome = "armed" // seen before it was due
	ReminderSent  ReminderOutcome = "sent"  // never changes again
	ReminderLate  ReminderOutcome = "late"  // too late after an outage, or by a clock that was wrong
	ReminderMoot  ReminderOutcome = "moot"  // due before it was booked, moved or asked for
)

// FoundReminder is a reminder that Find saw, and what decides about it.
type FoundReminder struct {
	Reminder

	// ChangedAt is when the appointment, or the wish to be reminded, was last written. That may have moved the
	// reminder's time into the past, or be a change of something else.
	ChangedAt time.Time

	// ArmedAt is when the reminder was first seen, zero if never. Before DueAt it proves that no later change moved it.
	ArmedAt time.Time

	Late        bool   // it was given up as ReminderLate
	TenantTimes string // the tenant's appointmentReminderTimes, as Wishes lists them
}

// ReminderWindow says of one number of minutes before the start which appointments Find looks at: those that start after
// From and not after Until. Those until Due are due, those after Fresh not yet too late.
type ReminderWindow struct {
	Minutes                 int
	From, Fresh, Due, Until time.Time
}

// TenantMinutes says that clients of tenants whose appointmentReminderTimes is Times are reminded Minutes before. Times ""
// is for tenants that have none.
type TenantMinutes struct {
	Times   string
	Minutes int
}

// Wishes lists what is wished for anywhere: the minutes in users' preferences, and the distinct texts in tenants' settings.
func (r *Reminders) Wishes(ctx context.Context) (minutes []int, times []string, err error) {
	s := r.s
	each := `SELECT DISTINCT l.value AS minutes FROM (SELECT DISTINCT "reminderMinutesBefore" AS list FROM ` +
		s.t("user_notification_preferences") + ` WHERE "notifyAppointmentReminder") d, json_each(` + safeJSON("d.list") + `) l
		WHERE typeof(l.value) = 'integer'`
	if s.dialect == Postgres {
		each = `SELECT DISTINCT unnest(d.list) AS minutes FROM (SELECT DISTINCT "reminderMinutesBefore" AS list FROM ` +
			s.t("user_notification_preferences") + ` WHERE "notifyAppointmentReminder") d`
	}
	query := `SELECT minutes, CAST(NULL AS text) AS times FROM (` + each + `) m WHERE minutes BETWEEN 1 AND 43200
		UNION ALL
		SELECT NULL, times FROM (SELECT DISTINCT ` + tenantTimes + ` AS times FROM ` + s.t("notification_settings") + ` ns
			WHERE ns."appointmentReminderEnabled") t`
	var rows []struct {
		Minutes *int    `gorm:"column:minutes"`
		Times   *string `gorm:"column:times"`
	}
	if _, err := s.find(ctx, "reminders.wishes", &rows, query); err != nil {
		return nil, nil, fmt.Errorf("read when to remind: %w", err)
	}
	for _, row := range rows {
		if row.Minutes != nil {
			minutes = append(minutes, *row.Minutes)
		}
		if row.Times != nil {
			times = append(times, *row.Times)
		}
	}
	return minutes, times, nil
}

// tenantTimes is the tenant's text, of notification_settings joined as ns, "" where there is none or it is too long to be one.
const tenantTimes = `coalesce(CASE WHEN length(ns."appointmentReminderTimes") <= 1000 THEN ns."appointmentReminderTimes" END, '')`

// safeJSON is a text column on SQLite for json_each, which stops the statement at what is no JSON.
func safeJSON(column string) string {
	return `CASE WHEN json_valid(` + column + `) THEN ` + column + ` ELSE '[]' END`
}

// foundRow is a row of Find.
type foundRow struct {
	AppointmentID string     `gorm:"column:appointment_id"`
	TenantID      string     `gorm:"column:tenant_id"`
	RecipientID   string     `gorm:"column:recipient_id"`
	Portal        int        `gorm:"column:portal"`
	Minutes       int        `gorm:"column:minutes"`
	StartAt       time.Time  `gorm:"column:start_at"`
	CreatedAt     time.Time  `gorm:"column:created_at"`
	UpdatedAt     time.Time  `gorm:"column:updated_at"`
	WishedAt      *time.Time `gorm:"column:wished_at"`
	ArmedAt       *time.Time `gorm:"column:armed_at"`
	Outcome       *string    `gorm:"column:outcome"`
	Times         string     `gorm:"column:times"`
}

// Find lists at most limit reminders of the windows that are wanted and that something is to be done about, in any order:
// those not seen before, and of the others those that are due and neither sent nor given up for good. It is one
// query, which reads only the appointments of the windows where there is an index on their start
// (recommendedIndexes).
func (r *Reminders) Find(ctx context.Context, windows []ReminderWindow, tenants []TenantMinutes, limit int) ([]FoundReminder, error) {
	w, err := r.windows(windows)
	if err != nil || len(windows) == 0 {
		return nil, err
	}
	t, err := json.Marshal(tenantRows(tenants))
	if err != nil {
		return nil, fmt.Errorf("find reminders: %w", err)
	}
	var rows []foundRow
	if _, err := r.s.find(ctx, "reminders.find", &rows, r.findSQL(r.s.startIndexed(ctx)), w, string(t), limit); err != nil {
		return nil, fmt.Errorf("find reminders: %w", err)
	}
	found := make([]FoundReminder, len(rows))
	for i, row := range rows {
		found[i] = row.found()
	}
	return found, nil
}

func (row foundRow) found() FoundReminder {
	f := FoundReminder{
		Reminder: Reminder{
			TenantID: row.TenantID, AppointmentID: row.AppointmentID, RecipientID: row.RecipientID, Portal: row.Portal == 1,
			Minutes: row.Minutes, StartAt: UTC(row.StartAt),
		},
		Late: or(row.Outcome) == string(ReminderLate), TenantTimes: row.Times,
	}
	for _, t := range []time.Time{row.CreatedAt, row.UpdatedAt, or(row.WishedAt)} {
		if t.After(f.ChangedAt) {
			f.ChangedAt = UTC(t)
		}
	}
	if row.ArmedAt != nil {
		f.ArmedAt = UTC(*row.ArmedAt)
	}
	return f
}

// findSQL takes the windows and the tenants' minutes, each as JSON, and the limit.
func (r *Reminders) findSQL(indexed bool) string {
	s := r.s
	with := `WITH w AS MATERIALIZED (SELECT * FROM jsonb_to_recordset(CAST(? AS jsonb))
			AS w(minutes integer, after timestamp(3), fresh timestamp(3), due timestamp(3), until timestamp(3))),
		x AS MATERIALIZED (SELECT * FROM jsonb_to_recordset(CAST(? AS jsonb)) AS x(times text, minutes integer))`
	listed := `a.minutes = ANY (p."reminderMinutesBefore")`
	if s.dialect == SQLite {
		with = `WITH w AS MATERIALIZED (SELECT json_extract(value, '$.minutes') AS minutes, json_extract(value, '$.after') AS after,
				json_extract(value, '$.fresh') AS fresh, json_extract(value, '$.due') AS due,
				json_extract(value, '$.until') AS until FROM json_each(?)),
			x AS MATERIALIZED (SELECT json_extract(value, '$.times') AS times, json_extract(value, '$.minutes') AS minutes
				FROM json_each(?))`
		listed = `EXISTS (SELECT 1 FROM json_each(` + safeJSON(`p."reminderMinutesBefore"`) + `) l WHERE l.value = a.minutes)`
	}
	with += `,
		near AS MATERIALIZED (SELECT a.id, a."tenantId", a."userId", a."clientId", a."startTime", a."createdAt", a."updatedAt",
			w.minutes, w.fresh, w.due FROM ` + s.near(indexed) + `)`
	professional := recipients{
		id: `u.id`, wishedAt: `p."updatedAt"`, portal: "0",
		from: s.t("users") + ` u LEFT JOIN ` + s.t("user_notification_preferences") + ` p ON p."userId" = u.id`,
		of: `u.id = a."userId" AND u."tenantId" = a."tenantId" AND u."isActive"
			AND (p.id IS NULL AND a.minutes IN (1440, 60) OR p."notifyAppointmentReminder" AND ` + listed + `)`,
	}
	portal := recipients{
		id: `cu.id`, wishedAt: `ns."updatedAt"`, portal: "1",
		from: s.t("client_users") + ` cu JOIN ` + s.t("clients") + ` c ON c.id = cu."clientId" AND c."tenantId" = cu."tenantId"`,
		of: `cu."clientId" = a."clientId" AND cu."tenantId" = a."tenantId" AND cu."isActive"
			AND coalesce(ns."appointmentReminderEnabled", 1 = 1)
			AND EXISTS (SELECT 1 FROM x WHERE x.minutes = a.minutes AND x.times = ` + tenantTimes + `)`,
	}
	return with + s.findPart(professional) + ` UNION ALL` + s.findPart(portal) + ` LIMIT ?`
}

// near joins the windows w with the appointments a in them. PostgreSQL takes a range whose ends it does not know for a large
// one and would plan the rest of the query round that, so these come first (OFFSET 0 keeps them apart): window by window over
// the index, or else all windows' span at once. BenchmarkReminders, 200,000 appointments: 7 ms and 80 ms, where one form
// for both took 0.3 s with the index, or 5.6 s without.
func (s *Store) near(indexed bool) string {
	table, live := s.t("appointments"), `status IN ('PENDING', 'CONFIRMED')`
	switch {
	case s.dialect == SQLite: // CROSS keeps the order (sqlite.org/optoverview.html)
		return `w CROSS JOIN ` + table + ` a ON a."startTime" > w.after AND a."startTime" <= w.until AND a.` + live
	case indexed:
		return `w CROSS JOIN LATERAL (SELECT * FROM ` + table + ` n WHERE n."startTime" > w.after AND n."startTime" <= w.until
			AND n.` + live + ` OFFSET 0) a`
	}
	return `(SELECT * FROM ` + table + ` n WHERE n."startTime" > (SELECT min(after) FROM w)
		AND n."startTime" <= (SELECT max(until) FROM w) AND n.` + live + ` OFFSET 0) a
		JOIN w ON a."startTime" > w.after AND a."startTime" <= w.until`
}

// startIndex remembers whether there is an index on the start of appointments: an operator makes it, or Prisma drops it,
// while the server runs.
type startIndex struct {
	mu        sync.Mutex
	there     bool
	checkedAt time.Time
}

// startIndexEvery is how long the answer is taken for true.
const startIndexEvery = 5 * time.Minute

func (s *Store) startIndexed(ctx context.Context) bool {
	c := &s.startIndex
	c.mu.Lock()
	defer c.mu.Unlock()
	if age := s.now().Sub(c.checkedAt); age >= 0 && age < startIndexEvery {
		return c.there
	}
	have, there, err := s.lookUp(ctx, appointmentsByStart)
	if err == nil {
		c.there, c.checkedAt = there && have.valid, s.now()
	}
	return c.there
}

// recipients is a kind of recipient in SQL: whose rows they are, and which are those of the appointment a that want it.
type recipients struct{ id, wishedAt, portal, from, of string }

// findPart is the reminders of one kind of recipient. PostgreSQL looks each one up (OFFSET 0, as in near): by its guess of
// how many there are it would read all clients and all old reminders.
func (s *Store) findPart(who recipients) string {
	key := `r.appointment_id = a.id AND r.recipient_id = ` + who.id + ` AND r.minutes = a.minutes AND r.start_at = a."startTime"`
	joins, where := `, `+who.from+` LEFT JOIN `+s.t("realtime.reminders")+` r ON `+key, who.of+` AND `
	if s.dialect == Postgres {
		key = strings.Replace(key, who.id, `who.id`, 1)
		joins = ` CROSS JOIN LATERAL (SELECT ` + who.id + ` AS id, ` + who.wishedAt + ` AS wished_at FROM ` + who.from + `
				WHERE ` + who.of + ` OFFSET 0) who
			LEFT JOIN LATERAL (SELECT armed_at, outcome FROM ` + s.t("realtime.reminders") + ` r WHERE ` + key + ` OFFSET 0) r ON true`
		who.id, who.wishedAt, where = `who.id`, `who.wished_at`, ``
	}
	return `
		SELECT a.id AS appointment_id, a."tenantId" AS tenant_id, ` + who.id + ` AS recipient_id, ` + who.portal + ` AS portal,
			a.minutes AS minutes, a."startTime" AS start_at, a."createdAt" AS created_at, a."updatedAt" AS updated_at,
			` + who.wishedAt + ` AS wished_at, r.armed_at AS armed_at, r.outcome AS outcome, ` + tenantTimes + ` AS times
		FROM near a JOIN ` + s.t("tenants") + ` t ON t.id = a."tenantId" AND t."isActive"
		LEFT JOIN ` + s.t("notification_settings") + ` ns ON ns."tenantId" = a."tenantId"` + joins + `
		WHERE ` + where + `(r.outcome IS NULL OR a."startTime" <= a.due
			AND (r.outcome = 'armed' OR r.outcome = 'late' AND a."startTime" > a.fresh))`
}

// windows is the JSON of findSQL's first parameter.
func (r *Reminders) windows(windows []ReminderWindow) (string, error) {
	type row struct {
		Minutes int    `json:"minutes"`
		After   string `json:"after"`
		Fresh   string `json:"fresh"`
		Due     string `json:"due"`
		Until   string `json:"until"`
	}
	rows := make([]row, len(windows))
	for i, w := range windows {
		rows[i] = row{w.Minutes, r.s.timeText(w.From), r.s.timeText(w.Fresh), r.s.timeText(w.Due), r.s.timeText(w.Until)}
	}
	b, err := json.Marshal(rows)
	if err != nil {
		return "", fmt.Errorf("find reminders: %w", err)
	}
	return string(b), nil
}

type tenantRow struct {
	Times   string `json:"times"`
	Minutes int    `json:"minutes"`
}

func tenantRows(tenants []TenantMinutes) []tenantRow {
	rows := make([]tenantRow, len(tenants))
	for i, t := range tenants {
		rows[i] = tenantRow(t)
	}
	return rows
}

// Claim takes a reminder for sending, in the transaction of the notification's row: true for one caller alone, whoever
// else tries. It is false, too, when the appointment has been moved, cancelled or deleted since it was found.
func (r *Reminders) Claim(ctx context.Context, m Reminder, now time.Time) (bool, error) {
	s, now := r.s, UTC(now)
	statement := `INSERT INTO ` + s.t("realtime.reminders") + ` AS r
			(appointment_id, recipient_id, minutes, start_at, outcome, armed_at, settled_at)
		SELECT a.id, ` + s.param("text") + `, ` + s.param("integer") + `, a."startTime", 'sent', ` + s.param("timestamp") + `,
			` + s.param("timestamp") + ` FROM ` + s.t("appointments") + ` a
		WHERE a.id = ? AND a."tenantId" = ? AND a."startTime" = ? AND a.status IN ('PENDING', 'CONFIRMED')
		ON CONFLICT (appointment_id, recipient_id, minutes, start_at)
			DO UPDATE SET outcome = excluded.outcome, settled_at = excluded.settled_at WHERE r.outcome <> 'sent'`
	n, err := s.exec(ctx, "reminders.claim", statement, m.RecipientID, m.Minutes, now, now, m.AppointmentID, m.TenantID,
		UTC(m.StartAt))
	if err != nil {
		return false, fmt.Errorf("claim a reminder: %w", err)
	}
	return n == 1, nil
}

// Settle notes the outcome of reminders in one statement, and returns of how many it is news. What was sent stays sent,
// and what was seen before is not armed anew.
func (r *Reminders) Settle(ctx context.Context, outcome ReminderOutcome, list []Reminder, now time.Time) (int64, error) {
	if len(list) == 0 {
		return 0, nil
	}
	s := r.s
	body, err := s.reminderKeys(list)
	if err != nil {
		return 0, err
	}
	source := `SELECT json_extract(value, '$.a') AS a, json_extract(value, '$.r') AS r, json_extract(value, '$.m') AS m,
		json_extract(value, '$.s') AS s FROM json_each(?)`
	if s.dialect == Postgres {
		source = `SELECT * FROM jsonb_to_recordset(CAST(? AS jsonb)) AS k(a text, r text, m integer, s timestamp(3))`
	}
	settled, conflict := s.param("timestamp"), `DO UPDATE SET outcome = excluded.outcome, settled_at = excluded.settled_at
			WHERE o.outcome <> 'sent' AND o.outcome <> excluded.outcome`
	args := []any{string(outcome), UTC(now), UTC(now), body}
	if outcome == ReminderArmed {
		settled, conflict, args = `NULL`, `DO NOTHING`, []any{string(outcome), UTC(now), body}
	}
	n, err := s.exec(ctx, "reminders.settle", `INSERT INTO `+s.t("realtime.reminders")+` AS o
			(appointment_id, recipient_id, minutes, start_at, outcome, armed_at, settled_at)
		SELECT k.a, k.r, k.m, k.s, `+s.param("text")+`, `+s.param("timestamp")+`, `+settled+` FROM (`+source+`) k WHERE true
		ON CONFLICT (appointment_id, recipient_id, minutes, start_at) `+conflict, args...)
	if err != nil {
		return 0, fmt.Errorf("note what became of reminders: %w", err)
	}
	return n, nil
}

// reminderKeys is the JSON of keys, in one order, so that two nodes that settle the same ones cannot wait for each other.
func (s *Store) reminderKeys(list []Reminder) (string, error) {
	type key struct {
		A string `json:"a"`
		R string `json:"r"`
		M int    `json:"m"`
		S string `json:"s"`
	}
	keys := make([]key, len(list))
	for i, m := range list {
		keys[i] = key{m.AppointmentID, m.RecipientID, m.Minutes, s.timeText(m.StartAt)}
	}
	slices.SortFunc(keys, func(x, y key) int {
		return cmp.Or(cmp.Compare(x.A, y.A), cmp.Compare(x.R, y.R), cmp.Compare(x.M, y.M), cmp.Compare(x.S, y.S))
	})
	b, err := json.Marshal(keys)
	if err != nil {
		return "", fmt.Errorf("note what became of reminders: %w", err)
	}
	return string(b), nil
}

// LastWork is when a reminder was last armed, sent or given up, by whichever node; zero for never.
func (r *Reminders) LastWork(ctx context.Context) (time.Time, error) {
	type times struct {
		ArmedAt   time.Time  `gorm:"column:armed_at"`
		SettledAt *time.Time `gorm:"column:settled_at"`
	}
	var last time.Time
	for _, column := range []string{"armed_at", "settled_at"} {
		var rows []times
		// Not max(): on SQLite its result has no type that the driver would read as a time.
		_, err := r.s.find(ctx, "reminders.last_work", &rows, `SELECT armed_at, settled_at FROM `+r.s.t("realtime.reminders")+`
			WHERE `+column+` IS NOT NULL ORDER BY `+column+` DESC LIMIT 1`)
		if err != nil {
			return time.Time{}, fmt.Errorf("read when reminders were last seen to: %w", err)
		}
		for _, row := range rows {
			if row.ArmedAt.After(last) {
				last = UTC(row.ArmedAt)
			}
			if at := or(row.SettledAt); at.After(last) {
				last = UTC(at)
			}
		}
	}
	return last, nil
}

// Prune forgets at most limit reminders of appointments that were to start before the time given, and returns how many.
func (r *Reminders) Prune(ctx context.Context, before time.Time, limit int) (int64, error) {
	s, row := r.s, "rowid"
	if s.dialect == Postgres {
		row = "ctid"
	}
	table := s.t("realtime.reminders")
	n, err := s.exec(ctx, "reminders.prune", `DELETE FROM `+table+` WHERE `+row+` IN (SELECT `+row+` FROM `+table+`
		WHERE start_at < ? ORDER BY start_at LIMIT ?)`, UTC(before), limit)
	if err != nil {
		return 0, fmt.Errorf("forget old reminders: %w", err)
	}
	return n, nil
}
