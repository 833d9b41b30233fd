package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"github.com/penguinshop/delivery/sandbox/graph"
)

// Providers returns what stands behind the resource types that this package imitates.
func (s *Service) Providers() map[string]graph.Provider {
	return map[string]graph.Provider{
		"aws:scheduler/scheduleGroup:ScheduleGroup": groupProvider{s},
		"aws:scheduler/schedule:Schedule":           scheduleProvider{s},
	}
}

type groupProvider struct{ service *Service }

// declaredGroup is aws:scheduler/scheduleGroup:ScheduleGroup.
type declaredGroup struct {
	Name       string            `json:"name"`
	NamePrefix string            `json:"namePrefix"`
	Tags       map[string]string `json:"tags"`
}

func (p groupProvider) Create(ctx context.Context, r graph.Resource) error {
	d, err := graph.Strict[declaredGroup](r)
	if err != nil {
		return err
	}
	if _, err := p.service.CreateScheduleGroup(ctx, &scheduler.CreateScheduleGroupInput{Name: &d.Name}); err != nil {
		return err
	}
	p.service.mu.Lock()
	defer p.service.mu.Unlock()
	p.service.groups[d.Name].environment = r.Stack()
	return nil
}

// Update has nothing to do: of a group only the tags can change.
func (p groupProvider) Update(_ context.Context, _, next graph.Resource) error {
	_, err := graph.Strict[declaredGroup](next)
	return err
}

func (p groupProvider) Delete(ctx context.Context, r graph.Resource) error {
	d, err := graph.Decode[declaredGroup](r)
	if err != nil {
		return err
	}
	_, err = p.service.DeleteScheduleGroup(ctx, &scheduler.DeleteScheduleGroupInput{Name: &d.Name})
	return err
}

type scheduleProvider struct{ service *Service }

// declaredSchedule is aws:scheduler/schedule:Schedule.
type declaredSchedule struct {
	Name        string  `json:"name"`
	NamePrefix  string  `json:"namePrefix"`
	GroupName   *string `json:"groupName"`
	Description *string `json:"description"`
	Expression  *string `json:"scheduleExpression"`
	Timezone    *string `json:"scheduleExpressionTimezone"`
	StartDate   string  `json:"startDate"`
	EndDate     string  `json:"endDate"`
	State       string  `json:"state"`
	KmsKeyARN   *string `json:"kmsKeyArn"`
	Window      struct {
		Mode    string `json:"mode"`
		Minutes *int32 `json:"maximumWindowInMinutes"`
	} `json:"flexibleTimeWindow"`
	Target struct {
		ARN     *string `json:"arn"`
		RoleARN *string `json:"roleArn"`
		Input   *string `json:"input"`
		Retry   *struct {
			Age      *int32 `json:"maximumEventAgeInSeconds"`
			Attempts *int32 `json:"maximumRetryAttempts"`
		} `json:"retryPolicy"`
	} `json:"target"`
}

func (d declaredSchedule) input(urn string) (*scheduler.CreateScheduleInput, error) {
	in := &scheduler.CreateScheduleInput{
		Name: &d.Name, GroupName: d.GroupName, Description: d.Description, ScheduleExpression: d.Expression, ScheduleExpressionTimezone: d.Timezone,
		State: types.ScheduleState(d.State), KmsKeyArn: d.KmsKeyARN,
		FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowMode(d.Window.Mode), MaximumWindowInMinutes: d.Window.Minutes},
		Target:             &types.Target{Arn: d.Target.ARN, RoleArn: d.Target.RoleARN, Input: d.Target.Input},
	}
	if d.Target.Retry != nil {
		in.Target.RetryPolicy = &types.RetryPolicy{MaximumEventAgeInSeconds: d.Target.Retry.Age, MaximumRetryAttempts: d.Target.Retry.Attempts}
	}
	var wrongStart, wrongEnd error
	in.StartDate, wrongStart = moment(d.StartDate)
	in.EndDate, wrongEnd = moment(d.EndDate)
	if err := errors.Join(wrongStart, wrongEnd); err != nil {
		return nil, fmt.Errorf("%s: %w", urn, err)
	}
	return in, nil
}

func moment(text string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, fmt.Errorf("%q is not a time such as 2026-11-24T18:00:00Z", text)
	}
	return &at, nil
}

func (p scheduleProvider) Create(ctx context.Context, r graph.Resource) error {
	d, err := graph.Strict[declaredSchedule](r)
	if err != nil {
		return err
	}
	in, err := d.input(r.URN)
	if err != nil {
		return err
	}
	_, err = p.service.CreateSchedule(ctx, in)
	return err
}

func (p scheduleProvider) Update(ctx context.Context, _, next graph.Resource) error {
	d, err := graph.Strict[declaredSchedule](next)
	if err != nil {
		return err
	}
	in, err := d.input(next.URN)
	if err != nil {
		return err
	}
	_, err = p.service.UpdateSchedule(ctx, &scheduler.UpdateScheduleInput{
		Name: in.Name, GroupName: in.GroupName, Description: in.Description, ScheduleExpression: in.ScheduleExpression,
		ScheduleExpressionTimezone: in.ScheduleExpressionTimezone, State: in.State, KmsKeyArn: in.KmsKeyArn,
		FlexibleTimeWindow: in.FlexibleTimeWindow, Target: in.Target, StartDate: in.StartDate, EndDate: in.EndDate,
	})
	return err
}

func (p scheduleProvider) Delete(ctx context.Context, r graph.Resource) error {
	d, err := graph.Decode[declaredSchedule](r)
	if err != nil {
		return err
	}
	_, err = p.service.DeleteSchedule(ctx, &scheduler.DeleteScheduleInput{Name: &d.Name, GroupName: d.GroupName})
	return err
}
