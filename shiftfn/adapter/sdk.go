package adapter

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// AWS returns the SDK's clients, set up by the usual environment variables (AWS_REGION, AWS_ENDPOINT_URL, credentials).
func AWS(ctx context.Context) (Clients, error) {
	c, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return Clients{}, err
	}
	return Of(c), nil
}

// Of returns the SDK's clients of one configuration. HTTP is left for the caller to set.
func Of(c aws.Config) Clients {
	return Clients{
		ELB:          elb.NewFromConfig(c),
		ECS:          ecs.NewFromConfig(c),
		Scaling:      applicationautoscaling.NewFromConfig(c),
		CloudWatch:   cloudwatch.NewFromConfig(c),
		Logs:         cloudwatchlogs.NewFromConfig(c),
		CodePipeline: codepipeline.NewFromConfig(c),
		Parameters:   ssm.NewFromConfig(c),
		Scheduler:    scheduler.NewFromConfig(c),
		EventBridge:  eventbridge.NewFromConfig(c),
	}
}
