package inbox

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/citaplanner/realtime/db/models"
	"github.com/citaplanner/realtime/pkg/contract"
)

// FuzzCursor looks for a cursor that is taken although this server cannot have made it: what is taken is written again and
// must be the same.
func FuzzCursor(f *testing.F) {
	f.Add(cursorOf(models.NotificationLog{ID: "cm3f1", CreatedAt: time.UnixMilli(1_795_000_000_000)}))
	for _, s := range []string{"", "MS4", "MS4x", "MS4xLg", "MS4tMS5h", "MS45MjIzMzcyMDM2ODU0Nzc1ODA4LmE", "MS4xLmEK", "Mi4xLmE"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		at, id, ok := readCursor(s)
		if !ok {
			return
		}
		if at.Before(time.UnixMilli(0)) || at.Year() > 9999 || !plausible(id) {
			t.Fatalf("%q: %s, %q", s, at, id)
		}
		if back := cursorOf(models.NotificationLog{ID: id, CreatedAt: at}); back != s {
			t.Fatalf("%q came back as %q", s, back)
		}
	})
}

// FuzzReminders looks for reminder minutes that are taken although the contract forbids them, or refused without a name.
func FuzzReminders(f *testing.F) {
	for _, s := range []string{`[]`, `[60,1440]`, `null`, `["60"]`, `[1e2]`, `[0]`, `[43201]`, `[1,1,1,1,1,1,1,1,1,1,1]`, `[1]]`, `{`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !json.Valid(raw) {
			return // the body was read as JSON before
		}
		minutes, err := readMinutes(raw)
		if err != nil {
			if e := contract.AsError(err); e.Code != contract.CodeInvalid || e.Field != "reminderMinutesBefore" {
				t.Fatal(err)
			}
			return
		}
		if len(minutes) > maxReminders {
			t.Fatalf("%d entries", len(minutes))
		}
		for _, m := range minutes {
			if m < 1 || m > maxReminderMinutes {
				t.Fatalf("%d minutes", m)
			}
		}
	})
}
