package scheduler

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"

	"github.com/penguinshop/delivery/sandbox/fidelity"
	"github.com/penguinshop/delivery/sandbox/journal"
	"github.com/penguinshop/delivery/sandbox/target"
)

// schedule is what CreateSchedule or UpdateSchedule declared, and when it happens next. Service.mu guards it; UpdateSchedule
// puts another one in its place.
type schedule struct {
	declaration
	name, arn         string
	group             *group
	expression        Expression
	created, modified time.Time
	// due is when the target is invoked next; zero when it never is again.
	due time.Time
	// nominal is the time of the expression that due belongs to: they differ within a flexible window.
	nominal time.Time
}

// declaration is what CreateSchedule and UpdateSchedule have in common.
type declaration struct {
	Expression, Timezone, Description, KmsKeyArn *string
	Window                                       *types.FlexibleTimeWindow
	Target                                       *types.Target
	StartDate, EndDate                           *time.Time
	State                                        types.ScheduleState
	After                                        types.ActionAfterCompletion
}

// imitated are the fields of both requests that the sandbox takes. The role and the key are kept and have no effect.
var imitated = []string{
	"Name", "GroupName", "ScheduleExpression", "ScheduleExpressionTimezone", "Description", "KmsKeyArn", "StartDate", "EndDate", "State",
	"ActionAfterCompletion", "ClientToken", "FlexibleTimeWindow.Mode", "FlexibleTimeWindow.MaximumWindowInMinutes",
	"Target.Arn", "Target.RoleArn", "Target.Input", "Target.RetryPolicy.MaximumRetryAttempts", "Target.RetryPolicy.MaximumEventAgeInSeconds",
}

