package elb_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/tests/moto"
)

// api is what the SDK's client and the sandbox's service both do.
type api interface {
	DescribeLoadBalancers(context.Context, *elbv2.DescribeLoadBalancersInput, ...func(*elbv2.Options)) (*elbv2.DescribeLoadBalancersOutput, error)
	DescribeListeners(context.Context, *elbv2.DescribeListenersInput, ...func(*elbv2.Options)) (*elbv2.DescribeListenersOutput, error)
	DescribeRules(context.Context, *elbv2.DescribeRulesInput, ...func(*elbv2.Options)) (*elbv2.DescribeRulesOutput, error)
	DescribeTargetGroups(context.Context, *elbv2.DescribeTargetGroupsInput, ...func(*elbv2.Options)) (*elbv2.DescribeTargetGroupsOutput, error)
	DescribeTargetHealth(context.Context, *elbv2.DescribeTargetHealthInput, ...func(*elbv2.Options)) (*elbv2.DescribeTargetHealthOutput, error)
	DescribeTags(context.Context, *elbv2.DescribeTagsInput, ...func(*elbv2.Options)) (*elbv2.DescribeTagsOutput, error)
	ModifyListener(context.Context, *elbv2.ModifyListenerInput, ...func(*elbv2.Options)) (*elbv2.ModifyListenerOutput, error)
	ModifyRule(context.Context, *elbv2.ModifyRuleInput, ...func(*elbv2.Options)) (*elbv2.ModifyRuleOutput, error)
	RegisterTargets(context.Context, *elbv2.RegisterTargetsInput, ...func(*elbv2.Options)) (*elbv2.RegisterTargetsOutput, error)
	DeregisterTargets(context.Context, *elbv2.DeregisterTargetsInput, ...func(*elbv2.Options)) (*elbv2.DeregisterTargetsOutput, error)
}

// environment is one load balancer with two groups, a weighted listener and a preview rule, wherever it stands.
type environment struct {
	api
	loadBalancer, listener, rule, blue, green string
}

// TestTheAPIDoesAsMotoDoes holds the sandbox and moto to the same expectations.
func TestTheAPIDoesAsMotoDoes(t *testing.T) {
	tests := map[string]func(t *testing.T, e environment){
		"weights are read back as they were written":                 weightsAreReadBackAsTheyWereWritten,
		"the listeners of aload balancer and the rules of alistener": theListenersOfALoadBalancerAndTheRulesOfAListener,
		"a rule's action moves between groups":                       aRulesActionMovesBetweenGroups,
		"target groups are found by name, ARN and load balancer":     targetGroupsAreFoundByNameARNAndLoadBalancer,
		"targets are registered and deregistered":                    targetsAreRegisteredAndDeregistered,
		"calls that AWS refuses have its errors":                     callsThatAWSRefusesHaveItsErrors,
	}
	t.Run("sandbox", func(t *testing.T) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) { test(t, atSandbox(t)) })
		}
	})
	t.Run("moto", func(t *testing.T) {
		config := moto.Config(t)
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				moto.Reset(t, *config.BaseEndpoint)
				test(t, atMoto(t, config))
			})
		}
	})
}

func atSandbox(t *testing.T) environment {
	w := shop(t, 100, 0)
	require.NoError(t, w.create(rule("preview", 1, []any{object{"httpHeader": object{"httpHeaderName": "X-Preview", "values": []any{"secret"}}}},
		[]any{object{"type": "forward", "targetGroupArn": greenARN}})))
	require.NoError(t, w.Providers()[loadBalancerType].Update(t.Context(), loadBalancer(nil), loadBalancer(object{"tags": object{"team": "shop"}})))
	return environment{w.Service, lbARN, listenerARN, ruleARN("preview"), blueARN, greenARN}
}

