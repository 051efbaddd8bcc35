package notify_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/internal/notify"
	"github.com/citaplanner/realtime/pkg/contract"
)

type call = func(ctx context.Context, s *scene) (contract.EmitResult, error)

func TestAnIdOfAnotherTenantOrOfNobodyIsNotFoundAndStoresAndSendsNothing(t *testing.T) {
	at := time.Date(2025, 11, 12, 16, 0, 0, 0, time.UTC)
	cases := map[string]func(s *scene, tenant, appointment, user, client string) call{
		"created": func(_ *scene, tenant, appointment, _, _ string) call {
			return func(ctx context.Context, s *scene) (contract.EmitResult, error) {
				return s.AppointmentCreated(ctx, notify.AppointmentCreated{TenantID: tenant, AppointmentID: appointment})
			}
		},
		"updated": func(_ *scene, tenant, appointment, _, _ string) call {
			return func(ctx context.Context, s *scene) (contract.EmitResult, error) {
				return s.AppointmentUpdated(ctx, notify.AppointmentUpdated{TenantID: tenant, AppointmentID: appointment})
			}
		},
		"rescheduled": func(_ *scene, tenant, appointment, _, _ string) call {
			return func(ctx context.Context, s *scene) (contract.EmitResult, error) {
				return s.AppointmentRescheduled(ctx, notify.AppointmentRescheduled{
					TenantID: tenant, AppointmentID: appointment, OldStartTime: at, OldEndTime: at,
				})
			}
		},
		"reminder": func(_ *scene, tenant, appointment, _, _ string) call {
			return func(ctx context.Context, s *scene) (contract.EmitResult, error) {
				return s.AppointmentReminder(ctx, notify.AppointmentReminder{
					TenantID: tenant, AppointmentID: appointment, MinutesBefore: 5,
				})
			}
		},
		"schedule updated": func(_ *scene, tenant, _, user, _ string) call {
			return func(ctx context.Context, s *scene) (contract.EmitResult, error) {
				return s.ScheduleUpdated(ctx, notify.ScheduleUpdated{TenantID: tenant, ProfessionalID: user})
			}
		},
		"schedule conflict": func(_ *scene, tenant, _, user, _ string) call {
			return func(ctx context.Context, s *scene) (contract.EmitResult, error) {
				return s.ScheduleConflict(ctx, notify.ScheduleConflict{
					TenantID: tenant, ProfessionalID: user, Conflict: json.RawMessage(`{}`),
				})
			}
		},
		"custom": func(_ *scene, tenant, _, user, _ string) call {
			return func(ctx context.Context, s *scene) (contract.EmitResult, error) {
				return s.Custom(ctx, notify.Custom{TenantID: tenant, UserID: user, Type: "x", Message: "y"})
			}
		},
		"raw to a user": func(_ *scene, tenant, _, user, _ string) call {
			return func(ctx context.Context, s *scene) (contract.EmitResult, error) {
				return s.EmitToUser(ctx, notify.EmitToUser{TenantID: tenant, UserID: user, Event: "x"})
			}
		},
	}
	each(t, func(t *testing.T, s *scene) {
		for name, with := range cases {
			for what, c := range map[string]call{
				"of another tenant": with(s, s.a.ID, s.b.Appointment, s.b.Professional, s.b.Client),
				"of nobody":         with(s, s.a.ID, "nothing", "nobody", "nobody"),
				"of no tenant":      with(s, "no-tenant", s.a.Appointment, s.a.Professional, s.a.Client),
			} {
				_, err := c(t.Context(), s)
				require.Equalf(t, contract.CodeNotFound, contract.CodeOf(err), "%s, %s: %v", name, what, err)
			}
		}
		s.nothing()
	})
}

