package components

import (
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// notices are what people are told of a delivery's end, by the state that it ended in.
var notices = []struct{ role, state, text string }{
	{"failed", "FAILED", "Delivery <execution> has failed. The failed action's message in the pipeline <pipeline> says where traffic is " +
		"and what to do; `shiftctl status` says it too. The version before goes on serving unless that message says HALTED."},
	{"succeeded", "SUCCEEDED", "Delivery <execution> of the pipeline <pipeline> is live in every environment. " +
		"`shiftctl rollback` takes it back while the former version is warm."},
}

// notices declares the messages about deliveries, where there is somebody to tell.
func (c *DeliveryPipeline) notices(ctx *pulumi.Context, name string, args *DeliveryPipelineArgs) error {
	if args.TopicArn == nil {
		return nil
	}
	for _, n := range notices {
		rule, err := cloudwatch.NewEventRule(ctx, name+"-"+n.role, &cloudwatch.EventRuleArgs{
			Description: pulumi.String("Tells people of a delivery that has " + n.role),
			EventPattern: pulumi.JSONMarshal(pulumi.Map{
				"source":      pulumi.ToStringArray([]string{"aws.codepipeline"}),
				"detail-type": pulumi.ToStringArray([]string{"CodePipeline Pipeline Execution State Change"}),
				"resources":   pulumi.StringArray{c.PipelineArn},
				"detail":      pulumi.Map{"state": pulumi.ToStringArray([]string{n.state})},
			}),
		}, pulumi.Parent(c))
		if err != nil {
			return err
		}
		if _, err := cloudwatch.NewEventTarget(ctx, name+"-"+n.role, &cloudwatch.EventTargetArgs{
			Rule: rule.Name, Arn: args.TopicArn,
			InputTransformer: &cloudwatch.EventTargetInputTransformerArgs{
				InputPaths:    pulumi.StringMap{"execution": pulumi.String("$.detail.execution-id"), "pipeline": pulumi.String("$.detail.pipeline")},
				InputTemplate: pulumi.String(`"` + n.text + `"`),
			},
		}, pulumi.Parent(rule)); err != nil {
			return err
		}
	}
	return nil
}
