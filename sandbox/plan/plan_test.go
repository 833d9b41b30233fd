package plan_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/sandbox/plan"
)

// declared is one resource of a test's stack.
type declared struct {
	typ, name string
	inputs    map[string]any
	options   []pulumi.ResourceOption
	// from makes an input of another declared resource's output: input → resource name and output ("id" too).
	from map[string][2]string
}

// shop is the config of the test's stack.
var shop = map[string]string{"aws:region": "eu-central-1"}

type made struct {
	pulumi.CustomResourceState
	Arn  pulumi.StringOutput `pulumi:"arn"`
	Name pulumi.StringOutput `pulumi:"name"`
}

// program declares resources in the given order.
func program(resources ...declared) pulumi.RunFunc {
	return func(ctx *pulumi.Context) error {
		before := map[string]*made{}
		for _, d := range resources {
			inputs := pulumi.Map{}
			for key, value := range d.inputs {
				if in, ok := value.(pulumi.Input); ok {
					inputs[key] = in
				} else {
					inputs[key] = pulumi.Any(value)
				}
			}
			for key, source := range d.from {
				other := before[source[0]]
				inputs[key] = map[string]pulumi.Input{"id": other.ID(), "arn": other.Arn, "name": other.Name}[source[1]]
			}
			r := &made{}
			if err := ctx.RegisterResource(d.typ, d.name, inputs, r, d.options...); err != nil {
				return err
			}
			before[d.name] = r
		}
		return nil
	}
}

func graphOf(t *testing.T, config map[string]string, resources ...declared) *graph.Graph {
	t.Helper()
	all := maps.Clone(shop)
	maps.Copy(all, config)
	g, err := graph.New("shop", map[string]map[string]string{"dev": all}).Run(t.Context(), "dev", program(resources...))
	require.NoError(t, err)
	return g
}

func planOf(t *testing.T, config map[string]string, resources ...declared) *plan.Plan {
	t.Helper()
	p, err := plan.Of(graphOf(t, config, resources...))
	require.NoError(t, err)
	return p
}

func rules(p *plan.Plan) []string {
	var names []string
	for _, f := range p.Findings {
		names = append(names, f.Rule)
	}
	return slices.Compact(names)
}

// The types that the tests declare.
const (
	balancerType  = "aws:lb/loadBalancer:LoadBalancer"
	listenerType  = "aws:lb/listener:Listener"
	ruleType      = "aws:lb/listenerRule:ListenerRule"
	targetsType   = "aws:lb/targetGroup:TargetGroup"
	serviceType   = "aws:ecs/service:Service"
	taskType      = "aws:ecs/taskDefinition:TaskDefinition"
	clusterType   = "aws:ecs/cluster:Cluster"
	scalableType  = "aws:appautoscaling/target:Target"
	repoType      = "aws:ecr/repository:Repository"
	lifecycleType = "aws:ecr/lifecyclePolicy:LifecyclePolicy"
	bucketType    = "aws:s3/bucketV2:BucketV2"
	logsType      = "aws:cloudwatch/logGroup:LogGroup"
	groupType     = "aws:ec2/securityGroup:SecurityGroup"
	roleType      = "aws:iam/role:Role"
	policyType    = "aws:iam/policy:Policy"
	inlineType    = "aws:iam/rolePolicy:RolePolicy"
	keyType       = "aws:kms/key:Key"
	buildType     = "aws:codebuild/project:Project"
	functionType  = "aws:lambda/function:Function"
	paramType     = "aws:ssm/parameter:Parameter"
)
