package appautoscaling

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/google/uuid"

	"github.com/penguinshop/delivery/sandbox/fidelity"
	"github.com/penguinshop/delivery/sandbox/journal"
)

// scalable is an ECS service whose count is kept in bounds. Service.mu guards it.
type scalable struct {
	types.ScalableTarget
	// environment is the stack that declared it, for the journal; empty for one made by a call.
	environment      string
	cluster, service string
	policies         map[string]*policy
	actions          map[string]*scheduled
	// scaledOut and scaledIn are when the policies last did, for their cooldowns.
	scaledOut, scaledIn time.Time
}

var resourceForm = regexp.MustCompile(`^service/([a-zA-Z0-9_-]+)/([a-zA-Z0-9_-]+)$`)

// check refuses what is not an ECS service's count.
func check(namespace types.ServiceNamespace, dimension types.ScalableDimension, resource string) error {
	switch {
	case namespace != types.ServiceNamespaceEcs:
		return invalid("service namespace %q: the sandbox imitates ecs", namespace)
	case dimension != types.ScalableDimensionECSServiceDesiredCount:
		return invalid("scalable dimension %q: the sandbox imitates ecs:service:DesiredCount", dimension)
	case !resourceForm.MatchString(resource):
		return invalid("resource id %q has not the form service/cluster/service", resource)
	}
	return nil
}

// RegisterScalableTarget adds a scalable target, or changes of one what is given. As documented, a count outside the bounds is
// brought to the nearer one at once, also when the bounds themselves have not changed and when scaling is suspended.
func (s *Service) RegisterScalableTarget(ctx context.Context, in *applicationautoscaling.RegisterScalableTargetInput, _ ...func(*applicationautoscaling.Options)) (*applicationautoscaling.RegisterScalableTargetOutput, error) {
	resource := aws.ToString(in.ResourceId)
	if err := check(in.ServiceNamespace, in.ScalableDimension, resource); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next, there := s.targets[resource]
	if !there {
		if in.MinCapacity == nil || in.MaxCapacity == nil {
			return nil, invalid("MinCapacity and MaxCapacity are needed to register %s for the first time", resource)
		}
		parts := resourceForm.FindStringSubmatch(resource)
		next = &scalable{cluster: parts[1], service: parts[2], policies: map[string]*policy{}, actions: map[string]*scheduled{}}
		next.ScalableTarget = types.ScalableTarget{
			ServiceNamespace: in.ServiceNamespace, ScalableDimension: in.ScalableDimension, ResourceId: &resource, CreationTime: new(s.Clock.Now()),
			ScalableTargetARN: new(fmt.Sprintf("arn:aws:application-autoscaling:%s:%s:scalable-target/%s", s.Region, s.Account,
				strings.ReplaceAll(uuid.NewString(), "-", ""))),
			RoleARN: new(cmp.Or(aws.ToString(in.RoleARN), fmt.Sprintf("arn:aws:iam::%s:role/aws-service-role/"+
				"ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService", s.Account))),
			SuspendedState: &types.SuspendedState{
				DynamicScalingInSuspended: new(false), DynamicScalingOutSuspended: new(false), ScheduledScalingSuspended: new(false),
			},
		}
	}
	changed := next.ScalableTarget
	if in.MinCapacity != nil {
		changed.MinCapacity = in.MinCapacity
	}
	if in.MaxCapacity != nil {
		changed.MaxCapacity = in.MaxCapacity
	}
	if state := in.SuspendedState; state != nil { // what is not given goes on, as by the documented default
		changed.SuspendedState = &types.SuspendedState{
			DynamicScalingInSuspended:  new(aws.ToBool(state.DynamicScalingInSuspended)),
			DynamicScalingOutSuspended: new(aws.ToBool(state.DynamicScalingOutSuspended)),
			ScheduledScalingSuspended:  new(aws.ToBool(state.ScheduledScalingSuspended)),
		}
	}
	if least, most := *changed.MinCapacity, *changed.MaxCapacity; least < 0 || most < least {
		return nil, invalid("MinCapacity %d and MaxCapacity %d: 0 or more, and the maximum not below the minimum, is allowed", least, most)
	}
	count, err := s.count(ctx, next)
	if err != nil {
		return nil, err
	}
	next.ScalableTarget = changed
	s.targets[resource] = next
	s.poke()
	return &applicationautoscaling.RegisterScalableTargetOutput{ScalableTargetARN: next.ScalableTargetARN}, s.snap(ctx, next, count)
}

// snap brings a count outside the bounds to the nearer one.
func (s *Service) snap(ctx context.Context, t *scalable, count int32) error {
	switch {
	case count < *t.MinCapacity:
		return s.scale(ctx, t, count, *t.MinCapacity, fmt.Sprintf("minimum capacity was set to %d", *t.MinCapacity))
	case count > *t.MaxCapacity:
		return s.scale(ctx, t, count, *t.MaxCapacity, fmt.Sprintf("maximum capacity was set to %d", *t.MaxCapacity))
	}
	return nil
}

// count is the service's desired count.
func (s *Service) count(ctx context.Context, t *scalable) (int32, error) {
	found, err := s.ECS.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: &t.cluster, Services: []string{t.service}})
	if err != nil || len(found.Services) == 0 || aws.ToString(found.Services[0].Status) == "INACTIVE" {
		return 0, invalid("ECS service doesn't exist: service/%s/%s", t.cluster, t.service)
	}
	return found.Services[0].DesiredCount, nil
}

