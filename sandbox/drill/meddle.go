package drill

import (
	"context"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/penguinshop/delivery/shiftfn/adapter"
)

// before is asked before each call that the function makes, by the operation's name. An error is the call's answer, and the
// call is not made.
type before func(ctx context.Context, operation string) error

// meddle puts b before every call of the clients.
func meddle(to adapter.Clients, b before) adapter.Clients {
	c := &calls{to, b}
	return adapter.Clients{ELB: c, ECS: c, Scaling: c, CloudWatch: c, Logs: c, CodePipeline: c, Parameters: c, Scheduler: c, EventBridge: c, HTTP: c}
}

// calls are all calls that the function can make.
type calls struct {
	to     adapter.Clients
	before before
}

func through[I, O, F any](ctx context.Context, c *calls, operation string, in I, options []F, do func(context.Context, I, ...F) (O, error)) (O, error) {
	if err := c.before(ctx, operation); err != nil {
		var none O
		return none, err
	}
	return do(ctx, in, options...)
}

// Do sends a probe.
func (c *calls) Do(r *http.Request) (*http.Response, error) {
	if err := c.before(r.Context(), "probe"); err != nil {
		return nil, err
	}
	return c.to.HTTP.Do(r)
}

// DescribeListeners asks first.
func (c *calls) DescribeListeners(ctx context.Context, in *elb.DescribeListenersInput, o ...func(*elb.Options)) (*elb.DescribeListenersOutput, error) {
	return through(ctx, c, "DescribeListeners", in, o, c.to.ELB.DescribeListeners)
}

// ModifyListener asks first.
func (c *calls) ModifyListener(ctx context.Context, in *elb.ModifyListenerInput, o ...func(*elb.Options)) (*elb.ModifyListenerOutput, error) {
	return through(ctx, c, "ModifyListener", in, o, c.to.ELB.ModifyListener)
}

// DescribeRules asks first.
func (c *calls) DescribeRules(ctx context.Context, in *elb.DescribeRulesInput, o ...func(*elb.Options)) (*elb.DescribeRulesOutput, error) {
	return through(ctx, c, "DescribeRules", in, o, c.to.ELB.DescribeRules)
}

// ModifyRule asks first.
func (c *calls) ModifyRule(ctx context.Context, in *elb.ModifyRuleInput, o ...func(*elb.Options)) (*elb.ModifyRuleOutput, error) {
	return through(ctx, c, "ModifyRule", in, o, c.to.ELB.ModifyRule)
}

// DescribeTargetHealth asks first.
func (c *calls) DescribeTargetHealth(ctx context.Context, in *elb.DescribeTargetHealthInput, o ...func(*elb.Options)) (*elb.DescribeTargetHealthOutput, error) {
	return through(ctx, c, "DescribeTargetHealth", in, o, c.to.ELB.DescribeTargetHealth)
}

// DescribeServices asks first.
func (c *calls) DescribeServices(ctx context.Context, in *ecs.DescribeServicesInput, o ...func(*ecs.Options)) (*ecs.DescribeServicesOutput, error) {
	return through(ctx, c, "DescribeServices", in, o, c.to.ECS.DescribeServices)
}

// UpdateService asks first.
func (c *calls) UpdateService(ctx context.Context, in *ecs.UpdateServiceInput, o ...func(*ecs.Options)) (*ecs.UpdateServiceOutput, error) {
	return through(ctx, c, "UpdateService", in, o, c.to.ECS.UpdateService)
}

// DescribeTaskDefinition asks first.
func (c *calls) DescribeTaskDefinition(ctx context.Context, in *ecs.DescribeTaskDefinitionInput, o ...func(*ecs.Options)) (*ecs.DescribeTaskDefinitionOutput, error) {
	return through(ctx, c, "DescribeTaskDefinition", in, o, c.to.ECS.DescribeTaskDefinition)
}

// ListTasks asks first.
func (c *calls) ListTasks(ctx context.Context, in *ecs.ListTasksInput, o ...func(*ecs.Options)) (*ecs.ListTasksOutput, error) {
	return through(ctx, c, "ListTasks", in, o, c.to.ECS.ListTasks)
}

