package appautoscaling

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"

	"github.com/penguinshop/delivery/sandbox/graph"
)

// Providers returns what stands behind the resource types that this package imitates.
func (s *Service) Providers() map[string]graph.Provider {
	return map[string]graph.Provider{
		"aws:appautoscaling/target:Target":                   targetProvider{s},
		"aws:appautoscaling/policy:Policy":                   policyProvider{s},
		"aws:appautoscaling/scheduledAction:ScheduledAction": actionProvider{s},
	}
}

// declared is what all resources of this service name: what is scaled.
type declared struct {
	Namespace  types.ServiceNamespace  `json:"serviceNamespace"`
	Dimension  types.ScalableDimension `json:"scalableDimension"`
	ResourceID string                  `json:"resourceId"`
}

type targetProvider struct{ service *Service }

// declaredTarget is aws:appautoscaling/target:Target.
type declaredTarget struct {
	declared
	Arn         string             `json:"arn"`
	MinCapacity int32              `json:"minCapacity"`
	MaxCapacity int32              `json:"maxCapacity"`
	RoleARN     *string            `json:"roleArn"`
	Suspended   *declaredSuspended `json:"suspendedState"`
	Tags        map[string]string  `json:"tags"`
}

type declaredSuspended struct {
	In        bool `json:"dynamicScalingInSuspended"`
	Out       bool `json:"dynamicScalingOutSuspended"`
	Scheduled bool `json:"scheduledScalingSuspended"`
}

func (d *declaredSuspended) state() *types.SuspendedState {
	if d == nil {
		return nil
	}
	return &types.SuspendedState{DynamicScalingInSuspended: &d.In, DynamicScalingOutSuspended: &d.Out, ScheduledScalingSuspended: &d.Scheduled}
}

func (p targetProvider) Create(ctx context.Context, r graph.Resource) error {
	d, err := graph.Strict[declaredTarget](r)
	if err != nil {
		return err
	}
	_, err = p.service.RegisterScalableTarget(ctx, &applicationautoscaling.RegisterScalableTargetInput{
		ServiceNamespace: d.Namespace, ScalableDimension: d.Dimension, ResourceId: &d.ResourceID, MinCapacity: &d.MinCapacity, MaxCapacity: &d.MaxCapacity,
		RoleARN: d.RoleARN, SuspendedState: d.Suspended.state(),
	})
	if err != nil {
		return fmt.Errorf("%s: %w", r.URN, err)
	}
	p.service.mu.Lock()
	defer p.service.mu.Unlock()
	target := p.service.targets[d.ResourceID]
	target.environment = r.Stack()
	if d.Arn != "" {
		target.ScalableTargetARN = &d.Arn // as others of the stack name it already
	}
	return nil
}

// Update registers anew what differs, and nothing where nothing of it does: registering snaps the count.
func (p targetProvider) Update(ctx context.Context, prior, next graph.Resource) error {
	was, err := graph.Decode[declaredTarget](prior)
	if err != nil {
		return err
	}
	d, err := graph.Strict[declaredTarget](next)
	if err != nil {
		return err
	}
	in := &applicationautoscaling.RegisterScalableTargetInput{ServiceNamespace: d.Namespace, ScalableDimension: d.Dimension, ResourceId: &d.ResourceID}
	if d.MinCapacity != was.MinCapacity {
		in.MinCapacity = &d.MinCapacity
	}
	if d.MaxCapacity != was.MaxCapacity {
		in.MaxCapacity = &d.MaxCapacity
	}
	if d.suspended() != was.suspended() {
		in.SuspendedState = new(d.suspended()).state()
	}
	if in.MinCapacity == nil && in.MaxCapacity == nil && in.SuspendedState == nil {
		return nil
	}
	_, err = p.service.RegisterScalableTarget(ctx, in)
	return err
}

func (d declaredTarget) suspended() declaredSuspended {
	if d.Suspended == nil {
		return declaredSuspended{}
	}
	return *d.Suspended
}

func (p targetProvider) Delete(ctx context.Context, r graph.Resource) error {
	d, err := graph.Decode[declaredTarget](r)
	if err != nil {
		return err
	}
	_, err = p.service.DeregisterScalableTarget(ctx, &applicationautoscaling.DeregisterScalableTargetInput{
		ServiceNamespace: d.Namespace, ScalableDimension: d.Dimension, ResourceId: &d.ResourceID,
	})
	return err
}

type policyProvider struct{ service *Service }

// declaredPolicy is aws:appautoscaling/policy:Policy.
type declaredPolicy struct {
	declared
	Name       *string           `json:"name"`
	PolicyType string            `json:"policyType"`
	Tracking   *declaredTracking `json:"targetTrackingScalingPolicyConfiguration"`
}

type declaredTracking struct {
	TargetValue      *float64        `json:"targetValue"`
	DisableScaleIn   *bool           `json:"disableScaleIn"`
	ScaleInCooldown  *int32          `json:"scaleInCooldown"`
	ScaleOutCooldown *int32          `json:"scaleOutCooldown"`
	Metric           *declaredMetric `json:"predefinedMetricSpecification"`
}

type declaredMetric struct {
	Type          string  `json:"predefinedMetricType"`
	ResourceLabel *string `json:"resourceLabel"`
}

