package plan

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/penguinshop/delivery/sandbox/graph"
)

// awake is the part of the week in which a service runs, by the scheduled actions that put its scalable target to zero and
// back. 1 for a service that never sleeps, or whose schedules this does not read.
func awake(g *graph.Graph, service graph.Resource) float64 {
	type moment struct {
		minute int // of the week, from Sunday 00:00
		up     bool
	}
	var moments []moment
	for _, action := range g.OfType("aws:appautoscaling/scheduledAction:ScheduledAction") {
		if !strings.HasSuffix(text(action, "resourceId"), "/"+physicalName(service)) {
			continue
		}
		up := number(action, "scalableTargetAction.maxCapacity", 1) > 0
		for _, minute := range weekly(text(action, "schedule")) {
			moments = append(moments, moment{minute, up})
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
