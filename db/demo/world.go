package demo

import "github.com/citaplanner/realtime/pkg/contract"

// Ids that a start banner can name.
const (
	TenantID      = "demo-aurora"  // the first tenant
	AppointmentID = "demo-cita-1"  // an appointment of it, today
	OtherTenantID = "demo-mirasol" // the second tenant
	UserID        = "demo-ana"     // an administrator of the first
)

// Password is everybody's, for sign-in pages that check users.password with bcrypt as CitaPlanner's does.
const Password = "demo1234"

// passwordHash is Password's, made once: bcrypt takes its time.
const passwordHash = "$2a$10$ba/SrT4RA5ZalQkwW7ST9eNsNpj.913O8opZgL.fpQ4/OYtQ.wk8K"

// Email is the address that a user signs in with.
func Email(id string) string { return id + "@demo.citaplanner.example" }

// User is somebody of the demo world who may (or, inactive, may not) sign in.
type User struct {
	ID     string
	Name   string
	Role   contract.Role
	Tenant string // its name
	// TenantID is the id of Tenant.
	TenantID string
	Portal   bool // a client's portal user
	Active   bool
}

// tenant is a tenant as it is written down below.
type tenant struct {
	id, name, city, country, zone, currency, phone string

	branches []branch
	users    []person
	clients  []client
	services []service
	visits   []visit
}

type branch struct{ id, name, address string }

type person struct {
	id, first, last string
	role            contract.Role
	inactive        bool
}

type client struct {
	id, first, last, phone string
	portal                 string // the id of the portal user, empty for none
}

type service struct {
	id, name, color string
	minutes         int
	price           float64
}

// visit is an appointment: day 0 is today, 1 tomorrow, at an hour and minute of the tenant's own clock.
type visit struct {
	id                            string
	day, hour, minute             int
	branch, user, client, service string
	status                        string
}

