package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a Lambda's own file system may hold no time zones
)

// Hours are when an environment sleeps, as its config says it: every night from From on, until Until of the next of the Days.
type Hours struct {
	// From is the time of day at which it goes to sleep, on every day of the week.
	From string `json:"from" required:"true" example:"20:00"`
	// Until is the time of day at which it wakes.
	Until string `json:"until" required:"true" example:"07:00"`
	// Days are the days of the week on which it wakes. On the others it stays asleep, unless a delivery or a person wakes it.
	Days []string `json:"days" default:"[\"MON\", \"TUE\", \"WED\", \"THU\", \"FRI\"]" example:"[\"MON\", \"TUE\", \"WED\", \"THU\", \"FRI\"]"`
	// Timezone is the zone of both times, by its name in the IANA database.
	Timezone string `json:"timezone" required:"true" example:"Europe/Berlin"`
}

// Nights is when an environment sleeps, checked.
type Nights struct {
	from, until int // minutes of the day
	wakes       [7]bool
	zone        *time.Location
}

// Weekdays are the names of the days as AWS's cron writes them, from Sunday on.
var Weekdays = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}

// Nights checks the hours. Either there are no problems, or all are told at once and the nights are of no use.
func (h Hours) Nights() (Nights, []Problem) {
	var n Nights
	var problems []Problem
	add := func(path, example, what string, values ...any) {
		problems = append(problems, Problem{Path: "sleep." + path, What: fmt.Sprintf(what, values...), Example: example})
	}
	for _, at := range []struct {
		path, text, example string
		into                *int
	}{{"from", h.From, `"20:00"`, &n.from}, {"until", h.Until, `"07:00"`, &n.until}} {
		clock, err := time.Parse("15:04", at.text)
		if err != nil || len(at.text) != len("15:04") {
			add(at.path, at.example, "is %q, which is not a time of day of 24 hours", at.text)
		}
		*at.into = clock.Hour()*60 + clock.Minute()
	}
	if h.From == h.Until {
		add("until", `"07:00"`, "is %q, which is when it goes to sleep as well", h.Until)
	}
	if len(h.Days) == 0 {
		add("days", `["MON", "TUE", "WED", "THU", "FRI"]`, "is empty, so it would never wake")
	}
	for i, day := range h.Days {
		path := fmt.Sprintf("days[%d]", i)
		switch at := slices.Index(Weekdays, day); {
		case at < 0:
			add(path, "MON", "is %q, which is not one of %s", day, strings.Join(Weekdays, ", "))
		case n.wakes[at]:
			add(path, "each day once", "is %s, which stands there already", day)
		default:
			n.wakes[at] = true
		}
	}
	var err error
	if n.zone, err = time.LoadLocation(h.Timezone); err != nil || h.Timezone == "" || h.Timezone == "Local" {
		add("timezone", "Europe/Berlin", "is %q, which is not a name of the IANA time zone database", h.Timezone)
	}
	return n, problems
}

// Zone is the name of the time zone that the nights are told in.
func (n Nights) Zone() string { return n.zone.String() }

// Crons are the moments of falling asleep and of waking as AWS's cron expressions, told in Zone.
func (n Nights) Crons() (sleep, wake string) {
	var days []string
	for i, wakes := range n.wakes {
		if wakes {
			days = append(days, Weekdays[i])
		}
	}
	return fmt.Sprintf("cron(%d %d ? * * *)", n.from%60, n.from/60),
		fmt.Sprintf("cron(%d %d ? * %s *)", n.until%60, n.until/60, strings.Join(days, ","))
}

// At tells whether a moment lies in a night, and when the next change comes: the end of this night or the beginning of the
// next one.
func (n Nights) At(t time.Time) (night bool, change time.Time) {
	local := t.In(n.zone)
	// The week before tells what holds now: the last change that is not after t. The days after it tell what comes next.
	const back, ahead = -7, 8
	for day := back; day <= ahead; day++ {
		sleep := time.Date(local.Year(), local.Month(), local.Day()+day, n.from/60, n.from%60, 0, 0, n.zone)
		wake := time.Date(local.Year(), local.Month(), local.Day()+day, n.until/60, n.until%60, 0, 0, n.zone)
		moments := []moment{{sleep, true}}
		if n.wakes[wake.Weekday()] {
			moments = append(moments, moment{wake, false})
		}
		slices.SortFunc(moments, func(a, b moment) int { return a.at.Compare(b.at) })
		for _, m := range moments {
			switch {
			case !m.at.After(t):
				night = m.night
			case m.night != night:
				return night, m.at
			}
		}
	}
	return night, time.Time{} // no week is without both
}

// moment is one change between day and night.
type moment struct {
	at    time.Time
	night bool
}
