// Package contract is what an environment stack promises to others: the names and types of its outputs, a writer for the
// stack itself and a reader for whoever refers to it. It imports the Pulumi SDK only, so that another team's program can use
// it without compiling a provider.
package contract

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// The names of the outputs. They are promises: a removed or renamed one breaks the programs of others.
const (
	KeyEnvironment            = "environment"
	KeyRegion                 = "region"
	KeyAccountID              = "accountId"
	KeyStrategy               = "strategy"
	KeyURL                    = "url"
	KeyClusterName            = "clusterName"
	KeyClusterArn             = "clusterArn"
	KeyContainerName          = "containerName"
	KeyBlueServiceName        = "blueServiceName"
	KeyGreenServiceName       = "greenServiceName"
	KeyBlueTaskDefinitionArn  = "blueTaskDefinitionArn"
	KeyGreenTaskDefinitionArn = "greenTaskDefinitionArn"
	KeyTaskRoleArn            = "taskRoleArn"
	KeyExecutionRoleArn       = "executionRoleArn"
	KeyLoadBalancerArn        = "loadBalancerArn"
	KeyListenerArn            = "listenerArn"
	KeyPreviewRuleArn         = "previewRuleArn"
	KeyBlueTargetGroupArn     = "blueTargetGroupArn"
	KeyGreenTargetGroupArn    = "greenTargetGroupArn"
	KeyPreviewHeaderName      = "previewHeaderName"
	KeyPreviewParameterName   = "previewParameterName"
	KeyShiftFunctionName      = "shiftFunctionName"
	KeyShiftFunctionArn       = "shiftFunctionArn"
	KeyLogGroupName           = "logGroupName"
	KeyShiftPlan              = "shiftPlan"
	KeyRegistry               = "registry"
	KeyDeployRoleArn          = "deployRoleArn"
)

// The two ways in which an environment takes a release.
const (
	// BlueGreen starts the release beside the running version and moves the traffic step by step.
	BlueGreen = "blueGreen"
	// Rolling replaces the tasks of one service; such an environment has only the blue half of the outputs.
	Rolling = "rolling"
)

// Environment is one environment's outputs. Those that an environment lacks are nil or empty there. Strategy, Region, AccountID
// and Registry are plain values, because they decide which resources a reader declares.
type Environment struct {
	Environment pulumi.StringInput
	Region      string
	AccountID   string
	// Strategy is BlueGreen or Rolling.
	Strategy               string
	URL                    pulumi.StringInput
	ClusterName            pulumi.StringInput
	ClusterArn             pulumi.StringInput
	ContainerName          pulumi.StringInput
	BlueServiceName        pulumi.StringInput
	GreenServiceName       pulumi.StringInput
	BlueTaskDefinitionArn  pulumi.StringInput
	GreenTaskDefinitionArn pulumi.StringInput
	TaskRoleArn            pulumi.StringInput
	ExecutionRoleArn       pulumi.StringInput
	LoadBalancerArn        pulumi.StringInput
	ListenerArn            pulumi.StringInput
	PreviewRuleArn         pulumi.StringInput
	BlueTargetGroupArn     pulumi.StringInput
	GreenTargetGroupArn    pulumi.StringInput
	PreviewHeaderName      pulumi.StringInput
	PreviewParameterName   pulumi.StringInput
	ShiftFunctionName      pulumi.StringInput
	ShiftFunctionArn       pulumi.StringInput
	LogGroupName           pulumi.StringInput
	ShiftPlan              pulumi.StringInput
	Registry               string
	DeployRoleArn          pulumi.StringInput
}

// Stability says what may become of an output.
type Stability string

// A stable output keeps its name, type and meaning; one for operators may change with the release that says so.
const (
	Stable    Stability = "stable"
	Operators Stability = "operators"
)

