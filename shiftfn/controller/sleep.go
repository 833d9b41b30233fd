package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// Sleep puts the environment to zero tasks, colours and weights untouched. It does nothing while a shift runs. The standby
// goes as well, and does not come back: at the wake-up the live version alone does.
//
// That an environment sleeps is kept nowhere: its live side has no tasks, and that is what it is. So a call is harmless when it
// comes late, twice or for nothing, and whoever needs the environment (a release, a person) just wakes it.
//
// Scheduled is the moment that the schedule calls for, zero for a person's call, which always counts.
func (c *Controller) Sleep(ctx context.Context, run Run, scheduled time.Time) error {
	return c.rest(ctx, run, LeaseSleep, scheduled)
}

// Rouse gives the live side its declared minimum back. It never takes tasks away, and leaves a side without traffic alone.
// Scheduled is as for Sleep.
func (c *Controller) Rouse(ctx context.Context, run Run, scheduled time.Time) error {
	return c.rest(ctx, run, LeaseWake, scheduled)
}

// giveUp is how long a call is tried again. A sleep that could not be had within that time waits for the next evening.
const giveUp = time.Hour

func (c *Controller) rest(ctx context.Context, run Run, kind LeaseKind, scheduled time.Time) error {
	if c.overtaken(kind, scheduled) {
		c.Log.Info("the schedule's call was overtaken; nothing to do", "wanted", kind, "scheduled", scheduled)
		return nil
	}
	return c.untilRested(ctx, &resting{controller: c, run: run, kind: kind, asked: c.Clock.Now()})
}

// overtaken tells whether a schedule's call came so late, or a second time so late, that the opposite is due by now.
func (c *Controller) overtaken(kind LeaseKind, scheduled time.Time) bool {
	if scheduled.IsZero() {
		return false
	}
	if c.Nights == nil {
		return kind == LeaseSleep // this environment does not sleep any more
	}
	now := c.Clock.Now()
	if now.Before(scheduled) {
		now = scheduled
	}
	night, _ := c.Nights.At(now)
	return night != (kind == LeaseSleep)
}

// restAgain answers the schedule of a call that was cut off.
func (c *Controller) restAgain(ctx context.Context, run Run, lease Lease) error {
	kept, err := c.Rests.Read(ctx)
	switch now := c.Clock.Now(); {
	case errors.Is(err, ErrNoLease):
		return nil
	case err != nil:
		return fmt.Errorf("cannot tell whether the call still counts: %w", err)
	case !lease.same(kept):
		c.Log.Info("the call was overtaken; nothing to do", "wanted", lease.Kind)
		return nil
	case now.Sub(kept.Since) >= giveUp:
		c.Log.Error("given up", "environment", c.Environment, "wanted", kept.Kind, "since", kept.Since)
		return c.again(ctx, run, func() error { return c.Rests.Write(ctx, Lease{Kind: LeaseEnded, Due: now}) })
	case !kept.overdue(now):
		return c.Rests.Write(ctx, kept)
	}
	c.Log.Warn("a run was cut off; trying again", "wanted", kept.Kind, "owner", kept.Owner)
	return c.untilRested(ctx, &resting{controller: c, run: run, kind: kept.Kind, asked: kept.Since})
}

// untilRested looks and acts until the environment is asleep, or awake, or there is a reason to leave it.
func (c *Controller) untilRested(ctx context.Context, r *resting) error {
	for {
		done, waiting := r.tick(ctx)
		if done {
			return nil
		}
		c.Log.Info("resting", "environment", c.Environment, "wanted", r.kind, "waiting", waiting)
		if c.Clock.Now().Add(soon + margin).After(r.run.End) {
			if r.taken {
				return nil // the schedule calls again
			}
			return fmt.Errorf("nothing was begun: %s", waiting)
		}
		if err := c.Clock.Sleep(ctx, soon); err != nil {
			return fmt.Errorf("the run was stopped: %w", err)
		}
	}
}

