package scheduler_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/scheduler"
)

func TestWhenExpressionsHappenNext(t *testing.T) {
	moment := func(text string) time.Time {
		at, err := time.Parse(time.RFC3339, text)
		require.NoError(t, err)
		return at
	}
	begun := moment("2026-11-25T12:00:00Z") // a Wednesday
	cases := map[string]struct{ text, zone, after, want string }{
		"once":                              {"at(2026-11-25T18:00:00)", "", "2026-11-25T12:00:00Z", "2026-11-25T18:00:00Z"},
		"once, in a time zone":              {"at(2026-11-25T18:00:00)", "Europe/Berlin", "2026-11-25T12:00:00Z", "2026-11-25T17:00:00Z"},
		"once, in the past":                 {"at(2026-11-25T11:00:00)", "", "2026-11-25T12:00:00Z", ""},
		"a rate begins at its beginning":    {"rate(5 minutes)", "", "2026-11-25T11:59:59Z", "2026-11-25T12:00:00Z"},
		"a rate goes on from its beginning": {"rate(5 minutes)", "", "2026-11-25T12:07:00Z", "2026-11-25T12:10:00Z"},
		"a rate at one of its times":        {"rate(1 hour)", "", "2026-11-25T13:00:00Z", "2026-11-25T14:00:00Z"},
		"every evening of a working day":    {"cron(0 20 ? * MON-FRI *)", "", "2026-11-27T21:00:00Z", "2026-11-30T20:00:00Z"},
		"in a time zone with summer time":   {"cron(0 20 ? * MON-FRI *)", "Europe/Berlin", "2026-07-01T12:00:00Z", "2026-07-01T18:00:00Z"},
		"weekdays count from Sunday as 1":   {"cron(0 8 ? * 2 *)", "", "2026-11-25T12:00:00Z", "2026-11-30T08:00:00Z"},
		"the last day of the month":         {"cron(30 1 L * ? *)", "", "2026-11-25T12:00:00Z", "2026-11-30T01:30:00Z"},
		"the second Friday":                 {"cron(0 8 ? * 6#2 *)", "", "2026-11-25T12:00:00Z", "2026-12-11T08:00:00Z"},
		"every ten minutes":                 {"cron(0/10 * * * ? *)", "", "2026-11-25T12:01:00Z", "2026-11-25T12:10:00Z"},
		"a year that has passed":            {"cron(0 8 1 1 ? 2020)", "", "2026-11-25T12:00:00Z", ""},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			e, err := scheduler.Parse(test.text, test.zone)
			require.NoError(t, err)
			next := e.Next(moment(test.after), begun)
			if test.want == "" {
				assert.True(t, next.IsZero(), next)
				return
			}
			assert.Equal(t, test.want, next.UTC().Format(time.RFC3339))
		})
	}
}

func TestExpressionsThatAreRefused(t *testing.T) {
	for text, zone := range map[string]string{
		"every day": "", "at(2026-11-25)": "", "at(25.11.2026T18:00:00)": "", "rate(5 minute)": "", "rate(1 minutes)": "", "rate(0 minutes)": "",
		"rate(5 seconds)": "", "cron(0 20 * * *)": "", "cron(0 20 * * * *)": "", "cron(0 20 ? * ? *)": "", "cron(0 25 ? * MON *)": "",
		"cron(0 8 ? * 8 *)": "", "cron(x 8 ? * MON *)": "", "cron(5-3 8 ? * MON *)": "", "cron(0 8 ? * FRI-MON *)": "", "at(2026-11-25T18:00:00)": "Berlin", "": "",
	} {
		_, err := scheduler.Parse(text, zone)
		assert.Error(t, err, text)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"at(2026-11-25T18:00:00)", "rate(5 minutes)", "cron(0 20 ? * MON-FRI *)", "cron(0/10 1-5,7 LW 1 ? 2030)", "cron(0 8 ? * 6#2 *)"} {
		f.Add(seed, "Europe/Berlin")
	}
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text, zone string) {
		e, err := scheduler.Parse(text, zone)
		if err != nil {
			return
		}
		if next := e.Next(now, now); !next.IsZero() {
			assert.True(t, next.After(now), "%s: %s is not after %s", text, next, now)
		}
	})
}