func atMoto(t *testing.T, config aws.Config) environment {
	ctx := t.Context()
	network, client := ec2.NewFromConfig(config), elbv2.NewFromConfig(config)
	vpc, err := network.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: new("10.0.0.0/16")})
	require.NoError(t, err)
	var subnets []string
	for i, zone := range []string{"a", "b"} {
		subnet, err := network.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: vpc.Vpc.VpcId, CidrBlock: new(fmt.Sprintf("10.0.%d.0/24", i)), AvailabilityZone: new(moto.Region + zone)})
		require.NoError(t, err)
		subnets = append(subnets, *subnet.Subnet.SubnetId)
	}
	balancer, err := client.CreateLoadBalancer(ctx, &elbv2.CreateLoadBalancerInput{Name: new("shop"), Subnets: subnets, Tags: []types.Tag{{Key: new("team"), Value: new("shop")}}})
	require.NoError(t, err)
	e := environment{api: client, loadBalancer: *balancer.LoadBalancers[0].LoadBalancerArn}
	for name, arn := range map[string]*string{"blue": &e.blue, "green": &e.green} {
		group, err := client.CreateTargetGroup(ctx, &elbv2.CreateTargetGroupInput{
			Name: &name, Port: new(int32(8080)), Protocol: types.ProtocolEnumHttp, VpcId: vpc.Vpc.VpcId, TargetType: types.TargetTypeEnumIp,
			HealthCheckPath: new("/readyz"), HealthCheckIntervalSeconds: new(int32(10)), Matcher: &types.Matcher{HttpCode: new("200")},
		})
		require.NoError(t, err)
		*arn = *group.TargetGroups[0].TargetGroupArn
	}
	listener, err := client.CreateListener(ctx, &elbv2.CreateListenerInput{LoadBalancerArn: &e.loadBalancer, Port: new(int32(80)), Protocol: types.ProtocolEnumHttp, DefaultActions: e.weights(100, 0)})
	require.NoError(t, err)
	e.listener = *listener.Listeners[0].ListenerArn
	rule, err := client.CreateRule(ctx, &elbv2.CreateRuleInput{
		ListenerArn: &e.listener, Priority: new(int32(1)), Actions: []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: &e.green}},
		Conditions: []types.RuleCondition{{Field: new("http-header"), HttpHeaderConfig: &types.HttpHeaderConditionConfig{HttpHeaderName: new("X-Preview"), Values: []string{"secret"}}}},
	})
	require.NoError(t, err)
	e.rule = *rule.Rules[0].RuleArn
	return e
}

func (e environment) weights(blue, green int32) []types.Action {
	return []types.Action{{Type: types.ActionTypeEnumForward, ForwardConfig: &types.ForwardActionConfig{TargetGroups: []types.TargetGroupTuple{
		{TargetGroupArn: &e.blue, Weight: &blue}, {TargetGroupArn: &e.green, Weight: &green},
	}}}}
}

// shares reads the weights of an action, by target group.
func shares(t *testing.T, actions []types.Action) map[string]int32 {
	t.Helper()
	require.Len(t, actions, 1)
	require.NotNil(t, actions[0].ForwardConfig)
	got := map[string]int32{}
	for _, tuple := range actions[0].ForwardConfig.TargetGroups {
		require.NotNil(t, tuple.Weight, "a weight is always shown, a zero as well")
		got[*tuple.TargetGroupArn] = *tuple.Weight
	}
	return got
}

func weightsAreReadBackAsTheyWereWritten(t *testing.T, e environment) {
	for _, green := range []int32{0, 5, 100, 0} {
		changed, err := e.ModifyListener(t.Context(), &elbv2.ModifyListenerInput{ListenerArn: &e.listener, DefaultActions: e.weights(100-green, green)})
		require.NoError(t, err)
		want := map[string]int32{e.blue: 100 - green, e.green: green}
		assert.Equal(t, want, shares(t, changed.Listeners[0].DefaultActions))
		out, err := e.DescribeListeners(t.Context(), &elbv2.DescribeListenersInput{ListenerArns: []string{e.listener}})
		require.NoError(t, err)
		require.Len(t, out.Listeners, 1)
		assert.Equal(t, want, shares(t, out.Listeners[0].DefaultActions))
		assert.Equal(t, int32(80), aws.ToInt32(out.Listeners[0].Port))
		assert.Equal(t, e.loadBalancer, aws.ToString(out.Listeners[0].LoadBalancerArn))
	}
}

