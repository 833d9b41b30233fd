package components

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lambda"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/scheduler"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/penguinshop/delivery/shiftfn/rollout"
	"github.com/penguinshop/delivery/shiftfn/settings"
)

// TrafficShift is the function that moves an environment's traffic from one version to the next, with what it needs: its
// role, its log, the schedule group in which it puts the old version's retirement, the rule that wakes it on an alarm, and the
// schedules by which the environment sleeps at night.
type TrafficShift struct {
	pulumi.ResourceState

	FunctionName, FunctionArn pulumi.StringOutput
	RoleArn                   pulumi.StringOutput
	ScheduleGroupName         pulumi.StringOutput
	LogGroupName              pulumi.StringOutput
}

// TrafficShiftArgs are the arguments of NewTrafficShift.
type TrafficShiftArgs struct {
	// Environment is the name that the function's messages use.
	Environment string
	// FunctionName is the function's name. It is given, not made up by Pulumi, because the function schedules calls of itself
	// and so must be told its own ARN before it exists. At most 64 characters (AWS).
	FunctionName string
	// Code is the zip with the executable `bootstrap` for provided.al2023 on arm64.
	Code   pulumi.Archive
	Policy rollout.Policy
	// MinimumTasks is the autoscaling minimum of the side that is live, which the function restores after a shift; at least 1.
	MinimumTasks int

	ClusterName, ClusterArn           pulumi.StringInput
	ContainerName                     string
	ApplicationLogName                pulumi.StringInput
	ApplicationLogArn                 pulumi.StringInput
	URL, LoadBalancerArn, ListenerArn pulumi.StringInput
	PreviewRuleArn                    pulumi.StringInput
	PreviewHeader                     string
	PreviewParameterName              pulumi.StringInput
	PreviewParameterArn               pulumi.StringInput
	Blue, Green                       TrafficSide
	// Alarms are the ARNs of the alarms that make the function look at a promoted release again.
	Alarms           pulumi.StringArrayInput
	LogRetentionDays int
	// KeyArn is the key that the log rests under; nil means CloudWatch's own.
	KeyArn pulumi.StringInput
	// Sleep is when the environment is put to zero tasks, nil for never.
	Sleep *rollout.Hours
}

// TrafficSide is one colour as the function sees it.
type TrafficSide struct {
	ServiceName, ServiceArn, TargetGroupArn, TaskDefinitionArn pulumi.StringInput
	// ScalableTargetArn is nil where the service does not scale by itself.
	ScalableTargetArn pulumi.StringInput
}

// The function's own limits. It ticks until its time is nearly over and then hands over to its next invocation.
const (
	functionSeconds   = 600 // AWS allows 900; CodePipeline waits 20 minutes for an answer
	functionMemoryMiB = 128
	// A job that CodePipeline has given up (20 minutes) or an alarm of long ago must not wake the function any more.
	eventSeconds = 900
)

func (a *TrafficShiftArgs) validate() error {
	switch {
	case a == nil || a.Code == nil || a.ClusterArn == nil || a.ListenerArn == nil || a.PreviewRuleArn == nil:
		return fmt.Errorf("TrafficShift: Code, ClusterArn, ListenerArn and PreviewRuleArn are needed")
	case a.MinimumTasks < 1:
		return fmt.Errorf("TrafficShift: MinimumTasks is %d; the side that is live has at least 1", a.MinimumTasks)
	case a.FunctionName == "" || len(a.FunctionName) > 64:
		return fmt.Errorf("TrafficShift: FunctionName %q must have 1 to 64 characters", a.FunctionName)
	}
	if a.Sleep != nil {
		if _, problems := a.Sleep.Nights(); len(problems) > 0 {
			return fmt.Errorf("TrafficShift: %v", problems)
		}
	}
	return nil
}

