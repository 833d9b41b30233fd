package components

import (
	"fmt"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// PrivateEndpoints lets tasks without a way to the internet reach what they need of AWS: the registry, the log, and the
// parameters and secrets that they are started with.
type PrivateEndpoints struct {
	pulumi.ResourceState

	SecurityGroupID pulumi.StringOutput
}

// PrivateEndpointsArgs are the arguments of NewPrivateEndpoints.
type PrivateEndpointsArgs struct {
	VpcID pulumi.StringInput
	// Cidr is the VPC's own block, which may reach the endpoints.
	Cidr string
	// Region is a part of the services' names.
	Region string
	// Subnets are where the endpoints have their addresses, one for each zone.
	Subnets pulumi.StringArrayInput
	// RouteTableIDs are the tables that lead to S3, which holds the images' layers.
	RouteTableIDs pulumi.StringArrayInput
}

// privateServices are the services with an interface endpoint, each charged by the hour and zone.
var privateServices = []string{"ecr.api", "ecr.dkr", "logs", "secretsmanager", "ssm", "ssmmessages"}

// NewPrivateEndpoints declares the endpoints.
func NewPrivateEndpoints(
	ctx *pulumi.Context, name string, args *PrivateEndpointsArgs, opts ...pulumi.ResourceOption,
) (*PrivateEndpoints, error) {
	if args == nil || args.VpcID == nil || args.Cidr == "" || args.Region == "" || args.Subnets == nil || args.RouteTableIDs == nil {
		return nil, fmt.Errorf("PrivateEndpoints: VpcID, Cidr, Region, Subnets and RouteTableIDs are needed")
	}
	c := &PrivateEndpoints{}
	if err := ctx.RegisterComponentResource(typePrivateEndpoints, name, c, opts...); err != nil {
		return nil, err
	}
	group, err := ec2.NewSecurityGroup(ctx, name+"-access", &ec2.SecurityGroupArgs{
		VpcId: args.VpcID, Description: pulumi.String("The endpoints of AWS's services"),
	}, pulumi.Parent(c))
	if err != nil {
		return nil, err
	}
	if _, err := ec2.NewSecurityGroupRule(ctx, name+"-access", &ec2.SecurityGroupRuleArgs{
		SecurityGroupId: group.ID(), Type: pulumi.String("ingress"), Protocol: pulumi.String("tcp"),
		FromPort: pulumi.Int(443), ToPort: pulumi.Int(443),
		CidrBlocks: pulumi.ToStringArray([]string{args.Cidr}), Description: pulumi.String("From the VPC"),
	}, pulumi.Parent(group)); err != nil {
		return nil, err
	}
	for _, service := range privateServices {
		if _, err := ec2.NewVpcEndpoint(ctx, name+"-"+service, &ec2.VpcEndpointArgs{
			VpcId: args.VpcID, VpcEndpointType: pulumi.String("Interface"),
			ServiceName:       pulumi.String("com.amazonaws." + args.Region + "." + service),
			SubnetIds:         args.Subnets,
			SecurityGroupIds:  pulumi.StringArray{group.ID()},
			PrivateDnsEnabled: pulumi.Bool(true),
		}, pulumi.Parent(c)); err != nil {
			return nil, err
		}
	}
	if _, err := ec2.NewVpcEndpoint(ctx, name+"-s3", &ec2.VpcEndpointArgs{
		VpcId: args.VpcID, VpcEndpointType: pulumi.String("Gateway"),
		ServiceName:   pulumi.String("com.amazonaws." + args.Region + ".s3"),
		RouteTableIds: args.RouteTableIDs,
	}, pulumi.Parent(c)); err != nil {
		return nil, err
	}
	c.SecurityGroupID = group.ID().ToStringOutput()
	return c, ctx.RegisterResourceOutputs(c, pulumi.Map{"securityGroupId": c.SecurityGroupID})
}
