package simulation

import (
	"math"
	"math/rand/v2"
)

// counts are one side's requests in one minute of the clock.
type counts struct{ requests, errors, clientErrors float64 }

func (c *counts) add(more counts) {
	c.requests += more.requests
	c.errors += more.errors
	c.clientErrors += more.clientErrors
}

// world is one release on its way, and what users have met of it.
type world struct {
	release
	random *rand.Rand
	now    float64
	weight int // the candidate's percent

	candidate, stable map[int]*counts // by the minute's number
	window            counts          // the candidate's, since a policy emptied it

	met    float64 // when users first met the candidate, negative before
	safe   float64 // when they were rid of it, negative before
	failed float64 // requests that failed because of the candidate
}

// before is how long the stable side's metrics go back when a release begins, in seconds.
const before = 300

func newWorld(index int, seed uint64, hiccups float64) *world {
	random := rand.New(rand.NewPCG(seed, uint64(index)))
	r := draw(index, random)
	r.hiccupLength, r.hiccupErrors = hiccups*r.hiccupLength, hiccups*r.hiccupErrors
	w := &world{release: r, random: random, now: r.begin - before, met: -1, safe: -1, candidate: map[int]*counts{}, stable: map[int]*counts{}}
	w.pass(r.begin)
	return w
}

// shift gives the candidate a share of the traffic.
func (w *world) shift(percent int) {
	if percent > 0 && w.met < 0 {
		w.met = w.now
	}
	if w.safe = -1; percent == 0 && w.met >= 0 {
		w.safe = w.now
	}
	w.weight = percent
}

// step is the longest time in which nothing is taken to change.
const step = 5.0

// pass lets time go by until then.
func (w *world) pass(then float64) {
	for w.now < then {
		next := min(then, w.now+step, (math.Floor(w.now/60)+1)*60)
		seconds := next - w.now
		load := usersPerSecond * float64(w.weight) / 100
		shared := w.shared(w.now)
		minute := int(w.now / 60)
		if w.weight > 0 {
			faults := w.faults(w.now, load)
			requests := load * seconds
			caused := min(w.poisson(requests*faults), requests)
			slow := w.poisson((requests - caused) * w.slower(patience))
			w.failed += caused + slow
			c := counts{requests, min(caused+w.poisson((requests-caused)*shared), requests), w.poisson(requests * clientErrors)}
			w.window.add(c)
			at(w.candidate, minute).add(c)
		}
		if w.weight < 100 {
			requests := (usersPerSecond - load) * seconds
			at(w.stable, minute).add(counts{requests: requests, errors: w.poisson(requests * shared)})
		}
		w.now = next
	}
}

func at(minutes map[int]*counts, minute int) *counts {
	if minutes[minute] == nil {
		minutes[minute] = &counts{}
	}
	return minutes[minute]
}

// readable is the number of the first minute whose metrics CloudWatch does not have yet.
func (w *world) readable() int { return int((w.now - metricsLag) / 60) }

// poisson draws a count about its mean.
func (w *world) poisson(mean float64) float64 {
	if mean <= 0 {
		return 0
	}
	if mean > 30 {
		return max(0, math.Round(mean+math.Sqrt(mean)*w.random.NormFloat64()))
	}
	n, p, limit := -1.0, 1.0, math.Exp(-mean)
	for p > limit {
		p *= w.random.Float64()
		n++
	}
	return n
}
