package rollout_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const revision = "arn:aws:ecs:eu-central-1:123456789012:task-definition/shop-green:7"

func plan(t *testing.T, p rollout.Policy) rollout.Plan {
	t.Helper()
	plan, problems := p.Plan()
	require.Empty(t, problems)
	plan.Minimum = 2
	return plan
}

// canary is a plan with two stops on the way, an alarm and a latency bound.
func canary(t *testing.T) rollout.Plan {
	return plan(t, rollout.Policy{
		Steps:          []rollout.Step{{Weight: 10, BakeSeconds: 120}, {Weight: 50, BakeSeconds: 0}, {Weight: 100, BakeSeconds: 60}},
		StandbySeconds: 600,
		Alarms:         []string{"errors"},
		Limits:         rollout.Limits{LatencyMs: 500, Unknowns: 4},
	})
}

// stand is a shift of green at one of its points, in a world where all is well. A test changes what it is about.
type stand struct {
	plan  rollout.Plan
	state rollout.State
	seen  rollout.Observation
}

// at is a shift that has been in a phase, at a weight, for a while.
func at(t *testing.T, plan rollout.Plan, phase rollout.Phase, weight int, lasted time.Duration) *stand {
	t.Helper()
	now := noon.Add(10 * time.Minute)
	s := rollout.Begin(rollout.Green, plan, noon)
	s.Phase, s.Since, s.Weight, s.Writing, s.Size, s.TaskDefinition = phase, now.Add(-lasted).Unix(), weight, weight, 4, revision
	if phase == rollout.Promoting || phase == rollout.Aborting {
		s.Turned = s.Since
		s.Reason = "it was bad"
	}
	green := rollout.Green
	weights := rollout.Split(rollout.Green, weight)
	o := rollout.Observation{Now: now, Lease: rollout.LeaseMine, Weights: &weights, Preview: &green}
	for _, c := range []rollout.Colour{rollout.Blue, rollout.Green} {
		*o.Of(c) = rollout.Side{
			Targets: &rollout.Targets{Healthy: 4},
			Service: &rollout.Service{Desired: 4, Running: 4, TaskDefinition: revision, Settled: true},
			Scaling: &rollout.Scaling{Managed: true, Min: 2, Max: 10, Suspended: true},
			Metrics: periods(now, good),
		}
	}
	o.Green.Scaling.Min = 0
	o.Release = &rollout.Release{TaskDefinition: revision}
	o.Probes = &rollout.Probed{Sent: 20}
	o.Alarms = []rollout.Alarm{{Name: "errors", State: rollout.AlarmOK}}
	return &stand{plan, s, o}
}

var good = rollout.Counts{Requests: 1000, Latency: 100 * time.Millisecond}

// periods are complete ones that end at the last full minutes, the newest last.
func periods(now time.Time, counts ...rollout.Counts) *rollout.Metrics {
	m := &rollout.Metrics{}
	for i, c := range counts {
		c.End = now.Truncate(time.Minute).Add(time.Duration(i-len(counts)+1) * time.Minute)
		m.Periods = append(m.Periods, c)
	}
	return m
}

func (s *stand) decide() rollout.Decision { return rollout.Decide(s.plan, s.state, &s.seen) }

// again is the next tick, with what the last one left.
func (s *stand) again(after time.Duration) rollout.Decision {
	s.state = s.decide().State
	s.seen.Now = s.seen.Now.Add(after)
	return s.decide()
}

func percent(t *testing.T, d rollout.Decision) int {
	t.Helper()
	require.NotNil(t, d.Want.Weights, "nothing was moved: %s", d.Reason)
	assert.Equal(t, 100, d.Want.Weights.Blue+d.Want.Weights.Green)
	return d.Want.Weights.Of(d.State.Candidate)
}

func goesOn(t *testing.T, d rollout.Decision, phase rollout.Phase) {
	t.Helper()
	assert.Empty(t, d.Outcome, d.Reason)
	assert.Equal(t, phase, d.State.Phase, d.Reason)
	assert.Nil(t, d.Want.Weights, "weights were moved: %s", d.Reason)
}

func TestTheFirstLook(t *testing.T) {
	first := func(t *testing.T) *stand {
		s := at(t, canary(t), rollout.Checking, 0, 0)
		s.state.Size, s.state.TaskDefinition = 0, ""
		s.seen.Green.Service.Desired, s.seen.Green.Service.Running = 0, 0
		s.seen.Green.Targets.Healthy = 0
		return s
	}
	t.Run("starts the candidate at the live side's size and lets neither side shrink", func(t *testing.T) {
		s := first(t)
		s.seen.Blue.Service.Desired = 7
		d := s.decide()
		goesOn(t, d, rollout.Starting)
		assert.Equal(t, 7, d.State.Size)
		assert.Equal(t, revision, d.State.TaskDefinition)
		assert.Equal(t, rollout.Want{
			Preview: rollout.Green,
			Green:   rollout.SideWant{AtLeast: 7, Scaling: &rollout.ScalingWant{Min: 0, Suspended: true}},
			Blue:    rollout.SideWant{AtLeast: 2, Scaling: &rollout.ScalingWant{Min: 2, Suspended: true}},
		}, d.Want)
		assert.Equal(t, s.seen.Now.Unix(), d.State.Since)
	})
	t.Run("gives the candidate at least the minimum", func(t *testing.T) {
		s := first(t)
		s.seen.Blue.Service.Desired = 1
		assert.Equal(t, 2, s.decide().State.Size)
	})
	t.Run("gives the candidate a task even where there are none", func(t *testing.T) {
		s := first(t)
		s.plan.Minimum, s.seen.Blue.Service.Desired = 0, 0
		assert.Equal(t, 1, s.decide().State.Size)
	})
	t.Run("changes nothing where traffic is shared out already", func(t *testing.T) {
		for _, weight := range []int{1, 50, 99} {
			s := first(t)
			weights := rollout.Split(rollout.Green, weight)
			s.seen.Weights = &weights
			d := s.decide()
			assert.Equal(t, rollout.Halted, d.Outcome)
			assert.Equal(t, rollout.Want{}, d.Want)
			assert.Contains(t, d.Reason, "shared out already")
		}
	})
	t.Run("finds that the release is live already", func(t *testing.T) {
		s := first(t)
		s.seen.Weights = &rollout.Weights{Green: 100}
		d := s.decide()
		goesOn(t, d, rollout.Promoting)
		assert.Contains(t, d.State.Reason, "live already")
		assert.Equal(t, s.seen.Now.Unix(), d.State.Turned)
	})
	t.Run("stops where the candidate is live with something else", func(t *testing.T) {
		s := first(t)
		s.seen.Weights = &rollout.Weights{Green: 100}
		s.seen.Release.Mismatch = "runs another image"
		d := s.decide()
		assert.Equal(t, rollout.Halted, d.Outcome)
		assert.Contains(t, d.Reason, "runs another image")
	})
	t.Run("clears a candidate away that is not what was ordered", func(t *testing.T) {
		s := first(t)
		s.seen.Release.Mismatch = "runs another image"
		d := s.decide()
		goesOn(t, d, rollout.Aborting)
		assert.True(t, d.Want.Green.Idle)
		assert.Equal(t, "runs another image", d.State.Reason)
	})
	for name, hide := range map[string]func(*rollout.Observation){
		"lease":                 func(o *rollout.Observation) { o.Lease = rollout.LeaseUnknown },
		"task definition":       func(o *rollout.Observation) { o.Release = nil },
		"stable side's service": func(o *rollout.Observation) { o.Blue.Service = nil },
	} {
		t.Run("waits for the "+name+", and gives up having changed nothing", func(t *testing.T) {
			s := first(t)
			hide(&s.seen)
			for range 3 {
				d := s.decide()
				goesOn(t, d, rollout.Checking)
				assert.Equal(t, rollout.Want{}, d.Want)
				s.state = d.State
			}
			d := s.decide()
			assert.Equal(t, rollout.Halted, d.Outcome)
			assert.Contains(t, d.Reason, "nothing was changed")
		})
	}
	t.Run("gives up at the deadline", func(t *testing.T) {
		s := first(t)
		s.seen.Lease = rollout.LeaseUnknown
		s.seen.Now = noon.Add(s.plan.Deadline - rollout.Reserve - time.Second)
		goesOn(t, s.decide(), rollout.Checking)
		s.seen.Now = s.seen.Now.Add(time.Second)
		assert.Equal(t, rollout.Halted, s.decide().Outcome)
	})
}

