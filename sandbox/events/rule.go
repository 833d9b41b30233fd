package events

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"

	"github.com/penguinshop/delivery/sandbox/fidelity"
	"github.com/penguinshop/delivery/sandbox/scheduler"
	"github.com/penguinshop/delivery/sandbox/target"
)

// defaultBus is the bus of a request that names none; AWS's own services put their events there.
const defaultBus = "default"

type bus struct {
	name, arn string
	rules     map[string]*rule
}

// rule takes the events that its pattern matches, or makes events by its schedule, and sends them to its targets.
type rule struct {
	name, arn   string
	bus         *bus
	description *string
	// environment is the stack that declared the rule, for the journal; empty for a rule made by a call.
	environment string
	state       types.RuleState
	declared    *string // the pattern's text
	pattern     *Pattern
	schedule    *scheduler.Expression
	created     time.Time
	due         time.Time // of the schedule
	targets     map[string]types.Target
}

var nameOf = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,64}$`)

// CreateEventBus adds a bus without rules.
func (s *Service) CreateEventBus(_ context.Context, in *eventbridge.CreateEventBusInput, _ ...func(*eventbridge.Options)) (*eventbridge.CreateEventBusOutput, error) {
	if refusal := fidelity.Refusal(in, "Name", "Description", "Tags"); refusal != "" {
		return nil, invalid("%s", refusal)
	}
	name := aws.ToString(in.Name)
	if !nameOf.MatchString(name) {
		return nil, invalid("event bus name %q: 1 to 64 letters, digits and . - _ are allowed", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, there := s.buses[name]; there {
		return nil, &types.ResourceAlreadyExistsException{Message: new("Event bus " + name + " already exists.")}
	}
	s.buses[name] = &bus{name: name, arn: s.arn("event-bus/" + name), rules: map[string]*rule{}}
	return &eventbridge.CreateEventBusOutput{EventBusArn: &s.buses[name].arn}, nil
}

// DeleteEventBus removes a bus that has no rule left.
func (s *Service) DeleteEventBus(_ context.Context, in *eventbridge.DeleteEventBusInput, _ ...func(*eventbridge.Options)) (*eventbridge.DeleteEventBusOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, there := s.buses[aws.ToString(in.Name)]
	switch {
	case !there: // no error in AWS
	case b.name == defaultBus:
		return nil, invalid("The default event bus cannot be deleted.")
	case len(b.rules) > 0:
		return nil, invalid("Event bus %s can't be deleted since it has rules.", b.name)
	default:
		delete(s.buses, b.name)
	}
	return &eventbridge.DeleteEventBusOutput{}, nil
}

// PutRule adds a rule or changes one; its targets stay.
func (s *Service) PutRule(_ context.Context, in *eventbridge.PutRuleInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutRuleOutput, error) {
	imitated := []string{"Name", "Description", "EventBusName", "EventPattern", "ScheduleExpression", "State", "Tags", "RoleArn"}
	if refusal := fidelity.Refusal(in, imitated...); refusal != "" {
		return nil, invalid("%s", refusal)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.bus(in.EventBusName)
	if err != nil {
		return nil, err
	}
	next := rule{
		name: aws.ToString(in.Name), bus: b, description: in.Description, state: cmp.Or(in.State, types.RuleStateEnabled), created: s.Clock.Now(),
		declared: in.EventPattern, targets: map[string]types.Target{},
	}
	next.arn = s.arn("rule/" + next.name)
	if b.name != defaultBus {
		next.arn = s.arn("rule/" + b.name + "/" + next.name)
	}
	switch {
	case !nameOf.MatchString(next.name):
		return nil, invalid("rule name %q: 1 to 64 letters, digits and . - _ are allowed", next.name)
	case next.state != types.RuleStateEnabled && next.state != types.RuleStateDisabled:
		return nil, invalid("State %q: the sandbox imitates ENABLED and DISABLED", next.state)
	case aws.ToString(in.EventPattern) == "" && aws.ToString(in.ScheduleExpression) == "":
		return nil, invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
	case aws.ToString(in.ScheduleExpression) != "" && b.name != defaultBus:
		return nil, invalid("ScheduleExpression is supported only on the default event bus.")
	}
	if text := aws.ToString(in.EventPattern); text != "" {
		pattern, err := ParsePattern(text)
		if err != nil {
			return nil, &types.InvalidEventPatternException{Message: new("Event pattern is not valid. Reason: " + err.Error())}
		}
		next.pattern = &pattern
	}
	if text := aws.ToString(in.ScheduleExpression); text != "" {
		schedule, err := scheduler.Parse(text, "")
		if err == nil && schedule.Once() {
			err = errors.New("a rule takes rate(…) and cron(…)")
		}
		if err != nil {
			return nil, invalid("Parameter ScheduleExpression is not valid: %v", err)
		}
		next.schedule = &schedule
		next.due = schedule.Next(next.created, next.created)
	}
	if was, there := b.rules[next.name]; there {
		next.targets, next.environment = was.targets, was.environment
	}
	b.rules[next.name] = &next
	s.poke()
	return &eventbridge.PutRuleOutput{RuleArn: &next.arn}, nil
}

// DescribeRule tells of a rule.
func (s *Service) DescribeRule(_ context.Context, in *eventbridge.DescribeRuleInput, _ ...func(*eventbridge.Options)) (*eventbridge.DescribeRuleOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.rule(in.EventBusName, in.Name)
	if err != nil {
		return nil, err
	}
	out := &eventbridge.DescribeRuleOutput{
		Name: &r.name, Arn: &r.arn, Description: r.description, EventBusName: &r.bus.name, EventPattern: r.declared, State: r.state,
	}
	if r.schedule != nil {
		out.ScheduleExpression = new(r.schedule.String())
	}
	return out, nil
}

// EnableRule lets a rule work.
func (s *Service) EnableRule(_ context.Context, in *eventbridge.EnableRuleInput, _ ...func(*eventbridge.Options)) (*eventbridge.EnableRuleOutput, error) {
	return &eventbridge.EnableRuleOutput{}, s.set(in.EventBusName, in.Name, types.RuleStateEnabled)
}

// DisableRule keeps a rule from working.
func (s *Service) DisableRule(_ context.Context, in *eventbridge.DisableRuleInput, _ ...func(*eventbridge.Options)) (*eventbridge.DisableRuleOutput, error) {
	return &eventbridge.DisableRuleOutput{}, s.set(in.EventBusName, in.Name, types.RuleStateDisabled)
}

func (s *Service) set(busName, name *string, state types.RuleState) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.rule(busName, name)
	if err != nil {
		return err
	}
	r.state = state
	s.poke()
	return nil
}

// DeleteRule removes a rule that has no target left; one that does not exist is no error.
func (s *Service) DeleteRule(_ context.Context, in *eventbridge.DeleteRuleInput, _ ...func(*eventbridge.Options)) (*eventbridge.DeleteRuleOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.bus(in.EventBusName)
	if err != nil {
		return nil, err
	}
	if r, there := b.rules[aws.ToString(in.Name)]; there && len(r.targets) > 0 {
		return nil, invalid("Rule can't be deleted since it has targets.")
	}
	delete(b.rules, aws.ToString(in.Name))
	s.poke()
	return &eventbridge.DeleteRuleOutput{}, nil
}

// mostTargets is how many targets a rule may have.
const mostTargets = 5

// PutTargets adds targets to a rule or changes those of the same identifier.
func (s *Service) PutTargets(_ context.Context, in *eventbridge.PutTargetsInput, _ ...func(*eventbridge.Options)) (*eventbridge.PutTargetsOutput, error) {
	imitated := []string{"Rule", "EventBusName", "Targets.Id", "Targets.Arn", "Targets.Input", "Targets.InputPath", "Targets.InputTransformer", "Targets.RoleArn",
		"Targets.RetryPolicy.MaximumRetryAttempts", "Targets.RetryPolicy.MaximumEventAgeInSeconds"}
	if refusal := fidelity.Refusal(in, imitated...); refusal != "" {
		return nil, invalid("%s", refusal)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.rule(in.EventBusName, in.Rule)
	if err != nil {
		return nil, err
	}
	next := maps.Clone(r.targets)
	for _, t := range in.Targets {
		switch {
		case !nameOf.MatchString(aws.ToString(t.Id)):
			return nil, invalid("target id %q: 1 to 64 letters, digits and . - _ are allowed", aws.ToString(t.Id))
		case !strings.HasPrefix(aws.ToString(t.Arn), "arn:"):
			return nil, invalid("Parameter %s is not valid. Reason: Provided Arn is not in correct format.", aws.ToString(t.Arn))
		case t.Input != nil && (t.InputPath != nil || t.InputTransformer != nil), t.InputPath != nil && t.InputTransformer != nil:
			return nil, invalid("Only one of Input, InputPath, or InputTransformer must be provided for target %s.", *t.Id)
		case t.Input != nil && !json.Valid([]byte(*t.Input)):
			return nil, invalid("JSON text in Input of target %s is not valid.", *t.Id)
		case t.InputPath != nil && !path.MatchString(*t.InputPath):
			return nil, invalid("InputPath %s of target %s: the sandbox imitates paths such as $.detail.state", *t.InputPath, *t.Id)
		}
		if t.InputTransformer != nil {
			if _, err := readTemplate(t.InputTransformer); err != nil {
				return nil, invalid("Invalid InputTransformer for target %s: %v", *t.Id, err)
			}
		}
		next[*t.Id] = t
	}
	if len(next) > mostTargets {
		return nil, &types.LimitExceededException{Message: new("The requested resource exceeds the maximum number allowed: 5 targets.")}
	}
	r.targets = next
	return &eventbridge.PutTargetsOutput{}, nil
}

// RemoveTargets takes targets from a rule.
func (s *Service) RemoveTargets(_ context.Context, in *eventbridge.RemoveTargetsInput, _ ...func(*eventbridge.Options)) (*eventbridge.RemoveTargetsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.rule(in.EventBusName, in.Rule)
	if err != nil {
		return nil, err
	}
	out := &eventbridge.RemoveTargetsOutput{}
	r.targets = maps.Clone(r.targets)
	for _, id := range in.Ids {
		if _, there := r.targets[id]; !there {
			out.FailedEntryCount++
			out.FailedEntries = append(out.FailedEntries, types.RemoveTargetsResultEntry{
				TargetId: &id, ErrorCode: new("ResourceNotFoundException"), ErrorMessage: new("Rule " + r.name + " has no target " + id + "."),
			})
		}
		delete(r.targets, id)
	}
	return out, nil
}

// ListTargetsByRule lists a rule's targets by their identifiers.
func (s *Service) ListTargetsByRule(_ context.Context, in *eventbridge.ListTargetsByRuleInput, _ ...func(*eventbridge.Options)) (*eventbridge.ListTargetsByRuleOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.rule(in.EventBusName, in.Rule)
	if err != nil {
		return nil, err
	}
	out := &eventbridge.ListTargetsByRuleOutput{}
	for _, id := range slices.Sorted(maps.Keys(r.targets)) {
		out.Targets = append(out.Targets, r.targets[id])
	}
	return out, nil
}

// retry is a target's policy with AWS's defaults.
func retry(t types.Target) target.Retry {
	policy := target.Defaults
	if p := t.RetryPolicy; p != nil && p.MaximumRetryAttempts != nil {
		policy.Attempts = *p.MaximumRetryAttempts
	}
	if p := t.RetryPolicy; p != nil && p.MaximumEventAgeInSeconds != nil {
		policy.Age = time.Duration(*p.MaximumEventAgeInSeconds) * time.Second
	}
	return policy
}

// bus finds a bus by name or ARN; nil is the default one.
func (s *Service) bus(named *string) (*bus, error) {
	name := cmp.Or(aws.ToString(named), defaultBus)
	name = name[strings.LastIndexByte(name, '/')+1:]
	if b, there := s.buses[name]; there {
		return b, nil
	}
	return nil, missing("Event bus", name)
}

func (s *Service) rule(busName, name *string) (*rule, error) {
	b, err := s.bus(busName)
	if err != nil {
		return nil, err
	}
	if r, there := b.rules[aws.ToString(name)]; there {
		return r, nil
	}
	return nil, missing("Rule", aws.ToString(name))
}
