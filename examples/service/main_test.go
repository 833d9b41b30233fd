package main

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/contract"
	"github.com/penguinshop/delivery/sandbox/graph"
)

func declare(t *testing.T) *graph.Graph {
	t.Helper()
	project, err := graph.Load(".")
	require.NoError(t, err)
	g, err := project.Run(t.Context(), "prod", checkout)
	require.NoError(t, err)
	return g
}

func TestTheServiceStandsInTheNetworkThatIsThere(t *testing.T) {
	g := declare(t)
	assert.Empty(t, g.OfType("aws:ec2/vpc:Vpc"))
	assert.Equal(t, "https://checkout.example.com", g.Exports[contract.KeyURL])
	require.Len(t, g.OfType("aws:ecs/service:Service"), 2)
	for _, service := range g.OfType("aws:ecs/service:Service") {
		assert.Len(t, service.Inputs["networkConfiguration"].(map[string]any)["subnets"], 3)
		assert.Subset(t, service.IgnoreChanges, []string{"taskDefinition", "desiredCount"}, "the pipeline and the function own them")
	}
}

func TestTheFunctionIsBuiltFromTheModulesOwnSources(t *testing.T) {
	functions := declare(t).OfType("aws:lambda/function:Function")
	require.Len(t, functions, 1)
	assert.Equal(t, "checkout-prod-shift", functions[0].Inputs["name"])
	assert.NotEmpty(t, functions[0].Inputs["code"])
}

// TestAPipelineCanDeliverToIt reads the stack as the shared stack of a delivery reads its environments.
func TestAPipelineCanDeliverToIt(t *testing.T) {
	exports := declare(t).Exports
	shared := graph.New("delivery", map[string]map[string]string{"shared": {"aws:region": "eu-central-1"}})
	_, err := shared.Run(t.Context(), "shared", func(ctx *pulumi.Context) error {
		environment, err := contract.Read(ctx, "organization/checkout/prod")
		if err == nil {
			assert.Equal(t, contract.BlueGreen, environment.Strategy)
		}
		return err
	}, graph.WithOutputs("organization/checkout/prod", exports))
	require.NoError(t, err)
	assert.Equal(t, name, exports[contract.KeyContainerName])
}
