package contract

import (
	"encoding/json"
	"fmt"
	"time"
)

// TimeLayout is how the app shows a time: ISO 8601 in UTC, always three decimals and Z, as JavaScript's
// Date.prototype.toISOString (ECMA-262, 21.4.4.36) and Prisma write it.
const TimeLayout = "2006-01-02T15:04:05.000Z"

// Time is a time.Time that JSON shows with TimeLayout.
type Time struct{ time.Time }

// At turns t into UTC cut to milliseconds, which is what the app's timestamp(3) columns hold.
func At(t time.Time) Time { return Time{t.UTC().Truncate(time.Millisecond)} }

// String formats t with TimeLayout.
func (t Time) String() string { return t.UTC().Format(TimeLayout) }

// MarshalJSON writes t with TimeLayout.
func (t Time) MarshalJSON() ([]byte, error) { return []byte(`"` + t.String() + `"`), nil }

// UnmarshalJSON takes any RFC 3339 time, with or without fractions of a second.
func (t *Time) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("a time must be an ISO 8601 string")
	}
	v, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return fmt.Errorf("a time must be an ISO 8601 string such as 2026-01-31T15:04:05.000Z")
	}
	*t = At(v)
	return nil
}
