package logs_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/sandbox/logs"
)

// taken are the samples that filters have made.
type taken struct{ samples []types.MetricDatum }

func (m *taken) PutMetricData(
	_ context.Context, in *cloudwatch.PutMetricDataInput, _ ...func(*cloudwatch.Options),
) (*cloudwatch.PutMetricDataOutput, error) {
	m.samples = append(m.samples, in.MetricData...)
	return &cloudwatch.PutMetricDataOutput{}, nil
}

const filterType = "aws:cloudwatch/logMetricFilter:LogMetricFilter"

func weightFilter(pattern string) graph.Resource {
	inputs := map[string]any{"name": "weight", "logGroupName": "shift", "pattern": pattern, "metricTransformation": map[string]any{
		"name": "GreenWeight", "namespace": "Penguinshop", "value": "$.green", "unit": "Percent",
		"dimensions": map[string]any{"Environment": "$.environment"},
	}}
	return graph.Resource{URN: "urn:pulumi:dev::penguinshop::" + filterType + "::weight", Type: filterType, Inputs: inputs, Outputs: inputs}
}

func TestAMetricFilterMakesSamplesOfTheLinesThatItAsksFor(t *testing.T) {
	clock, metrics := clockwork.NewFakeClock(), &taken{}
	s := logs.New(logs.Options{Region: "eu-central-1", Account: "123456789012", Clock: clock, Metrics: metrics})
	provider := s.Providers()[filterType]
	tick := weightFilter(`{ $.msg = "tick" }`)
	require.Error(t, provider.Create(t.Context(), tick), "there is no such group")
	_, err := s.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("shift")})
	require.NoError(t, err)
	_, err = s.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: aws.String("shift"), LogStreamName: aws.String("one")})
	require.NoError(t, err)
	require.ErrorContains(t, provider.Create(t.Context(), weightFilter(`{ $.green > 50 }`)), "the sandbox filters by")
	write := func(line string) {
		_, err := s.PutLogEvents(t.Context(), &cloudwatchlogs.PutLogEventsInput{
			LogGroupName: aws.String("shift"), LogStreamName: aws.String("one"),
			LogEvents: []logtypes.InputLogEvent{{Message: &line, Timestamp: aws.Int64(clock.Now().UnixMilli())}},
		})
		require.NoError(t, err)
	}
	write(`{"msg":"tick","green":10,"environment":"dev"}`)
	assert.Empty(t, metrics.samples, "it was not declared yet")
	require.NoError(t, provider.Create(t.Context(), tick))
	write(`{"msg":"tick","green":25,"environment":"dev"}`)
	write(`{"msg":"shift ended","green":100,"environment":"dev"}`)
	write(`{"msg":"tick","environment":"dev"}`)
	write(`{"msg":"tick","green":50}`)
	write("no JSON")
	require.Len(t, metrics.samples, 1)
	assert.Equal(t, types.MetricDatum{
		MetricName: aws.String("GreenWeight"), Value: aws.Float64(25), Unit: types.StandardUnitPercent,
		Dimensions: []types.Dimension{{Name: aws.String("Environment"), Value: aws.String("dev")}},
	}, metrics.samples[0])
	require.NoError(t, provider.Delete(t.Context(), tick))
	write(`{"msg":"tick","green":75,"environment":"dev"}`)
	assert.Len(t, metrics.samples, 1)
}