// keptActivities bounds what DescribeScalingActivities knows; AWS keeps six weeks.
const keptActivities = 500

// scale sets the service's desired count and records why.
func (s *Service) scale(ctx context.Context, t *scalable, from, to int32, cause string) error {
	now := s.Clock.Now()
	activity := types.ScalingActivity{
		ActivityId: new(uuid.NewString()), ResourceId: t.ResourceId, ScalableDimension: t.ScalableDimension, ServiceNamespace: t.ServiceNamespace,
		Cause: &cause, Description: new(fmt.Sprintf("Setting desired count to %d.", to)), StartTime: &now, EndTime: &now,
		StatusCode: types.ScalingActivityStatusCodeSuccessful, StatusMessage: new(fmt.Sprintf("Successfully set desired count to %d.", to)),
	}
	_, err := s.ECS.UpdateService(ctx, &ecs.UpdateServiceInput{Cluster: &t.cluster, Service: &t.service, DesiredCount: &to})
	if err != nil {
		activity.StatusCode, activity.StatusMessage = types.ScalingActivityStatusCodeFailed, new(err.Error())
	}
	s.activities = append(s.activities, activity)
	s.activities = s.activities[max(0, len(s.activities)-keptActivities):]
	s.Journal.Add(journal.Entry{
		Service: "appautoscaling", Environment: t.environment, Kind: "scale",
		Text:   fmt.Sprintf("(service %s) %s: the count goes from %d to %d.", t.service, cause, from, to),
		Fields: map[string]any{"service": t.service, "cluster": t.cluster, "from": from, "to": to},
	})
	return err
}

// DeregisterScalableTarget removes a scalable target with its policies and scheduled actions; the count stays.
func (s *Service) DeregisterScalableTarget(_ context.Context, in *applicationautoscaling.DeregisterScalableTargetInput, _ ...func(*applicationautoscaling.Options)) (*applicationautoscaling.DeregisterScalableTargetOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.target(in.ServiceNamespace, in.ScalableDimension, in.ResourceId)
	if err != nil {
		return nil, err
	}
	delete(s.targets, *t.ResourceId)
	s.poke()
	return &applicationautoscaling.DeregisterScalableTargetOutput{}, nil
}

// DescribeScalableTargets lists the targets of some resources or of all, at most 50 a page.
func (s *Service) DescribeScalableTargets(_ context.Context, in *applicationautoscaling.DescribeScalableTargetsInput, _ ...func(*applicationautoscaling.Options)) (*applicationautoscaling.DescribeScalableTargetsOutput, error) {
	if in.ServiceNamespace == "" {
		return nil, invalid("ServiceNamespace is missing")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []types.ScalableTarget
	for _, resource := range slices.Sorted(maps.Keys(s.targets)) {
		t := s.targets[resource]
		if t.ServiceNamespace == in.ServiceNamespace && (len(in.ResourceIds) == 0 || slices.Contains(in.ResourceIds, resource)) &&
			(in.ScalableDimension == "" || in.ScalableDimension == t.ScalableDimension) {
			found = append(found, t.ScalableTarget)
		}
	}
	page, next, err := paged(found, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &applicationautoscaling.DescribeScalableTargetsOutput{ScalableTargets: page, NextToken: next}, nil
}

// DescribeScalingActivities lists what was scaled and why, newest first, at most 50 a page.
func (s *Service) DescribeScalingActivities(_ context.Context, in *applicationautoscaling.DescribeScalingActivitiesInput, _ ...func(*applicationautoscaling.Options)) (*applicationautoscaling.DescribeScalingActivitiesOutput, error) {
	if refusal := fidelity.Refusal(in, "ServiceNamespace", "ResourceId", "ScalableDimension", "MaxResults", "NextToken"); refusal != "" {
		return nil, invalid("%s", refusal)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []types.ScalingActivity
	for _, a := range slices.Backward(s.activities) {
		if in.ResourceId == nil || *in.ResourceId == *a.ResourceId {
			found = append(found, a)
		}
	}
	page, next, err := paged(found, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &applicationautoscaling.DescribeScalingActivitiesOutput{ScalingActivities: page, NextToken: next}, nil
}

func (s *Service) target(namespace types.ServiceNamespace, dimension types.ScalableDimension, resource *string) (*scalable, error) {
	if err := check(namespace, dimension, aws.ToString(resource)); err != nil {
		return nil, err
	}
	if t, there := s.targets[*resource]; there {
		return t, nil
	}
	return nil, missing("No scalable target registered for service namespace: %s, resource ID: %s, scalable dimension: %s", namespace, *resource, dimension)
}

// largestPage is how many items a page has at most, and where none is asked for.
const largestPage = 50

func paged[T any](items []T, limit *int32, token *string) ([]T, *string, error) {
	size, first := largestPage, 0
	if limit != nil {
		if size = int(*limit); size < 1 || size > largestPage {
			return nil, nil, invalid("MaxResults %d: 1 to %d is allowed", size, largestPage)
		}
	}
	if token != nil {
		var err error
		if first, err = strconv.Atoi(*token); err != nil || first < 0 || first > len(items) {
			return nil, nil, &types.InvalidNextTokenException{Message: new(fmt.Sprintf("NextToken %q is not one that was given", *token))}
		}
	}
	if last := first + size; last < len(items) {
		return items[first:last], new(strconv.Itoa(last)), nil
	}
	return items[first:], nil, nil
}
