package operator

import (
	"context"
	"strings"
	"time"

	"github.com/penguinshop/delivery/shiftfn/controller"
	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// Outcome is how a delivery ended in an environment: the shift's own outcome where there was one.
type Outcome string

// The outcomes. Those of a shift are rollout's.
const (
	Promoted   = Outcome(rollout.Promoted)
	RolledBack = Outcome(rollout.RolledBack)
	Frozen     = Outcome(rollout.Frozen)
	Halted     = Outcome(rollout.Halted)
	// Deployed: a rolling environment runs the release.
	Deployed Outcome = "deployed"
	// Failed: it ended before any traffic was moved.
	Failed Outcome = "failed"
	// Rejected: a person did not approve it, or nobody did in time.
	Rejected Outcome = "rejected"
	// Stopped: a person stopped the pipeline, or a newer commit superseded it.
	Stopped Outcome = "stopped"
	// UnderWay: it has not ended.
	UnderWay Outcome = "under way"
)

// NeedsPerson tells whether an outcome leaves the environment in the hands of a person.
func (o Outcome) NeedsPerson() bool { return o == Frozen || o == Halted }

// Good tells whether the release is live.
func (o Outcome) Good() bool { return o == Promoted || o == Deployed }

// Ending is how the last shift of an environment ended.
type Ending struct {
	Outcome Outcome   `json:"outcome"`
	At      time.Time `json:"at"`
	// Message is the function's, or the pipeline's.
	Message string `json:"message,omitempty"`
	Commit  string `json:"commit,omitempty"`
	Digest  string `json:"digest,omitempty"`
}

// failure tells the outcome of a failed shift by the beginning of its message, which is rollout.Decision's Headline.
func failure(message string) Outcome {
	for outcome, headline := range map[Outcome]string{RolledBack: "rolled back: ", Frozen: "FROZEN at ", Halted: "HALTED at "} {
		if strings.HasPrefix(message, headline) {
			return outcome
		}
	}
	return Failed
}

// ending finds how the last shift ended: what the pipeline was told, or, where the function acted after that by itself, what it wrote
// into its log.
func (d *Delivery) ending(ctx context.Context, e Environment, s *Status, pipeline pipelineState) *Ending {
	told := pipeline.ending(e)
	var since time.Time
	switch s.lease.Kind {
	case controller.LeaseEnded:
		since = s.lease.Due // the moment of the end
	case controller.LeaseStandby:
		since = s.lease.Since
	default:
		return told
	}
	if e.LogGroup == "" || told != nil && told.At.After(since.Add(-recently)) {
		return told
	}
	r, err := d.lastRecord(ctx, e, recordEnded, since.Add(-recently), since.Add(time.Hour))
	if err != nil {
		s.miss("log "+e.LogGroup, err)
	}
	if r == nil || told != nil && told.At.After(r.Time) {
		return told
	}
	return &Ending{Outcome: Outcome(r.Outcome), At: r.Time, Message: r.Message, Commit: r.Event.Order.Commit, Digest: r.Event.Order.Digest}
}
