package cloudwatch

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/penguinshop/delivery/sandbox/fidelity"
)

// DescribeAlarms returns alarms by name, prefix, state or the prefix of an action, on one page; without AlarmTypes, metric
// alarms alone. A name that no alarm has is left out, as in AWS.
func (s *Service) DescribeAlarms(_ context.Context, in *cloudwatch.DescribeAlarmsInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.DescribeAlarmsOutput, error) {
	if refused := fidelity.Refusal(in, "AlarmNames", "AlarmNamePrefix", "AlarmTypes", "StateValue", "ActionPrefix", "MaxRecords"); refused != "" {
		return nil, invalid("%s", refused)
	}
	if len(in.AlarmNames) > 0 && in.AlarmNamePrefix != nil {
		return nil, &types.InvalidParameterCombinationException{Message: new("AlarmNames and AlarmNamePrefix cannot be specified at the same time")}
	}
	kinds := in.AlarmTypes
	if len(kinds) == 0 {
		kinds = []types.AlarmType{types.AlarmTypeMetricAlarm}
	}
	s.catchUp(s.options.Clock.Now())
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &cloudwatch.DescribeAlarmsOutput{MetricAlarms: []types.MetricAlarm{}, CompositeAlarms: []types.CompositeAlarm{}}
	for _, name := range slices.Sorted(maps.Keys(s.alarms)) {
		a := s.alarms[name]
		if len(in.AlarmNames) > 0 && !slices.Contains(in.AlarmNames, name) || !strings.HasPrefix(name, aws.ToString(in.AlarmNamePrefix)) ||
			in.StateValue != "" && in.StateValue != a.state.Value || !a.hasAction(aws.ToString(in.ActionPrefix)) {
			continue
		}
		switch {
		case a.metric != nil && slices.Contains(kinds, types.AlarmTypeMetricAlarm):
			out.MetricAlarms = append(out.MetricAlarms, a.showMetric())
		case a.composite != nil && slices.Contains(kinds, types.AlarmTypeCompositeAlarm):
			out.CompositeAlarms = append(out.CompositeAlarms, a.showComposite())
		}
	}
	return out, nil
}

func (a *alarm) hasAction(prefix string) bool {
	if prefix == "" {
		return true
	}
	for _, arns := range a.actions {
		if slices.ContainsFunc(arns, func(arn string) bool { return strings.HasPrefix(arn, prefix) }) {
			return true
		}
	}
	return false
}

func (a *alarm) showMetric() types.MetricAlarm {
	shown := a.metric.declared
	shown.AlarmName, shown.AlarmArn, shown.AlarmDescription, shown.ActionsEnabled = new(a.name), new(a.arn), describe(a.description), new(a.actionsEnabled)
	shown.AlarmActions, shown.OKActions = a.actions[types.StateValueAlarm], a.actions[types.StateValueOk]
	shown.InsufficientDataActions = a.actions[types.StateValueInsufficientData]
	shown.StateValue, shown.StateReason, shown.StateReasonData = a.state.Value, new(a.state.Reason), describe(a.state.ReasonData)
	shown.StateUpdatedTimestamp, shown.StateTransitionedTimestamp, shown.AlarmConfigurationUpdatedTimestamp = new(a.updated), new(a.state.Time), new(a.configured)
	return shown
}

func (a *alarm) showComposite() types.CompositeAlarm {
	return types.CompositeAlarm{
		AlarmName: new(a.name), AlarmArn: new(a.arn), AlarmDescription: describe(a.description), AlarmRule: new(a.composite.text), ActionsEnabled: new(a.actionsEnabled),
		AlarmActions: a.actions[types.StateValueAlarm], OKActions: a.actions[types.StateValueOk], InsufficientDataActions: a.actions[types.StateValueInsufficientData],
		StateValue: a.state.Value, StateReason: new(a.state.Reason),
		StateUpdatedTimestamp: new(a.updated), StateTransitionedTimestamp: new(a.state.Time), AlarmConfigurationUpdatedTimestamp: new(a.configured),
	}
}

// describe is a text as the API shows it: nil where there is none.
func describe(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