func TestADeletionNamesNothingOfAnotherTenant(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		for name, in := range map[string]notify.AppointmentDeleted{
			"the row is another tenant's": {
				TenantID: s.a.ID, AppointmentID: s.b.Appointment, AppointmentData: json.RawMessage(`{"clientName":"X"}`),
			},
			"the data's id is another tenant's": {
				TenantID: s.a.ID, AppointmentData: json.RawMessage(`{"id":"b-appointment"}`),
			},
			"the professional is another tenant's": {
				TenantID: s.a.ID, AppointmentData: json.RawMessage(`{"id":"gone","professionalId":"b-professional"}`),
			},
			"the user is another tenant's": {
				TenantID: s.a.ID, AppointmentData: json.RawMessage(`{"id":"a-appointment","userId":"b-professional"}`),
			},
			"the client is another tenant's": {
				TenantID: s.a.ID, AppointmentData: json.RawMessage(`{"id":"gone","clientId":"b-client"}`),
			},
			"no such tenant": {TenantID: "no-tenant", AppointmentData: json.RawMessage(`{"id":"gone"}`)},
		} {
			_, err := s.AppointmentDeleted(t.Context(), in)
			require.Equalf(t, contract.CodeNotFound, contract.CodeOf(err), "%s: %v", name, err)
		}
		s.nothing()
	})
}

func TestATenantThatDoesNotExistIsNotFound(t *testing.T) {
	each(t, func(t *testing.T, s *scene) {
		const no = "no-tenant"
		for name, c := range map[string]call{
			"refresh": func(ctx context.Context, s *scene) (contract.EmitResult, error) {
				return s.CalendarRefresh(ctx, notify.CalendarRefresh{TenantID: no, Reason: "x"})
			},
			"alert": func(ctx context.Context, s *scene) (contract.EmitResult, error) {
				return s.SystemAlert(ctx, notify.SystemAlert{TenantID: no, Message: "x", Severity: contract.SeverityInfo})
			},
			"custom for everyone": func(ctx context.Context, s *scene) (contract.EmitResult, error) {
				return s.Custom(ctx, notify.Custom{TenantID: no, Type: "x", Message: "y"})
			},
			"raw to a tenant": func(ctx context.Context, s *scene) (contract.EmitResult, error) {
				return s.EmitToTenant(ctx, notify.EmitToTenant{TenantID: no, Event: "x"})
			},
			"raw to a role": func(ctx context.Context, s *scene) (contract.EmitResult, error) {
				return s.EmitToRole(ctx, notify.EmitToRole{TenantID: no, Role: contract.RoleAdmin, Event: "x"})
			},
		} {
			_, err := c(t.Context(), s)
			require.Equalf(t, contract.CodeNotFound, contract.CodeOf(err), "%s: %v", name, err)
		}
		s.nothing()
	})
}

