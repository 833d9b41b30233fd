package rollout_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

func TestPuttingAnEnvironmentToSleep(t *testing.T) {
	t.Run("takes the tasks and the minimum of both sides, and leaves weights and preview rule", func(t *testing.T) {
		s := at(t, canary(t), rollout.Shifting, 100, 0)
		r := rollout.Sleep(&s.seen)
		nothing := rollout.SideWant{Idle: true, Scaling: &rollout.ScalingWant{}}
		assert.Equal(t, rollout.Want{Blue: nothing, Green: nothing}, r.Want)
		assert.Empty(t, r.Refusal)
		assert.Contains(t, r.Waiting, "not done yet")
		assert.False(t, rollout.Asleep(&s.seen))
		for _, c := range []rollout.Colour{rollout.Blue, rollout.Green} {
			s.seen.Of(c).Service.Desired = 0
			s.seen.Of(c).Scaling.Min, s.seen.Of(c).Scaling.Suspended = 0, false
		}
		assert.Empty(t, rollout.Sleep(&s.seen).Waiting)
		assert.True(t, rollout.Asleep(&s.seen))
	})
	t.Run("is refused where traffic is shared out", func(t *testing.T) {
		s := at(t, canary(t), rollout.Shifting, 10, 0)
		r := rollout.Sleep(&s.seen)
		assert.Contains(t, r.Refusal, "blue 90, green 10")
		assert.Equal(t, rollout.Want{}, r.Want)
	})
	t.Run("waits until the listener can be read", func(t *testing.T) {
		s := at(t, canary(t), rollout.Shifting, 100, 0)
		s.seen.Weights = nil
		assert.NotEmpty(t, rollout.Sleep(&s.seen).Waiting)
		assert.NotEmpty(t, rollout.Wake(s.plan, &s.seen).Waiting)
		assert.False(t, rollout.Asleep(&s.seen), "what was not seen is not asleep")
	})
}

func TestWakingAnEnvironment(t *testing.T) {
	awake := rollout.SideWant{AtLeast: 2, Scaling: &rollout.ScalingWant{Min: 2}}
	for name, c := range map[string]struct {
		green int
		want  rollout.Want
	}{
		"gives blue its minimum, and leaves green":               {0, rollout.Want{Blue: awake}},
		"gives green its minimum, and leaves blue":               {100, rollout.Want{Green: awake}},
		"leaves no side with traffic at zero where it is shared": {25, rollout.Want{Blue: awake, Green: awake}},
	} {
		t.Run(name, func(t *testing.T) {
			s := at(t, canary(t), rollout.Shifting, c.green, 0)
			r := rollout.Wake(s.plan, &s.seen)
			assert.Equal(t, c.want, r.Want)
			assert.Empty(t, r.Refusal)
		})
	}
	t.Run("never takes tasks away", func(t *testing.T) {
		s := at(t, canary(t), rollout.Shifting, 0, 0)
		s.seen.Blue.Service.Desired = 7
		s.seen.Blue.Scaling = &rollout.Scaling{Managed: true, Min: 2}
		r := rollout.Wake(s.plan, &s.seen)
		assert.Empty(t, r.Waiting)
		assert.Empty(t, r.Want.Changes(&s.seen))
	})
}
