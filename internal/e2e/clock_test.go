package e2e_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/store"
)

// TestAClockThatJumpsNeitherLosesNorRepeatsAnything moves the server's clock, by more than any lease and window that it
// keeps, between emits of each way. (Reminders have tests of their own.)
func TestAClockThatJumpsNeitherLosesNorRepeatsAnything(t *testing.T) {
	t.Parallel()
	url, _ := dbtest.PostgresURL(t)
	var moved atomic.Int64
	s := startAt(t, url, func() time.Time { return time.Now().Add(time.Duration(moved.Load())) }, "CANARY_MAX_AGE", "0")
	page := mustDial(t, s.url, s.token(s.world.A.Admin, 1000*time.Hour))
	for i, jump := range []time.Duration{0, 2 * time.Hour, -3 * time.Hour, 26 * time.Hour, -time.Minute, -25 * time.Hour} {
		// What a killed process leaves: a delivery that is leased, and a key, both by the clock before the jump.
		now := store.UTC(time.Now().Add(time.Duration(moved.Load())))
		id := fmt.Sprint("left-", i)
		require.NoError(t, s.store.Outbox.Add(t.Context(), store.Delivery{ID: id, TenantID: s.world.A.ID, DueAt: now.Add(5 * time.Second),
			Body: fmt.Appendf(nil, `{"id":%q,"tenantId":"tenant-a","label":"tenant","events":[{"name":%q,"payload":null}]}`, id, id)}))
		moved.Add(int64(jump))

		key := fmt.Sprint("clock-", i)
		body := m{"tenantId": s.world.A.ID, "userId": s.world.A.Admin, "type": "clock", "message": key + "-http"}
		first := s.emitted("notification", body, "Idempotency-Key", key)
		again := s.emitted("notification", body, "Idempotency-Key", key)
		require.Equal(t, first["id"], again["id"])
		require.NoError(t, s.store.Occurrences.Add(t.Context(), store.Occurrence{Kind: "notification", TenantID: s.world.A.ID, Subject: key,
			Source: store.FromEmit, Payload: []byte(notification(key+"-function", s.world.A.Admin, s.world.A.ID))}))
		require.NoError(t, page.until(key, func(packets []string) bool {
			all := strings.Join(packets, "\n")
			return strings.Contains(all, key+"-http") && strings.Contains(all, key+"-function") &&
				(jump > -time.Hour || strings.Contains(all, `2["`+id+`"`))
		}))
	}
	require.NoError(t, page.until("what was left", func(p []string) bool { return count(p, `2["left-`) >= 6 }))
	times := map[string]int{}
	for _, r := range s.world.Notifications() {
		times[r.Message]++
	}
	require.Len(t, times, 12)
	for _, p := range page.all() {
		for message := range times {
			if strings.HasPrefix(p, `2["notification:new"`) && strings.Contains(p, `"`+message+`"`) {
				times[message]++
			}
		}
	}
	for message, n := range times {
		require.Equal(t, 2, n, "%s: one row and one event", message)
	}
}

func notification(key, user, tenant string) string {
	return fmt.Sprintf(`{"tenantId":%q,"userId":%q,"type":"faults","message":%q}`, tenant, user, key)
}