// tenants are all there is. Both have the same roles, each more than once, and somebody who has left.
var tenants = []tenant{
	{
		id: TenantID, name: "Salón Aurora", city: "Ciudad de México", country: "México", zone: "America/Mexico_City",
		currency: "MXN", phone: "+52 55 5512 0101",
		branches: []branch{
			{"demo-roma", "Roma Norte", "Álvaro Obregón 151, Roma Norte"},
			{"demo-coyoacan", "Coyoacán", "Francisco Sosa 38, Coyoacán"},
		},
		users: []person{
			{id: "demo-elena", first: "Elena", last: "Castañeda Ríos", role: contract.RoleSuperadmin},
			{id: "demo-hector", first: "Héctor", last: "Villaseñor Luna", role: contract.RoleSuperadmin},
			{id: UserID, first: "Ana", last: "Martínez Soto", role: contract.RoleAdmin},
			{id: "demo-jorge", first: "Jorge", last: "Ibáñez Peña", role: contract.RoleAdmin},
			{id: "demo-miguel", first: "Miguel", last: "Ortega Núñez", role: contract.RoleManager},
			{id: "demo-veronica", first: "Verónica", last: "Salas Méndez", role: contract.RoleManager},
			{id: "demo-laura", first: "Laura", last: "Gómez Treviño", role: contract.RoleProfessional},
			{id: "demo-diego", first: "Diego", last: "Hernández Vega", role: contract.RoleProfessional},
			{id: "demo-raul", first: "Raúl", last: "Pacheco León", role: contract.RoleProfessional, inactive: true},
			{id: "demo-patricia", first: "Patricia", last: "Flores Campos", role: contract.RoleReceptionist},
			{id: "demo-ivan", first: "Iván", last: "Domínguez Rey", role: contract.RoleReceptionist},
		},
		clients: []client{
			{"demo-cliente-1", "Carmen", "Rodríguez Mora", "+52 55 1000 0001", "demo-carmen"},
			{"demo-cliente-2", "Luis", "Fernández Ayala", "+52 55 1000 0002", "demo-luis"},
			{"demo-cliente-3", "Ximena", "Quiroz Lara", "+52 55 1000 0003", ""},
			{"demo-cliente-4", "Tomás", "Escobedo Ruiz", "+52 55 1000 0004", ""},
		},
		services: []service{
			{"demo-corte", "Corte y peinado", "#3B82F6", 45, 350},
			{"demo-tinte", "Tinte completo", "#EF4444", 90, 980},
			{"demo-manicura", "Manicura", "#10B981", 40, 280},
		},
		visits: []visit{
			{AppointmentID, 0, 10, 0, "demo-roma", "demo-laura", "demo-cliente-1", "demo-corte", "CONFIRMED"},
			{"demo-cita-2", 0, 12, 30, "demo-roma", "demo-diego", "demo-cliente-2", "demo-tinte", "CONFIRMED"},
			{"demo-cita-3", 0, 18, 15, "demo-coyoacan", "demo-laura", "demo-cliente-3", "demo-manicura", "PENDING"},
			{"demo-cita-4", 1, 9, 30, "demo-roma", "demo-diego", "demo-cliente-4", "demo-corte", "CONFIRMED"},
			{"demo-cita-5", 1, 11, 0, "demo-coyoacan", "demo-laura", "demo-cliente-1", "demo-tinte", "PENDING"},
			{"demo-cita-6", 1, 17, 0, "demo-roma", "demo-diego", "demo-cliente-3", "demo-manicura", "CONFIRMED"},
		},
	},
	{
		id: OtherTenantID, name: "Clínica Mirasol", city: "Madrid", country: "España", zone: "Europe/Madrid",
		currency: "EUR", phone: "+34 910 555 010",
		branches: []branch{
			{"demo-chamberi", "Chamberí", "Calle de Fuencarral 128"},
		},
		users: []person{
			{id: "demo-beatriz", first: "Beatriz", last: "Alonso Prieto", role: contract.RoleSuperadmin},
			{id: "demo-oscar", first: "Óscar", last: "Nieto Blanco", role: contract.RoleSuperadmin},
			{id: "demo-marta", first: "Marta", last: "Serrano Gil", role: contract.RoleAdmin},
			{id: "demo-andres", first: "Andrés", last: "Cano Molina", role: contract.RoleAdmin},
			{id: "demo-nuria", first: "Nuria", last: "Vidal Ferrer", role: contract.RoleManager},
			{id: "demo-pablo", first: "Pablo", last: "Crespo Marín", role: contract.RoleManager},
			{id: "demo-ines", first: "Inés", last: "Lozano Rubio", role: contract.RoleProfessional},
			{id: "demo-alvaro", first: "Álvaro", last: "Santos Peris", role: contract.RoleProfessional},
			{id: "demo-gloria", first: "Gloria", last: "Benítez Pardo", role: contract.RoleProfessional, inactive: true},
			{id: "demo-rocio", first: "Rocío", last: "Medina Sanz", role: contract.RoleReceptionist},
			{id: "demo-sergio", first: "Sergio", last: "Bravo Lozano", role: contract.RoleReceptionist},
		},
		clients: []client{
			{"demo-cliente-5", "Lucía", "Herrero Vega", "+34 600 000 005", "demo-lucia"},
			{"demo-cliente-6", "Marcos", "Iglesias Toro", "+34 600 000 006", ""},
			{"demo-cliente-7", "Teresa", "Aguilar Font", "+34 600 000 007", ""},
		},
		services: []service{
			{"demo-fisio", "Sesión de fisioterapia", "#8B5CF6", 50, 55},
			{"demo-revision", "Revisión", "#F59E0B", 30, 35},
		},
		visits: []visit{
			{"demo-cita-7", 0, 9, 0, "demo-chamberi", "demo-ines", "demo-cliente-5", "demo-fisio", "CONFIRMED"},
			{"demo-cita-8", 0, 13, 0, "demo-chamberi", "demo-alvaro", "demo-cliente-6", "demo-revision", "PENDING"},
			{"demo-cita-9", 0, 19, 30, "demo-chamberi", "demo-ines", "demo-cliente-7", "demo-fisio", "CONFIRMED"},
			{"demo-cita-10", 1, 10, 0, "demo-chamberi", "demo-alvaro", "demo-cliente-5", "demo-revision", "CONFIRMED"},
			{"demo-cita-11", 1, 16, 30, "demo-chamberi", "demo-ines", "demo-cliente-6", "demo-fisio", "PENDING"},
		},
	},
}

// Describe lists everybody who can sign in, and who cannot any more, tenant by tenant.
func Describe() []User {
	var users []User
	for _, t := range tenants {
		for _, p := range t.users {
			users = append(users, User{
				ID: p.id, Name: p.first + " " + p.last, Role: p.role, Tenant: t.name, TenantID: t.id, Active: !p.inactive,
			})
		}
		for _, c := range t.clients {
			if c.portal != "" {
				users = append(users, User{
					ID: c.portal, Name: c.first + " " + c.last, Role: contract.RoleClient, Tenant: t.name, TenantID: t.id,
					Portal: true, Active: true,
				})
			}
		}
	}
	return users
}
