package controller_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/shiftfn/controller"
	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// stalled is a run's view of the world, in which other things happen between its first look and what it makes of it.
type stalled struct {
	*invocation
	meanwhile func()
}

func (s *stalled) Observe(ctx context.Context, look rollout.Look, order controller.Order) rollout.Observation {
	seen := s.invocation.Observe(ctx, look, order)
	if happens := s.meanwhile; happens != nil {
		s.meanwhile = nil
		happens()
	}
	return seen
}

func TestASecondDeliveryOfAPreparationThatStallsTakesNothingBackFromTheDeployment(t *testing.T) {
	plan, problems := rollout.Policy{}.Plan()
	require.Empty(t, problems)
	w := newWorld(nil, plan)
	w.quiet = true
	w.side(rollout.Green).taskDefinition = "arn:task-definition/shop-green:of-last-week"
	w.jobs["prepare-1"] = &job{asked: w.now, prepare: true}
	runs := func() *invocation {
		return &invocation{world: w, crashAt: -1, yield: func(d time.Duration) bool {
			w.now = w.now.Add(d)
			return true
		}}
	}
	end := w.now.Add(lambda)
	late := &stalled{invocation: runs()}
	late.meanwhile = func() {
		require.NoError(t, runs().controller().Prepare(t.Context(), controller.Run{ID: "run-1", End: end}, "prepare-1", ""))
		require.True(t, w.jobs["prepare-1"].answered)
		w.deploy(rollout.Green, "sha256:new", behaviour{})
	}
	second := late.controller()
	second.World = late
	require.NoError(t, second.Prepare(t.Context(), controller.Run{ID: "run-2", End: end}, "prepare-1", ""))
	assert.Equal(t, "arn:task-definition/sha256:new", w.side(rollout.Green).taskDefinition)
}
