package graph_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ecs"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/lb"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ssm"
	"github.com/pulumi/pulumi-awsx/sdk/v2/go/awsx/ec2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/graph"
)

const region = "eu-central-1"

func project(stacks ...string) *graph.Project {
	configs := map[string]map[string]string{}
	for _, stack := range stacks {
		configs[stack] = map[string]string{"aws:region": region, "role": "env"}
	}
	return graph.New("shop", configs)
}

type shop struct {
	pulumi.ResourceState
	Address pulumi.StringOutput `pulumi:"address"`
}

// environment is a program with a component, children, options, a secret and exports.
func environment(ctx *pulumi.Context) error {
	component := &shop{}
	if err := ctx.RegisterComponentResource("shop:index:Shop", "front", component); err != nil {
		return err
	}
	network, err := ec2.NewVpc(ctx, "net", &ec2.VpcArgs{
		CidrBlock: ref("10.1.0.0/16"), NumberOfAvailabilityZones: ref(2),
		NatGateways: &ec2.NatGatewayConfigurationArgs{Strategy: ec2.NatGatewayStrategySingle},
	}, pulumi.Parent(component))
	if err != nil {
		return err
	}
	balancer, err := lb.NewLoadBalancer(ctx, "front", &lb.LoadBalancerArgs{Subnets: network.PublicSubnetIds},
		pulumi.Parent(component), pulumi.Protect(true))
	if err != nil {
		return err
	}
	group, err := lb.NewTargetGroup(ctx, "front-blue", &lb.TargetGroupArgs{VpcId: network.VpcId}, pulumi.Parent(component))
	if err != nil {
		return err
	}
	listener, err := lb.NewListener(ctx, "front", &lb.ListenerArgs{
		LoadBalancerArn: balancer.Arn,
		DefaultActions: lb.ListenerDefaultActionArray{
			lb.ListenerDefaultActionArgs{Type: pulumi.String("forward"), TargetGroupArn: group.Arn},
		},
	}, pulumi.Parent(component), pulumi.IgnoreChanges([]string{"defaultActions"}), pulumi.DependsOn([]pulumi.Resource{group}))
	if err != nil {
		return err
	}
	secret := config.New(ctx, "").RequireSecret("token")
	if _, err := ssm.NewParameter(ctx, "token", &ssm.ParameterArgs{
		Type: pulumi.String("SecureString"), Value: secret, Name: pulumi.String("/shop/token"),
	}, pulumi.Parent(component)); err != nil {
		return err
	}
	caller, err := aws.GetCallerIdentity(ctx, nil)
	if err != nil {
		return err
	}
	ctx.Export("listenerArn", listener.Arn)
	ctx.Export("accountId", pulumi.String(caller.AccountId))
	ctx.Export("token", secret)
	component.Address = balancer.DnsName
	return ctx.RegisterResourceOutputs(component, pulumi.Map{"address": balancer.DnsName})
}

func ref[T any](value T) *T { return &value }

func withToken(stack string) graph.Option {
	return graph.WithConfig(stack, map[string]string{"token": "hush"})
}

func one(t *testing.T, g *graph.Graph, typ string) graph.Resource {
	t.Helper()
	found := g.OfType(typ)
	require.Len(t, found, 1, typ)
	return found[0]
}

func TestRunRecordsURNsWithEveryParentsType(t *testing.T) {
	g, err := project("dev").Run(t.Context(), "dev", environment, withToken("dev"))
	require.NoError(t, err)

	listener := one(t, g, "aws:lb/listener:Listener")
	assert.Equal(t, "urn:pulumi:dev::shop::shop:index:Shop$aws:lb/listener:Listener::front", listener.URN)
	assert.Equal(t, "urn:pulumi:dev::shop::shop:index:Shop::front", listener.Parent)
	route := g.OfType("aws:ec2/route:Route")[0]
	assert.Contains(t, route.URN, "shop:index:Shop$awsx:ec2:Vpc$aws:ec2/vpc:Vpc$aws:ec2/subnet:Subnet$aws:ec2/routeTable:RouteTable$")
	assert.Equal(t, "urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev", one(t, g, "shop:index:Shop").Parent)
}

