package dbtest

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/pkg/contract"
)

// Now is the time of the world: rows are made then, and the first appointments start an hour later.
var Now = time.Date(2025, 11, 12, 15, 4, 5, 123e6, time.UTC)

// World is two tenants with the same roles in a store, and the means to change them. All ids are the same in every
// run: those of A start with "a-", those of B with "b-".
type World struct {
	A, B Tenant

	t  testing.TB
	st *store.Store
}

// Tenant holds the ids of a tenant's rows.
type Tenant struct {
	ID string // "tenant-a"

	Superadmin    string // "a-superadmin"
	Admin         string // "a-admin", Ana Admin of A
	Admin2        string // "a-admin-2"
	Manager       string // "a-manager"
	Professional  string // "a-professional", "Paula Profesional"
	Professional2 string // "a-professional-2", "Pedro Profesional"
	Receptionist  string // "a-receptionist"
	Inactive      string // "a-inactive", a professional who has left
	ClientRole    string // "a-client-role", a row of users whose role is CLIENT

	Client  string // "a-client", "Carla Cliente", who has a portal user
	Client2 string // "a-client-2", "César Cliente", who has none
	Client3 string // "a-client-3", "Cora Cliente", whose portal user is inactive

	Portal         string // "a-portal", Client's row of client_users
	PortalInactive string // "a-portal-inactive", Client3's

	Branch   string // "a-branch", "Sucursal A"
	Service  string // "a-service", "Corte A": 45 minutes, #10B981
	Service2 string // "a-service-2", "Tinte A": 90 minutes, #3B82F6

	Appointment  string // "a-appointment": Professional, Client, Service, from Now+1h on
	Appointment2 string // "a-appointment-2": Professional2, Client2, Service2, from Now+25h on
	Appointment3 string // "a-appointment-3": Professional, Client3, Service, from Now+49h on
}

// ActiveUsers are the ids of the active rows of users, sorted.
func (t Tenant) ActiveUsers() []string {
	return []string{
		t.Admin, t.Admin2, t.ClientRole, t.Manager, t.Professional, t.Professional2, t.Receptionist, t.Superadmin,
	}
}

// tenantIDs makes the ids from the letter.
func tenantIDs(l string) Tenant {
	return Tenant{
		ID: "tenant-" + l, Superadmin: l + "-superadmin", Admin: l + "-admin", Admin2: l + "-admin-2",
		Manager: l + "-manager", Professional: l + "-professional", Professional2: l + "-professional-2",
		Receptionist: l + "-receptionist", Inactive: l + "-inactive", ClientRole: l + "-client-role",
		Client: l + "-client", Client2: l + "-client-2", Client3: l + "-client-3", Portal: l + "-portal",
		PortalInactive: l + "-portal-inactive", Branch: l + "-branch", Service: l + "-service",
		Service2: l + "-service-2", Appointment: l + "-appointment", Appointment2: l + "-appointment-2",
		Appointment3: l + "-appointment-3",
	}
}

// Seed fills an empty, migrated store with the world. Nobody has a row of preferences.
func Seed(t testing.TB, st *store.Store) *World {
	t.Helper()
	w := &World{A: tenantIDs("a"), B: tenantIDs("b"), t: t, st: st}
	w.Insert(append(seedTenant(w.A, "A", "America/Mexico_City"), seedTenant(w.B, "B", "Europe/Madrid")...)...)
	return w
}

