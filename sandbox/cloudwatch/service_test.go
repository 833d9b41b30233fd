package cloudwatch_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	aws_cloudwatch "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/cloudwatch"
	"github.com/penguinshop/delivery/sandbox/elb"
	"github.com/penguinshop/delivery/sandbox/graph"
)

const (
	balancer = "app/shop/50dc6c495c0c9188"
	blue     = "targetgroup/blue/73e2d6bc24d8a067"
)

type object = map[string]any

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is one service whose clock begins at noon.
type world struct {
	*cloudwatch.Service
	t       *testing.T
	clock   *clockwork.FakeClock
	changes chan cloudwatch.AlarmStateChange
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: clockwork.NewFakeClockAt(noon), changes: make(chan cloudwatch.AlarmStateChange, 100)}
	w.Service = cloudwatch.New(cloudwatch.Options{Region: "eu-central-1", Account: "123456789012", Clock: w.clock, Slot: 10 * time.Second})
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	w.OnAlarm(func(c cloudwatch.AlarmStateChange) { w.changes <- c })
	return w
}

// advance passes time a slot at a time, as the service's own timers see it.
func (w *world) advance(d time.Duration) {
	w.t.Helper()
	for ; d > 0; d -= 10 * time.Second {
		require.NoError(w.t, w.clock.BlockUntilContext(w.t.Context(), 1))
		w.clock.Advance(10 * time.Second)
	}
	require.NoError(w.t, w.clock.BlockUntilContext(w.t.Context(), 1))
}

// answers counts n requests to blue.
func (w *world) answers(n, status int, took time.Duration) {
	for range n {
		w.Meter().Request(elb.Request{LoadBalancer: balancer, TargetGroup: blue, Target: true, Status: status, FromTarget: true, ResponseTime: took})
	}
}

func metric(name, stat string, dimensions ...string) types.MetricDataQuery {
	q := types.MetricDataQuery{Id: new("q"), MetricStat: &types.MetricStat{Period: new(int32(60)), Stat: &stat,
		Metric: &types.Metric{Namespace: new("AWS/ApplicationELB"), MetricName: &name}}}
	for i := 0; i < len(dimensions); i += 2 {
		q.MetricStat.Metric.Dimensions = append(q.MetricStat.Metric.Dimensions, types.Dimension{Name: &dimensions[i], Value: &dimensions[i+1]})
	}
	return q
}

// values returns a query's values since noon, oldest first, by the minute after noon.
func (w *world) values(queries ...types.MetricDataQuery) map[int]float64 {
	w.t.Helper()
	out, err := w.GetMetricData(context.Background(), &aws_cloudwatch.GetMetricDataInput{
		MetricDataQueries: queries, StartTime: new(noon), EndTime: new(w.clock.Now().Add(time.Hour)), ScanBy: types.ScanByTimestampAscending,
	})
	require.NoError(w.t, err)
	require.Len(w.t, out.MetricDataResults, 1)
	values := map[int]float64{}
	for i, at := range out.MetricDataResults[0].Timestamps {
		values[int(at.Sub(noon).Minutes())] = out.MetricDataResults[0].Values[i]
	}
	return values
}

func TestMetricsOfAMinuteAreThereOnceItIsOver(t *testing.T) {
	w := newWorld(t)
	w.answers(90, 200, 10*time.Millisecond)
	w.answers(10, 503, 400*time.Millisecond)
	requests := metric("RequestCount", "Sum", "LoadBalancer", balancer, "TargetGroup", blue)
	w.clock.Advance(59 * time.Second)
	assert.Empty(t, w.values(requests), "the minute is not over")
	w.clock.Advance(time.Second)
	assert.Equal(t, map[int]float64{0: 100}, w.values(requests))
	w.answers(7, 200, time.Millisecond)
	w.clock.Advance(2 * time.Minute)
	assert.Equal(t, map[int]float64{0: 100, 1: 7}, w.values(requests), "a minute without requests has no data point")
}