func TestRunRecordsOptionsAndDependencies(t *testing.T) {
	g, err := project("dev").Run(t.Context(), "dev", environment, withToken("dev"))
	require.NoError(t, err)

	balancer, group := one(t, g, "aws:lb/loadBalancer:LoadBalancer"), one(t, g, "aws:lb/targetGroup:TargetGroup")
	listener := one(t, g, "aws:lb/listener:Listener")
	assert.Equal(t, []string{"defaultActions"}, listener.IgnoreChanges)
	assert.ElementsMatch(t, []string{balancer.URN, group.URN}, listener.Dependencies)
	assert.Equal(t, []string{balancer.URN}, listener.PropertyDependencies["loadBalancerArn"])
	assert.True(t, balancer.Protect)
	assert.False(t, group.Protect)
}

func TestRunGivesComputedOutputsInAWSsFormats(t *testing.T) {
	g, err := project("dev").Run(t.Context(), "dev", environment, withToken("dev"))
	require.NoError(t, err)

	balancer, group := one(t, g, "aws:lb/loadBalancer:LoadBalancer"), one(t, g, "aws:lb/targetGroup:TargetGroup")
	assert.Regexp(t, `^arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/front-[0-9a-f]{7}/[0-9a-f]{16}$`, balancer.ID)
	assert.Regexp(t, `^front-[0-9a-f]{7}-\d{10}\.eu-central-1\.elb\.amazonaws\.com$`, balancer.Outputs["dnsName"])
	assert.Equal(t, "Z215JYRZR1TBD5", balancer.Outputs["zoneId"])
	assert.Equal(t, "arn:aws:elasticloadbalancing:eu-central-1:123456789012:"+group.Outputs["arnSuffix"].(string), group.Outputs["arn"])
	assert.Regexp(t, `:listener/app/front-[0-9a-f]{7}/[0-9a-f]{16}/[0-9a-f]{16}$`, g.Exports["listenerArn"])
	assert.Equal(t, "arn:aws:ssm:eu-central-1:123456789012:parameter/shop/token", one(t, g, "aws:ssm/parameter:Parameter").Outputs["arn"])
	assert.Empty(t, g.Notes)
}

func TestRunMakesTheNetworkThatAwsxMakes(t *testing.T) {
	g, err := project("dev").Run(t.Context(), "dev", environment, withToken("dev"))
	require.NoError(t, err)

	blocks := map[string]any{}
	var public []any
	for _, s := range g.OfType("aws:ec2/subnet:Subnet") {
		blocks[s.Name] = s.Inputs["cidrBlock"]
		if s.Inputs["mapPublicIpOnLaunch"] == true {
			public = append(public, s.ID)
		}
	}
	assert.Equal(t, map[string]any{
		"net-private-1": "10.1.0.0/18", "net-public-1": "10.1.64.0/19",
		"net-private-2": "10.1.128.0/18", "net-public-2": "10.1.192.0/19",
	}, blocks)
	assert.ElementsMatch(t, public, one(t, g, "aws:lb/loadBalancer:LoadBalancer").Inputs["subnets"])
	assert.Len(t, g.OfType("aws:ec2/natGateway:NatGateway"), 1)
	assert.Len(t, g.OfType("aws:ec2/eip:Eip"), 1)
	nat := one(t, g, "aws:ec2/natGateway:NatGateway").ID
	var through int
	for _, r := range g.OfType("aws:ec2/route:Route") {
		if r.Inputs["natGatewayId"] == nat {
			through++
		}
	}
	assert.Equal(t, 2, through, "both private subnets use the one NAT gateway")
}

func TestRunRecordsWhatAComponentRegisters(t *testing.T) {
	silent := func(ctx *pulumi.Context) error {
		return ctx.RegisterComponentResource("shop:index:Silent", "silent", &shop{})
	}
	g, err := project("dev").Run(t.Context(), "dev", environment, withToken("dev"))
	require.NoError(t, err)
	assert.Equal(t, one(t, g, "aws:lb/loadBalancer:LoadBalancer").Outputs["dnsName"], one(t, g, "shop:index:Shop").Registered["address"])

	g, err = project("dev").Run(t.Context(), "dev", silent)
	require.NoError(t, err)
	assert.Nil(t, one(t, g, "shop:index:Silent").Registered)
}

