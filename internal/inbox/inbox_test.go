package inbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/inbox"
	"github.com/citaplanner/realtime/pkg/contract"
)

// recorder is a Broadcaster that encodes what it is given and keeps it.
type recorder struct {
	list []string
	fail error
}

func (r *recorder) ToUser(ctx context.Context, tenantID, userID, event string, payload any) (int, error) {
	if err := errors.Join(r.fail, ctx.Err()); err != nil {
		return 0, err
	}
	b, err := json.Marshal(payload)
	r.list = append(r.list, userID+" of "+tenantID+": "+event+" "+string(b))
	return 1, err
}

func (r *recorder) take() []string {
	list := r.list
	r.list = nil
	return list
}

type scene struct {
	*inbox.Inbox

	world *dbtest.World
	a, b  dbtest.Tenant
	out   *recorder
}

func each(t *testing.T, fn func(t *testing.T, s *scene)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		s := &scene{world: dbtest.Seed(t, st), out: &recorder{}}
		s.a, s.b = s.world.A, s.world.B
		s.Inbox = inbox.New(st, s.out, inbox.Options{})
		fn(t, s)
	})
}

// add stores an unread notification; portal users are not in users.
func (s *scene) add(id, tenantID, userID string, portal bool) {
	row := models.NotificationLog{
		ID: id, Type: "PROMOTION", Channel: "PUSH", RecipientID: userID, RecipientName: "x", RecipientContact: "x",
		Message: "m", Status: "SENT", TenantID: tenantID, CreatedAt: dbtest.Now, UpdatedAt: dbtest.Now,
	}
	if !portal {
		row.UserID = &userID
	}
	s.world.Insert(&row)
}

func (s *scene) readAt(id string) *time.Time {
	for _, r := range s.world.Notifications() {
		if r.ID == id {
			return r.ReadAt
		}
	}
	return nil
}

func TestReadingOneTellsTheUsersDevicesAndKeepsTheFirstTime(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		me := inbox.User{TenantID: s.a.ID, ID: s.a.Admin}
		s.add("n", s.a.ID, s.a.Admin, false)
		require.NoError(t, s.MarkRead(t.Context(), me, "n"))
		first := s.readAt("n")
		require.NotNil(t, first)
		require.NoError(t, s.MarkRead(t.Context(), me, "n"))
		require.Equal(t, first, s.readAt("n"))
		const told = `a-admin of tenant-a: notification:read:success {"notificationId":"n"}`
		require.Equal(t, []string{told, told}, s.out.take())
	})
}

func TestAPortalUserReadsTheirOwn(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		me := inbox.User{TenantID: s.a.ID, ID: s.a.Portal, Portal: true}
		s.add("one", s.a.ID, s.a.Portal, true)
		s.add("two", s.a.ID, s.a.Portal, true)
		require.NoError(t, s.MarkRead(t.Context(), me, "one"))
		count, err := s.MarkAllRead(t.Context(), me)
		require.NoError(t, err)
		require.EqualValues(t, 1, count)
		require.Equal(t, []string{
			`a-portal of tenant-a: notification:read:success {"notificationId":"one"}`,
			`a-portal of tenant-a: notification:read:all:success {"count":1}`,
		}, s.out.take())
	})
}

func TestWhatIsNotTheUsersIsNotFoundAndStaysUnread(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		s.add("colleague's", s.a.ID, s.a.Admin2, false)
		s.add("portal's", s.a.ID, s.a.Portal, true)
		s.add("other tenant's", s.b.ID, s.b.Admin, false)
		s.add("old tenant's", s.b.ID, s.a.Admin, false) // the user was moved
		for _, id := range []string{"colleague's", "portal's", "other tenant's", "old tenant's", "nothing"} {
			err := s.MarkRead(t.Context(), inbox.User{TenantID: s.a.ID, ID: s.a.Admin}, id)
			require.Equal(t, contract.NewError(contract.CodeNotFound, "Notificación no encontrada"), err, id)
			require.Nil(t, s.readAt(id))
		}
		require.Empty(t, s.out.take())
		count, err := s.MarkAllRead(t.Context(), inbox.User{TenantID: s.a.ID, ID: s.a.Admin})
		require.NoError(t, err)
		require.Zero(t, count)
		require.Nil(t, s.readAt("old tenant's"))
		require.Equal(t, []string{`a-admin of tenant-a: notification:read:all:success {"count":0}`}, s.out.take())
	})
}

