package elb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	elbv2 "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/penguinshop/delivery/sandbox/graph"
)

// Providers returns what stands behind the resource types that this package imitates, under their present and former tokens.
func (s *Service) Providers() map[string]graph.Provider {
	providers := map[string]graph.Provider{}
	for of, p := range map[string]graph.Provider{
		"loadBalancer:LoadBalancer": loadBalancerProvider{s}, "targetGroup:TargetGroup": targetGroupProvider{s},
		"listener:Listener": listenerProvider{s}, "listenerRule:ListenerRule": ruleProvider{s},
		"listenerCertificate:ListenerCertificate": certificateProvider{s},
	} {
		providers["aws:lb/"+of], providers["aws:alb/"+of] = p, p
	}
	return providers
}

// at says which resource an error is about.
func at(r graph.Resource, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", r.URN, err)
	}
	return nil
}

// changed reads both versions of a resource.
func changed[T any](prior, next graph.Resource) (was, is T, err error) {
	if was, err = graph.Decode[T](prior); err == nil {
		is, err = graph.Strict[T](next)
	}
	return was, is, err
}

// replaced refuses an update that a Pulumi provider would make by replacing the resource.
func replaced(differs map[string]bool) error {
	var names []string
	for name, differ := range differs {
		if differ {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return fmt.Errorf("a change of %s replaces the resource: delete it and create it anew", strings.Join(names, ", "))
}

type loadBalancerProvider struct{ service *Service }

func (p loadBalancerProvider) Create(_ context.Context, r graph.Resource) error {
	d, err := graph.Strict[declaredLoadBalancer](r)
	if err != nil {
		return err
	}
	attributes, err := d.attributes()
	if err != nil {
		return at(r, err)
	}
	s := p.service
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, lb := range s.loadBalancers {
		if *lb.LoadBalancerName == d.Name || *lb.LoadBalancerArn == d.Arn {
			return at(r, &types.DuplicateLoadBalancerNameException{Message: new(fmt.Sprintf("A load balancer with the name '%s' exists already", d.Name))})
		}
	}
	scheme := types.LoadBalancerSchemeEnumInternetFacing
	if d.Internal {
		scheme = types.LoadBalancerSchemeEnumInternal
	}
	s.loadBalancers[d.Arn] = &loadBalancer{
		stack: r.Stack(), attributes: attributes, tags: d.Tags, protected: d.DeletionProtection,
		LoadBalancer: types.LoadBalancer{
			LoadBalancerArn: new(d.Arn), LoadBalancerName: new(d.Name), DNSName: new(d.DNSName), CreatedTime: new(s.options.Clock.Now().UTC().Truncate(time.Millisecond)),
			CanonicalHostedZoneId: new(d.ZoneID), Scheme: scheme, Type: types.LoadBalancerTypeEnumApplication, VpcId: new(d.VpcID),
			SecurityGroups: d.SecurityGroups, IpAddressType: types.IpAddressType(either(d.IPAddressType, "ipv4")),
			State: &types.LoadBalancerState{Code: types.LoadBalancerStateEnumActive},
		},
	}
	return nil
}

func (p loadBalancerProvider) Update(_ context.Context, prior, next graph.Resource) error {
	was, is, err := changed[declaredLoadBalancer](prior, next)
	if err != nil {
		return err
	}
	attributes, err := is.attributes()
	if err == nil {
		err = replaced(map[string]bool{"name": was.Name != is.Name, "internal": was.Internal != is.Internal})
	}
	if err != nil {
		return at(next, err)
	}
	s := p.service
	s.mu.Lock()
	defer s.mu.Unlock()
	lb := s.loadBalancers[is.Arn]
	if lb == nil {
		return at(next, loadBalancerNotFound())
	}
	lb.attributes, lb.tags, lb.protected, lb.SecurityGroups = attributes, is.Tags, is.DeletionProtection, is.SecurityGroups
	s.apply()
	return nil
}

// Delete takes the listeners and their rules along, as AWS does.
func (p loadBalancerProvider) Delete(_ context.Context, r graph.Resource) error {
	d, err := graph.Decode[declaredLoadBalancer](r)
	if err != nil {
		return err
	}
	s := p.service
	s.mu.Lock()
	defer s.mu.Unlock()
	lb := s.loadBalancers[d.Arn]
	if lb == nil {
		return nil
	}
	if lb.protected {
		return at(r, &types.OperationNotPermittedException{Message: new(fmt.Sprintf(
			"Load balancer '%s' cannot be deleted because deletion protection is enabled", d.Arn))})
	}
	for _, l := range s.listeners {
		if l.loadBalancer == lb {
			s.deleteListener(l)
		}
	}
	delete(s.loadBalancers, d.Arn)
	maps.DeleteFunc(s.aliases, func(_ string, of *loadBalancer) bool { return of == lb })
	return nil
}

// deleteListener ends a listener with its rules. The caller holds the lock.
func (s *Service) deleteListener(l *listener) {
	for _, r := range s.rulesOf(l) {
		delete(s.rules, r.arn)
	}
	delete(s.listeners, l.arn)
	s.apply()
	l.close()
}

type targetGroupProvider struct{ service *Service }

func (p targetGroupProvider) Create(_ context.Context, r graph.Resource) error {
	d, err := graph.Strict[declaredTargetGroup](r)
	if err != nil {
		return err
	}
	settings, err := d.settings()
	if err != nil {
		return at(r, err)
	}
	s := p.service
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.groups {
		if g.name() == d.Name || g.arn == d.Arn {
			return at(r, &types.DuplicateTargetGroupNameException{Message: new(fmt.Sprintf("A target group with the name '%s' exists already", d.Name))})
		}
	}
	s.groups[d.Arn] = &group{
		service: s, arn: d.Arn, suffix: Suffix(d.Arn), stack: r.Stack(), declared: settings.shown, check: settings.check,
		delay: settings.delay, algorithm: settings.algorithm, tags: d.Tags,
	}
	return nil
}

func (p targetGroupProvider) Update(_ context.Context, prior, next graph.Resource) error {
	was, is, err := changed[declaredTargetGroup](prior, next)
	if err != nil {
		return err
	}
	settings, err := is.settings()
	if err == nil {
		err = replaced(map[string]bool{"name": was.Name != is.Name, "port": was.Port != is.Port, "protocol": was.Protocol != is.Protocol,
			"targetType": was.TargetType != is.TargetType, "vpcId": was.VpcID != is.VpcID})
	}
	if err != nil {
		return at(next, err)
	}
	g, err := p.service.group(&is.Arn)
	if err != nil {
		return at(next, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.declared, g.check, g.delay, g.algorithm, g.tags = settings.shown, settings.check, settings.delay, settings.algorithm, is.Tags
	g.route()
	return nil
}

func (p targetGroupProvider) Delete(_ context.Context, r graph.Resource) error {
	d, err := graph.Decode[declaredTargetGroup](r)
	if err != nil {
		return err
	}
	s := p.service
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[d.Arn]
	if g == nil {
		return nil
	}
	if g.loadBalancer() != nil {
		return at(r, inUse("Target group '%s' is currently in use by a listener or a rule", d.Arn))
	}
	g.close()
	delete(s.groups, d.Arn)
	return nil
}

type listenerProvider struct{ service *Service }

func (p listenerProvider) Create(_ context.Context, r graph.Resource) error {
	d, err := graph.Strict[declaredListener](r)
	if err != nil {
		return err
	}
	if err := d.check(); err != nil {
		return at(r, err)
	}
	s := p.service
	s.mu.Lock()
	defer s.mu.Unlock()
	lb := s.loadBalancers[d.LoadBalancerArn]
	if lb == nil {
		return at(r, loadBalancerNotFound())
	}
	l := &listener{service: s, loadBalancer: lb, arn: d.Arn, port: d.Port, protocol: types.ProtocolEnum(d.Protocol), sslPolicy: d.SslPolicy,
		headers: d.headers(), tags: d.Tags}
	if d.CertificateArn != "" {
		l.certificates = []types.Certificate{{CertificateArn: new(d.CertificateArn)}}
	}
	if err := s.checkPort(lb, nil, d.Port); err != nil {
		return at(r, err)
	}
	if l.defaultActions, err = s.readActions(l, actionsOf(d.DefaultActions)); err != nil {
		return at(r, err)
	}
	l.table.Store(s.compile(l, nil))
	if err := s.open(l); err != nil {
		return at(r, err)
	}
	s.listeners[d.Arn] = l
	s.apply()
	return nil
}

// Update changes what differs. The default actions that the program ignores arrive as they were, and are not written.
func (p listenerProvider) Update(ctx context.Context, prior, next graph.Resource) error {
	was, is, err := changed[declaredListener](prior, next)
	if err != nil {
		return err
	}
	if err = is.check(); err == nil {
		err = replaced(map[string]bool{"loadBalancerArn": was.LoadBalancerArn != is.LoadBalancerArn})
	}
	if err == nil && was.Protocol != is.Protocol {
		err = unsupported("a change of a listener's protocol: delete the listener and create it anew")
	}
	if err != nil {
		return at(next, err)
	}
	in := &elbv2.ModifyListenerInput{ListenerArn: new(is.Arn)}
	if was.Port != is.Port {
		in.Port = new(int32(is.Port))
	}
	if was.SslPolicy != is.SslPolicy {
		in.SslPolicy = new(is.SslPolicy)
	}
	if was.CertificateArn != is.CertificateArn {
		in.Certificates = []types.Certificate{{CertificateArn: new(is.CertificateArn)}}
	}
	if !reflect.DeepEqual(was.DefaultActions, is.DefaultActions) {
		in.DefaultActions = actionsOf(is.DefaultActions)
	}
	s := p.service
	if _, err := s.ModifyListener(ctx, in); err != nil {
		return at(next, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.listeners[is.Arn]
	l.headers, l.tags = is.headers(), is.Tags
	s.apply()
	return nil
}

func (p listenerProvider) Delete(_ context.Context, r graph.Resource) error {
	d, err := graph.Decode[declaredListener](r)
	if err != nil {
		return err
	}
	s := p.service
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.listeners[d.Arn]; l != nil {
		s.deleteListener(l)
	}
	return nil
}

type ruleProvider struct{ service *Service }

// The range of priorities and how many rules a load balancer may have beside the default ones:
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html
const (
	lowestPriority      = 50_000
	rulesOfLoadBalancer = 100
)

func (p ruleProvider) Create(_ context.Context, r graph.Resource) error {
	d, err := graph.Strict[declaredRule](r)
	if err != nil {
		return err
	}
	conditions, err := conditionsOf(d.Conditions)
	if err != nil {
		return at(r, err)
	}
	s := p.service
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.listeners[d.ListenerArn]
	if l == nil {
		return at(r, listenerNotFound())
	}
	added := &rule{arn: d.Arn, listener: l, tags: d.Tags}
	var ofLoadBalancer int
	for _, other := range s.rules {
		if other.listener.loadBalancer == l.loadBalancer {
			ofLoadBalancer++
		}
	}
	if ofLoadBalancer >= rulesOfLoadBalancer {
		return at(r, &types.TooManyRulesException{Message: new(fmt.Sprintf("The maximum number of rules per load balancer is %d", rulesOfLoadBalancer))})
	}
	if added.priority, err = s.priority(l, nil, d.Priority); err != nil {
		return at(r, err)
	}
	var problems []error
	if added.conditions, _, err = readConditions(conditions); err != nil {
		problems = append(problems, err)
	}
	if added.actions, err = s.readActions(l, actionsOf(d.Actions)); err != nil {
		problems = append(problems, err)
	}
	if len(problems) > 0 {
		return at(r, errors.Join(problems...))
	}
	s.rules[d.Arn] = added
	s.apply()
	return nil
}

// priority checks the priority of a rule, or gives the one after the last where none is declared, as the Pulumi resource
// does. The caller holds the lock.
func (s *Service) priority(l *listener, except *rule, declared *int) (int, error) {
	var last int
	for _, other := range s.rulesOf(l) {
		if other == except {
			continue
		}
		if declared != nil && other.priority == *declared {
			return 0, &types.PriorityInUseException{Message: new(fmt.Sprintf("Priority '%d' is currently in use", *declared))}
		}
		last = other.priority
	}
	priority := last + 1
	if declared != nil {
		priority = *declared
	}
	if priority < 1 || priority > lowestPriority {
		return 0, invalid("The priority '%d' must be between 1 and %d", priority, lowestPriority)
	}
	return priority, nil
}

func (p ruleProvider) Update(ctx context.Context, prior, next graph.Resource) error {
	was, is, err := changed[declaredRule](prior, next)
	if err != nil {
		return err
	}
	if err := replaced(map[string]bool{"listenerArn": was.ListenerArn != is.ListenerArn}); err != nil {
		return at(next, err)
	}
	s := p.service
	in := &elbv2.ModifyRuleInput{RuleArn: new(is.Arn)}
	if !reflect.DeepEqual(was.Conditions, is.Conditions) {
		if in.Conditions, err = conditionsOf(is.Conditions); err != nil {
			return at(next, err)
		}
	}
	if !reflect.DeepEqual(was.Actions, is.Actions) {
		in.Actions = actionsOf(is.Actions)
	}
	if in.Conditions != nil || in.Actions != nil {
		if _, err := s.ModifyRule(ctx, in); err != nil {
			return at(next, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := s.rules[is.Arn]
	if changed == nil {
		return at(next, ruleNotFound())
	}
	if !reflect.DeepEqual(was.Priority, is.Priority) && is.Priority != nil {
		if changed.priority, err = s.priority(changed.listener, changed, is.Priority); err != nil {
			return at(next, err)
		}
	}
	changed.tags = is.Tags
	s.apply()
	return nil
}

func (p ruleProvider) Delete(_ context.Context, r graph.Resource) error {
	d, err := graph.Decode[declaredRule](r)
	if err != nil {
		return err
	}
	s := p.service
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.rules, d.Arn)
	s.apply()
	return nil
}

type certificateProvider struct{ service *Service }

func (p certificateProvider) Create(_ context.Context, r graph.Resource) error {
	d, err := graph.Strict[declaredCertificate](r)
	if err != nil {
		return err
	}
	s := p.service
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.listeners[d.ListenerArn]
	switch {
	case l == nil:
		return at(r, listenerNotFound())
	case l.protocol != types.ProtocolEnumHttps:
		return at(r, invalid("A certificate cannot be specified for HTTP listeners"))
	}
	l.certificates = append(l.certificates, types.Certificate{CertificateArn: new(d.CertificateArn)})
	return nil
}

// Update has nothing to do: every change replaces the resource.
func (p certificateProvider) Update(_ context.Context, prior, next graph.Resource) error {
	was, is, err := changed[declaredCertificate](prior, next)
	if err != nil {
		return err
	}
	return at(next, replaced(map[string]bool{"listenerArn": was.ListenerArn != is.ListenerArn, "certificateArn": was.CertificateArn != is.CertificateArn}))
}

func (p certificateProvider) Delete(_ context.Context, r graph.Resource) error {
	d, err := graph.Decode[declaredCertificate](r)
	if err != nil {
		return err
	}
	s := p.service
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.listeners[d.ListenerArn]; l != nil {
		l.certificates = slices.DeleteFunc(l.certificates, func(c types.Certificate) bool { return *c.CertificateArn == d.CertificateArn })
	}
	return nil
}
