package engine

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/contract"
	"github.com/penguinshop/delivery/stacks"
)

// TestAChangeOfSizeAndEnvironmentIsLiveAfterTheNextDelivery proves the task definition's contract: Pulumi owns its shape, the
// pipeline its image, and every delivery joins the two.
func TestAChangeOfSizeAndEnvironmentIsLiveAfterTheNextDelivery(t *testing.T) {
	s := newSandbox(t)
	h := buildOn(t, s.services, stacks.Declare)
	dev, shared := h.stack(t, "dev"), h.stack(t, "shared")
	set := func(stack *auto.Stack, values auto.ConfigMap) {
		require.NoError(t, stack.SetAllConfigWithOptions(t.Context(), values, &auto.ConfigOptions{Path: true}))
	}
	require.NoError(t, dev.RemoveConfig(t.Context(), "penguinshop:sleep")) // no test may depend on whether it is night
	require.NoError(t, dev.RemoveConfig(t.Context(), "penguinshop:rollout"))
	set(dev, auto.ConfigMap{
		"penguinshop:rollout.steps[0].weight": {Value: "100"}, "penguinshop:rollout.probes.count": {Value: "1"},
		"penguinshop:rollout.probes.watchCount": {Value: "1"},
	})
	up, err := dev.Up(t.Context())
	require.NoError(t, err)
	url := up.Outputs[contract.KeyURL].Value.(string)
	require.NoError(t, shared.RemoveConfig(t.Context(), "penguinshop:environments"))
	set(shared, auto.ConfigMap{"penguinshop:environments[0].name": {Value: "dev"}})
	up, err = shared.Up(t.Context())
	require.NoError(t, err)
	pipeline := up.Outputs["pipelineName"].Value.(string)

	s.deliver(t, pipeline, "a1")
	first := s.answer(t, url)
	assert.Equal(t, imageOfCommit("a1"), first.Image)
	assert.Equal(t, []int{256, 512}, []int{first.CPUUnits, first.MemoryMiB})
	assert.NotContains(t, first.Env, "LOG_LEVEL")

	set(dev, auto.ConfigMap{
		"penguinshop:service.cpu": {Value: "512"}, "penguinshop:service.memoryMiB": {Value: "1024"},
		"penguinshop:service.environment.LOG_LEVEL": {Value: "debug"},
	})
	_, err = dev.Up(t.Context())
	require.NoError(t, err)
	assert.Equal(t, first, s.answer(t, url), "an update alone starts no other task")

	for _, commit := range []string{"b2", "c3"} { // one for each colour
		s.deliver(t, pipeline, commit)
		next := s.answer(t, url)
		assert.Equal(t, imageOfCommit(commit), next.Image)
		assert.Equal(t, []int{512, 1024}, []int{next.CPUUnits, next.MemoryMiB})
		assert.Equal(t, "debug", next.Env["LOG_LEVEL"])
		assert.NotEqual(t, first.Env["COLOUR"] == next.Env["COLOUR"], commit == "b2", "the colours take turns")
	}
}