func theListenersOfALoadBalancerAndTheRulesOfAListener(t *testing.T, e environment) {
	listeners, err := e.DescribeListeners(t.Context(), &elbv2.DescribeListenersInput{LoadBalancerArn: &e.loadBalancer})
	require.NoError(t, err)
	require.Len(t, listeners.Listeners, 1)
	assert.Equal(t, e.listener, *listeners.Listeners[0].ListenerArn)
	rules, err := e.DescribeRules(t.Context(), &elbv2.DescribeRulesInput{ListenerArn: &e.listener})
	require.NoError(t, err)
	require.Len(t, rules.Rules, 2)
	var defaults int
	for _, r := range rules.Rules {
		if aws.ToBool(r.IsDefault) {
			defaults++
			assert.Equal(t, "default", aws.ToString(r.Priority))
			continue
		}
		assert.Equal(t, e.rule, aws.ToString(r.RuleArn))
		assert.Equal(t, "1", aws.ToString(r.Priority))
		assert.Equal(t, "X-Preview", aws.ToString(r.Conditions[0].HttpHeaderConfig.HttpHeaderName))
		assert.Equal(t, []string{"secret"}, r.Conditions[0].HttpHeaderConfig.Values)
	}
	assert.Equal(t, 1, defaults)
}

func aRulesActionMovesBetweenGroups(t *testing.T, e environment) {
	for _, group := range []string{e.blue, e.green} {
		_, err := e.ModifyRule(t.Context(), &elbv2.ModifyRuleInput{RuleArn: &e.rule, Actions: []types.Action{{Type: types.ActionTypeEnumForward, TargetGroupArn: &group}}})
		require.NoError(t, err)
		out, err := e.DescribeRules(t.Context(), &elbv2.DescribeRulesInput{RuleArns: []string{e.rule}})
		require.NoError(t, err)
		require.Len(t, out.Rules, 1)
		assert.Equal(t, group, aws.ToString(out.Rules[0].Actions[0].TargetGroupArn))
		assert.NotEmpty(t, out.Rules[0].Conditions, "conditions that are not given stay")
	}
}

func targetGroupsAreFoundByNameARNAndLoadBalancer(t *testing.T, e environment) {
	for _, in := range []*elbv2.DescribeTargetGroupsInput{
		{Names: []string{"blue", "green"}}, {TargetGroupArns: []string{e.green, e.blue}}, {LoadBalancerArn: &e.loadBalancer}, {},
	} {
		out, err := e.DescribeTargetGroups(t.Context(), in)
		require.NoError(t, err)
		require.Len(t, out.TargetGroups, 2)
		blue := out.TargetGroups[0]
		assert.Equal(t, e.blue, *blue.TargetGroupArn, "by name")
		assert.Equal(t, []string{e.loadBalancer}, blue.LoadBalancerArns)
		assert.Equal(t, "/readyz", aws.ToString(blue.HealthCheckPath))
		assert.Equal(t, int32(10), aws.ToInt32(blue.HealthCheckIntervalSeconds))
		assert.Equal(t, "200", aws.ToString(blue.Matcher.HttpCode))
		assert.Equal(t, int32(8080), aws.ToInt32(blue.Port))
	}
	balancers, err := e.DescribeLoadBalancers(t.Context(), &elbv2.DescribeLoadBalancersInput{Names: []string{"shop"}})
	require.NoError(t, err)
	assert.Equal(t, e.loadBalancer, *balancers.LoadBalancers[0].LoadBalancerArn)
	assert.Equal(t, types.LoadBalancerStateEnumActive, balancers.LoadBalancers[0].State.Code)
	tags, err := e.DescribeTags(t.Context(), &elbv2.DescribeTagsInput{ResourceArns: []string{e.loadBalancer}})
	require.NoError(t, err)
	assert.Equal(t, []types.Tag{{Key: new("team"), Value: new("shop")}}, tags.TagDescriptions[0].Tags)
}