// resting is one run that puts the environment to sleep or wakes it. It has a lease of its own, beside that of the rollouts,
// which it only reads: so the newest of several calls is the one that acts, and one that is cut off is called again, and yet
// none can take a rollout's lease away.
type resting struct {
	controller *Controller
	run        Run
	kind       LeaseKind
	// asked is when the call was made first.
	asked time.Time
	// taken is true once this run has its lease.
	taken bool
	// begun are the rollouts' jobs that were begun before this run; nil before its first look.
	begun []string
}

// tick is one look, and what it asks for. It is done when there is nothing more for this run to do.
func (r *resting) tick(ctx context.Context) (done bool, waiting string) {
	c := r.controller
	rollouts, err := c.Leases.Read(ctx)
	if err != nil && !errors.Is(err, ErrNoLease) {
		return false, "the rollouts' lease could not be read: " + err.Error()
	}
	kept, err := c.Rests.Read(ctx)
	if err != nil && !errors.Is(err, ErrNoLease) {
		return false, "the lease could not be read: " + err.Error()
	}
	mine := kept.Kind == r.kind && kept.Owner == r.run.ID
	if r.begun == nil {
		r.begun = append([]string{}, rollouts.Answered...)
	}
	switch {
	case r.taken && !mine:
		return r.leave("a later call has taken over")
	case rollouts.Kind == LeaseShift:
		return r.close(ctx, fmt.Sprintf("a shift is under way: %s with %s", rollouts.Order.Candidate, rollouts.Order.Digest))
	case r.kind == LeaseSleep && !slices.Equal(rollouts.Answered, r.begun):
		return r.close(ctx, "a release has begun")
	}
	seen := c.World.Observe(ctx, rollout.Look{}, Order{})
	rest := rollout.Sleep(&seen)
	if r.kind == LeaseWake {
		rest = rollout.Wake(c.Plan, &seen)
	}
	switch {
	case rest.Refusal != "":
		return r.close(ctx, rest.Refusal)
	case rest.Waiting == "":
		return r.close(ctx, "")
	case mine && kept.Due.Sub(c.Clock.Now()) >= renewal:
		r.taken = true
		c.apply(ctx, rest.Want.Changes(&seen))
		return false, rest.Waiting
	}
	lease := Lease{Kind: r.kind, Owner: r.run.ID, Since: r.asked, Due: c.Clock.Now().Add(heartbeat)}
	if err := c.Rests.Write(ctx, lease); err != nil {
		return false, "the lease could not be taken: " + err.Error()
	}
	r.taken = true
	return false, rest.Waiting
}

// close ends the run's lease, and that of one before it which was cut off; the reason says why the environment is left as it
// is, and is empty when all is as it was asked for.
func (r *resting) close(ctx context.Context, reason string) (done bool, waiting string) {
	c := r.controller
	kept, err := c.Rests.Read(ctx)
	if err == nil && kept.Kind != LeaseEnded {
		err = c.Rests.Write(ctx, Lease{Kind: LeaseEnded, Due: c.Clock.Now()})
	}
	if err != nil && !errors.Is(err, ErrNoLease) {
		return false, "the lease could not be ended: " + err.Error()
	}
	if reason != "" {
		return r.leave(reason)
	}
	if !r.taken {
		c.Log.Info("it was so already", "environment", c.Environment, "wanted", r.kind)
		return true, ""
	}
	told := Event{Kind: EventAsleep, Reason: "no task runs on either side; the weights are as they were"}
	if r.kind == LeaseWake {
		told = Event{Kind: EventAwake, Reason: "the live side has its tasks again"}
	}
	c.Log.Info("rested", "environment", c.Environment, "outcome", told.Kind, "reason", told.Reason)
	if err := c.publish(ctx, told); err != nil {
		c.Log.Warn("the event could not be published", "error", err)
	}
	return true, ""
}

// leave ends the run and says why.
func (r *resting) leave(reason string) (done bool, waiting string) {
	r.controller.Log.Warn("left as it is", "environment", r.controller.Environment, "wanted", r.kind, "reason", reason)
	return true, ""
}
