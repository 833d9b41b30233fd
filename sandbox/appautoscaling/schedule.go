package appautoscaling

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling/types"

	"github.com/penguinshop/delivery/sandbox/scheduler"
)

// scheduled is a change of a target's bounds by the clock.
type scheduled struct {
	types.ScheduledAction
	expression scheduler.Expression
	due        time.Time
}

// PutScheduledAction adds a scheduled action to a scalable target or changes one.
func (s *Service) PutScheduledAction(_ context.Context, in *applicationautoscaling.PutScheduledActionInput, _ ...func(*applicationautoscaling.Options)) (*applicationautoscaling.PutScheduledActionOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.target(in.ServiceNamespace, in.ScalableDimension, in.ResourceId)
	if err != nil {
		return nil, err
	}
	name := aws.ToString(in.ScheduledActionName)
	made := &scheduled{ScheduledAction: types.ScheduledAction{
		ScheduledActionName: &name, ResourceId: t.ResourceId, ScalableDimension: t.ScalableDimension, ServiceNamespace: t.ServiceNamespace,
		Schedule: in.Schedule, Timezone: in.Timezone, StartTime: in.StartTime, EndTime: in.EndTime, ScalableTargetAction: in.ScalableTargetAction,
		CreationTime: new(s.Clock.Now()),
		ScheduledActionARN: new(fmt.Sprintf("arn:aws:autoscaling:%s:%s:scheduledAction:resource/ecs/%s:scheduledActionName/%s",
			s.Region, s.Account, *t.ResourceId, name)),
	}}
	if made.expression, err = scheduler.Parse(aws.ToString(in.Schedule), aws.ToString(in.Timezone)); err != nil {
		return nil, invalid("%v", err)
	}
	switch action := in.ScalableTargetAction; {
	case name == "":
		return nil, invalid("ScheduledActionName is missing")
	case action == nil || action.MinCapacity == nil && action.MaxCapacity == nil:
		return nil, invalid("ScalableTargetAction is missing its MinCapacity or MaxCapacity")
	case action.MinCapacity != nil && action.MaxCapacity != nil && *action.MaxCapacity < *action.MinCapacity:
		return nil, invalid("ScalableTargetAction: MaxCapacity %d is below MinCapacity %d", *action.MaxCapacity, *action.MinCapacity)
	case in.StartTime != nil && in.EndTime != nil && !in.EndTime.After(*in.StartTime):
		return nil, invalid("EndTime must come after StartTime")
	}
	made.plan(*made.CreationTime)
	t.actions[name] = made
	s.poke()
	return &applicationautoscaling.PutScheduledActionOutput{}, nil
}

// plan sets when the action happens next after a moment; the zero time is never.
func (a *scheduled) plan(after time.Time) {
	beginning := *a.CreationTime
	if a.StartTime != nil {
		beginning = *a.StartTime
	}
	if from := beginning.Add(-1); after.Before(from) {
		after = from
	}
	a.due = a.expression.Next(after, beginning)
	if a.EndTime != nil && a.due.After(*a.EndTime) {
		a.due = time.Time{}
	}
}

// DescribeScheduledActions lists the scheduled actions of one resource or of all, at most 50 a page.
func (s *Service) DescribeScheduledActions(_ context.Context, in *applicationautoscaling.DescribeScheduledActionsInput, _ ...func(*applicationautoscaling.Options)) (*applicationautoscaling.DescribeScheduledActionsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []types.ScheduledAction
	for _, resource := range slices.Sorted(maps.Keys(s.targets)) {
		if in.ResourceId != nil && *in.ResourceId != resource {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(s.targets[resource].actions)) {
			if len(in.ScheduledActionNames) == 0 || slices.Contains(in.ScheduledActionNames, name) {
				found = append(found, s.targets[resource].actions[name].ScheduledAction)
			}
		}
	}
	page, next, err := paged(found, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &applicationautoscaling.DescribeScheduledActionsOutput{ScheduledActions: page, NextToken: next}, nil
}

// DeleteScheduledAction removes a scheduled action.
func (s *Service) DeleteScheduledAction(_ context.Context, in *applicationautoscaling.DeleteScheduledActionInput, _ ...func(*applicationautoscaling.Options)) (*applicationautoscaling.DeleteScheduledActionOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.target(in.ServiceNamespace, in.ScalableDimension, in.ResourceId)
	if err != nil {
		return nil, err
	}
	if _, there := t.actions[aws.ToString(in.ScheduledActionName)]; !there {
		return nil, missing("No scheduled action found for service namespace: %s, resource ID: %s, scheduled action name: %s",
			in.ServiceNamespace, *in.ResourceId, aws.ToString(in.ScheduledActionName))
	}
	delete(t.actions, *in.ScheduledActionName)
	s.poke()
	return &applicationautoscaling.DeleteScheduledActionOutput{}, nil
}

// nextDue is when the next scheduled action happens; the zero time is never.
func (s *Service) nextDue() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	var next time.Time
	for _, t := range s.targets {
		for _, a := range t.actions {
			if !a.due.IsZero() && (next.IsZero() || a.due.Before(next)) {
				next = a.due
			}
		}
	}
	return next
}

// runDue changes the bounds of the targets whose actions are due. A target whose scheduled scaling is suspended misses them.
func (s *Service) runDue(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, resource := range slices.Sorted(maps.Keys(s.targets)) {
		t := s.targets[resource]
		for _, name := range slices.Sorted(maps.Keys(t.actions)) {
			a := t.actions[name]
			if a.due.IsZero() || a.due.After(now) {
				continue
			}
			a.plan(a.due)
			if a.due.IsZero() {
				delete(t.actions, name)
			}
			if aws.ToBool(t.SuspendedState.ScheduledScalingSuspended) {
				continue
			}
			s.bound(t, a)
		}
	}
}

// bound takes over an action's bounds; where only one is given and crosses the other, the other one follows.
func (s *Service) bound(t *scalable, a *scheduled) {
	least, most := *t.MinCapacity, *t.MaxCapacity
	if given := a.ScalableTargetAction.MinCapacity; given != nil {
		least = *given
		most = max(most, least)
	}
	if given := a.ScalableTargetAction.MaxCapacity; given != nil {
		most = *given
		least = min(least, most)
	}
	t.MinCapacity, t.MaxCapacity = &least, &most
	if count, err := s.count(s.closing, t); err == nil {
		s.snap(s.closing, t, count) //nolint:errcheck // the activity tells of a failure
	}
}
