// Package controller runs the rules against the world: it looks, lets rollout decide, acts, looks again and reports, tick by
// tick, for as long as one invocation of the function has time. It knows the world by a few ports and no AWS.
package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/penguinshop/delivery/shiftfn/record"
	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// World is the load balancer, the services and what is measured of them.
type World interface {
	// Observe looks at everything that the look asks for. What cannot be read is left nil and named in Trouble. The order says
	// which image the candidate should have. Lease and Now are the controller's to fill in.
	Observe(ctx context.Context, look rollout.Look, order Order) rollout.Observation
	// Apply makes one change. It may be repeated.
	Apply(ctx context.Context, change rollout.Change) error
	// Diagnose gathers what helps a person to understand why a candidate failed. What cannot be read is named in it.
	Diagnose(ctx context.Context, candidate rollout.Colour) Diagnosis
}

// Leases keeps the environment's lease and wakes the function when it is due.
type Leases interface {
	// Read returns the kept lease, or ErrNoLease.
	Read(ctx context.Context) (Lease, error)
	// Write replaces it, and sets the schedule to its Due.
	Write(ctx context.Context, lease Lease) error
}

// Pipeline takes the answers to a job. Each method returns ErrJobGone when nobody waits for one any more.
type Pipeline interface {
	// Continue asks to be invoked again with the token.
	Continue(ctx context.Context, job, token, summary string) error
	Succeed(ctx context.Context, job, summary string, outputs map[string]string) error
	Fail(ctx context.Context, job, message string) error
}

// ErrJobGone tells that a job has its answer already, was stopped, or timed out.
var ErrJobGone = errors.New("the pipeline does not wait for this job any more")

// Herald tells the outside what happened.
type Herald interface {
	Publish(ctx context.Context, event Event) error
}

// Clock is the time that passes between ticks.
type Clock interface {
	Now() time.Time
	// Sleep waits, or returns the context's error when that ends first.
	Sleep(ctx context.Context, d time.Duration) error
}

// Controller moves the traffic of one environment.
type Controller struct {
	Environment string
	Plan        rollout.Plan
	// Declared are the task definitions that hold the shape of the next release, and Services the ECS services' names.
	Declared, Services map[rollout.Colour]string

	// Nights are when the environment sleeps, nil where it never does.
	Nights *rollout.Nights

	World World
	// Leases keeps the rollouts' lease, Rests that of the calls that put the environment to sleep or wake it.
	Leases, Rests Leases
	Pipeline      Pipeline
	Herald        Herald
	Clock         Clock
	Log           *slog.Logger
}

// Run names one invocation of the function.
type Run struct {
	// ID is unique to the invocation.
	ID string
	// End is when it must be over.
	End time.Time
}

// The spare times of a run.
const (
	// margin is kept at the end of a run to hand over and to answer.
	margin = 10 * time.Second
	// soon is how long to wait for a change to show before looking again.
	soon = time.Second
	// heartbeat is how long a run's lease lasts; it is renewed when less than renewal is left. A run that was cut off is
	// continued after this time, and one that only stalled sees that its lease is lost and stops.
	heartbeat, renewal = 3 * time.Minute, 2 * time.Minute
	// patience is how long the pipeline may take to come back with a token before the shift is continued without it.
	patience = 5 * time.Minute
	// postponed is when to try again what a run could not finish.
	postponed = 5 * time.Minute
)

// Shift begins or continues the shift that a job asks for. The token is empty at the beginning.
func (c *Controller) Shift(ctx context.Context, run Run, job string, order Order, token string) error {
	state := rollout.Begin(order.Candidate, c.Plan, c.Clock.Now())
	if token != "" {
		var err error
		if state, err = rollout.ParseToken(token); err != nil {
			return c.Refuse(ctx, run, job, "the continuation token cannot be read: "+err.Error())
		}
	}
	// A state that no run has claimed yet (Run 0) begins, even if an earlier invocation handed it on.
	h := &hold{controller: c, run: run, lease: Lease{Kind: LeaseShift, Job: job, Order: order}, continues: state.Run > 0}
	return c.tick(ctx, h, state)
}

