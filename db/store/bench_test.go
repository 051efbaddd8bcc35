package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/store"
)

// What a sign-in and an emit cost at the database.
func BenchmarkAccount(b *testing.B) {
	for _, st := range []*store.Store{dbtest.SQLite(b), dbtest.Postgres(b)} {
		w := dbtest.Seed(b, st)
		b.Run(st.Dialect(), func(b *testing.B) {
			for b.Loop() {
				_, err := st.Users.Account(b.Context(), w.A.Admin)
				require.NoError(b, err)
			}
		})
	}
}

func BenchmarkLoadAppointment(b *testing.B) {
	for _, st := range []*store.Store{dbtest.SQLite(b), dbtest.Postgres(b)} {
		w := dbtest.Seed(b, st)
		b.Run(st.Dialect(), func(b *testing.B) {
			for b.Loop() {
				_, err := st.Appointments.Load(b.Context(), w.A.ID, w.A.Appointment)
				require.NoError(b, err)
			}
		})
	}
}