func TestMetricsHaveTheNamesDimensionsAndStatisticsThatAWSDocuments(t *testing.T) {
	// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
	w := newWorld(t)
	m := w.Meter()
	m.Hosts(balancer, blue, &elb.HostCount{Healthy: 2})
	w.answers(985, 200, 10*time.Millisecond)
	w.answers(5, 404, 10*time.Millisecond)
	w.answers(10, 500, 2*time.Second)
	m.Request(elb.Request{LoadBalancer: balancer, TargetGroup: blue, Target: true, Status: 502, ConnectionError: true})
	m.Request(elb.Request{LoadBalancer: balancer, TargetGroup: blue, Status: 503})
	m.Request(elb.Request{LoadBalancer: balancer, Status: 301, Kind: elb.Redirect})
	m.Request(elb.Request{LoadBalancer: balancer, Status: 404, Kind: elb.FixedResponse})
	for range 3 {
		m.Connection(balancer, true)
	}
	m.Connection(balancer, false)
	m.Hosts(balancer, blue, &elb.HostCount{Healthy: 1, Unhealthy: 1})
	w.clock.Advance(time.Minute)

	ofGroup := []string{"LoadBalancer", balancer, "TargetGroup", blue}
	ofBalancer := []string{"LoadBalancer", balancer}
	for _, row := range []struct {
		metric, stat string
		dimensions   []string
		want         float64
	}{
		{"RequestCount", "Sum", ofGroup, 1001}, // a target was chosen, even where it could not be reached
		{"RequestCount", "Sum", ofBalancer, 1001},
		{"HTTPCode_Target_2XX_Count", "Sum", ofGroup, 985},
		{"HTTPCode_Target_4XX_Count", "Sum", ofGroup, 5},
		{"HTTPCode_Target_5XX_Count", "Sum", ofGroup, 10},
		{"HTTPCode_Target_5XX_Count", "Sum", ofBalancer, 10},
		{"HTTPCode_Target_5XX_Count", "Average", ofBalancer, 1},
		{"HTTPCode_ELB_5XX_Count", "Sum", ofBalancer, 2},
		{"HTTPCode_ELB_502_Count", "Sum", ofBalancer, 1},
		{"HTTPCode_ELB_503_Count", "Sum", ofBalancer, 1},
		{"HTTPCode_ELB_3XX_Count", "Sum", ofBalancer, 1},
		{"HTTPCode_ELB_4XX_Count", "Sum", ofBalancer, 1},
		{"HTTP_Redirect_Count", "Sum", ofBalancer, 1},
		{"HTTP_Fixed_Response_Count", "Sum", ofBalancer, 1},
		{"TargetConnectionErrorCount", "Sum", ofGroup, 1},
		{"TargetResponseTime", "p50", ofGroup, 0.010},
		{"TargetResponseTime", "p99", ofGroup, 0.010},
		{"TargetResponseTime", "p99.9", ofGroup, 2},
		{"TargetResponseTime", "Average", ofGroup, 0.0299},
		{"TargetResponseTime", "Maximum", ofGroup, 2},
		{"TargetResponseTime", "Minimum", ofGroup, 0.010},
		{"TargetResponseTime", "SampleCount", ofGroup, 1000},
		{"HealthyHostCount", "Maximum", ofGroup, 2},
		{"HealthyHostCount", "Minimum", ofGroup, 1},
		{"UnHealthyHostCount", "Maximum", ofGroup, 1},
		{"RequestCountPerTarget", "Sum", []string{"TargetGroup", blue}, 1001},
		{"NewConnectionCount", "Sum", ofBalancer, 3},
		{"ActiveConnectionCount", "Sum", ofBalancer, 3},
	} {
		got := w.values(metric(row.metric, row.stat, row.dimensions...))
		if assert.Contains(t, got, 0, row) {
			assert.InEpsilon(t, row.want, got[0], 0.002, row)
		}
	}
	for _, name := range []string{"HTTPCode_Target_3XX_Count", "HTTPCode_ELB_500_Count"} {
		assert.Empty(t, w.values(metric(name, "Sum", ofBalancer...)), "a count of zero is not reported: %s", name)
	}
	assert.Empty(t, w.values(metric("RequestCount", "Sum", "TargetGroup", blue)), "CloudWatch adds nothing up over dimensions")
	m.Hosts(balancer, blue, nil)
	w.clock.Advance(time.Minute)
	assert.NotContains(t, w.values(metric("HealthyHostCount", "Average", ofGroup...)), 1, "no listener names the group")
}

