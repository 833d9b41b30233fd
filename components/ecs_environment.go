package components

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// EcsEnvironment is a Fargate cluster with one service for each colour, made of the same shape. Blue serves at first; green
// stands at zero until a release comes.
type EcsEnvironment struct {
	pulumi.ResourceState

	ClusterName, ClusterArn   pulumi.StringOutput
	ContainerName             string
	TaskRoleArn               pulumi.StringOutput
	ExecutionRoleArn          pulumi.StringOutput
	LogGroupName, LogGroupArn pulumi.StringOutput
	// Blue and Green are the two sides; Green is nil for an environment with one.
	Blue, Green *ColourService
}

// ColourService is one colour's service.
type ColourService struct {
	ServiceName, ServiceArn pulumi.StringOutput
	// TaskDefinitionArn is the revision that the program declared: its shape counts, its image is the placeholder.
	TaskDefinitionArn pulumi.StringOutput
	// ScalableTargetArn is what autoscaling knows the service by.
	ScalableTargetArn pulumi.StringOutput
}

// EcsEnvironmentArgs are the arguments of NewEcsEnvironment.
type EcsEnvironmentArgs struct {
	// Family begins the names of the task definitions, which AWS wants to be told: "<Family>-blue".
	Family string
	// Region is where the log group lies.
	Region string
	// Repositories are the names of the ECR repositories, in the same account and region, that images may be pulled from.
	Repositories []string
	// ForeignRepositories are those of other accounts or regions.
	ForeignRepositories []ForeignRepository
	// Subnets are where the tasks run; without a way to the internet from there (NAT or endpoints) they need PublicIP.
	Subnets        pulumi.StringArrayInput
	SecurityGroups pulumi.StringArrayInput
	PublicIP       bool
	// Blue and Green are the load balancer's sides; a nil Green makes one service that is deployed in place.
	Blue, Green *EcsSideArgs
	Container   Container
	Size        FargateSize
	// Architecture is "ARM64" or "X86_64".
	Architecture string
	Scaling      Scaling
	// SpotPercent is the share of tasks on Fargate Spot, 0 to 100.
	SpotPercent int
	// ZoneRebalancing lets ECS move tasks until the zones have the same number of them.
	ZoneRebalancing bool
	// HealthGraceSeconds is how long ECS disregards the load balancer's verdict on a task that has just started.
	HealthGraceSeconds int
	// ContainerInsights is "enabled", "enhanced" or "disabled".
	ContainerInsights string
	// LogRetentionDays is one of the periods that CloudWatch knows.
	LogRetentionDays int
	// KeyArn is the key that the log rests under; nil means CloudWatch's own.
	KeyArn pulumi.StringInput
	// ExecuteCommand lets an operator open a shell in a task (ECS Exec). It keeps the root file system writable.
	ExecuteCommand bool
	// Protect makes Pulumi refuse to delete or replace the services. A change that needs that then fails before it begins.
	Protect bool
}

// ForeignRepository is an ECR repository of another account or region. Its own policy must let another account's roles pull.
type ForeignRepository struct{ AccountID, Region, Name string }

// EcsSideArgs is where a colour's service is attached.
type EcsSideArgs struct {
	// TargetGroupArn must resolve only after a listener names the group, as BlueGreenAlb's does.
	TargetGroupArn pulumi.StringInput
	// RequestLabel is the load balancer's and the target group's suffix, joined by a slash, for scaling by requests.
	RequestLabel pulumi.StringInput
}

// Container is the one container of a task.
type Container struct {
	Name string
	// Image is the first image; the pipeline sets those that follow.
	Image string
	Port  int
	// Environment is what the container is told beside its colour.
	Environment map[string]string
	// Secrets are environment variables whose values ECS reads when a task starts: name, and the ARN of a secret in Secrets
	// Manager or of a parameter in SSM.
	Secrets map[string]string
	// StopSeconds is how long a task may take to end after SIGTERM, 1 to 120 (Fargate).
	StopSeconds int
}

// Scaling says how many tasks the live side has.
type Scaling struct {
	Minimum, Maximum int
	// CPUPercent is the average that the number of tasks is kept at.
	CPUPercent int
	// RequestsPerTarget scales by requests a minute and target as well; 0 does not.
	RequestsPerTarget int
}

func (a *EcsEnvironmentArgs) validate() error {
	switch {
	case a == nil || a.Blue == nil || a.Subnets == nil || a.Family == "" || len(a.Repositories)+len(a.ForeignRepositories) == 0:
		return fmt.Errorf("EcsEnvironment: Family, Repositories, Subnets and Blue are needed")
	case a.Scaling.Minimum < 1 || a.Scaling.Maximum < a.Scaling.Minimum:
		return fmt.Errorf("EcsEnvironment: Scaling is %d to %d tasks; the minimum must be at least 1 and at most the maximum",
			a.Scaling.Minimum, a.Scaling.Maximum)
	}
	return a.Size.Validate()
}

