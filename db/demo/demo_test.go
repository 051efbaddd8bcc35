package demo_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/demo"
	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

// days are the local dates of a tenant's appointments, sorted, each once.
func days(t *testing.T, st *store.Store, tenantID, zone string) []string {
	t.Helper()
	location, err := time.LoadLocation(zone)
	require.NoError(t, err)
	var rows []models.Appointment
	require.NoError(t, st.DB(t.Context()).Where(`"tenantId" = ?`, tenantID).Find(&rows).Error)
	var dates []string
	for _, r := range rows {
		require.Equal(t, time.UTC, r.StartTime.Location())
		require.True(t, r.EndTime.After(r.StartTime))
		dates = append(dates, r.StartTime.In(location).Format(time.DateOnly))
	}
	slices.Sort(dates)
	return slices.Compact(dates)
}

func TestTheDemoWorldHasAppointmentsTodayAndTomorrowInEachZone(t *testing.T) {
	t.Parallel()
	st := dbtest.SQLite(t)
	// 23:30 on the 31st in Madrid, 16:30 in Mexico City; the next day both have moved on.
	for _, c := range []struct {
		now            time.Time
		mexico, madrid []string
	}{
		{
			time.Date(2025, 12, 31, 22, 30, 0, 0, time.UTC),
			[]string{"2025-12-31", "2026-01-01"}, []string{"2025-12-31", "2026-01-01"},
		},
		{
			time.Date(2026, 1, 1, 0, 30, 0, 0, time.UTC),
			[]string{"2025-12-31", "2026-01-01"}, []string{"2026-01-01", "2026-01-02"},
		},
		{
			time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC), // Madrid's clocks changed that night
			[]string{"2026-03-29", "2026-03-30"}, []string{"2026-03-29", "2026-03-30"},
		},
	} {
		require.NoError(t, demo.Seed(t.Context(), st, c.now))
		require.Equal(t, c.mexico, days(t, st, demo.TenantID, "America/Mexico_City"))
		require.Equal(t, c.madrid, days(t, st, demo.OtherTenantID, "Europe/Madrid"))
	}
	v, err := st.Appointments.Load(t.Context(), demo.TenantID, demo.AppointmentID)
	require.NoError(t, err)
	require.True(t, v.Professional.Active)
	require.NotNil(t, v.Portal)
	require.Equal(t, "Corte y peinado", v.ServiceName)
}

func TestEverybodyWhoIsDescribedIsThere(t *testing.T) {
	t.Parallel()
	st := dbtest.SQLite(t)
	require.NoError(t, demo.Seed(t.Context(), st, time.Now()))
	roles := map[string]map[contract.Role]int{}
	inactive := map[string]int{}
	for _, u := range demo.Describe() {
		require.True(t, strings.HasPrefix(u.ID, "demo-"))
		a, err := st.Users.Account(t.Context(), u.ID)
		require.NoError(t, err, u.ID)
		require.Equal(t, []any{u.Name, u.Role, u.Portal, u.Active}, []any{a.Name(), a.Role, a.Portal, a.Active})
		if roles[u.Tenant] == nil {
			roles[u.Tenant] = map[contract.Role]int{}
		}
		if u.Active {
			roles[u.Tenant][u.Role]++
		} else {
			inactive[u.Tenant]++
		}
	}
	require.Len(t, roles, 2)
	for tenant, counts := range roles {
		require.Len(t, counts, 6, tenant)
		require.Equal(t, 1, inactive[tenant])
		for role, n := range counts {
			if role != contract.RoleClient {
				require.GreaterOrEqual(t, n, 2, "%s %s", tenant, role)
			}
		}
	}
}

func TestSeedingAgainKeepsWhatWasChanged(t *testing.T) {
	t.Parallel()
	st := dbtest.SQLite(t)
	now := time.Date(2026, 1, 10, 18, 0, 0, 0, time.UTC)
	require.NoError(t, demo.Seed(t.Context(), st, now))
	later := time.Date(2026, 1, 10, 23, 0, 0, 0, time.UTC) // still the 10th in Mexico City
	require.NoError(t, st.InTx(t.Context(), func(tx *store.Store) error {
		db := tx.DB(t.Context())
		if err := db.Model(&models.User{}).Where("id = ?", demo.UserID).Update("isActive", false).Error; err != nil {
			return err
		}
		db = tx.DB(t.Context())
		return db.Model(&models.Appointment{}).Where("id = ?", demo.AppointmentID).Update("startTime", later).Error
	}))
	require.NoError(t, demo.Seed(t.Context(), st, now.Add(time.Hour)))
	a, err := st.Users.Account(t.Context(), demo.UserID)
	require.NoError(t, err)
	require.False(t, a.Active)
	v, err := st.Appointments.Load(t.Context(), demo.TenantID, demo.AppointmentID)
	require.NoError(t, err)
	require.Equal(t, later, v.Appointment.StartTime)
}

func TestADatabaseOfOthersIsNotTouched(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		dbtest.Seed(t, st)
		require.ErrorIs(t, demo.Seed(t.Context(), st, time.Now()), demo.ErrNotDemo)
		_, err := st.Users.Account(t.Context(), demo.UserID)
		require.Equal(t, contract.CodeNotFound, contract.CodeOf(err))
	})
}

func TestAnEmptyDatabaseOfEitherKindIsFilledOnce(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		for range 2 {
			require.NoError(t, demo.Seed(t.Context(), st, time.Now()))
		}
		var u models.User
		require.NoError(t, st.DB(t.Context()).Where("id = ?", demo.UserID).First(&u).Error)
		require.Equal(t, demo.Email(demo.UserID), u.Email)
		require.NoError(t, bcrypt.CompareHashAndPassword([]byte(*u.Password), []byte(demo.Password)))
		_, err := st.Appointments.Load(t.Context(), demo.TenantID, demo.AppointmentID)
		require.NoError(t, err)
	})
}
