package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"

	"github.com/lxzan/gws"
)

// floor is a bare WebSocket server: the least that a machine has to do for a fan-out. It takes the rooms of a
// connection from the session cookie's place (tenant/user), writes one prepared frame to each connection, and checks nothing. It speaks as much of the
// protocol as the load generator needs.
type floor struct {
	gws.BuiltinEventHandler
	mu    sync.Mutex
	rooms map[string]map[*gws.Conn]struct{}
}

// newFloor returns its handler.
func newFloor() http.Handler {
	f := &floor{rooms: map[string]map[*gws.Conn]struct{}{}}
	up := gws.NewUpgrader(f, &gws.ServerOption{})
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/api/socket", func(w http.ResponseWriter, r *http.Request) {
		cookie, err := r.Cookie("next-auth.session-token")
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		c, err := up.Upgrade(w, r)
		if err != nil {
			return
		}
		f.mu.Lock()
		for room := range strings.SplitSeq(cookie.Value, "/") {
			if f.rooms[room] == nil {
				f.rooms[room] = map[*gws.Conn]struct{}{}
			}
			f.rooms[room][c] = struct{}{}
		}
		f.mu.Unlock()
		_ = c.WriteString("0{}")
		go c.ReadLoop()
	})
	mux.HandleFunc("POST /api/emit/tenant", f.emit)
	mux.HandleFunc("POST /api/emit/user", f.emit)
	return mux
}

func (f *floor) emit(w http.ResponseWriter, r *http.Request) {
	var body struct {
		TenantID string          `json:"tenantId"`
		UserID   string          `json:"userId"`
		Event    string          `json:"event"`
		Data     json.RawMessage `json:"data"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	frame := gws.NewBroadcaster(gws.OpcodeText, append(append([]byte(`42["`+body.Event+`",`), body.Data...), ']'))
	defer func() { _ = frame.Close() }()
	f.mu.Lock()
	defer f.mu.Unlock()
	room := body.UserID
	if room == "" {
		room = body.TenantID
	}
	for c := range f.rooms[room] {
		_ = frame.Broadcast(c)
	}
	w.WriteHeader(http.StatusAccepted)
}

// OnMessage answers CONNECT and acknowledges events.
func (f *floor) OnMessage(c *gws.Conn, m *gws.Message) {
	defer func() { _ = m.Close() }()
	p := m.Data.String()
	switch {
	case p == "40":
		_ = c.WriteString(`42["connection:success"]`)
	case len(p) > 2 && p[:2] == "42":
		i := 2
		for i < len(p) && p[i] >= '0' && p[i] <= '9' {
			i++
		}
		_ = c.WriteString("43" + p[2:i] + `[{"success":true}]`)
	}
}

// OnClose forgets a connection.
func (f *floor) OnClose(c *gws.Conn, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, in := range f.rooms {
		delete(in, c)
	}
}