// CreateSchedule adds a schedule to a group.
func (s *Service) CreateSchedule(_ context.Context, in *scheduler.CreateScheduleInput, _ ...func(*scheduler.Options)) (*scheduler.CreateScheduleOutput, error) {
	if refusal := fidelity.Refusal(in, imitated...); refusal != "" {
		return nil, invalid("%s", refusal)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.group(in.GroupName)
	if err != nil {
		return nil, err
	}
	name := aws.ToString(in.Name)
	if !nameOf.MatchString(name) {
		return nil, invalid("schedule name %q: 1 to 64 letters, digits and - _ . are allowed", name)
	}
	if _, there := g.schedules[name]; there {
		return nil, taken("Schedule", name)
	}
	now := s.Clock.Now()
	made := &schedule{name: name, arn: s.arn("schedule", g.name+"/"+name), group: g, created: now, declaration: declaration{
		Expression: in.ScheduleExpression, Timezone: in.ScheduleExpressionTimezone, Description: in.Description, KmsKeyArn: in.KmsKeyArn,
		Window: in.FlexibleTimeWindow, Target: in.Target, StartDate: in.StartDate, EndDate: in.EndDate, State: in.State, After: in.ActionAfterCompletion,
	}}
	if err := s.put(made, now); err != nil {
		return nil, err
	}
	return &scheduler.CreateScheduleOutput{ScheduleArn: &made.arn}, nil
}

// UpdateSchedule replaces a schedule: as in AWS, what is not given falls back to its default.
func (s *Service) UpdateSchedule(_ context.Context, in *scheduler.UpdateScheduleInput, _ ...func(*scheduler.Options)) (*scheduler.UpdateScheduleOutput, error) {
	if refusal := fidelity.Refusal(in, imitated...); refusal != "" {
		return nil, invalid("%s", refusal)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	was, err := s.schedule(in.GroupName, in.Name)
	if err != nil {
		return nil, err
	}
	made := &schedule{name: was.name, arn: was.arn, group: was.group, created: was.created, declaration: declaration{
		Expression: in.ScheduleExpression, Timezone: in.ScheduleExpressionTimezone, Description: in.Description, KmsKeyArn: in.KmsKeyArn,
		Window: in.FlexibleTimeWindow, Target: in.Target, StartDate: in.StartDate, EndDate: in.EndDate, State: in.State, After: in.ActionAfterCompletion,
	}}
	if err := s.put(made, s.Clock.Now()); err != nil {
		return nil, err
	}
	return &scheduler.UpdateScheduleOutput{ScheduleArn: &made.arn}, nil
}

// put checks a schedule, fills in AWS's defaults and makes it the one of its name.
func (s *Service) put(made *schedule, now time.Time) error {
	made.State = cmp.Or(made.State, types.ScheduleStateEnabled)
	made.After = cmp.Or(made.After, types.ActionAfterCompletionNone)
	made.Timezone = new(cmp.Or(aws.ToString(made.Timezone), "UTC"))
	made.modified = now
	var err error
	if made.expression, err = Parse(aws.ToString(made.Expression), *made.Timezone); err != nil {
		return invalid("Invalid Schedule Expression %s.", err)
	}
	if err := made.check(now); err != nil {
		return err
	}
	if policy := made.Target.RetryPolicy; policy == nil {
		copied := *made.Target
		copied.RetryPolicy = &types.RetryPolicy{
			MaximumEventAgeInSeconds: new(int32(target.Defaults.Age / time.Second)), MaximumRetryAttempts: new(target.Defaults.Attempts),
		}
		made.Target = &copied
	}
	// A one-time schedule whose time has passed is due now: an invocation that is late is better than one that is lost.
	made.plan(now.Add(-1), made.expression.Once())
	made.group.schedules[made.name] = made
	s.poke()
	return nil
}

func (d *schedule) check(now time.Time) error {
	switch {
	case d.Target == nil || !strings.HasPrefix(aws.ToString(d.Target.Arn), "arn:"):
		return invalid("Target.Arn is missing, such as arn:aws:lambda:eu-central-1:123456789012:function:shift")
	case strings.HasPrefix(*d.Target.Arn, "arn:aws:scheduler:::aws-sdk:"):
		return invalid("Target.Arn %s: the sandbox does not imitate universal targets", *d.Target.Arn)
	case strings.Contains(aws.ToString(d.Target.Input), "<aws.scheduler.attempt-number>"):
		return invalid("Target.Input: the sandbox does not imitate <aws.scheduler.attempt-number>")
	case !strings.HasPrefix(aws.ToString(d.Target.RoleArn), "arn:"):
		return invalid("Target.RoleArn is missing")
	case d.Window == nil:
		return invalid("FlexibleTimeWindow is missing")
	case d.Window.Mode == types.FlexibleTimeWindowModeFlexible && (aws.ToInt32(d.Window.MaximumWindowInMinutes) < 1 || *d.Window.MaximumWindowInMinutes > 1440):
		return invalid("MaximumWindowInMinutes: 1 to 1440 is needed with the mode FLEXIBLE")
	case d.Window.Mode == types.FlexibleTimeWindowModeOff && d.Window.MaximumWindowInMinutes != nil:
		return invalid("MaximumWindowInMinutes can be given with the mode FLEXIBLE only")
	case d.Window.Mode != types.FlexibleTimeWindowModeFlexible && d.Window.Mode != types.FlexibleTimeWindowModeOff:
		return invalid("FlexibleTimeWindow.Mode %q: OFF and FLEXIBLE are allowed", d.Window.Mode)
	case d.State != types.ScheduleStateEnabled && d.State != types.ScheduleStateDisabled:
		return invalid("State %q: ENABLED and DISABLED are allowed", d.State)
	case d.After != types.ActionAfterCompletionNone && d.After != types.ActionAfterCompletionDelete:
		return invalid("ActionAfterCompletion %q: NONE and DELETE are allowed", d.After)
	case d.StartDate != nil && d.EndDate != nil && !d.EndDate.After(*d.StartDate):
		return invalid("The EndDate must come after the StartDate.")
	case !d.expression.Once() && d.StartDate != nil && d.StartDate.Before(now.Add(-5*time.Minute)):
		return invalid("The StartDate you specify cannot be earlier than 5 minutes ago.")
	}
	if p := d.Target.RetryPolicy; p != nil {
		if n := p.MaximumRetryAttempts; n != nil && (*n < 0 || *n > target.Defaults.Attempts) {
			return invalid("MaximumRetryAttempts %d: 0 to 185 is allowed", *n)
		}
		if n := p.MaximumEventAgeInSeconds; n != nil && (*n < 60 || *n > 86400) {
			return invalid("MaximumEventAgeInSeconds %d: 60 to 86400 is allowed", *n)
		}
	}
	return nil
}

// GetSchedule tells of a schedule.
func (s *Service) GetSchedule(_ context.Context, in *scheduler.GetScheduleInput, _ ...func(*scheduler.Options)) (*scheduler.GetScheduleOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.schedule(in.GroupName, in.Name)
	if err != nil {
		return nil, err
	}
	return &scheduler.GetScheduleOutput{
		Name: &d.name, Arn: &d.arn, GroupName: &d.group.name, ScheduleExpression: d.Expression, ScheduleExpressionTimezone: d.Timezone,
		Description: d.Description, KmsKeyArn: d.KmsKeyArn, FlexibleTimeWindow: d.Window, Target: d.Target, StartDate: d.StartDate, EndDate: d.EndDate,
		State: d.State, ActionAfterCompletion: d.After, CreationDate: &d.created, LastModificationDate: &d.modified,
	}, nil
}

// DeleteSchedule removes a schedule; a delivery that has begun goes on.
func (s *Service) DeleteSchedule(_ context.Context, in *scheduler.DeleteScheduleInput, _ ...func(*scheduler.Options)) (*scheduler.DeleteScheduleOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, err := s.schedule(in.GroupName, in.Name)
	if err != nil {
		return nil, err
	}
	delete(d.group.schedules, d.name)
	s.poke()
	return &scheduler.DeleteScheduleOutput{}, nil
}

// ListSchedules lists the schedules of one group or of all, by group and name, at most 100 a page.
func (s *Service) ListSchedules(_ context.Context, in *scheduler.ListSchedulesInput, _ ...func(*scheduler.Options)) (*scheduler.ListSchedulesOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if in.GroupName != nil {
		if _, err := s.group(in.GroupName); err != nil {
			return nil, err
		}
	}
	var found []types.ScheduleSummary
	for _, groupName := range slices.Sorted(maps.Keys(s.groups)) {
		if in.GroupName != nil && groupName != *in.GroupName {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(s.groups[groupName].schedules)) {
			d := s.groups[groupName].schedules[name]
			if strings.HasPrefix(name, aws.ToString(in.NamePrefix)) && (in.State == "" || in.State == d.State) {
				found = append(found, types.ScheduleSummary{
					Arn: &d.arn, Name: &d.name, GroupName: &d.group.name, State: d.State, CreationDate: &d.created, LastModificationDate: &d.modified,
					Target: &types.TargetSummary{Arn: d.Target.Arn},
				})
			}
		}
	}
	size, first := 100, 0
	if in.MaxResults != nil {
		if size = int(*in.MaxResults); size < 1 || size > 100 {
			return nil, invalid("MaxResults %d: 1 to 100 is allowed", size)
		}
	}
	if in.NextToken != nil {
		var err error
		if first, err = strconv.Atoi(*in.NextToken); err != nil || first < 0 || first > len(found) {
			return nil, invalid("NextToken %q is not one that was given", *in.NextToken)
		}
	}
	out := &scheduler.ListSchedulesOutput{Schedules: found[first:]}
	if last := first + size; last < len(found) {
		out.Schedules, out.NextToken = found[first:last], new(strconv.Itoa(last))
	}
	return out, nil
}

func (s *Service) schedule(groupName, name *string) (*schedule, error) {
	g, err := s.group(groupName)
	if err != nil {
		return nil, err
	}
	if d, there := g.schedules[aws.ToString(name)]; there {
		return d, nil
	}
	return nil, missing("Schedule", aws.ToString(name))
}

// tell writes to the journal on behalf of a schedule.
func (s *Service) tell(d *schedule, kind, format string, args ...any) {
	s.Journal.Add(journal.Entry{
		Service: "scheduler", Environment: d.group.environment, Kind: kind, Text: fmt.Sprintf(format, args...),
		Fields: map[string]any{"schedule": d.name, "group": d.group.name, "target": aws.ToString(d.Target.Arn)},
	})
}
