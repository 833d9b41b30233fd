package ecs

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

func TestDecide(t *testing.T) {
	old, fresh := standing{started: true, health: healthy}, standing{primary: true}
	sound := standing{primary: true, started: true, health: healthy}
	bad := standing{primary: true, started: true, health: unhealthy}
	oldBad := standing{started: true, health: unhealthy}
	rolling := func(desired int, tasks ...standing) situation {
		return situation{desired: desired, minimumHealthyPercent: 100, maximumPercent: 200, tasks: tasks}
	}
	bounded := func(desired, least, most int, tasks ...standing) situation {
		return situation{desired: desired, minimumHealthyPercent: least, maximumPercent: most, tasks: tasks}
	}
	held := func(s situation) situation { s.hold = true; return s }
	cases := map[string]struct {
		situation situation
		want      decision
	}{
		"starts what is missing":                                       {rolling(2), decision{start: 2}},
		"waits while enough start":                                     {rolling(2, fresh, fresh), decision{}},
		"starts the new beside the old where the upper bound has room": {rolling(2, old, old), decision{start: 2}},
		"keeps the old until the new are healthy":                      {rolling(2, old, old, fresh, fresh), decision{}},
		"stops one old for each new that is healthy":                   {rolling(2, old, old, sound, fresh), decision{stop: []int{1}}},
		"ends with the new alone":                                      {rolling(2, old, sound, sound), decision{stop: []int{0}}},
		"makes room first where the upper bound has none":              {bounded(4, 50, 100, old, old, old, old), decision{start: 2, stop: []int{2, 3}}},
		"never goes below the lower bound to make room":                {bounded(4, 75, 100, old, old, old, old), decision{start: 1, stop: []int{3}}},
		"rounds the upper bound down and the lower one up":             {bounded(3, 50, 150, old, old, old), decision{start: 2, stop: []int{2}}},
		"scales in from the youngest":                                  {rolling(1, sound, sound, sound), decision{stop: []int{1, 2}}},
		"scales in what has not started before what is healthy":        {rolling(2, fresh, sound, sound), decision{stop: []int{0}}},
		"stops all at a desired count of nothing":                      {rolling(0, old, sound, bad), decision{stop: []int{0, 1, 2}}},
		"replaces an unhealthy task before it stops it":                {rolling(2, sound, bad), decision{start: 1}},
		"stops an unhealthy task when its replacement is healthy":      {rolling(2, sound, bad, sound), decision{stop: []int{1}}},
		"stops unhealthy tasks first where there is no room":           {rolling(2, old, old, bad, bad), decision{start: 2, stop: []int{2, 3}}},
		"replaces an unhealthy old task by a new one":                  {bounded(2, 100, 150, old, oldBad), decision{start: 2, stop: []int{1}}},
		"is blocked where one task may neither be doubled nor stopped": {bounded(1, 50, 150, old), decision{blocked: true}},
		"starts nothing while it is held":                              {held(rolling(2)), decision{}},
		"keeps the old after a failed deployment and stops the failed": {held(rolling(2, old, old, bad, bad)), decision{stop: []int{2, 3}}},
		"still stops all at nothing while it is held":                  {held(rolling(0, old, bad, sound)), decision{stop: []int{0, 1, 2}}},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) { assert.Equal(t, test.want, decide(test.situation)) })
	}
}

// One step of any situation keeps the documented bounds.
func TestDecideKeepsItsBounds(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := situation{
			desired:               rapid.IntRange(0, 8).Draw(r, "desired"),
			minimumHealthyPercent: rapid.IntRange(0, 100).Draw(r, "minimum"),
			maximumPercent:        rapid.IntRange(100, 200).Draw(r, "maximum"),
			hold:                  rapid.Bool().Draw(r, "hold"),
			tasks: rapid.SliceOfN(rapid.Custom(func(r *rapid.T) standing {
				started := rapid.Bool().Draw(r, "started")
				judged := unknown
				if started {
					judged = health(rapid.IntRange(0, 2).Draw(r, "health"))
				}
				return standing{primary: rapid.Bool().Draw(r, "primary"), started: started, health: judged}
			}), 0, 16).Draw(r, "tasks"),
		}
		d := decide(s)

		stopped, live, primaries, healthyLeft, healthyBefore := map[int]bool{}, 0, 0, 0, 0
		for _, i := range d.stop {
			assert.False(r, stopped[i], "a task is stopped once")
			stopped[i] = true
		}
		for i, t := range s.tasks {
			if t.health == healthy {
				healthyBefore++
			}
			if stopped[i] {
				continue
			}
			live++
			if t.primary {
				primaries++
			}
			if t.health == healthy {
				healthyLeft++
			}
		}
		upper, lower := s.desired*s.maximumPercent/100, (s.desired*s.minimumHealthyPercent+99)/100
		assert.LessOrEqual(r, live+d.start, max(upper, live), "it starts nothing over maximumPercent")
		assert.GreaterOrEqual(r, healthyLeft, min(lower, healthyBefore), "it stops no healthy task below minimumHealthyPercent")
		if s.hold {
			assert.Zero(r, d.start)
		}
		if s.desired == 0 {
			assert.Zero(r, live+d.start, "nothing stays where nothing is wanted")
		}
		if d.start > 0 {
			assert.LessOrEqual(r, primaries+d.start-count(s.tasks, stopped, func(t standing) bool { return t.primary && t.health == unhealthy }), s.desired,
				"it starts no more of the new than are wanted, unhealthy ones aside")
		}
	})
}

func count(tasks []standing, stopped map[int]bool, matches func(standing) bool) int {
	n := 0
	for i, t := range tasks {
		if !stopped[i] && matches(t) {
			n++
		}
	}
	return n
}
