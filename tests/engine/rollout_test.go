package engine

import (
	"context"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	scalingtypes "github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	ecsapi "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/pulumi/pulumi/sdk/v3/go/auto"
	"github.com/pulumi/pulumi/sdk/v3/go/auto/optup"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/contract"
	"github.com/penguinshop/delivery/shiftfn/adapter"
	"github.com/penguinshop/delivery/stacks"
)

// registrar is the part of ECS that the pipeline calls and the function does not.
type registrar interface {
	RegisterTaskDefinition(context.Context, *ecsapi.RegisterTaskDefinitionInput, ...func(*ecsapi.Options)) (*ecsapi.RegisterTaskDefinitionOutput, error)
}

// delivery writes to an environment as a rollout does, by AWS's own operations, and reads what became of it.
type delivery struct {
	elb     adapter.ELB
	scaling adapter.Scaling
	ecs     interface {
		adapter.ECS
		registrar
	}
	outputs auto.OutputMap
}

func (d delivery) output(key string) *string { return aws.String(d.outputs[key].Value.(string)) }

func (d delivery) scalable() string {
	return fmt.Sprintf("service/%s/%s", *d.output(contract.KeyClusterName), *d.output(contract.KeyBlueServiceName))
}

// situation is everything of an environment that something else than Pulumi owns while a release is under way.
type situation struct {
	Weights        map[string]int32
	Preview        string
	TaskDefinition string
	Desired        int32
	Minimum        int32
	Suspended      scalingtypes.SuspendedState
}

// advance puts the environment into the middle of a rollout: 70/30, another image, another count, scaling held.
func (d delivery) advance(t *testing.T, image string) situation {
	t.Helper()
	blue, green := d.output(contract.KeyBlueTargetGroupArn), d.output(contract.KeyGreenTargetGroupArn)
	_, err := d.elb.ModifyListener(t.Context(), &elasticloadbalancingv2.ModifyListenerInput{
		ListenerArn: d.output(contract.KeyListenerArn), DefaultActions: []elbtypes.Action{{
			Type: elbtypes.ActionTypeEnumForward, ForwardConfig: &elbtypes.ForwardActionConfig{TargetGroups: []elbtypes.TargetGroupTuple{
				{TargetGroupArn: blue, Weight: aws.Int32(70)}, {TargetGroupArn: green, Weight: aws.Int32(30)},
			}},
		}},
	})
	require.NoError(t, err)
	_, err = d.elb.ModifyRule(t.Context(), &elasticloadbalancingv2.ModifyRuleInput{
		RuleArn: d.output(contract.KeyPreviewRuleArn),
		Actions: []elbtypes.Action{{Type: elbtypes.ActionTypeEnumForward, TargetGroupArn: blue}},
	})
	require.NoError(t, err)

	cluster, service := d.output(contract.KeyClusterName), d.output(contract.KeyBlueServiceName)
	described, err := d.ecs.DescribeTaskDefinition(t.Context(), &ecsapi.DescribeTaskDefinitionInput{TaskDefinition: d.output(contract.KeyBlueTaskDefinitionArn)})
	require.NoError(t, err)
	from := described.TaskDefinition
	from.ContainerDefinitions[0].Image = &image
	clone, err := d.ecs.RegisterTaskDefinition(t.Context(), &ecsapi.RegisterTaskDefinitionInput{
		Family: from.Family, Cpu: from.Cpu, Memory: from.Memory, NetworkMode: from.NetworkMode, ContainerDefinitions: from.ContainerDefinitions,
		ExecutionRoleArn: from.ExecutionRoleArn, TaskRoleArn: from.TaskRoleArn, RequiresCompatibilities: from.RequiresCompatibilities,
		RuntimePlatform: from.RuntimePlatform, Volumes: from.Volumes,
	})
	require.NoError(t, err)
	_, err = d.ecs.UpdateService(t.Context(), &ecsapi.UpdateServiceInput{
		Cluster: cluster, Service: service, TaskDefinition: clone.TaskDefinition.TaskDefinitionArn, DesiredCount: aws.Int32(2),
	})
	require.NoError(t, err)
	_, err = d.scaling.RegisterScalableTarget(t.Context(), &applicationautoscaling.RegisterScalableTargetInput{
		ServiceNamespace: scalingtypes.ServiceNamespaceEcs, ScalableDimension: scalingtypes.ScalableDimensionECSServiceDesiredCount,
		ResourceId: aws.String(d.scalable()), MinCapacity: aws.Int32(0), SuspendedState: &scalingtypes.SuspendedState{
			DynamicScalingInSuspended: aws.Bool(true), DynamicScalingOutSuspended: aws.Bool(false), ScheduledScalingSuspended: aws.Bool(false),
		},
	})
	require.NoError(t, err)
	return d.look(t)
}

