package components

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// FlowLog keeps a record of every connection in a VPC, accepted or refused.
type FlowLog struct {
	pulumi.ResourceState

	LogGroupName pulumi.StringOutput
}

// FlowLogArgs are the arguments of NewFlowLog.
type FlowLogArgs struct {
	VpcID            pulumi.StringInput
	LogRetentionDays int
	// KeyArn is the key that the log rests under; nil means CloudWatch's own.
	KeyArn pulumi.StringInput
}

// NewFlowLog declares the record.
func NewFlowLog(ctx *pulumi.Context, name string, args *FlowLogArgs, opts ...pulumi.ResourceOption) (*FlowLog, error) {
	if args == nil || args.VpcID == nil {
		return nil, fmt.Errorf("FlowLog: VpcID is needed")
	}
	c := &FlowLog{}
	if err := ctx.RegisterComponentResource(typeFlowLog, name, c, opts...); err != nil {
		return nil, err
	}
	logs, err := logGroup(ctx, name+"-log", args.LogRetentionDays, args.KeyArn, c)
	if err != nil {
		return nil, err
	}
	writer, err := role(ctx, name+"-writer", "How the VPC writes its flow log", Statement{
		Services: []string{"vpc-flow-logs.amazonaws.com"},
	}, Policy{{
		Actions:   []string{"logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"},
		Resources: []pulumi.StringInput{logs.Arn, below(logs.Arn, ":log-stream:*")},
		Reason:    "the VPC names one log stream for each network interface",
	}}, c)
	if err != nil {
		return nil, err
	}
	if _, err := ec2.NewFlowLog(ctx, name+"-vpc", &ec2.FlowLogArgs{
		VpcId: args.VpcID, TrafficType: pulumi.String("ALL"), LogDestination: logs.Arn, IamRoleArn: writer.Arn,
	}, pulumi.Parent(c)); err != nil {
		return nil, err
	}
	c.LogGroupName = logs.Name
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{"logGroupName": c.LogGroupName})
}
