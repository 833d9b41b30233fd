package cloudwatch_test

import (
	"context"
	"testing"
	"time"

	aws_cloudwatch "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/schemas"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go/transport/http/protocol/awsquery"
	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/cloudwatch"
	"github.com/penguinshop/delivery/tests/moto"
)

// api is what the SDK's client and the sandbox's service both do.
type api interface {
	PutMetricData(context.Context, *aws_cloudwatch.PutMetricDataInput, ...func(*aws_cloudwatch.Options)) (*aws_cloudwatch.PutMetricDataOutput, error)
	GetMetricData(context.Context, *aws_cloudwatch.GetMetricDataInput, ...func(*aws_cloudwatch.Options)) (*aws_cloudwatch.GetMetricDataOutput, error)
}

func TestCustomMetricsAreSummedUpAsMotoDoes(t *testing.T) {
	test := func(t *testing.T, c api) {
		ctx := t.Context()
		datum := func(shop string, value float64) types.MetricDatum {
			return types.MetricDatum{MetricName: new("Orders"), Value: &value, Unit: types.StandardUnitCount,
				Dimensions: []types.Dimension{{Name: new("Shop"), Value: &shop}, {Name: new("Country"), Value: new("DE")}}}
		}
		_, err := c.PutMetricData(ctx, &aws_cloudwatch.PutMetricDataInput{Namespace: new("Penguins"), MetricData: []types.MetricDatum{
			datum("web", 1), datum("web", 2), datum("web", 9), datum("kiosk", 100),
		}})
		require.NoError(t, err)
		query := func(id, stat string) types.MetricDataQuery {
			return types.MetricDataQuery{Id: &id, MetricStat: &types.MetricStat{Period: new(int32(3600)), Stat: &stat, Metric: &types.Metric{
				Namespace: new("Penguins"), MetricName: new("Orders"), // the dimensions in another order
				Dimensions: []types.Dimension{{Name: new("Country"), Value: new("DE")}, {Name: new("Shop"), Value: new("web")}},
			}}}
		}
		hour := time.Now().UTC().Truncate(time.Hour)
		out, err := c.GetMetricData(ctx, &aws_cloudwatch.GetMetricDataInput{
			StartTime: new(hour), EndTime: new(hour.Add(time.Hour)),
			MetricDataQueries: []types.MetricDataQuery{query("total", "Sum"), query("average", "Average"), query("least", "Minimum"), query("most", "Maximum"), query("count", "SampleCount")},
		})
		require.NoError(t, err)
		got := map[string][]float64{}
		for _, r := range out.MetricDataResults {
			got[*r.Id] = r.Values
		}
		assert.Equal(t, map[string][]float64{"total": {12}, "average": {4}, "least": {1}, "most": {9}, "count": {3}}, got)
	}
	t.Run("sandbox", func(t *testing.T) {
		s := cloudwatch.New(cloudwatch.Options{Clock: clockwork.NewRealClock()})
		defer s.Close()
		test(t, s)
		_, err := s.PutMetricData(t.Context(), &aws_cloudwatch.PutMetricDataInput{Namespace: new("AWS/ECS"), MetricData: []types.MetricDatum{{MetricName: new("CPU"), Value: new(1.0)}}})
		assert.ErrorContains(t, err, "AWS/")
	})
	t.Run("moto", func(t *testing.T) {
		// moto does not speak the client's own protocol, CBOR.
		test(t, aws_cloudwatch.NewFromConfig(moto.Config(t), func(o *aws_cloudwatch.Options) {
			o.Protocol = awsquery.New(schemas.GraniteServiceVersion20100801)
		}))
	})
}
