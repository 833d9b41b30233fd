package operator

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/shiftfn/controller"
	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// promoted is prod an hour's third after green was promoted: blue is warm, both are well.
func promoted() Status {
	weight := func(n int) *int { return &n }
	now := time.Date(2026, 3, 4, 2, 0, 0, 0, time.UTC)
	return Status{
		Environment: "prod", Strategy: BlueGreen, At: now, Live: rollout.Green, Weights: &rollout.Weights{Green: 100},
		Sides: []Side{
			{Colour: rollout.Blue, Weight: weight(0), Desired: weight(3), Running: weight(3), Targets: &Targets{Healthy: 3}},
			{Colour: rollout.Green, Weight: weight(100), Desired: weight(3), Running: weight(3), Targets: &Targets{Healthy: 3}},
		},
		Standby: &Standby{Colour: rollout.Blue},
		lease:   controller.Lease{Kind: controller.LeaseStandby, Due: now.Add(40 * time.Minute), Live: rollout.Green, Order: controller.Order{Candidate: rollout.Green}},
	}
}

func planOf(t *testing.T) rollout.Plan {
	plan, problems := rollout.Policy{}.Plan()
	require.Empty(t, problems)
	return plan
}

func TestRollbackGoesToTheVersionBeforeTheLastRelease(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Status)
		to     rollout.Colour
		after  rollout.Weights
		says   string
	}{
		"after a promotion, to the warm side":    {func(*Status) {}, "", rollout.Weights{Blue: 100}, "blue is no longer standby"},
		"to a side whose image nobody delivered": {func(s *Status) { s.Sides[0].Image = "podinfo:6.9.1" }, "", rollout.Weights{Blue: 100}, "podinfo:6.9.1"},
		"in the middle of a shift, which is told to stop": {func(s *Status) {
			s.lease.Kind, s.Weights, s.Live, s.Standby = controller.LeaseShift, &rollout.Weights{Blue: 75, Green: 25}, "", nil
		}, "", rollout.Weights{Blue: 100}, "fails the pipeline's action (HALTED)"},
		"while the candidate bakes with all traffic": {func(s *Status) { s.lease.Kind, s.Standby = controller.LeaseShift, nil }, "", rollout.Weights{Blue: 100}, "HALTED"},
		"from where a shift was frozen": {func(s *Status) {
			s.lease.Kind, s.Weights, s.Live, s.Standby = controller.LeaseEnded, &rollout.Weights{Blue: 50, Green: 50}, "", nil
		}, "", rollout.Weights{Blue: 100}, "the next release repairs"},
		"from where a shift was frozen, forward when a person says so": {func(s *Status) {
			s.lease.Kind, s.Weights, s.Live, s.Standby = controller.LeaseEnded, &rollout.Weights{Blue: 50, Green: 50}, "", nil
		}, rollout.Green, rollout.Weights{Green: 100}, "this goes forward"},
		"without any record, to the other side": {func(s *Status) { s.lease, s.Standby = controller.Lease{}, nil }, "", rollout.Weights{Blue: 100}, "the next release repairs"},
		"to a side with fewer healthy targets than it needs, when the other has fewer still": {func(s *Status) {
			s.Sides[0].Targets, s.Sides[1].Targets = &Targets{Healthy: 1}, &Targets{Unhealthy: 3}
		}, "", rollout.Weights{Blue: 100}, "the next release repairs"},
		"although the lease cannot be read, and says so": {func(s *Status) {
			s.lease, s.Standby, s.Trouble = controller.Lease{}, nil, []string{"lease: Scheduler GetSchedule: AccessDeniedException"}
		}, "", rollout.Weights{Blue: 100}, "whether a shift runs could not be read"},
	} {
		t.Run(name, func(t *testing.T) {
			s := promoted()
			c.change(&s)
			before := *s.Weights
			m, err := rollback(s, planOf(t), c.to)
			require.NoError(t, err)
			assert.Equal(t, c.after, m.After)
			assert.Equal(t, before, m.Before)
			assert.Contains(t, join(m.Consequences), c.says)
		})
	}
}

