package httpapi

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/citaplanner/realtime/internal/inbox"
	"github.com/citaplanner/realtime/pkg/contract"
)

// inboxPath is where the front end in use finds its notifications (contract/http.md).
const inboxPath = "/api/notifications"

// Arrivals knows which sockets are about to connect; the hub satisfies it.
type Arrivals interface {
	// Settle returns when no socket of the user is on its way any more, or after a bounded time.
	Settle(ctx context.Context, userID string, page bool)
}

// inboxRoutes are the front end's routes.
func (a *API) inboxRoutes(r gin.IRouter) {
	own := func(f func(*gin.Context, inbox.User) error) gin.HandlerFunc {
		return a.handle(func(c *gin.Context) error {
			c.Header("Cache-Control", "no-store") // it is one user's alone
			u, err := a.session(c)
			if err != nil {
				return err
			}
			return f(c, u.Owner())
		})
	}
	g := r.Group(inboxPath, a.corsFor("GET,POST,PUT,PATCH,DELETE"))
	for _, path := range []string{"", "/read-all", "/stats", "/preferences", "/:id", "/:id/read"} {
		g.OPTIONS(path, func(*gin.Context) {}) // answered by the middleware
	}
	g.GET("", own(a.listNotifications))
	g.POST("", own(a.actOnNotifications))
	g.POST("/read-all", own(a.readAll))
	g.GET("/stats", own(a.notificationStats))
	g.GET("/preferences", own(a.preferences))
	g.PATCH("/preferences", own(a.setPreferences))
	g.PUT("/preferences", own(a.setPreferences))
	g.PATCH("/:id/read", own(a.readNotification))
	g.DELETE("/:id", own(a.deleteNotification))
}

func (a *API) listNotifications(c *gin.Context, u inbox.User) error {
	q, err := inboxQuery(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	if q.Cursor == "" && q.Page <= 1 {
		a.deps.Arrivals.Settle(ctx, u.ID, c.GetHeader("Cookie") != "" && c.GetHeader("Authorization") == "")
	}
	list, err := a.deps.Inbox.List(ctx, u, q)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, list)
	return nil
}

// inboxQuery reads the parameters of a list.
func inboxQuery(c *gin.Context) (q inbox.Query, err error) {
	for name, to := range map[string]*int{"page": &q.Page, "limit": &q.Limit} {
		text, given := c.GetQuery(name)
		if !given {
			continue
		}
		if *to, err = strconv.Atoi(text); err != nil || *to < 1 {
			return q, contract.InvalidField(name, name+" must be a whole number above zero")
		}
	}
	for name, to := range map[string]*bool{"unread": &q.Unread, "read": &q.Read} {
		switch c.Query(name) {
		case "", "false":
		case "true":
			*to = true
		default:
			return q, contract.InvalidField(name, name+" must be true or false")
		}
	}
	q.Type, q.Cursor = c.Query("type"), c.Query("cursor")
	return q, nil
}

func (a *API) actOnNotifications(c *gin.Context, u inbox.User) error {
	raw, err := a.readBody(c)
	if err != nil {
		return err
	}
	body, err := decode[contract.InboxAction](raw, false)
	if err != nil {
		return err
	}
	if body.Action != "read-all" {
		return contract.InvalidField("action", "action must be read-all")
	}
	return a.readAll(c, u)
}

func (a *API) readAll(c *gin.Context, u inbox.User) error {
	count, err := a.deps.Inbox.MarkAllRead(c.Request.Context(), u)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, contract.InboxReadAllAnswer{Success: true, Count: count})
	return nil
}

func (a *API) readNotification(c *gin.Context, u inbox.User) error {
	item, err := a.deps.Inbox.Read(c.Request.Context(), u, c.Param("id"))
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, contract.InboxReadAnswer{Success: true, Notification: item})
	return nil
}

func (a *API) deleteNotification(c *gin.Context, u inbox.User) error {
	if err := a.deps.Inbox.Delete(c.Request.Context(), u, c.Param("id")); err != nil {
		return err
	}
	c.JSON(http.StatusOK, contract.InboxDeleteAnswer{Success: true})
	return nil
}

func (a *API) notificationStats(c *gin.Context, u inbox.User) error {
	stats, err := a.deps.Inbox.Stats(c.Request.Context(), u)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, stats)
	return nil
}

func (a *API) preferences(c *gin.Context, u inbox.User) error {
	p, err := a.deps.Inbox.Preferences(c.Request.Context(), u)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, contract.PreferencesAnswer{Preferences: p})
	return nil
}

func (a *API) setPreferences(c *gin.Context, u inbox.User) error {
	raw, err := a.readBody(c)
	if err != nil {
		return err
	}
	fields, err := decode[map[string]json.RawMessage](raw, false)
	if err != nil {
		return err
	}
	p, err := a.deps.Inbox.SetPreferences(c.Request.Context(), u, fields)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, contract.PreferencesSavedAnswer{Success: true, Preferences: p})
	return nil
}
