package cloudwatch

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// alarm is a metric alarm or a composite one, guarded by the service's lock.
type alarm struct {
	name, arn, description string
	stack                  string
	actionsEnabled         bool
	actions                map[types.StateValue][]string
	tags                   map[string]string
	configured             time.Time

	state   State
	updated time.Time // when the state's reason last changed

	// metric is nil for a composite alarm, composite for a metric one.
	metric    *metricAlarm
	composite *compositeRule
}

// State is an alarm's state and why it is so.
type State struct {
	Value  types.StateValue
	Reason string
	// ReasonData is a JSON object with the evaluated data; empty for composite alarms.
	ReasonData string
	// Time is when the alarm came into this state.
	Time time.Time
}

// metricAlarm is a checked metric alarm.
type metricAlarm struct {
	declared         types.MetricAlarm
	queries          queries
	watched          string // the id of the query that is compared
	period           time.Duration
	compare          func(value, threshold float64) bool
	threshold        float64
	periods, toAlarm int
	treat            string
	ignoreLowSamples bool
}

// comparisons are the operators of metric alarms. Those of anomaly detection are not among them.
var comparisons = map[types.ComparisonOperator]func(value, threshold float64) bool{
	types.ComparisonOperatorGreaterThanThreshold:          func(v, t float64) bool { return v > t },
	types.ComparisonOperatorGreaterThanOrEqualToThreshold: func(v, t float64) bool { return v >= t },
	types.ComparisonOperatorLessThanThreshold:             func(v, t float64) bool { return v < t },
	types.ComparisonOperatorLessThanOrEqualToThreshold:    func(v, t float64) bool { return v <= t },
}

// mostOfDay bounds what an alarm looks at: its evaluation periods together, of periods under an hour, are a day at most.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
const mostOfDay = 24 * time.Hour

// readMetricAlarm checks a metric alarm as PutMetricAlarm does, and reports all problems at once.
func readMetricAlarm(d types.MetricAlarm) (*metricAlarm, error) {
	m := &metricAlarm{
		declared: d, threshold: aws.ToFloat64(d.Threshold), periods: int(aws.ToInt32(d.EvaluationPeriods)), toAlarm: int(aws.ToInt32(d.DatapointsToAlarm)),
		treat: aws.ToString(d.TreatMissingData), ignoreLowSamples: aws.ToString(d.EvaluateLowSampleCountPercentile) == "ignore",
		compare: comparisons[d.ComparisonOperator],
	}
	var problems []error
	refuse := func(wrong bool, format string, args ...any) {
		if wrong {
			problems = append(problems, invalid(format, args...))
		}
	}
	if m.toAlarm == 0 {
		m.toAlarm = m.periods
	}
	if m.treat == "" {
		m.treat = treatMissing
	}
	refuse(m.compare == nil, "the comparison operator '%s' must be one of %v (the sandbox does not imitate anomaly detection)",
		d.ComparisonOperator, slices.Sorted(maps.Keys(comparisons)))
	refuse(d.ThresholdMetricId != nil, "the sandbox does not imitate ThresholdMetricId: give a Threshold")
	refuse(d.Threshold == nil && d.ThresholdMetricId == nil, "a Threshold must be given")
	refuse(m.periods < 1, "EvaluationPeriods is %d: it must be at least 1", m.periods)
	refuse(m.toAlarm < 1 || m.toAlarm > m.periods, "DatapointsToAlarm is %d: it must be 1 to EvaluationPeriods, %d", m.toAlarm, m.periods)
	refuse(!slices.Contains([]string{treatMissing, treatIgnore, treatBreaching, treatNotBreaching}, m.treat),
		"TreatMissingData is '%s': it must be missing, ignore, breaching or notBreaching", m.treat)
	given, err := alarmQueries(d)
	if err == nil {
		m.queries, err = readQueries(given)
	}
	if err != nil {
		return nil, errors.Join(append(problems, err)...)
	}
	for _, q := range m.queries {
		if q.returned {
			refuse(m.watched != "", "exactly one metric query must have ReturnData set to true, but '%s' and '%s' have it", m.watched, q.id)
			m.watched = q.id
		}
		refuse(q.period != 0 && q.period != m.queries.period(), "all metrics of an alarm must have the same period")
	}
	refuse(m.watched == "", "exactly one metric query must have ReturnData set to true")
	m.period = m.queries.period()
	refuse(m.period == 0, "an alarm must watch at least one metric")
	refuse(time.Duration(m.periods)*m.period > mostOfDay, "EvaluationPeriods times Period must not be longer than a day")
	return m, errors.Join(problems...)
}

// alarmQueries returns what an alarm watches as queries; an alarm on one metric has one, m1.
func alarmQueries(d types.MetricAlarm) ([]types.MetricDataQuery, error) {
	if len(d.Metrics) > 0 {
		if d.MetricName != nil || d.Statistic != "" || d.ExtendedStatistic != nil {
			return nil, invalid("an alarm on metric queries must not have MetricName, Statistic or ExtendedStatistic")
		}
		return d.Metrics, nil
	}
	if (d.Statistic == "") == (d.ExtendedStatistic == nil) {
		return nil, invalid("an alarm on a metric must have either Statistic or ExtendedStatistic")
	}
	stat := string(d.Statistic)
	if d.ExtendedStatistic != nil {
		stat = *d.ExtendedStatistic
	}
	return []types.MetricDataQuery{{Id: new("m1"), ReturnData: new(true), MetricStat: &types.MetricStat{
		Metric: &types.Metric{Namespace: d.Namespace, MetricName: d.MetricName, Dimensions: d.Dimensions}, Period: d.Period, Stat: new(stat),
	}}}, nil
}