func TestExpressionsAndLongerPeriods(t *testing.T) {
	w := newWorld(t)
	for minute := range 4 {
		w.answers(99-minute, 200, time.Millisecond)
		w.answers(1+minute, 500, time.Millisecond)
		w.clock.Advance(time.Minute)
	}
	errors, requests := metric("HTTPCode_Target_5XX_Count", "Sum", "LoadBalancer", balancer), metric("RequestCount", "Sum", "LoadBalancer", balancer)
	errors.Id, requests.Id = new("e"), new("r")
	errors.ReturnData, requests.ReturnData = new(false), new(false)
	percent := types.MetricDataQuery{Id: new("p"), Expression: new("100 * e / r")}
	assert.Equal(t, map[int]float64{0: 1, 1: 2, 2: 3, 3: 4}, w.values(percent, errors, requests), "an expression may stand before what it names")

	requests.MetricStat.Period, requests.ReturnData = new(int32(120)), new(true)
	assert.Equal(t, map[int]float64{0: 200, 2: 200}, w.values(requests))

	out, err := w.GetMetricData(context.Background(), &aws_cloudwatch.GetMetricDataInput{
		MetricDataQueries: []types.MetricDataQuery{metric("RequestCount", "Sum", "LoadBalancer", balancer)},
		StartTime:         new(noon.Add(time.Minute)), EndTime: new(noon.Add(3 * time.Minute)),
	})
	require.NoError(t, err)
	assert.Equal(t, []time.Time{noon.Add(2 * time.Minute), noon.Add(time.Minute)}, out.MetricDataResults[0].Timestamps, "the newest first; the end is not included")
}

func TestBadQueriesAreRefusedByName(t *testing.T) {
	w := newWorld(t)
	good := metric("RequestCount", "Sum", "LoadBalancer", balancer)
	for problem, change := range map[string]func(in *aws_cloudwatch.GetMetricDataInput){
		"StartTime must be less":  func(in *aws_cloudwatch.GetMetricDataInput) { in.StartTime = in.EndTime },
		"must begin with a lower": func(in *aws_cloudwatch.GetMetricDataInput) { in.MetricDataQueries[0].Id = new("Q") },
		"multiple of 60": func(in *aws_cloudwatch.GetMetricDataInput) {
			in.MetricDataQueries[0].MetricStat.Period = new(int32(30))
		},
		"The statistic 'p0'":  func(in *aws_cloudwatch.GetMetricDataInput) { in.MetricDataQueries[0].MetricStat.Stat = new("p0") },
		"either a MetricStat": func(in *aws_cloudwatch.GetMetricDataInput) { in.MetricDataQueries[0].Expression = new("1") },
		"unknown id 'x'": func(in *aws_cloudwatch.GetMetricDataInput) {
			in.MetricDataQueries = append(in.MetricDataQueries, types.MetricDataQuery{Id: new("y"), Expression: new("x")})
		},
		"refers to itself": func(in *aws_cloudwatch.GetMetricDataInput) {
			in.MetricDataQueries = append(in.MetricDataQueries, types.MetricDataQuery{Id: new("y"), Expression: new("y + 1")})
		},
		"used by more than one": func(in *aws_cloudwatch.GetMetricDataInput) {
			in.MetricDataQueries = append(in.MetricDataQueries, in.MetricDataQueries[0])
		},
		"does not imitate NextToken": func(in *aws_cloudwatch.GetMetricDataInput) { in.NextToken = new("more") },
	} {
		query, stat := good, *good.MetricStat
		query.MetricStat = &stat
		in := &aws_cloudwatch.GetMetricDataInput{MetricDataQueries: []types.MetricDataQuery{query}, StartTime: new(noon), EndTime: new(noon.Add(time.Hour))}
		change(in)
		_, err := w.GetMetricData(context.Background(), in)
		assert.ErrorContains(t, err, problem)
	}
}