// DescribeTasks asks first.
func (c *calls) DescribeTasks(ctx context.Context, in *ecs.DescribeTasksInput, o ...func(*ecs.Options)) (*ecs.DescribeTasksOutput, error) {
	return through(ctx, c, "DescribeTasks", in, o, c.to.ECS.DescribeTasks)
}

// DescribeScalableTargets asks first.
func (c *calls) DescribeScalableTargets(ctx context.Context, in *applicationautoscaling.DescribeScalableTargetsInput, o ...func(*applicationautoscaling.Options)) (*applicationautoscaling.DescribeScalableTargetsOutput, error) {
	return through(ctx, c, "DescribeScalableTargets", in, o, c.to.Scaling.DescribeScalableTargets)
}

// RegisterScalableTarget asks first.
func (c *calls) RegisterScalableTarget(ctx context.Context, in *applicationautoscaling.RegisterScalableTargetInput, o ...func(*applicationautoscaling.Options)) (*applicationautoscaling.RegisterScalableTargetOutput, error) {
	return through(ctx, c, "RegisterScalableTarget", in, o, c.to.Scaling.RegisterScalableTarget)
}

// GetMetricData asks first.
func (c *calls) GetMetricData(ctx context.Context, in *cloudwatch.GetMetricDataInput, o ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	return through(ctx, c, "GetMetricData", in, o, c.to.CloudWatch.GetMetricData)
}

// DescribeAlarms asks first.
func (c *calls) DescribeAlarms(ctx context.Context, in *cloudwatch.DescribeAlarmsInput, o ...func(*cloudwatch.Options)) (*cloudwatch.DescribeAlarmsOutput, error) {
	return through(ctx, c, "DescribeAlarms", in, o, c.to.CloudWatch.DescribeAlarms)
}

// FilterLogEvents asks first.
func (c *calls) FilterLogEvents(ctx context.Context, in *cloudwatchlogs.FilterLogEventsInput, o ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	return through(ctx, c, "FilterLogEvents", in, o, c.to.Logs.FilterLogEvents)
}

// PutJobSuccessResult asks first.
func (c *calls) PutJobSuccessResult(ctx context.Context, in *codepipeline.PutJobSuccessResultInput, o ...func(*codepipeline.Options)) (*codepipeline.PutJobSuccessResultOutput, error) {
	return through(ctx, c, "PutJobSuccessResult", in, o, c.to.CodePipeline.PutJobSuccessResult)
}

// PutJobFailureResult asks first.
func (c *calls) PutJobFailureResult(ctx context.Context, in *codepipeline.PutJobFailureResultInput, o ...func(*codepipeline.Options)) (*codepipeline.PutJobFailureResultOutput, error) {
	return through(ctx, c, "PutJobFailureResult", in, o, c.to.CodePipeline.PutJobFailureResult)
}

// GetParameter asks first.
func (c *calls) GetParameter(ctx context.Context, in *ssm.GetParameterInput, o ...func(*ssm.Options)) (*ssm.GetParameterOutput, error) {
	return through(ctx, c, "GetParameter", in, o, c.to.Parameters.GetParameter)
}

// GetSchedule asks first.
func (c *calls) GetSchedule(ctx context.Context, in *scheduler.GetScheduleInput, o ...func(*scheduler.Options)) (*scheduler.GetScheduleOutput, error) {
	return through(ctx, c, "GetSchedule", in, o, c.to.Scheduler.GetSchedule)
}

// CreateSchedule asks first.
func (c *calls) CreateSchedule(ctx context.Context, in *scheduler.CreateScheduleInput, o ...func(*scheduler.Options)) (*scheduler.CreateScheduleOutput, error) {
	return through(ctx, c, "CreateSchedule", in, o, c.to.Scheduler.CreateSchedule)
}

// UpdateSchedule asks first.
func (c *calls) UpdateSchedule(ctx context.Context, in *scheduler.UpdateScheduleInput, o ...func(*scheduler.Options)) (*scheduler.UpdateScheduleOutput, error) {
	return through(ctx, c, "UpdateSchedule", in, o, c.to.Scheduler.UpdateSchedule)
}

// PutEvents asks first.
func (c *calls) PutEvents(ctx context.Context, in *eventbridge.PutEventsInput, o ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error) {
	return through(ctx, c, "PutEvents", in, o, c.to.EventBridge.PutEvents)
}