// Wake answers a lease's schedule.
func (c *Controller) Wake(ctx context.Context, run Run, lease Lease) error {
	if lease.rests() {
		return c.restAgain(ctx, run, lease)
	}
	kept, err := c.Leases.Read(ctx)
	switch {
	case errors.Is(err, ErrNoLease):
		return nil
	case err != nil:
		return fmt.Errorf("cannot tell whether the wake-up still counts: %w", err)
	case !lease.same(kept) || kept.Kind == LeaseEnded:
		c.Log.Info("the wake-up was overtaken; nothing to do", "kind", lease.Kind, "due", lease.Due)
		return nil
	case !kept.overdue(c.Clock.Now()):
		c.Log.Info("the wake-up came early; set again", "due", kept.Due)
		return c.Leases.Write(ctx, kept)
	case kept.Kind == LeaseStandby:
		return c.retire(ctx, run, kept)
	}
	state, err := rollout.ParseToken(kept.Token)
	if err != nil {
		return fmt.Errorf("the lease cannot be continued: %w", err)
	}
	c.Log.Warn("a run was cut off; continuing its shift", "run", kept.Run, "owner", kept.Owner)
	kept.Owner = ""
	return c.tick(ctx, &hold{controller: c, run: run, lease: kept, continues: true}, state.Resume(c.Clock.Now()))
}

// Guard answers an alarm. While the old version is warm it gets its traffic back; at any other time the alarm is only told.
func (c *Controller) Guard(ctx context.Context, run Run, alarm string) error {
	kept, err := c.Leases.Read(ctx)
	if err != nil && !errors.Is(err, ErrNoLease) {
		return fmt.Errorf("cannot tell whether a standby is warm: %w", err)
	}
	seen := c.World.Observe(ctx, rollout.Look{Candidate: kept.Live, Alarms: []string{alarm}}, kept.Order)
	ignored := ""
	switch {
	case len(seen.Alarms) == 0 || seen.Weights == nil:
		return fmt.Errorf("the alarm %s or the weights could not be read", alarm)
	case seen.Alarms[0].State != rollout.AlarmRinging:
		ignored = fmt.Sprintf("%s is %s by now", alarm, seen.Alarms[0].State)
	case kept.Kind == LeaseShift:
		ignored = "a shift is under way, which looks at its own alarms"
	case kept.Kind != LeaseStandby || kept.overdue(c.Clock.Now()):
		ignored = "no old version is kept warm, so there is nothing to go back to"
	case seen.Weights.Of(kept.Live) != 100:
		ignored = "the traffic has been moved since the promotion"
	case seen.Of(kept.Live.Other()).Service != nil && seen.Of(kept.Live.Other()).Service.Desired == 0:
		ignored = "the old version was put to sleep and is not warm any more"
	}
	if ignored != "" {
		c.Log.Warn("alarm", "alarm", alarm, "ignored", ignored)
		return c.publish(ctx, Event{Kind: EventAlarm, Order: kept.Order, Weights: seen.Weights, Reason: alarm + ": " + ignored})
	}
	order := kept.Order
	order.Candidate = kept.Live
	state := rollout.Return(kept.Live, c.Plan, c.Clock.Now(), alarm+" rang while the old version was warm")
	h := &hold{controller: c, run: run, lease: Lease{Kind: LeaseShift, Order: order, Run: kept.Run, Answered: kept.Answered}}
	return c.tick(ctx, h, state)
}

// tick runs a shift until it ends or the run's time is up.
func (c *Controller) tick(ctx context.Context, h *hold, state rollout.State) error {
	for {
		own := h.own(ctx, &state)
		if h.refusal != "" {
			return c.Refuse(ctx, h.run, h.lease.Job, h.refusal)
		}
		seen := rollout.Observation{Lease: own, Now: c.Clock.Now()}
		if own != rollout.LeaseLost {
			seen = c.World.Observe(ctx, state.Look(c.Plan), h.lease.Order)
			seen.Lease, seen.Now = own, c.Clock.Now()
		}
		d := rollout.Decide(c.Plan, state, &seen)
		c.report(d, seen.Trouble)
		turned := state.Turned == 0 && d.State.Turned > 0
		failed := turned && d.State.Phase == rollout.Aborting
		moving := d.State.Writing != state.Writing
		state = d.State
		if d.Outcome != "" {
			return c.finish(ctx, h, d)
		}
		if h.unsaved = h.unsaved || turned || moving; h.unsaved {
			h.save(ctx, state)
		}
		if failed && d.Want.Weights == nil {
			h.diagnose(ctx, state.Candidate)
		}
		acted := c.apply(ctx, h.known(d.Want.Changes(&seen), state))
		if failed && d.Want.Weights != nil {
			h.diagnose(ctx, state.Candidate)
		}
		wait := rollout.Tick
		if acted {
			wait = soon
		}
		if c.Clock.Now().Add(wait + margin).After(h.run.End) {
			return c.handOver(ctx, h, state, d)
		}
		if err := c.Clock.Sleep(ctx, wait); err != nil {
			return fmt.Errorf("the run was stopped: %w", err)
		}
	}
}

