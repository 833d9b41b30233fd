package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// hold is a run's claim on the lease. Without it nothing is moved forward, so of two runs of one shift only one acts.
type hold struct {
	controller *Controller
	run        Run
	lease      Lease
	// continues is true for a run that goes on with a shift which another run began.
	continues bool
	taken     bool
	// unsaved is true while the lease does not hold yet what the state asks for.
	unsaved bool
	// refusal says why the job must be refused: another job's shift is under way.
	refusal string
}

// own tells whether this run may act, and takes the lease as soon as it can be had.
func (h *hold) own(ctx context.Context, state *rollout.State) rollout.Ownership {
	kept, err := h.controller.Leases.Read(ctx)
	if err != nil && !errors.Is(err, ErrNoLease) {
		h.controller.Log.Warn("the lease could not be read", "error", err)
		return rollout.LeaseUnknown
	}
	if h.taken {
		if kept.Kind != LeaseShift || kept.Owner != h.run.ID || kept.Run != h.lease.Run {
			return rollout.LeaseLost
		}
		if h.lease.Due.Sub(h.controller.Clock.Now()) < renewal {
			h.save(ctx, *state)
		}
		return rollout.LeaseMine
	}
	if !h.free(kept, state.Run) {
		return rollout.LeaseLost
	}
	if h.refusal != "" {
		return rollout.LeaseUnknown
	}
	next := *state
	next.Run = max(state.Run, kept.Run) + 1
	token, err := next.Token()
	if err != nil {
		h.controller.Log.Error("the state does not fit into a token", "error", err)
		return rollout.LeaseUnknown
	}
	lease := h.lease
	lease.Owner, lease.Run, lease.Token, lease.Due = h.run.ID, next.Run, token, h.due()
	if h.continues {
		lease.Answered, lease.Diagnosis = kept.Answered, kept.Diagnosis
	} else {
		lease.Answered = kept.Answered
		if h.lease.Job != "" {
			lease.Answered = kept.answered(h.lease.Job)
		}
	}
	if err := h.controller.Leases.Write(ctx, lease); err != nil {
		h.controller.Log.Warn("the lease could not be taken", "error", err)
		return rollout.LeaseUnknown
	}
	*state, h.lease, h.taken = next, lease, true
	return rollout.LeaseMine
}

func (h *hold) due() time.Time { return h.controller.Clock.Now().Add(heartbeat) }

// free tells whether this run may take the lease over. It refuses the job where another job's shift is under way.
func (h *hold) free(kept Lease, run int) bool {
	now := h.controller.Clock.Now()
	shifting := kept.Kind == LeaseShift
	if h.continues {
		// Only the shift's own lease counts, as the run before left it. Everything else is a late or a second delivery. The
		// job says nothing here: each continuation is a job of its own, and the token is what they share (API reference,
		// PutJobSuccessResult).
		return shifting && kept.Run == run && (kept.Owner == "" || kept.overdue(now))
	}
	if h.lease.Job != "" && kept.knows(h.lease.Job) {
		return false
	}
	if shifting && !kept.overdue(now.Add(-patience)) {
		if h.lease.Job == "" {
			return false
		}
		h.refusal = fmt.Sprintf("another shift is under way: %s with %s. It ends or is taken over by %s; release again then",
			kept.Order.Candidate, kept.Order.Digest, kept.Due.Add(patience).UTC().Format(clockTime))
	}
	return true
}

// errLost tells that another run has taken the lease over.
var errLost = errors.New("another run of the controller has taken this shift over")

// mine is nil while this run may speak for the shift, which takes long where the pipeline does not listen: the lease is
// renewed meanwhile, and a run that lost it says nothing more. A run that never had it has nothing to lose.
func (h *hold) mine(ctx context.Context, state rollout.State) error {
	if !h.taken {
		return nil
	}
	switch h.own(ctx, &state) {
	case rollout.LeaseMine:
		return nil
	case rollout.LeaseLost:
		return errLost
	}
	return errors.New("the lease could not be read")
}

// save writes the state into the lease before the world is changed, so that a run that is cut off is continued from there.
func (h *hold) save(ctx context.Context, state rollout.State) {
	if !h.taken {
		return
	}
	token, err := state.Token()
	if err == nil {
		h.lease.Token, h.lease.Due = token, h.due()
		err = h.controller.Leases.Write(ctx, h.lease)
	}
	if h.unsaved = err != nil; err != nil {
		h.controller.Log.Warn("the state could not be saved", "error", err)
	}
}

// known leaves out what a run that continues this one would take for somebody else's doing: traffic that moves forward by a
// state that is not saved. It moves a tick later. On the way back nothing waits: what is saved or not, all traffic on the
// stable side is where it belongs.
func (h *hold) known(changes []rollout.Change, state rollout.State) []rollout.Change {
	if !h.unsaved || state.Turned > 0 {
		return changes
	}
	return slices.DeleteFunc(changes, func(c rollout.Change) bool { return c.Kind == rollout.ChangeWeights })
}

// diagnose gathers, once, what a person will want to know of the failure.
func (h *hold) diagnose(ctx context.Context, candidate rollout.Colour) {
	if h.lease.Diagnosis != nil {
		return
	}
	d := h.controller.World.Diagnose(ctx, candidate)
	h.lease.Diagnosis = &d
	if h.taken {
		if err := h.controller.Leases.Write(ctx, h.lease); err != nil {
			h.controller.Log.Warn("the diagnosis could not be saved", "error", err)
		}
	}
}