func TestAWrongInputNamesItsFieldAndReachesNoDatabase(t *testing.T) {
	t.Parallel()
	s := notify.New(newSQLite(t).st, &recorder{}, notify.Options{})
	ctx := t.Context()
	long, deep := strings.Repeat("x", 201), json.RawMessage(strings.Repeat("[", 33)+strings.Repeat("]", 33))
	type in = contract.EmitResult
	for _, c := range []struct {
		name, field string
		call        func() (in, error)
	}{
		{"no tenant", "tenantId", func() (in, error) {
			return s.AppointmentCreated(ctx, notify.AppointmentCreated{AppointmentID: "x"})
		}},
		{"a long tenant", "tenantId", func() (in, error) {
			return s.AppointmentCreated(ctx, notify.AppointmentCreated{TenantID: long, AppointmentID: "x"})
		}},
		{"no appointment", "appointmentId", func() (in, error) {
			return s.AppointmentCreated(ctx, notify.AppointmentCreated{TenantID: "x"})
		}},
		{"an appointment with U+0000", "appointmentId", func() (in, error) {
			return s.AppointmentUpdated(ctx, notify.AppointmentUpdated{TenantID: "x", AppointmentID: "a\x00"})
		}},
		{"an actor of broken UTF-8", "actorId", func() (in, error) {
			return s.AppointmentUpdated(ctx, notify.AppointmentUpdated{TenantID: "x", AppointmentID: "a", ActorID: "\xff"})
		}},
		{"changes that are a list", "changes", func() (in, error) {
			return s.AppointmentUpdated(ctx, notify.AppointmentUpdated{
				TenantID: "x", AppointmentID: "a", Changes: json.RawMessage(`[]`),
			})
		}},
		{"changes that are no JSON", "changes", func() (in, error) {
			return s.AppointmentUpdated(ctx, notify.AppointmentUpdated{
				TenantID: "x", AppointmentID: "a", Changes: json.RawMessage(`{`),
			})
		}},
		{"no old start", "oldStartTime", func() (in, error) {
			return s.AppointmentRescheduled(ctx, notify.AppointmentRescheduled{
				TenantID: "x", AppointmentID: "a", OldEndTime: time.Now(),
			})
		}},
		{"no old end", "oldEndTime", func() (in, error) {
			return s.AppointmentRescheduled(ctx, notify.AppointmentRescheduled{
				TenantID: "x", AppointmentID: "a", OldStartTime: time.Now(),
			})
		}},
		{"minutes below zero", "minutesBefore", func() (in, error) {
			return s.AppointmentReminder(ctx, notify.AppointmentReminder{
				TenantID: "x", AppointmentID: "a", MinutesBefore: -1,
			})
		}},
		{"minutes of a year", "minutesBefore", func() (in, error) {
			return s.AppointmentReminder(ctx, notify.AppointmentReminder{
				TenantID: "x", AppointmentID: "a", MinutesBefore: 43201,
			})
		}},
		{"a deletion without data", "appointmentData", func() (in, error) {
			return s.AppointmentDeleted(ctx, notify.AppointmentDeleted{TenantID: "x", AppointmentID: "a"})
		}},
		{"a deletion with null", "appointmentData", func() (in, error) {
			return s.AppointmentDeleted(ctx, notify.AppointmentDeleted{
				TenantID: "x", AppointmentID: "a", AppointmentData: json.RawMessage(" null"),
			})
		}},
		{"a deletion of no id", "appointmentId", func() (in, error) {
			return s.AppointmentDeleted(ctx, notify.AppointmentDeleted{TenantID: "x", AppointmentData: json.RawMessage(`{}`)})
		}},
		{"a deletion of two ids", "appointmentData.id", func() (in, error) {
			return s.AppointmentDeleted(ctx, notify.AppointmentDeleted{
				TenantID: "x", AppointmentID: "a", AppointmentData: json.RawMessage(`{"id":"b"}`),
			})
		}},
		{"an id that is a number", "appointmentData.userId", func() (in, error) {
			return s.AppointmentDeleted(ctx, notify.AppointmentDeleted{
				TenantID: "x", AppointmentData: json.RawMessage(`{"id":"b","userId":7}`),
			})
		}},
		{"no professional", "professionalId", func() (in, error) {
			return s.ScheduleUpdated(ctx, notify.ScheduleUpdated{TenantID: "x"})
		}},
		{"a schedule too deep", "schedule", func() (in, error) {
			return s.ScheduleUpdated(ctx, notify.ScheduleUpdated{TenantID: "x", ProfessionalID: "p", Schedule: deep})
		}},
		{"no conflict", "conflict", func() (in, error) {
			return s.ScheduleConflict(ctx, notify.ScheduleConflict{TenantID: "x", ProfessionalID: "p"})
		}},
		{"no reason", "reason", func() (in, error) {
			return s.CalendarRefresh(ctx, notify.CalendarRefresh{TenantID: "x", Reason: " "})
		}},
		{"a date that is none", "affectedDates", func() (in, error) {
			return s.CalendarRefresh(ctx, notify.CalendarRefresh{
				TenantID: "x", Reason: "r", AffectedDates: []string{"2025-02-30"},
			})
		}},
		{"too many dates", "affectedDates", func() (in, error) {
			return s.CalendarRefresh(ctx, notify.CalendarRefresh{
				TenantID: "x", Reason: "r", AffectedDates: make([]string, 367),
			})
		}},
		{"no message", "message", func() (in, error) {
			return s.SystemAlert(ctx, notify.SystemAlert{TenantID: "x", Severity: contract.SeverityInfo})
		}},
		{"a long message", "message", func() (in, error) {
			return s.SystemAlert(ctx, notify.SystemAlert{
				TenantID: "x", Severity: contract.SeverityInfo, Message: strings.Repeat("ñ", 2001),
			})
		}},
		{"an unknown severity", "severity", func() (in, error) {
			return s.SystemAlert(ctx, notify.SystemAlert{TenantID: "x", Message: "m", Severity: "loud"})
		}},
		{"an unknown role", "role", func() (in, error) {
			return s.SystemAlert(ctx, notify.SystemAlert{
				TenantID: "x", Message: "m", Severity: contract.SeverityInfo, Role: "BOSS",
			})
		}},
		{"data that is a text", "data", func() (in, error) {
			return s.SystemAlert(ctx, notify.SystemAlert{
				TenantID: "x", Message: "m", Severity: contract.SeverityInfo, Data: json.RawMessage(`"x"`),
			})
		}},
		{"no type", "type", func() (in, error) {
			return s.Custom(ctx, notify.Custom{TenantID: "x", Message: "m"})
		}},
		{"an unknown priority", "priority", func() (in, error) {
			return s.Custom(ctx, notify.Custom{TenantID: "x", Message: "m", Type: "t", Priority: "now"})
		}},
		{"no event", "event", func() (in, error) {
			return s.EmitToTenant(ctx, notify.EmitToTenant{TenantID: "x"})
		}},
		{"a reserved event", "event", func() (in, error) {
			return s.EmitToTenant(ctx, notify.EmitToTenant{TenantID: "x", Event: "disconnecting"})
		}},
		{"a long event", "event", func() (in, error) {
			return s.EmitToTenant(ctx, notify.EmitToTenant{TenantID: "x", Event: strings.Repeat("é", 129)})
		}},
		{"a raw role that is none", "role", func() (in, error) {
			return s.EmitToRole(ctx, notify.EmitToRole{TenantID: "x", Event: "e"})
		}},
		{"data that JSON cannot say", "data", func() (in, error) {
			return s.EmitToTenant(ctx, notify.EmitToTenant{TenantID: "x", Event: "e", Data: func() {}})
		}},
		{"broken raw JSON", "data", func() (in, error) {
			return s.EmitToTenant(ctx, notify.EmitToTenant{TenantID: "x", Event: "e", Data: json.RawMessage(`{"a":`)})
		}},
		{"no user", "userId", func() (in, error) {
			return s.EmitToUser(ctx, notify.EmitToUser{Event: "e"})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.call()
			require.Equal(t, contract.CodeInvalid, contract.CodeOf(err), "%v", err)
			require.Equal(t, c.field, contract.AsError(err).Field)
		})
	}
	t.Run("data of more than a megabyte", func(t *testing.T) {
		_, err := s.EmitToTenant(ctx, notify.EmitToTenant{TenantID: "x", Event: "e", Data: strings.Repeat("x", 1<<20)})
		require.Equal(t, contract.CodeTooLarge, contract.CodeOf(err))
	})
	t.Run("a MarshalJSON that panics", func(t *testing.T) {
		_, err := s.EmitToTenant(ctx, notify.EmitToTenant{TenantID: "x", Event: "e", Data: explosive{}})
		require.Equal(t, contract.CodeInvalid, contract.CodeOf(err))
	})
}

type explosive struct{}

func (explosive) MarshalJSON() ([]byte, error) { panic("boom") }