// look reads the situation. A resource that was replaced is not found by the names that it had.
func (d delivery) look(t *testing.T) (now situation) {
	t.Helper()
	listeners, err := d.elb.DescribeListeners(t.Context(), &elasticloadbalancingv2.DescribeListenersInput{ListenerArns: []string{*d.output(contract.KeyListenerArn)}})
	require.NoError(t, err)
	require.Len(t, listeners.Listeners, 1)
	now.Weights = map[string]int32{}
	for _, group := range listeners.Listeners[0].DefaultActions[0].ForwardConfig.TargetGroups {
		now.Weights[*group.TargetGroupArn] = *group.Weight
	}
	rules, err := d.elb.DescribeRules(t.Context(), &elasticloadbalancingv2.DescribeRulesInput{RuleArns: []string{*d.output(contract.KeyPreviewRuleArn)}})
	require.NoError(t, err)
	require.Len(t, rules.Rules, 1)
	now.Preview = aws.ToString(rules.Rules[0].Actions[0].TargetGroupArn)
	services, err := d.ecs.DescribeServices(t.Context(), &ecsapi.DescribeServicesInput{
		Cluster: d.output(contract.KeyClusterName), Services: []string{*d.output(contract.KeyBlueServiceName)}})
	require.NoError(t, err)
	require.Len(t, services.Services, 1)
	now.TaskDefinition, now.Desired = *services.Services[0].TaskDefinition, services.Services[0].DesiredCount
	targets, err := d.scaling.DescribeScalableTargets(t.Context(), &applicationautoscaling.DescribeScalableTargetsInput{
		ServiceNamespace: scalingtypes.ServiceNamespaceEcs, ResourceIds: []string{d.scalable()}})
	require.NoError(t, err)
	require.Len(t, targets.ScalableTargets, 1)
	now.Minimum, now.Suspended = *targets.ScalableTargets[0].MinCapacity, *targets.ScalableTargets[0].SuspendedState
	return now
}

// TestNoUpUndoesWhatADeliveryHasWritten is TestNoUpMovesTrafficAnImageOrACount by AWS's own operations: on the sandbox's
// services behind the stand-in providers, or on the emulator that the environment names.
func TestNoUpUndoesWhatADeliveryHasWritten(t *testing.T) {
	var h *house
	var d delivery
	if emulator, err := NamedEmulator(); err != nil || emulator == nil {
		require.NoError(t, err)
		s := newSandbox(t)
		h = buildOn(t, s.services, stacks.Declare)
		d = delivery{elb: s.ELB, ecs: s.ECS, scaling: s.Scaling}
	} else {
		h = buildAnywhere(t, stacks.Declare)
		config := aws.Config{Region: "eu-central-1", BaseEndpoint: &emulator.URL, Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
		d = delivery{elb: elasticloadbalancingv2.NewFromConfig(config), ecs: ecsapi.NewFromConfig(config), scaling: applicationautoscaling.NewFromConfig(config)}
	}
	stack := h.stack(t, "dev")
	up, err := stack.Up(t.Context())
	require.NoError(t, err)
	d.outputs = up.Outputs
	for i, change := range []auto.ConfigMap{
		nil,
		{"aws:defaultTags.tags.team": {Value: "penguins"}},
		{"penguinshop:loadBalancer.healthCheck.intervalSeconds": {Value: "15"}},
		{"penguinshop:service.cpu": {Value: "512"}, "penguinshop:service.memoryMiB": {Value: "1024"}},
		{"penguinshop:service.maximum": {Value: "5"}, "penguinshop:service.environment.LOG_LEVEL": {Value: "debug"}},
	} {
		before := d.advance(t, imageOfCommit(fmt.Sprintf("a%d", i)))
		require.NoError(t, stack.SetAllConfigWithOptions(t.Context(), change, &auto.ConfigOptions{Path: true}))
		for _, mode := range [][]optup.Option{nil, {optup.Refresh()}} {
			_, err := stack.Up(t.Context(), mode...)
			require.NoError(t, err)
			assert.Equal(t, before, d.look(t), "after %v", change)
		}
	}
}