// NewTrafficShift declares the function.
func NewTrafficShift(ctx *pulumi.Context, name string, args *TrafficShiftArgs, opts ...pulumi.ResourceOption) (*TrafficShift, error) {
	if err := args.validate(); err != nil {
		return nil, err
	}
	c := &TrafficShift{}
	if err := ctx.RegisterComponentResource(typeTrafficShift, name, c, opts...); err != nil {
		return nil, err
	}
	functionArn := sibling(args.ListenerArn, "lambda", "function:"+args.FunctionName)
	group, err := scheduler.NewScheduleGroup(ctx, name+"-schedules", &scheduler.ScheduleGroupArgs{}, pulumi.Parent(c))
	if err != nil {
		return nil, err
	}
	c.ScheduleGroupName = group.Name
	// Only schedules of this group may take the role on: a schedule elsewhere in the account must not borrow it.
	caller, err := role(ctx, name+"-scheduler", "How a schedule calls the function", Statement{
		Services:   []string{"scheduler.amazonaws.com"},
		Conditions: []Condition{Equals("aws:SourceArn", group.Arn)},
	}, Policy{{
		Actions: []string{"lambda:InvokeFunction"}, Resources: []pulumi.StringInput{functionArn},
	}}, c)
	if err != nil {
		return nil, err
	}
	logs, err := logGroup(ctx, name+"-log", args.LogRetentionDays, args.KeyArn, c)
	if err != nil {
		return nil, err
	}
	c.LogGroupName = logs.Name
	allowed := functionPolicy(args, logs.Arn, group.Arn, caller.Arn)
	own, err := role(ctx, name+"-function", "What the traffic-shifting function may do", Statement{
		Services: []string{"lambda.amazonaws.com"},
	}, allowed, c)
	if err != nil {
		return nil, err
	}
	function, err := c.function(ctx, name, args, own, logs, group, caller, functionArn)
	if err != nil {
		return nil, err
	}
	c.FunctionName, c.FunctionArn, c.RoleArn = function.Name, function.Arn, own.Arn
	if err := c.guard(ctx, name, args, function); err != nil {
		return nil, err
	}
	if err := c.nights(ctx, name, args, group, caller, function); err != nil {
		return nil, err
	}
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{
		"functionName": c.FunctionName, "functionArn": c.FunctionArn, "roleArn": c.RoleArn,
		"scheduleGroupName": c.ScheduleGroupName, "logGroupName": c.LogGroupName,
	})
}

func (c *TrafficShift) function(
	ctx *pulumi.Context, name string, args *TrafficShiftArgs, own *iam.Role, logs *cloudwatch.LogGroup,
	group *scheduler.ScheduleGroup, caller *iam.Role, functionArn pulumi.StringInput,
) (*lambda.Function, error) {
	function, err := lambda.NewFunction(ctx, name+"-function", &lambda.FunctionArgs{
		Name:          pulumi.String(args.FunctionName),
		Description:   pulumi.String("Moves the traffic of " + args.Environment + " from one version to the next"),
		Runtime:       pulumi.String("provided.al2023"),
		Architectures: pulumi.ToStringArray([]string{"arm64"}),
		Handler:       pulumi.String("bootstrap"),
		Code:          args.Code,
		Role:          own.Arn,
		Timeout:       pulumi.Int(functionSeconds),
		MemorySize:    pulumi.Int(functionMemoryMiB),
		Environment: &lambda.FunctionEnvironmentArgs{Variables: pulumi.StringMap{
			settings.Variable: told(args, group.Name, caller.Arn, functionArn),
		}},
		LoggingConfig: &lambda.FunctionLoggingConfigArgs{
			LogFormat: pulumi.String("JSON"), LogGroup: logs.Name,
		},
	}, pulumi.Parent(c))
	if err != nil {
		return nil, err
	}
	// The function repeats what is worth repeating itself. A second copy of a failed call, minutes later, would meet a world
	// that has moved on.
	_, err = lambda.NewFunctionEventInvokeConfig(ctx, name+"-calls", &lambda.FunctionEventInvokeConfigArgs{
		FunctionName: function.Name, MaximumRetryAttempts: pulumi.Int(0), MaximumEventAgeInSeconds: pulumi.Int(eventSeconds),
	}, pulumi.Parent(function))
	return function, err
}

