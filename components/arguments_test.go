package components

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/contract"
)

func TestWrongArgumentsAreRefusedBeforeTheComponentIsRegistered(t *testing.T) {
	subnets := pulumi.ToStringArray([]string{"subnet-1", "subnet-2"})
	for _, c := range []struct {
		says    string
		declare func(ctx *pulumi.Context) error
	}{
		{"BlueGreenAlb: VpcID and Subnets are needed", func(ctx *pulumi.Context) error {
			_, err := NewBlueGreenAlb(ctx, "web", nil)
			return err
		}},
		{"BlueGreenAlb: Port is 0", func(ctx *pulumi.Context) error {
			_, err := NewBlueGreenAlb(ctx, "web", &BlueGreenAlbArgs{VpcID: pulumi.String("vpc-1"), Subnets: subnets})
			return err
		}},
		{"BlueGreenAlb: PreviewHeader and PreviewSecret are needed", func(ctx *pulumi.Context) error {
			_, err := NewBlueGreenAlb(ctx, "web", &BlueGreenAlbArgs{VpcID: pulumi.String("vpc-1"), Subnets: subnets, Port: 80})
			return err
		}},
		{"BlueGreenAlb: IngressCidrs is empty", func(ctx *pulumi.Context) error {
			_, err := NewBlueGreenAlb(ctx, "web", &BlueGreenAlbArgs{VpcID: pulumi.String("vpc-1"), Subnets: subnets, Port: 80, SingleSide: true})
			return err
		}},
		{"EcsEnvironment: Family, Repositories, Subnets and Blue are needed", func(ctx *pulumi.Context) error {
			_, err := NewEcsEnvironment(ctx, "app", nil)
			return err
		}},
		{"EcsEnvironment: Scaling is 2 to 1 tasks", func(ctx *pulumi.Context) error {
			_, err := NewEcsEnvironment(ctx, "app", &EcsEnvironmentArgs{
				Family: "shop", Repositories: []string{"shop"}, Subnets: subnets, Blue: &EcsSideArgs{}, Scaling: Scaling{Minimum: 2, Maximum: 1},
			})
			return err
		}},
		{"no Fargate task has 300 CPU units", func(ctx *pulumi.Context) error {
			_, err := NewEcsEnvironment(ctx, "app", &EcsEnvironmentArgs{
				Family: "shop", Repositories: []string{"shop"}, Subnets: subnets, Blue: &EcsSideArgs{}, Scaling: Scaling{Minimum: 1, Maximum: 1},
				Size: FargateSize{300, 512},
			})
			return err
		}},
		{"TrafficShift: Code, ClusterArn, ListenerArn and PreviewRuleArn are needed", func(ctx *pulumi.Context) error {
			_, err := NewTrafficShift(ctx, "shift", nil)
			return err
		}},
		{"HealthAlarms: LoadBalancerSuffix and Blue are needed", func(ctx *pulumi.Context) error {
			_, err := NewHealthAlarms(ctx, "alarms", nil)
			return err
		}},
		{"HealthAlarms: Name is needed", func(ctx *pulumi.Context) error {
			_, err := NewHealthAlarms(ctx, "alarms", &HealthAlarmsArgs{LoadBalancerSuffix: pulumi.String("a"), Blue: pulumi.String("b")})
			return err
		}},
		{"Notifications: Emails and AccountID are needed", func(ctx *pulumi.Context) error {
			_, err := NewNotifications(ctx, "news", nil)
			return err
		}},
		{`Notifications: "nobody" is not an e-mail address`, func(ctx *pulumi.Context) error {
			_, err := NewNotifications(ctx, "news", &NotificationsArgs{Emails: []string{"nobody"}, AccountID: "1"})
			return err
		}},
		{"FlowLog: VpcID is needed", func(ctx *pulumi.Context) error {
			_, err := NewFlowLog(ctx, "flow", nil)
			return err
		}},
		{"PrivateEndpoints: VpcID, Cidr", func(ctx *pulumi.Context) error {
			_, err := NewPrivateEndpoints(ctx, "endpoints", nil)
			return err
		}},
		{"Dashboard: DashboardName", func(ctx *pulumi.Context) error {
			_, err := NewDashboard(ctx, "dashboard", nil)
			return err
		}},
		{"BlueGreenAlb: HostedZoneID is given without the Domain", func(ctx *pulumi.Context) error {
			_, err := NewBlueGreenAlb(ctx, "web", &BlueGreenAlbArgs{
				VpcID: pulumi.String("vpc-1"), Subnets: subnets, Port: 80, SingleSide: true, HostedZoneID: pulumi.String("Z1"),
			})
			return err
		}},
		{"BlueGreenAlb: AccountID is needed with AccessLogDays", func(ctx *pulumi.Context) error {
			_, err := NewBlueGreenAlb(ctx, "web", &BlueGreenAlbArgs{
				VpcID: pulumi.String("vpc-1"), Subnets: subnets, Port: 80, SingleSide: true, AccessLogDays: 30,
			})
			return err
		}},
		{"DataKey: AccountID, Region and Partition are needed", func(ctx *pulumi.Context) error {
			_, err := NewDataKey(ctx, "data", nil)
			return err
		}},
		{"DeliveryPipeline: Repository.Name and Source.Repository are needed", func(ctx *pulumi.Context) error {
			_, err := NewDeliveryPipeline(ctx, "delivery", nil)
			return err
		}},
		{"DeliveryPipeline: AccountID and Region are needed", func(ctx *pulumi.Context) error {
			return pipelineWith(ctx, func(a *DeliveryPipelineArgs) { a.Region = "" })
		}},
		{"DeliveryPipeline: Environments is empty", func(ctx *pulumi.Context) error {
			return pipelineWith(ctx, func(a *DeliveryPipelineArgs) { a.Environments = nil })
		}},
		{`DeliveryPipeline: two environments have the name "dev"`, func(ctx *pulumi.Context) error {
			return pipelineWith(ctx, func(a *DeliveryPipelineArgs) { a.Environments = append(a.Environments, a.Environments...) })
		}},
		{`DeliveryPipeline: Scan.FailOn is "SEVERE"`, func(ctx *pulumi.Context) error {
			return pipelineWith(ctx, func(a *DeliveryPipelineArgs) { a.Scan.FailOn = "SEVERE" })
		}},
		{"DeliveryPipeline: the environment dev of account 123456789012 needs a DeployRoleArn, and the pipeline a KeyArn",
			func(ctx *pulumi.Context) error {
				return pipelineWith(ctx, func(a *DeliveryPipelineArgs) { a.AccountID = "210987654321" })
			}},
		{"DeliveryPipeline: ArtifactRegions lacks eu-central-1, where the environment dev stands", func(ctx *pulumi.Context) error {
			return pipelineWith(ctx, func(a *DeliveryPipelineArgs) { a.Region = "eu-west-1" })
		}},
		{"DeployAccess: AccountID, Partition and PipelineRole are needed", func(ctx *pulumi.Context) error {
			_, err := NewDeployAccess(ctx, "deploy", &DeployAccessArgs{AccountID: "1", Partition: "aws"})
			return err
		}},
	} {
		t.Run(c.says, func(t *testing.T) {
			registered := &registrations{}
			err := pulumi.RunErr(c.declare, pulumi.WithMocks("shop", "test", registered))
			require.ErrorContains(t, err, c.says)
			require.Empty(t, registered.names)
		})
	}
}

// pipelineWith declares a pipeline whose arguments are right but for one change.
func pipelineWith(ctx *pulumi.Context, change func(*DeliveryPipelineArgs)) error {
	args := &DeliveryPipelineArgs{
		Repository: Repository{Name: "a"}, Source: Source{Repository: "a/b"}, Scan: ScanGate{FailOn: NoScanGate},
		AccountID: "123456789012", Region: "eu-central-1",
		Environments: []DeliveryEnvironment{{Name: "dev", Outputs: contract.Fake("dev", contract.BlueGreen)}},
	}
	change(args)
	_, err := NewDeliveryPipeline(ctx, "delivery", args)
	return err
}

// registrations remembers what was registered.
type registrations struct{ names []string }

func (r *registrations) NewResource(args pulumi.MockResourceArgs) (string, resource.PropertyMap, error) {
	r.names = append(r.names, args.Name)
	return args.Name, nil, nil
}

func (r *registrations) Call(pulumi.MockCallArgs) (resource.PropertyMap, error) { return nil, nil }