// seedTenant is all rows of a tenant, each after those it refers to.
func seedTenant(ids Tenant, name, zone string) []any {
	rows := []any{
		&models.Tenant{
			ID: ids.ID, Name: "Salón " + name, Country: "México", Timezone: zone, Currency: "MXN",
			PrimaryColor: "#3B82F6", SecondaryColor: "#EF4444", IsActive: true, AllowOnlineBooking: true,
			RequireClientPhone: true, BookingAdvanceDays: 30, CreatedAt: Now, UpdatedAt: Now,
		},
		&models.Branch{
			ID: ids.Branch, Name: "Sucursal " + name, IsActive: true, TenantID: ids.ID, CreatedAt: Now, UpdatedAt: Now,
		},
	}
	user := func(id, first, last string, role contract.Role, active bool) {
		rows = append(rows, &models.User{
			ID: id, Email: id + "@example.com", FirstName: first, LastName: last, Role: string(role), IsActive: active,
			TenantID: ids.ID, BranchID: &ids.Branch, CreatedAt: Now, UpdatedAt: Now,
		})
	}
	user(ids.Superadmin, "Sara", "Superadmin", contract.RoleSuperadmin, true)
	user(ids.Admin, "Ana", "Admin", contract.RoleAdmin, true)
	user(ids.Admin2, "Andrés", "Admin", contract.RoleAdmin, true)
	user(ids.Manager, "Mario", "Gerente", contract.RoleManager, true)
	user(ids.Professional, "Paula", "Profesional", contract.RoleProfessional, true)
	user(ids.Professional2, "Pedro", "Profesional", contract.RoleProfessional, true)
	user(ids.Receptionist, "Rosa", "Recepción", contract.RoleReceptionist, true)
	user(ids.Inactive, "Inés", "Inactiva", contract.RoleProfessional, false)
	user(ids.ClientRole, "Clara", "Rol", contract.RoleClient, true)

	client := func(id, first, phone string) {
		email, notes := id+"@example.com", "alergia: secreto de "+first
		rows = append(rows, &models.Client{
			ID: id, FirstName: first, LastName: "Cliente", Email: &email, Phone: phone, Notes: &notes, IsActive: true,
			TenantID: ids.ID, CreatedAt: Now, UpdatedAt: Now,
		})
	}
	client(ids.Client, "Carla", "+525500000001")
	client(ids.Client2, "César", "+525500000002")
	client(ids.Client3, "Cora", "+525500000003")
	portal := func(id, client, first string, active bool) {
		rows = append(rows, &models.ClientUser{
			ID: id, Email: id + "@example.com", FirstName: first, LastName: "Cliente", Phone: "+525500000009",
			IsActive: active, TenantID: ids.ID, ClientID: &client, CreatedAt: Now, UpdatedAt: Now,
		})
	}
	portal(ids.Portal, ids.Client, "Carla", true)
	portal(ids.PortalInactive, ids.Client3, "Cora", false)

	service := func(id, name, color string, minutes int) {
		rows = append(rows, &models.Service{
			ID: id, Name: name, Duration: minutes, Price: 250, IsActive: true, Color: color, TenantID: ids.ID,
			CreatedAt: Now, UpdatedAt: Now,
		})
	}
	service(ids.Service, "Corte "+name, "#10B981", 45)
	service(ids.Service2, "Tinte "+name, "#3B82F6", 90)

	appointment := func(id, user, client, service string, in time.Duration, minutes int) {
		start := Now.Truncate(time.Hour).Add(in)
		rows = append(rows, &models.Appointment{
			ID: id, StartTime: start, EndTime: start.Add(time.Duration(minutes) * time.Minute), Status: "CONFIRMED",
			TenantID: ids.ID, BranchID: ids.Branch, ClientID: client, ServiceID: service, UserID: user, CreatedAt: Now,
			UpdatedAt: Now,
		})
	}
	appointment(ids.Appointment, ids.Professional, ids.Client, ids.Service, time.Hour, 45)
	appointment(ids.Appointment2, ids.Professional2, ids.Client2, ids.Service2, 25*time.Hour, 90)
	appointment(ids.Appointment3, ids.Professional, ids.Client3, ids.Service, 49*time.Hour, 45)
	return rows
}

// Insert adds rows: pointers to models, each after those it refers to. Neighbours of one table are one statement.
func (w *World) Insert(rows ...any) {
	w.t.Helper()
	w.write(func(db *gorm.DB) error {
		for len(rows) > 0 {
			kind := reflect.TypeOf(rows[0])
			same := reflect.MakeSlice(reflect.SliceOf(kind), 0, len(rows))
			for len(rows) > 0 && reflect.TypeOf(rows[0]) == kind {
				same, rows = reflect.Append(same, reflect.ValueOf(rows[0])), rows[1:]
			}
			if err := db.Session(&gorm.Session{NewDB: true}).Create(same.Interface()).Error; err != nil {
				return err
			}
		}
		return nil
	})
}

// AddUser adds an active user to a tenant.
func (w *World) AddUser(tenantID, id string, role contract.Role) {
	w.t.Helper()
	w.Insert(&models.User{
		ID: id, Email: id + "@example.com", FirstName: "Nombre " + id, LastName: "Apellido", Role: string(role),
		IsActive: true, TenantID: tenantID, CreatedAt: Now, UpdatedAt: Now,
	})
}

// AddAppointment adds an appointment like the tenant's first, changed by change (nil: only the id differs).
func (w *World) AddAppointment(tenant Tenant, id string, change func(*models.Appointment)) {
	w.t.Helper()
	a := models.Appointment{
		ID: id, StartTime: Now.Add(time.Hour), EndTime: Now.Add(2 * time.Hour), Status: "PENDING",
		TenantID: tenant.ID, BranchID: tenant.Branch, ClientID: tenant.Client, ServiceID: tenant.Service,
		UserID: tenant.Professional, CreatedAt: Now, UpdatedAt: Now,
	}
	if change != nil {
		change(&a)
	}
	w.Insert(&a)
}

