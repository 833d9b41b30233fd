package appautoscaling

import (
	"context"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/google/uuid"

	"github.com/penguinshop/delivery/sandbox/fidelity"
	"github.com/penguinshop/delivery/sandbox/journal"
)

// policy is a target tracking policy of a scalable target.
type policy struct {
	types.ScalingPolicy
	// dimensions are those of the metric; nil for a policy by a metric that nothing in the sandbox measures.
	dimensions []cloudwatchtypes.Dimension
}

// The alarms that target tracking makes: it scales out when the metric was above the target for three minutes, and in when it
// was below nine tenths of it for fifteen.
// https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
const (
	outAfter   = 3 * period
	inAfter    = 15 * period
	inFraction = 0.9
)

// defaultCooldown is what a policy waits after a scaling where it declares nothing.
const defaultCooldown = 300 * time.Second

// labelForm is that of ALBRequestCountPerTarget: the ends of the load balancer's and of the target group's ARN.
var labelForm = regexp.MustCompile(`^(app/[^/]+/[^/]+)/(targetgroup/[^/]+/[^/]+)$`)

// PutScalingPolicy adds a target tracking policy to a scalable target or changes one. By requests for each target it scales
// here as in AWS; by CPU or memory, which the sandbox does not measure, it is kept and never scales, and the journal says so.
func (s *Service) PutScalingPolicy(_ context.Context, in *applicationautoscaling.PutScalingPolicyInput, _ ...func(*applicationautoscaling.Options)) (*applicationautoscaling.PutScalingPolicyOutput, error) {
	imitated := []string{"PolicyName", "PolicyType", "ResourceId", "ScalableDimension", "ServiceNamespace",
		"TargetTrackingScalingPolicyConfiguration.TargetValue", "TargetTrackingScalingPolicyConfiguration.DisableScaleIn",
		"TargetTrackingScalingPolicyConfiguration.ScaleInCooldown", "TargetTrackingScalingPolicyConfiguration.ScaleOutCooldown",
		"TargetTrackingScalingPolicyConfiguration.PredefinedMetricSpecification"}
	if refusal := fidelity.Refusal(in, imitated...); refusal != "" {
		return nil, invalid("%s", refusal)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.target(in.ServiceNamespace, in.ScalableDimension, in.ResourceId)
	if err != nil {
		return nil, err
	}
	name, tracking := aws.ToString(in.PolicyName), in.TargetTrackingScalingPolicyConfiguration
	switch {
	case name == "":
		return nil, invalid("PolicyName is missing")
	case in.PolicyType != types.PolicyTypeTargetTrackingScaling:
		return nil, invalid("policy type %q: the sandbox imitates TargetTrackingScaling", in.PolicyType)
	case tracking == nil || tracking.PredefinedMetricSpecification == nil:
		return nil, invalid("TargetTrackingScalingPolicyConfiguration.PredefinedMetricSpecification is missing")
	case aws.ToFloat64(tracking.TargetValue) <= 0:
		return nil, invalid("TargetValue %v: more than 0 is needed", aws.ToFloat64(tracking.TargetValue))
	}
	p := &policy{ScalingPolicy: types.ScalingPolicy{
		PolicyName: &name, PolicyType: in.PolicyType, ResourceId: t.ResourceId, ScalableDimension: t.ScalableDimension,
		ServiceNamespace: t.ServiceNamespace, TargetTrackingScalingPolicyConfiguration: tracking, CreationTime: new(s.Clock.Now()),
		PolicyARN: new(fmt.Sprintf("arn:aws:autoscaling:%s:%s:scalingPolicy:%s:resource/ecs/%s:policyName/%s", s.Region, s.Account, uuid.NewString(), *t.ResourceId, name)),
	}}
	if was, there := t.policies[name]; there {
		p.PolicyARN, p.CreationTime = was.PolicyARN, was.CreationTime
	}
	switch metric := tracking.PredefinedMetricSpecification; metric.PredefinedMetricType {
	case types.MetricTypeALBRequestCountPerTarget:
		label := labelForm.FindStringSubmatch(aws.ToString(metric.ResourceLabel))
		if label == nil {
			return nil, invalid("ResourceLabel %q has not the form app/name/id/targetgroup/name/id", aws.ToString(metric.ResourceLabel))
		}
		p.dimensions = []cloudwatchtypes.Dimension{{Name: new("LoadBalancer"), Value: &label[1]}, {Name: new("TargetGroup"), Value: &label[2]}}
	case types.MetricTypeECSServiceAverageCPUUtilization, types.MetricTypeECSServiceAverageMemoryUtilization:
		s.Journal.Add(journal.Entry{Service: "appautoscaling", Environment: t.environment, Kind: "note", Fields: map[string]any{"service": t.service},
			Text: fmt.Sprintf("(service %s) policy %s scales by %s, which the sandbox does not measure: it never scales here.",
				t.service, name, metric.PredefinedMetricType)})
	default:
		return nil, invalid("predefined metric %q is none of an ECS service", metric.PredefinedMetricType)
	}
	t.policies[name] = p
	return &applicationautoscaling.PutScalingPolicyOutput{PolicyARN: p.PolicyARN}, nil
}

// DescribeScalingPolicies lists the policies of one resource or of all, at most 50 a page.
func (s *Service) DescribeScalingPolicies(_ context.Context, in *applicationautoscaling.DescribeScalingPoliciesInput, _ ...func(*applicationautoscaling.Options)) (*applicationautoscaling.DescribeScalingPoliciesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []types.ScalingPolicy
	for _, resource := range slices.Sorted(maps.Keys(s.targets)) {
		if in.ResourceId != nil && *in.ResourceId != resource {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(s.targets[resource].policies)) {
			if len(in.PolicyNames) == 0 || slices.Contains(in.PolicyNames, name) {
				found = append(found, s.targets[resource].policies[name].ScalingPolicy)
			}
		}
	}
	page, next, err := paged(found, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &applicationautoscaling.DescribeScalingPoliciesOutput{ScalingPolicies: page, NextToken: next}, nil
}

// DeleteScalingPolicy removes a policy.
func (s *Service) DeleteScalingPolicy(_ context.Context, in *applicationautoscaling.DeleteScalingPolicyInput, _ ...func(*applicationautoscaling.Options)) (*applicationautoscaling.DeleteScalingPolicyOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.target(in.ServiceNamespace, in.ScalableDimension, in.ResourceId)
	if err != nil {
		return nil, err
	}
	if _, there := t.policies[aws.ToString(in.PolicyName)]; !there {
		return nil, missing("No scaling policy found for service namespace: %s, resource ID: %s, policy name: %s", in.ServiceNamespace, *in.ResourceId, aws.ToString(in.PolicyName))
	}
	delete(t.policies, *in.PolicyName)
	return &applicationautoscaling.DeleteScalingPolicyOutput{}, nil
}

// track lets the policies of every target scale by the minutes that have ended.
func (s *Service) track(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, resource := range slices.Sorted(maps.Keys(s.targets)) {
		t := s.targets[resource]
		if len(t.policies) == 0 {
			continue
		}
		count, err := s.count(s.closing, t)
		if err != nil || count == 0 {
			continue // nothing runs, so there is nothing to measure
		}
		if wanted, cause := s.wanted(t, count, now); wanted != count {
			if wanted > count {
				t.scaledOut = now
			} else {
				t.scaledIn = now
			}
			s.scale(s.closing, t, count, wanted, cause) //nolint:errcheck // the activity tells of a failure; the next minute tries again
		}
	}
}

// wanted is the count that a target's policies ask for: the largest that one asks for to scale out; to scale in, what is left
// when all of them agree. Without data a policy asks for nothing.
func (s *Service) wanted(t *scalable, count int32, now time.Time) (int32, string) {
	out, in, agree, cause := count, int32(0), true, ""
	var inCause string
	for _, name := range slices.Sorted(maps.Keys(t.policies)) {
		p := t.policies[name]
		if p.dimensions == nil {
			continue
		}
		tracking := p.TargetTrackingScalingPolicyConfiguration
		values := s.minutes(p, now)
		target := *tracking.TargetValue
		switch {
		case lasts(values, outAfter, func(v float64) bool { return v > target }):
			fit := proportion(count, values[0], target)
			if fit > out && now.Sub(t.scaledOut) >= cooldown(tracking.ScaleOutCooldown) {
				out, cause = fit, fmt.Sprintf("policy %s: %.0f requests a minute for each target, %.0f are wanted", name, values[0], target)
			}
			agree = false
		case !aws.ToBool(tracking.DisableScaleIn) && lasts(values, inAfter, func(v float64) bool { return v < inFraction*target }) &&
			now.Sub(t.scaledIn) >= cooldown(tracking.ScaleInCooldown) && now.Sub(t.scaledOut) >= cooldown(tracking.ScaleInCooldown):
			in = max(in, proportion(count, slices.Max(values), target))
			inCause = fmt.Sprintf("policy %s: at most %.0f requests a minute for each target, %.0f are wanted", name, slices.Max(values), target)
		default:
			agree = false
		}
	}
	state := t.SuspendedState
	switch {
	case out > count && !aws.ToBool(state.DynamicScalingOutSuspended):
		return max(count, min(out, *t.MaxCapacity)), cause
	case agree && inCause != "" && in < count && !aws.ToBool(state.DynamicScalingInSuspended):
		return min(count, max(in, *t.MinCapacity)), inCause
	default:
		return count, ""
	}
}

// proportion is the count at which each target would have its wanted share.
func proportion(count int32, value, target float64) int32 {
	return int32(math.Ceil(float64(count) * value / target))
}

// lasts tells whether the newest values, one a minute, hold for the whole of a time.
func lasts(values []float64, long time.Duration, holds func(float64) bool) bool {
	n := int(long / period)
	return len(values) >= n && !slices.ContainsFunc(values[:n], func(v float64) bool { return !holds(v) })
}

func cooldown(declared *int32) time.Duration {
	if declared == nil {
		return defaultCooldown
	}
	return time.Duration(*declared) * time.Second
}

// minutes are a policy's metric, newest minute first, as far back as scaling in looks, without a gap: where a minute has no
// value, what lies before it does not count.
func (s *Service) minutes(p *policy, now time.Time) []float64 {
	out, err := s.Metrics.GetMetricData(s.closing, &cloudwatch.GetMetricDataInput{
		StartTime: new(now.Add(-inAfter)), EndTime: &now, ScanBy: cloudwatchtypes.ScanByTimestampDescending,
		MetricDataQueries: []cloudwatchtypes.MetricDataQuery{{Id: new("requests"), MetricStat: &cloudwatchtypes.MetricStat{
			Metric: &cloudwatchtypes.Metric{Namespace: new("AWS/ApplicationELB"), MetricName: new("RequestCountPerTarget"), Dimensions: p.dimensions},
			Period: new(int32(period / time.Second)), Stat: new("Sum"),
		}}},
	})
	if err != nil || len(out.MetricDataResults) == 0 {
		return nil
	}
	var values []float64
	result := out.MetricDataResults[0]
	for i, at := range result.Timestamps {
		if !at.Equal(now.Add(-period * time.Duration(i+1))) {
			break
		}
		values = append(values, result.Values[i])
	}
	return values
}
