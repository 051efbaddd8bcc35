package inbox

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

// Bounds of a list (contract/http.md).
const (
	DefaultLimit = 20
	MaxLimit     = 100
	// maxPage bounds what a page number makes the database pass over; a cursor has no such bound.
	maxPage = 100_000
	// maxType is the longest type asked for, in bytes.
	maxType = 200
)

// recent is what recentCount counts.
const recent = 24 * time.Hour

// Query is which notifications a list shows.
type Query struct {
	Page, Limit  int    // from 1; 0 is the default: 1 and DefaultLimit
	Unread, Read bool   // only those
	Type         string // only of this type, as the list shows it
	Cursor       string // Pagination.NextCursor of the page before; Page does not count then
}

// List returns a page. Errors are CodeInvalid and name the parameter.
func (i *Inbox) List(ctx context.Context, u User, q Query) (contract.InboxList, error) {
	page, err := q.page()
	if err != nil {
		return contract.InboxList{}, err
	}
	limit := page.Limit
	page.Limit++ // one more tells whether there is a next page
	rows, err := i.st.Notifications.List(ctx, u, page)
	if err != nil {
		return contract.InboxList{}, err
	}
	out := contract.InboxList{Notifications: make([]contract.InboxItem, 0, len(rows)), Pagination: contract.Pagination{Page: max(q.Page, 1), Limit: limit}}
	if more := len(rows) > limit; more {
		rows = rows[:limit]
		next := cursorOf(rows[limit-1])
		out.Pagination.NextCursor = &next
	}
	for _, r := range rows {
		out.Notifications = append(out.Notifications, itemOf(r))
	}
	total := int64(len(rows))
	if out.Pagination.NextCursor != nil || q.Cursor != "" || page.Offset > 0 { // else all there is was seen
		if total, err = i.st.Notifications.Count(ctx, u, page); err != nil {
			return contract.InboxList{}, err
		}
	}
	out.Pagination.Total = total
	out.Pagination.Pages = (total + int64(limit) - 1) / int64(limit)
	return out, nil
}

// Stats counts a user's notifications.
func (i *Inbox) Stats(ctx context.Context, u User) (contract.InboxStats, error) {
	counts, err := i.st.Notifications.Stats(ctx, u, i.opts.Now().Add(-recent))
	if err != nil {
		return contract.InboxStats{}, err
	}
	out := contract.InboxStats{ByType: make(map[string]int64, len(counts))}
	for _, c := range counts {
		name := c.Event
		if name == "" {
			name = c.Label
		}
		out.ByType[name] += c.Total
		out.TotalCount += c.Total
		out.UnreadCount += c.Unread
		out.RecentCount += c.Recent
	}
	return out, nil
}

// page checks a query.
func (q Query) page() (store.Page, error) {
	p := store.Page{Unread: q.Unread, Read: q.Read, Type: q.Type, Limit: q.Limit}
	if p.Limit == 0 {
		p.Limit = DefaultLimit
	}
	switch {
	case p.Limit < 1 || p.Limit > MaxLimit:
		return p, contract.InvalidField("limit", "limit must be 1 to "+strconv.Itoa(MaxLimit))
	case q.Page < 0 || q.Page > maxPage:
		return p, contract.InvalidField("page", "page must be 1 to "+strconv.Itoa(maxPage))
	case q.Unread && q.Read:
		return p, contract.InvalidField("read", "unread and read exclude each other")
	case q.Type != "" && (len(q.Type) > maxType || !plausible(q.Type)):
		return p, contract.InvalidField("type", "type is none that a notification can have")
	}
	if q.Cursor == "" {
		p.Offset = (max(q.Page, 1) - 1) * p.Limit
		return p, nil
	}
	var ok bool
	if p.Before, p.BeforeID, ok = readCursor(q.Cursor); !ok {
		return p, contract.InvalidField("cursor", "cursor is none that this server made")
	}
	return p, nil
}

// A cursor names the last row of a page: what comes behind it stays the same whatever arrives before it. It only ever
// narrows the user's own rows, so that a made-up one shows nothing of anybody else's.
const cursorVersion = "1."

func cursorOf(r models.NotificationLog) string {
	return base64.RawURLEncoding.EncodeToString([]byte(cursorVersion + strconv.FormatInt(r.CreatedAt.UnixMilli(), 10) + "." + r.ID))
}

func readCursor(s string) (at time.Time, id string, ok bool) {
	if len(s) > 2*maxID {
		return at, "", false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || base64.RawURLEncoding.EncodeToString(b) != s { // Go passes over line ends
		return at, "", false
	}
	rest, ok := strings.CutPrefix(string(b), cursorVersion)
	ms, id, cut := strings.Cut(rest, ".")
	n, err := strconv.ParseInt(ms, 10, 64)
	const year9999 = 253402300799999            // the last millisecond that both databases can compare
	canonical := ms == strconv.FormatInt(n, 10) // no leading zeros, no sign
	if !ok || !cut || err != nil || !canonical || n < 0 || n > year9999 || !plausible(id) {
		return at, "", false
	}
	return time.UnixMilli(n).UTC(), id, true
}

// itemOf is the one mapping from a row to what the front end sees.
func itemOf(r models.NotificationLog) contract.InboxItem {
	item := contract.InboxItem{ID: r.ID, Type: r.Type, Channel: r.Channel, Message: r.Message, Status: r.Status,
		CreatedAt: contract.At(r.CreatedAt), AppointmentID: r.AppointmentID}
	if r.ReadAt != nil {
		at := contract.At(*r.ReadAt)
		item.ReadAt = &at
	}
	if r.Metadata == nil {
		return item
	}
	// Rows of other parts of the app hold other JSON, or text that is none: what is no object is shown as null.
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(*r.Metadata), &object) != nil || object == nil {
		return item
	}
	item.Metadata = json.RawMessage(*r.Metadata)
	var event string
	if json.Unmarshal(object["eventType"], &event) == nil && event != "" {
		item.Type = event
	}
	return item
}
