package scheduler

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/cronexpr"
)

// Expression is when something happens: once (at), at a regular rate, or by a calendar (cron). EventBridge, its scheduler and
// Application Auto Scaling share the syntax.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
type Expression struct {
	text   string
	at     time.Time
	period time.Duration
	cron   *cronexpr.Expression
	zone   *time.Location
}

var (
	atForm   = regexp.MustCompile(`^at\((.+)\)$`)
	rateForm = regexp.MustCompile(`^rate\((\d+) (minutes?|hours?|days?)\)$`)
	cronForm = regexp.MustCompile(`^cron\((.+)\)$`)
)

var units = map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}

// Parse reads an expression, such as at(2026-11-24T18:00:00), rate(5 minutes) or cron(0 20 ? * MON-FRI *), in a time zone by its
// IANA name; an empty one is UTC. A rate knows no time zone.
func Parse(text, timezone string) (Expression, error) {
	zone := time.UTC
	if timezone != "" {
		var err error
		if zone, err = time.LoadLocation(timezone); err != nil {
			return Expression{}, fmt.Errorf("time zone %q is not a name such as Europe/Berlin", timezone)
		}
	}
	e := Expression{text: text, zone: zone}
	if found := atForm.FindStringSubmatch(text); found != nil {
		at, err := time.ParseInLocation("2006-01-02T15:04:05", found[1], zone)
		if err != nil {
			return Expression{}, fmt.Errorf("schedule expression %q: the time has the form at(yyyy-mm-ddThh:mm:ss)", text)
		}
		e.at = at
		return e, nil
	}
	if found := rateForm.FindStringSubmatch(text); found != nil {
		value, err := strconv.Atoi(found[1])
		unit := strings.TrimSuffix(found[2], "s")
		if err != nil || value < 1 || value > 1_000_000 {
			return Expression{}, fmt.Errorf("schedule expression %q: the rate's value is 1 or more", text)
		}
		if (value == 1) != (unit == found[2]) {
			return Expression{}, fmt.Errorf("schedule expression %q: the unit is singular for 1 and plural for more", text)
		}
		e.period = time.Duration(value) * units[unit]
		return e, nil
	}
	if found := cronForm.FindStringSubmatch(text); found != nil {
		cron, err := parseCron(found[1])
		if err != nil {
			return Expression{}, fmt.Errorf("schedule expression %q: %w", text, err)
		}
		e.cron = cron
		return e, nil
	}
	return Expression{}, fmt.Errorf("schedule expression %q: the forms are at(2026-11-24T18:00:00), rate(5 minutes) and cron(0 20 ? * MON-FRI *)", text)
}

var (
	weekday = regexp.MustCompile(`\d+`)
	extent  = regexp.MustCompile(`(\w+)-(\w+)`)
)

// names are those of months and weekdays, each at its place in the year or week.
var names = strings.Fields("SUN MON TUE WED THU FRI SAT JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC")

// place is a field's number, or its name's, for the comparison of two of one kind.
func place(text string) int {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return slices.Index(names, strings.ToUpper(text))
}

// parseCron reads AWS's six fields: minutes, hours, day of month, month, day of week, year. AWS counts weekdays from 1 for
// Sunday, the library from 0.
func parseCron(text string) (cron *cronexpr.Expression, err error) {
	fields := strings.Fields(text)
	if len(fields) != 6 {
		return nil, fmt.Errorf("%d fields: cron has six, minutes, hours, day of month, month, day of week and year", len(fields))
	}
	if (fields[2] == "?") == (fields[4] == "?") {
		return nil, fmt.Errorf("exactly one of day of month and day of week is ?")
	}
	for _, field := range fields {
		for _, ends := range extent.FindAllStringSubmatch(field, -1) {
			if place(ends[1]) > place(ends[2]) { // the library would look for what never comes
				return nil, fmt.Errorf("the range %s runs backwards", ends[0])
			}
		}
	}
	days, occurrence, has := strings.Cut(fields[4], "#")
	days, step, stepped := strings.Cut(days, "/")
	outside := false
	days = weekday.ReplaceAllStringFunc(days, func(day string) string {
		n, err := strconv.Atoi(day)
		outside = outside || err != nil || n < 1 || n > 7
		return strconv.Itoa(n - 1)
	})
	if outside {
		return nil, fmt.Errorf("the day of week is 1 (Sunday) to 7 or SUN to SAT")
	}
	if stepped {
		days += "/" + step
	}
	if has {
		days += "#" + occurrence
	}
	fields[4] = days
	// The library documents that it may misbehave on malformed text; a panic is such text.
	defer func() {
		if recover() != nil {
			cron, err = nil, fmt.Errorf("a field is malformed")
		}
	}()
	return cronexpr.Parse(strings.Join(fields, " "))
}

// Once tells whether it happens a single time.
func (e Expression) Once() bool { return !e.at.IsZero() }

// Next is the first time strictly after a moment at which it happens, or the zero time where there is none. A rate counts from
// its beginning, which is its first time.
func (e Expression) Next(after, beginning time.Time) time.Time {
	switch {
	case e.Once():
		if e.at.After(after) {
			return e.at
		}
		return time.Time{}
	case e.period > 0:
		if after.Before(beginning) {
			return beginning
		}
		return beginning.Add((after.Sub(beginning)/e.period + 1) * e.period)
	default:
		return e.cron.Next(after.In(e.zone))
	}
}

func (e Expression) String() string { return e.text }