func TestRollbackRefusesWhatWouldMakeThingsWorse(t *testing.T) {
	for name, c := range map[string]struct {
		change   func(*Status)
		to       rollout.Colour
		what, do string
	}{
		"a rolling environment": {func(s *Status) { s.Strategy = Rolling }, "", "no other side", "git revert"},
		"unreadable weights": {func(s *Status) { s.Weights, s.Trouble = nil, []string{"listener: throttled"} }, "",
			"cannot be read, and none are written unseen (listener: throttled)", "Try again"},
		"a side without tasks": {func(s *Status) { *s.Sides[0].Desired, s.Sides[0].Targets = 0, &Targets{} }, "",
			"blue has no tasks: its version is no longer kept warm. Traffic stays at blue 0, green 100", "git revert"},
		"a side without a healthy target": {func(s *Status) { s.Sides[0].Targets = &Targets{Unhealthy: 2, Initial: 1} }, "",
			"no healthy target (2 unhealthy, 1 starting): users would get errors", "Look at its tasks"},
		"a side that is down, even when the other is too": {func(s *Status) { s.Sides[0].Targets, s.Sides[1].Targets = &Targets{}, &Targets{} }, "", "no healthy target", ""},
		"a side whose health is unknown":                  {func(s *Status) { s.Sides[0].Targets = nil }, "", "health of blue cannot be read", "Try again"},
		"a side that is too small": {func(s *Status) { *s.Sides[1].Desired, s.Sides[0].Targets = 12, &Targets{Healthy: 3} }, "",
			"3 healthy targets where the traffic of prod needs 9", "9 tasks first"},
		"what has been done already": {func(s *Status) { s.Weights, s.Live = &rollout.Weights{Blue: 100}, rollout.Blue }, "",
			"blue has all traffic of prod already, and it is the version before the last release", "--to green"},
		"the side that has all traffic": {func(*Status) {}, rollout.Green, "green has all traffic of prod already", ""},
		"a candidate that is still being tested": {func(s *Status) {
			s.lease.Kind, s.Weights, s.Live = controller.LeaseShift, &rollout.Weights{Blue: 100}, rollout.Blue
		}, "", "the release on green is under test and has none", "stop the pipeline's execution"},
		"going forward past a running shift": {func(s *Status) {
			s.lease.Kind, s.Weights, s.Live = controller.LeaseShift, &rollout.Weights{Blue: 75, Green: 25}, ""
		}, rollout.Green, "green is the candidate of a shift that runs", "shiftctl watch"},
		"shared traffic without a record of the last release": {func(s *Status) {
			s.lease, s.Weights, s.Live = controller.Lease{}, &rollout.Weights{Blue: 75, Green: 25}, ""
		}, "", "no record tells which side was there before", "--to blue or --to green"},
	} {
		t.Run(name, func(t *testing.T) {
			s := promoted()
			c.change(&s)
			_, err := rollback(s, planOf(t), c.to)
			var refused *RefusedError
			require.ErrorAs(t, err, &refused)
			assert.Contains(t, refused.What, c.what)
			assert.Contains(t, refused.Do, c.do)
		})
	}
}

func join(texts []string) (all string) {
	for _, text := range texts {
		all += text + "\n"
	}
	return all
}

func TestAFailedShiftsOutcomeIsToldByTheFunctionsOwnHeadline(t *testing.T) {
	for outcome, want := range map[rollout.Outcome]Outcome{rollout.RolledBack: RolledBack, rollout.Frozen: Frozen, rollout.Halted: Halted} {
		d := rollout.Decision{Outcome: outcome, Weights: rollout.Weights{Blue: 70, Green: 30}}
		assert.Equal(t, want, failure(d.Headline()+". It failed its probes"))
	}
	assert.Equal(t, Failed, failure("a shift is under way: green"))
}