func TestStartingTheCandidate(t *testing.T) {
	starting := func(t *testing.T) *stand { return at(t, canary(t), rollout.Starting, 0, time.Minute) }
	t.Run("goes on to probe when every target is healthy", func(t *testing.T) {
		s := starting(t)
		d := s.decide()
		goesOn(t, d, rollout.Probing)
		assert.Equal(t, s.seen.Now.Unix(), d.State.Since)
	})
	for name, lack := range map[string]func(*rollout.Observation){
		"a healthy target":                func(o *rollout.Observation) { o.Green.Targets.Healthy = 3 },
		"a running task":                  func(o *rollout.Observation) { o.Green.Service.Running = 3 },
		"the end of an old deployment":    func(o *rollout.Observation) { o.Green.Service.Settled = false },
		"sight of the targets":            func(o *rollout.Observation) { o.Green.Targets = nil },
		"sight of the service":            func(o *rollout.Observation) { o.Green.Service = nil },
		"sight of the autoscaling":        func(o *rollout.Observation) { o.Blue.Scaling = nil },
		"sight of the preview rule":       func(o *rollout.Observation) { o.Preview = nil },
		"the preview rule":                func(o *rollout.Observation) { blue := rollout.Blue; o.Preview = &blue },
		"the live side's suspension":      func(o *rollout.Observation) { o.Blue.Scaling.Suspended = false },
		"the candidate's suspension":      func(o *rollout.Observation) { o.Green.Scaling.Suspended = false },
		"the candidate's bound":           func(o *rollout.Observation) { o.Green.Scaling.Min = 1 },
		"tasks for a live side that grew": func(o *rollout.Observation) { o.Blue.Service.Desired = 5 },
	} {
		t.Run("waits for "+name+", until its time is over", func(t *testing.T) {
			s := starting(t)
			lack(&s.seen)
			goesOn(t, s.decide(), rollout.Starting)
			s.state.Since = s.seen.Now.Add(-s.plan.Start + time.Second).Unix()
			goesOn(t, s.decide(), rollout.Starting)
			s.state.Since--
			d := s.decide()
			goesOn(t, d, rollout.Aborting)
			assert.Contains(t, d.State.Reason, "was not ready within 10 min")
		})
	}
	t.Run("needs no bounds where no autoscaling is declared", func(t *testing.T) {
		s := starting(t)
		s.seen.Blue.Scaling, s.seen.Green.Scaling = &rollout.Scaling{}, &rollout.Scaling{}
		goesOn(t, s.decide(), rollout.Probing)
	})
	t.Run("grows with the live side", func(t *testing.T) {
		s := starting(t)
		s.seen.Blue.Service.Desired = 6
		d := s.decide()
		assert.Equal(t, 6, d.State.Size)
		assert.Equal(t, 6, d.Want.Green.AtLeast)
	})
	t.Run("does not shrink with it", func(t *testing.T) {
		s := starting(t)
		s.seen.Blue.Service.Desired = 1
		assert.Equal(t, 4, s.decide().State.Size)
	})
	t.Run("wakes a stable side that was put to sleep meanwhile, and waits for it", func(t *testing.T) {
		s := starting(t)
		s.seen.Blue.Service.Desired, s.seen.Blue.Targets.Healthy = 0, 0
		d := s.decide()
		goesOn(t, d, rollout.Starting)
		assert.Equal(t, 2, d.Want.Blue.AtLeast)
		s.state, s.seen.Blue.Service.Desired, s.seen.Blue.Targets.Healthy = d.State, 2, 1
		d = s.decide()
		goesOn(t, d, rollout.Starting)
		assert.Contains(t, d.Reason, "blue is waking: 1 of 2 targets are healthy")
		s.seen.Blue.Targets.Healthy = 2
		goesOn(t, s.decide(), rollout.Probing)
	})
	t.Run("does not wait for a stable side that is ill, for the release may be its cure", func(t *testing.T) {
		s := starting(t)
		s.seen.Blue.Targets.Healthy = 0
		goesOn(t, s.decide(), rollout.Probing)
	})
	t.Run("ends within a tick when ECS gives the deployment up", func(t *testing.T) {
		s := starting(t)
		s.seen.Green.Service.Failed = "deployment circuit breaker: tasks failed to start"
		d := s.decide()
		goesOn(t, d, rollout.Aborting)
		assert.Contains(t, d.State.Reason, "circuit breaker")
	})
	t.Run("disregards a failed deployment of before it scaled up", func(t *testing.T) {
		s := starting(t)
		s.seen.Green.Service.Failed, s.seen.Green.Service.Desired = "an old story", 0
		goesOn(t, s.decide(), rollout.Starting)
	})
	t.Run("ends when somebody gives the service another revision", func(t *testing.T) {
		s := starting(t)
		s.seen.Green.Service.TaskDefinition = "arn:task-definition/shop-green:8"
		d := s.decide()
		goesOn(t, d, rollout.Aborting)
		assert.Contains(t, d.State.Reason, "shop-green:8")
		assert.Contains(t, d.State.Reason, "shop-green:7")
	})
	t.Run("ends at the deadline", func(t *testing.T) {
		s := starting(t)
		s.seen.Green.Targets.Healthy = 0
		s.state.Started = s.seen.Now.Add(-s.plan.Deadline + rollout.Reserve).Unix()
		goesOn(t, s.decide(), rollout.Aborting)
	})
	t.Run("under freeze clears the candidate away all the same, for no user has seen it", func(t *testing.T) {
		s := starting(t)
		s.plan.OnFailure = rollout.Freeze
		s.seen.Green.Service.Failed = "no"
		goesOn(t, s.decide(), rollout.Aborting)
	})
}

