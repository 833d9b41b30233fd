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

// flaky leases refuse every second write.
type flaky struct {
	controller.Leases
	writes int
}

func (f *flaky) Write(ctx context.Context, lease controller.Lease) error {
	if f.writes++; f.writes%2 == 0 {
		return errService
	}
	return f.Leases.Write(ctx, lease)
}

func TestTrafficMovesForwardOnlyByAStateThatIsSavedSoThatARunCanBeContinued(t *testing.T) {
	plan, problems := rollout.Policy{Preset: rollout.Canary}.Plan()
	require.Empty(t, problems)
	w := newWorld(rand.New(rand.NewPCG(1, 0)), plan)
	w.quiet = true
	w.deploy(rollout.Green, digest, behaviour{start: 10 * time.Second})
	moves := 0
	w.moved = func(_ string, from, to rollout.Weights) {
		if moves++; to.Green <= from.Green {
			return
		}
		saved, err := rollout.ParseToken(w.lease.Token)
		require.NoError(t, err)
		assert.Equal(t, to.Green, saved.Writing, "a run that is cut off now is continued by one that knows what this one wrote")
	}
	order := controller.Order{Candidate: rollout.Green, Digest: digest}
	w.jobs["shift-1"] = &job{asked: w.now, order: order}
	w.invoke(func(c *controller.Controller, run controller.Run) error {
		c.Leases = &flaky{Leases: c.Leases}
		return c.Shift(context.Background(), run, "shift-1", order, "")
	}, false)
	w.run(start.Add(10 * time.Hour))
	assert.GreaterOrEqual(t, moves, len(plan.Steps))
	assert.Equal(t, rollout.Weights{Green: 100}, w.weights)
}
