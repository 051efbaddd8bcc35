package notify_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/notify"
	"github.com/citaplanner/realtime/pkg/contract"
)

// nowhere is a Broadcaster without sockets.
type nowhere struct{}

func (nowhere) ToUser(context.Context, string, string, string, any) (int, error) { return 0, nil }
func (nowhere) ToTenant(context.Context, string, string, any) (int, error)       { return 0, nil }
func (nowhere) ToRole(context.Context, string, contract.Role, string, any) (int, error) {
	return 0, nil
}

// BenchmarkEmit measures an emit from the call until its event is handed to the hub: most of it is the database.
func BenchmarkEmit(b *testing.B) {
	for name, open := range map[string]func(testing.TB) *store.Store{
		"sqlite": dbtest.SQLite, "postgres": dbtest.Postgres,
	} {
		st := open(b)
		w := dbtest.Seed(b, st)
		for i := range 1000 {
			w.AddUser(w.B.ID, fmt.Sprintf("many-%04d", i), contract.RoleReceptionist)
		}
		svc := notify.New(st, nowhere{}, notify.Options{DedupWindow: -1})
		ctx, stop := context.WithCancel(b.Context())
		ended := make(chan error)
		go func() { ended <- svc.Run(ctx) }()
		b.Run(name+"/appointment", func(b *testing.B) {
			for b.Loop() {
				_, err := svc.AppointmentCreated(ctx, notify.AppointmentCreated{TenantID: w.A.ID, AppointmentID: w.A.Appointment})
				require.NoError(b, err)
			}
		})
		b.Run(name+"/alert for 1000 users", func(b *testing.B) {
			for b.Loop() {
				_, err := svc.SystemAlert(ctx, notify.SystemAlert{
					TenantID: w.B.ID, Message: "m", Severity: contract.SeverityInfo, Role: contract.RoleReceptionist,
				})
				require.NoError(b, err)
			}
		})
		stop()
		require.NoError(b, <-ended)
	}
}
