package operator

import (
	"context"
	"fmt"
	"time"

	"github.com/penguinshop/delivery/shiftfn/controller"
	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// Move is one change of an environment's weights by a person: all traffic to one side.
type Move struct {
	Environment string          `json:"environment"`
	To          rollout.Colour  `json:"to"`
	Before      rollout.Weights `json:"before"`
	After       rollout.Weights `json:"after"`
	// Leaves and Takes are the two sides as they were seen.
	Leaves Side `json:"leaves"`
	Takes  Side `json:"takes"`
	// Consequences say what else will happen because of it.
	Consequences []string `json:"consequences"`

	environment Environment
	// shifting is true while the function shifts: it will see that somebody moved the traffic, and stop.
	shifting bool
}

// Rollback finds the move that gives all traffic of an environment back to the version before the last release; or, where to names a
// colour, to that. Nothing is changed. A *RefusedError says why there is no such move, or why it would make things worse.
func (d *Delivery) Rollback(ctx context.Context, environment string, to rollout.Colour) (Move, error) {
	e, err := d.Environment(environment)
	if err != nil {
		return Move{}, err
	}
	s := d.look(ctx, e, pipelineState{})
	m, err := rollback(s, e.plan, to)
	m.environment = e
	return m, err
}

// rollback decides. It is pure, so that each refusal can be held to a table.
func rollback(s Status, plan rollout.Plan, to rollout.Colour) (Move, error) {
	refuse := func(do, format string, values ...any) (Move, error) {
		return Move{}, &RefusedError{What: fmt.Sprintf(format, values...), Do: do}
	}
	if s.Strategy == Rolling {
		return refuse("Release the earlier commit again: `git revert`, and push.",
			"%s takes its releases in place (rolling), so there is no other side to go back to", s.Environment)
	}
	if s.Weights == nil {
		return refuse("Try again; in the console, the listener's default action shows them.",
			"the weights of %s cannot be read, and none are written unseen (%s)", s.Environment, first(s.Trouble))
	}
	shifting := s.lease.Kind == controller.LeaseShift
	candidate := s.lease.Order.Candidate
	known := candidate == rollout.Blue || candidate == rollout.Green
	live, whole := s.Weights.Live()
	switch {
	case to != "":
	case known:
		to = candidate.Other()
	case whole:
		to = live.Other()
	default:
		return refuse("Say which with --to blue or --to green.",
			"traffic of %s is at %s, and no record tells which side was there before", s.Environment, s.Weights)
	}
	from := to.Other()
	switch {
	case shifting && to == candidate:
		return refuse("Wait for it (`shiftctl watch`), or roll back.",
			"%s is the candidate of a shift that runs: the function gives it traffic when it has passed", to)
	case whole && live == to && shifting:
		return refuse("The shift ends by itself. To stop it, stop the pipeline's execution: it is then turned round.",
			"%s has all traffic of %s already; the release on %s is under test and has none", to, s.Environment, from)
	case whole && live == to && known && to == candidate.Other():
		return refuse(fmt.Sprintf("To go forward to the last release, on %s: `shiftctl rollback %s --to %s`.", from, s.Environment, from),
			"%s has all traffic of %s already, and it is the version before the last release", to, s.Environment)
	case whole && live == to:
		return refuse("", "%s has all traffic of %s already", to, s.Environment)
	}
	m := Move{Environment: s.Environment, To: to, Before: *s.Weights, After: rollout.Split(to, 100), Leaves: s.Side(from), Takes: s.Side(to), shifting: shifting}
	if err := m.fit(plan); err != nil {
		return Move{}, err
	}
	m.Consequences = consequences(s, m)
	return m, nil
}

// fit tells whether the side that is to take the traffic can: at least one healthy target, and as many as the plan asks of a side of the
// other's size, unless the other has fewer still.
func (m Move) fit(plan rollout.Plan) error {
	again := "Release the earlier commit again instead: `git revert`, and push; nothing else brings its tasks back."
	where := fmt.Sprintf("Traffic stays at %s", m.Before)
	takes, leaves := m.Takes.Targets, m.Leaves.Targets
	switch {
	case takes == nil:
		return &RefusedError{fmt.Sprintf("the health of %s cannot be read, and traffic is not sent to a side that may be down. %s", m.To, where), "Try again."}
	case takes.Healthy == 0 && (m.Takes.Desired == nil || *m.Takes.Desired == 0):
		return &RefusedError{fmt.Sprintf("%s has no tasks: its version is no longer kept warm. %s", m.To, where), again}
	case takes.Healthy == 0:
		return &RefusedError{fmt.Sprintf("%s has no healthy target (%d unhealthy, %d starting): users would get errors. %s", m.To, takes.Unhealthy, takes.Initial, where),
			"Look at its tasks and log; or " + lower(again)}
	}
	size := 1
	if m.Leaves.Desired != nil {
		size = max(1, *m.Leaves.Desired)
	}
	required := max(1, (size*plan.Limits.HealthyPercent+99)/100)
	if takes.Healthy < required && (leaves == nil || leaves.Healthy >= takes.Healthy) {
		return &RefusedError{fmt.Sprintf("%s has %d healthy targets where the traffic of %s needs %d: it would be overrun. %s", m.To, takes.Healthy, m.Environment, required, where),
			fmt.Sprintf("Give its service %d tasks first, and wait until they are healthy; or %s", required, lower(again))}
	}
	return nil
}

func lower(sentence string) string { return string(sentence[0]|0x20) + sentence[1:] }

func first(texts []string) string {
	if len(texts) == 0 {
		return "the reason is not known"
	}
	return texts[0]
}

// consequences are what a person should know before saying yes.
func consequences(s Status, m Move) []string {
	var all []string
	if m.shifting {
		all = append(all, "a shift runs: shiftfn sees within seconds that a person moved the traffic, stops, leaves the weights alone, and fails the pipeline's action (HALTED)")
	}
	for _, trouble := range s.Trouble {
		if len(trouble) > 5 && trouble[:5] == "lease" {
			all = append(all, "whether a shift runs could not be read; if one does, it stops and fails the pipeline's action")
		}
	}
	if s.Standby != nil && m.To == s.Standby.Colour {
		all = append(all, fmt.Sprintf("%s is no longer standby: it stays until the next release, and so does %s, for you to look at", m.To, m.Leaves.Colour))
	}
	if m.To == s.lease.Order.Candidate {
		all = append(all, fmt.Sprintf("this goes forward: %s holds the last release", m.To))
	}
	if m.Takes.Commit == "" && m.Takes.Image != "" {
		all = append(all, fmt.Sprintf("no commit is known for %s's image, %s: unless you know it, it may be the placeholder that the environment began with", m.To, m.Takes.Image))
	}
	if t := m.Takes.Targets; t != nil && t.Unhealthy > 0 {
		all = append(all, fmt.Sprintf("%d targets of %s are unhealthy and get none of it", t.Unhealthy, m.To))
	}
	return append(all, "the next release repairs the sides' bounds for autoscaling; until then "+string(m.To)+" may grow but not shrink")
}

// How long a move is looked at after it was made.
const (
	// settling bounds the reading back of weights.
	settling = 20 * time.Second
	// noticing is for how long a running shift is watched until it has stopped: it looks every rollout.Tick.
	noticing = 4 * rollout.Tick
	// pause lies between two looks.
	pause = time.Second
)

// MovedError says that the traffic is not where a move was to bring it.
type MovedError struct{ Text string }

func (e *MovedError) Error() string { return e.Text }

// Do makes a move and reads back that it has taken effect; where a shift ran, it waits until that has stopped, so that nothing moves the
// traffic again. It refuses when the weights are no longer those that the move was decided on.
func (d *Delivery) Do(ctx context.Context, m Move) (rollout.Weights, error) {
	world := d.world(m.environment)
	err := world.Apply(ctx, rollout.Change{Kind: rollout.ChangeWeights, Before: m.Before, Weights: m.After})
	seen, readErr := d.until(ctx, m, settling, func(w rollout.Weights) bool { return w == m.After })
	switch {
	case err != nil && readErr == nil && seen == m.After: // done, whatever the answer said
	case err != nil && readErr == nil:
		return seen, &RefusedError{fmt.Sprintf("nothing was changed: %s. Traffic is at %s", Explain(err), seen), "Look again with `shiftctl status`, then decide anew."}
	case err != nil:
		return seen, fmt.Errorf("moving the traffic of %s, which was at %s: %w", m.Environment, m.Before, err)
	case readErr != nil:
		return seen, fmt.Errorf("the weights %s were written, but cannot be read back; look with `shiftctl status`: %w", m.After, readErr)
	case seen != m.After:
		return seen, &MovedError{fmt.Sprintf("the weights %s were written, but traffic of %s is at %s: somebody else moves it too. Stop the pipeline's execution, then roll back again", m.After, m.Environment, seen)}
	}
	if !m.shifting {
		return seen, nil
	}
	seen, err = d.until(ctx, m, noticing, func(w rollout.Weights) bool {
		lease, err := d.leases(m.environment).Read(ctx)
		return w != m.After || err == nil && lease.Kind != controller.LeaseShift
	})
	switch {
	case err != nil:
		return seen, fmt.Errorf("all traffic went to %s, but the weights cannot be read any more; look with `shiftctl status`: %w", m.To, err)
	case seen != m.After:
		return seen, &MovedError{fmt.Sprintf("all traffic went to %s, but the running shift moved it on to %s. Stop the pipeline's execution, then roll back again", m.To, seen)}
	}
	return seen, nil
}

// until reads the weights until they are as wished or the time is up, and returns the last ones.
func (d *Delivery) until(ctx context.Context, m Move, limit time.Duration, wished func(rollout.Weights) bool) (rollout.Weights, error) {
	seen, err := m.Before, error(nil)
	for deadline := time.Now().Add(limit); ; {
		o := d.world(m.environment).Observe(ctx, rollout.Look{}, controller.Order{})
		if o.Weights != nil {
			seen, err = *o.Weights, nil
			if wished(seen) {
				return seen, nil
			}
		} else {
			err = fmt.Errorf("%s", first(o.Trouble))
		}
		if time.Now().After(deadline) {
			return seen, err
		}
		select {
		case <-ctx.Done():
			return seen, ctx.Err()
		case <-time.After(pause):
		}
	}
}