func TestSecretsAreMarkedAndMasked(t *testing.T) {
	p := graph.New("shop", map[string]map[string]string{"dev": {"aws:region": region, "token": "hush"}})
	g, err := p.Run(t.Context(), "dev", environment)
	require.NoError(t, err)
	parameter := one(t, g, "aws:ssm/parameter:Parameter")
	assert.Equal(t, []string{"value"}, parameter.Secrets)
	assert.Equal(t, "hush", parameter.Inputs["value"])
	assert.Equal(t, graph.Secret, parameter.Masked()["value"])
	assert.Equal(t, "/shop/token", parameter.Masked()["name"])
	assert.Equal(t, []string{"token"}, g.SecretExports)
}

func TestTwoRunsOfOneProgramAreEqual(t *testing.T) {
	text := func() string {
		g, err := project("dev").Run(t.Context(), "dev", environment, withToken("dev"))
		require.NoError(t, err)
		printed, err := json.Marshal(g)
		require.NoError(t, err)
		return string(printed)
	}
	assert.Equal(t, text(), text())
}

func TestOrderedPutsEveryResourceAfterWhatItNeeds(t *testing.T) {
	g, err := project("dev").Run(t.Context(), "dev", environment, withToken("dev"))
	require.NoError(t, err)
	ordered := g.Ordered()
	require.Len(t, ordered, len(g.Resources))
	seen := map[string]bool{"": true}
	for _, r := range ordered {
		assert.True(t, seen[r.Parent], "%s before its parent", r.URN)
		for _, d := range r.Dependencies {
			assert.True(t, seen[d], "%s before %s", r.URN, d)
		}
		seen[r.URN] = true
	}
}

func TestAPreviewLeavesUnknownWhatOnlyAWSCanTell(t *testing.T) {
	g, err := project("dev").Run(t.Context(), "dev", environment, withToken("dev"), graph.WithUnknowns())
	require.NoError(t, err)
	assert.Equal(t, graph.Unknown, one(t, g, "aws:lb/listener:Listener").Inputs["loadBalancerArn"])
	assert.Equal(t, graph.Unknown, g.Exports["listenerArn"])
	assert.Empty(t, one(t, g, "aws:lb/loadBalancer:LoadBalancer").ID)
	assert.Len(t, g.OfType("aws:ec2/subnet:Subnet"), 4)
}

// reader reads dev's listener, and environment is every other stack.
func reader(ctx *pulumi.Context) error {
	if ctx.Stack() != "shared" {
		return environment(ctx)
	}
	dev, err := pulumi.NewStackReference(ctx, "dev", &pulumi.StackReferenceArgs{Name: pulumi.String("organization/shop/dev")})
	if err != nil {
		return err
	}
	ctx.Export("seen", dev.GetStringOutput(pulumi.String("listenerArn")))
	ctx.Export("token", dev.GetOutput(pulumi.String("token")))
	return nil
}

func TestAStackReferenceIsAnsweredByRunningThatStack(t *testing.T) {
	g, err := project("dev", "shared").Run(t.Context(), "shared", reader, withToken("dev"))
	require.NoError(t, err)
	assert.Contains(t, g.Exports["seen"], "listener/app/front-")
	assert.Equal(t, []string{"token"}, g.SecretExports, "a secret stays one across stacks")
	assert.Equal(t, []string{"dev"}, g.References)
	assert.True(t, one(t, g, "pulumi:pulumi:StackReference").Read)
}

func TestAStackReferenceIsAnsweredByGivenOutputs(t *testing.T) {
	g, err := project("shared").Run(t.Context(), "shared", reader,
		graph.WithOutputs("organization/shop/dev", map[string]any{"listenerArn": "arn:given"}))
	require.NoError(t, err)
	assert.Equal(t, "arn:given", g.Exports["seen"])
}

func TestRunAllPutsAReferredStackFirst(t *testing.T) {
	graphs, err := project("dev", "a-reader", "shared").RunAll(t.Context(), func(ctx *pulumi.Context) error {
		if ctx.Stack() != "a-reader" {
			return reader(ctx)
		}
		_, err := pulumi.NewStackReference(ctx, "shared", &pulumi.StackReferenceArgs{Name: pulumi.String("organization/shop/shared")})
		return err
	}, withToken("dev"))
	require.NoError(t, err)
	var order []string
	for _, g := range graphs {
		order = append(order, g.Stack)
	}
	assert.Equal(t, []string{"dev", "shared", "a-reader"}, order)
}

