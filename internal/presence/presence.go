package presence

import (
	"context"
	"hash/maphash"
	"sort"
	"sync"
	"time"

	"github.com/citaplanner/realtime/pkg/contract"
)

// DefaultMaxEditing is how many appointments one socket may hold open for editing.
const DefaultMaxEditing = 64

// Announcer sends to the sockets of a tenant; the hub satisfies it.
type Announcer interface {
	// ToTenantExcept sends to every socket of the tenant but the one named ("" excepts none).
	ToTenantExcept(tenantID, exceptSocket, event string, payload any)
	// ToSocket sends to one socket.
	ToSocket(socketID, event string, payload any)
}

// Options of New; the zero value is usable.
type Options struct {
	Grace      time.Duration    // how long after its last socket a user counts as gone; 0 is at once
	MaxEditing int              // appointments one socket may edit at a time; 0 is DefaultMaxEditing
	Now        func() time.Time // nil is time.Now
	// Gone hears of each user whose last socket went at the time given and who did not come back within the grace, and, when
	// Stop is called, of all who are here. nil: nobody does.
	Gone func(tenantID, userID string, left time.Time)
}

// Member is one socket of somebody who is here.
type Member struct {
	SocketID, UserID, TenantID, Email string
}

// Presence is safe for use by many goroutines.
type Presence struct {
	out  Announcer
	opts Options

	mu      sync.Mutex // guards all below; nothing is sent while it is held
	tenants map[string]*tenant
	sockets map[string]*member
	closed  bool
	leaving sync.WaitGroup // grace timers under way
	turn    sync.Mutex     // held by the one that announces: thousands who left at once must not hold up who is there

	// orders are the users', by their hash: held from when one comes or goes until that is announced, or the others might hear
	// of it in another order. Taken before mu and after turn.
	orders [256]sync.Mutex
	seed   maphash.Seed
}

type tenant struct {
	users   map[string]*user
	editing map[string]map[string]*edit // appointment → user → edit
}

type user struct {
	sockets int                     // that the user has
	status  contract.PresenceStatus // what any of the user's sockets said last
	since   time.Time               // when status began
	left    time.Time               // when a socket was last known to be there, of those that are gone
	leave   *time.Timer             // runs between the last socket's end and the announcement
}

type member struct {
	Member
	editing map[string]struct{}
}

type edit struct {
	since   time.Time
	sockets map[string]struct{}
}

