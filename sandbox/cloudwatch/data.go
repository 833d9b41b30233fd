package cloudwatch

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"

	"github.com/penguinshop/delivery/sandbox/fidelity"
)

func invalid(format string, args ...any) error {
	return &smithy.GenericAPIError{Code: "ValidationError", Message: fmt.Sprintf(format, args...), Fault: smithy.FaultClient}
}

// mostQueries is how many queries a request may hold:
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
const mostQueries = 500

var queryID = regexp.MustCompile(`^[a-z][a-zA-Z0-9_]*$`)

// GetMetricData returns data points of periods that have ended, on one page, newest first unless asked otherwise.
func (s *Service) GetMetricData(_ context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	if refused := fidelity.Refusal(in, "MetricDataQueries", "StartTime", "EndTime", "ScanBy", "MaxDatapoints"); refused != "" {
		return nil, invalid("%s", refused)
	}
	if in.StartTime == nil || in.EndTime == nil || !in.StartTime.Before(*in.EndTime) {
		return nil, invalid("The parameter StartTime must be less than the parameter EndTime")
	}
	queries, err := readQueries(in.MetricDataQueries)
	if err != nil {
		return nil, err
	}
	s.catchUp(s.options.Clock.Now())
	s.mu.Lock()
	defer s.mu.Unlock()
	start := in.StartTime.UTC().Truncate(Period)
	if longest := queries.period(); longest > 0 {
		start = start.Truncate(longest)
	}
	results := queries.evaluate(s.store, start, in.EndTime.UTC())
	out := &cloudwatch.GetMetricDataOutput{MetricDataResults: []types.MetricDataResult{}}
	for _, q := range queries {
		if !q.returned {
			continue
		}
		times, values := results[q.id].sorted()
		if in.ScanBy != types.ScanByTimestampAscending {
			slices.Reverse(times)
			slices.Reverse(values)
		}
		out.MetricDataResults = append(out.MetricDataResults, types.MetricDataResult{
			Id: new(q.id), Label: new(q.label), StatusCode: types.StatusCodeComplete, Timestamps: times, Values: values,
		})
	}
	return out, nil
}

// query is one checked query: a metric's statistic, or an expression over other queries.
type query struct {
	id, label  string
	returned   bool
	key        metricKey
	period     time.Duration
	of         statistic
	percentile float64
	expression *expression
}

// queries are in an order in which each expression follows what it names.
type queries []query

func readQueries(given []types.MetricDataQuery) (queries, error) {
	if len(given) == 0 || len(given) > mostQueries {
		return nil, invalid("There must be 1 to %d metric data queries, not %d", mostQueries, len(given))
	}
	pending := map[string]query{}
	var order []string
	for _, g := range given {
		q, err := readQuery(g)
		if err != nil {
			return nil, err
		}
		if _, twice := pending[q.id]; twice {
			return nil, invalid("The id '%s' is used by more than one query", q.id)
		}
		pending[q.id] = q
		order = append(order, q.id)
	}
	var sorted queries
	placed, onWay := map[string]bool{}, map[string]bool{}
	var place func(id string) error
	place = func(id string) error {
		q := pending[id]
		if placed[id] {
			return nil
		}
		if onWay[id] {
			return invalid("The expression '%s' of '%s' refers to itself", q.expression.text, id)
		}
		onWay[id] = true
		if q.expression != nil {
			for _, name := range q.expression.names {
				if _, known := pending[name]; !known {
					return invalid("Error in expression '%s': unknown id '%s'", id, name)
				}
				if err := place(name); err != nil {
					return err
				}
			}
		}
		placed[id] = true
		sorted = append(sorted, q)
		return nil
	}
	for _, id := range order {
		if err := place(id); err != nil {
			return nil, err
		}
	}
	return sorted, nil
}

func readQuery(g types.MetricDataQuery) (query, error) {
	q := query{id: aws.ToString(g.Id), returned: g.ReturnData == nil || *g.ReturnData}
	switch {
	case !queryID.MatchString(q.id):
		return q, invalid("The id '%s' must begin with a lowercase letter and have only letters, digits and underscores", q.id)
	case (g.MetricStat == nil) == (g.Expression == nil):
		return q, invalid("The query '%s' must have either a MetricStat or an Expression", q.id)
	case g.AccountId != nil:
		return q, invalid("the sandbox does not imitate AccountId: leave it out")
	}
	if g.Expression != nil {
		parsed, err := parseExpression(*g.Expression)
		if err != nil {
			return q, err
		}
		q.expression, q.label = &parsed, *g.Expression
	} else {
		m := g.MetricStat
		if m.Metric == nil || aws.ToString(m.Metric.Namespace) == "" || aws.ToString(m.Metric.MetricName) == "" {
			return q, invalid("The query '%s' must name a metric by namespace and name", q.id)
		}
		q.key = newKey(*m.Metric.Namespace, *m.Metric.MetricName, m.Metric.Dimensions...)
		q.label = *m.Metric.MetricName
		var err error
		if q.of, q.percentile, err = readStatistic(aws.ToString(m.Stat)); err != nil {
			return q, err
		}
		if q.period, err = readPeriod(aws.ToInt32(m.Period)); err != nil {
			return q, err
		}
	}
	if g.Label != nil {
		q.label = *g.Label
	}
	return q, nil
}

