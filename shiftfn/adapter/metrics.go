package adapter

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// window is the longest time that metrics are read back for, however long a step bakes.
const window = 2 * time.Hour

// The metrics that a target group is judged by, and how each is summed up within a period.
var measured = []struct{ id, metric, statistic string }{
	{"requests", "RequestCount", "Sum"},
	{"errors", "HTTPCode_Target_5XX_Count", "Sum"},
	{"connections", "TargetConnectionErrorCount", "Sum"},
	{"latency", "TargetResponseTime", ""}, // the plan's percentile
}

// metrics reads both sides' complete periods that began at since or later. A metric without a value in a period that has
// requests is zero: CloudWatch keeps no zeros. A period without requests is none.
func (w *World) metrics(ctx context.Context, since time.Time) (blue, green *rollout.Metrics, err error) {
	now := w.Now()
	start, end := since.Add(rollout.Period-1).Truncate(rollout.Period), now.Truncate(rollout.Period)
	if oldest := end.Add(-window); start.Before(oldest) {
		start = oldest
	}
	if !start.Before(end) {
		return &rollout.Metrics{}, &rollout.Metrics{}, nil
	}
	in := cloudwatch.GetMetricDataInput{StartTime: aws.Time(start), EndTime: aws.Time(end), ScanBy: types.ScanByTimestampAscending}
	for _, c := range colours {
		for _, m := range measured {
			if m.statistic == "" && w.Plan.Limits.LatencyMs == 0 && w.Plan.Limits.LatencyRatio == 0 {
				continue // nobody judges it
			}
			in.MetricDataQueries = append(in.MetricDataQueries, w.query(c, m.id, m.metric, m.statistic))
		}
	}
	// By colour and id, then by the period's beginning in Unix seconds.
	values := map[string]map[int64]float64{}
	for {
		out, err := w.Clients.CloudWatch.GetMetricData(ctx, &in)
		if err != nil {
			return nil, nil, err
		}
		for _, r := range out.MetricDataResults {
			if r.StatusCode != "" && r.StatusCode != types.StatusCodeComplete && r.StatusCode != types.StatusCodePartialData {
				return nil, nil, fmt.Errorf("%s: %s", aws.ToString(r.Label), r.StatusCode)
			}
			id := aws.ToString(r.Id)
			if values[id] == nil {
				values[id] = map[int64]float64{}
			}
			for i := range min(len(r.Timestamps), len(r.Values)) {
				values[id][r.Timestamps[i].Unix()] = r.Values[i]
			}
		}
		if aws.ToString(out.NextToken) == "" {
			break
		}
		in.NextToken = out.NextToken
	}
	periods := func(c rollout.Colour) *rollout.Metrics {
		m := &rollout.Metrics{}
		for at := start; at.Before(end); at = at.Add(rollout.Period) {
			second := at.Unix()
			requests := values[id(c, "requests")][second]
			failed := values[id(c, "connections")][second]
			errors := values[id(c, "errors")][second] + failed
			if requests == 0 && errors == 0 {
				continue
			}
			m.Periods = append(m.Periods, rollout.Counts{
				End: at.Add(rollout.Period),
				// RequestCount holds every request for which a target was chosen, also where the connection to it failed
				// (ELB's user guide, «CloudWatch metrics»). Its values may arrive later than the failures' do.
				Requests: max(requests, errors),
				Errors:   errors,
				Latency:  time.Duration(values[id(c, "latency")][second] * float64(time.Second)),
			})
		}
		return m
	}
	return periods(rollout.Blue), periods(rollout.Green), nil
}

func id(c rollout.Colour, metric string) string { return string(c) + "_" + metric }

func (w *World) query(c rollout.Colour, metricID, metric, statistic string) types.MetricDataQuery {
	if statistic == "" {
		statistic = "p" + strconv.FormatFloat(w.Plan.Limits.LatencyPercentile, 'f', -1, 64)
	}
	return types.MetricDataQuery{
		Id: aws.String(id(c, metricID)), Label: aws.String(string(c) + " " + metric), ReturnData: aws.Bool(true),
		MetricStat: &types.MetricStat{
			Period: aws.Int32(int32(rollout.Period.Seconds())), Stat: aws.String(statistic),
			Metric: &types.Metric{
				Namespace: aws.String("AWS/ApplicationELB"), MetricName: aws.String(metric),
				Dimensions: []types.Dimension{
					{Name: aws.String("LoadBalancer"), Value: aws.String(after(w.Settings.LoadBalancer, ":loadbalancer/"))},
					{Name: aws.String("TargetGroup"), Value: aws.String(after(w.side(c).TargetGroup, ":"))},
				},
			},
		},
	}
}

// after is what follows the last separator: CloudWatch names load balancers and target groups by the ends of their ARNs.
func after(arn, separator string) string {
	if i := strings.LastIndex(arn, separator); i >= 0 {
		return arn[i+len(separator):]
	}
	return arn
}

// alarms reads the state of the named alarms, in the order of the names.
func (w *World) alarms(ctx context.Context, names []string) ([]rollout.Alarm, error) {
	out, err := w.Clients.CloudWatch.DescribeAlarms(ctx, &cloudwatch.DescribeAlarmsInput{
		AlarmNames: names, AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm},
	})
	if err != nil {
		return nil, err
	}
	states := map[string]rollout.AlarmState{}
	for _, a := range out.MetricAlarms {
		states[aws.ToString(a.AlarmName)] = rollout.AlarmState(a.StateValue)
	}
	for _, a := range out.CompositeAlarms {
		states[aws.ToString(a.AlarmName)] = rollout.AlarmState(a.StateValue)
	}
	alarms := make([]rollout.Alarm, len(names))
	for i, name := range names {
		alarms[i] = rollout.Alarm{Name: name, State: rollout.AlarmState(or(string(states[name]), string(rollout.AlarmMissing)))}
	}
	return alarms, nil
}
