package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// clockTime is how a moment is written for a person.
const clockTime = "2006-01-02 15:04:05 MST"

// finish ends a shift: the pipeline gets its answer first, then the others are told, and last the lease becomes that of the
// standby, so that a run which is cut off in between is continued and ends the same way.
func (c *Controller) finish(ctx context.Context, h *hold, d rollout.Decision) error {
	if d.Outcome == rollout.Superseded {
		c.Log.Info("superseded", "reason", d.Reason)
		return nil
	}
	if d.Outcome != rollout.Promoted {
		h.diagnose(ctx, d.State.Candidate)
	}
	ended := c.Clock.Now()
	message := d.Headline() + ". " + d.Reason
	switch {
	case d.Outcome == rollout.Promoted:
		message = c.successMessage(d)
	case h.lease.Diagnosis != nil:
		message = shorten(h.lease.Diagnosis.appendTo(message), failureLimit)
	}
	c.record(h, d, message)
	err := c.again(ctx, h.run, func() error {
		switch err := h.mine(ctx, d.State); {
		case err != nil:
			return err
		case h.lease.Job == "":
			return nil
		case d.Outcome == rollout.Promoted:
			return answered(c.Pipeline.Succeed(ctx, h.lease.Job, shorten(message, summaryLimit), nil))
		default:
			return answered(c.Pipeline.Fail(ctx, h.lease.Job, message))
		}
	})
	if errors.Is(err, errLost) {
		c.Log.Info("superseded", "reason", err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("the shift ended (%s), but the pipeline could not be told; the schedule tries again: %w", d.Headline(), err)
	}
	if err := c.publish(ctx, endEvent(h, d)); err != nil {
		c.Log.Warn("the event could not be published", "error", err)
	}
	if !h.taken {
		return nil
	}
	err = c.again(ctx, h.run, func() error {
		if err := h.mine(ctx, d.State); err != nil {
			return err
		}
		return c.Leases.Write(ctx, c.after(ctx, h, d, ended))
	})
	if errors.Is(err, errLost) {
		return nil // the run that took over ends the same way
	}
	return err
}

// after is the lease that follows a shift.
func (c *Controller) after(ctx context.Context, h *hold, d rollout.Decision, ended time.Time) Lease {
	next := Lease{Kind: LeaseEnded, Due: ended, Order: h.lease.Order, Job: h.lease.Job, Answered: h.lease.Answered, Run: h.lease.Run}
	if d.Outcome != rollout.Promoted || c.Plan.Standby == 0 {
		return next
	}
	live := d.State.Candidate
	seen := c.World.Observe(ctx, rollout.Look{Candidate: live}, h.lease.Order)
	if old := seen.Of(live.Other()).Service; old != nil && old.Desired > 0 {
		next.Kind, next.Due = LeaseStandby, time.Unix(d.State.Since, 0).Add(c.Plan.Standby).UTC()
		next.Live, next.Since, next.TaskDefinition = live, time.Unix(d.State.Since, 0).UTC(), old.TaskDefinition
	}
	return next
}

// successMessage says where traffic is, since when, and what becomes of the old version.
func (c *Controller) successMessage(d rollout.Decision) string {
	since := time.Unix(d.State.Since, 0).UTC()
	message := fmt.Sprintf("%s since %s; %s", d.Headline(), since.Format(clockTime), d.Reason)
	if c.Plan.Standby > 0 {
		message += fmt.Sprintf("; %s stays warm until %s", d.State.Stable(), since.Add(c.Plan.Standby).Format(clockTime))
	}
	return message
}

// retire clears the old version away when its standby is over. Its schedule calls just once, so it is set again first: a run
// that is cut off is repeated then.
func (c *Controller) retire(ctx context.Context, run Run, kept Lease) error {
	kept.Due = run.End.Add(postponed)
	if err := c.again(ctx, run, func() error { return c.Leases.Write(ctx, kept) }); err != nil {
		return fmt.Errorf("the standby's end could not be postponed: %w", err)
	}
	for {
		seen := c.World.Observe(ctx, rollout.Look{Candidate: kept.Live}, kept.Order)
		if seen.Weights != nil && seen.Of(kept.Live.Other()).Service != nil {
			r := rollout.Retire(c.Plan, &seen, kept.Live, kept.TaskDefinition)
			switch {
			case r.Overtaken != "":
				c.Log.Info("the standby is over, but the world has moved on; nothing to do", "reason", r.Overtaken)
				return c.end(ctx, run, kept, "")
			case r.Waiting == "":
				return c.end(ctx, run, kept, fmt.Sprintf("%s is retired; %s has all traffic", kept.Live.Other(), kept.Live))
			}
			c.apply(ctx, r.Want.Changes(&seen))
		} else {
			c.Log.Warn("the standby cannot be retired yet", "trouble", seen.Trouble)
		}
		if c.Clock.Now().Add(soon + margin).After(run.End) {
			return nil
		}
		if err := c.Clock.Sleep(ctx, soon); err != nil {
			return err
		}
	}
}

// end closes a standby's lease and tells of it where there is something to tell.
func (c *Controller) end(ctx context.Context, run Run, kept Lease, told string) error {
	kept.Kind = LeaseEnded
	if err := c.again(ctx, run, func() error { return c.Leases.Write(ctx, kept) }); err != nil || told == "" {
		return err
	}
	c.Log.Info("retired", "reason", told)
	return c.publish(ctx, Event{Kind: EventRetired, Order: kept.Order, Reason: told})
}

// preparing bounds the making ready of the idle side; the tasks of the last standby have their time to stop within it.
const preparing = 15 * time.Minute

// Prepare makes the idle side ready for the image that the pipeline deploys next, and tells the pipeline which side that is.
// The token is what Prepare itself wrote, empty at the beginning. An environment that sleeps is woken first.
func (c *Controller) Prepare(ctx context.Context, run Run, job, token string) error {
	p := &preparation{Began: c.Clock.Now()}
	if token != "" {
		var err error
		if p, err = parsePreparation(token); err != nil {
			return c.Refuse(ctx, run, job, "the continuation token cannot be read: "+err.Error())
		}
	}
	claimed := false
	for {
		waiting := "the lease could not be read"
		kept, err := c.Leases.Read(ctx)
		switch {
		case err != nil && !errors.Is(err, ErrNoLease):
			c.Log.Warn("the lease could not be read", "error", err)
		case kept.Kind == LeaseShift && !kept.overdue(c.Clock.Now().Add(-patience)):
			return c.Refuse(ctx, run, job, fmt.Sprintf("a shift is under way: %s with %s. Release again when it is over", kept.Order.Candidate, kept.Order.Digest))
		case !claimed && kept.knows(job), claimed && kept.Owner != run.ID:
			c.Log.Info("superseded", "reason", "another run has begun this job")
			return nil
		default:
			var done bool
			if done, waiting, err = c.ready(ctx, run, job, p, &claimed); done {
				return err
			}
		}
		now := c.Clock.Now()
		if now.Sub(p.Began) >= preparing {
			return c.Refuse(ctx, run, job, fmt.Sprintf("the idle side was not ready within %d minutes: %s. No traffic was moved", int(preparing.Minutes()), waiting))
		}
		if now.Add(rollout.Tick + margin).After(run.End) {
			if !claimed && token == "" {
				return c.Refuse(ctx, run, job, "nothing was begun: "+waiting)
			}
			token, err := json.Marshal(p)
			if err != nil {
				return err
			}
			return answered(c.Pipeline.Continue(ctx, job, string(token), "preparing: "+waiting))
		}
		if err := c.Clock.Sleep(ctx, rollout.Tick); err != nil {
			return fmt.Errorf("the run was stopped: %w", err)
		}
	}
}

// preparation is what one run of Prepare leaves for the next.
type preparation struct {
	Began time.Time `json:"began"`
	// Woken is true when the live side was found asleep.
	Woken bool `json:"woken,omitempty"`
}

func parsePreparation(token string) (*preparation, error) {
	p := &preparation{}
	decoder := json.NewDecoder(strings.NewReader(token))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(p); err != nil {
		return nil, err
	}
	if p.Began.IsZero() {
		return nil, errors.New("it does not say when the preparation began")
	}
	return p, nil
}

// ready is one tick of Prepare. It is done when the job has its answer, or another run has begun the job.
func (c *Controller) ready(
	ctx context.Context, run Run, job string, so *preparation, claimed *bool,
) (done bool, waiting string, err error) {
	seen := c.World.Observe(ctx, rollout.Look{}, Order{})
	if seen.Weights == nil {
		c.Log.Warn("the listener could not be read", "trouble", seen.Trouble)
		return false, "the listener could not be read", nil
	}
	p := rollout.Prepare(c.Plan, &seen, c.Declared)
	if p.Refusal != "" {
		return true, "", c.Refuse(ctx, run, job, p.Refusal)
	}
	if !*claimed {
		*claimed, waiting = c.claim(ctx, run, job)
		return false, waiting, nil
	}
	so.Woken = so.Woken || p.Asleep
	// The release may be the cure of a version that never wakes, so its health is not waited for as long as it takes.
	if so.Woken && p.Waiting == "" && c.Clock.Now().Sub(so.Began) < min(c.Plan.Start, preparing/2) {
		p.Waiting = p.Waking
	}
	if p.Waiting != "" {
		c.apply(ctx, p.Want.Changes(&seen))
		c.Log.Info("preparing", "environment", c.Environment, "idle", p.Idle, "waiting", p.Waiting)
		return false, p.Waiting, nil
	}
	outputs := map[string]string{
		"ServiceName":     c.Services[p.Idle],
		"CandidateColour": string(p.Idle),
		"LiveColour":      string(p.Live),
	}
	summary := fmt.Sprintf("%s is live; %s is ready for the new version", p.Live, p.Idle)
	if so.Woken {
		summary += "; the environment slept and was woken"
	}
	return true, "", c.again(ctx, run, func() error { return answered(c.Pipeline.Succeed(ctx, job, summary, outputs)) })
}

// claim notes in the lease that the job is this run's. The run acts when it finds its name there a tick later: Lambda may
// deliver an event twice at once, the schedule that keeps the lease writes whatever comes last, and a run that was held up
// would otherwise take the new image from the idle side after the pipeline has put it there. From here on the old version is
// no standby any more: an alarm must not send traffic back to it.
func (c *Controller) claim(ctx context.Context, run Run, job string) (claimed bool, waiting string) {
	kept, err := c.Leases.Read(ctx)
	if err != nil && !errors.Is(err, ErrNoLease) {
		c.Log.Warn("the lease could not be read", "error", err)
		return false, "the lease could not be read"
	}
	if kept.knows(job) {
		return false, "another run has begun this job"
	}
	lease := Lease{Kind: LeaseEnded, Due: c.Clock.Now(), Order: kept.Order, Answered: kept.answered(job), Owner: run.ID, Run: kept.Run}
	if err := c.Leases.Write(ctx, lease); err != nil {
		c.Log.Warn("the lease could not be written", "error", err)
		return false, "the lease could not be written"
	}
	return true, "the job is claimed"
}