// readPeriod reads a period in seconds.
func readPeriod(seconds int32) (time.Duration, error) {
	period := time.Duration(seconds) * time.Second
	if period < Period || period%Period != 0 || period > 24*time.Hour {
		return 0, invalid("The period %d must be a multiple of 60 up to 86400: the sandbox keeps one data point a minute", seconds)
	}
	return period, nil
}

// period is the longest period of the queries; 0 where there are constants alone.
func (qs queries) period() time.Duration {
	var longest time.Duration
	for _, q := range qs {
		longest = max(longest, q.period)
	}
	return longest
}

// evaluate returns the series of every query, by id. Periods are counted from start.
func (qs queries) evaluate(s store, start, end time.Time) map[string]series {
	env := environment{named: map[string]series{}}
	if step := qs.period(); step > 0 {
		for at := start; at.Before(end); at = at.Add(step) {
			env.moments = append(env.moments, at.Unix())
		}
	}
	for _, q := range qs {
		if q.expression != nil {
			env.named[q.id] = q.expression.root(env)
			continue
		}
		of := series{at: map[int64]float64{}}
		for _, p := range s.series(q.key, start, end, q.period) {
			of.at[p.start.Unix()] = q.of(p.samples)
		}
		env.named[q.id] = of
	}
	return env.named
}

// PutMetricData takes custom metrics into the minute in which they arrive; a timestamp is refused.
func (s *Service) PutMetricData(_ context.Context, in *cloudwatch.PutMetricDataInput, _ ...func(*cloudwatch.Options)) (*cloudwatch.PutMetricDataOutput, error) {
	if refused := fidelity.Refusal(in, "Namespace", "MetricData.MetricName", "MetricData.Dimensions", "MetricData.Value", "MetricData.Values",
		"MetricData.Counts", "MetricData.StatisticValues", "MetricData.Unit"); refused != "" {
		return nil, invalid("%s", refused)
	}
	switch namespace := aws.ToString(in.Namespace); {
	case namespace == "" || len(in.MetricData) == 0:
		return nil, invalid("Namespace and MetricData must be given")
	case strings.HasPrefix(namespace, "AWS/"):
		return nil, &types.InvalidParameterValueException{Message: new("The value AWS/ for parameter Namespace is invalid.")}
	}
	type addition struct {
		key metricKey
		samples
	}
	var additions []addition
	for _, d := range in.MetricData {
		if aws.ToString(d.MetricName) == "" {
			return nil, invalid("The parameter MetricData.member.N.MetricName is required")
		}
		a := addition{key: newKey(*in.Namespace, *d.MetricName, d.Dimensions...)}
		switch {
		case d.Value != nil:
			a.samples = measured(*d.Value)
		case d.StatisticValues != nil:
			v := d.StatisticValues
			a.samples = samples{count: aws.ToFloat64(v.SampleCount), sum: aws.ToFloat64(v.Sum), min: aws.ToFloat64(v.Minimum), max: aws.ToFloat64(v.Maximum)}
		case len(d.Values) > 0 && (len(d.Counts) == 0 || len(d.Counts) == len(d.Values)):
			for i, v := range d.Values {
				n := 1.0
				if len(d.Counts) > 0 {
					n = d.Counts[i]
				}
				a.samples = a.add(samples{count: n, sum: n * v, min: v, max: v, bars: []bar{{v, n}}})
			}
		default:
			return nil, invalid("Each MetricDatum must have a Value, StatisticValues, or Values with as many Counts")
		}
		additions = append(additions, a)
	}
	for _, a := range additions {
		s.record(a.key, a.samples)
	}
	return &cloudwatch.PutMetricDataOutput{}, nil
}

// Record takes one sample of a metric that another service of the sandbox measures, in a namespace such as AWS/ECS.
func (s *Service) Record(namespace, name string, dimensions map[string]string, value float64) {
	var of []types.Dimension
	for name, value := range dimensions {
		of = append(of, dimension(name, value))
	}
	s.record(newKey(namespace, name, of...), measured(value))
}

func (s *Service) record(key metricKey, measured samples) {
	now := s.options.Clock.Now().UTC()
	s.catchUp(now)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store.add(key, now.Truncate(Period), measured)
}
