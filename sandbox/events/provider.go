package events

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/penguinshop/delivery/sandbox/graph"
)

// Providers returns what stands behind the resource types that this package imitates.
func (s *Service) Providers() map[string]graph.Provider {
	return map[string]graph.Provider{
		"aws:cloudwatch/eventBus:EventBus":       busProvider{s},
		"aws:cloudwatch/eventRule:EventRule":     ruleProvider{s},
		"aws:cloudwatch/eventTarget:EventTarget": targetProvider{s},
	}
}

type busProvider struct{ service *Service }

// declaredBus is aws:cloudwatch/eventBus:EventBus.
type declaredBus struct {
	Name        string            `json:"name"`
	Description *string           `json:"description"`
	Tags        map[string]string `json:"tags"`
}

func (p busProvider) Create(ctx context.Context, r graph.Resource) error {
	d, err := graph.Strict[declaredBus](r)
	if err != nil {
		return err
	}
	_, err = p.service.CreateEventBus(ctx, &eventbridge.CreateEventBusInput{Name: &d.Name, Description: d.Description})
	return err
}

// Update has nothing to do: of a bus only the description and the tags can change.
func (p busProvider) Update(_ context.Context, _, next graph.Resource) error {
	_, err := graph.Strict[declaredBus](next)
	return err
}

func (p busProvider) Delete(ctx context.Context, r graph.Resource) error {
	d, err := graph.Decode[declaredBus](r)
	if err != nil {
		return err
	}
	_, err = p.service.DeleteEventBus(ctx, &eventbridge.DeleteEventBusInput{Name: &d.Name})
	return err
}

type ruleProvider struct{ service *Service }

// declaredRule is aws:cloudwatch/eventRule:EventRule.
type declaredRule struct {
	Name         string            `json:"name"`
	NamePrefix   string            `json:"namePrefix"`
	Description  *string           `json:"description"`
	EventBusName *string           `json:"eventBusName"`
	EventPattern *string           `json:"eventPattern"`
	Schedule     *string           `json:"scheduleExpression"`
	State        string            `json:"state"`
	IsEnabled    *bool             `json:"isEnabled"`
	ForceDestroy bool              `json:"forceDestroy"`
	Tags         map[string]string `json:"tags"`
}

func (p ruleProvider) Create(ctx context.Context, r graph.Resource) error {
	d, err := graph.Strict[declaredRule](r)
	if err != nil {
		return err
	}
	state := types.RuleState(d.State)
	if d.IsEnabled != nil && !*d.IsEnabled {
		state = types.RuleStateDisabled
	}
	_, err = p.service.PutRule(ctx, &eventbridge.PutRuleInput{
		Name: &d.Name, Description: d.Description, EventBusName: d.EventBusName, EventPattern: d.EventPattern, ScheduleExpression: d.Schedule, State: state,
	})
	if err != nil {
		return err
	}
	p.service.mu.Lock()
	defer p.service.mu.Unlock()
	made, err := p.service.rule(d.EventBusName, &d.Name)
	if err == nil {
		made.environment = r.Stack()
	}
	return err
}

func (p ruleProvider) Update(ctx context.Context, _, next graph.Resource) error {
	return p.Create(ctx, next)
}

func (p ruleProvider) Delete(ctx context.Context, r graph.Resource) error {
	d, err := graph.Decode[declaredRule](r)
	if err != nil {
		return err
	}
	_, err = p.service.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: &d.Name, EventBusName: d.EventBusName})
	return err
}

type targetProvider struct{ service *Service }

// declaredTarget is aws:cloudwatch/eventTarget:EventTarget.
type declaredTarget struct {
	ID           string  `json:"targetId"`
	Rule         *string `json:"rule"`
	EventBusName *string `json:"eventBusName"`
	ARN          *string `json:"arn"`
	RoleARN      *string `json:"roleArn"`
	Input        *string `json:"input"`
	InputPath    *string `json:"inputPath"`
	Transformer  *struct {
		Paths    map[string]string `json:"inputPaths"`
		Template *string           `json:"inputTemplate"`
	} `json:"inputTransformer"`
	ForceDestroy bool `json:"forceDestroy"`
	Retry        *struct {
		Age      *int32 `json:"maximumEventAgeInSeconds"`
		Attempts *int32 `json:"maximumRetryAttempts"`
	} `json:"retryPolicy"`
}

func (p targetProvider) Create(ctx context.Context, r graph.Resource) error {
	d, err := graph.Strict[declaredTarget](r)
	if err != nil {
		return err
	}
	t := types.Target{Id: &d.ID, Arn: d.ARN, RoleArn: d.RoleARN, Input: d.Input, InputPath: d.InputPath}
	if d.Transformer != nil {
		t.InputTransformer = &types.InputTransformer{InputPathsMap: d.Transformer.Paths, InputTemplate: d.Transformer.Template}
	}
	if d.Retry != nil {
		t.RetryPolicy = &types.RetryPolicy{MaximumEventAgeInSeconds: d.Retry.Age, MaximumRetryAttempts: d.Retry.Attempts}
	}
	_, err = p.service.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: d.Rule, EventBusName: d.EventBusName, Targets: []types.Target{t}})
	return err
}

func (p targetProvider) Update(ctx context.Context, _, next graph.Resource) error {
	return p.Create(ctx, next)
}

func (p targetProvider) Delete(ctx context.Context, r graph.Resource) error {
	d, err := graph.Decode[declaredTarget](r)
	if err != nil {
		return err
	}
	_, err = p.service.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: d.Rule, EventBusName: d.EventBusName, Ids: []string{d.ID}})
	return err
}
