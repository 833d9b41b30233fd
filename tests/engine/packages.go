package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/acm"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/appautoscaling"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/codebuild"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/codeconnections"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/codepipeline"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecr"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/kms"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lambda"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/s3"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/scheduler"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/sns"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi-github/sdk/v6/go/github"

	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/tests/engine/standin"
)

// arguments are the resource types that the engine is asked for, with the properties that their SDK declares. A type that is
// not here is refused by name.
var arguments = map[string]standin.Args{
	"aws:acm/certificate:Certificate":                                      acm.CertificateArgs{},
	"aws:acm/certificateValidation:CertificateValidation":                  acm.CertificateValidationArgs{},
	"aws:appautoscaling/policy:Policy":                                     appautoscaling.PolicyArgs{},
	"aws:appautoscaling/scheduledAction:ScheduledAction":                   appautoscaling.ScheduledActionArgs{},
	"aws:appautoscaling/target:Target":                                     appautoscaling.TargetArgs{},
	"aws:cloudwatch/compositeAlarm:CompositeAlarm":                         cloudwatch.CompositeAlarmArgs{},
	"aws:cloudwatch/dashboard:Dashboard":                                   cloudwatch.DashboardArgs{},
	"aws:cloudwatch/eventRule:EventRule":                                   cloudwatch.EventRuleArgs{},
	"aws:cloudwatch/eventTarget:EventTarget":                               cloudwatch.EventTargetArgs{},
	"aws:cloudwatch/logGroup:LogGroup":                                     cloudwatch.LogGroupArgs{},
	"aws:cloudwatch/logMetricFilter:LogMetricFilter":                       cloudwatch.LogMetricFilterArgs{},
	"aws:cloudwatch/metricAlarm:MetricAlarm":                               cloudwatch.MetricAlarmArgs{},
	"aws:codebuild/project:Project":                                        codebuild.ProjectArgs{},
	"aws:codepipeline/pipeline:Pipeline":                                   codepipeline.PipelineArgs{},
	"aws:codeconnections/connection:Connection":                            codeconnections.ConnectionArgs{},
	"aws:ec2/flowLog:FlowLog":                                              ec2.FlowLogArgs{},
	"aws:ec2/securityGroup:SecurityGroup":                                  ec2.SecurityGroupArgs{},
	"aws:ec2/securityGroupRule:SecurityGroupRule":                          ec2.SecurityGroupRuleArgs{},
	"aws:ecr/lifecyclePolicy:LifecyclePolicy":                              ecr.LifecyclePolicyArgs{},
	"aws:ecr/repository:Repository":                                        ecr.RepositoryArgs{},
	"aws:ecr/repositoryPolicy:RepositoryPolicy":                            ecr.RepositoryPolicyArgs{},
	"aws:ecs/cluster:Cluster":                                              ecs.ClusterArgs{},
	"aws:ecs/clusterCapacityProviders:ClusterCapacityProviders":            ecs.ClusterCapacityProvidersArgs{},
	"aws:ecs/service:Service":                                              ecs.ServiceArgs{},
	"aws:ecs/taskDefinition:TaskDefinition":                                ecs.TaskDefinitionArgs{},
	"aws:iam/openIdConnectProvider:OpenIdConnectProvider":                  iam.OpenIdConnectProviderArgs{},
	"aws:iam/policy:Policy":                                                iam.PolicyArgs{},
	"aws:iam/role:Role":                                                    iam.RoleArgs{},
	"aws:iam/rolePolicy:RolePolicy":                                        iam.RolePolicyArgs{},
	"aws:iam/rolePolicyAttachment:RolePolicyAttachment":                    iam.RolePolicyAttachmentArgs{},
	"aws:kms/alias:Alias":                                                  kms.AliasArgs{},
	"aws:kms/key:Key":                                                      kms.KeyArgs{},
	"aws:lambda/function:Function":                                         lambda.FunctionArgs{},
	"aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig":       lambda.FunctionEventInvokeConfigArgs{},
	"aws:lambda/permission:Permission":                                     lambda.PermissionArgs{},
	"aws:lb/listener:Listener":                                             lb.ListenerArgs{},
	"aws:lb/listenerRule:ListenerRule":                                     lb.ListenerRuleArgs{},
	"aws:lb/loadBalancer:LoadBalancer":                                     lb.LoadBalancerArgs{},
	"aws:lb/targetGroup:TargetGroup":                                       lb.TargetGroupArgs{},
	"aws:route53/record:Record":                                            route53.RecordArgs{},
	"aws:s3/bucketLifecycleConfigurationV2:BucketLifecycleConfigurationV2": s3.BucketLifecycleConfigurationV2Args{},
	"aws:s3/bucketOwnershipControls:BucketOwnershipControls":               s3.BucketOwnershipControlsArgs{},
	"aws:s3/bucketPolicy:BucketPolicy":                                     s3.BucketPolicyArgs{},
	"aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock":               s3.BucketPublicAccessBlockArgs{},
	"aws:s3/bucketServerSideEncryptionConfigurationV2:BucketServerSideEncryptionConfigurationV2": s3.BucketServerSideEncryptionConfigurationV2Args{},
	"aws:s3/bucketV2:BucketV2":                     s3.BucketV2Args{},
	"aws:s3/bucketVersioningV2:BucketVersioningV2": s3.BucketVersioningV2Args{},
	"aws:scheduler/schedule:Schedule":              scheduler.ScheduleArgs{},
	"aws:scheduler/scheduleGroup:ScheduleGroup":    scheduler.ScheduleGroupArgs{},
	"aws:sns/topic:Topic":                          sns.TopicArgs{},
	"aws:sns/topicPolicy:TopicPolicy":              sns.TopicPolicyArgs{},
	"aws:sns/topicSubscription:TopicSubscription":  sns.TopicSubscriptionArgs{},
	"aws:ssm/parameter:Parameter":                  ssm.ParameterArgs{},
	"pulumi:providers:aws":                         aws.ProviderArgs{},

	"github:index/actionsEnvironmentVariable:ActionsEnvironmentVariable":                       github.ActionsEnvironmentVariableArgs{},
	"github:index/actionsVariable:ActionsVariable":                                             github.ActionsVariableArgs{},
	"github:index/repositoryEnvironment:RepositoryEnvironment":                                 github.RepositoryEnvironmentArgs{},
	"github:index/repositoryEnvironmentDeploymentPolicy:RepositoryEnvironmentDeploymentPolicy": github.RepositoryEnvironmentDeploymentPolicyArgs{},
	"github:index/repositoryRuleset:RepositoryRuleset":                                         github.RepositoryRulesetArgs{},
}

