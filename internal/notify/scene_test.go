package notify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/citaplanner/realtime/db/dbtest"
	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/db/store"
	"github.com/citaplanner/realtime/internal/leak"
	"github.com/citaplanner/realtime/internal/notify"
	"github.com/citaplanner/realtime/pkg/contract"
)

var update = flag.Bool("update", false, "write testdata instead of comparing with it")

func TestMain(m *testing.M) {
	leak.Main(m,
		goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"),
		goleak.IgnoreAnyFunction("github.com/jackc/pgx/v5/pgxpool.(*Pool).backgroundHealthCheck"))
}

// sent is one event as it left: to whom, and the exact JSON.
type sent struct {
	To      string          `json:"to"`
	Event   string          `json:"event"`
	Payload json.RawMessage `json:"payload"`
}

// recorder is a Broadcaster that encodes what it is given, as the hub does, and keeps it.
type recorder struct {
	mu   sync.Mutex
	list []sent

	// before runs ahead of each send; an error is the send's.
	before func(ctx context.Context, n int) error
}

func (r *recorder) ToUser(ctx context.Context, tenantID, userID, event string, payload any) (int, error) {
	return r.send(ctx, "user:"+userID+" of "+tenantID, event, payload)
}

func (r *recorder) ToTenant(ctx context.Context, tenantID, event string, payload any) (int, error) {
	return r.send(ctx, "tenant:"+tenantID, event, payload)
}

func (r *recorder) ToRole(
	ctx context.Context, tenantID string, role contract.Role, event string, payload any,
) (int, error) {
	return r.send(ctx, "role:"+string(role)+" of "+tenantID, event, payload)
}

func (r *recorder) send(ctx context.Context, to, event string, payload any) (int, error) {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(payload); err != nil {
		return 0, err
	}
	r.mu.Lock()
	n, before := len(r.list), r.before
	r.mu.Unlock()
	if before != nil {
		if err := before(ctx, n); err != nil {
			return 0, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, sent{to, event, bytes.TrimSpace(body.Bytes())})
	return 1, nil
}

// take returns what was sent since the last take.
func (r *recorder) take() []sent {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}

// brief is what was sent since the last take as "event → to".
func (r *recorder) brief() []string {
	names := []string{}
	for _, s := range r.take() {
		names = append(names, s.Event+" → "+s.To)
	}
	return names
}

// scene is the world of dbtest, a service over it at a fixed time, and what it sent.
type scene struct {
	*notify.Service

	t     *testing.T
	st    *store.Store
	world *dbtest.World
	a, b  dbtest.Tenant
	out   *recorder
	clock *clock
}

// clock stands still until it is moved.
type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.ns.Load()) }
func (c *clock) advance(d time.Duration) { c.ns.Add(int64(d)) }

// each runs fn on both databases.
func each(t *testing.T, fn func(t *testing.T, s *scene)) {
	t.Helper()
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, st *store.Store) { fn(t, newScene(t, st)) })
}

func newScene(t *testing.T, st *store.Store) *scene {
	s := &scene{t: t, st: st, world: dbtest.Seed(t, st), out: &recorder{}, clock: &clock{}}
	s.a, s.b = s.world.A, s.world.B
	s.clock.ns.Store(dbtest.Now.UnixNano())
	s.Service = s.process("id")
	return s
}

// process is a service as a process of its own would have it, on the same database and clients; its ids are prefix-1, …
func (s *scene) process(prefix string) *notify.Service {
	var n atomic.Int64
	return notify.New(s.st, s.out, notify.Options{
		Now: s.clock.now, NewID: func() string { return fmt.Sprintf("%s-%d", prefix, n.Add(1)) },
		KeyPoll: 5 * time.Millisecond,
	})
}

func (s *scene) ctx() context.Context { return s.t.Context() }

// rows are the notification rows by "eventType → recipient".
func (s *scene) rows() []string {
	names := []string{}
	for _, r := range s.world.Notifications() {
		var m struct{ EventType string }
		require.NoError(s.t, json.Unmarshal([]byte(*r.Metadata), &m))
		names = append(names, m.EventType+" → "+r.RecipientID)
	}
	return names
}

// nothing asserts that nothing was stored and nothing sent.
func (s *scene) nothing() {
	s.t.Helper()
	require.Empty(s.t, s.out.brief())
	require.Empty(s.t, s.world.Notifications())
	require.Empty(s.t, s.world.Deliveries())
}

func (s *scene) created(appointmentID string) contract.EmitResult {
	s.t.Helper()
	r, err := s.AppointmentCreated(s.ctx(), notify.AppointmentCreated{
		TenantID: s.a.ID, AppointmentID: appointmentID, ActorID: s.a.Admin,
	})
	require.NoError(s.t, err)
	return r
}

// row is a notification row as the golden files show it.
type row struct {
	ID, Type, Channel, RecipientID, RecipientName, RecipientContact, Message, Status, TenantID string

	SentAt, CreatedAt, UpdatedAt contract.Time
	ReadAt, DeliveredAt          *time.Time
	AppointmentID, UserID        *string
	Metadata                     json.RawMessage
}

func shown(rows []models.NotificationLog) []row {
	list := []row{}
	for _, r := range rows {
		list = append(list, row{
			ID: r.ID, Type: r.Type, Channel: r.Channel, RecipientID: r.RecipientID, RecipientName: r.RecipientName,
			RecipientContact: r.RecipientContact, Message: r.Message, Status: r.Status, TenantID: r.TenantID,
			SentAt: contract.At(*r.SentAt), CreatedAt: contract.At(r.CreatedAt), UpdatedAt: contract.At(r.UpdatedAt),
			ReadAt: r.ReadAt, DeliveredAt: r.DeliveredAt, AppointmentID: r.AppointmentID, UserID: r.UserID,
			Metadata: json.RawMessage(*r.Metadata),
		})
	}
	return list
}

// golden compares the answer, what was sent and what was stored with testdata/name.json, byte for byte.
func (s *scene) golden(name string, result contract.EmitResult) {
	s.t.Helper()
	var got bytes.Buffer
	e := json.NewEncoder(&got)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	require.NoError(s.t, e.Encode(struct {
		Result contract.EmitResult
		Sent   []sent
		Rows   []row
	}{result, s.out.take(), shown(s.world.Notifications())}))
	path := filepath.Join("testdata", name+".json")
	if *update {
		require.NoError(s.t, os.MkdirAll("testdata", 0o755))
		require.NoError(s.t, os.WriteFile(path, got.Bytes(), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(s.t, err)
	require.Equal(s.t, string(want), got.String())
}

var errDown = errors.New("the bus is down")

// text points at a text.
func text(s string) *string { return &s }

// newSQLite is a scene on the embedded database, for what does not depend on which it is.
func newSQLite(t *testing.T) *scene { return newScene(t, dbtest.SQLite(t)) }

// down is a bus that is down.
func down(context.Context, int) error { return errDown }

// cancel sets an appointment's status.
func (s *scene) cancel(id string) {
	s.t.Helper()
	require.NoError(s.t, s.st.InTx(s.ctx(), func(tx *store.Store) error {
		return tx.DB(s.ctx()).Model(&models.Appointment{}).Where("id = ?", id).Update("status", "CANCELLED").Error
	}))
}