func TestTheLiveViewShowsASlotAsSoonAsItEnds(t *testing.T) {
	w := newWorld(t)
	w.Meter().Hosts(balancer, blue, &elb.HostCount{Healthy: 2})
	w.answers(98, 200, 10*time.Millisecond)
	w.answers(2, 500, time.Second)
	assert.Empty(t, w.Series(blue, 10))
	w.clock.Advance(10 * time.Second)
	w.Meter().Request(elb.Request{LoadBalancer: balancer, TargetGroup: blue, Status: http.StatusServiceUnavailable})
	w.clock.Advance(20 * time.Second)
	series := w.Series("arn:aws:elasticloadbalancing:eu-central-1:123456789012:"+blue, 10)
	require.Len(t, series, 3)
	assert.Equal(t, cloudwatch.Point{Time: noon.Add(10 * time.Second), Requests: 100, Errors: 2, P50: series[0].P50, P99: series[0].P99, Healthy: 2}, series[0])
	assert.InEpsilon(t, 10, series[0].P50, 0.002)
	assert.InEpsilon(t, 1000, series[0].P99, 0.002)
	assert.Equal(t, cloudwatch.Point{Time: noon.Add(20 * time.Second), Requests: 1, Errors: 1, Healthy: 2}, series[1])
	assert.Equal(t, cloudwatch.Point{Time: noon.Add(30 * time.Second), Healthy: 2}, series[2])
	assert.Len(t, w.Series(blue, 1), 1)
	assert.Empty(t, w.Series("targetgroup/other/1", 1))
}

func alarmResource(typ, name string, inputs object) graph.Resource {
	outputs := maps.Clone(inputs)
	outputs["arn"] = "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:" + name
	return graph.Resource{URN: fmt.Sprintf("urn:pulumi:dev::penguinshop::%s::%s", typ, name), Type: typ, Name: name, Inputs: inputs, Outputs: outputs}
}

func errorsAlarm(more object) graph.Resource {
	inputs := object{
		"name": "errors", "namespace": "AWS/ApplicationELB", "metricName": "HTTPCode_Target_5XX_Count", "statistic": "Sum", "period": 60,
		"dimensions":         object{"LoadBalancer": balancer, "TargetGroup": blue},
		"comparisonOperator": "GreaterThanThreshold", "threshold": 5.0, "evaluationPeriods": 3, "datapointsToAlarm": 2,
		"treatMissingData": "notBreaching", "alarmActions": []any{"arn:aws:lambda:eu-central-1:123456789012:function:guard"},
	}
	maps.Copy(inputs, more)
	return alarmResource("aws:cloudwatch/metricAlarm:MetricAlarm", "errors", inputs)
}

func compositeAlarm(name, rule string) graph.Resource {
	return alarmResource("aws:cloudwatch/compositeAlarm:CompositeAlarm", name, object{"alarmName": name, "alarmRule": rule})
}

func (w *world) create(r graph.Resource) error {
	return w.Providers()[r.Type].Create(context.Background(), r)
}

