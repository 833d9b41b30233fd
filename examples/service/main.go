// The program of a team that has a service of its own and wants the same delivery for it: blue and green behind a load
// balancer in the network that the account has already, and the function that moves the traffic. It promises what every
// environment does, so that a pipeline can deliver to it by one line of config:
//
//	environments: [{name: checkout, stack: organization/checkout/prod}]
package main

import (
	"crypto/rand"
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"

	"github.com/penguinshop/delivery/components"
	"github.com/penguinshop/delivery/contract"
	"github.com/penguinshop/delivery/shiftfn/bundle"
	"github.com/penguinshop/delivery/shiftfn/rollout"
)

func main() { pulumi.Run(checkout) }

const (
	name          = "checkout"
	port          = 8080
	minimum       = 2
	maximum       = 6
	logDays       = 30
	previewHeader = "X-Checkout-Preview"
	alarmedErrors = 5
)

func checkout(ctx *pulumi.Context) error {
	account, err := aws.GetCallerIdentity(ctx, nil)
	if err != nil {
		return fmt.Errorf("the AWS account: %w", err)
	}
	region, err := aws.GetRegion(ctx, nil)
	if err != nil {
		return fmt.Errorf("the AWS region: %w", err)
	}
	vpc, err := ec2.LookupVpc(ctx, &ec2.LookupVpcArgs{Id: pulumi.StringRef(config.Require(ctx, "vpcId"))})
	if err != nil {
		return fmt.Errorf("the network: %w", err)
	}
	subnets, err := ec2.GetSubnets(ctx, &ec2.GetSubnetsArgs{
		Filters: []ec2.GetSubnetsFilter{{Name: "vpc-id", Values: []string{vpc.Id}}},
	})
	if err != nil {
		return fmt.Errorf("the network's subnets: %w", err)
	}
	alb, err := components.NewBlueGreenAlb(ctx, "web", &components.BlueGreenAlbArgs{
		VpcID: pulumi.String(vpc.Id), Subnets: pulumi.ToStringArray(subnets.Ids), Port: port,
		// The function probes a release from outside the network, as users come in.
		IngressCidrs: []string{"0.0.0.0/0"},
		Domain:       config.Require(ctx, "domain"), CertificateArn: pulumi.String(config.Require(ctx, "certificateArn")),
		PreviewHeader: previewHeader, PreviewSecret: pulumi.String(rand.Text()),
		HealthCheck: components.HealthCheck{
			Path: "/healthz", Status: "200", IntervalSeconds: 10, TimeoutSeconds: 5, HealthyCount: 2, UnhealthyCount: 2,
		},
		DeregistrationDelaySeconds: 30, IdleTimeoutSeconds: 60, Protect: true,
	})
	if err != nil {
		return err
	}
	side := func(group *components.TargetGroup) *components.EcsSideArgs {
		return &components.EcsSideArgs{
			TargetGroupArn: group.Arn, RequestLabel: pulumi.Sprintf("%s/%s", alb.LoadBalancerSuffix, group.Suffix),
		}
	}
	service, err := components.NewEcsEnvironment(ctx, "app", &components.EcsEnvironmentArgs{
		Family: name + "-" + ctx.Stack(), Region: region.Name, Repositories: []string{name},
		Subnets: pulumi.ToStringArray(subnets.Ids), SecurityGroups: pulumi.StringArray{alb.TaskSecurityGroupID},
		PublicIP: true, // public subnets without NAT reach the registry by it; the security group lets the load balancer in alone
		Blue:     side(alb.Blue), Green: side(alb.Green),
		Container: components.Container{
			Name: name, Image: config.Require(ctx, "image"), Port: port,
			Environment: map[string]string{"PORT": fmt.Sprint(port)}, StopSeconds: 30,
		},
		Size: components.FargateSize{CPUUnits: 512, MemoryMiB: 1024}, Architecture: "ARM64",
		Scaling:            components.Scaling{Minimum: minimum, Maximum: maximum, CPUPercent: 60},
		HealthGraceSeconds: 30, ContainerInsights: "disabled", LogRetentionDays: logDays, Protect: true,
	})
	if err != nil {
		return err
	}
	alarms, err := components.NewHealthAlarms(ctx, "alarms", &components.HealthAlarmsArgs{
		LoadBalancerSuffix: alb.LoadBalancerSuffix, Blue: alb.Blue.Suffix, Green: alb.Green.Suffix,
		ErrorsPerMinute: alarmedErrors, Name: name + "-" + ctx.Stack(),
	})
	if err != nil {
		return err
	}
	// go.mod lists the function as a tool, so that what it needs is pinned there.
	zip, err := bundle.Zip(ctx.Context(), ".")
	if err != nil {
		return err
	}
	policy := rollout.Policy{Preset: "canary", StandbySeconds: 1800}
	shift, err := components.NewTrafficShift(ctx, "shift", &components.TrafficShiftArgs{
		Environment: ctx.Stack(), FunctionName: name + "-" + ctx.Stack() + "-shift",
		Code: pulumi.NewFileArchive(zip), Policy: policy, MinimumTasks: minimum,
		ClusterName: service.ClusterName, ClusterArn: service.ClusterArn, ContainerName: name,
		ApplicationLogName: service.LogGroupName, ApplicationLogArn: service.LogGroupArn,
		URL: alb.URL, LoadBalancerArn: alb.LoadBalancerArn, ListenerArn: alb.ListenerArn, PreviewRuleArn: alb.PreviewRuleArn,
		PreviewHeader:        alb.PreviewHeader,
		PreviewParameterName: alb.PreviewParameterName, PreviewParameterArn: alb.PreviewParameterArn,
		Blue: traffic(service.Blue, alb.Blue), Green: traffic(service.Green, alb.Green),
		Alarms: alarms.Arns, LogRetentionDays: logDays,
	})
	if err != nil {
		return err
	}
	plan, _ := policy.Plan()
	return contract.Export(ctx, contract.Environment{
		Environment: pulumi.String(ctx.Stack()), Region: region.Name, AccountID: account.AccountId,
		Strategy: contract.BlueGreen, URL: alb.URL,
		ClusterName: service.ClusterName, ClusterArn: service.ClusterArn, ContainerName: pulumi.String(name),
		BlueServiceName: service.Blue.ServiceName, GreenServiceName: service.Green.ServiceName,
		BlueTaskDefinitionArn: service.Blue.TaskDefinitionArn, GreenTaskDefinitionArn: service.Green.TaskDefinitionArn,
		TaskRoleArn: service.TaskRoleArn, ExecutionRoleArn: service.ExecutionRoleArn,
		LoadBalancerArn: alb.LoadBalancerArn, ListenerArn: alb.ListenerArn, PreviewRuleArn: alb.PreviewRuleArn,
		BlueTargetGroupArn: alb.Blue.Arn, GreenTargetGroupArn: alb.Green.Arn,
		PreviewHeaderName: pulumi.String(alb.PreviewHeader), PreviewParameterName: alb.PreviewParameterName,
		ShiftFunctionName: shift.FunctionName, ShiftFunctionArn: shift.FunctionArn,
		LogGroupName: service.LogGroupName, ShiftPlan: pulumi.String(plan.String()),
	})
}

// traffic is one colour as the function sees it.
func traffic(service *components.ColourService, group *components.TargetGroup) components.TrafficSide {
	return components.TrafficSide{
		ServiceName: service.ServiceName, ServiceArn: service.ServiceArn, TaskDefinitionArn: service.TaskDefinitionArn,
		TargetGroupArn: group.Arn, ScalableTargetArn: service.ScalableTargetArn,
	}
}
