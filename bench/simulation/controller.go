package simulation

import (
	"fmt"
	"math"
	"time"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// tasks is the size of both sides.
const tasks = 4

// gaveUp is when ECS's deployment circuit breaker gives up a service whose tasks exit, in seconds.
const gaveUp = 150.0

// controlled is a policy that the real rules run: rollout.Decide at every tick, over what the adapters would have seen.
type controlled struct{ plan rollout.Plan }

// Preset is this controller with one of its presets, and with every other default.
func Preset(name string) (Policy, error) {
	plan, problems := rollout.Policy{Preset: name}.Plan()
	if len(problems) > 0 {
		return Policy{}, fmt.Errorf("the preset %s: %v", name, problems)
	}
	return Policy{Name: name, run: controlled{plan}.run}, nil
}

var epoch = time.Date(2025, time.January, 1, 0, 0, 0, 0, time.UTC)

func moment(seconds float64) time.Time {
	return epoch.Add(time.Duration(seconds * float64(time.Second)))
}

// run lets the rules shift the release to its end.
func (c controlled) run(w *world) (promoted bool) {
	const candidate, stable, revision = rollout.Green, rollout.Blue, "web:2"
	state := rollout.Begin(candidate, c.plan, moment(w.now))
	preview := candidate
	desired := map[rollout.Colour]int{stable: tasks}
	started := 0.0
	for {
		o := c.observe(w, state.Look(c.plan), desired, started)
		o.Preview = &preview
		o.Green.Service.TaskDefinition = revision
		o.Release = &rollout.Release{TaskDefinition: revision}
		d := rollout.Decide(c.plan, state, &o)
		state = d.State
		if d.Outcome != "" {
			return d.Outcome == rollout.Promoted
		}
		wait := rollout.Tick
		for _, change := range d.Want.Changes(&o) {
			wait = time.Second // as the controller does after a change
			switch change.Kind {
			case rollout.ChangePreview:
				preview = change.Colour
			case rollout.ChangeTasks:
				desired[change.Colour], started = change.Tasks, w.now
			case rollout.ChangeWeights:
				w.shift(change.Weights.Of(candidate))
			}
		}
		w.pass(w.now + wait.Seconds())
	}
}

// observe is what the adapters would see at this moment. No autoscaling is declared.
func (c controlled) observe(w *world, look rollout.Look, desired map[rollout.Colour]int, started float64) rollout.Observation {
	weights := rollout.Split(look.Candidate, w.weight)
	o := rollout.Observation{Now: moment(w.now), Lease: rollout.LeaseMine, Weights: &weights}
	for _, colour := range []rollout.Colour{rollout.Blue, rollout.Green} {
		side, n := o.Of(colour), desired[colour]
		side.Scaling = &rollout.Scaling{}
		side.Service = &rollout.Service{Desired: n, Running: n, Settled: true}
		side.Targets = &rollout.Targets{Healthy: n}
		if colour != look.Candidate || n == 0 || !w.exits && w.now >= started+startSeconds {
			continue
		}
		side.Service.Running, side.Service.Settled = 0, false
		side.Targets = &rollout.Targets{Initial: n}
		if w.exits && w.now >= started+gaveUp {
			side.Service.Failed = "tasks failed to start"
		}
	}
	if look.Probes > 0 {
		o.Probes = c.probe(w, look.Probes)
	}
	if !look.Since.IsZero() {
		since := look.Since.Sub(epoch).Seconds()
		o.Of(look.Candidate).Metrics = c.metrics(w, w.candidate, since, w.median)
		o.Of(look.Candidate.Other()).Metrics = c.metrics(w, w.stable, since, usualMedian)
	}
	return o
}

// probe sends requests by the preview rule: the candidate answers them as it answers users at this moment.
func (c controlled) probe(w *world, n int) *rollout.Probed {
	n *= len(c.plan.Probes.Paths)
	faults := w.faults(w.now, usersPerSecond*float64(w.weight)/100)
	late := w.slower(float64(c.plan.Probes.LatencyMs) / 1000)
	good := (1 - faults) * (1 - w.shared(w.now)) * (1 - late)
	probed := rollout.Probed{Sent: n}
	for range n {
		if w.random.Float64() >= good {
			probed.Failed++
		}
	}
	return &probed
}

// metrics are a side's complete and readable minutes that began at since or later.
func (c controlled) metrics(w *world, minutes map[int]*counts, since, median float64) *rollout.Metrics {
	first := int(math.Ceil(since / 60))
	var m rollout.Metrics
	for minute := first; minute < w.readable(); minute++ {
		counted := minutes[minute]
		if counted == nil || counted.requests == 0 {
			continue
		}
		m.Periods = append(m.Periods, rollout.Counts{
			End: moment(float64(minute+1) * 60), Requests: counted.requests, Errors: counted.errors,
			Latency: time.Duration(quantile(median, 1.645) * float64(time.Second)), // p95, the presets' percentile
		})
	}
	return &m
}
