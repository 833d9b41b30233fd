package tests

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/contract"
	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/stacks"
)

// promised are the contract's outputs. A line that goes or changes breaks the programs of other teams: add, never take away.
var promised = map[string][]string{
	contract.BlueGreen: {
		"accountId", "blueServiceName", "blueTargetGroupArn", "blueTaskDefinitionArn", "clusterArn", "clusterName", "containerName",
		"environment", "executionRoleArn", "greenServiceName", "greenTargetGroupArn", "greenTaskDefinitionArn", "listenerArn",
		"loadBalancerArn", "logGroupName", "previewHeaderName", "previewParameterName", "previewRuleArn", "region",
		"shiftFunctionArn", "shiftFunctionName", "shiftPlan", "strategy", "taskRoleArn", "url",
	},
	contract.Rolling: {
		"accountId", "blueServiceName", "blueTargetGroupArn", "blueTaskDefinitionArn", "clusterArn", "clusterName", "containerName",
		"environment", "executionRoleArn", "listenerArn", "loadBalancerArn", "logGroupName", "region", "strategy", "taskRoleArn", "url",
	},
}

func TestAnEnvironmentExportsWhatTheContractPromises(t *testing.T) {
	for _, name := range environments {
		exports := stack(t, name).Exports
		keeps(t, contract.BlueGreen, exports)
		assert.Equal(t, name, exports[contract.KeyEnvironment])
		for key, value := range exports {
			text, ok := value.(string)
			assert.True(t, ok && text != "", "%s is %v", key, value)
		}
	}
	keeps(t, contract.Rolling, rolling(t).Exports)
}

// keeps holds a stack's outputs to what is promised of its strategy.
func keeps(t *testing.T, strategy string, exports map[string]any) {
	t.Helper()
	assert.Empty(t, broken(strategy, exports))
	assert.Empty(t, without(slices.Sorted(maps.Keys(exports)), promised[strategy]), "new outputs: promise them")
}

// broken are the promises that a stack's outputs do not keep, in words.
func broken(strategy string, exports map[string]any) (promises []string) {
	for _, key := range promised[strategy] {
		if _, kept := exports[key]; !kept {
			promises = append(promises, fmt.Sprintf("other teams read the output %s of a %s environment by that name, and it is gone: "+
				"bring it back, beside its successor if it has one", key, strategy))
		}
	}
	return promises
}

func TestARemovedOrRenamedOutputIsNamedWithThePromiseThatItBreaks(t *testing.T) {
	for strategy, keys := range promised {
		for _, key := range keys {
			exports := contract.FakeOutputs("dev", strategy)
			exports[key+"V2"] = exports[key]
			delete(exports, key)
			require.Len(t, broken(strategy, exports), 1)
			assert.Contains(t, broken(strategy, exports)[0], "the output "+key+" of a "+strategy+" environment")
		}
	}
}

func TestTheFakeHasTheOutputsOfARealEnvironment(t *testing.T) {
	for strategy, keys := range promised {
		assert.Equal(t, keys, slices.Sorted(maps.Keys(contract.FakeOutputs("dev", strategy))))
	}
	assert.Equal(t, "penguinshop-qa-shift", contract.FakeOutputs("qa", contract.BlueGreen)[contract.KeyShiftFunctionName])
}

// reads is a program of another team: it refers to an environment and exports what it read.
func reads(name string) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		e, err := contract.Read(ctx, name)
		if err != nil {
			return err
		}
		return contract.Export(ctx, e)
	}
}

func otherTeam(t *testing.T, outputs map[string]any, options ...graph.Option) (*graph.Graph, error) {
	t.Helper()
	options = append(options, graph.WithOutputs("acme/penguinshop/dev", outputs))
	return graph.New("billing", map[string]map[string]string{"main": {"aws:region": "eu-central-1"}}).
		Run(t.Context(), "main", reads("acme/penguinshop/dev"), options...)
}

func TestWhatIsWrittenIsWhatIsRead(t *testing.T) {
	for strategy := range promised {
		outputs := contract.FakeOutputs("dev", strategy)
		g, err := otherTeam(t, outputs)
		require.NoError(t, err)
		assert.Equal(t, outputs, g.Exports)
	}
}