// apply makes the changes in their order. One that fails stops the rest: the next tick sees the world and tries again.
func (c *Controller) apply(ctx context.Context, changes []rollout.Change) (acted bool) {
	for _, change := range changes {
		if err := c.World.Apply(ctx, change); err != nil {
			c.Log.Warn("a change failed; trying again", "change", change.String(), "error", err)
			return false
		}
		c.Log.Info("changed", "change", change.String())
		acted = true
	}
	return acted
}

// report writes a tick down.
func (c *Controller) report(d rollout.Decision, trouble []string) {
	level := slog.LevelInfo
	if len(trouble) > 0 || d.Note != "" {
		level = slog.LevelWarn
	}
	if !c.Log.Enabled(context.Background(), level) {
		return
	}
	attributes := []any{record.Environment, c.Environment, "phase", d.State.Phase, "candidate", d.State.Candidate,
		record.Blue, d.Weights.Blue, record.Green, d.Weights.Green, "verdict", rollout.Overall(d.Findings).String(), "reason", d.Reason}
	if d.Note != "" {
		attributes = append(attributes, "note", d.Note)
	}
	if len(trouble) > 0 {
		attributes = append(attributes, "trouble", trouble)
	}
	c.Log.Log(context.Background(), level, record.Tick, attributes...)
}

// handOver ends a run whose time is up: whoever comes first continues the shift, the pipeline with the token or the schedule
// with the lease.
func (c *Controller) handOver(ctx context.Context, h *hold, state rollout.State, d rollout.Decision) error {
	token, err := state.Token()
	if err != nil {
		return err
	}
	if h.taken {
		h.lease.Owner, h.lease.Token = "", token
		h.lease.Due = c.Clock.Now().Add(patience)
		if h.lease.Job == "" {
			h.lease.Due = c.Clock.Now().Add(time.Minute)
		}
		if err := c.Leases.Write(ctx, h.lease); err != nil {
			c.Log.Warn("the lease could not be handed over; its schedule continues the shift", "error", err)
		}
	}
	if h.lease.Job == "" {
		return nil
	}
	gone := false
	err = c.again(ctx, h.run, func() error {
		err := c.Pipeline.Continue(ctx, h.lease.Job, token, d.Headline()+". "+d.Reason)
		gone = errors.Is(err, ErrJobGone)
		return answered(err)
	})
	if !gone || !h.taken {
		return err
	}
	c.Log.Warn("the pipeline does not wait any more; turning the shift round")
	state = state.Abandon(c.Clock.Now(), "the pipeline stopped waiting for the shift")
	if h.lease.Token, err = state.Token(); err != nil {
		return err
	}
	h.lease.Job, h.lease.Due = "", c.Clock.Now().Add(time.Minute)
	return c.Leases.Write(ctx, h.lease)
}

// Refuse fails a job before anything was changed.
func (c *Controller) Refuse(ctx context.Context, run Run, job, message string) error {
	c.Log.Error("refused", "reason", message)
	if job == "" {
		return nil
	}
	return c.again(ctx, run, func() error { return answered(c.Pipeline.Fail(ctx, job, shorten(message, failureLimit))) })
}

// answered forgives an answer that nobody waits for.
func answered(err error) error {
	if errors.Is(err, ErrJobGone) {
		return nil
	}
	return err
}

// again repeats what must be done at the end of a run until it works or the run's time is up.
func (c *Controller) again(ctx context.Context, run Run, do func() error) error {
	for {
		err := do()
		if err == nil || errors.Is(err, errLost) || c.Clock.Now().Add(soon+margin/2).After(run.End) {
			return err
		}
		c.Log.Warn("trying again", "error", err)
		if c.Clock.Sleep(ctx, soon) != nil {
			return err
		}
	}
}
