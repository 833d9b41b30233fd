package stacks

import (
	"github.com/pulumi/pulumi-awsx/sdk/v2/go/awsx/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// place is where an environment stands.
type place struct {
	vpc pulumi.StringInput
	// public are the subnets of the load balancer, tasks those of the tasks, which need addresses of their own when they are
	// the public ones.
	public, tasks pulumi.StringArrayInput
	publicTasks   bool
}

// network declares the environment's VPC.
func network(ctx *pulumi.Context, n Network) (*place, error) {
	strategy := map[string]ec2.NatGatewayStrategy{
		"none": ec2.NatGatewayStrategyNone, "single": ec2.NatGatewayStrategySingle, "perZone": ec2.NatGatewayStrategyOnePerAz,
	}[n.Nat]
	subnets := []ec2.SubnetSpecArgs{{Type: ec2.SubnetTypePublic}}
	if strategy != ec2.NatGatewayStrategyNone {
		subnets = append(subnets, ec2.SubnetSpecArgs{Type: ec2.SubnetTypePrivate})
	}
	layout := ec2.SubnetAllocationStrategyAuto
	vpc, err := ec2.NewVpc(ctx, networkComponent, &ec2.VpcArgs{
		CidrBlock:                 &n.Cidr,
		NumberOfAvailabilityZones: &n.Zones,
		NatGateways:               &ec2.NatGatewayConfigurationArgs{Strategy: strategy},
		SubnetSpecs:               subnets,
		SubnetStrategy:            &layout,
		EnableDnsHostnames:        pulumi.Bool(true),
	})
	if err != nil {
		return nil, err
	}
	p := &place{vpc: vpc.VpcId, public: vpc.PublicSubnetIds, tasks: vpc.PrivateSubnetIds}
	if strategy == ec2.NatGatewayStrategyNone {
		p.tasks, p.publicTasks = vpc.PublicSubnetIds, true
	}
	return p, nil
}
