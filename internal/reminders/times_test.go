package reminders

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhatATenantMayWrite(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]int{
		"[1440,60]":                        {1440, 60},
		"[1440, 120, 60, 60]":              {1440, 120, 60},
		`["1440","60"]`:                    {1440, 60},
		`["24h", "90m", "1d", "1w"]`:       {1440, 90, 10080},
		`["2 horas antes","15 minutos"]`:   {120, 15},
		`["1.5h"]`:                         {90},
		`{"times":[30]}`:                   {30},
		`{"minutes":"45"}`:                 {45},
		`{"24h":true,"1h":false,"2h":1}`:   {1440},
		`"24h"`:                            {1440},
		"60":                               {60},
		"1440,60":                          {1440, 60},
		"24h; 1h":                          {1440, 60},
		"[1440,60":                         {1440, 60},
		"1 día, 2 horas":                   {1440, 120},
		"[15, \"pronto\", -5, 99999, 2.5]": {15},
		"[1,2,3,4,5,6,7,8,9,10,11,12]":     {1, 2, 3, 4, 5, 6, 7, 8, 9, 10},
		// Nothing at all, on purpose.
		"[]": {}, `{"times":[]}`: {}, `{"24h":false}`: {},
		// Nothing that can be read: the defaults.
		"": {1440, 60}, "  ": {1440, 60}, "null": {1440, 60}, "{}": {1440, 60}, "true": {1440, 60}, `["mañana"]`: {1440, 60},
		"a las nueve": {1440, 60}, "[0]": {1440, 60}, "[[5]]": {1440, 60}, `{"times":{"a":{}}}`: {1440, 60},
		"\x00\xff": {1440, 60}, "1e400": {1440, 60}, strings.Repeat("[", 20_000): {1440, 60}, "99999999999999999999h": {1440, 60},
	} {
		require.Equal(t, want, parseTimes(text).minutes, "%.40q", text)
	}
}

func TestATenantMayBeStricterThanTheServer(t *testing.T) {
	t.Parallel()
	strict, lax, none := `{"times":[60],"toleranceMinutes":5}`, `{"times":[60],"toleranceMinutes":500}`, "[60]"
	r := rules{less: map[string]time.Duration{}}
	for _, text := range []string{strict, lax, none} {
		if own := parseTimes(text).tolerance; own != nil {
			r.less[text] = *own
		}
	}
	require.Equal(t, 5*time.Minute, r.toleranceOf(strict, 15*time.Minute))
	require.Equal(t, 15*time.Minute, r.toleranceOf(lax, 15*time.Minute))
	require.Equal(t, 15*time.Minute, r.toleranceOf(none, 15*time.Minute))
}
