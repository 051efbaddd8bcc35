package contract_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/pkg/contract"
)

func TestATimeIsShownAsPrismaShowsIt(t *testing.T) {
	mexico, err := time.LoadLocation("America/Mexico_City")
	require.NoError(t, err)
	for in, want := range map[time.Time]string{
		time.Date(2025, 11, 12, 9, 4, 5, 0, mexico):                            `"2025-11-12T15:04:05.000Z"`, // three decimals, always
		time.Date(2025, 11, 12, 15, 4, 5, 123_999_999, time.UTC):               `"2025-11-12T15:04:05.123Z"`, // cut, not rounded
		time.Date(2025, 12, 31, 23, 59, 59, 999_999_999, time.UTC):             `"2025-12-31T23:59:59.999Z"`,
		time.Date(2025, 11, 12, 15, 4, 5, int(100*time.Millisecond), time.UTC): `"2025-11-12T15:04:05.100Z"`,
	} {
		b, err := json.Marshal(contract.At(in))
		require.NoError(t, err)
		require.Equal(t, want, string(b))
		var back contract.Time
		require.NoError(t, json.Unmarshal(b, &back))
		require.True(t, back.Equal(contract.At(in).Time))
	}
}

func TestATimeIsReadInAnyZoneAndNothingElseIs(t *testing.T) {
	var v contract.Time
	require.NoError(t, json.Unmarshal([]byte(`"2025-11-12T09:04:05-06:00"`), &v))
	require.Equal(t, "2025-11-12T15:04:05.000Z", v.String())
	for _, bad := range []string{`7`, `"yesterday"`, `"2025-11-12"`, `{}`} {
		require.Error(t, json.Unmarshal([]byte(bad), &v), bad)
	}
}

// The exact JSON of what the hub sends; internal/notify has that of the notification service.
func TestPayloadsAreWhatComponentsRead(t *testing.T) {
	at := contract.At(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	for want, payload := range map[string]any{
		`{"userId":"u","tenantId":"t","role":"ADMIN","timestamp":"2026-03-01T12:00:00.000Z"}`: contract.ConnectionSuccess{UserID: "u", TenantID: "t", Role: contract.RoleAdmin, Timestamp: at},
		`{"userId":"u","email":"u@example.com","timestamp":"2026-03-01T12:00:00.000Z"}`:       contract.UserOnline{UserID: "u", Email: "u@example.com", Timestamp: at},
		`{"userId":"u","timestamp":"2026-03-01T12:00:00.000Z"}`:                               contract.UserOffline{UserID: "u", Timestamp: at},
		`{"userId":"u","status":"away","timestamp":"2026-03-01T12:00:00.000Z"}`:               contract.UserPresence{UserID: "u", Status: "away", Timestamp: at},
		`{"users":[{"userId":"u","status":"online","since":"2026-03-01T12:00:00.000Z"}]}`:     contract.PresenceState{Users: []contract.PresentUser{{UserID: "u", Status: "online", Since: at}}},
		`{"userId":"u","date":"2026-03-02","viewType":"week"}`:                                contract.UserViewingCalendar{UserID: "u", Date: "2026-03-02", ViewType: "week"},
		`{"userId":"u","appointmentId":"a"}`:                                                  contract.Editing{UserID: "u", AppointmentID: "a"},
		`{"appointmentId":"a","userId":"u","since":"2026-03-01T12:00:00.000Z"}`:               contract.EditingConflict{AppointmentID: "a", UserID: "u", Since: at},
		`{"expiresAt":"2026-03-01T12:00:00.000Z"}`:                                            contract.AuthExpiring{ExpiresAt: at},
		`{"notificationId":"n"}`:             contract.NotificationRead{NotificationID: "n"},
		`{"notificationId":"n","error":"e"}`: contract.NotificationReadError{NotificationID: "n", Error: "e"},
		`{"count":2}`:                        contract.NotificationReadAll{Count: 2},
		`{"totalConnections":1,"tenants":{"t":{"users":["u"],"count":1}}}`: contract.SocketStats{TotalConnections: 1, Tenants: map[string]contract.TenantStats{"t": {Users: []string{"u"}, Count: 1}}},
	} {
		b, err := json.Marshal(payload)
		require.NoError(t, err)
		require.Equal(t, want, string(b))
	}
}

func TestAnErrorKeepsItsMeaningThroughWrapping(t *testing.T) {
	cause := errors.New("connection refused")
	err := fmt.Errorf("load appointment: %w", contract.Wrap(contract.CodeUnavailable, "the database does not answer", cause))
	require.Equal(t, contract.CodeUnavailable, contract.CodeOf(err))
	require.ErrorIs(t, err, cause)
	require.Equal(t, "the database does not answer", contract.AsError(err).Message)
	require.Equal(t, contract.CodeInternal, contract.CodeOf(cause))
	require.Equal(t, "internal error", contract.AsError(cause).Message, "a foreign error's text is for the log alone")
	require.Empty(t, contract.CodeOf(nil))
}

func TestRoomsCannotBeConfused(t *testing.T) {
	require.Equal(t, "tenant:t", contract.TenantRoom("t"))
	require.Equal(t, "user:u", contract.UserRoom("u"))
	require.Equal(t, "role:ADMIN:t", contract.RoleRoom(contract.RoleAdmin, "t"))
}