func targetsAreRegisteredAndDeregistered(t *testing.T, e environment) {
	targets := []types.TargetDescription{{Id: new("127.0.0.7"), Port: new(int32(9))}}
	_, err := e.RegisterTargets(t.Context(), &elbv2.RegisterTargetsInput{TargetGroupArn: &e.blue, Targets: targets})
	require.NoError(t, err)
	out, err := e.DescribeTargetHealth(t.Context(), &elbv2.DescribeTargetHealthInput{TargetGroupArn: &e.blue})
	require.NoError(t, err)
	require.Len(t, out.TargetHealthDescriptions, 1)
	assert.Equal(t, "127.0.0.7", *out.TargetHealthDescriptions[0].Target.Id)
	assert.Equal(t, int32(9), *out.TargetHealthDescriptions[0].Target.Port)
	_, err = e.DeregisterTargets(t.Context(), &elbv2.DeregisterTargetsInput{TargetGroupArn: &e.blue, Targets: targets})
	require.NoError(t, err)
	out, err = e.DescribeTargetHealth(t.Context(), &elbv2.DescribeTargetHealthInput{TargetGroupArn: &e.blue})
	require.NoError(t, err)
	for _, d := range out.TargetHealthDescriptions { // moto shows none; AWS shows it as draining until the delay is over
		assert.Equal(t, types.TargetHealthStateEnumDraining, d.TargetHealth.State)
	}
}

func callsThatAWSRefusesHaveItsErrors(t *testing.T, e environment) {
	for name, row := range map[string]struct {
		code string
		call func() error
	}{
		"a listener that does not exist": {"ListenerNotFound", func() error {
			_, err := e.ModifyListener(t.Context(), &elbv2.ModifyListenerInput{ListenerArn: new(e.listener + "0"), DefaultActions: e.weights(1, 1)})
			return err
		}},
		"weights for a group that does not exist": {"TargetGroupNotFound", func() error {
			gone := environment{blue: e.blue + "0", green: e.green}
			_, err := e.ModifyRule(t.Context(), &elbv2.ModifyRuleInput{RuleArn: &e.rule, Actions: gone.weights(1, 1)})
			return err
		}},
		"a rule that does not exist": {"RuleNotFound", func() error {
			_, err := e.DescribeRules(t.Context(), &elbv2.DescribeRulesInput{RuleArns: []string{e.rule + "0"}})
			return err
		}},
		"a change of a rule that does not exist": {"RuleNotFound", func() error {
			_, err := e.ModifyRule(t.Context(), &elbv2.ModifyRuleInput{RuleArn: new(e.rule + "0"), Actions: e.weights(1, 1)})
			return err
		}},
		"a rule changed into nothing": {"ValidationError", func() error {
			_, err := e.ModifyRule(t.Context(), &elbv2.ModifyRuleInput{RuleArn: &e.rule})
			return err
		}},
		"rules of nothing": {"ValidationError", func() error {
			_, err := e.DescribeRules(t.Context(), &elbv2.DescribeRulesInput{})
			return err
		}},
		"rules of two kinds at once": {"ValidationError", func() error {
			_, err := e.DescribeRules(t.Context(), &elbv2.DescribeRulesInput{ListenerArn: &e.listener, RuleArns: []string{e.rule}})
			return err
		}},
		"the health of a group that does not exist": {"TargetGroupNotFound", func() error {
			_, err := e.DescribeTargetHealth(t.Context(), &elbv2.DescribeTargetHealthInput{TargetGroupArn: new(e.blue + "0")})
			return err
		}},
		"a group by two filters": {"ValidationError", func() error {
			_, err := e.DescribeTargetGroups(t.Context(), &elbv2.DescribeTargetGroupsInput{Names: []string{"blue"}, TargetGroupArns: []string{e.blue}})
			return err
		}},
		"a group that does not exist": {"TargetGroupNotFound", func() error {
			_, err := e.DescribeTargetGroups(t.Context(), &elbv2.DescribeTargetGroupsInput{Names: []string{"red"}})
			return err
		}},
		"a load balancer that does not exist": {"LoadBalancerNotFound", func() error {
			_, err := e.DescribeLoadBalancers(t.Context(), &elbv2.DescribeLoadBalancersInput{LoadBalancerArns: []string{e.loadBalancer + "0"}})
			return err
		}},
		"the wrong status of a fixed response": {"ValidationError", func() error {
			_, err := e.ModifyRule(t.Context(), &elbv2.ModifyRuleInput{RuleArn: &e.rule, Actions: []types.Action{{Type: types.ActionTypeEnumFixedResponse,
				FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: new("302")}}}})
			return err
		}},
		"the wrong content type of a fixed response": {"InvalidLoadBalancerAction", func() error {
			_, err := e.ModifyRule(t.Context(), &elbv2.ModifyRuleInput{RuleArn: &e.rule, Actions: []types.Action{{Type: types.ActionTypeEnumFixedResponse,
				FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: new("200"), ContentType: new("image/png")}}}})
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			err := row.call()
			var coded smithy.APIError
			require.True(t, errors.As(err, &coded), "%v", err)
			assert.Equal(t, row.code, coded.ErrorCode())
		})
	}
	out, err := e.DescribeListeners(t.Context(), &elbv2.DescribeListenersInput{ListenerArns: []string{e.listener}})
	require.NoError(t, err)
	assert.Equal(t, map[string]int32{e.blue: 100, e.green: 0}, shares(t, out.Listeners[0].DefaultActions), "nothing was changed")
}

