package inbox

import (
	"context"
	"log/slog"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

// maxID is the longest id taken, in bytes; ids of the app are cuids of 25.
const maxID = 200

// What a person may get to read is in Spanish, as everywhere in the app.
const (
	textBadID    = "Identificador de notificación inválido"
	textNotFound = "Notificación no encontrada"
)

// Broadcaster sends to the sockets of a user that signed in under a tenant. The hub satisfies it.
type Broadcaster interface {
	ToUser(ctx context.Context, tenantID, userID, event string, payload any) (int, error)
}

// User is who is signed in: a row of users, or of client_users (Portal). identity.User.Owner makes it.
type User = store.Owner

// Options of New; the zero value is usable.
type Options struct {
	Now     func() time.Time // nil is time.Now
	NewID   func() string    // ids of rows; nil is UUID version 7
	Logger  *slog.Logger     // nil discards
	Metrics *Metrics         // nil counts, unregistered
}

// Inbox is safe for use by many goroutines.
type Inbox struct {
	st   *store.Store
	out  Broadcaster
	opts Options
}

// New returns an inbox that works.
func New(st *store.Store, b Broadcaster, o Options) *Inbox {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = func() string { return uuid.Must(uuid.NewV7()).String() } // fails only where crypto/rand would panic
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	return &Inbox{st: st, out: b, opts: o}
}

// MarkRead gives one notification of the user its readAt (a second read keeps the first time) and sends
// notification:read:success to the user's sockets. CodeInvalid when the id can be none, CodeNotFound when there is no
// such notification, or it is somebody else's; both messages may be shown.
func (i *Inbox) MarkRead(ctx context.Context, u User, notificationID string) error {
	if err := one(ctx, u, notificationID, i.st.Notifications.MarkRead); err != nil {
		return err
	}
	i.opts.Metrics.read.Inc()
	i.tell(ctx, u, contract.EventNotificationReadSuccess, contract.NotificationRead{NotificationID: notificationID})
	return nil
}

// one does to a notification what do does, which reports whether the user has it.
func one(ctx context.Context, u User, notificationID string, do func(context.Context, User, string) (bool, error)) error {
	if !plausible(notificationID) {
		return contract.InvalidField("notificationId", textBadID)
	}
	switch found, err := do(ctx, u, notificationID); {
	case err != nil:
		return err
	case !found:
		return contract.NewError(contract.CodeNotFound, textNotFound)
	}
	return nil
}

// MarkAllRead does the same for all unread notifications of the user in the tenant, and returns how many there were.
func (i *Inbox) MarkAllRead(ctx context.Context, u User) (int64, error) {
	count, err := i.st.Notifications.MarkAllRead(ctx, u)
	if err != nil {
		return 0, err
	}
	i.opts.Metrics.read.Add(float64(count))
	i.tell(ctx, u, contract.EventNotificationReadAllSuccess, contract.NotificationReadAll{Count: count})
	return count, nil
}

// Read is MarkRead for who wants to see the notification afterwards.
func (i *Inbox) Read(ctx context.Context, u User, notificationID string) (contract.InboxItem, error) {
	if err := i.MarkRead(ctx, u, notificationID); err != nil {
		return contract.InboxItem{}, err
	}
	row, err := i.st.Notifications.One(ctx, u, notificationID)
	switch {
	case err != nil:
		return contract.InboxItem{}, err
	case row == nil: // deleted a moment ago
		return contract.InboxItem{}, contract.NewError(contract.CodeNotFound, textNotFound)
	}
	return itemOf(*row), nil
}

// Delete removes one notification of the user and sends notification:deleted to the user's sockets. Errors are those of
// MarkRead.
func (i *Inbox) Delete(ctx context.Context, u User, notificationID string) error {
	if err := one(ctx, u, notificationID, i.st.Notifications.Delete); err != nil {
		return err
	}
	i.opts.Metrics.deleted.Inc()
	i.tell(ctx, u, contract.EventNotificationDeleted, contract.NotificationRead{NotificationID: notificationID})
	return nil
}

// tell sends to the user's sockets. The row is written by then, so that an error changes nothing for the caller, and a
// caller who has gone does not keep the other devices from hearing it.
func (i *Inbox) tell(ctx context.Context, u User, event string, payload any) {
	if _, err := i.out.ToUser(context.WithoutCancel(ctx), u.TenantID, u.ID, event, payload); err != nil {
		i.opts.Metrics.unsent.Inc()
		i.opts.Logger.ErrorContext(ctx, "an event could not be sent", slog.String("event", event), slog.Any("error", err))
	}
}

// plausible keeps out what PostgreSQL would refuse (broken UTF-8, U+0000) and what is no id.
func plausible(id string) bool {
	if id == "" || len(id) > maxID || !utf8.ValidString(id) {
		return false
	}
	for n := range len(id) {
		if id[n] < 0x20 || id[n] == 0x7f {
			return false
		}
	}
	return true
}
