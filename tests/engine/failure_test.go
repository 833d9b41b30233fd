package engine

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/penguinshop/delivery/stacks"
	"github.com/penguinshop/delivery/tests/engine/standin"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAnUpThatFailsInTheMiddleConverges lets every resource fail once, at its first creation: each further up gets one level
// deeper into the tree, until the last one finds nothing to fail.
func TestAnUpThatFailsInTheMiddleConverges(t *testing.T) {
	h := build(t, stacks.Declare)
	stack := h.stack(t, "dev")
	var failed sync.Map
	h.world.Fail(func(c standin.Call) error {
		if _, before := failed.LoadOrStore(c.URN, true); !before && c.Operation == "create" {
			return errors.New("ServiceUnavailable: try again")
		}
		return nil
	})
	ups := 0
	for ; ; ups++ {
		require.Less(t, ups, 30, "up does not converge")
		_, err := stack.Up(t.Context())
		if err == nil {
			break
		}
		require.ErrorContains(t, err, "ServiceUnavailable")
	}
	require.Greater(t, ups, 1, "nothing failed in the middle")

	declared := map[resource.URN]bool{}
	for _, live := range h.world.OfStack("dev") {
		assert.False(t, declared[live.URN], "%s was left behind by a failed up", live.URN)
		declared[live.URN] = true
		_, had := failed.Load(live.URN)
		assert.True(t, had, "%s never failed", live.URN)
	}
	again, err := stack.Up(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"same"}, operations(again.Summary))
}

func TestTheSecondOfTwoUpsIsRefusedByTheLock(t *testing.T) {
	h := build(t, stacks.Declare)
	first := h.stack(t, "dev")
	begun, proceed := make(chan struct{}), make(chan struct{})
	h.world.Fail(func(standin.Call) error {
		select {
		case <-begun:
		default:
			close(begun)
		}
		<-proceed
		return nil
	})
	finished := make(chan error, 1)
	go func() { _, err := first.Up(t.Context()); finished <- err }()
	select {
	case <-begun:
	case err := <-finished:
		t.Fatalf("the first up ended before it made anything: %v", err)
	case <-time.After(time.Minute):
		t.Fatal("the first up made nothing within a minute")
	}
	_, err := h.stack(t, "dev").Up(t.Context())
	require.Error(t, err)
	assert.True(t, auto.IsConcurrentUpdateError(err), err.Error())
	assert.Contains(t, err.Error(), "locked")

	close(proceed)
	require.NoError(t, <-finished, "the first up is not disturbed")
}
