// Package operator is what a person does with a delivery that runs: look at it, move its traffic back, answer its approvals, read
// what it did. It sees an environment with the eyes of the function that shifts its traffic, and writes two things only: a
// listener's weights, and an approval's answer. To put an environment to sleep, and to wake it, it calls that function.
package operator

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"

	"github.com/penguinshop/delivery/shiftfn/adapter"
)

// Clients are the AWS operations that the package calls. The SDK's clients satisfy these interfaces, and so do the services of a
// local world.
type Clients struct {
	// World is what the function itself looks with. Of its writing operations ModifyListener alone is called.
	World     adapter.Clients
	Tagging   Tagging
	Functions Functions
	Images    Images
	Pipelines Pipelines
}

// Tagging finds resources by their tags.
type Tagging interface {
	GetResources(context.Context, *resourcegroupstaggingapi.GetResourcesInput, ...func(*resourcegroupstaggingapi.Options)) (*resourcegroupstaggingapi.GetResourcesOutput, error)
}

// Functions tells what a function was set up with, and calls it.
type Functions interface {
	Invoke(context.Context, *lambda.InvokeInput, ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
	GetFunctionConfiguration(context.Context, *lambda.GetFunctionConfigurationInput, ...func(*lambda.Options)) (*lambda.GetFunctionConfigurationOutput, error)
}

// Images tells which tags, and so which commit, an image has.
type Images interface {
	DescribeImages(context.Context, *ecr.DescribeImagesInput, ...func(*ecr.Options)) (*ecr.DescribeImagesOutput, error)
}

// Pipelines is the delivery's pipeline: its state, its history and its approvals.
type Pipelines interface {
	GetPipeline(context.Context, *codepipeline.GetPipelineInput, ...func(*codepipeline.Options)) (*codepipeline.GetPipelineOutput, error)
	GetPipelineState(context.Context, *codepipeline.GetPipelineStateInput, ...func(*codepipeline.Options)) (*codepipeline.GetPipelineStateOutput, error)
	ListPipelineExecutions(context.Context, *codepipeline.ListPipelineExecutionsInput, ...func(*codepipeline.Options)) (*codepipeline.ListPipelineExecutionsOutput, error)
	ListActionExecutions(context.Context, *codepipeline.ListActionExecutionsInput, ...func(*codepipeline.Options)) (*codepipeline.ListActionExecutionsOutput, error)
	PutApprovalResult(context.Context, *codepipeline.PutApprovalResultInput, ...func(*codepipeline.Options)) (*codepipeline.PutApprovalResultOutput, error)
}

// Of returns the SDK's clients of one configuration.
func Of(c aws.Config) Clients {
	return Clients{
		World:     adapter.Of(c),
		Tagging:   resourcegroupstaggingapi.NewFromConfig(c),
		Functions: lambda.NewFromConfig(c),
		Images:    ecr.NewFromConfig(c),
		Pipelines: codepipeline.NewFromConfig(c),
	}
}
