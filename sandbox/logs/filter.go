package logs

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"github.com/penguinshop/delivery/sandbox/graph"
)

// Metrics takes what metric filters find.
type Metrics interface {
	PutMetricData(context.Context, *cloudwatch.PutMetricDataInput, ...func(*cloudwatch.Options)) (*cloudwatch.PutMetricDataOutput, error)
}

// declaredFilter is aws:cloudwatch/logMetricFilter:LogMetricFilter.
type declaredFilter struct {
	Name                 string `json:"name"`
	LogGroupName         string `json:"logGroupName"`
	Pattern              string `json:"pattern"`
	MetricTransformation struct {
		Name       string            `json:"name"`
		Namespace  string            `json:"namespace"`
		Value      string            `json:"value"`
		Unit       string            `json:"unit"`
		Dimensions map[string]string `json:"dimensions"`
	} `json:"metricTransformation"`
}

// metricFilter makes samples of a metric out of lines that are JSON objects.
type metricFilter struct {
	declaredFilter
	key, text string // what the pattern asks for
}

// equals is the one kind of pattern for JSON that the sandbox knows: { $.key = "text" }.
var equals = regexp.MustCompile(`^\{\s*\$\.(\w+)\s*=\s*"([^"]*)"\s*\}$`)

func readFilter(r graph.Resource) (*metricFilter, error) {
	d, err := graph.Strict[declaredFilter](r)
	if err != nil {
		return nil, err
	}
	found := equals.FindStringSubmatch(d.Pattern)
	if found == nil {
		return nil, fmt.Errorf(`%s: pattern is %s: the sandbox filters by { $.key = "text" } alone`, r.URN, d.Pattern)
	}
	return &metricFilter{d, found[1], found[2]}, nil
}

// sample is what a line adds to the metric; ok is false where it adds nothing.
func (f *metricFilter) sample(line string) (datum types.MetricDatum, ok bool) {
	var record map[string]any
	if json.Unmarshal([]byte(line), &record) != nil || record[f.key] != f.text {
		return datum, false
	}
	t := f.MetricTransformation
	value, err := strconv.ParseFloat(t.Value, 64)
	if key, isKey := strings.CutPrefix(t.Value, "$."); isKey {
		if value, ok = record[key].(float64); !ok {
			return datum, false
		}
	} else if err != nil {
		return datum, false
	}
	datum = types.MetricDatum{MetricName: &t.Name, Value: &value, Unit: types.StandardUnit(t.Unit)}
	for _, name := range slices.Sorted(maps.Keys(t.Dimensions)) {
		text, isText := record[strings.TrimPrefix(t.Dimensions[name], "$.")].(string)
		if !isText {
			return datum, false // AWS makes no sample of a line that lacks a dimension
		}
		datum.Dimensions = append(datum.Dimensions, types.Dimension{Name: aws.String(name), Value: &text})
	}
	return datum, true
}

// measure hands on what a group's filters find in a line.
func (s *Service) measure(ctx context.Context, g *group, line string) error {
	for _, f := range g.filters {
		datum, ok := f.sample(line)
		if !ok || s.metrics == nil {
			continue
		}
		if _, err := s.metrics.PutMetricData(ctx, &cloudwatch.PutMetricDataInput{
			Namespace: &f.MetricTransformation.Namespace, MetricData: []types.MetricDatum{datum},
		}); err != nil {
			return fmt.Errorf("the metric filter %s: %w", f.Name, err)
		}
	}
	return nil
}

type filterProvider struct{ service *Service }

func (p filterProvider) Create(_ context.Context, r graph.Resource) error {
	f, err := readFilter(r)
	if err != nil {
		return err
	}
	s := p.service
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.group(&f.LogGroupName, nil)
	if err != nil {
		return err
	}
	g.filters[f.Name] = f
	return nil
}

func (p filterProvider) Update(ctx context.Context, _, next graph.Resource) error {
	return p.Create(ctx, next)
}

func (p filterProvider) Delete(_ context.Context, r graph.Resource) error {
	d, err := graph.Decode[declaredFilter](r)
	if err != nil {
		return err
	}
	s := p.service
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.groups[d.LogGroupName]; g != nil {
		delete(g.filters, d.Name)
	}
	return nil
}