func TestProbingTheCandidate(t *testing.T) {
	probing := func(t *testing.T) *stand { return at(t, canary(t), rollout.Probing, 0, 0) }
	t.Run("lets the first users in when all probes pass", func(t *testing.T) {
		d := probing(t).decide()
		assert.Equal(t, rollout.Shifting, d.State.Phase)
		assert.Equal(t, 10, percent(t, d))
		assert.Equal(t, 10, d.State.Writing)
		assert.Equal(t, 0, d.State.Weight)
		assert.Equal(t, rollout.Green, d.Want.Preview)
	})
	t.Run("keeps all users away from a candidate that fails its probes", func(t *testing.T) {
		s := probing(t)
		s.seen.Probes = &rollout.Probed{Sent: 20, Failed: 20, Example: "HTTP 500 instead of 200"}
		goesOn(t, s.decide(), rollout.Probing)
		d := s.again(rollout.Tick)
		goesOn(t, d, rollout.Aborting)
		assert.Contains(t, d.State.Reason, "HTTP 500 instead of 200, 2 times in a row")
	})
	t.Run("looks again when the probes fail once", func(t *testing.T) {
		s := probing(t)
		s.seen.Probes = &rollout.Probed{Sent: 20, Failed: 20}
		s.state = s.decide().State
		s.seen.Probes = &rollout.Probed{Sent: 20}
		d := s.decide()
		assert.Equal(t, 10, percent(t, d))
		assert.Zero(t, d.State.Probes)
	})
	t.Run("moves nobody to a candidate that the probes did not reach", func(t *testing.T) {
		s := probing(t)
		s.seen.Probes = &rollout.Probed{Sent: 20, Astray: "GET /version was answered by blue"}
		goesOn(t, s.decide(), rollout.Probing)
		d := s.again(rollout.Tick)
		goesOn(t, d, rollout.Aborting)
		assert.Contains(t, d.State.Reason, "the probes do not reach the candidate: GET /version was answered by blue, 2 times in a row")
	})
	t.Run("waits while an alarm is unknown, and ends when it rings", func(t *testing.T) {
		s := probing(t)
		s.seen.Alarms = nil
		goesOn(t, s.decide(), rollout.Probing)
		s.seen.Alarms = []rollout.Alarm{{Name: "errors", State: rollout.AlarmRinging}}
		goesOn(t, s.decide(), rollout.Aborting)
	})
	t.Run("needs no alarms where the plan names none", func(t *testing.T) {
		s := probing(t)
		s.plan.Alarms, s.seen.Alarms = nil, nil
		assert.Equal(t, 10, percent(t, s.decide()))
	})
	t.Run("ends when the last target goes", func(t *testing.T) {
		s := probing(t)
		s.seen.Green.Targets.Healthy = 0
		goesOn(t, s.decide(), rollout.Aborting)
	})
	t.Run("does not move without the lease", func(t *testing.T) {
		s := probing(t)
		s.seen.Lease = rollout.LeaseUnknown
		goesOn(t, s.decide(), rollout.Probing)
	})
}

