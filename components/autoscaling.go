package components

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/appautoscaling"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// scaling declares a side's bounds and what moves its count between them. The idle side's minimum is 0: registering a target
// snaps the count into its bounds, and nothing must start there before a release.
func (c *EcsEnvironment) scaling(
	ctx *pulumi.Context, name string, colour rollout.Colour, args *EcsEnvironmentArgs, side *EcsSideArgs, service *ecs.Service,
) (*appautoscaling.Target, error) {
	options := []pulumi.ResourceOption{pulumi.Parent(service)}
	if args.Green != nil {
		// Owned by shiftfn at run time: which side has the minimum, and whether a side may shrink during a shift.
		options = append(options, pulumi.IgnoreChanges([]string{"minCapacity", "suspendedState"}))
	}
	target, err := appautoscaling.NewTarget(ctx, name, &appautoscaling.TargetArgs{
		ServiceNamespace:  pulumi.String("ecs"),
		ScalableDimension: pulumi.String("ecs:service:DesiredCount"),
		ResourceId:        pulumi.Sprintf("service/%s/%s", c.ClusterName, service.Name),
		MinCapacity:       pulumi.Int(initialCount(colour, args)),
		MaxCapacity:       pulumi.Int(args.Scaling.Maximum),
	}, options...)
	if err != nil {
		return nil, err
	}
	policies := []struct {
		role, metric string
		value        int
		label        pulumi.StringPtrInput
	}{
		{role: "cpu", metric: "ECSServiceAverageCPUUtilization", value: args.Scaling.CPUPercent},
		{role: "requests", metric: "ALBRequestCountPerTarget", value: args.Scaling.RequestsPerTarget},
	}
	for _, p := range policies {
		if p.value == 0 {
			continue
		}
		if p.role == "requests" {
			p.label = side.RequestLabel.ToStringOutput().ToStringPtrOutput()
		}
		_, err := appautoscaling.NewPolicy(ctx, name+"-"+p.role, &appautoscaling.PolicyArgs{
			PolicyType:        pulumi.String("TargetTrackingScaling"),
			ServiceNamespace:  target.ServiceNamespace,
			ScalableDimension: target.ScalableDimension,
			ResourceId:        target.ResourceId,
			TargetTrackingScalingPolicyConfiguration: &appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationArgs{
				TargetValue: pulumi.Float64(p.value),
				PredefinedMetricSpecification: &appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecificationArgs{
					PredefinedMetricType: pulumi.String(p.metric), ResourceLabel: p.label,
				},
				// Out at once, in with care: a shop that is too small loses orders, one that is too large loses cents.
				ScaleOutCooldown: pulumi.Int(60), ScaleInCooldown: pulumi.Int(300),
			},
		}, pulumi.Parent(target))
		if err != nil {
			return nil, err
		}
	}
	return target, nil
}
