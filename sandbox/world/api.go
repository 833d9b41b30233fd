package world

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/penguinshop/delivery/operator"
)

// API are the services by the SDK's name for each, for a program that calls them over the wire.
func (w *World) API() map[string]any {
	return map[string]any{
		applicationautoscaling.ServiceID:   w.Scaling,
		cloudwatch.ServiceID:               w.CloudWatch,
		cloudwatchlogs.ServiceID:           w.Logs,
		codepipeline.ServiceID:             w.Pipelines,
		ecr.ServiceID:                      w.ECR,
		ecs.ServiceID:                      w.ECS,
		elasticloadbalancingv2.ServiceID:   w.ELB,
		eventbridge.ServiceID:              w.Events,
		lambda.ServiceID:                   w.Functions,
		resourcegroupstaggingapi.ServiceID: w.Tagging,
		scheduler.ServiceID:                w.Scheduler,
		ssm.ServiceID:                      w.Parameters,
	}
}

// Operator is the delivery as an operator's tools see it.
func (w *World) Operator(ctx context.Context) (*operator.Delivery, error) {
	return operator.Find(ctx, operator.Clients{World: w.functionClients(), Tagging: w.Tagging, Functions: w.Functions, Images: w.ECR,
		Pipelines: w.Pipelines}, w.Clock.Now, w.project)
}

// Scale is how many times faster than the machine's the world's time runs.
func (w *World) Scale() float64 { return w.scale }
