package rollout_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// everything wants a change of each kind on both sides.
func everything() rollout.Want {
	return rollout.Want{
		Weights: &rollout.Weights{Blue: 0, Green: 100},
		Preview: rollout.Blue,
		Blue:    rollout.SideWant{Idle: true, TaskDefinition: "arn:x/shop-blue:1", Scaling: &rollout.ScalingWant{}},
		Green:   rollout.SideWant{AtLeast: 5, Scaling: &rollout.ScalingWant{Min: 3, Suspended: true}},
	}
}

func TestChangesComeInTheOrderInWhichTheyAreSafe(t *testing.T) {
	s := at(t, canary(t), rollout.Shifting, 10, 0)
	want := everything()
	var said []string
	for _, c := range want.Changes(&s.seen) {
		said = append(said, c.String())
	}
	assert.Equal(t, []string{
		"preview rule → blue",
		"blue: at least 0 tasks, scale-in allowed",
		"green: at least 3 tasks, scale-in suspended",
		"blue: 0 tasks of shop-blue:1",
		"green: 5 tasks",
		"weights: blue 90, green 10 → blue 0, green 100",
	}, said)
	changes := want.Changes(&s.seen)
	assert.False(t, changes[3].Grow)
	assert.True(t, changes[4].Grow, "more tasks are a new deployment, which ECS guards")
}

func TestWhatIsAsWantedIsLeft(t *testing.T) {
	s := at(t, canary(t), rollout.Shifting, 100, 0)
	blue := rollout.Blue
	s.seen.Preview = &blue
	s.seen.Blue.Scaling = &rollout.Scaling{Managed: true}
	s.seen.Green.Scaling = &rollout.Scaling{Managed: true, Min: 3, Suspended: true}
	s.seen.Blue.Service = &rollout.Service{TaskDefinition: "arn:x/shop-blue:1"}
	s.seen.Green.Service.Desired = 5
	want := everything()
	assert.Empty(t, want.Changes(&s.seen))
	assert.Empty(t, want.Missing(&s.seen))
	s.seen.Green.Service.Desired = 9
	assert.Empty(t, want.Changes(&s.seen), "autoscaling may have scaled out")
	assert.Empty(t, rollout.Want{}.Changes(&s.seen))
	assert.Empty(t, rollout.Want{}.Missing(&rollout.Observation{}))

	s.seen.Blue.Service.Desired = 1
	assert.Equal(t, "not done yet: blue: 0 tasks of shop-blue:1", want.Missing(&s.seen))
	s.seen.Blue.Service = &rollout.Service{TaskDefinition: "arn:x/shop-blue:2"}
	assert.Equal(t, "not done yet: blue: 0 tasks of shop-blue:1", want.Missing(&s.seen))
	want.Blue.TaskDefinition = ""
	assert.Empty(t, want.Missing(&s.seen))
	s.seen.Blue.Scaling.Suspended = true
	assert.Equal(t, "not done yet: blue: at least 0 tasks, scale-in allowed", want.Missing(&s.seen))
}

func TestWhatIsNotSeenIsNotChangedAndIsMissing(t *testing.T) {
	for want, hide := range map[string]func(*rollout.Observation){
		"the preview rule could not be read":         func(o *rollout.Observation) { o.Preview = nil },
		"the autoscaling of blue could not be read":  func(o *rollout.Observation) { o.Blue.Scaling = nil },
		"the autoscaling of green could not be read": func(o *rollout.Observation) { o.Green.Scaling = nil },
		"the service of blue could not be read":      func(o *rollout.Observation) { o.Blue.Service = nil },
		"the service of green could not be read":     func(o *rollout.Observation) { o.Green.Service = nil },
		"the weights could not be read":              func(o *rollout.Observation) { o.Weights = nil },
	} {
		s := at(t, canary(t), rollout.Shifting, 10, 0)
		hide(&s.seen)
		w := everything()
		assert.Equal(t, want, w.Missing(&s.seen))
		assert.Len(t, w.Changes(&s.seen), 5, want)
	}
}