func TestAMissingOutputFailsByItsNameInAPreviewToo(t *testing.T) {
	for _, key := range promised[contract.BlueGreen] {
		for name, options := range map[string][]graph.Option{"up": nil, "preview": {graph.WithUnknowns()}} {
			t.Run(name+" without "+key, func(t *testing.T) {
				outputs := contract.FakeOutputs("dev", contract.BlueGreen)
				delete(outputs, key)
				_, err := otherTeam(t, outputs, options...)
				require.ErrorContains(t, err, "stack acme/penguinshop/dev has no output "+key)
				assert.ErrorContains(t, err, "run `pulumi up --stack dev` first")
			})
		}
	}
}

func TestAllMissingOutputsAreNamedAtOnce(t *testing.T) {
	outputs := contract.FakeOutputs("dev", contract.BlueGreen)
	delete(outputs, contract.KeyURL)
	delete(outputs, contract.KeyShiftFunctionArn)
	_, err := otherTeam(t, outputs)
	var notReady *contract.NotReadyError
	require.ErrorAs(t, err, &notReady)
	assert.Equal(t, []string{contract.KeyURL, contract.KeyShiftFunctionArn}, notReady.Missing)
}

func TestAnOutputOfAnotherTypeOrAnUnknownStrategyIsRefused(t *testing.T) {
	outputs := contract.FakeOutputs("dev", contract.BlueGreen)
	outputs[contract.KeyURL] = []any{"http://a", "http://b"}
	_, err := otherTeam(t, outputs)
	require.ErrorContains(t, err, "output url is a []interface {}, it must be a string")

	outputs = contract.FakeOutputs("dev", contract.BlueGreen)
	outputs[contract.KeyStrategy] = "canary"
	_, err = otherTeam(t, outputs)
	require.ErrorContains(t, err, `output strategy is "canary"; it must be blueGreen or rolling`)
}

func sharedOf(environments string, options ...graph.Option) func(t *testing.T) error {
	return func(t *testing.T) error {
		p := graph.New("penguinshop", map[string]map[string]string{"shared": {
			"aws:region": "eu-central-1", "role": "shared", "environments": environments,
		}})
		_, err := p.Run(t.Context(), "shared", stacks.Declare, options...)
		return err
	}
}

func TestASharedStackWhoseEnvironmentsAreNotBroughtUpNamesEachOfThem(t *testing.T) {
	err := sharedOf(`[{"name":"dev"},{"name":"qa"},{"name":"prod"}]`,
		graph.WithOutputs("organization/penguinshop/dev", map[string]any{}),
		graph.WithOutputs("organization/penguinshop/qa", contract.FakeOutputs("qa", contract.BlueGreen)),
		graph.WithOutputs("organization/penguinshop/prod", map[string]any{}),
	)(t)
	require.ErrorContains(t, err, "run `pulumi up --stack dev` first")
	assert.ErrorContains(t, err, "run `pulumi up --stack prod` first")
	assert.NotContains(t, err.Error(), "--stack qa")
}

func TestAStackThatDoesNotExistIsNamedWithWhatToDo(t *testing.T) {
	var own error
	program := func(ctx *pulumi.Context) error {
		_, own = contract.Read(ctx, "acme/penguinshop/dev")
		return own
	}
	_, err := graph.New("billing", map[string]map[string]string{"main": {"aws:region": "eu-central-1"}}).Run(t.Context(), "main", program)
	require.Error(t, err)
	var notReady *contract.NotReadyError
	require.ErrorAs(t, own, &notReady)
	assert.Equal(t, "acme/penguinshop/dev", notReady.Stack)
	assert.Error(t, notReady.Cause)
	assert.ErrorContains(t, own, "run `pulumi up --stack dev` first")
}

func TestTheListedStrategyMustBeTheEnvironmentsOwn(t *testing.T) {
	err := sharedOf(`[{"name":"dev","strategy":"rolling"}]`,
		graph.WithOutputs("organization/penguinshop/dev", contract.FakeOutputs("dev", contract.BlueGreen)))(t)
	require.ErrorContains(t, err,
		"penguinshop:environments[0].strategy: is rolling, but the stack organization/penguinshop/dev was brought up with blueGreen")
}

func TestAnEnvironmentWithAHoleIsNotExported(t *testing.T) {
	program := func(ctx *pulumi.Context) error {
		e := contract.Fake("dev", contract.BlueGreen)
		e.URL, e.PreviewRuleArn = nil, nil
		return contract.Export(ctx, e)
	}
	_, err := graph.New("shop", map[string]map[string]string{"dev": {"aws:region": "eu-central-1"}}).Run(t.Context(), "dev", program)
	require.ErrorContains(t, err, "no value for url, previewRuleArn")
}
