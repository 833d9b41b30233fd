package rollout_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

var workdays = []string{"MON", "TUE", "WED", "THU", "FRI"}

func nights(t *testing.T, h rollout.Hours) rollout.Nights {
	t.Helper()
	n, problems := h.Nights()
	require.Empty(t, problems)
	return n
}

func TestNights(t *testing.T) {
	berlin := nights(t, rollout.Hours{From: "20:00", Until: "07:00", Days: workdays, Timezone: "Europe/Berlin"})
	small := nights(t, rollout.Hours{From: "01:30", Until: "05:00", Days: rollout.Weekdays, Timezone: "UTC"})
	seldom := nights(t, rollout.Hours{From: "18:00", Until: "09:00", Days: []string{"WED"}, Timezone: "America/New_York"})
	for _, c := range []struct {
		says       string
		nights     rollout.Nights
		at, change string
		night      bool
	}{
		{"a working day", berlin, "2026-03-04T12:00:00+01:00", "2026-03-04T20:00:00+01:00", false},
		{"its evening", berlin, "2026-03-04T20:00:00+01:00", "2026-03-05T07:00:00+01:00", true},
		{"the morning's first moment", berlin, "2026-03-05T07:00:00+01:00", "2026-03-05T20:00:00+01:00", false},
		{"the last moment of a night", berlin, "2026-03-05T06:59:59+01:00", "2026-03-05T07:00:00+01:00", true},
		{"a Friday night lasts until Monday", berlin, "2026-03-06T20:00:01+01:00", "2026-03-09T07:00:00+01:00", true},
		{"a Sunday at noon", berlin, "2026-03-08T12:00:00+01:00", "2026-03-09T07:00:00+01:00", true},
		{"a night in which summer time begins", berlin, "2026-03-28T23:00:00+01:00", "2026-03-30T07:00:00+02:00", true},
		{"told in another zone", berlin, "2026-07-01T17:59:59Z", "2026-07-01T18:00:00Z", false},
		{"small hours", small, "2026-03-04T03:00:00Z", "2026-03-04T05:00:00Z", true},
		{"a whole day after them", small, "2026-03-04T05:00:00Z", "2026-03-05T01:30:00Z", false},
		{"the one day of the week", seldom, "2026-03-04T12:00:00-05:00", "2026-03-04T18:00:00-05:00", false},
		{"six days asleep", seldom, "2026-03-04T19:00:00-05:00", "2026-03-11T09:00:00-04:00", true},
	} {
		t.Run(c.says, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339, c.at)
			require.NoError(t, err)
			night, change := c.nights.At(at)
			assert.Equal(t, c.night, night)
			want, err := time.Parse(time.RFC3339, c.change)
			require.NoError(t, err)
			assert.True(t, want.Equal(change), "%s is not %s", change, want)
		})
	}
}

func TestNightsAsCron(t *testing.T) {
	sleep, wake := nights(t, rollout.Hours{From: "20:05", Until: "07:30", Days: []string{"FRI", "MON"}, Timezone: "UTC"}).Crons()
	assert.Equal(t, "cron(5 20 ? * * *)", sleep)
	assert.Equal(t, "cron(30 7 ? * MON,FRI *)", wake)
}

func TestEveryWrongHourIsTold(t *testing.T) {
	_, problems := rollout.Hours{From: "8pm", Until: "24:00", Days: []string{"MON", "Tuesday", "MON"}, Timezone: "Berlin"}.Nights()
	var said []string
	for _, p := range problems {
		said = append(said, p.String())
	}
	text := strings.Join(said, "\n")
	require.Len(t, problems, 5, text)
	for _, part := range []string{
		`sleep.from: is "8pm", which is not a time of day of 24 hours; for example "20:00"`, `sleep.until: is "24:00"`,
		`sleep.days[1]: is "Tuesday", which is not one of SUN, MON`, "sleep.days[2]: is MON, which stands there already",
		`sleep.timezone: is "Berlin", which is not a name of the IANA time zone database; for example Europe/Berlin`,
	} {
		assert.Contains(t, text, part)
	}
	_, problems = rollout.Hours{From: "07:00", Until: "07:00", Timezone: "Local"}.Nights()
	require.Len(t, problems, 3, "no time to be awake, no day, and a zone that differs from machine to machine")
}