func TestShiftingTheTraffic(t *testing.T) {
	shifting := func(t *testing.T, weight int, lasted time.Duration) *stand {
		return at(t, canary(t), rollout.Shifting, weight, lasted)
	}
	t.Run("stays for the bake time and then takes the next step", func(t *testing.T) {
		s := shifting(t, 10, 2*time.Minute-time.Second)
		goesOn(t, s.decide(), rollout.Shifting)
		s.state.Since--
		assert.Equal(t, 50, percent(t, s.decide()))
	})
	t.Run("counts the bake time from when the weights are seen", func(t *testing.T) {
		s := shifting(t, 10, time.Hour)
		s.state.Weight, s.state.Probes, s.state.Targets, s.state.Metrics, s.state.Unknowns, s.state.Judged = 0, 1, 1, 1, 1, 1
		s.seen.Green.Metrics = nil
		d := s.decide()
		goesOn(t, d, rollout.Shifting)
		assert.Equal(t, 10, d.State.Weight)
		assert.Equal(t, s.seen.Now.Unix(), d.State.Since)
		assert.Zero(t, d.State.Probes+d.State.Targets+d.State.Metrics)
		assert.Zero(t, d.State.Judged)
		assert.Equal(t, 1, d.State.Unknowns)
	})
	t.Run("asks again for weights that did not change", func(t *testing.T) {
		s := shifting(t, 10, time.Hour)
		s.state.Writing = 50
		assert.Equal(t, 50, percent(t, s.decide()))
	})
	t.Run("asks again for the first weights too", func(t *testing.T) {
		s := shifting(t, 0, time.Hour)
		s.state.Writing = 10
		s.seen.Green.Metrics = nil
		assert.Equal(t, 10, percent(t, s.decide()))
	})
	t.Run("needs no metrics for a step without a bake time", func(t *testing.T) {
		s := shifting(t, 50, 0)
		s.seen.Green.Metrics = nil
		assert.Equal(t, 100, percent(t, s.decide()))
	})
	t.Run("never takes missing metrics for a pass", func(t *testing.T) {
		s := shifting(t, 10, rollout.Grace)
		s.seen.Green.Metrics = &rollout.Metrics{}
		d := s.decide()
		goesOn(t, d, rollout.Shifting)
		assert.Zero(t, d.State.Unknowns, "metrics come late; that is no reason to wonder yet")
	})
	t.Run("wonders about metrics that are overdue, and ends when that lasts", func(t *testing.T) {
		s := shifting(t, 10, rollout.Grace+time.Second)
		s.seen.Green.Metrics = &rollout.Metrics{}
		for n := range 3 {
			d := s.decide()
			goesOn(t, d, rollout.Shifting)
			assert.Equal(t, n+1, d.State.Unknowns)
			s.state = d.State
		}
		d := s.decide()
		assert.Equal(t, rollout.Aborting, d.State.Phase)
		assert.Zero(t, percent(t, d))
		assert.Contains(t, d.State.Reason, "unknown for 4 ticks in a row")
	})
	t.Run("forgets unknown ticks when it sees again", func(t *testing.T) {
		s := shifting(t, 10, time.Minute)
		s.state.Unknowns = 3
		assert.Zero(t, s.decide().State.Unknowns)
	})
	for name, hide := range map[string]func(*rollout.Observation){
		"the targets": func(o *rollout.Observation) { o.Green.Targets = nil },
		"the service": func(o *rollout.Observation) { o.Green.Service = nil },
		"the probes":  func(o *rollout.Observation) { o.Probes = nil },
		"the metrics": func(o *rollout.Observation) { o.Green.Metrics = nil },
		"the alarms":  func(o *rollout.Observation) { o.Alarms = nil },
		"the lease":   func(o *rollout.Observation) { o.Lease = rollout.LeaseUnknown },
	} {
		t.Run("does not go on without seeing "+name, func(t *testing.T) {
			s := shifting(t, 10, time.Hour)
			hide(&s.seen)
			d := s.decide()
			goesOn(t, d, rollout.Shifting)
			assert.Equal(t, rollout.Unknown, rollout.Overall(d.Findings))
			if name != "the metrics" {
				assert.Equal(t, 1, d.State.Unknowns)
			}
		})
	}
	bad := map[string]func(*rollout.Observation){
		"loses its last target":     func(o *rollout.Observation) { o.Green.Targets = &rollout.Targets{Unhealthy: 4} },
		"has a failed deployment":   func(o *rollout.Observation) { o.Green.Service.Failed = "tasks failed" },
		"is given another revision": func(o *rollout.Observation) { o.Green.Service.TaskDefinition = "arn:x/shop-green:9" },
		"sets an alarm off":         func(o *rollout.Observation) { o.Alarms[0].State = rollout.AlarmRinging },
		"fails a third of its users": func(o *rollout.Observation) {
			o.Green.Metrics = periods(o.Now, rollout.Counts{Requests: 1000, Errors: 333})
		},
		"fails suddenly after a good hour": func(o *rollout.Observation) {
			o.Green.Metrics = periods(o.Now, rollout.Counts{Requests: 1e6}, rollout.Counts{Requests: 1000, Errors: 333})
		},
	}
	for name, spoil := range bad {
		t.Run("rolls back at once when green "+name, func(t *testing.T) {
			s := shifting(t, 10, time.Minute)
			spoil(&s.seen)
			d := s.decide()
			assert.Empty(t, d.Outcome)
			assert.Equal(t, rollout.Aborting, d.State.Phase)
			assert.Equal(t, s.seen.Now.Unix(), d.State.Turned)
			assert.NotEmpty(t, d.State.Reason)
			assert.Zero(t, percent(t, d))
		})
		t.Run("freezes when green "+name+" and the policy says so", func(t *testing.T) {
			s := shifting(t, 10, time.Minute)
			s.plan.OnFailure = rollout.Freeze
			spoil(&s.seen)
			d := s.decide()
			assert.Equal(t, rollout.Frozen, d.Outcome)
			assert.Equal(t, rollout.Want{}, d.Want)
			assert.Equal(t, "FROZEN at blue 90, green 10: decide now", d.Headline())
		})
	}
	t.Run("freezes also where the first weights are only just asked for", func(t *testing.T) {
		s := shifting(t, 0, time.Minute)
		s.state.Writing = 10
		s.plan.OnFailure = rollout.Freeze
		s.seen.Green.Targets.Healthy = 0
		assert.Equal(t, rollout.Frozen, s.decide().Outcome)
	})
	twice := map[string]func(o *rollout.Observation, n int){
		"has too few healthy targets": func(o *rollout.Observation, _ int) { o.Green.Targets.Healthy = 2 },
		"fails its probes": func(o *rollout.Observation, _ int) {
			o.Probes = &rollout.Probed{Sent: 5, Failed: 5, Example: "HTTP 502"}
		},
		"is slow": func(o *rollout.Observation, n int) {
			o.Green.Metrics = periods(o.Now, rollout.Counts{Requests: 1000, Latency: 501 * time.Millisecond})
			o.Green.Metrics.Periods[0].End = noon.Add(time.Duration(n) * time.Minute)
		},
		"fails in a slow drip": func(o *rollout.Observation, n int) {
			o.Green.Metrics = periods(o.Now, rollout.Counts{Requests: 10000, Errors: 66}, rollout.Counts{Requests: 10000, Errors: 66})
			o.Green.Metrics.Periods[1].End = noon.Add(time.Duration(n) * time.Minute)
		},
		"fails a little too often": func(o *rollout.Observation, n int) {
			o.Green.Metrics = periods(o.Now, rollout.Counts{Requests: 1000, Errors: 14})
			o.Green.Metrics.Periods[0].End = noon.Add(time.Duration(n) * time.Minute)
		},
	}
	for name, spoil := range twice {
		t.Run("rolls back at the second look when green "+name, func(t *testing.T) {
			s := shifting(t, 10, time.Hour)
			look := func(n int) {
				s.seen.Blue.Metrics = periods(noon.Add(time.Duration(n)*time.Minute), good)
				spoil(&s.seen, n)
			}
			look(8)
			d := s.decide()
			goesOn(t, d, rollout.Shifting)
			assert.Equal(t, rollout.Fail, rollout.Overall(d.Findings))
			s.state = d.State
			look(9)
			d = s.decide()
			assert.Equal(t, rollout.Aborting, d.State.Phase)
			assert.Zero(t, percent(t, d))
			assert.Contains(t, d.State.Reason, "2 times in a row")
		})
	}
	t.Run("waits twice as long for a fault to pass where no stable side tells whose it is", func(t *testing.T) {
		s := shifting(t, 100, time.Hour)
		s.seen.Blue.Metrics = &rollout.Metrics{}
		for n := 1; n <= 4; n++ {
			s.seen.Green.Metrics = periods(noon.Add(time.Duration(4+n)*time.Minute), rollout.Counts{Requests: 1000, Errors: 50})
			d := s.decide()
			assert.Equal(t, rollout.Fail, rollout.Overall(d.Findings))
			if n < 4 {
				goesOn(t, d, rollout.Shifting)
				assert.Equal(t, n, d.State.Metrics)
			} else {
				assert.Zero(t, percent(t, d))
				assert.Contains(t, d.State.Reason, "4 times in a row")
			}
			s.state = d.State
		}
	})
	t.Run("remembers the stable side's latency before it shares its traffic and while it does", func(t *testing.T) {
		for _, phase := range []rollout.Phase{rollout.Probing, rollout.Shifting} {
			s := at(t, canary(t), phase, 0, 0)
			s.seen.Blue.Metrics = periods(s.seen.Now, good, rollout.Counts{Requests: 50, Latency: 120 * time.Millisecond},
				rollout.Counts{Requests: 49, Latency: 9 * time.Second}, rollout.Counts{Requests: 1000})
			assert.Equal(t, 120, s.decide().State.Usual, phase)
			s.state.Usual = 70
			s.seen.Blue.Metrics = periods(s.seen.Now, rollout.Counts{Requests: 49, Latency: 9 * time.Second})
			assert.Equal(t, 70, s.decide().State.Usual, phase)
			s.seen.Blue.Metrics = nil
			assert.Equal(t, 70, s.decide().State.Usual, phase)
			s.seen.Blue.Metrics = periods(s.seen.Now, rollout.Counts{Requests: 1000, Latency: 80 * time.Millisecond})
			assert.Equal(t, 80, s.decide().State.Usual, "%s: the newest, though it is the only one", phase)
		}
	})
	t.Run("does not count the same metrics twice", func(t *testing.T) {
		s := shifting(t, 10, time.Hour)
		s.seen.Green.Metrics = periods(s.seen.Now, rollout.Counts{Requests: 1000, Latency: time.Second})
		for range 20 {
			d := s.decide()
			goesOn(t, d, rollout.Shifting)
			assert.Equal(t, 1, d.State.Metrics)
			s.state = d.State
		}
	})
	t.Run("begins to count anew when a good look comes between", func(t *testing.T) {
		s := shifting(t, 10, 0)
		s.state.Targets, s.state.Probes, s.state.Metrics = 1, 1, 1
		d := s.decide()
		assert.Zero(t, d.State.Targets+d.State.Probes+d.State.Metrics)
	})
	t.Run("does not count a failure away by an unknown", func(t *testing.T) {
		s := shifting(t, 10, 0)
		s.state.Probes = 1
		s.seen.Probes = nil
		assert.Equal(t, 1, s.decide().State.Probes)
	})
	t.Run("promotes after the last step", func(t *testing.T) {
		s := shifting(t, 100, time.Minute-time.Second)
		goesOn(t, s.decide(), rollout.Shifting)
		s.state.Since--
		d := s.decide()
		goesOn(t, d, rollout.Promoting)
		assert.Equal(t, s.seen.Now.Unix(), d.State.Turned)
	})
	t.Run("turns round at the deadline, in time for the way back", func(t *testing.T) {
		s := shifting(t, 10, 0)
		s.state.Started = s.seen.Now.Add(-s.plan.Deadline + rollout.Reserve + time.Second).Unix()
		goesOn(t, s.decide(), rollout.Shifting)
		s.state.Started--
		d := s.decide()
		assert.Zero(t, percent(t, d))
		assert.Contains(t, d.State.Reason, "deadline")
	})
	t.Run("takes up a policy that changes on the way", func(t *testing.T) {
		s := shifting(t, 10, time.Hour)
		s.plan = plan(t, rollout.Policy{Steps: []rollout.Step{{Weight: 5, BakeSeconds: 7200}, {Weight: 100}}})
		d := s.decide()
		goesOn(t, d, rollout.Shifting)
		assert.Contains(t, d.Note, "policy changed")
		assert.Equal(t, s.plan.ID(), d.State.Plan)
		s.state = d.State
		s.state.Since -= 3600
		d = s.decide()
		assert.Empty(t, d.Note)
		assert.Equal(t, 100, percent(t, d), "10 %% belongs to the step of 5 %% now")
	})
}

