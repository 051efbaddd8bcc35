package httpapi

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/citaplanner/realtime/internal/reminders"
	"github.com/citaplanner/realtime/pkg/contract"
)

// cronPath is where an external cron calls, as Vercel's does (vercel.json, "crons").
const cronPath = "/api/cron/send-reminders"

// ReminderPass sends the reminders that are due; internal/reminders satisfies it.
type ReminderPass interface {
	Pass(ctx context.Context) (reminders.Counts, error)
}

// cronRoutes are there where there is a secret. Vercel's cron calls with GET, others with what they like.
func (a *API) cronRoutes(r gin.IRouter) {
	r.GET(cronPath, a.handle(a.sendReminders))
	r.POST(cronPath, a.handle(a.sendReminders))
}

// sendReminders runs one pass now and says what it did. Two at once send nothing twice.
func (a *API) sendReminders(c *gin.Context) error {
	c.Header("Cache-Control", "no-store")
	if !isSecret(c.GetHeader("Authorization"), a.deps.CronSecret) {
		return contract.NewError(contract.CodeUnauthorized, "CRON_SECRET required")
	}
	end, err := a.begin()
	if err != nil {
		return err
	}
	defer end()
	// What was begun is finished, whether or not the caller waits: a cron that gives up early would cut off the rest.
	done, err := a.deps.Reminders.Pass(context.WithoutCancel(c.Request.Context()))
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, contract.CronAnswer{Success: true, Sent: done.Sent, Skipped: done.Skipped, Failed: done.Failed,
		Timestamp: contract.At(a.opts.Now())})
	return nil
}

// isSecret compares by hashes: neither how much was right nor the length shows in the time taken.
func isSecret(authorization, secret string) bool {
	scheme, given, _ := strings.Cut(authorization, " ")
	a, b := sha256.Sum256([]byte(strings.TrimSpace(given))), sha256.Sum256([]byte(secret))
	return strings.EqualFold(scheme, "bearer") && secret != "" && subtle.ConstantTimeCompare(a[:], b[:]) == 1
}