func TestPreparingTheIdleSide(t *testing.T) {
	declared := map[rollout.Colour]string{rollout.Blue: "arn:x/shop-blue:1", rollout.Green: "arn:x/shop-green:1"}
	t.Run("clears it, gives it the declared revision and repairs the live side", func(t *testing.T) {
		s := at(t, canary(t), rollout.Shifting, 0, 0)
		p := rollout.Prepare(s.plan, &s.seen, declared)
		assert.Equal(t, []rollout.Colour{rollout.Blue, rollout.Green}, []rollout.Colour{p.Live, p.Idle})
		assert.Equal(t, rollout.Want{
			Preview: rollout.Green,
			Green:   rollout.SideWant{Idle: true, TaskDefinition: "arn:x/shop-green:1", Scaling: &rollout.ScalingWant{}},
			Blue:    rollout.SideWant{AtLeast: 2, Scaling: &rollout.ScalingWant{Min: 2}},
		}, p.Want)
		assert.Empty(t, p.Refusal)
		assert.False(t, p.Asleep)
		assert.Empty(t, p.Waking)
		assert.Contains(t, p.Waiting, "not done yet")
	})
	t.Run("waits until the old tasks have stopped", func(t *testing.T) {
		s := at(t, canary(t), rollout.Shifting, 100, 0)
		blue := rollout.Blue
		s.seen.Preview = &blue
		s.seen.Blue = rollout.Side{Service: &rollout.Service{Running: 1, TaskDefinition: "arn:x/shop-blue:1"}, Scaling: &rollout.Scaling{Managed: true}}
		s.seen.Green.Scaling = &rollout.Scaling{Managed: true, Min: 2}
		p := rollout.Prepare(s.plan, &s.seen, declared)
		assert.Equal(t, rollout.Green, p.Live)
		assert.Equal(t, "1 old tasks of blue are still stopping", p.Waiting)
		s.seen.Blue.Service.Running = 0
		assert.Empty(t, rollout.Prepare(s.plan, &s.seen, declared).Waiting)
	})
	t.Run("finds a live side that sleeps, and says what it lacks until it is awake", func(t *testing.T) {
		s := at(t, canary(t), rollout.Shifting, 0, 0)
		s.seen.Blue.Service.Desired, s.seen.Blue.Targets.Healthy = 0, 0
		p := rollout.Prepare(s.plan, &s.seen, declared)
		assert.True(t, p.Asleep)
		assert.Equal(t, "blue is waking: 0 of 2 targets are healthy", p.Waking)
		s.seen.Blue.Targets = nil
		assert.Contains(t, rollout.Prepare(s.plan, &s.seen, declared).Waking, "could not be read")
	})
	t.Run("refuses where traffic is shared out", func(t *testing.T) {
		s := at(t, canary(t), rollout.Shifting, 10, 0)
		p := rollout.Prepare(s.plan, &s.seen, declared)
		assert.Contains(t, p.Refusal, "blue 90, green 10")
		assert.Equal(t, rollout.Want{}, p.Want)
	})
}

func TestRetiringTheStandby(t *testing.T) {
	const old = "arn:x/shop-blue:3"
	standby := func(t *testing.T) *stand {
		s := at(t, canary(t), rollout.Shifting, 100, 0)
		s.seen.Blue.Service.TaskDefinition = old
		return s
	}
	t.Run("clears the old version away", func(t *testing.T) {
		s := standby(t)
		r := rollout.Retire(s.plan, &s.seen, rollout.Green, old)
		assert.Empty(t, r.Overtaken)
		assert.NotEmpty(t, r.Waiting)
		assert.Equal(t, rollout.Want{
			Blue:  rollout.SideWant{Idle: true, Scaling: &rollout.ScalingWant{}},
			Green: rollout.SideWant{Scaling: &rollout.ScalingWant{Min: 2}},
		}, r.Want)
		s.seen.Blue.Service.Desired, s.seen.Blue.Scaling.Min, s.seen.Blue.Scaling.Suspended = 0, 0, false
		s.seen.Green.Scaling.Min, s.seen.Green.Scaling.Suspended = 2, false
		assert.Empty(t, rollout.Retire(s.plan, &s.seen, rollout.Green, old).Waiting)
	})
	t.Run("does not wake a live side that sleeps", func(t *testing.T) {
		s := standby(t)
		s.seen.Green.Service.Desired = 0
		assert.Equal(t, rollout.SideWant{}, rollout.Retire(s.plan, &s.seen, rollout.Green, old).Want.Green)
	})
	t.Run("does nothing when the world has moved on", func(t *testing.T) {
		for says, change := range map[string]func(*rollout.Observation){
			"traffic is at blue 10, green 90": func(o *rollout.Observation) { o.Weights = &rollout.Weights{Blue: 10, Green: 90} },
			"traffic is at blue 100, green 0": func(o *rollout.Observation) { o.Weights = &rollout.Weights{Blue: 100} },
			"blue holds shop-blue:4 by now":   func(o *rollout.Observation) { o.Blue.Service.TaskDefinition = "arn:x/shop-blue:4" },
		} {
			s := standby(t)
			change(&s.seen)
			r := rollout.Retire(s.plan, &s.seen, rollout.Green, old)
			assert.Equal(t, says, r.Overtaken)
			assert.Equal(t, rollout.Want{}, r.Want)
		}
	})
}
