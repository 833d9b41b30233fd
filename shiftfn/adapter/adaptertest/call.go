package adaptertest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go/middleware"
)

// Call is one request as IAM judges it.
type Call struct {
	// Action is IAM's name of it, such as ecs:UpdateService.
	Action string
	// Resource is the ARN of what it is about, or * where AWS has no resource-level permission for the action.
	Resource string
	// Context holds the condition keys that AWS sets for it, as far as a policy may ask for them.
	Context map[string]string
}

func (c Call) String() string {
	text := c.Action + " on " + c.Resource
	for _, key := range slices.Sorted(maps.Keys(c.Context)) {
		text += " with " + key + "=" + c.Context[key]
	}
	return text
}

// prefixes are the services' names in IAM, by the SDK's. An action has the name of its operation: of those that the function
// calls, none has another. Two need a second action (see needs): CreateSchedule and UpdateSchedule hand a role on.
var prefixes = map[string]string{
	elb.ServiceID: "elasticloadbalancing", ecs.ServiceID: "ecs", applicationautoscaling.ServiceID: "application-autoscaling",
	cloudwatch.ServiceID: "cloudwatch", cloudwatchlogs.ServiceID: "logs", codepipeline.ServiceID: "codepipeline",
	ssm.ServiceID: "ssm", scheduler.ServiceID: "scheduler", eventbridge.ServiceID: "events",
}

// recorder notes the calls of the SDK's clients, whether they succeed or not.
type recorder struct {
	mu         sync.Mutex
	operations map[string]bool
	calls      map[string]Call
	unknown    []string
}

// watch returns a configuration whose clients are recorded, for calls in the configuration's region.
func (r *recorder) watch(c aws.Config, account string) aws.Config {
	c.APIOptions = append(slices.Clone(c.APIOptions), func(stack *middleware.Stack) error {
		// Before: a configuration may end the SDK's stack in one of its own steps.
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("RecordCall", func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			out, metadata, err := next.HandleInitialize(ctx, in)
			r.note(home{c.Region, account}, middleware.GetServiceID(ctx), middleware.GetOperationName(ctx), in.Parameters, out.Result)
			return out, metadata, err
		}), middleware.Before)
	})
	return c
}

func (r *recorder) note(at home, service, operation string, in, out any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.operations[operation] = true
	needed, known := at.needs(prefixes[service]+":"+operation, in, out)
	if !known {
		r.unknown = append(r.unknown, operation)
	}
	for _, c := range needed {
		r.calls[c.String()] = c
	}
}

// home is the account and region that ARNs are made of.
type home struct{ region, account string }

func (h home) arn(service, resource string) string {
	return fmt.Sprintf("arn:aws:%s:%s:%s:%s", service, h.region, h.account, resource)
}

// needs are the permissions that a call takes, by the «Service Authorization Reference» of its service.
func (h home) needs(action string, in, out any) (calls []Call, known bool) {
	on := func(resources ...string) ([]Call, bool) {
		for _, resource := range resources {
			calls = append(calls, Call{Action: action, Resource: resource})
		}
		return calls, true
	}
	cluster := func(name *string) string {
		return aws.ToString(name)[strings.LastIndexByte(aws.ToString(name), '/')+1:]
	}
	schedule := func(group, name, role *string) ([]Call, bool) {
		calls, _ := on(h.arn("scheduler", "schedule/"+aws.ToString(group)+"/"+aws.ToString(name)))
		if role != nil {
			calls = append(calls, Call{"iam:PassRole", *role, map[string]string{"iam:PassedToService": "scheduler.amazonaws.com"}})
		}
		return calls, true
	}
	switch in := in.(type) {
	case *elb.DescribeListenersInput, *elb.DescribeRulesInput, *elb.DescribeTargetHealthInput, *ecs.DescribeTaskDefinitionInput,
		*applicationautoscaling.DescribeScalableTargetsInput, *cloudwatch.GetMetricDataInput, *cloudwatch.DescribeAlarmsInput,
		*codepipeline.PutJobSuccessResultInput, *codepipeline.PutJobFailureResultInput:
		return on("*")
	case *elb.ModifyListenerInput:
		return on(aws.ToString(in.ListenerArn))
	case *elb.ModifyRuleInput:
		return on(aws.ToString(in.RuleArn))
	case *ecs.DescribeServicesInput:
		for _, service := range in.Services {
			on(h.arn("ecs", "service/"+cluster(in.Cluster)+"/"+service))
		}
		return calls, true
	case *ecs.UpdateServiceInput:
		return on(h.arn("ecs", "service/"+cluster(in.Cluster)+"/"+aws.ToString(in.Service)))
	case *ecs.ListTasksInput:
		return []Call{{action, "*", map[string]string{"ecs:cluster": h.arn("ecs", "cluster/"+cluster(in.Cluster))}}}, true
	case *ecs.DescribeTasksInput:
		return on(in.Tasks...)
	case *applicationautoscaling.RegisterScalableTargetInput:
		if registered, ok := out.(*applicationautoscaling.RegisterScalableTargetOutput); ok && registered != nil {
			return []Call{{action, aws.ToString(registered.ScalableTargetARN), map[string]string{
				"application-autoscaling:service-namespace":  string(in.ServiceNamespace),
				"application-autoscaling:scalable-dimension": string(in.ScalableDimension),
			}}}, true
		}
		return nil, true // refused: which target it would have been is not known
	case *cloudwatchlogs.FilterLogEventsInput:
		// The logs' user guide, «Overview of managing access permissions»: what is within a group is asked for by the group's
		// ARN with more behind it; a refusal names it so.
		return on(h.arn("logs", "log-group:"+aws.ToString(in.LogGroupName)+":log-stream:"))
	case *ssm.GetParameterInput:
		// The key of SecureString parameters, where none is chosen, is AWS's own, which whoever may read the parameter may use.
		return on(h.arn("ssm", "parameter/"+strings.TrimPrefix(aws.ToString(in.Name), "/")))
	case *scheduler.GetScheduleInput:
		return schedule(in.GroupName, in.Name, nil)
	case *scheduler.CreateScheduleInput:
		return schedule(in.GroupName, in.Name, in.Target.RoleArn)
	case *scheduler.UpdateScheduleInput:
		return schedule(in.GroupName, in.Name, in.Target.RoleArn)
	case *eventbridge.PutEventsInput:
		for _, entry := range in.Entries {
			bus := aws.ToString(entry.EventBusName)
			if bus == "" {
				bus = "default"
			}
			on(h.arn("events", "event-bus/"+bus))
		}
		return calls, true
	}
	return nil, false
}
