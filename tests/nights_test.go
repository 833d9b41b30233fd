package tests

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/clock"
	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/shiftfn/adapter"
	"github.com/penguinshop/delivery/shiftfn/controller"
	"github.com/penguinshop/delivery/shiftfn/rollout"
	"github.com/penguinshop/delivery/shiftfn/settings"
	"github.com/penguinshop/delivery/tests/bare"
)

// dusk is the last moment of a Thursday in dev.
var dusk = time.Date(2026, 3, 5, 18, 59, 59, 0, time.UTC)

// night is dev at dusk, with a clock that the test moves.
type night struct {
	*bare.World
	t     *testing.T
	clock *clockwork.FakeClock
	seen  *adapter.World
	rests *adapter.Leases
}

func atDusk(t *testing.T) *night {
	t.Helper()
	g := stack(t, "dev")
	n := &night{t: t, clock: clockwork.NewFakeClockAt(dusk)}
	n.World = bare.Raise(t, bare.Options{Graphs: []*graph.Graph{g}, Clock: n.clock, Tasks: clock.Scaled(50)})
	s := told(t, g)
	log := slog.New(slog.DiscardHandler)
	n.seen = &adapter.World{Settings: s, Clients: n.Clients(), Now: n.clock.Now, Log: log}
	n.rests = &adapter.Leases{Settings: s, Scheduler: n.Scheduler, Schedule: settings.RestSchedule, Now: n.clock.Now, Log: log}
	n.until("the first side runs", func(o rollout.Observation) bool { return o.Blue.Service.Running == 1 })
	return n
}

func (n *night) look() rollout.Observation {
	o := n.seen.Observe(n.t.Context(), rollout.Look{}, controller.Order{})
	require.Empty(n.t, o.Trouble)
	return o
}

// until lets time pass by the second, so that a function that waits goes on, and ends.
func (n *night) until(what string, is func(rollout.Observation) bool) {
	n.t.Helper()
	require.Eventually(n.t, func() bool {
		n.clock.Advance(time.Second)
		kept, err := n.rests.Read(n.t.Context())
		return is(n.look()) && (errors.Is(err, controller.ErrNoLease) || err == nil && kept.Kind == controller.LeaseEnded)
	}, time.Minute, 20*time.Millisecond, what)
}

func (n *night) move(to rollout.Colour) {
	before := n.look().Weights
	require.NoError(n.t, n.seen.Apply(n.t.Context(), rollout.Change{Kind: rollout.ChangeWeights, Before: *before, Weights: rollout.Split(to, 100)}))
}

func zero(o rollout.Observation) bool {
	return o.Blue.Service.Desired+o.Green.Service.Desired+o.Blue.Scaling.Min+o.Green.Scaling.Min == 0
}

func TestDevSleepsAtNightAndTheColourThatIsLiveByThenWakesInTheMorning(t *testing.T) {
	n := atDusk(t)
	n.until("dev is asleep", zero)
	assert.Equal(t, rollout.Weights{Blue: 100}, *n.look().Weights, "a night moves no traffic")
	// Somebody moves the traffic at night: the schedules know no colour, and so cannot wake the wrong one.
	n.move(rollout.Green)
	n.clock.Advance(time.Date(2026, 3, 6, 5, 59, 58, 0, time.UTC).Sub(n.clock.Now()))
	assert.True(t, zero(n.look()), "it sleeps until the morning")
	n.until("dev is awake", func(o rollout.Observation) bool { return o.Green.Service.Desired == 1 && o.Green.Scaling.Min == 1 })
	n.until("its task runs", func(o rollout.Observation) bool { return o.Green.Targets.Healthy == 1 })
	o := n.look()
	assert.Equal(t, rollout.Weights{Green: 100}, *o.Weights)
	assert.Zero(t, o.Blue.Service.Desired+o.Blue.Scaling.Min, "the idle side stays at zero")
	// On Saturday morning nothing wakes it.
	n.clock.Advance(time.Date(2026, 3, 6, 18, 59, 59, 0, time.UTC).Sub(n.clock.Now()))
	n.until("dev is asleep again", zero)
	for range 2 {
		n.clock.Advance(24 * time.Hour)
		assert.True(t, zero(n.look()), "it sleeps through the weekend")
	}
	n.clock.Advance(time.Date(2026, 3, 9, 5, 59, 59, 0, time.UTC).Sub(n.clock.Now()))
	n.until("dev is awake on Monday", func(o rollout.Observation) bool { return o.Green.Service.Desired == 1 })
}

func TestUsersOfASleepingEnvironmentRaiseNoAlarm(t *testing.T) {
	g := stack(t, "dev")
	s := told(t, g)
	measuring := clockwork.NewFakeClockAt(dusk)
	w := bare.Raise(t, bare.Options{Graphs: []*graph.Graph{g}, Clock: clockwork.NewFakeClockAt(dusk), Tasks: clock.Scaled(50), Metrics: measuring})
	balancer := map[string]string{"LoadBalancer": s.LoadBalancer[strings.Index(s.LoadBalancer, "loadbalancer/")+len("loadbalancer/"):]}
	name := one(t, g, "aws:cloudwatch/metricAlarm:MetricAlarm", "alarms-no-answer").Outputs["name"].(string)
	minute := func(errors, noTarget float64) string {
		w.CloudWatch.Record("AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", balancer, errors)
		if noTarget > 0 {
			w.CloudWatch.Record("AWS/ApplicationELB", "HTTPCode_ELB_503_Count", balancer, noTarget)
		}
		measuring.Advance(time.Minute)
		out, err := w.CloudWatch.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{name}})
		require.NoError(t, err)
		require.Len(t, out.MetricAlarms, 1)
		return string(out.MetricAlarms[0].StateValue)
	}
	for range 5 {
		assert.NotEqual(t, "ALARM", minute(600, 600), "503 is what the load balancer answers where no target is")
	}
	assert.Eventually(t, func() bool { return minute(600, 0) == "ALARM" }, time.Minute, 10*time.Millisecond, "targets that do not answer are a fault")
}