func TestWeightsThatSomebodyElseWrote(t *testing.T) {
	for _, phase := range []rollout.Phase{rollout.Starting, rollout.Probing, rollout.Shifting, rollout.Promoting, rollout.Aborting} {
		t.Run("stop the shift while it is "+string(phase), func(t *testing.T) {
			weight := map[rollout.Phase]int{rollout.Shifting: 10, rollout.Promoting: 100, rollout.Aborting: 10}[phase]
			s := at(t, canary(t), phase, weight, 0)
			s.seen.Weights = &rollout.Weights{Blue: 30, Green: 70}
			d := s.decide()
			goesOn(t, d, phase)
			assert.Equal(t, rollout.Want{}, d.Want, "one look may be late, but nothing is done meanwhile")
			d = s.again(time.Second)
			assert.Equal(t, rollout.Halted, d.Outcome)
			assert.Equal(t, rollout.Want{}, d.Want)
			assert.Equal(t, "HALTED at blue 30, green 70: act now", d.Headline())
			assert.Contains(t, d.Reason, "somebody else changed the weights")
		})
	}
	t.Run("are forgotten when they were only seen once", func(t *testing.T) {
		s := at(t, canary(t), rollout.Shifting, 10, 0)
		s.state.Strangers = 1
		assert.Zero(t, s.decide().State.Strangers)
	})
	t.Run("are welcome when they finish a way back", func(t *testing.T) {
		s := at(t, canary(t), rollout.Aborting, 10, 0)
		s.seen.Weights = &rollout.Weights{Blue: 100}
		d := s.decide()
		goesOn(t, d, rollout.Aborting)
		assert.Equal(t, 0, d.State.Weight)
		assert.Equal(t, 0, d.State.Writing)
		assert.True(t, d.Want.Green.Idle)
	})
	t.Run("are not welcome at nothing while it goes forward", func(t *testing.T) {
		s := at(t, canary(t), rollout.Shifting, 10, 0)
		s.seen.Weights = &rollout.Weights{Blue: 100}
		assert.Equal(t, rollout.Halted, s.again(0).Outcome)
	})
}