// Output describes one output, for documentation and for programs in other languages.
type Output struct {
	Key string
	// Type is the output's type in Pulumi's words.
	Type      string
	Meaning   string
	Stability Stability
	Presence  Presence
	// Sample is a value as AWS would give it, for the environment that is called dev.
	Sample string

	// field is a *string or a *pulumi.StringInput.
	field func(*Environment) any
}

// Presence says which environments have an output.
type Presence string

// An output exists always, in an environment whose strategy is blueGreen, or in one whose images or pipeline are elsewhere.
const (
	Always      Presence = "always"
	InBlueGreen Presence = "blueGreen"
	Elsewhere   Presence = "elsewhere"
)

// needed tells whether an environment of the strategy must have the output.
func (o Output) needed(strategy string) bool {
	return o.Presence == Always || o.Presence == InBlueGreen && strategy != Rolling
}

// known tells whether an environment of the strategy can have the output.
func (o Output) known(strategy string) bool { return o.Presence != InBlueGreen || strategy != Rolling }

// of is the environment's value of the output; nil for none.
func (o Output) of(e *Environment) pulumi.StringInput {
	switch field := o.field(e).(type) {
	case *string:
		if *field != "" {
			return pulumi.String(*field)
		}
	case *pulumi.StringInput:
		return *field
	}
	return nil
}

// put sets the environment's value of the output, which is known by now, as output for those who only pass it on.
func (o Output) put(e *Environment, value string, output pulumi.StringInput) {
	switch field := o.field(e).(type) {
	case *string:
		*field = value
	case *pulumi.StringInput:
		*field = output
	}
}