// packages are the stand-ins for the Pulumi packages that the program uses. What AWS gives a resource (ids, ARNs, addresses)
// is what the sandbox's plan gives it as well.
func packages(ctx context.Context, project *graph.Project, replaces func(typ, property string) bool) []standin.Package {
	away := project.StandIn(ctx, project.Stacks()[0])
	compute := func(typ, name, urn string, inputs map[string]any) (string, map[string]any) {
		id, outputs, _ := away.Compute(graph.Resource{Type: typ, Name: name, URN: urn, Inputs: inputs, Custom: true})
		return id, outputs
	}
	base := standin.Package{Arguments: arguments, Compute: compute, Invoke: away.Invoke, Replaces: replaces}
	var all []standin.Package
	for _, name := range []string{"aws", "awsx", "github"} {
		p := base
		p.Name = name
		if name == "awsx" {
			p.Component = func(typ, name string, inputs map[string]any) (map[string]any, error) {
				// Another address range is another network: its parts get other ids.
				name = fmt.Sprintf("%s-%v", name, inputs["cidrBlock"])
				return away.Construct(graph.Resource{
					Type: typ, Name: name, Inputs: inputs, Remote: true,
					URN: fmt.Sprintf("urn:pulumi:any::%s::%s::%s", project.Name, typ, name),
				})
			}
		}
		all = append(all, p)
	}
	return all
}

// attach serves the packages from the world and returns the value of PULUMI_DEBUG_PROVIDERS that makes an engine use them.
func attach(ctx context.Context, world *standin.World, packages []standin.Package) (string, error) {
	var ports []string
	for _, p := range packages {
		port, err := world.Serve(ctx, p)
		if err != nil {
			return "", err
		}
		ports = append(ports, fmt.Sprintf("%s:%d", p.Name, port))
	}
	return strings.Join(ports, ","), nil
}
