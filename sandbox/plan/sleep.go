package plan

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/shiftfn/settings"
)

// scheduleType is EventBridge Scheduler's.
const scheduleType = "aws:scheduler/schedule:Schedule"

// calls tells whether a schedule puts an environment to sleep or wakes it.
func calls(schedule graph.Resource) (command string, ok bool) {
	if schedule.Type != scheduleType {
		return "", false
	}
	call, _ := document(schedule, "target.input").(map[string]any)
	command, _ = call["command"].(string)
	return command, command == settings.CommandSleep || command == settings.CommandWake
}

// awake is the part of the week in which a service runs, by the schedules that put its environment to sleep and wake it. 1 for
// a service that never sleeps, or whose schedules this does not read.
func awake(g *graph.Graph, service graph.Resource) float64 {
	type moment struct {
		minute int // of the week, from Sunday 00:00
		up     bool
	}
	var moments []moment
	for _, schedule := range g.OfType(scheduleType) {
		command, ok := calls(schedule)
		if !ok || !shifts(g, text(schedule, "target.arn"), service) {
			continue
		}
		for _, minute := range weekly(text(schedule, "scheduleExpression")) {
			moments = append(moments, moment{minute, command == settings.CommandWake})
		}
	}
	if len(moments) == 0 {
		return 1
	}
	slices.SortFunc(moments, func(a, b moment) int { return a.minute - b.minute })
	const week = 7 * 24 * 60
	up, since, total := moments[len(moments)-1].up, 0, 0
	for _, m := range append(moments, moment{minute: week}) {
		if up {
			total += m.minute - since
		}
		up, since = m.up, m.minute
	}
	return float64(total) / week
}

// shifts tells whether the function of an ARN is the one that moves a service's traffic, by the settings that it is told.
func shifts(g *graph.Graph, function string, service graph.Resource) bool {
	for _, r := range g.OfType("aws:lambda/function:Function") {
		if arn, _ := r.Outputs["arn"].(string); arn != function {
			continue
		}
		s, err := settings.Parse(text(r, "environment.variables."+settings.Variable))
		if name := physicalName(service); err == nil && (s.Blue.Service == name || s.Green.Service == name) {
			return true
		}
	}
	return false
}

func physicalName(r graph.Resource) string {
	name, _ := r.Outputs["name"].(string)
	return name
}

var weekdays = []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}

var cron = regexp.MustCompile(`^cron\((\d+) (\d+) (\S+) \* (\S+) \*\)$`)

// weekly reads a cron expression of AWS that names a minute, an hour and days of the week, as minutes of the week; nil for
// any other.
func weekly(schedule string) []int {
	found := cron.FindStringSubmatch(schedule)
	if found == nil || found[3] != "?" && found[3] != "*" {
		return nil
	}
	minute, _ := strconv.Atoi(found[1])
	hour, _ := strconv.Atoi(found[2])
	var minutes []int
	for day := range weekdays {
		if onDay(found[4], day) {
			minutes = append(minutes, (day*24+hour)*60+minute)
		}
	}
	return minutes
}

// onDay tells whether a cron field (MON-FRI, SAT,SUN, 2-6, *, ?) holds a day; 0 is Sunday, which cron writes as 1.
func onDay(field string, day int) bool {
	if field == "*" || field == "?" {
		return true
	}
	index := func(word string) int {
		if n, err := strconv.Atoi(word); err == nil {
			return n - 1
		}
		return slices.Index(weekdays, strings.ToUpper(word))
	}
	for part := range strings.SplitSeq(field, ",") {
		first, last, ranged := strings.Cut(part, "-")
		from := index(first)
		to := from
		if ranged {
			to = index(last)
		}
		if from <= day && day <= to || from > to && (day >= from || day <= to) {
			return true
		}
	}
	return false
}
