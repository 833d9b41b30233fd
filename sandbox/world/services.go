package world

import (
	"maps"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	sdkwatch "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	sdkpipeline "github.com/aws/aws-sdk-go-v2/service/codepipeline"
	sdkecr "github.com/aws/aws-sdk-go-v2/service/ecr"
	sdkecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	sdklambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	sdkscheduler "github.com/aws/aws-sdk-go-v2/service/scheduler"
	sdkssm "github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/penguinshop/delivery/sandbox/appautoscaling"
	"github.com/penguinshop/delivery/sandbox/cloudwatch"
	"github.com/penguinshop/delivery/sandbox/codebuild"
	"github.com/penguinshop/delivery/sandbox/codepipeline"
	"github.com/penguinshop/delivery/sandbox/ecr"
	"github.com/penguinshop/delivery/sandbox/ecs"
	"github.com/penguinshop/delivery/sandbox/elb"
	"github.com/penguinshop/delivery/sandbox/events"
	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/sandbox/lambda"
	"github.com/penguinshop/delivery/sandbox/logs"
	"github.com/penguinshop/delivery/sandbox/scheduler"
	"github.com/penguinshop/delivery/sandbox/sns"
	"github.com/penguinshop/delivery/sandbox/ssm"
	"github.com/penguinshop/delivery/sandbox/tagging"
	"github.com/penguinshop/delivery/shiftfn/adapter"
)

// Services are those of one AWS account and region. Topics and Builds may be nil, where nothing is told and nothing built.
type Services struct {
	ELB        *elb.Service
	ECS        *ecs.Service
	ECR        *ecr.Service
	Scaling    *appautoscaling.Service
	CloudWatch *cloudwatch.Service
	Logs       *logs.Service
	Parameters *ssm.Service
	Scheduler  *scheduler.Service
	Events     *events.Service
	Topics     *sns.Service
	Builds     *codebuild.Service
	Functions  *lambda.Service
	Pipelines  *codepipeline.Service
	Tagging    *tagging.Service

	// Client reaches the environments by their URLs.
	Client *http.Client
}

// Providers are what stands behind the resource types that the services imitate, by type.
func (s *Services) Providers() map[string]graph.Provider {
	type provider interface {
		Providers() map[string]graph.Provider
	}
	services := []provider{s.ELB, s.ECS, s.ECR, s.Scaling, s.CloudWatch, s.Logs, s.Parameters, s.Scheduler, s.Events, s.Functions, s.Pipelines}
	if s.Topics != nil {
		services = append(services, s.Topics)
	}
	if s.Builds != nil {
		services = append(services, s.Builds)
	}
	all := map[string]graph.Provider{}
	for _, service := range services {
		maps.Copy(all, service.Providers())
	}
	return all
}

// Clients are what a function calls in the place of AWS.
func (s *Services) Clients() adapter.Clients {
	return adapter.Clients{ELB: s.ELB, ECS: s.ECS, Scaling: s.Scaling, CloudWatch: s.CloudWatch, Logs: s.Logs, CodePipeline: s.Pipelines,
		Parameters: s.Parameters, Scheduler: s.Scheduler, EventBridge: s.Events, HTTP: s.Client}
}

// API are the services by the SDK's name for each, for a program that calls them over the wire.
func (s *Services) API() map[string]any {
	return map[string]any{
		applicationautoscaling.ServiceID:   s.Scaling,
		sdkwatch.ServiceID:                 s.CloudWatch,
		cloudwatchlogs.ServiceID:           s.Logs,
		sdkpipeline.ServiceID:              s.Pipelines,
		sdkecr.ServiceID:                   s.ECR,
		sdkecs.ServiceID:                   s.ECS,
		elasticloadbalancingv2.ServiceID:   s.ELB,
		eventbridge.ServiceID:              s.Events,
		sdklambda.ServiceID:                s.Functions,
		resourcegroupstaggingapi.ServiceID: s.Tagging,
		sdkscheduler.ServiceID:             s.Scheduler,
		sdkssm.ServiceID:                   s.Parameters,
	}
}