func TestProblemsComeBackClean(t *testing.T) {
	refers := func(to string) pulumi.RunFunc {
		return func(ctx *pulumi.Context) error {
			_, err := pulumi.NewStackReference(ctx, "other", &pulumi.StackReferenceArgs{Name: pulumi.String(to)})
			return err
		}
	}
	for name, test := range map[string]struct {
		program pulumi.RunFunc
		want    string
	}{
		"the program's own error": {
			func(*pulumi.Context) error { return errors.New("the size 300 is not one of Fargate's") },
			"stack dev: the size 300 is not one of Fargate's",
		},
		"an error of an apply": {func(ctx *pulumi.Context) error {
			bad := pulumi.String("x").ToStringOutput().ApplyT(func(string) (string, error) { return "", errors.New("no such colour") })
			_, err := ecs.NewCluster(ctx, "c", &ecs.ClusterArgs{Name: bad.(pulumi.StringOutput)})
			return err
		}, "no such colour"},
		"a panic": {func(*pulumi.Context) error { panic("out of fish") }, "the program panicked: out of fish (at "},
		"an unknown function": {func(ctx *pulumi.Context) error {
			return ctx.Invoke("aws:made/up:getUp", nil, &struct{}{})
		}, "stack dev: the function aws:made/up:getUp has no answer without AWS"},
		"an unknown remote component": {func(ctx *pulumi.Context) error {
			return ctx.RegisterRemoteComponentResource("other:index:Thing", "t", nil, &shop{})
		}, "the component other:index:Thing (\"t\") is made inside its provider"},
		"two resources of one name": {func(ctx *pulumi.Context) error {
			for range 2 {
				if _, err := ecs.NewCluster(ctx, "twin", nil); err != nil {
					return err
				}
			}
			return nil
		}, "two resources have the URN urn:pulumi:dev::shop::aws:ecs/cluster:Cluster::twin"},
		"an error in the log": {func(ctx *pulumi.Context) error { return ctx.Log.Error("no penguins left", nil) }, "stack dev: no penguins left"},
		"a reference to an unknown stack": {
			refers("organization/shop/nowhere"), `no stack "nowhere": the project shop has dev`},
		"a reference out of the project": {
			refers("organization/other/dev"), "leads out of the project shop"},
		"a reference to itself": {
			refers("organization/shop/dev"), "the stacks dev and dev read each other's outputs"},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := project("dev").Run(t.Context(), "dev", test.program)
			assert.Nil(t, g)
			require.ErrorContains(t, err, test.want)
			assert.NotContains(t, err.Error(), "rpc error")
			assert.NotContains(t, err.Error(), "error occurred")
		})
	}
}

func TestRunAllReportsTheRootOfAProblemOnce(t *testing.T) {
	_, err := project("dev", "shared").RunAll(t.Context(), func(ctx *pulumi.Context) error {
		if ctx.Stack() == "dev" {
			return errors.New("dev is broken")
		}
		return reader(ctx)
	})
	require.EqualError(t, err, "stack dev: dev is broken")
}

func TestAnUnknownTypeGetsAGenericARNAndANote(t *testing.T) {
	g, err := project("dev").Run(t.Context(), "dev", func(ctx *pulumi.Context) error {
		return ctx.RegisterResource("aws:glacier/vault:Vault", "ice", pulumi.Map{}, &pulumi.CustomResourceState{})
	})
	require.NoError(t, err)
	assert.Regexp(t, `^arn:aws:glacier:eu-central-1:123456789012:vault/ice-[0-9a-f]{7}$`, one(t, g, "aws:glacier/vault:Vault").Outputs["arn"])
	require.Len(t, g.Notes, 1)
	assert.Contains(t, g.Notes[0], "aws:glacier/vault:Vault has no stand-in outputs")
}

func TestALookedUpResourceKeepsItsARN(t *testing.T) {
	const known = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/shop/0123456789abcdef"
	g, err := project("dev").Run(t.Context(), "dev", func(ctx *pulumi.Context) error {
		balancer, err := lb.GetLoadBalancer(ctx, "shop", pulumi.ID(known), nil)
		if err == nil {
			ctx.Export("arn", balancer.Arn)
		}
		return err
	})
	require.NoError(t, err)
	assert.Equal(t, known, g.Exports["arn"])
	assert.True(t, one(t, g, "aws:lb/loadBalancer:LoadBalancer").Read)
}