// told is the function's settings as JSON.
func told(args *TrafficShiftArgs, scheduleGroup, scheduleRole, functionArn pulumi.StringInput) pulumi.StringOutput {
	inputs := []any{
		args.ClusterName, args.URL, args.LoadBalancerArn, args.ListenerArn, args.PreviewRuleArn, args.PreviewParameterName,
		args.ApplicationLogName, functionArn, scheduleGroup, scheduleRole,
		args.Blue.ServiceName, args.Blue.TargetGroupArn, args.Blue.TaskDefinitionArn,
		args.Green.ServiceName, args.Green.TargetGroupArn, args.Green.TaskDefinitionArn,
	}
	return pulumi.All(inputs...).ApplyT(func(values []any) (string, error) {
		s := settings.Settings{
			Environment: args.Environment, Container: args.ContainerName, PreviewHeader: args.PreviewHeader, Policy: args.Policy,
			MinimumTasks: args.MinimumTasks, Sleep: args.Sleep,
		}
		for i, field := range []*string{
			&s.Cluster, &s.URL, &s.LoadBalancer, &s.Listener, &s.PreviewRule, &s.PreviewParameter,
			&s.LogGroup, &s.Function, &s.ScheduleGroup, &s.ScheduleRole,
			&s.Blue.Service, &s.Blue.TargetGroup, &s.Blue.TaskDefinition,
			&s.Green.Service, &s.Green.TargetGroup, &s.Green.TaskDefinition,
		} {
			*field = values[i].(string)
		}
		text, err := json.Marshal(s)
		if err == nil && len(text) > 4000 {
			err = fmt.Errorf("TrafficShift: the function's settings have %d bytes; AWS allows 4 KB for all its variables: "+
				"give fewer steps, probe paths or alarms", len(text))
		}
		return string(text), err
	}).(pulumi.StringOutput)
}

// guard wakes the function when one of the alarms goes off.
func (c *TrafficShift) guard(ctx *pulumi.Context, name string, args *TrafficShiftArgs, function *lambda.Function) error {
	if args.Alarms == nil {
		return nil
	}
	pattern := args.Alarms.ToStringArrayOutput().ApplyT(func(arns []string) (string, error) {
		text, err := json.Marshal(map[string]any{
			"source":      []string{"aws.cloudwatch"},
			"detail-type": []string{"CloudWatch Alarm State Change"},
			"resources":   arns,
			"detail":      map[string]any{"state": map[string]any{"value": []string{"ALARM"}}},
		})
		return string(text), err
	}).(pulumi.StringOutput)
	rule, err := cloudwatch.NewEventRule(ctx, name+"-alarms", &cloudwatch.EventRuleArgs{
		Description:  pulumi.String("Wakes the traffic-shifting function when an alarm goes off"),
		EventPattern: pattern,
	}, pulumi.Parent(c))
	if err != nil {
		return err
	}
	permission, err := lambda.NewPermission(ctx, name+"-alarms", &lambda.PermissionArgs{
		Action: pulumi.String("lambda:InvokeFunction"), Function: function.Name,
		Principal: pulumi.String("events.amazonaws.com"), SourceArn: rule.Arn,
	}, pulumi.Parent(rule))
	if err != nil {
		return err
	}
	_, err = cloudwatch.NewEventTarget(ctx, name+"-alarms", &cloudwatch.EventTargetArgs{
		Rule: rule.Name, Arn: function.Arn,
		RetryPolicy: &cloudwatch.EventTargetRetryPolicyArgs{
			MaximumEventAgeInSeconds: pulumi.Int(eventSeconds), MaximumRetryAttempts: pulumi.Int(3),
		},
	}, pulumi.Parent(rule), pulumi.DependsOn([]pulumi.Resource{permission}))
	return err
}