// New returns a Presence that announces through out.
func New(out Announcer, o Options) *Presence {
	if o.MaxEditing <= 0 {
		o.MaxEditing = DefaultMaxEditing
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Presence{out: out, opts: o, tenants: map[string]*tenant{}, sockets: map[string]*member{}, seed: maphash.MakeSeed()}
}

// order returns a user's.
func (p *Presence) order(tenantID, userID string) *sync.Mutex {
	return &p.orders[maphash.String(p.seed, tenantID+"\x00"+userID)%uint64(len(p.orders))]
}

// Join takes in a socket: the others of the tenant hear user:online when it is the user's first, then it is told who is here
// (presence:state). So whoever joins when a socket has its presence:state hears of its user in the own one, and not once more.
func (p *Presence) Join(m Member) {
	now := p.opts.Now()
	order := p.order(m.TenantID, m.UserID)
	order.Lock()
	defer order.Unlock()
	p.mu.Lock()
	if _, again := p.sockets[m.SocketID]; again || p.closed {
		p.mu.Unlock()
		return
	}
	p.sockets[m.SocketID] = &member{Member: m}
	t := p.tenants[m.TenantID]
	if t == nil {
		t = &tenant{users: map[string]*user{}, editing: map[string]map[string]*edit{}}
		p.tenants[m.TenantID] = t
	}
	u, known := t.users[m.UserID]
	if !known {
		u = &user{since: now, status: contract.StatusOnline}
		t.users[m.UserID] = u
	}
	if u.leave != nil { // back within the grace: nobody heard that the user was gone
		if u.leave.Stop() {
			p.leaving.Done()
		}
		u.leave = nil
	}
	u.sockets++
	p.mu.Unlock()

	if !known {
		p.out.ToTenantExcept(m.TenantID, m.SocketID, contract.EventUserOnline,
			contract.UserOnline{UserID: m.UserID, Email: m.Email, Timestamp: contract.At(now)})
	}
	p.mu.Lock()
	state := t.state()
	p.mu.Unlock()
	p.out.ToSocket(m.SocketID, contract.EventPresenceState, contract.PresenceState{Users: state})
}

// Leave forgets a socket and frees what it was editing, which it returns. When it was the user's last, user:offline follows after the
// grace, unless the user comes back.
func (p *Presence) Leave(socketID string) (editing []string) { return p.Lost(socketID, p.opts.Now()) }

// Lost is Leave for a socket whose end is noticed late: it was last heard of at the time given.
func (p *Presence) Lost(socketID string, heard time.Time) (editing []string) {
	now := p.opts.Now()
	p.mu.Lock()
	m := p.sockets[socketID]
	p.mu.Unlock()
	if m == nil {
		return nil
	}
	order := p.order(m.TenantID, m.UserID)
	order.Lock()
	defer order.Unlock()
	p.mu.Lock()
	if p.sockets[socketID] != m {
		p.mu.Unlock()
		return nil
	}
	delete(p.sockets, socketID)
	t := p.tenants[m.TenantID]
	var stopped []string
	for id := range m.editing {
		editing = append(editing, id)
		if t.stopEditing(id, m.UserID, socketID) {
			stopped = append(stopped, id)
		}
	}
	sort.Strings(stopped)
	u := t.users[m.UserID]
	u.sockets--
	if heard.After(u.left) {
		u.left = heard
	}
	left := u.left
	gone := u.sockets == 0
	if gone && p.opts.Grace > 0 && !p.closed {
		p.leaving.Add(1)
		u.leave = time.AfterFunc(p.opts.Grace, func() { p.leaveNow(m.TenantID, m.UserID) })
		gone = false
	} else if gone {
		p.drop(m.TenantID, m.UserID)
	}
	p.mu.Unlock()

	for _, id := range stopped {
		p.out.ToTenantExcept(m.TenantID, socketID, contract.EventEditingStopped,
			contract.Editing{UserID: m.UserID, AppointmentID: id})
	}
	if gone {
		p.offline(m.TenantID, m.UserID, now, left)
	}
	return editing
}

func (p *Presence) leaveNow(tenantID, userID string) {
	defer p.leaving.Done()
	p.turn.Lock()
	defer p.turn.Unlock()
	order := p.order(tenantID, userID)
	order.Lock()
	defer order.Unlock()
	now := p.opts.Now()
	p.mu.Lock()
	t := p.tenants[tenantID]
	var u *user
	if t != nil {
		u = t.users[userID]
	}
	if u == nil || u.leave == nil || u.sockets > 0 { // came back while this was waiting for the lock
		p.mu.Unlock()
		return
	}
	left := u.left
	p.drop(tenantID, userID)
	p.mu.Unlock()
	p.offline(tenantID, userID, now, left)
}

func (p *Presence) offline(tenantID, userID string, now, left time.Time) {
	if p.opts.Gone != nil {
		p.opts.Gone(tenantID, userID, left)
	}
	p.out.ToTenantExcept(tenantID, "", contract.EventUserOffline,
		contract.UserOffline{UserID: userID, Timestamp: contract.At(now)})
}

// drop forgets a user, and the tenant with its last one. The lock is held.
func (p *Presence) drop(tenantID, userID string) {
	t := p.tenants[tenantID]
	delete(t.users, userID)
	if len(t.users) == 0 {
		delete(p.tenants, tenantID)
	}
}

// Update sets the state of a socket's user; the others of the tenant hear user:presence. It reports whether status is
// one that the protocol knows.
func (p *Presence) Update(socketID string, status contract.PresenceStatus) bool {
	if !status.Valid() {
		return false
	}
	now := p.opts.Now()
	p.mu.Lock()
	m, ok := p.sockets[socketID]
	if !ok {
		p.mu.Unlock()
		return true
	}
	u := p.tenants[m.TenantID].users[m.UserID]
	if u.status != status {
		u.status, u.since = status, now
	}
	p.mu.Unlock()
	p.out.ToTenantExcept(m.TenantID, socketID, contract.EventUserPresence,
		contract.UserPresence{UserID: m.UserID, Status: status, Timestamp: contract.At(now)})
	return true
}

// View tells the others of the tenant what the socket's user is looking at.
func (p *Presence) View(socketID, date, viewType string) {
	p.mu.Lock()
	m, ok := p.sockets[socketID]
	p.mu.Unlock()
	if ok {
		p.out.ToTenantExcept(m.TenantID, socketID, contract.EventUserViewingCalendar,
			contract.UserViewingCalendar{UserID: m.UserID, Date: date, ViewType: viewType})
	}
}

// Stop ends the grace timers without announcing anything and waits for those that run, or for ctx.
func (p *Presence) Stop(ctx context.Context) error {
	now := p.opts.Now()
	type gone struct {
		tenant, user string
		left         time.Time
	}
	var all []gone
	p.mu.Lock()
	p.closed = true
	for tenantID, t := range p.tenants {
		for userID, u := range t.users {
			left := u.left
			if u.sockets > 0 {
				left = now
			}
			all = append(all, gone{tenantID, userID, left})
			if u.leave != nil && u.leave.Stop() {
				p.leaving.Done()
				u.leave = nil
			}
		}
	}
	p.mu.Unlock()
	if p.opts.Gone != nil {
		for _, g := range all {
			p.opts.Gone(g.tenant, g.user, g.left)
		}
	}
	done := make(chan struct{})
	go func() { p.leaving.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Users lists the ids of all users with a socket, each once.
func (p *Presence) Users() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []string
	for _, t := range p.tenants {
		for id, u := range t.users {
			if u.sockets > 0 {
				out = append(out, id)
			}
		}
	}
	return out
}

// TenantUsers lists the users of a tenant that have a socket, sorted.
func (p *Presence) TenantUsers(tenantID string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := []string{}
	if t := p.tenants[tenantID]; t != nil {
		for id, u := range t.users {
			if u.sockets > 0 {
				out = append(out, id)
			}
		}
	}
	sort.Strings(out)
	return out
}

// state lists who is in the tenant, sorted by user. The lock is held.
func (t *tenant) state() []contract.PresentUser {
	out := make([]contract.PresentUser, 0, len(t.users))
	for id, u := range t.users {
		if u.sockets > 0 {
			out = append(out, contract.PresentUser{UserID: id, Status: u.status, Since: contract.At(u.since)})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].UserID < out[j].UserID })
	return out
}