func TestAnExplicitProviderSetsRegionAndAccount(t *testing.T) {
	g, err := project("dev").Run(t.Context(), "dev", func(ctx *pulumi.Context) error {
		provider, err := aws.NewProvider(ctx, "away", &aws.ProviderArgs{
			Region:     pulumi.String("us-east-2"),
			AssumeRole: &aws.ProviderAssumeRoleArgs{RoleArn: pulumi.String("arn:aws:iam::210987654321:role/deploy")},
		})
		if err != nil {
			return err
		}
		_, err = ecs.NewCluster(ctx, "c", nil, pulumi.Provider(provider))
		return err
	})
	require.NoError(t, err)
	assert.Regexp(t, `^arn:aws:ecs:us-east-2:210987654321:cluster/c-`, one(t, g, "aws:ecs/cluster:Cluster").ID)
}

func TestAutonamingFollowsTheProjectsPattern(t *testing.T) {
	g, err := project("dev").Run(t.Context(), "dev", func(ctx *pulumi.Context) error {
		_, err := ecs.NewCluster(ctx, "c", nil)
		return err
	}, graph.WithConfig("dev", map[string]string{"pulumi:autonaming": `{"pattern":"${project}-${stack}-${name}-${hex(4)}"}`}))
	require.NoError(t, err)
	assert.Regexp(t, `^shop-dev-c-[0-9a-f]{4}$`, one(t, g, "aws:ecs/cluster:Cluster").Outputs["name"])
}

func TestCancellingEndsARun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := project("dev").Run(ctx, "dev", func(ctx *pulumi.Context) error {
			cancel()
			_, err := ecs.NewCluster(ctx, "c", nil)
			return err
		})
		ended <- err
	}()
	select {
	case err := <-ended:
		require.ErrorIs(t, err, context.Canceled)
	case <-time.After(10 * time.Second):
		t.Fatal("the run goes on after its context ended")
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
}

const schema = `name: shop
runtime: go
config:
  aws:region: {value: eu-central-1}
  size: {type: integer, description: processor units, default: 256}
  steps: {type: array, items: {type: integer}}
  colour: {type: string}
`

func TestLoadReadsAProjectAsPulumiDoes(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"Pulumi.yaml": schema,
		"Pulumi.dev.yaml": `encryptionsalt: v1:abc
config:
  colour: blue
  shop:steps: [5, 50]
  network: {nat: none, zones: 2}
  secretword: {secure: v1:xyz:abc}
`,
	})
	p, err := graph.Load(dir)
	require.NoError(t, err)
	assert.Equal(t, []string{"dev"}, p.Stacks())
	g, err := p.Run(t.Context(), "dev", func(ctx *pulumi.Context) error {
		ctx.Export("word", config.RequireSecret(ctx, "shop:secretword"))
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{
		"aws:region": "eu-central-1", "shop:size": "256", "shop:colour": "blue", "shop:steps": "[5,50]",
		"shop:network": `{"nat":"none","zones":2}`, "shop:secretword": graph.Secret,
	}, g.Config)
	assert.Equal(t, []string{"word"}, g.SecretExports)
}

func TestLoadReportsEveryProblemWithFileAndKey(t *testing.T) {
	_, err := graph.Load(t.TempDir())
	require.ErrorContains(t, err, "no Pulumi.yaml in ")

	dir := t.TempDir()
	write(t, dir, map[string]string{
		"Pulumi.yaml":     schema,
		"Pulumi.dev.yaml": "config:\n  size: large\n  steps: [five]\n  colour: blue\n",
		"Pulumi.qa.yaml":  "config:\n  steps: [5]\n",
	})
	_, err = graph.Load(dir)
	require.ErrorContains(t, err, `Pulumi.dev.yaml: shop:size: "large" is not of the type integer`)
	require.ErrorContains(t, err, `Pulumi.dev.yaml: shop:steps: "[\"five\"]" is not of the type array<integer>`)
	require.ErrorContains(t, err, "Pulumi.qa.yaml: shop:colour is missing: set it to a value of the type string")
}

func TestAnUnknownStackIsRefusedWithTheKnownOnes(t *testing.T) {
	_, err := project("dev", "qa").Run(t.Context(), "prd", environment)
	require.EqualError(t, err, `no stack "prd": the project shop has dev, qa`)
}
