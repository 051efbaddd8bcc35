package reminders

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
)

// BenchmarkPass sends 1,000 reminders that are due at the same moment, such as the full hour's: 500 appointments, each with a
// professional and a portal user.
func BenchmarkPass(b *testing.B) {
	for _, st := range []*store.Store{dbtest.SQLite(b), dbtest.Postgres(b)} {
		b.Run(st.Dialect(), func(b *testing.B) {
			s := newScene(b, st)
			for i := range 500 {
				s.add(fmt.Sprint("x-", i))
			}
			s.before(60, 0)
			s.Service = New(s.st, s.notify(), Options{Now: s.now})
			for b.Loop() {
				b.StopTimer()
				s.exec(`DELETE FROM ` + ownTable(st))
				require.NoError(b, st.DB(b.Context()).Where("1 = 1").Delete(&models.NotificationLog{}).Error)
				b.StartTimer()
				done, err := s.Pass(b.Context())
				require.NoError(b, err)
				require.Equal(b, 1002, done.Sent)
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N)/1.002, "µs/reminder")
		})
	}
}

func ownTable(st *store.Store) string {
	if st.Dialect() == store.Postgres {
		return "realtime.reminders"
	}
	return "realtime_reminders"
}
