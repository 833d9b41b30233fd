package components

import (
	"fmt"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/penguinshop/delivery/contract"
)

// DeployAccess lets the pipeline of another account deliver to an environment: a role of this account that the pipeline's own
// role takes on for its actions here.
type DeployAccess struct {
	pulumi.ResourceState

	RoleArn pulumi.StringOutput
}

// DeployAccessArgs are the arguments of NewDeployAccess.
type DeployAccessArgs struct {
	// AccountID is the pipeline's; Partition is "aws" outside China and GovCloud.
	AccountID, Partition string
	// PipelineRole is the name of the pipeline's role, in which * stands for what is not known before the pipeline is there.
	PipelineRole string
	// Environment is what is delivered to. Its cluster, services, task definitions, roles and function count.
	Environment contract.Environment
}

// NewDeployAccess declares the role. It may be declared before the pipeline is there.
func NewDeployAccess(ctx *pulumi.Context, name string, args *DeployAccessArgs, opts ...pulumi.ResourceOption) (*DeployAccess, error) {
	if args == nil || args.AccountID == "" || args.Partition == "" || args.PipelineRole == "" {
		return nil, fmt.Errorf("DeployAccess: AccountID, Partition and PipelineRole are needed")
	}
	c := &DeployAccess{}
	if err := ctx.RegisterComponentResource(typeDeployAccess, name, c, opts...); err != nil {
		return nil, err
	}
	pipeline := fmt.Sprintf("arn:%s:iam::%s:role/%s", args.Partition, args.AccountID, args.PipelineRole)
	own, err := role(ctx, name+"-pipeline", "What the pipeline of another account may do here", Statement{
		Accounts:   []string{args.AccountID},
		Conditions: []Condition{{"ArnLike", "aws:PrincipalArn", []pulumi.StringInput{pulumi.String(pipeline)}}},
	}, append(deployPolicy([]contract.Environment{args.Environment}),
		Statement{
			Actions:    []string{"s3:GetObject", "s3:GetObjectVersion"},
			Resources:  []pulumi.StringInput{pulumi.Sprintf("arn:%s:s3:::*/*", args.Partition)},
			Conditions: []Condition{Equals("aws:ResourceAccount", pulumi.String(args.AccountID))},
			Reason:     "the pipeline's bucket which has to allow it as well is made after this role",
		},
		Statement{
			Actions:   []string{"kms:Decrypt"},
			Resources: []pulumi.StringInput{moved(sibling(args.Environment.ClusterArn, "kms", "key/*"), args.Environment.Region, args.AccountID)},
			Reason:    "the pipeline's key in this region which has to allow it as well is made after this role",
		},
	), c)
	if err != nil {
		return nil, err
	}
	c.RoleArn = own.Arn
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{"roleArn": c.RoleArn})
}