// next is the next change of an alarm's state.
func (w *world) next() string {
	w.t.Helper()
	select {
	case c := <-w.changes:
		return fmt.Sprintf("%s %s", c.Name, c.State.Value)
	case <-time.After(10 * time.Second):
		w.t.Fatal("no alarm changed its state")
		return ""
	}
}

func TestAnAlarmGoesOffWhenEnoughMinutesAreBadAndComesBack(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.create(errorsAlarm(nil)))
	w.answers(100, 200, time.Millisecond)
	w.advance(time.Minute)
	assert.Equal(t, "errors OK", w.next())
	w.answers(10, 500, time.Millisecond)
	w.advance(time.Minute)
	w.answers(6, 500, time.Millisecond)
	w.advance(time.Minute)
	change := <-w.changes
	assert.Equal(t, types.StateValueAlarm, change.State.Value)
	assert.Equal(t, types.StateValueOk, change.Previous.Value)
	assert.Equal(t, []string{"arn:aws:lambda:eu-central-1:123456789012:function:guard"}, change.Actions)
	assert.Equal(t, noon.Add(3*time.Minute), change.State.Time)
	assert.Contains(t, change.State.Reason, "2 of the last 2 datapoints [10, 6]")

	var event struct {
		Source     string   `json:"source"`
		DetailType string   `json:"detail-type"`
		Resources  []string `json:"resources"`
		Detail     struct {
			AlarmName     string                 `json:"alarmName"`
			State         struct{ Value string } `json:"state"`
			PreviousState struct{ Value string } `json:"previousState"`
			Configuration struct {
				Metrics []struct {
					MetricStat struct {
						Stat   string
						Metric struct{ Dimensions map[string]string }
					} `json:"metricStat"`
				} `json:"metrics"`
			} `json:"configuration"`
		} `json:"detail"`
	}
	require.NoError(t, json.Unmarshal(change.Event(), &event))
	assert.Equal(t, "aws.cloudwatch", event.Source)
	assert.Equal(t, "CloudWatch Alarm State Change", event.DetailType)
	assert.Equal(t, []string{change.ARN}, event.Resources)
	assert.Equal(t, "ALARM", event.Detail.State.Value)
	assert.Equal(t, "OK", event.Detail.PreviousState.Value)
	assert.Equal(t, blue, event.Detail.Configuration.Metrics[0].MetricStat.Metric.Dimensions["TargetGroup"])
	var direct struct {
		AlarmArn  string                                 `json:"alarmArn"`
		AlarmData struct{ State struct{ Value string } } `json:"alarmData"`
	}
	require.NoError(t, json.Unmarshal(change.LambdaEvent(), &direct))
	assert.Equal(t, change.ARN, direct.AlarmArn)
	assert.Equal(t, "ALARM", direct.AlarmData.State.Value)

	// Metrics that stop leave the newest bad minutes in the range of five for a while, as AWS documents.
	w.advance(2 * time.Minute)
	assert.Empty(t, w.changes)
	w.advance(2 * time.Minute)
	assert.Equal(t, "errors OK", w.next())
}

