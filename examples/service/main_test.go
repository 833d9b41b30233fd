package main

import (
	"context"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/contract"
	"github.com/penguinshop/delivery/sandbox/graph"
)

// zip stands in for the function's, which takes a compiler.
func zip(context.Context) (pulumi.Archive, error) {
	return pulumi.NewAssetArchive(map[string]any{"bootstrap": pulumi.NewStringAsset("shiftfn")}), nil
}

func declare(t *testing.T) *graph.Graph {
	t.Helper()
	project, err := graph.Load(".")
	require.NoError(t, err)
	g, err := project.Run(t.Context(), "prod", checkout(zip))
	require.NoError(t, err)
	return g
}

func TestTheServiceStandsInTheNetworkThatIsThere(t *testing.T) {
	g := declare(t)
	assert.Empty(t, g.OfType("aws:ec2/vpc:Vpc"))
	balancers := g.OfType("aws:lb/loadBalancer:LoadBalancer")
	require.Len(t, balancers, 1)
	assert.Equal(t, true, balancers[0].Inputs["internal"])
	require.Len(t, g.OfType("aws:ecs/service:Service"), 2)
	for _, service := range g.OfType("aws:ecs/service:Service") {
		assert.Equal(t, false, service.Inputs["networkConfiguration"].(map[string]any)["assignPublicIp"])
		assert.Subset(t, service.IgnoreChanges, []string{"taskDefinition", "desiredCount"}, "the pipeline and the function own them")
	}
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
