package e2e_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/pkg/contract"
)

// vector is a case of pkg/nextauth's test data, made by the real NextAuth packages.
type vector struct {
	Name            string          `json:"name"`
	Want            string          `json:"want"`
	Secret          []string        `json:"secret"`
	AuthToken       any             `json:"authToken"`
	AuthTokenRepeat []any           `json:"authTokenRepeat"`
	Authorization   string          `json:"authorization"`
	Cookie          string          `json:"cookie"`
	Claims          json.RawMessage `json:"claims"`
}

// TestEveryVectorOfTheRealNextAuthSignsInOrIsRefusedAsItShould goes through the polling handshake, the WebSocket handshake
// and, where the credential is in a header, an HTTP route.
func TestEveryVectorOfTheRealNextAuthSignsInOrIsRefusedAsItShould(t *testing.T) {
	b, err := os.ReadFile("../../pkg/nextauth/testdata/nextauth.json")
	require.NoError(t, err)
	var file struct{ Cases []vector }
	require.NoError(t, json.Unmarshal(b, &file))
	require.Greater(t, len(file.Cases), 25)
	scenes := map[string]*scene{}
	n := startNode(t)
	for _, v := range file.Cases {
		key := strings.Join(v.Secret, ",")
		if scenes[key] == nil {
			s := startPostgres(t, "NEXTAUTH_SECRET", key)
			for i := 1; i <= 5; i++ {
				seedVectorUser(s, i)
			}
			scenes[key] = s
		}
		t.Run(v.Name, func(t *testing.T) {
			s := scenes[key]
			for _, transport := range []string{"polling", "websocket"} {
				o := open{Cookie: v.Cookie, Origin: s.url, Bearer: strings.TrimPrefix(v.Authorization, "Bearer "), Token: v.AuthToken,
					Transports: []string{transport}}
				if len(v.AuthTokenRepeat) == 2 {
					o.Token = strings.Repeat(v.AuthTokenRepeat[0].(string), int(v.AuthTokenRepeat[1].(float64)))
				}
				c := n.open(s.url, o)
				got := c.wait("connect or its refusal", func(m message) bool {
					return m.Event == "connection:success" || m.Type == "connect_error" || m.Type == "disconnect"
				})
				if v.Want == "accept" {
					require.Equal(t, "connection:success", got.Event, "%s: %+v", transport, got)
					var claims struct{ Sub string }
					require.NoError(t, json.Unmarshal(v.Claims, &claims))
					require.Contains(t, got.payload(), `"userId":"`+claims.Sub+`"`)
				} else {
					require.NotEqual(t, "connection:success", got.Event, transport)
				}
				c.close()
			}
			if v.AuthToken != nil && v.AuthToken != "" || len(v.AuthTokenRepeat) > 0 {
				return // auth.token exists in a CONNECT packet alone
			}
			var header []string
			if v.Authorization != "" {
				header = append(header, "Authorization", v.Authorization)
			}
			if v.Cookie != "" {
				header = append(header, "Cookie", v.Cookie)
			}
			want := http.StatusUnauthorized
			if v.Want == "accept" {
				want = http.StatusForbidden // signed in, but no administrator
			}
			require.Equal(t, want, s.do("GET", "/api/socket/stats", "", header...).status)
		})
	}
}

func seedVectorUser(s *scene, i int) {
	n := string(rune('0' + i))
	s.world.Insert(&models.Tenant{ID: "tenant-" + n, Name: "Clínica", Country: "México", Timezone: "America/Mexico_City",
		Currency: "MXN", PrimaryColor: "#000000", SecondaryColor: "#000000", IsActive: true, CreatedAt: time.Now().UTC(), UpdatedAt: time.Now().UTC()})
	s.world.AddUser("tenant-"+n, "user-"+n, contract.RoleProfessional)
}