func TestGoingBack(t *testing.T) {
	aborting := func(t *testing.T, weight int) *stand {
		return at(t, canary(t), rollout.Aborting, weight, 30*time.Second)
	}
	t.Run("ends when the listener shows it and the sides are in order, not before", func(t *testing.T) {
		s := aborting(t, 10)
		d := s.decide()
		assert.Empty(t, d.Outcome)
		assert.Zero(t, percent(t, d))
		assert.Equal(t, rollout.Want{Weights: d.Want.Weights}, d.Want, "traffic first, everything else when it is back")
		s.state = d.State
		s.seen.Weights = &rollout.Weights{Blue: 100}
		d = s.decide()
		goesOn(t, d, rollout.Aborting)
		assert.Equal(t, rollout.Want{
			Green: rollout.SideWant{Idle: true, Scaling: &rollout.ScalingWant{}},
			Blue:  rollout.SideWant{Scaling: &rollout.ScalingWant{Min: 2}},
		}, d.Want)
		s.state = d.State
		s.seen.Green.Service.Desired = 0
		s.seen.Green.Scaling = &rollout.Scaling{Managed: true}
		s.seen.Blue.Scaling.Suspended = false
		d = s.decide()
		assert.Equal(t, rollout.RolledBack, d.Outcome)
		assert.Equal(t, "rolled back: blue 100, green 0", d.Headline())
		assert.Equal(t, "it was bad", d.Reason)
	})
	t.Run("halts when the stable side has no healthy target either", func(t *testing.T) {
		s := aborting(t, 10)
		s.seen.Blue.Targets.Healthy = 0
		d := s.decide()
		assert.Equal(t, rollout.Halted, d.Outcome)
		assert.Equal(t, rollout.Want{}, d.Want)
		assert.Equal(t, "HALTED at blue 90, green 10: act now", d.Headline())
		assert.Contains(t, d.Reason, "no healthy target")
		assert.Contains(t, d.Reason, "it was bad")
	})
	t.Run("halts when the stable side's users fail beyond doubt", func(t *testing.T) {
		s := aborting(t, 10)
		s.seen.Blue.Metrics = periods(s.seen.Now, good, rollout.Counts{Requests: 1000, Errors: 300})
		d := s.decide()
		assert.Equal(t, rollout.Halted, d.Outcome)
		assert.Contains(t, d.Reason, "300 of 1000")
	})
	t.Run("halts when the stable side's only minute failed beyond doubt, and at no less", func(t *testing.T) {
		s := aborting(t, 10)
		s.seen.Blue.Metrics = periods(s.seen.Now, rollout.Counts{Requests: 1000, Errors: 300})
		assert.Equal(t, rollout.Halted, s.decide().Outcome)
		// A sixth of what the limit of 0.5 % leaves, and that limit: 17.083 %. So many requests prove 17.081 %.
		s.seen.Blue.Metrics = periods(s.seen.Now, rollout.Counts{Requests: 1e9, Errors: 170_870_000})
		assert.Zero(t, percent(t, s.decide()))
	})
	t.Run("does not mind a stable side whose users failed earlier", func(t *testing.T) {
		s := aborting(t, 10)
		s.seen.Blue.Metrics = periods(s.seen.Now, rollout.Counts{Requests: 1000, Errors: 300}, good)
		assert.Zero(t, percent(t, s.decide()))
	})
	t.Run("does not mind a stable side without metrics", func(t *testing.T) {
		for _, m := range []*rollout.Metrics{nil, {}} {
			s := aborting(t, 10)
			s.seen.Blue.Metrics = m
			assert.Zero(t, percent(t, s.decide()))
		}
	})
	t.Run("does not wait for a look at a side that has users", func(t *testing.T) {
		s := aborting(t, 99)
		s.seen.Blue.Targets = nil
		assert.Zero(t, percent(t, s.decide()))
	})
	t.Run("waits for a look at a side that has none", func(t *testing.T) {
		s := aborting(t, 100)
		s.seen.Blue.Targets = nil
		goesOn(t, s.decide(), rollout.Aborting)
		s.state.Turned = s.seen.Now.Add(-rollout.Reserve + time.Second).Unix()
		goesOn(t, s.decide(), rollout.Aborting)
		s.state.Turned--
		assert.Equal(t, rollout.Halted, s.decide().Outcome)
	})
	t.Run("halts when the weights do not follow in time", func(t *testing.T) {
		s := aborting(t, 10)
		s.state.Turned = s.seen.Now.Add(-rollout.Reserve).Unix()
		d := s.decide()
		assert.Equal(t, rollout.Halted, d.Outcome)
		assert.Contains(t, d.Reason, "it was bad")
	})
	t.Run("ends rolled back even if the order cannot be had, and says so", func(t *testing.T) {
		s := aborting(t, 0)
		s.seen.Blue.Scaling = nil
		s.state.Turned = s.seen.Now.Add(-rollout.Reserve + time.Second).Unix()
		goesOn(t, s.decide(), rollout.Aborting)
		s.state.Turned--
		d := s.decide()
		assert.Equal(t, rollout.RolledBack, d.Outcome)
		assert.Contains(t, d.Reason, "left to the next release: the autoscaling of blue could not be read")
	})
	t.Run("needs no lease that can be read", func(t *testing.T) {
		s := aborting(t, 10)
		s.seen.Lease = rollout.LeaseUnknown
		assert.Zero(t, percent(t, s.decide()))
	})
	t.Run("looks at the metrics of the side that it goes back to", func(t *testing.T) {
		s := aborting(t, 10)
		assert.Equal(t, rollout.Look{Candidate: rollout.Green, Since: time.Unix(s.state.Since, 0)}, s.state.Look(s.plan))
	})
}

func TestGoingBackByDegrees(t *testing.T) {
	gradual := func(t *testing.T) rollout.Plan {
		return plan(t, rollout.Policy{
			Steps:        []rollout.Step{{Weight: 10}, {Weight: 50}, {Weight: 100}},
			GradualAbort: true,
		})
	}
	t.Run("walks the steps back, each for a while", func(t *testing.T) {
		s := at(t, gradual(t), rollout.Shifting, 100, 0)
		s.seen.Green.Targets.Healthy = 0
		d := s.decide()
		assert.Equal(t, 50, percent(t, d), "the first at once")
		s.state = d.State
		back := rollout.Split(rollout.Green, 50)
		s.seen.Weights = &back
		s.seen.Now = s.seen.Now.Add(time.Second)
		goesOn(t, s.decide(), rollout.Aborting)
		goesOn(t, s.again(rollout.Hold-time.Second), rollout.Aborting)
		assert.Equal(t, 10, percent(t, s.again(time.Second)))
		s.state = s.decide().State
		back = rollout.Split(rollout.Green, 10)
		goesOn(t, s.decide(), rollout.Aborting)
		assert.Equal(t, 0, percent(t, s.again(rollout.Hold)))
	})
	t.Run("asks again for weights that did not change, without holding", func(t *testing.T) {
		s := at(t, gradual(t), rollout.Aborting, 50, 0)
		s.state.Turned -= 60
		s.state.Writing = 10
		assert.Equal(t, 10, percent(t, s.decide()))
	})
	t.Run("keeps time for all of its steps", func(t *testing.T) {
		s := at(t, gradual(t), rollout.Shifting, 10, 0)
		reserve := rollout.Reserve + 3*(rollout.Hold+rollout.Tick)
		s.state.Started = s.seen.Now.Add(-s.plan.Deadline + reserve + time.Second).Unix()
		d := s.decide()
		assert.Equal(t, 50, percent(t, d))
		s.state.Started--
		assert.Equal(t, 0, percent(t, s.decide()))
	})
}