// put adds or replaces an alarm. One that is new begins with INSUFFICIENT_DATA; one that changes keeps its state until its
// next evaluation.
func (s *Service) put(a *alarm) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.options.Clock.Now().UTC()
	a.configured, a.updated = now, now
	a.state = State{Value: types.StateValueInsufficientData, Reason: "Unchecked: Initial alarm creation", Time: now}
	if before := s.alarms[a.name]; before != nil {
		a.state, a.updated = before.state, before.updated
	}
	s.alarms[a.name] = a
}

// evaluate brings every alarm up to the last period that has ended, a minute at a time: first the metric alarms, then the
// composite ones, each after those that it watches.
func (s *Service) evaluate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for end := time.Unix(0, s.periodEnd.Load()).UTC().Add(-Period); s.evaluated.Before(end); {
		s.evaluated = s.evaluated.Add(Period)
		names := slices.Sorted(maps.Keys(s.alarms))
		for _, name := range names {
			if a := s.alarms[name]; a.metric != nil {
				if value, reason, data := a.metric.evaluate(s.store, s.evaluated, a.state.Value); value != "" {
					s.become(a, value, reason, data)
				}
			}
		}
		settled := map[string]bool{}
		for _, name := range names {
			s.settle(name, settled)
		}
	}
}

// become moves an alarm into a state, and notes the change for those who listen.
func (s *Service) become(a *alarm, value types.StateValue, reason, data string) {
	now := s.options.Clock.Now().UTC()
	if a.state.Value == value {
		a.state.Reason, a.state.ReasonData, a.updated = reason, data, now
		return
	}
	previous := a.state
	a.state, a.updated = State{Value: value, Reason: reason, ReasonData: data, Time: now}, now
	s.changes = append(s.changes, s.change(a, previous))
}

// evaluate judges the periods that ended at end or before. An empty value keeps the present state.
func (m *metricAlarm) evaluate(s store, end time.Time, present types.StateValue) (value types.StateValue, reason, data string) {
	looked := m.periods + beyond
	start := end.Add(-time.Duration(looked) * m.period)
	watched := m.queries.evaluate(s, start, end)[m.watched]
	if m.ignoreLowSamples && m.fewSamples(s, end) {
		return "", "", ""
	}
	points := make([]datum, looked)
	var recent []float64
	var first time.Time
	for i := range points {
		at := start.Add(time.Duration(i) * m.period)
		v, ok := watched.value(at.Unix())
		switch {
		case !ok:
			continue
		case m.compare(v, m.threshold):
			points[i] = breaching
		default:
			points[i] = within
		}
		recent = append(recent, v)
		if first.IsZero() {
			first = at
		}
	}
	value = judge(points, m.periods, m.toAlarm, m.treat)
	if value == "" {
		return "", "", ""
	}
	if len(recent) > m.periods {
		recent = recent[len(recent)-m.periods:]
	}
	return value, m.reason(value, recent), m.reasonData(end, recent)
}

// fewSamples tells whether a percentile stands on too few samples to mean something: fewer than 10/(1-percentile), and for
// percentiles below 0.5 fewer than 10/percentile.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html
func (m *metricAlarm) fewSamples(s store, end time.Time) bool {
	for _, q := range m.queries {
		if q.percentile == 0 {
			continue
		}
		var count float64
		for _, p := range s.series(q.key, end.Add(-time.Duration(m.periods)*m.period), end, m.period) {
			count += p.count
		}
		if share := q.percentile / 100; count < 10/max(min(1-share, share), 1e-9) {
			return true
		}
	}
	return false
}

var operatorWords = map[types.ComparisonOperator]string{
	types.ComparisonOperatorGreaterThanThreshold:          "greater than",
	types.ComparisonOperatorGreaterThanOrEqualToThreshold: "greater than or equal to",
	types.ComparisonOperatorLessThanThreshold:             "less than",
	types.ComparisonOperatorLessThanOrEqualToThreshold:    "less than or equal to",
}

// reason says in words what led to the state.
func (m *metricAlarm) reason(value types.StateValue, recent []float64) string {
	if value == types.StateValueInsufficientData {
		return "Insufficient Data: no recent data points"
	}
	var values []string
	var bad int
	for _, v := range recent {
		values = append(values, fmt.Sprint(v))
		if m.compare(v, m.threshold) {
			bad++
		}
	}
	if len(values) == 0 {
		return fmt.Sprintf("Threshold Crossed: no datapoints were received for %d periods and missing datapoints were treated as [%s].",
			m.periods, m.treat)
	}
	return fmt.Sprintf("Threshold Crossed: %d of the last %d datapoints [%s] %s the threshold (%v); %d to alarm.",
		bad, len(values), strings.Join(values, ", "), "were "+operatorWords[m.declared.ComparisonOperator], m.threshold, m.toAlarm)
}

func (m *metricAlarm) reasonData(end time.Time, recent []float64) string {
	stat := string(m.declared.Statistic)
	if m.declared.ExtendedStatistic != nil {
		stat = *m.declared.ExtendedStatistic
	}
	text, _ := json.Marshal(map[string]any{ // numbers and strings always marshal
		"version": "1.0", "queryDate": stamp(end), "startDate": stamp(end.Add(-time.Duration(m.periods) * m.period)),
		"statistic": stat, "period": int(m.period.Seconds()), "recentDatapoints": recent, "threshold": m.threshold,
	})
	return string(text)
}

// stamp is a moment as CloudWatch writes it into events.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000+0000") }
