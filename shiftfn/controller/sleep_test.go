package controller_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/shiftfn/controller"
	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// calm is a world in which nothing goes wrong but what a test plans: blue serves with two tasks.
func calm(t *testing.T) *world {
	t.Helper()
	plan, problems := rollout.Policy{StartSeconds: 120}.Plan()
	require.Empty(t, problems)
	plan.Minimum = 2
	w := newWorld(rand.New(rand.NewPCG(1, 1)), plan)
	w.quiet = true
	return w
}

// scheduled makes a call that a schedule makes at a moment.
func (w *world) scheduled(kind controller.LeaseKind, at time.Time, nights *rollout.Nights) {
	w.begin(func(c *controller.Controller, run controller.Run) error {
		c.Nights = nights
		if kind == controller.LeaseSleep {
			return c.Sleep(context.Background(), run, at)
		}
		return c.Rouse(context.Background(), run, at)
	}, &invocation{world: w, resting: true, crashAt: -1})
	w.run(w.now.Add(2 * time.Minute))
}

func (w *world) asleep() bool {
	return w.side(rollout.Blue).desired+w.side(rollout.Green).desired == 0 && w.side(rollout.Blue).min+w.side(rollout.Green).min == 0
}

func TestACallOfTheScheduleCountsWhileItsNightOrDayLasts(t *testing.T) {
	nights, problems := rollout.Hours{From: "20:00", Until: "07:00", Days: rollout.Weekdays, Timezone: "UTC"}.Nights()
	require.Empty(t, problems)
	clock := func(text string) time.Time {
		at, err := time.Parse(time.DateTime, "2026-03-04 "+text)
		require.NoError(t, err)
		return at
	}
	for name, c := range map[string]struct {
		kind            controller.LeaseKind
		now, scheduled  string
		nights          *rollout.Nights
		before, becomes bool // asleep
	}{
		"a sleep in the evening":                            {controller.LeaseSleep, "20:00:03", "20:00:00", &nights, false, true},
		"a sleep that comes late in the same night":         {controller.LeaseSleep, "23:10:00", "20:00:00", &nights, false, true},
		"a sleep by a clock that is ahead of the other":     {controller.LeaseSleep, "19:59:59", "20:00:00", &nights, false, true},
		"a sleep that comes again in the day":               {controller.LeaseSleep, "07:30:00", "02:00:00", &nights, false, false},
		"a sleep where the hours were taken out meanwhile":  {controller.LeaseSleep, "20:00:03", "20:00:00", nil, false, false},
		"a waking in the morning":                           {controller.LeaseWake, "07:00:01", "07:00:00", &nights, true, false},
		"a waking that comes again in the night":            {controller.LeaseWake, "21:00:00", "07:00:00", &nights, true, true},
		"a waking where the hours were taken out meanwhile": {controller.LeaseWake, "07:00:01", "07:00:00", nil, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := calm(t)
			if c.before {
				*w.side(rollout.Blue) = side{max: 10}
			}
			w.now = clock(c.now)
			w.scheduled(c.kind, clock(c.scheduled), c.nights)
			assert.Equal(t, c.becomes, w.asleep())
			assert.Equal(t, rollout.Weights{Blue: 100}, w.weights)
		})
	}
}

func TestANightTellsOfItselfOnceAndDoesNothingWhileAShiftRuns(t *testing.T) {
	w := calm(t)
	w.deploy(rollout.Green, digest, behaviour{})
	w.start("shift-1", false, controller.Order{Candidate: rollout.Green, Digest: digest})
	w.run(w.now.Add(time.Minute))
	require.Equal(t, controller.LeaseShift, w.lease.Kind)
	w.call(controller.LeaseSleep, false)
	w.run(w.now.Add(time.Minute))
	assert.False(t, w.asleep())
	w.run(w.now.Add(2 * time.Hour))
	require.Equal(t, rollout.Weights{Green: 100}, w.weights, "the shift went on as if nothing had been asked for")

	w.events = nil
	for range 3 {
		w.call(controller.LeaseSleep, false)
		w.run(w.now.Add(time.Minute))
	}
	assert.True(t, w.asleep())
	require.Len(t, w.events, 1)
	assert.Equal(t, controller.EventAsleep, w.events[0].Kind)
}

