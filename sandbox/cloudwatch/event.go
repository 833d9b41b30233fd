package cloudwatch

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/uuid"
)

// AlarmStateChange is one alarm's way from one state into another.
type AlarmStateChange struct {
	Name, ARN, Description string
	// Stack is the stack that declared the alarm.
	Stack           string
	Previous, State State
	// Actions are the ARNs that the alarm names for its new state; none where its actions are disabled.
	Actions []string

	account, region string
	configuration   map[string]any
}

// change describes a change of state. The caller holds the lock.
func (s *Service) change(a *alarm, previous State) AlarmStateChange {
	c := AlarmStateChange{
		Name: a.name, ARN: a.arn, Description: a.description, Stack: a.stack, Previous: previous, State: a.state,
		account: s.options.Account, region: s.options.Region, configuration: map[string]any{"description": a.description},
	}
	if a.actionsEnabled {
		c.Actions = slices.Clone(a.actions[a.state.Value])
	}
	if a.composite != nil {
		c.configuration["alarmRule"] = a.composite.text
		return c
	}
	given, _ := alarmQueries(a.metric.declared) // they were read when the alarm was put
	var metrics []map[string]any
	for _, q := range given {
		metric := map[string]any{"id": aws.ToString(q.Id), "returnData": q.ReturnData == nil || *q.ReturnData}
		if q.Expression != nil {
			metric["expression"] = *q.Expression
		}
		if m := q.MetricStat; m != nil {
			dimensions := map[string]string{}
			for _, d := range m.Metric.Dimensions {
				dimensions[aws.ToString(d.Name)] = aws.ToString(d.Value)
			}
			metric["metricStat"] = map[string]any{
				"metric": map[string]any{"namespace": m.Metric.Namespace, "name": m.Metric.MetricName, "dimensions": dimensions},
				"period": m.Period, "stat": m.Stat,
			}
		}
		metrics = append(metrics, metric)
	}
	c.configuration["metrics"] = metrics
	return c
}

func (s State) event() map[string]any {
	event := map[string]any{"value": s.Value, "reason": s.Reason, "timestamp": stamp(s.Time)}
	if s.ReasonData != "" {
		event["reasonData"] = s.ReasonData
	}
	return event
}

// Detail is what the change tells in the field "detail" of its event.
func (c AlarmStateChange) Detail() map[string]any {
	return map[string]any{"alarmName": c.Name, "configuration": c.configuration, "previousState": c.Previous.event(), "state": c.State.event()}
}

// Event is the change as EventBridge delivers it, source aws.cloudwatch, detail type "CloudWatch Alarm State Change".
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
func (c AlarmStateChange) Event() []byte {
	return encode(map[string]any{
		"version": "0", "id": uuid.NewString(), "detail-type": "CloudWatch Alarm State Change", "source": "aws.cloudwatch", "account": c.account,
		"time": c.State.Time.UTC().Format(time.RFC3339), "region": c.region, "resources": []string{c.ARN}, "detail": c.Detail(),
	})
}

// LambdaEvent is the change as CloudWatch hands it to a Lambda function that the alarm names as an action.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html
func (c AlarmStateChange) LambdaEvent() []byte {
	return encode(map[string]any{
		"source": "aws.cloudwatch", "alarmArn": c.ARN, "accountId": c.account, "time": stamp(c.State.Time), "region": c.region, "alarmData": c.Detail(),
	})
}

func encode(event map[string]any) []byte {
	text, _ := json.Marshal(event) // strings, numbers and maps of them always marshal
	return text
}