func TestDescribeAlarmsShowsWhatWasDeclaredAndTheState(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.create(errorsAlarm(nil)))
	require.NoError(t, w.create(compositeAlarm("any", `ALARM("errors")`)))
	out, err := w.DescribeAlarms(context.Background(), &aws_cloudwatch.DescribeAlarmsInput{AlarmNames: []string{"errors", "any", "unknown"}})
	require.NoError(t, err)
	require.Len(t, out.MetricAlarms, 1)
	assert.Empty(t, out.CompositeAlarms, "without AlarmTypes, metric alarms alone")
	shown := out.MetricAlarms[0]
	assert.Equal(t, types.StateValueInsufficientData, shown.StateValue)
	assert.Equal(t, "Unchecked: Initial alarm creation", aws.ToString(shown.StateReason))
	assert.Equal(t, int32(2), aws.ToInt32(shown.DatapointsToAlarm))
	assert.True(t, aws.ToBool(shown.ActionsEnabled))

	out, err = w.DescribeAlarms(context.Background(), &aws_cloudwatch.DescribeAlarmsInput{
		AlarmTypes: []types.AlarmType{types.AlarmTypeCompositeAlarm}, AlarmNamePrefix: new("an"),
	})
	require.NoError(t, err)
	require.Len(t, out.CompositeAlarms, 1)
	assert.Equal(t, `ALARM("errors")`, aws.ToString(out.CompositeAlarms[0].AlarmRule))
	out, err = w.DescribeAlarms(context.Background(), &aws_cloudwatch.DescribeAlarmsInput{StateValue: types.StateValueAlarm})
	require.NoError(t, err)
	assert.Empty(t, out.MetricAlarms)
	out, err = w.DescribeAlarms(context.Background(), &aws_cloudwatch.DescribeAlarmsInput{ActionPrefix: new("arn:aws:lambda")})
	require.NoError(t, err)
	assert.Len(t, out.MetricAlarms, 1)
}

func TestACompositeAlarmFollowsItsChildrenThroughSeveralLevels(t *testing.T) {
	w := newWorld(t)
	require.ErrorContains(t, w.create(compositeAlarm("bad", "ALARM(errors)")), "does not exist")
	require.NoError(t, w.create(errorsAlarm(object{"evaluationPeriods": 1, "datapointsToAlarm": 1})))
	require.NoError(t, w.create(compositeAlarm("z-inner", "ALARM(errors) OR FALSE")))
	require.NoError(t, w.create(compositeAlarm("a-outer", "ALARM(z-inner) AND NOT OK(errors)")))
	w.answers(10, 500, time.Millisecond)
	w.advance(time.Minute)
	assert.Equal(t, []string{"errors ALARM", "z-inner ALARM", "a-outer ALARM"}, []string{w.next(), w.next(), w.next()})
	require.ErrorContains(t, w.Providers()["aws:cloudwatch/metricAlarm:MetricAlarm"].Delete(context.Background(), errorsAlarm(nil)), "depends on it")
}

func TestAnAlarmOnMetricMathAndOnFewSamples(t *testing.T) {
	query := func(id, name, stat string) object {
		return object{"id": id, "metric": object{"namespace": "AWS/ApplicationELB", "metricName": name, "stat": stat, "period": 60,
			"dimensions": object{"LoadBalancer": balancer, "TargetGroup": blue}}}
	}
	t.Run("a ratio", func(t *testing.T) {
		w := newWorld(t)
		percent := object{"id": "percent", "expression": "100 * FILL(e, 0) / r", "returnData": true}
		r := alarmResource("aws:cloudwatch/metricAlarm:MetricAlarm", "ratio", object{
			"name": "ratio", "comparisonOperator": "GreaterThanOrEqualToThreshold", "threshold": 5.0, "evaluationPeriods": 1,
			"metricQueries": []any{percent, query("e", "HTTPCode_Target_5XX_Count", "Sum"), query("r", "RequestCount", "Sum")},
		})
		require.NoError(t, w.create(r))
		w.answers(100, 200, time.Millisecond)
		w.advance(time.Minute)
		assert.Equal(t, "ratio OK", w.next())
		w.answers(95, 200, time.Millisecond)
		w.answers(5, 500, time.Millisecond)
		w.advance(time.Minute)
		assert.Equal(t, "ratio ALARM", w.next())
	})
	t.Run("a percentile of few samples keeps the state when told to", func(t *testing.T) {
		// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html
		w := newWorld(t)
		r := errorsAlarm(object{"metricName": "TargetResponseTime", "extendedStatistic": "p99", "threshold": 0.5, "evaluationPeriods": 1,
			"datapointsToAlarm": 1, "evaluateLowSampleCountPercentiles": "ignore"})
		delete(r.Inputs, "statistic")
		delete(r.Outputs, "statistic")
		require.NoError(t, w.create(r))
		w.answers(999, 200, time.Second)
		w.advance(time.Minute)
		assert.Empty(t, w.changes)
		w.answers(1000, 200, time.Second)
		w.advance(time.Minute)
		assert.Equal(t, "errors ALARM", w.next())
	})
}

