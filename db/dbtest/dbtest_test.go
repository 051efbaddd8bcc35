package dbtest_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/store"
)

func TestTheWorldStandsOnBothDatabases(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) {
		w := dbtest.Seed(t, st)
		a, err := st.Users.Account(t.Context(), w.A.Admin)
		require.NoError(t, err)
		require.Equal(t, "Ana Admin", a.Name())
		require.NoError(t, st.Ready(t.Context()))

		w.AddUser(w.B.ID, "new", "MANAGER")
		w.SetRole("new", "ADMIN")
		w.MoveUser("new", w.A.ID)
		w.SetUserActive("new", false)
		a, err = st.Users.Account(t.Context(), "new")
		require.NoError(t, err)
		require.Equal(t, store.Account{
			ID: "new", Email: "new@example.com", FirstName: "Nombre new", LastName: "Apellido", TenantID: w.A.ID,
			Role: "ADMIN",
		}, a)
		w.SetPortalActive(w.A.PortalInactive, true)
		w.AddAppointment(w.A, "extra", nil)
		w.MoveAppointment("extra", dbtest.Now, dbtest.Now.Add(time.Hour))
		w.DeleteAppointment("extra")
		there, err := st.Appointments.Exists(t.Context(), w.A.ID, "extra")
		require.NoError(t, err)
		require.False(t, there)
	})
}

func TestEachTestHasADatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	one, _ := dbtest.PostgresURL(t)
	two, _ := dbtest.PostgresURL(t)
	require.NotEqual(t, one, two)
}

func TestRedisAnswersAndGoes(t *testing.T) {
	t.Parallel()
	var addr string
	t.Run("while the test runs", func(t *testing.T) {
		addr = dbtest.Redis(t)
		conn, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		require.NoError(t, conn.Close())
	})
	_, err := net.Dial("tcp", addr)
	require.Error(t, err)
}

// inChild is set in the process that TestServersGoWithAKilledProcess starts.
const inChild = "DBTEST_IN_CHILD"

func TestServersGoWithAKilledProcess(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	folder := t.TempDir()
	child := exec.Command(self, "-test.run", "^TestHelperStaysWithAServer$")
	child.Env = append(os.Environ(), inChild+"=1", "TMPDIR="+folder)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	buffer := make([]byte, 256)
	n, err := out.Read(buffer)
	require.NoError(t, err, "the address")
	addr := string(buffer[:n])
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	require.NoError(t, conn.Close())

	require.NoError(t, child.Process.Kill())
	_ = child.Wait()
	require.Eventually(t, func() bool {
		_, err := net.Dial("tcp", addr)
		left, _ := filepath.Glob(filepath.Join(folder, "dbtest-redis-*"))
		return err != nil && len(left) == 0
	}, 20*time.Second, 20*time.Millisecond)
}

// TestHelperStaysWithAServer is not a test: it is the child of TestServersGoWithAKilledProcess.
func TestHelperStaysWithAServer(t *testing.T) {
	if os.Getenv(inChild) == "" {
		return
	}
	_, err := os.Stdout.WriteString(dbtest.Redis(t))
	require.NoError(t, err)
	select {}
}