// NewEcsEnvironment declares the cluster and its services. Later, a service's task definition belongs to the pipeline, its
// count to shiftfn and autoscaling: an update of this component never swaps an image and never changes a running count.
func NewEcsEnvironment(ctx *pulumi.Context, name string, args *EcsEnvironmentArgs, opts ...pulumi.ResourceOption) (*EcsEnvironment, error) {
	if err := args.validate(); err != nil {
		return nil, err
	}
	c := &EcsEnvironment{ContainerName: args.Container.Name}
	if err := ctx.RegisterComponentResource(typeEcsEnvironment, name, c, opts...); err != nil {
		return nil, err
	}
	cluster, err := ecs.NewCluster(ctx, name+"-cluster", &ecs.ClusterArgs{
		Settings: ecs.ClusterSettingArray{&ecs.ClusterSettingArgs{
			Name: pulumi.String("containerInsights"), Value: pulumi.String(args.ContainerInsights),
		}},
	}, pulumi.Parent(c))
	if err != nil {
		return nil, err
	}
	c.ClusterName, c.ClusterArn = cluster.Name, cluster.Arn
	capacity, err := c.capacity(ctx, name, cluster, args)
	if err != nil {
		return nil, err
	}
	logs, err := logGroup(ctx, name+"-log", args.LogRetentionDays, args.KeyArn, c)
	if err != nil {
		return nil, err
	}
	c.LogGroupName, c.LogGroupArn = logs.Name, logs.Arn
	if err := c.roles(ctx, name, args); err != nil {
		return nil, err
	}
	if c.Blue, err = c.side(ctx, name, rollout.Blue, args, args.Blue, capacity); err != nil {
		return nil, err
	}
	if args.Green != nil {
		if c.Green, err = c.side(ctx, name, rollout.Green, args, args.Green, capacity); err != nil {
			return nil, err
		}
	}
	return c, ctx.RegisterResourceOutputs(c, c.outputs())
}

func (c *EcsEnvironment) outputs() pulumi.Map {
	outputs := pulumi.Map{
		"clusterName": c.ClusterName, "clusterArn": c.ClusterArn, "containerName": pulumi.String(c.ContainerName),
		"taskRoleArn": c.TaskRoleArn, "executionRoleArn": c.ExecutionRoleArn, "logGroupName": c.LogGroupName,
		"blueServiceName": c.Blue.ServiceName, "blueTaskDefinitionArn": c.Blue.TaskDefinitionArn,
	}
	if c.Green != nil {
		outputs["greenServiceName"] = c.Green.ServiceName
		outputs["greenTaskDefinitionArn"] = c.Green.TaskDefinitionArn
	}
	return outputs
}

// roles declares the role that the service's code runs with, which may do nothing but what ECS Exec needs where that is on,
// and the role with which ECS starts a task.
func (c *EcsEnvironment) roles(ctx *pulumi.Context, name string, args *EcsEnvironmentArgs) error {
	tasks := Statement{Services: []string{"ecs-tasks.amazonaws.com"}}
	var shell Policy
	if args.ExecuteCommand {
		shell = Policy{{
			Actions: []string{
				"ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
				"ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
			},
			Resources: []pulumi.StringInput{pulumi.String("*")},
			Reason:    "SSM message channels have no resource",
		}}
	}
	task, err := role(ctx, name+"-task", "What the service's own code may do", tasks, shell, c)
	if err != nil {
		return err
	}
	// The shared stack, which owns the repository, is brought up after this one: only the name is known here.
	var repositories []pulumi.StringInput
	for _, repository := range args.Repositories {
		repositories = append(repositories, sibling(c.LogGroupArn, "ecr", "repository/"+repository))
	}
	for _, f := range args.ForeignRepositories {
		repositories = append(repositories, moved(sibling(c.LogGroupArn, "ecr", "repository/"+f.Name), f.Region, f.AccountID))
	}
	execution, err := role(ctx, name+"-execution", "How ECS pulls the image and writes the log", tasks, append(Policy{
		{
			Actions:   []string{"logs:CreateLogStream", "logs:PutLogEvents"},
			Resources: []pulumi.StringInput{below(c.LogGroupArn, ":log-stream:*")},
			Reason:    "ECS names one log stream for each task",
		},
		{
			Actions:   []string{"ecr:GetAuthorizationToken"},
			Resources: []pulumi.StringInput{pulumi.String("*")},
			Reason:    "a registry token is for all repositories",
		},
		{
			Actions:   pullActions,
			Resources: repositories,
		},
	}, secretsPolicy(args.Container.Secrets)...), c)
	if err != nil {
		return err
	}
	c.TaskRoleArn, c.ExecutionRoleArn = task.Arn, execution.Arn
	return nil
}

// capacity is where a service's tasks run: on Fargate alone, or shared with Fargate Spot.
type capacity struct {
	shares ecs.ServiceCapacityProviderStrategyArray
	// needs is what must be there before a service can ask for its shares.
	needs []pulumi.Resource
}

