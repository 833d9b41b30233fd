package appautoscaling_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	ecstypes "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/tests/moto"
)

// api is what the SDK's client and the sandbox's service both do.
type api interface {
	RegisterScalableTarget(context.Context, *applicationautoscaling.RegisterScalableTargetInput, ...func(*applicationautoscaling.Options)) (*applicationautoscaling.RegisterScalableTargetOutput, error)
	DescribeScalableTargets(context.Context, *applicationautoscaling.DescribeScalableTargetsInput, ...func(*applicationautoscaling.Options)) (*applicationautoscaling.DescribeScalableTargetsOutput, error)
	DeregisterScalableTarget(context.Context, *applicationautoscaling.DeregisterScalableTargetInput, ...func(*applicationautoscaling.Options)) (*applicationautoscaling.DeregisterScalableTargetOutput, error)
	PutScalingPolicy(context.Context, *applicationautoscaling.PutScalingPolicyInput, ...func(*applicationautoscaling.Options)) (*applicationautoscaling.PutScalingPolicyOutput, error)
	DescribeScalingPolicies(context.Context, *applicationautoscaling.DescribeScalingPoliciesInput, ...func(*applicationautoscaling.Options)) (*applicationautoscaling.DescribeScalingPoliciesOutput, error)
	DeleteScalingPolicy(context.Context, *applicationautoscaling.DeleteScalingPolicyInput, ...func(*applicationautoscaling.Options)) (*applicationautoscaling.DeleteScalingPolicyOutput, error)
}

// TestTheAPIDoesAsMotoDoes holds the sandbox and moto to the same expectations. Moto changes no count.
func TestTheAPIDoesAsMotoDoes(t *testing.T) {
	t.Run("sandbox", func(t *testing.T) { within(t, 2, func(t *testing.T, w *world) { targetsLive(t, w) }) })
	t.Run("moto", func(t *testing.T) {
		config := moto.Config(t)
		shop(t, ecs.NewFromConfig(config))
		targetsLive(t, applicationautoscaling.NewFromConfig(config))
	})
}

// shop makes the ECS service that is to be scaled.
func shop(t *testing.T, client *ecs.Client) {
	t.Helper()
	_, err := client.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: new("shop")})
	require.NoError(t, err)
	definition, err := client.RegisterTaskDefinition(t.Context(), &ecs.RegisterTaskDefinitionInput{
		Family: new("shop"), ContainerDefinitions: []ecstypes.ContainerDefinition{{Name: new("app"), Image: new("shop"), Memory: new(int32(512))}},
	})
	require.NoError(t, err)
	_, err = client.CreateService(t.Context(), &ecs.CreateServiceInput{
		Cluster: new("shop"), ServiceName: new("blue"), TaskDefinition: definition.TaskDefinition.TaskDefinitionArn, DesiredCount: new(int32(2)),
	})
	require.NoError(t, err)
}

func targetsLive(t *testing.T, a api) {
	ctx, namespace, dimension := t.Context(), types.ServiceNamespaceEcs, types.ScalableDimensionECSServiceDesiredCount
	register := func(change func(*applicationautoscaling.RegisterScalableTargetInput)) error {
		in := &applicationautoscaling.RegisterScalableTargetInput{ServiceNamespace: namespace, ScalableDimension: dimension, ResourceId: new(resource)}
		change(in)
		_, err := a.RegisterScalableTarget(ctx, in)
		return err
	}
	look := func() types.ScalableTarget {
		out, err := a.DescribeScalableTargets(ctx, &applicationautoscaling.DescribeScalableTargetsInput{ServiceNamespace: namespace, ResourceIds: []string{resource}})
		require.NoError(t, err)
		require.Len(t, out.ScalableTargets, 1)
		return out.ScalableTargets[0]
	}
	require.NoError(t, register(func(in *applicationautoscaling.RegisterScalableTargetInput) {
		in.MinCapacity, in.MaxCapacity = new(int32(1)), new(int32(4))
	}))
	assert.Equal(t, int32(1), *look().MinCapacity)
	require.NoError(t, register(func(in *applicationautoscaling.RegisterScalableTargetInput) {
		in.SuspendedState = &types.SuspendedState{
			DynamicScalingInSuspended: new(true), DynamicScalingOutSuspended: new(false), ScheduledScalingSuspended: new(true)}
	}))
	target := look()
	assert.Equal(t, int32(1), *target.MinCapacity, "what is not given stays")
	assert.Equal(t, int32(4), *target.MaxCapacity)
	assert.True(t, aws.ToBool(target.SuspendedState.DynamicScalingInSuspended))
	assert.False(t, aws.ToBool(target.SuspendedState.DynamicScalingOutSuspended))
	require.NoError(t, register(func(in *applicationautoscaling.RegisterScalableTargetInput) { in.MinCapacity = new(int32(0)) }))
	assert.Equal(t, int32(0), *look().MinCapacity)
	assert.ErrorContains(t, register(func(in *applicationautoscaling.RegisterScalableTargetInput) { in.ServiceNamespace = "nowhere" }), "ValidationException")

	_, err := a.PutScalingPolicy(ctx, &applicationautoscaling.PutScalingPolicyInput{
		PolicyName: new("requests"), PolicyType: types.PolicyTypeTargetTrackingScaling, ServiceNamespace: namespace, ScalableDimension: dimension,
		ResourceId: new(resource), TargetTrackingScalingPolicyConfiguration: &types.TargetTrackingScalingPolicyConfiguration{
			TargetValue: new(100.0), PredefinedMetricSpecification: &types.PredefinedMetricSpecification{
				PredefinedMetricType: types.MetricTypeALBRequestCountPerTarget, ResourceLabel: new("app/shop/1/targetgroup/blue/2")}},
	})
	require.NoError(t, err)
	policies, err := a.DescribeScalingPolicies(ctx, &applicationautoscaling.DescribeScalingPoliciesInput{ServiceNamespace: namespace, ResourceId: new(resource)})
	require.NoError(t, err)
	require.Len(t, policies.ScalingPolicies, 1)
	assert.Equal(t, 100.0, *policies.ScalingPolicies[0].TargetTrackingScalingPolicyConfiguration.TargetValue)
	_, err = a.DeleteScalingPolicy(ctx, &applicationautoscaling.DeleteScalingPolicyInput{
		PolicyName: new("requests"), ServiceNamespace: namespace, ScalableDimension: dimension, ResourceId: new(resource)})
	require.NoError(t, err)
	in := &applicationautoscaling.DeregisterScalableTargetInput{ServiceNamespace: namespace, ScalableDimension: dimension, ResourceId: new(resource)}
	_, err = a.DeregisterScalableTarget(ctx, in)
	require.NoError(t, err)
	_, err = a.DeregisterScalableTarget(ctx, in)
	assert.Error(t, err)
}
