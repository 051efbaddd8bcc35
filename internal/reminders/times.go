package reminders

import (
	"context"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/citaplanner/realtime/db/store"
)

// Bounds of what a tenant's text may ask for: those of reminderMinutesBefore (contract/http.md).
const (
	maxMinutes = 43_200
	maxCount   = 10
)

// defaultMinutes is what holds for whoever has said nothing (contract/database.md, reminderMinutesBefore).
var defaultMinutes = []int{1440, 60}

// rules is when to remind whom, of all tenants and users.
type rules struct {
	minutes []int // all that are in use, sorted
	tenants []store.TenantMinutes
	less    map[string]time.Duration // tolerances of their own, by the tenants' texts
}

// toleranceOf is the tolerance of a tenant with that text: its own, where it is less than that of the server.
func (r rules) toleranceOf(text string, server time.Duration) time.Duration {
	if own, ok := r.less[text]; ok && own < server {
		return own
	}
	return server
}

// rules reads what is wished for.
func (s *Service) rules(ctx context.Context) (rules, error) {
	minutes, texts, err := s.st.Reminders.Wishes(ctx)
	if err != nil {
		return rules{}, err
	}
	r := rules{minutes: append(minutes, defaultMinutes...), less: map[string]time.Duration{}}
	if !slices.Contains(texts, "") {
		texts = append(texts, "") // tenants without a row of settings
	}
	for _, text := range texts {
		t := parseTimes(text)
		for _, m := range t.minutes {
			r.tenants = append(r.tenants, store.TenantMinutes{Times: text, Minutes: m})
		}
		r.minutes = append(r.minutes, t.minutes...)
		if t.tolerance != nil {
			r.less[text] = *t.tolerance
		}
	}
	slices.Sort(r.minutes)
	r.minutes = slices.Compact(r.minutes)
	return r, nil
}

// times is what a tenant's appointmentReminderTimes says.
type times struct {
	minutes   []int
	tolerance *time.Duration // nil: the server's
}

// parseTimes reads notification_settings.appointmentReminderTimes, a text that the app writes as a JSON array of minutes,
// [1440,60], and people by hand in other ways. These are read, too:
//
//	["24h", "90m", "1d"]               units m, h, d, w, in words of English or Spanish as well ("2 horas")
//	{"times": [1440, 60], "toleranceMinutes": 5}   under any of the names in listNames; toleranceMinutes is ours
//	{"24h": true, "1h": false}
//	1440,60     24h; 1h                no JSON at all
//
// A number without a unit is minutes. What is not 1 to 43,200 minutes is left out, and so is all after the tenth. An
// empty list is no reminders. A text of which nothing can be read is as good as none: the defaults hold.
func parseTimes(text string) times {
	text = strings.TrimSpace(text)
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		v = text
	}
	var t times
	if object, ok := v.(map[string]any); ok {
		if n, ok := object["toleranceMinutes"].(float64); ok && n >= 0 && n <= maxMinutes {
			d := time.Duration(n * float64(time.Minute))
			t.tolerance = &d
		}
		v = listOf(object)
	}
	if list, ok := v.([]any); ok && len(list) == 0 {
		t.minutes = []int{}
		return t
	}
	for _, m := range minutesOf(v) {
		if !slices.Contains(t.minutes, m) && len(t.minutes) < maxCount {
			t.minutes = append(t.minutes, m)
		}
	}
	if len(t.minutes) == 0 {
		t.minutes = defaultMinutes
	}
	return t
}

// listNames are the members of an object that may hold the list.
var listNames = []string{"times", "minutes", "minutesBefore", "reminderMinutesBefore", "reminders", "values"}

// listOf is the list in an object: a member, or the names whose value is true; nil where it holds neither.
func listOf(object map[string]any) any {
	for _, name := range listNames {
		if list, ok := object[name]; ok {
			return list
		}
	}
	var list any
	chosen := []any{}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if on, ok := object[name].(bool); ok {
			if on {
				chosen = append(chosen, name)
			}
			list = chosen
		}
	}
	return list
}

// minutesOf reads numbers, texts and lists of them.
func minutesOf(v any) []int {
	switch v := v.(type) {
	case float64:
		return inMinutes(v, 1)
	case string:
		var all []int
		for part := range strings.FieldsFuncSeq(v, func(r rune) bool { return strings.ContainsRune(",;|[]{}\"'\n", r) }) {
			all = append(all, parsePart(part)...)
		}
		return all
	case []any:
		var all []int
		for _, e := range v {
			if _, nested := e.([]any); !nested { // a list in a list is none of ours, and may be deep
				all = append(all, minutesOf(e)...)
			}
		}
		return all
	}
	return nil
}

// parsePart reads one number with or without a unit, such as "24h", "2 horas" or "60".
func parsePart(part string) []int {
	part = strings.ToLower(strings.TrimSpace(part))
	end := strings.IndexFunc(part, func(r rune) bool { return !unicode.IsDigit(r) && r != '.' })
	if end < 0 {
		end = len(part)
	}
	n, err := strconv.ParseFloat(part[:end], 64)
	if err != nil {
		return nil
	}
	unit, _, _ := strings.Cut(strings.TrimSpace(part[end:]), " ") // "horas antes"
	switch unit {
	case "", "m", "min", "mins", "minute", "minutes", "minuto", "minutos":
		return inMinutes(n, 1)
	case "h", "hr", "hrs", "hour", "hours", "hora", "horas":
		return inMinutes(n, 60)
	case "d", "day", "days", "día", "dia", "días", "dias":
		return inMinutes(n, 24*60)
	case "w", "week", "weeks", "semana", "semanas":
		return inMinutes(n, 7*24*60)
	}
	return nil
}

func inMinutes(n float64, unit int) []int {
	m := n * float64(unit)
	if !(m >= 1 && m <= maxMinutes) || m != math.Trunc(m) {
		return nil
	}
	return []int{int(m)}
}