func TestARefusedSocketSeesTheTextAndTheCodeOfItsReason(t *testing.T) {
	s := startPostgres(t)
	n := startNode(t)
	for name, c := range map[string]struct {
		open          open
		message, code string
	}{
		"no credential":            {open{}, "Authentication token required", "AUTH_REQUIRED"},
		"nonsense":                 {open{Token: "nonsense"}, "Invalid token", "INVALID_TOKEN"},
		"expired":                  {open{Token: s.token(s.world.A.Admin, -time.Hour)}, "Invalid token", "TOKEN_EXPIRED"},
		"unknown user":             {open{Token: s.token("nobody")}, "User not found or inactive", "USER_INACTIVE"},
		"inactive user":            {open{Token: s.token(s.world.A.Inactive)}, "User not found or inactive", "USER_INACTIVE"},
		"bad token, good cookie":   {open{Token: "nonsense", Cookie: s.cookie(s.world.A.Admin)}, "Invalid token", "INVALID_TOKEN"},
		"cookie of another origin": {open{Cookie: s.cookie(s.world.A.Admin), Origin: "https://evil.example.com"}, "Invalid token", "INVALID_TOKEN"},
	} {
		t.Run(name, func(t *testing.T) {
			c2 := n.open(s.url, c.open)
			got := c2.kind("connect_error")
			require.Equal(t, c.message, got.Message)
			require.JSONEq(t, `{"code":"`+c.code+`"}`, string(got.Data))
			c2.close()
		})
	}
}

func TestACookieOverWebSocketNeedsAnOriginOfOurOwn(t *testing.T) {
	s := startPostgres(t, "ALLOWED_ORIGINS", "https://panel.example.com/")
	n := startNode(t)
	cookie := s.cookie(s.world.A.Admin)
	ws := []string{"websocket"}
	for _, origin := range []string{s.url, "https://citas.example.com", "https://panel.example.com"} {
		n.connect(s.url, open{Cookie: cookie, Origin: origin, Transports: ws}).close()
	}
	for _, origin := range []string{"", "https://evil.example.com", "null"} {
		require.Equal(t, "Invalid token", n.open(s.url, open{Cookie: cookie, Origin: origin, Transports: ws}).kind("connect_error").Message)
	}
}

func TestAPortalUserSignsInAsCLIENT(t *testing.T) {
	s := startPostgres(t)
	c := startNode(t).open(s.url, s.as(s.world.A.Portal))
	require.Contains(t, c.event("connection:success").payload(), `"role":"CLIENT"`)
}

func TestALostRightEndsTheConnection(t *testing.T) {
	s := startPostgres(t, "RECHECK_EVERY", "100ms", "USER_CACHE_TTL", "50ms")
	n := startNode(t)
	a := s.world.A

	t.Run("an inactive user is disconnected for good", func(t *testing.T) {
		c := n.connect(s.url, s.as(a.Receptionist))
		s.world.SetUserActive(a.Receptionist, false)
		require.Equal(t, "io server disconnect", c.kind("disconnect").Reason)
		require.Equal(t, "User not found or inactive", n.open(s.url, s.as(a.Receptionist)).kind("connect_error").Message)
	})
	t.Run("a user with another role comes back by itself, into the new role's room", func(t *testing.T) {
		c := n.connect(s.url, s.as(a.Professional2))
		s.world.SetRole(a.Professional2, contract.RoleManager)
		c.kind("disconnect")
		require.Contains(t, c.event("connection:success").payload(), `"role":"MANAGER"`)
		s.emitted("role", m{"role": "MANAGER", "tenantId": a.ID, "event": "probe", "data": 1})
		c.event("probe")
	})
	t.Run("a user who was moved to another tenant comes back there", func(t *testing.T) {
		c := n.connect(s.url, s.as(a.Admin2))
		s.world.MoveUser(a.Admin2, s.world.B.ID)
		c.kind("disconnect")
		require.Contains(t, c.event("connection:success").payload(), `"tenantId":"tenant-b"`)
	})
	t.Run("an inactive tenant ends all of its connections", func(t *testing.T) {
		c := n.connect(s.url, s.as(s.world.B.Admin))
		s.world.SetTenantActive(s.world.B.ID, false)
		c.kind("disconnect")
	})
}

func TestASessionThatLapsesIsAnnouncedAndEnds(t *testing.T) {
	t.Parallel()
	s := startPostgres(t)
	c := startNode(t).open(s.url, open{Token: s.token(s.world.A.Admin, 2*time.Second), Options: m{"reconnection": false}})
	require.Contains(t, c.event("auth:expiring").payload(), `"expiresAt":"`)
	c.kind("disconnect") // the clock tolerance of 15 s later
}