func TestPromotion(t *testing.T) {
	promoting := func(t *testing.T) *stand { return at(t, canary(t), rollout.Promoting, 100, 0) }
	t.Run("gives the live side its minimum, and keeps the old one warm with nothing that could shrink it", func(t *testing.T) {
		s := promoting(t)
		d := s.decide()
		goesOn(t, d, rollout.Promoting)
		assert.Equal(t, rollout.Want{
			Green: rollout.SideWant{Scaling: &rollout.ScalingWant{Min: 2}},
			Blue:  rollout.SideWant{Scaling: &rollout.ScalingWant{Min: 0, Suspended: true}},
		}, d.Want)
		s.seen.Green.Scaling = &rollout.Scaling{Managed: true, Min: 2}
		s.seen.Blue.Scaling = &rollout.Scaling{Managed: true, Min: 0, Suspended: true}
		d = s.decide()
		assert.Equal(t, rollout.Promoted, d.Outcome)
		assert.Equal(t, "live: blue 0, green 100", d.Headline())
	})
	t.Run("retires the old side at once where the policy keeps no standby", func(t *testing.T) {
		s := promoting(t)
		s.plan.Standby = 0
		d := s.decide()
		assert.Equal(t, rollout.SideWant{Idle: true, Scaling: &rollout.ScalingWant{}}, d.Want.Blue)
	})
	t.Run("is over in time, and leaves what is missing to the next release", func(t *testing.T) {
		s := promoting(t)
		s.seen.Green.Scaling = nil
		s.state.Turned = s.seen.Now.Add(-rollout.Reserve + time.Second).Unix()
		goesOn(t, s.decide(), rollout.Promoting)
		s.state.Turned--
		d := s.decide()
		assert.Equal(t, rollout.Promoted, d.Outcome)
		assert.Contains(t, d.Reason, "left to the next release")
	})
}

func TestBlindTicks(t *testing.T) {
	blind := func(t *testing.T, phase rollout.Phase, weight int) *stand {
		s := at(t, canary(t), phase, weight, 0)
		s.seen.Weights = nil
		return s
	}
	t.Run("write nothing", func(t *testing.T) {
		for _, phase := range []rollout.Phase{rollout.Checking, rollout.Starting, rollout.Probing, rollout.Shifting, rollout.Promoting, rollout.Aborting} {
			d := blind(t, phase, 10).decide()
			goesOn(t, d, phase)
			assert.Equal(t, rollout.Want{}, d.Want)
			assert.True(t, d.Stale)
			assert.Equal(t, rollout.Weights{Blue: 90, Green: 10}, d.Weights)
		}
	})
	t.Run("turn the shift round when there are too many", func(t *testing.T) {
		s := blind(t, rollout.Shifting, 10)
		s.state.Unknowns = 2
		goesOn(t, s.decide(), rollout.Shifting)
		d := s.again(0)
		goesOn(t, d, rollout.Aborting)
		assert.Equal(t, rollout.Want{}, d.Want)
		assert.Contains(t, d.State.Reason, "4 ticks in a row")
		assert.Equal(t, s.seen.Now.Unix(), d.State.Turned)
	})
	t.Run("turn it round at the deadline", func(t *testing.T) {
		s := blind(t, rollout.Shifting, 10)
		s.state.Started = s.seen.Now.Add(-s.plan.Deadline + rollout.Reserve).Unix()
		d := s.decide()
		goesOn(t, d, rollout.Aborting)
		assert.Contains(t, d.State.Reason, "deadline")
	})
	t.Run("freeze where the policy says so", func(t *testing.T) {
		s := blind(t, rollout.Shifting, 10)
		s.plan.OnFailure = rollout.Freeze
		s.state.Unknowns = 3
		d := s.decide()
		assert.Equal(t, rollout.Frozen, d.Outcome)
		assert.Contains(t, d.Headline(), "as last seen")
	})
	for _, phase := range []rollout.Phase{rollout.Promoting, rollout.Aborting} {
		t.Run("halt a shift that cannot confirm its end while "+string(phase), func(t *testing.T) {
			s := blind(t, phase, 10)
			s.state.Turned = s.seen.Now.Add(-rollout.Reserve + time.Second).Unix()
			goesOn(t, s.decide(), phase)
			s.state.Turned--
			d := s.decide()
			assert.Equal(t, rollout.Halted, d.Outcome)
			assert.Equal(t, phase == rollout.Aborting, strings.Contains(d.Reason, "it was bad"))
		})
	}
}

func TestALostLeaseEndsTheRunAndTellsNobody(t *testing.T) {
	for _, phase := range []rollout.Phase{rollout.Checking, rollout.Shifting, rollout.Promoting, rollout.Aborting} {
		s := at(t, canary(t), phase, 10, 0)
		s.seen.Lease, s.seen.Weights = rollout.LeaseLost, nil
		d := s.decide()
		assert.Equal(t, rollout.Superseded, d.Outcome)
		assert.Equal(t, rollout.Want{}, d.Want)
	}
}

func TestWhatATickSays(t *testing.T) {
	t.Run("while the candidate starts", func(t *testing.T) {
		s := at(t, canary(t), rollout.Starting, 0, time.Minute)
		s.seen.Green.Service.Running, s.seen.Green.Targets.Healthy = 3, 2
		d := s.decide()
		assert.Equal(t, "starting green: 3 of 4 tasks run, 2 targets healthy", d.Reason)
		require.Len(t, d.Findings, 1)
		assert.Equal(t, "deployment", d.Findings[0].Source)
		s.seen.Green.Targets = nil
		assert.Contains(t, s.decide().Reason, "the targets' health could not be read")
		s.state.Since -= 3600
		assert.Contains(t, s.decide().State.Reason, "green was not ready within 10 min")
	})
	t.Run("when it has started", func(t *testing.T) {
		s := at(t, canary(t), rollout.Starting, 0, time.Minute)
		assert.Equal(t, "all 4 targets of green are healthy; probing", s.decide().Reason)
	})
	t.Run("of the one finding that keeps it", func(t *testing.T) {
		s := at(t, canary(t), rollout.Shifting, 10, time.Hour)
		s.seen.Probes = nil
		assert.Equal(t, "green at 10 %: probes: none were sent (unknown)", s.decide().Reason)
	})
	t.Run("of its end", func(t *testing.T) {
		s := at(t, canary(t), rollout.Shifting, 100, time.Hour)
		d := s.decide()
		assert.Equal(t, rollout.Promoting, d.State.Phase)
		assert.Equal(t, "passed at 100 %", d.State.Reason)
	})
}