// moto takes all of these.
func TestCallsThatOnlyTheSandboxRefuses(t *testing.T) {
	w := shop(t, 100, 0)
	ctx := context.Background()
	modify := func(in elbv2.ModifyListenerInput) error {
		in.ListenerArn = new(listenerARN)
		_, err := w.ModifyListener(ctx, &in)
		return err
	}
	assert.ErrorContains(t, modify(elbv2.ModifyListenerInput{DefaultActions: weighted(1000, 0)}), "The weight '1000'")
	var unknown *types.TargetGroupNotFoundException
	assert.ErrorAs(t, modify(elbv2.ModifyListenerInput{DefaultActions: environment{blue: blueARN, green: "arn:unknown"}.weights(1, 1)}), &unknown)
	assert.ErrorContains(t, modify(elbv2.ModifyListenerInput{AlpnPolicy: []string{"HTTP2Only"}}), "does not imitate AlpnPolicy")
	sticky := weighted(1, 1)
	sticky[0].ForwardConfig.TargetGroupStickinessConfig = &types.TargetGroupStickinessConfig{Enabled: new(true), DurationSeconds: new(int32(60))}
	assert.ErrorContains(t, modify(elbv2.ModifyListenerInput{DefaultActions: sticky}), "target group stickiness")
	both := weighted(1, 1)
	both[0].TargetGroupArn = new(blueARN)
	assert.ErrorContains(t, modify(elbv2.ModifyListenerInput{DefaultActions: both}), "only one target group in ForwardConfig")
	_, err := w.ModifyRule(ctx, &elbv2.ModifyRuleInput{RuleArn: new(ruleARN("default")), Actions: weighted(1, 1)})
	var refused *types.OperationNotPermittedException
	assert.ErrorAs(t, err, &refused)
	_, err = w.RegisterTargets(ctx, &elbv2.RegisterTargetsInput{TargetGroupArn: new(blueARN), Targets: []types.TargetDescription{{Id: new("i-0123")}}})
	assert.ErrorContains(t, err, "'i-0123' is not a valid IPv4 or IPv6 address")

	other := resource(loadBalancerType, "other", object{"name": "other"}, object{"arn": lbARN + "1", "dnsName": "other.eu-central-1.elb.amazonaws.com"})
	require.NoError(t, w.create(other))
	stolen := listener(forwardTo(map[string]int{blueARN: 1}), object{"loadBalancerArn": lbARN + "1"})
	stolen.Outputs["arn"] = listenerARN + "1"
	var taken *types.TargetGroupAssociationLimitException
	assert.ErrorAs(t, w.create(stolen), &taken, "a target group serves one load balancer")
}
