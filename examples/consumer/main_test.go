package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/contract"
	"github.com/penguinshop/delivery/sandbox/graph"
)

// declare runs the program as `pulumi up --stack dev` would, beside an environment with the given outputs.
func declare(t *testing.T, outputs map[string]any) (*graph.Graph, error) {
	t.Helper()
	project, err := graph.Load(".")
	require.NoError(t, err)
	return project.Run(t.Context(), "dev", support, graph.WithOutputs("organization/penguinshop/dev", outputs))
}

func TestTheHelpPageHangsOnTheEnvironmentsOwnListener(t *testing.T) {
	for _, strategy := range []string{contract.BlueGreen, contract.Rolling} {
		outputs := contract.FakeOutputs("dev", strategy)
		g, err := declare(t, outputs)
		require.NoError(t, err)
		rules := g.OfType("aws:lb/listenerRule:ListenerRule")
		require.Len(t, rules, 1)
		assert.Equal(t, outputs[contract.KeyListenerArn], rules[0].Inputs["listenerArn"])
		filters := g.OfType("aws:cloudwatch/logMetricFilter:LogMetricFilter")
		require.Len(t, filters, 1)
		assert.Equal(t, outputs[contract.KeyLogGroupName], filters[0].Inputs["logGroupName"])
		assert.Equal(t, outputs[contract.KeyURL].(string)+"/help", g.Exports["helpUrl"])
	}
}

func TestAnEnvironmentThatLacksAPromisedOutputIsNamedWithIt(t *testing.T) {
	outputs := contract.FakeOutputs("dev", contract.BlueGreen)
	delete(outputs, contract.KeyListenerArn)
	_, err := declare(t, outputs)
	require.ErrorContains(t, err, "stack organization/penguinshop/dev has no output listenerArn")
}