// Outputs lists every output in the order in which people read them.
func Outputs() []Output {
	ecs, elb := "arn:aws:ecs:eu-central-1:123456789012:", "arn:aws:elasticloadbalancing:eu-central-1:123456789012:"
	return []Output{
		{KeyEnvironment, "string", "The environment's name, which is its stack's.", Stable, Always, "dev",
			func(e *Environment) any { return &e.Environment }},
		{KeyRegion, "string", "The AWS region that the environment stands in.", Stable, Always, "eu-central-1",
			func(e *Environment) any { return &e.Region }},
		{KeyAccountID, "string", "The AWS account that the environment stands in.", Stable, Always, "123456789012",
			func(e *Environment) any { return &e.AccountID }},
		{KeyStrategy, "string", "How a release arrives: blueGreen or rolling.", Stable, Always, BlueGreen,
			func(e *Environment) any { return &e.Strategy }},
		{KeyURL, "string", "Where users reach the service, with scheme and without a path.", Stable, Always,
			"http://dev-web-alb-1a2b3c4-1234567890.eu-central-1.elb.amazonaws.com",
			func(e *Environment) any { return &e.URL }},
		{KeyClusterName, "string", "The ECS cluster's name.", Stable, Always, "dev-app-cluster-1a2b3c4",
			func(e *Environment) any { return &e.ClusterName }},
		{KeyClusterArn, "string", "The ECS cluster's ARN.", Stable, Always, ecs + "cluster/dev-app-cluster-1a2b3c4",
			func(e *Environment) any { return &e.ClusterArn }},
		{KeyContainerName, "string", "The container that the image definitions of a deployment name.", Stable, Always, "app",
			func(e *Environment) any { return &e.ContainerName }},
		{KeyBlueServiceName, "string", "The blue ECS service's name; the only one of a rolling environment.", Stable, Always,
			"dev-app-blue-1a2b3c4", func(e *Environment) any { return &e.BlueServiceName }},
		{KeyGreenServiceName, "string", "The green ECS service's name.", Stable, InBlueGreen, "dev-app-green-1a2b3c4",
			func(e *Environment) any { return &e.GreenServiceName }},
		{KeyBlueTaskDefinitionArn, "string", "The revision that the program declared last for blue: its shape, not its image.",
			Stable, Always, ecs + "task-definition/penguinshop-dev-blue:1",
			func(e *Environment) any { return &e.BlueTaskDefinitionArn }},
		{KeyGreenTaskDefinitionArn, "string", "The revision that the program declared last for green.", Stable, InBlueGreen,
			ecs + "task-definition/penguinshop-dev-green:1",
			func(e *Environment) any { return &e.GreenTaskDefinitionArn }},
		{KeyTaskRoleArn, "string", "The role that the service's own code runs with.", Stable, Always,
			"arn:aws:iam::123456789012:role/dev-app-task-1a2b3c4",
			func(e *Environment) any { return &e.TaskRoleArn }},
		{KeyExecutionRoleArn, "string", "The role with which ECS pulls the image and writes the log.", Stable, Always,
			"arn:aws:iam::123456789012:role/dev-app-execution-1a2b3c4",
			func(e *Environment) any { return &e.ExecutionRoleArn }},
		{KeyLoadBalancerArn, "string", "The load balancer's ARN.", Stable, Always, elb + "loadbalancer/app/dev-web-alb-1a2b3c4/0123456789abcdef",
			func(e *Environment) any { return &e.LoadBalancerArn }},
		{KeyListenerArn, "string", "The listener whose default action holds the weights.", Stable, Always,
			elb + "listener/app/dev-web-alb-1a2b3c4/0123456789abcdef/0123456789abcdef",
			func(e *Environment) any { return &e.ListenerArn }},
		{KeyPreviewRuleArn, "string", "The listener rule that leads to the candidate.", Operators, InBlueGreen,
			elb + "listener-rule/app/dev-web-alb-1a2b3c4/0123456789abcdef/0123456789abcdef/0123456789abcdef",
			func(e *Environment) any { return &e.PreviewRuleArn }},
		{KeyBlueTargetGroupArn, "string", "The blue target group's ARN.", Stable, Always, elb + "targetgroup/dev-web-blue-1a2b3c4/0123456789abcdef",
			func(e *Environment) any { return &e.BlueTargetGroupArn }},
		{KeyGreenTargetGroupArn, "string", "The green target group's ARN.", Stable, InBlueGreen, elb + "targetgroup/dev-web-green-1a2b3c4/0123456789abcdef",
			func(e *Environment) any { return &e.GreenTargetGroupArn }},
		{KeyPreviewHeaderName, "string", "The header that leads a request to the candidate, given the right value.", Operators, InBlueGreen,
			"X-Penguinshop-Preview", func(e *Environment) any { return &e.PreviewHeaderName }},
		{KeyPreviewParameterName, "string", "The SSM parameter (SecureString) that holds the header's value.", Operators, InBlueGreen,
			"dev-web-preview-1a2b3c4", func(e *Environment) any { return &e.PreviewParameterName }},
		{KeyShiftFunctionName, "string", "The function that moves the traffic.", Operators, InBlueGreen, "penguinshop-dev-shift",
			func(e *Environment) any { return &e.ShiftFunctionName }},
		{KeyShiftFunctionArn, "string", "The ARN of the function that moves the traffic.", Operators, InBlueGreen,
			"arn:aws:lambda:eu-central-1:123456789012:function:penguinshop-dev-shift",
			func(e *Environment) any { return &e.ShiftFunctionArn }},
		{KeyLogGroupName, "string", "Where the service's log lines go.", Stable, Always, "dev-app-log-1a2b3c4",
			func(e *Environment) any { return &e.LogGroupName }},
		{KeyShiftPlan, "string", "How a release's traffic is moved, in words.", Operators, InBlueGreen,
			"10 % for 5 minutes, then 100 %", func(e *Environment) any { return &e.ShiftPlan }},
		{KeyRegistry, "string", "The registry of another account or region that images may be pulled from.", Operators, Elsewhere,
			"210987654321.dkr.ecr.eu-west-1.amazonaws.com", func(e *Environment) any { return &e.Registry }},
		{KeyDeployRoleArn, "string", "The role with which the pipeline of another account delivers.", Operators, Elsewhere,
			"arn:aws:iam::123456789012:role/dev-deploy-pipeline-1a2b3c4", func(e *Environment) any { return &e.DeployRoleArn }},
	}
}