func TestACallThatIsCutOffIsMadeAgainForAnHour(t *testing.T) {
	outage := func(w *world, lasts time.Duration) {
		w.quiet = false
		w.faults.outages = map[string][2]time.Time{"scaling": {w.now, w.now.Add(lasts)}}
	}
	t.Run("until it is done", func(t *testing.T) {
		w := calm(t)
		outage(w, 40*time.Minute)
		w.call(controller.LeaseSleep, false)
		w.run(w.now.Add(30 * time.Minute))
		require.False(t, w.asleep())
		w.run(w.now.Add(30 * time.Minute))
		assert.True(t, w.asleep())
		assert.Equal(t, controller.LeaseEnded, w.rest.Kind)
	})
	t.Run("and not into the next day", func(t *testing.T) {
		w := calm(t)
		outage(w, 2*time.Hour)
		w.call(controller.LeaseSleep, false)
		w.run(w.now.Add(12 * time.Hour))
		assert.False(t, w.asleep())
		assert.Equal(t, controller.LeaseEnded, w.rest.Kind)
		assert.Empty(t, w.todo, "nothing calls any more")
	})
	t.Run("unless a later one wants the opposite", func(t *testing.T) {
		w := calm(t)
		outage(w, 20*time.Minute)
		w.call(controller.LeaseSleep, false)
		w.run(w.now.Add(2 * time.Minute))
		w.call(controller.LeaseWake, false)
		w.run(w.now.Add(12 * time.Hour))
		assert.Equal(t, 2, w.side(rollout.Blue).desired)
		assert.Equal(t, 2, w.side(rollout.Blue).min)
	})
}

func TestAReleaseWakesTheLiveSideAndWaitsForItWithinReason(t *testing.T) {
	for name, c := range map[string]struct {
		start    time.Duration
		earliest time.Duration
	}{
		"until it is healthy":                         {40 * time.Second, 40 * time.Second},
		"and goes on where it never is, to be healed": {-1, 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			w := calm(t)
			w.side(rollout.Blue).behaviour.start = c.start
			w.call(controller.LeaseSleep, false)
			w.run(w.now.Add(time.Minute))
			require.True(t, w.asleep())
			asked, told := w.now, time.Time{}
			w.succeeded = func(string) { told = w.now }
			prepared := w.start("prepare-1", true, controller.Order{})
			w.run(w.now.Add(20 * time.Minute))
			require.Empty(t, prepared.failed)
			assert.Equal(t, "green", prepared.outputs["CandidateColour"])
			assert.Equal(t, 2, w.side(rollout.Blue).desired)
			assert.GreaterOrEqual(t, told.Sub(asked), c.earliest)
			assert.Less(t, told.Sub(asked), c.earliest+30*time.Second)
		})
	}
}

func TestAnAlarmDoesNotGoBackToAVersionThatWentToSleep(t *testing.T) {
	w := calm(t)
	due := w.now.Add(24 * time.Hour)
	w.weights = rollout.Weights{Green: 100}
	w.side(rollout.Green).desired = 2
	w.lease = &controller.Lease{Kind: controller.LeaseStandby, Due: due, Live: rollout.Green, Since: w.now, Order: controller.Order{Candidate: rollout.Green}}
	for _, kind := range []controller.LeaseKind{controller.LeaseSleep, controller.LeaseWake} {
		w.call(kind, false)
		w.run(w.now.Add(time.Minute))
	}
	require.Equal(t, 2, w.side(rollout.Green).desired)
	require.Zero(t, w.side(rollout.Blue).desired, "the standby does not come back")
	w.events, w.alarm = nil, rollout.AlarmRinging
	w.invoke(func(c *controller.Controller, run controller.Run) error { return c.Guard(t.Context(), run, "errors") }, false)
	w.run(w.now.Add(10 * time.Minute))
	assert.Equal(t, rollout.Weights{Green: 100}, w.weights)
	require.Len(t, w.events, 1)
	assert.Contains(t, w.events[0].Reason, "the old version was put to sleep and is not warm any more")
}