// capacity lets the cluster use Fargate Spot where a share of the tasks is wanted there.
func (c *EcsEnvironment) capacity(
	ctx *pulumi.Context, name string, cluster *ecs.Cluster, args *EcsEnvironmentArgs,
) (capacity, error) {
	if args.SpotPercent == 0 {
		return capacity{}, nil
	}
	providers, err := ecs.NewClusterCapacityProviders(ctx, name+"-capacity", &ecs.ClusterCapacityProvidersArgs{
		ClusterName:       cluster.Name,
		CapacityProviders: pulumi.ToStringArray([]string{"FARGATE", "FARGATE_SPOT"}),
	}, pulumi.Parent(cluster))
	return capacity{needs: []pulumi.Resource{providers}, shares: ecs.ServiceCapacityProviderStrategyArray{
		&ecs.ServiceCapacityProviderStrategyArgs{
			CapacityProvider: pulumi.String("FARGATE"), Weight: pulumi.Int(100 - args.SpotPercent),
		},
		&ecs.ServiceCapacityProviderStrategyArgs{
			CapacityProvider: pulumi.String("FARGATE_SPOT"), Weight: pulumi.Int(args.SpotPercent),
		},
	}}, err
}

// side declares one colour: its task definition, its service and its scaling.
func (c *EcsEnvironment) side(
	ctx *pulumi.Context, name string, colour rollout.Colour, args *EcsEnvironmentArgs, side *EcsSideArgs,
	capacity capacity,
) (*ColourService, error) {
	name += "-" + string(colour)
	definition, err := ecs.NewTaskDefinition(ctx, name, c.shape(colour, args), pulumi.Parent(c))
	if err != nil {
		return nil, err
	}
	service := &ecs.ServiceArgs{
		Cluster:        c.ClusterArn,
		TaskDefinition: definition.Arn,
		DesiredCount:   pulumi.Int(initialCount(colour, args)),
		NetworkConfiguration: &ecs.ServiceNetworkConfigurationArgs{
			Subnets: args.Subnets, SecurityGroups: args.SecurityGroups, AssignPublicIp: pulumi.Bool(args.PublicIP),
		},
		LoadBalancers: ecs.ServiceLoadBalancerArray{&ecs.ServiceLoadBalancerArgs{
			TargetGroupArn: side.TargetGroupArn,
			ContainerName:  pulumi.String(args.Container.Name), ContainerPort: pulumi.Int(args.Container.Port),
		}},
		HealthCheckGracePeriodSeconds:   pulumi.Int(args.HealthGraceSeconds),
		DeploymentMinimumHealthyPercent: pulumi.Int(100),
		DeploymentMaximumPercent:        pulumi.Int(200),
		// The breaker ends a deployment that cannot start its tasks in FAILED, within minutes. It must not roll back by
		// itself: then the service would be stable again, and the pipeline would call a release that is not live a success.
		DeploymentCircuitBreaker: &ecs.ServiceDeploymentCircuitBreakerArgs{
			Enable: pulumi.Bool(true), Rollback: pulumi.Bool(false),
		},
		EnableExecuteCommand: pulumi.Bool(args.ExecuteCommand),
		EnableEcsManagedTags: pulumi.Bool(true),
		PropagateTags:        pulumi.String("SERVICE"),
	}
	if args.ZoneRebalancing {
		service.AvailabilityZoneRebalancing = pulumi.String("ENABLED")
	}
	if capacity.shares == nil {
		service.LaunchType = pulumi.String("FARGATE")
	} else {
		service.CapacityProviderStrategies = capacity.shares
	}
	// Owned at run time: taskDefinition by the pipeline (the image), desiredCount by shiftfn and autoscaling.
	declared, err := ecs.NewService(ctx, name, service, pulumi.Parent(c), pulumi.DependsOn(capacity.needs), pulumi.Protect(args.Protect),
		pulumi.IgnoreChanges([]string{"taskDefinition", "desiredCount"}))
	if err != nil {
		return nil, err
	}
	target, err := c.scaling(ctx, name, colour, args, side, declared)
	if err != nil {
		return nil, err
	}
	return &ColourService{
		ServiceName: declared.Name, ServiceArn: serviceArn(c.ClusterArn, declared.Name), TaskDefinitionArn: definition.Arn, ScalableTargetArn: target.Arn,
	}, nil
}

// initialCount is the number of tasks that a side begins with: green waits for the first release.
func initialCount(colour rollout.Colour, args *EcsEnvironmentArgs) int {
	if colour == rollout.Blue {
		return args.Scaling.Minimum
	}
	return 0
}

// secretsPolicy lets ECS read exactly the secrets that a container names.
func secretsPolicy(secrets map[string]string) Policy {
	var parameters, kept []pulumi.StringInput
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		if arn := secrets[name]; strings.Contains(arn, ":ssm:") {
			parameters = append(parameters, pulumi.String(arn))
		} else {
			// A key inside the secret (":key::") is not a part of the resource.
			parts := strings.SplitN(arn, ":", 8)
			kept = append(kept, pulumi.String(strings.Join(parts[:min(7, len(parts))], ":")))
		}
	}
	var policy Policy
	if len(parameters) > 0 {
		policy = append(policy, Statement{Actions: []string{"ssm:GetParameters"}, Resources: parameters})
	}
	if len(kept) > 0 {
		policy = append(policy, Statement{Actions: []string{"secretsmanager:GetSecretValue"}, Resources: kept})
	}
	return policy
}
