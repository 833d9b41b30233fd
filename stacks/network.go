package stacks

import (
	aws "github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-awsx/sdk/v2/go/awsx/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"github.com/penguinshop/delivery/components"
)

// place is where an environment stands.
type place struct {
	vpc pulumi.StringInput
	// public are the subnets of the load balancer, tasks those of the tasks, which need addresses of their own when they are
	// the public ones.
	public, tasks pulumi.StringArrayInput
	publicTasks   bool
}

const (
	natNone      = "none"
	natSingle    = "single"
	natPerZone   = "perZone"
	natEndpoints = "endpoints"
)

// network declares the environment's VPC, or takes the one that the config names, and records its connections where that is
// wanted.
func network(ctx *pulumi.Context, c Config, home home) (*place, error) {
	p, err := existingOrOwn(ctx, c.Network, home)
	if err != nil || !c.Network.FlowLogs {
		return p, err
	}
	_, err = components.NewFlowLog(ctx, flowComponent, &components.FlowLogArgs{
		VpcID: p.vpc, LogRetentionDays: c.LogRetentionDays, KeyArn: home.key,
	})
	return p, err
}

func existingOrOwn(ctx *pulumi.Context, n Network, home home) (*place, error) {
	if n.Existing == nil {
		return ownNetwork(ctx, n, home)
	}
	p := &place{
		vpc: pulumi.String(n.Existing.VpcID), public: pulumi.ToStringArray(n.Existing.PublicSubnetIDs),
		tasks: pulumi.ToStringArray(n.Existing.TaskSubnetIDs),
	}
	if len(n.Existing.TaskSubnetIDs) == 0 {
		p.tasks, p.publicTasks = p.public, true
	}
	return p, nil
}

func ownNetwork(ctx *pulumi.Context, n Network, home home) (*place, error) {
	strategy := map[string]ec2.NatGatewayStrategy{
		natNone: ec2.NatGatewayStrategyNone, natEndpoints: ec2.NatGatewayStrategyNone,
		natSingle: ec2.NatGatewayStrategySingle, natPerZone: ec2.NatGatewayStrategyOnePerAz,
	}[n.Nat]
	subnets := []ec2.SubnetSpecArgs{{Type: ec2.SubnetTypePublic}}
	switch n.Nat {
	case natSingle, natPerZone:
		subnets = append(subnets, ec2.SubnetSpecArgs{Type: ec2.SubnetTypePrivate})
	case natEndpoints:
		subnets = append(subnets, ec2.SubnetSpecArgs{Type: ec2.SubnetTypeIsolated})
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
	switch n.Nat {
	case natNone:
		p.tasks, p.publicTasks = vpc.PublicSubnetIds, true
	case natEndpoints:
		p.tasks = vpc.IsolatedSubnetIds
		_, err = components.NewPrivateEndpoints(ctx, endpointsComponent, &components.PrivateEndpointsArgs{
			VpcID: vpc.VpcId, Cidr: n.Cidr, Region: home.region, Subnets: vpc.IsolatedSubnetIds,
			RouteTableIDs: vpc.RouteTables.ApplyT(func(tables []*aws.RouteTable) pulumi.StringArrayOutput {
				var ids pulumi.StringArray
				for _, table := range tables {
					ids = append(ids, table.ID())
				}
				return ids.ToStringArrayOutput()
			}).(pulumi.StringArrayOutput),
		})
	}
	return p, err
}