// Prefer gives the user of a tenant a row of preferences: the defaults, changed by change.
func (w *World) Prefer(tenant Tenant, userID string, change func(*models.UserNotificationPreferences)) {
	w.t.Helper()
	p := models.UserNotificationPreferences{
		ID: "pref-" + userID, UserID: userID, TenantID: tenant.ID, EnablePushNotifications: true,
		EnableEmailNotifications: true, NotifyAppointmentCreated: true, NotifyAppointmentUpdated: true,
		NotifyAppointmentCancelled: true, NotifyAppointmentReminder: true, NotifyScheduleChanges: true,
		NotifySystemAlerts: true, EnableSounds: true, EnableDesktopNotifications: true, EnableToastNotifications: true,
		ReminderMinutesBefore: models.IntList{1440, 60}, CreatedAt: Now, UpdatedAt: Now,
	}
	if change != nil {
		change(&p)
	}
	w.write(func(db *gorm.DB) error {
		fresh := &gorm.Session{NewDB: true}
		err := db.Session(fresh).Where(`"userId" = ?`, userID).Delete(&models.UserNotificationPreferences{}).Error
		if err != nil {
			return err
		}
		return db.Session(fresh).Create(&p).Error
	})
}

// SetUserActive changes a user's isActive.
func (w *World) SetUserActive(id string, active bool) {
	w.t.Helper()
	w.update(&models.User{}, id, "isActive", active)
}

// SetRole changes a user's role.
func (w *World) SetRole(id string, role contract.Role) {
	w.t.Helper()
	w.update(&models.User{}, id, "role", string(role))
}

// MoveUser puts a user into another tenant, as a support tool might.
func (w *World) MoveUser(id, tenantID string) {
	w.t.Helper()
	w.update(&models.User{}, id, "tenantId", tenantID)
}

// SetPortalActive changes a portal user's isActive.
func (w *World) SetPortalActive(id string, active bool) {
	w.t.Helper()
	w.update(&models.ClientUser{}, id, "isActive", active)
}

// SetTenantActive changes a tenant's isActive.
func (w *World) SetTenantActive(id string, active bool) {
	w.t.Helper()
	w.update(&models.Tenant{}, id, "isActive", active)
}

// MoveAppointment changes when an appointment is.
func (w *World) MoveAppointment(id string, start, end time.Time) {
	w.t.Helper()
	w.update(&models.Appointment{}, id, "startTime", start.UTC(), "endTime", end.UTC())
}

// DeleteAppointment deletes an appointment.
func (w *World) DeleteAppointment(id string) {
	w.t.Helper()
	w.write(func(db *gorm.DB) error { return db.Where("id = ?", id).Delete(&models.Appointment{}).Error })
}

// Notifications are all rows of notification_logs, by user (portal users by recipient), oldest first.
func (w *World) Notifications() []models.NotificationLog {
	w.t.Helper()
	var rows []models.NotificationLog
	require.NoError(w.t, w.st.DB(w.ctx()).Order(`"createdAt", "recipientId", id`).Find(&rows).Error)
	for i := range rows {
		rows[i].CreatedAt, rows[i].UpdatedAt = rows[i].CreatedAt.UTC(), rows[i].UpdatedAt.UTC()
	}
	return rows
}

// Deliveries are all rows of the outbox.
func (w *World) Deliveries() []models.Delivery {
	w.t.Helper()
	var rows []models.Delivery
	require.NoError(w.t, w.st.DB(w.ctx()).Order("created_at, id").Find(&rows).Error)
	return rows
}

// update sets columns (name, value, name, value, …) and updatedAt of the row with the id, which has to be there.
func (w *World) update(model any, id string, columns ...any) {
	w.t.Helper()
	set := map[string]any{"updatedAt": store.UTC(time.Now())}
	for i := 0; i < len(columns); i += 2 {
		name, ok := columns[i].(string)
		require.True(w.t, ok)
		set[name] = columns[i+1]
	}
	w.write(func(db *gorm.DB) error {
		tx := db.Model(model).Where("id = ?", id).Updates(set)
		if tx.Error == nil && tx.RowsAffected != 1 {
			return gorm.ErrRecordNotFound
		}
		return tx.Error
	})
}

func (w *World) write(fn func(db *gorm.DB) error) {
	w.t.Helper()
	ctx := w.ctx()
	require.NoError(w.t, w.st.InTx(ctx, func(tx *store.Store) error { return fn(tx.DB(ctx)) }))
}

// ctx is not the test's: that one has ended when cleanup functions run.
func (w *World) ctx() context.Context { return context.WithoutCancel(w.t.Context()) }
