package cloudwatch

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/penguinshop/delivery/sandbox/graph"
)

// Providers returns what stands behind the resource types that this package imitates.
func (s *Service) Providers() map[string]graph.Provider {
	return map[string]graph.Provider{
		"aws:cloudwatch/metricAlarm:MetricAlarm":       alarmProvider[declaredMetricAlarm]{s},
		"aws:cloudwatch/compositeAlarm:CompositeAlarm": alarmProvider[declaredCompositeAlarm]{s},
		"aws:cloudwatch/dashboard:Dashboard":           dashboardProvider{s},
	}
}

// declaredActions are the inputs that both kinds of alarm have.
type declaredActions struct {
	Arn                     string            `json:"arn"`
	AlarmDescription        string            `json:"alarmDescription"`
	ActionsEnabled          *bool             `json:"actionsEnabled"`
	AlarmActions            []string          `json:"alarmActions"`
	OkActions               []string          `json:"okActions"`
	InsufficientDataActions []string          `json:"insufficientDataActions"`
	Tags                    map[string]string `json:"tags"`
}

func (d declaredActions) alarm(name, stack string) *alarm {
	return &alarm{
		name: name, arn: d.Arn, description: d.AlarmDescription, stack: stack, tags: d.Tags,
		actionsEnabled: d.ActionsEnabled == nil || *d.ActionsEnabled,
		actions: map[types.StateValue][]string{
			types.StateValueAlarm: d.AlarmActions, types.StateValueOk: d.OkActions, types.StateValueInsufficientData: d.InsufficientDataActions,
		},
	}
}

// declaredAlarm is what an alarm's record can do for its provider.
type declaredAlarm interface {
	// called is the alarm's name, by which AWS knows it.
	called() string
	// read checks the declaration.
	read(stack string) (*alarm, error)
}

// declaredMetricAlarm is aws:cloudwatch/metricAlarm:MetricAlarm.
type declaredMetricAlarm struct {
	declaredActions
	Name                              string                `json:"name"`
	ComparisonOperator                string                `json:"comparisonOperator"`
	DatapointsToAlarm                 *int32                `json:"datapointsToAlarm"`
	Dimensions                        map[string]string     `json:"dimensions"`
	EvaluateLowSampleCountPercentiles *string               `json:"evaluateLowSampleCountPercentiles"`
	EvaluationPeriods                 int32                 `json:"evaluationPeriods"`
	ExtendedStatistic                 *string               `json:"extendedStatistic"`
	MetricName                        *string               `json:"metricName"`
	MetricQueries                     []declaredMetricQuery `json:"metricQueries"`
	Namespace                         *string               `json:"namespace"`
	Period                            *int32                `json:"period"`
	Statistic                         string                `json:"statistic"`
	Threshold                         *float64              `json:"threshold"`
	ThresholdMetricID                 *string               `json:"thresholdMetricId"`
	TreatMissingData                  *string               `json:"treatMissingData"`
	Unit                              string                `json:"unit"`
}

type declaredMetricQuery struct {
	ID         string  `json:"id"`
	AccountID  *string `json:"accountId"`
	Expression *string `json:"expression"`
	Label      *string `json:"label"`
	ReturnData *bool   `json:"returnData"`
	Metric     *struct {
		Dimensions map[string]string `json:"dimensions"`
		MetricName string            `json:"metricName"`
		Namespace  *string           `json:"namespace"`
		Period     int32             `json:"period"`
		Stat       string            `json:"stat"`
		Unit       string            `json:"unit"`
	} `json:"metric"`
}

func (d declaredMetricAlarm) called() string { return d.Name }

func (d declaredMetricAlarm) read(stack string) (*alarm, error) {
	declared := types.MetricAlarm{
		ComparisonOperator: types.ComparisonOperator(d.ComparisonOperator), DatapointsToAlarm: d.DatapointsToAlarm, Dimensions: dimensions(d.Dimensions),
		EvaluateLowSampleCountPercentile: d.EvaluateLowSampleCountPercentiles, EvaluationPeriods: &d.EvaluationPeriods, ExtendedStatistic: d.ExtendedStatistic,
		MetricName: d.MetricName, Namespace: d.Namespace, Period: d.Period, Statistic: types.Statistic(d.Statistic), Threshold: d.Threshold,
		ThresholdMetricId: d.ThresholdMetricID, TreatMissingData: d.TreatMissingData, Unit: types.StandardUnit(d.Unit),
	}
	for _, q := range d.MetricQueries {
		query := types.MetricDataQuery{Id: new(q.ID), AccountId: q.AccountID, Expression: q.Expression, Label: q.Label, ReturnData: new(q.ReturnData != nil && *q.ReturnData)}
		if m := q.Metric; m != nil {
			query.MetricStat = &types.MetricStat{Period: &m.Period, Stat: &m.Stat, Unit: types.StandardUnit(m.Unit),
				Metric: &types.Metric{Namespace: m.Namespace, MetricName: &m.MetricName, Dimensions: dimensions(m.Dimensions)}}
		}
		declared.Metrics = append(declared.Metrics, query)
	}
	a := d.alarm(d.Name, stack)
	var err error
	a.metric, err = readMetricAlarm(declared)
	return a, err
}