func TestAWeightThatIsOnlyAskedForIsNotThereYet(t *testing.T) {
	t.Run("its bake time does not count", func(t *testing.T) {
		s := at(t, canary(t), rollout.Shifting, 10, time.Minute)
		s.state.Writing = 50 // which has no bake time
		goesOn(t, s.decide(), rollout.Shifting)
	})
	t.Run("nor does it spare the look at the side that all traffic would go back to", func(t *testing.T) {
		s := at(t, canary(t), rollout.Aborting, 100, time.Second)
		s.state.Writing = 0
		s.seen.Blue.Targets = nil
		goesOn(t, s.decide(), rollout.Aborting)
	})
	t.Run("and users are where they are seen", func(t *testing.T) {
		s := at(t, plan(t, rollout.Policy{OnFailure: rollout.Freeze}), rollout.Shifting, 1, time.Minute)
		s.state.Writing = 0
		s.seen.Green.Targets.Healthy = 0
		assert.Equal(t, rollout.Frozen, s.decide().Outcome)
	})
}

func TestAPolicyWithoutAlarmsProbesWithoutThem(t *testing.T) {
	s := at(t, canary(t), rollout.Probing, 0, 0)
	s.plan.Alarms = nil
	for _, f := range s.decide().Findings {
		assert.NotEqual(t, "alarms", f.Source)
	}
}

func TestWhatATickForgets(t *testing.T) {
	t.Run("the rows of the weight before", func(t *testing.T) {
		s := at(t, canary(t), rollout.Shifting, 10, time.Hour)
		s.state.Weight, s.state.Targets, s.state.Probes, s.state.Metrics, s.state.Judged = 0, 1, 1, 1, 7
		s.seen.Green.Targets, s.seen.Probes, s.seen.Green.Metrics = nil, nil, nil // nothing that would end a row
		d := s.decide()
		assert.Equal(t, []int{10, 0, 0, 0}, []int{d.State.Weight, d.State.Targets, d.State.Probes, d.State.Metrics})
		assert.Zero(t, d.State.Judged)
	})
	t.Run("the unknown looks before it could begin", func(t *testing.T) {
		s := at(t, canary(t), rollout.Checking, 0, time.Minute)
		s.state.Unknowns = 3
		assert.Zero(t, s.decide().State.Unknowns)
	})
	t.Run("what it took the weights for, at its first look", func(t *testing.T) {
		s := at(t, canary(t), rollout.Checking, 0, time.Minute)
		s.state.Weight, s.state.Writing = 7, 8
		d := s.decide()
		assert.Equal(t, rollout.Probing, d.State.Phase)
		assert.Equal(t, []int{0, 0}, []int{d.State.Weight, d.State.Writing})
		s.seen.Release, s.state.Unknowns = nil, 3
		d = s.decide()
		assert.Equal(t, rollout.Halted, d.Outcome)
		assert.Equal(t, []int{0, 0}, []int{d.State.Weight, d.State.Writing})
	})
}

func TestABlindTickSaysWhatItCannotSeeAndWhatItSawLast(t *testing.T) {
	s := at(t, canary(t), rollout.Shifting, 10, time.Minute)
	s.state.Writing = 50
	s.seen.Weights = nil
	d := s.decide()
	assert.Equal(t, rollout.Weights{Blue: 90, Green: 10}, d.Weights)
	assert.True(t, d.Stale)
	assert.Equal(t, []rollout.Finding{{Source: "weights", Text: "the listener could not be read"}}, d.Findings)
}

func TestWhatATickLooksAt(t *testing.T) {
	p, since := canary(t), noon.Add(time.Minute)
	for phase, want := range map[rollout.Phase]rollout.Look{
		rollout.Checking:  {Release: true},
		rollout.Starting:  {},
		rollout.Probing:   {Probes: 50, Alarms: []string{"errors"}, Since: since.Add(-rollout.Grace)},
		rollout.Shifting:  {Probes: 10, Alarms: []string{"errors"}, Since: since},
		rollout.Promoting: {},
		rollout.Aborting:  {Since: since},
	} {
		s := at(t, p, phase, 10, 9*time.Minute)
		want.Candidate = rollout.Green
		look := s.state.Look(p)
		assert.True(t, want.Since.Equal(look.Since))
		look.Since = want.Since
		assert.Equal(t, want, look, phase)
	}
}

func TestShiftsThatOthersTurn(t *testing.T) {
	t.Run("a return has all traffic to give back", func(t *testing.T) {
		s := rollout.Return(rollout.Green, canary(t), noon, "errors rang")
		assert.Equal(t, rollout.Aborting, s.Phase)
		assert.Equal(t, []int{100, 100}, []int{s.Weight, s.Writing})
		assert.Equal(t, noon.Unix(), s.Turned)
		assert.Equal(t, rollout.Blue, s.Stable())
	})
	t.Run("an abandoned shift goes back, unless it is on its last stretch already", func(t *testing.T) {
		s := at(t, canary(t), rollout.Shifting, 10, time.Hour).state.Abandon(noon, "nobody waits")
		assert.Equal(t, rollout.Aborting, s.Phase)
		assert.Equal(t, "nobody waits", s.Reason)
		assert.Equal(t, []int64{noon.Unix(), noon.Unix()}, []int64{s.Turned, s.Since})
		s = at(t, canary(t), rollout.Promoting, 100, time.Hour).state
		assert.Equal(t, s, s.Abandon(noon, "nobody waits"))
	})
	t.Run("a shift that was cut off on its last stretch gets its time anew", func(t *testing.T) {
		s := at(t, canary(t), rollout.Aborting, 10, time.Hour).state.Resume(noon)
		assert.Equal(t, noon.Unix(), s.Turned)
		s = at(t, canary(t), rollout.Shifting, 10, time.Hour).state.Resume(noon)
		assert.Zero(t, s.Turned)
	})
}

func ExampleDecision_Headline() {
	for _, o := range []rollout.Outcome{rollout.Promoted, rollout.RolledBack, rollout.Frozen, rollout.Halted, ""} {
		d := rollout.Decision{Outcome: o, Weights: rollout.Weights{Blue: 70, Green: 30}, State: rollout.State{Phase: rollout.Shifting}}
		fmt.Println(d.Headline())
	}
	// Output:
	// live: blue 70, green 30
	// rolled back: blue 70, green 30
	// FROZEN at blue 70, green 30: decide now
	// HALTED at blue 70, green 30: act now
	// shifting: blue 70, green 30
}
