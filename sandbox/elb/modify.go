package elb

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/penguinshop/delivery/sandbox/fidelity"
)

// ModifyListener changes the given properties of a listener. A change of its default actions is in force for every request
// that arrives after it has returned, and each request sees either all of it or nothing.
func (s *Service) ModifyListener(_ context.Context, in *elbv2.ModifyListenerInput, _ ...func(*elbv2.Options)) (*elbv2.ModifyListenerOutput, error) {
	if refused := fidelity.Refusal(in, "ListenerArn", "DefaultActions", "Certificates", "Port", "SslPolicy"); refused != "" {
		return nil, unsupported("%s", strings.TrimPrefix(refused, "the sandbox does not imitate "))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.listeners[aws.ToString(in.ListenerArn)]
	if l == nil {
		return nil, listenerNotFound()
	}
	if in.Port != nil {
		if err := s.checkPort(l.loadBalancer, l, int(*in.Port)); err != nil {
			return nil, err
		}
	}
	actions := l.defaultActions
	if in.DefaultActions != nil {
		var err error
		if actions, err = s.readActions(l, in.DefaultActions); err != nil {
			return nil, err
		}
	}
	if in.Port != nil {
		l.port = int(*in.Port)
	}
	if in.Certificates != nil {
		l.certificates = slices.Clone(in.Certificates)
	}
	if in.SslPolicy != nil {
		l.sslPolicy = *in.SslPolicy
	}
	s.tellWeights(l.loadBalancer, l.arn, l.defaultActions, actions)
	l.defaultActions = actions
	s.apply()
	return &elbv2.ModifyListenerOutput{Listeners: []types.Listener{l.show()}}, nil
}

// checkPort refuses a port out of range or of another listener. The caller holds the lock.
func (s *Service) checkPort(lb *loadBalancer, except *listener, port int) error {
	if port < 1 || port > 65535 {
		return invalid("The listener port '%d' must be between 1 and 65535", port)
	}
	for _, l := range s.listeners {
		if l != except && l.loadBalancer == lb && l.port == port {
			return &types.DuplicateListenerException{Message: new("A listener already exists on this port for this load balancer")}
		}
	}
	return nil
}

// ModifyRule replaces the given ones of a rule's conditions and actions, for every request that arrives after it has returned.
func (s *Service) ModifyRule(_ context.Context, in *elbv2.ModifyRuleInput, _ ...func(*elbv2.Options)) (*elbv2.ModifyRuleOutput, error) {
	if len(in.Transforms) > 0 || aws.ToBool(in.ResetTransforms) {
		return nil, unsupported("transforms of rules: leave them out")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rules[aws.ToString(in.RuleArn)]
	switch {
	case strings.HasSuffix(aws.ToString(in.RuleArn), "/"+defaultRule):
		return nil, &types.OperationNotPermittedException{Message: new("Default rule cannot be modified by ModifyRule: use ModifyListener")}
	case r == nil:
		return nil, ruleNotFound()
	case len(in.Conditions) == 0 && len(in.Actions) == 0:
		return nil, invalid("Either conditions or actions must be specified")
	}
	conditions, actions := r.conditions, r.actions
	var err error
	if len(in.Conditions) > 0 {
		if conditions, _, err = readConditions(in.Conditions); err != nil {
			return nil, err
		}
	}
	if len(in.Actions) > 0 {
		if actions, err = s.readActions(r.listener, in.Actions); err != nil {
			return nil, err
		}
	}
	s.tellWeights(r.listener.loadBalancer, r.arn, r.actions, actions)
	r.conditions, r.actions = conditions, actions
	s.apply()
	return &elbv2.ModifyRuleOutput{Rules: []types.Rule{r.show()}}, nil
}

// tellWeights writes a change of weights into the journal.
func (s *Service) tellWeights(lb *loadBalancer, arn string, before, after []types.Action) {
	was, is := s.weights(before), s.weights(after)
	if maps.Equal(was, is) || len(is) == 0 {
		return
	}
	var words []string
	for _, g := range slices.Sorted(maps.Keys(is)) {
		words = append(words, fmt.Sprintf("%s %d", s.groups[g].name(), is[g]))
	}
	of := "listener"
	if strings.Contains(arn, ":listener-rule/") {
		of = "rule"
	}
	s.tell(lb.stack, "weights", fmt.Sprintf("%s of %s: %s", of, aws.ToString(lb.LoadBalancerName), strings.Join(words, ", ")),
		map[string]any{"arn": arn, "weights": is})
}

// weights returns the weights of the target groups that actions name, by ARN.
func (s *Service) weights(actions []types.Action) map[string]int32 {
	weights := map[string]int32{}
	for _, a := range actions {
		if a.ForwardConfig != nil {
			for _, tuple := range a.ForwardConfig.TargetGroups {
				weights[*tuple.TargetGroupArn] = *tuple.Weight
			}
		}
	}
	return weights
}

// RegisterTargets registers IP addresses with a group, at the group's port where none is given. They must be addresses that
// this machine reaches; a container's own address is registered with Register.
func (s *Service) RegisterTargets(_ context.Context, in *elbv2.RegisterTargetsInput, _ ...func(*elbv2.Options)) (*elbv2.RegisterTargetsOutput, error) {
	g, err := s.group(in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	targets, err := g.read(in.Targets)
	if err != nil {
		return nil, err
	}
	for _, t := range targets {
		g.register(*t.Id, *t.Port, net.JoinHostPort(*t.Id, strconv.Itoa(int(*t.Port))))
	}
	return &elbv2.RegisterTargetsOutput{}, nil
}

// DeregisterTargets takes targets out of service and returns at once, while they drain.
func (s *Service) DeregisterTargets(_ context.Context, in *elbv2.DeregisterTargetsInput, _ ...func(*elbv2.Options)) (*elbv2.DeregisterTargetsOutput, error) {
	g, err := s.group(in.TargetGroupArn)
	if err != nil {
		return nil, err
	}
	targets, err := g.read(in.Targets)
	if err != nil {
		return nil, err
	}
	for _, t := range targets {
		g.deregister(*t.Id, *t.Port) // one that is not registered is no error in AWS
	}
	return &elbv2.DeregisterTargetsOutput{}, nil
}

// read checks the targets of a call and fills in their port.
func (g *group) read(targets []types.TargetDescription) ([]types.TargetDescription, error) {
	if len(targets) == 0 {
		return nil, invalid("A target must be specified")
	}
	port := aws.ToInt32(g.show().Port)
	targets = slices.Clone(targets)
	for i, t := range targets {
		if net.ParseIP(aws.ToString(t.Id)) == nil {
			return nil, invalid("The IP address '%s' is not a valid IPv4 or IPv6 address", aws.ToString(t.Id))
		}
		targets[i].Port = new(cmp.Or(aws.ToInt32(t.Port), port))
	}
	return targets, nil
}

// Register registers a target with a group: id is the address that the API shows (a task's private IP address), port its
// port, 0 for the group's own, and address the host:port at which this machine reaches it. The target is healthy once it
// passes a health check.
func (s *Service) Register(targetGroupARN, id string, port int, address string) error {
	g, err := s.group(&targetGroupARN)
	if err != nil {
		return err
	}
	g.register(id, cmp.Or(int32(port), aws.ToInt32(g.show().Port)), address)
	return nil
}

// Deregister takes a target out of service. No request goes to it afterwards; the channel is closed when the last one in
// flight has ended, at the latest after the group's deregistration delay. A target that is not registered has none.
func (s *Service) Deregister(targetGroupARN, id string, port int) (<-chan struct{}, error) {
	g, err := s.group(&targetGroupARN)
	if err != nil {
		return nil, err
	}
	drained := g.deregister(id, cmp.Or(int32(port), aws.ToInt32(g.show().Port)))
	if drained == nil {
		done := make(chan struct{})
		close(done)
		return done, nil
	}
	return drained, nil
}

// ruleARN is the ARN of a listener's rule.
func ruleARN(listener, id string) string {
	return strings.Replace(listener, ":listener/", ":listener-rule/", 1) + "/" + id
}