func (p policyProvider) Create(ctx context.Context, r graph.Resource) error {
	d, err := graph.Strict[declaredPolicy](r)
	if err != nil {
		return err
	}
	in := &applicationautoscaling.PutScalingPolicyInput{
		PolicyName: d.Name, PolicyType: types.PolicyType(d.PolicyType), ServiceNamespace: d.Namespace, ScalableDimension: d.Dimension, ResourceId: &d.ResourceID,
	}
	if t := d.Tracking; t != nil {
		in.TargetTrackingScalingPolicyConfiguration = &types.TargetTrackingScalingPolicyConfiguration{
			TargetValue: t.TargetValue, DisableScaleIn: t.DisableScaleIn, ScaleInCooldown: t.ScaleInCooldown, ScaleOutCooldown: t.ScaleOutCooldown,
		}
		if t.Metric != nil {
			in.TargetTrackingScalingPolicyConfiguration.PredefinedMetricSpecification = &types.PredefinedMetricSpecification{
				PredefinedMetricType: types.MetricType(t.Metric.Type), ResourceLabel: t.Metric.ResourceLabel,
			}
		}
	}
	if _, err = p.service.PutScalingPolicy(ctx, in); err != nil {
		return fmt.Errorf("%s: %w", r.URN, err)
	}
	return nil
}

func (p policyProvider) Update(ctx context.Context, _, next graph.Resource) error {
	return p.Create(ctx, next)
}

func (p policyProvider) Delete(ctx context.Context, r graph.Resource) error {
	d, err := graph.Decode[declaredPolicy](r)
	if err != nil {
		return err
	}
	_, err = p.service.DeleteScalingPolicy(ctx, &applicationautoscaling.DeleteScalingPolicyInput{
		PolicyName: d.Name, ServiceNamespace: d.Namespace, ScalableDimension: d.Dimension, ResourceId: &d.ResourceID,
	})
	return err
}

type actionProvider struct{ service *Service }

// declaredAction is aws:appautoscaling/scheduledAction:ScheduledAction.
type declaredAction struct {
	declared
	Name      *string `json:"name"`
	Schedule  *string `json:"schedule"`
	Timezone  *string `json:"timezone"`
	StartTime string  `json:"startTime"`
	EndTime   string  `json:"endTime"`
	Action    struct {
		// The provider takes the capacities as text or number.
		MinCapacity any `json:"minCapacity"`
		MaxCapacity any `json:"maxCapacity"`
	} `json:"scalableTargetAction"`
}

func (p actionProvider) Create(ctx context.Context, r graph.Resource) error {
	d, err := graph.Strict[declaredAction](r)
	if err != nil {
		return err
	}
	in := &applicationautoscaling.PutScheduledActionInput{
		ScheduledActionName: d.Name, Schedule: d.Schedule, Timezone: d.Timezone, ScalableTargetAction: &types.ScalableTargetAction{},
		ServiceNamespace: d.Namespace, ScalableDimension: d.Dimension, ResourceId: &d.ResourceID,
	}
	if in.ScalableTargetAction.MinCapacity, err = capacity(d.Action.MinCapacity); err != nil {
		return fmt.Errorf("%s: minCapacity: %w", r.URN, err)
	}
	if in.ScalableTargetAction.MaxCapacity, err = capacity(d.Action.MaxCapacity); err != nil {
		return fmt.Errorf("%s: maxCapacity: %w", r.URN, err)
	}
	if in.StartTime, err = moment(d.StartTime); err != nil {
		return fmt.Errorf("%s: startTime: %w", r.URN, err)
	}
	if in.EndTime, err = moment(d.EndTime); err != nil {
		return fmt.Errorf("%s: endTime: %w", r.URN, err)
	}
	if _, err = p.service.PutScheduledAction(ctx, in); err != nil {
		return fmt.Errorf("%s: %w", r.URN, err)
	}
	return nil
}

func (p actionProvider) Update(ctx context.Context, _, next graph.Resource) error {
	return p.Create(ctx, next)
}

func (p actionProvider) Delete(ctx context.Context, r graph.Resource) error {
	d, err := graph.Decode[declaredAction](r)
	if err != nil {
		return err
	}
	_, err = p.service.DeleteScheduledAction(ctx, &applicationautoscaling.DeleteScheduledActionInput{
		ScheduledActionName: d.Name, ServiceNamespace: d.Namespace, ScalableDimension: d.Dimension, ResourceId: &d.ResourceID,
	})
	return err
}

func capacity(declared any) (*int32, error) {
	if declared == nil || declared == "" {
		return nil, nil
	}
	var n int32
	if _, err := fmt.Sscanf(fmt.Sprint(declared), "%d", &n); err != nil || fmt.Sprint(n) != fmt.Sprint(declared) {
		return nil, fmt.Errorf("%v is not a whole number", declared)
	}
	return &n, nil
}

func moment(declared string) (*time.Time, error) {
	if declared == "" {
		return nil, nil
	}
	at, err := time.Parse(time.RFC3339, declared)
	if err != nil {
		return nil, fmt.Errorf("%q is not a time such as 2026-11-24T18:00:00Z", declared)
	}
	return &at, nil
}