func dimensions(of map[string]string) []types.Dimension {
	var all []types.Dimension
	for _, name := range slices.Sorted(maps.Keys(of)) {
		all = append(all, dimension(name, of[name]))
	}
	return all
}

// declaredCompositeAlarm is aws:cloudwatch/compositeAlarm:CompositeAlarm.
type declaredCompositeAlarm struct {
	declaredActions
	AlarmName string `json:"alarmName"`
	AlarmRule string `json:"alarmRule"`
}

func (d declaredCompositeAlarm) called() string { return d.AlarmName }

func (d declaredCompositeAlarm) read(stack string) (*alarm, error) {
	a := d.alarm(d.AlarmName, stack)
	var err error
	a.composite, err = parseRule(d.AlarmRule)
	return a, err
}

type alarmProvider[D declaredAlarm] struct{ service *Service }

func (p alarmProvider[D]) Create(_ context.Context, r graph.Resource) error {
	d, err := graph.Strict[D](r)
	if err != nil {
		return err
	}
	return p.put(r, d)
}

// put checks an alarm and takes it over; a composite alarm needs the alarms that it names.
func (p alarmProvider[D]) put(r graph.Resource, d D) error {
	a, err := d.read(r.Stack())
	if err == nil && a.composite != nil {
		err = p.service.checkChildren(a)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", r.URN, err)
	}
	p.service.put(a)
	return nil
}

func (s *Service) checkChildren(a *alarm) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range a.composite.children {
		if name == a.name {
			return invalid("The alarm rule of '%s' names the alarm itself", a.name)
		}
		if s.alarms[name] == nil {
			return invalid("Could not save the composite alarm: the alarm '%s' in the alarm rule does not exist", name)
		}
	}
	return nil
}

func (p alarmProvider[D]) Update(_ context.Context, prior, next graph.Resource) error {
	was, err := graph.Decode[D](prior)
	if err != nil {
		return err
	}
	d, err := graph.Strict[D](next)
	if err != nil {
		return err
	}
	if was.called() != d.called() {
		return fmt.Errorf("%s: a change of the name replaces the resource: delete it and create it anew", next.URN)
	}
	return p.put(next, d)
}

func (p alarmProvider[D]) Delete(_ context.Context, r graph.Resource) error {
	d, err := graph.Decode[D](r)
	if err != nil {
		return err
	}
	s := p.service
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range s.alarms {
		if other.composite != nil && slices.Contains(other.composite.children, d.called()) {
			return fmt.Errorf("%s: %w", r.URN, invalid("Cannot delete '%s': the composite alarm '%s' depends on it", d.called(), other.name))
		}
	}
	delete(s.alarms, d.called())
	return nil
}

// declaredDashboard is aws:cloudwatch/dashboard:Dashboard.
type declaredDashboard struct {
	DashboardArn  string `json:"dashboardArn"`
	DashboardName string `json:"dashboardName"`
	DashboardBody string `json:"dashboardBody"`
}

type dashboardProvider struct{ service *Service }

func (p dashboardProvider) Create(_ context.Context, r graph.Resource) error {
	d, err := graph.Strict[declaredDashboard](r)
	if err != nil {
		return err
	}
	if err := checkDashboard(d.DashboardBody); err != nil {
		return fmt.Errorf("%s: %w", r.URN, err)
	}
	p.service.mu.Lock()
	defer p.service.mu.Unlock()
	p.service.dashboards[d.DashboardName] = dashboard{d.DashboardArn, d.DashboardBody}
	return nil
}

func (p dashboardProvider) Update(ctx context.Context, _, next graph.Resource) error {
	return p.Create(ctx, next)
}

func (p dashboardProvider) Delete(_ context.Context, r graph.Resource) error {
	d, err := graph.Decode[declaredDashboard](r)
	if err != nil {
		return err
	}
	p.service.mu.Lock()
	defer p.service.mu.Unlock()
	delete(p.service.dashboards, d.DashboardName)
	return nil
}