func TestABadAlarmIsRefusedWithAllOfItsProblems(t *testing.T) {
	w := newWorld(t)
	err := w.create(errorsAlarm(object{"comparisonOperator": "GreaterThanUpperThreshold", "evaluationPeriods": 1, "treatMissingData": "maybe"}))
	for _, problem := range []string{"urn:pulumi:dev::", "GreaterThanUpperThreshold", "DatapointsToAlarm is 2", "TreatMissingData is 'maybe'"} {
		assert.ErrorContains(t, err, problem)
	}
	assert.ErrorContains(t, w.create(errorsAlarm(object{"period": 10})), "multiple of 60")
	assert.ErrorContains(t, w.create(errorsAlarm(object{"extendedStatistic": "p99"})), "either Statistic or ExtendedStatistic")
	assert.ErrorContains(t, w.create(errorsAlarm(object{"colour": "red"})), "does not imitate the input colour")
	out, err := w.DescribeAlarms(context.Background(), &aws_cloudwatch.DescribeAlarmsInput{})
	require.NoError(t, err)
	assert.Empty(t, out.MetricAlarms, "nothing half done")
}

func TestAnUpdateOfAnAlarmKeepsItsState(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.create(errorsAlarm(nil)))
	w.advance(time.Minute)
	assert.Equal(t, "errors OK", w.next())
	provider := w.Providers()["aws:cloudwatch/metricAlarm:MetricAlarm"]
	require.NoError(t, provider.Update(context.Background(), errorsAlarm(nil), errorsAlarm(object{"threshold": 1.0})))
	out, err := w.DescribeAlarms(context.Background(), &aws_cloudwatch.DescribeAlarmsInput{})
	require.NoError(t, err)
	assert.Equal(t, types.StateValueOk, out.MetricAlarms[0].StateValue)
	assert.Equal(t, 1.0, aws.ToFloat64(out.MetricAlarms[0].Threshold))
	require.NoError(t, provider.Delete(context.Background(), errorsAlarm(nil)))
	out, err = w.DescribeAlarms(context.Background(), &aws_cloudwatch.DescribeAlarmsInput{})
	require.NoError(t, err)
	assert.Empty(t, out.MetricAlarms)
}

func TestADashboardIsKeptAndOneThatCannotBeReadIsRefused(t *testing.T) {
	w := newWorld(t)
	board := func(body string) graph.Resource {
		inputs := object{"dashboardName": "shop", "dashboardBody": body}
		return graph.Resource{URN: "urn:pulumi:dev::penguinshop::board", Type: "aws:cloudwatch/dashboard:Dashboard", Inputs: inputs, Outputs: inputs}
	}
	require.ErrorContains(t, w.create(board("not JSON")), "not a JSON object")
	require.ErrorContains(t, w.create(board(`{"widgets":[{}]}`)), "widgets[0] has no type")
	body := `{"widgets":[{"type":"text","properties":{"markdown":"hello"}}]}`
	require.NoError(t, w.create(board(body)))
	out, err := w.GetDashboard(context.Background(), &aws_cloudwatch.GetDashboardInput{DashboardName: new("shop")})
	require.NoError(t, err)
	assert.Equal(t, body, aws.ToString(out.DashboardBody))
	require.NoError(t, w.Providers()["aws:cloudwatch/dashboard:Dashboard"].Delete(context.Background(), board(body)))
	_, err = w.GetDashboard(context.Background(), &aws_cloudwatch.GetDashboardInput{DashboardName: new("shop")})
	var missing *types.DashboardNotFoundError
	assert.ErrorAs(t, err, &missing)
}
