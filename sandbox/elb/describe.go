package elb

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// DescribeLoadBalancers returns load balancers by ARN, by name, or all of them, on one page.
func (s *Service) DescribeLoadBalancers(_ context.Context, in *elbv2.DescribeLoadBalancersInput, _ ...func(*elbv2.Options)) (*elbv2.DescribeLoadBalancersOutput, error) {
	if len(in.LoadBalancerArns) > 0 && len(in.Names) > 0 {
		return nil, invalid("Load balancer names and load balancer ARNs cannot be specified at the same time")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &elbv2.DescribeLoadBalancersOutput{}
	for _, lb := range sorted(s.loadBalancers, func(lb *loadBalancer) string { return *lb.LoadBalancerName }) {
		if wanted(in.LoadBalancerArns, lb.LoadBalancerArn) && wanted(in.Names, lb.LoadBalancerName) {
			out.LoadBalancers = append(out.LoadBalancers, lb.LoadBalancer)
		}
	}
	if n := max(len(in.LoadBalancerArns), len(in.Names)); len(out.LoadBalancers) < n {
		return nil, loadBalancerNotFound()
	}
	return out, nil
}

// DescribeListeners returns listeners by ARN or those of a load balancer, by port, on one page.
func (s *Service) DescribeListeners(_ context.Context, in *elbv2.DescribeListenersInput, _ ...func(*elbv2.Options)) (*elbv2.DescribeListenersOutput, error) {
	switch {
	case in.LoadBalancerArn == nil && len(in.ListenerArns) == 0:
		return nil, invalid("You must specify either listener ARNs or a load balancer ARN")
	case in.LoadBalancerArn != nil && len(in.ListenerArns) > 0:
		return nil, invalid("Listener ARNs and a load balancer ARN cannot be specified at the same time")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.LoadBalancerArn != nil && s.loadBalancers[*in.LoadBalancerArn] == nil {
		return nil, loadBalancerNotFound()
	}
	out := &elbv2.DescribeListenersOutput{}
	for _, l := range sorted(s.listeners, func(l *listener) int { return l.port }) {
		if in.LoadBalancerArn != nil && *l.loadBalancer.LoadBalancerArn != *in.LoadBalancerArn || !wanted(in.ListenerArns, &l.arn) {
			continue
		}
		out.Listeners = append(out.Listeners, l.show())
	}
	if len(out.Listeners) < len(in.ListenerArns) {
		return nil, listenerNotFound()
	}
	return out, nil
}

// show is the listener as the API shows it.
func (l *listener) show() types.Listener {
	shown := types.Listener{
		ListenerArn: new(l.arn), LoadBalancerArn: l.loadBalancer.LoadBalancerArn, Port: new(int32(l.port)), Protocol: l.protocol,
		DefaultActions: slices.Clone(l.defaultActions), Certificates: slices.Clone(l.certificates),
	}
	if l.sslPolicy != "" {
		shown.SslPolicy = new(l.sslPolicy)
	}
	return shown
}

// DescribeRules returns rules by ARN, or those of a listener by priority with the default rule last, on one page.
func (s *Service) DescribeRules(_ context.Context, in *elbv2.DescribeRulesInput, _ ...func(*elbv2.Options)) (*elbv2.DescribeRulesOutput, error) {
	switch {
	case in.ListenerArn == nil && len(in.RuleArns) == 0:
		return nil, invalid("You must specify either listener rule ARNs or a listener ARN")
	case in.ListenerArn != nil && len(in.RuleArns) > 0:
		return nil, invalid("Listener rule ARNs and a listener ARN cannot be specified at the same time")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &elbv2.DescribeRulesOutput{}
	if in.ListenerArn != nil {
		l := s.listeners[*in.ListenerArn]
		if l == nil {
			return nil, listenerNotFound()
		}
		for _, r := range s.rulesOf(l) {
			out.Rules = append(out.Rules, r.show())
		}
		out.Rules = append(out.Rules, types.Rule{
			RuleArn: new(ruleARN(l.arn, defaultRule)), Priority: new(defaultRule), IsDefault: new(true), Actions: slices.Clone(l.defaultActions),
			Conditions: []types.RuleCondition{},
		})
		return out, nil
	}
	for _, arn := range in.RuleArns {
		r := s.rules[arn]
		if r == nil {
			return nil, ruleNotFound()
		}
		out.Rules = append(out.Rules, r.show())
	}
	return out, nil
}

// defaultRule is the priority that the API shows for a listener's default action, and the end of the ARN that the sandbox
// gives it. Default rules are changed by ModifyListener.
const defaultRule = "default"

func (r *rule) show() types.Rule {
	return types.Rule{
		RuleArn: new(r.arn), Priority: new(strconv.Itoa(r.priority)), IsDefault: new(false),
		Actions: slices.Clone(r.actions), Conditions: slices.Clone(r.conditions),
	}
}

// DescribeTargetGroups returns target groups by ARN, by name, those of a load balancer, or all, by name, on one page.
func (s *Service) DescribeTargetGroups(_ context.Context, in *elbv2.DescribeTargetGroupsInput, _ ...func(*elbv2.Options)) (*elbv2.DescribeTargetGroupsOutput, error) {
	var given int
	for _, is := range []bool{in.LoadBalancerArn != nil, len(in.TargetGroupArns) > 0, len(in.Names) > 0} {
		if is {
			given++
		}
	}
	if given > 1 {
		return nil, invalid("Target group names, target group ARNs, and a load balancer ARN cannot be specified at the same time")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.LoadBalancerArn != nil && s.loadBalancers[*in.LoadBalancerArn] == nil {
		return nil, loadBalancerNotFound()
	}
	out := &elbv2.DescribeTargetGroupsOutput{}
	for _, g := range sorted(s.groups, func(g *group) string { return g.name() }) {
		shown := g.show()
		if in.LoadBalancerArn != nil && !slices.Contains(shown.LoadBalancerArns, *in.LoadBalancerArn) {
			continue
		}
		if wanted(in.TargetGroupArns, shown.TargetGroupArn) && wanted(in.Names, shown.TargetGroupName) {
			out.TargetGroups = append(out.TargetGroups, shown)
		}
	}
	if n := max(len(in.TargetGroupArns), len(in.Names)); len(out.TargetGroups) < n || in.LoadBalancerArn != nil && len(out.TargetGroups) == 0 {
		return nil, groupNotFound()
	}
	return out, nil
}

func (g *group) name() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return aws.ToString(g.declared.TargetGroupName)
}

func (g *group) show() types.TargetGroup {
	g.mu.Lock()
	defer g.mu.Unlock()
	shown := g.declared
	shown.LoadBalancerArns = []string{}
	if g.user != nil {
		shown.LoadBalancerArns = []string{*g.user.LoadBalancerArn}
	}
	return shown
}

// DescribeTargetHealth returns the state of all targets of a group, draining ones included, or of the given ones: one that is
// not registered is unused, with the reason Target.NotRegistered.
func (s *Service) DescribeTargetHealth(_ context.Context, in *elbv2.DescribeTargetHealthInput, _ ...func(*elbv2.Options)) (*elbv2.DescribeTargetHealthOutput, error) {
	if len(in.Include) > 0 {
		return nil, unsupported("Include in DescribeTargetHealth: leave it out")
	}
	g, err := s.group(in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	out := &elbv2.DescribeTargetHealthOutput{TargetHealthDescriptions: []types.TargetHealthDescription{}}
	show := func(t *target) {
		out.TargetHealthDescriptions = append(out.TargetHealthDescriptions, types.TargetHealthDescription{
			Target: t.description(), HealthCheckPort: new(strconv.Itoa(int(t.port))), TargetHealth: t.health.show(),
		})
	}
	if len(in.Targets) == 0 {
		for _, t := range g.targets {
			show(t)
		}
		return out, nil
	}
	for _, wanted := range in.Targets {
		port := cmp.Or(aws.ToInt32(wanted.Port), aws.ToInt32(g.declared.Port))
		if i := g.index(aws.ToString(wanted.Id), port); i >= 0 {
			show(g.targets[i])
			continue
		}
		out.TargetHealthDescriptions = append(out.TargetHealthDescriptions, types.TargetHealthDescription{
			Target: &types.TargetDescription{Id: wanted.Id, Port: new(port)},
			TargetHealth: &types.TargetHealth{
				State: types.TargetHealthStateEnumUnused, Reason: types.TargetHealthReasonEnumNotRegistered,
				Description: new("Target is not registered to the target group"),
			},
		})
	}
	return out, nil
}

// DescribeTags returns the tags of load balancers, listeners, rules and target groups.
func (s *Service) DescribeTags(_ context.Context, in *elbv2.DescribeTagsInput, _ ...func(*elbv2.Options)) (*elbv2.DescribeTagsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &elbv2.DescribeTagsOutput{}
	for _, arn := range in.ResourceArns {
		var tags map[string]string
		switch {
		case s.loadBalancers[arn] != nil:
			tags = s.loadBalancers[arn].tags
		case s.listeners[arn] != nil:
			tags = s.listeners[arn].tags
		case s.rules[arn] != nil:
			tags = s.rules[arn].tags
		case s.groups[arn] != nil:
			tags = s.groups[arn].tags
		default:
			return nil, tagged(arn)
		}
		description := types.TagDescription{ResourceArn: new(arn)}
		for _, key := range slices.Sorted(maps.Keys(tags)) {
			description.Tags = append(description.Tags, types.Tag{Key: new(key), Value: new(tags[key])})
		}
		out.TagDescriptions = append(out.TagDescriptions, description)
	}
	return out, nil
}

// group finds a target group by its ARN.
func (s *Service) group(arn *string) (*group, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.groups[aws.ToString(arn)]; g != nil {
		return g, nil
	}
	return nil, groupNotFound()
}

// wanted tells whether a filter, empty for none, lets a value through.
func wanted(filter []string, value *string) bool {
	return len(filter) == 0 || slices.Contains(filter, aws.ToString(value))
}

// sorted returns a map's values in the order of a key of theirs.
func sorted[V any, K cmp.Ordered](of map[string]V, by func(V) K) []V {
	return slices.SortedFunc(maps.Values(of), func(a, b V) int { return cmp.Compare(by(a), by(b)) })
}