// functionPolicy allows each call that the function makes, and no other.
func functionPolicy(args *TrafficShiftArgs, logs, scheduleGroup, scheduleRole pulumi.StringInput) Policy {
	any := []pulumi.StringInput{pulumi.String("*")}
	return append(scalingPolicy(args.Blue.ScalableTargetArn, args.Green.ScalableTargetArn), Policy{
		{
			Actions:   []string{"elasticloadbalancing:ModifyListener"},
			Resources: []pulumi.StringInput{args.ListenerArn},
		},
		{
			Actions:   []string{"elasticloadbalancing:ModifyRule"},
			Resources: []pulumi.StringInput{args.PreviewRuleArn},
		},
		{
			Actions: []string{
				"elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeRules", "elasticloadbalancing:DescribeTargetHealth",
			},
			Resources: any,
			Reason:    "Elastic Load Balancing describes without resource level permissions",
		},
		{
			Actions:   []string{"ecs:DescribeServices", "ecs:UpdateService"},
			Resources: []pulumi.StringInput{args.Blue.ServiceArn, args.Green.ServiceArn},
		},
		{
			Actions:   []string{"ecs:DescribeTaskDefinition"},
			Resources: any,
			Reason:    "ECS describes task definitions without resource level permissions",
		},
		{
			Actions:    []string{"ecs:ListTasks"},
			Resources:  any,
			Conditions: []Condition{{"ArnEquals", "ecs:cluster", []pulumi.StringInput{args.ClusterArn}}},
			Reason:     "ECS lists tasks by container instances which Fargate has none of so the cluster is a condition",
		},
		{
			Actions:   []string{"ecs:DescribeTasks"},
			Resources: []pulumi.StringInput{tasksArn(args.ClusterArn)},
			Reason:    "tasks come and go within the one cluster",
		},
		{
			Actions:   []string{"application-autoscaling:DescribeScalableTargets"},
			Resources: any,
			Reason:    "Application Auto Scaling describes without resource level permissions",
		},
		{
			Actions:   []string{"cloudwatch:GetMetricData", "cloudwatch:DescribeAlarms"},
			Resources: any,
			Reason:    "CloudWatch reads metrics and several alarms at once without resource level permissions",
		},
		{
			Actions:   []string{"codepipeline:PutJobSuccessResult", "codepipeline:PutJobFailureResult"},
			Resources: any,
			Reason:    "a CodePipeline job has no ARN and its identifier is known to its worker only",
		},
		{
			Actions:   []string{"ssm:GetParameter"},
			Resources: []pulumi.StringInput{args.PreviewParameterArn},
		},
		{
			Actions: []string{
				"scheduler:GetSchedule", "scheduler:CreateSchedule", "scheduler:UpdateSchedule",
			},
			Resources: []pulumi.StringInput{
				scheduleArn(scheduleGroup, settings.Schedule), scheduleArn(scheduleGroup, settings.RestSchedule),
			},
		},
		{
			Actions:    []string{"iam:PassRole"},
			Resources:  []pulumi.StringInput{scheduleRole},
			Conditions: []Condition{Equals("iam:PassedToService", pulumi.String("scheduler.amazonaws.com"))},
		},
		{
			Actions:   []string{"logs:FilterLogEvents"},
			Resources: []pulumi.StringInput{below(args.ApplicationLogArn, ":*")},
			Reason:    "a log group with what is in it is named so and each task writes a log stream of its own",
		},
		{
			Actions:   []string{"events:PutEvents"},
			Resources: []pulumi.StringInput{sibling(args.ClusterArn, "events", "event-bus/default")},
		},
		{
			Actions:   []string{"logs:CreateLogStream", "logs:PutLogEvents"},
			Resources: []pulumi.StringInput{below(logs, ":log-stream:*")},
			Reason:    "Lambda names one log stream for each of its instances",
		},
	}...)
}

// scalingPolicy lets the function change the bounds of those services that scale by themselves.
func scalingPolicy(targets ...pulumi.StringInput) Policy {
	targets = slices.DeleteFunc(targets, func(arn pulumi.StringInput) bool { return arn == nil })
	if len(targets) == 0 {
		return nil
	}
	return Policy{{
		Actions:   []string{"application-autoscaling:RegisterScalableTarget"},
		Resources: targets,
		Conditions: []Condition{
			Equals("application-autoscaling:service-namespace", pulumi.String("ecs")),
			Equals("application-autoscaling:scalable-dimension", pulumi.String("ecs:service:DesiredCount")),
		},
	}}
}
