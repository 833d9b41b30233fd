package ecs

import "slices"

// situation is what the service scheduler decides on: plain values, so that the decision can be tried by itself.
type situation struct {
	desired int
	// minimumHealthyPercent and maximumPercent are the deployment configuration's.
	minimumHealthyPercent, maximumPercent int
	// hold is true while the scheduler must start nothing: after a failed deployment, or while it waits between tries.
	hold bool
	// tasks are those that should run, oldest first.
	tasks []standing
}

// standing is how one task stands.
type standing struct {
	// primary tasks belong to the newest deployment.
	primary bool
	// started is false until the task is RUNNING.
	started bool
	health  health
}

type health int

const (
	unknown health = iota // not yet judged, or within the grace period
	healthy
	unhealthy
)

// decision is what to do next: how many tasks of the newest deployment to start, and which tasks to stop, by their index.
type decision struct {
	start int
	stop  []int
	// blocked is true where the bounds leave no room to start and none to stop, so that a deployment cannot go on.
	blocked bool
}

// decide keeps the documented bounds of a rolling update: the tasks that run or start are never more than maximumPercent of the
// desired count (rounded down), and no healthy task is stopped for a deployment while that would leave fewer than
// minimumHealthyPercent of it (rounded up). An unhealthy task is replaced before it is stopped where the upper bound has room,
// and stopped first where it has none.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
func decide(s situation) decision {
	upper, lower := s.desired*s.maximumPercent/100, (s.desired*s.minimumHealthyPercent+99)/100
	d := decision{}
	stopped := make([]bool, len(s.tasks))
	count := func(matches func(standing) bool) int {
		n := 0
		for i, t := range s.tasks {
			if !stopped[i] && matches(t) {
				n++
			}
		}
		return n
	}
	isHealthy := func(t standing) bool { return t.health == healthy }
	// stop ends up to most tasks that match, those of least worth first, and of those the youngest.
	stop := func(most int, matches func(standing) bool, guarded bool) {
		for ; most > 0; most-- {
			least := -1
			for i := len(s.tasks) - 1; i >= 0; i-- {
				if stopped[i] || !matches(s.tasks[i]) {
					continue
				}
				if least < 0 || worth(s.tasks[i]) < worth(s.tasks[least]) {
					least = i
				}
			}
			if least < 0 || guarded && isHealthy(s.tasks[least]) && count(isHealthy)-1 < lower {
				return
			}
			stopped[least] = true
			d.stop = append(d.stop, least)
		}
	}
	old := func(t standing) bool { return !t.primary }
	good := func(t standing) bool { return t.primary && t.health != unhealthy }
	bad := func(t standing) bool { return t.primary && t.health == unhealthy }
	sound := func(t standing) bool { return t.primary && t.health == healthy }
	any := func(standing) bool { return true }

	stop(count(good)-s.desired, good, false)
	if !s.hold {
		wanted := s.desired - count(good)
		replaceable := func(t standing) bool { return old(t) || bad(t) }
		stop(min(wanted, wanted-(upper-count(any))), replaceable, true)
		d.start = max(0, min(wanted, upper-count(any)))
	}
	replaced := s.desired - count(sound)
	stop(count(bad)-replaced, bad, false)
	if s.hold {
		stop(count(any)-max(s.desired, count(good)), func(t standing) bool { return old(t) || bad(t) }, true)
	} else {
		stop(count(old)-replaced, old, true)
	}
	slices.Sort(d.stop)
	d.blocked = !s.hold && d.start == 0 && len(d.stop) == 0 && count(good) < s.desired && count(sound) == count(good) &&
		count(isHealthy) == count(any)
	return d
}

// worth orders tasks by what is lost with them.
func worth(t standing) int {
	switch {
	case t.health == unhealthy:
		return 0
	case !t.started:
		return 1
	case t.health == unknown:
		return 2
	default:
		return 3
	}
}