func TestAllUnreadOfThisUserInThisTenantAreReadOnce(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		me := inbox.User{TenantID: s.a.ID, ID: s.a.Admin}
		for _, id := range []string{"1", "2", "3"} {
			s.add(id, s.a.ID, s.a.Admin, false)
		}
		s.add("colleague's", s.a.ID, s.a.Admin2, false)
		require.NoError(t, s.MarkRead(t.Context(), me, "1"))
		first := s.readAt("1")
		count, err := s.MarkAllRead(t.Context(), me)
		require.NoError(t, err)
		require.EqualValues(t, 2, count)
		require.Equal(t, first, s.readAt("1"))
		require.NotNil(t, s.readAt("3"))
		require.Nil(t, s.readAt("colleague's"))
	})
}

func TestAnIdThatCanBeNoneIsInvalid(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		for _, id := range []string{"", strings.Repeat("x", 201), "a\x00b", "\xff", "line\nbreak"} {
			err := s.MarkRead(t.Context(), inbox.User{TenantID: s.a.ID, ID: s.a.Admin}, id)
			require.Equal(t, contract.InvalidField("notificationId", "Identificador de notificación inválido"), err)
		}
		require.Empty(t, s.out.take())
	})
}

func TestABroadcastErrorLeavesItRead(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		me := inbox.User{TenantID: s.a.ID, ID: s.a.Admin}
		s.add("n", s.a.ID, s.a.Admin, false)
		s.out.fail = errors.New("the bus is down")
		require.NoError(t, s.MarkRead(t.Context(), me, "n"))
		require.NotNil(t, s.readAt("n"))
	})
}

// The app writes rows to a user without naming the user by userId; no list shows them (Owner), so that nothing else may
// touch them either: a read that answers 404 must not have read anything.
func TestARowThatNoListShowsIsNotFoundByAnything(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		me := inbox.User{TenantID: s.a.ID, ID: s.a.Admin}
		s.add("unowned", s.a.ID, s.a.Admin, true)
		list, err := s.List(t.Context(), me, inbox.Query{})
		require.NoError(t, err)
		require.Empty(t, list.Notifications)
		_, err = s.Read(t.Context(), me, "unowned")
		require.Equal(t, contract.CodeNotFound, contract.CodeOf(err))
		require.Equal(t, contract.CodeNotFound, contract.CodeOf(s.MarkRead(t.Context(), me, "unowned")))
		require.Equal(t, contract.CodeNotFound, contract.CodeOf(s.Delete(t.Context(), me, "unowned")))
		require.Nil(t, s.readAt("unowned"))
		require.Empty(t, s.out.take())
	})
}

func TestAListOfOneTypeShowsThatTypeAndNoOther(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		me := inbox.User{TenantID: s.a.ID, ID: s.a.Admin}
		made := func(eventType, data string) *string {
			text := `{"isRealtime":true,"eventType":` + eventType + `,"eventData":` + data + `,"priority":"high"}`
			return &text
		}
		other := `{"campaign":"x"}`
		for id, metadata := range map[string]*string{
			"created": made(`"appointment:created"`, `{"eventType":"nested","text":"\"eventType\":\"quoted\""}`),
			"capital": made(`"ALERTA"`, `null`), "html": made(`"a<b>&c"`, `null`), "accent": made(`"año \"1\""`, `null`),
			"none": nil, "other": &other, "no JSON": new(string),
		} {
			row := models.NotificationLog{ID: id, Type: "PROMOTION", Channel: "PUSH", RecipientID: s.a.Admin, RecipientName: "x",
				RecipientContact: "x", Message: "m", Metadata: metadata, Status: "SENT", TenantID: s.a.ID, UserID: &s.a.Admin,
				CreatedAt: dbtest.Now, UpdatedAt: dbtest.Now}
			s.world.Insert(&row)
		}
		all, err := s.List(t.Context(), me, inbox.Query{})
		require.NoError(t, err)
		require.Len(t, all.Notifications, 7)
		want := map[string][]string{"nested": nil, "quoted": nil, "ALERT": nil, "%": nil} // by type
		for _, n := range all.Notifications {
			want[n.Type] = append(want[n.Type], n.ID)
		}
		require.Len(t, want["PROMOTION"], 3)
		require.Contains(t, want, `año "1"`)
		for kind, ids := range want {
			list, err := s.List(t.Context(), me, inbox.Query{Type: kind})
			require.NoError(t, err)
			var got []string
			for _, n := range list.Notifications {
				got = append(got, n.ID)
			}
			require.Equal(t, ids, got, kind)
		}
	})
}
