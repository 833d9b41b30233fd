package adapter

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// meters answers for green with one period's values by the query's name, and knows nothing of blue.
type meters struct {
	CloudWatch
	at     time.Time
	values map[string]float64
}

func (m meters) GetMetricData(
	_ context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options),
) (*cloudwatch.GetMetricDataOutput, error) {
	out := &cloudwatch.GetMetricDataOutput{}
	for _, q := range in.MetricDataQueries {
		result := types.MetricDataResult{Id: q.Id, StatusCode: types.StatusCodeComplete}
		if name, ok := strings.CutPrefix(aws.ToString(q.Id), "green_"); ok {
			if value, ok := m.values[name]; ok {
				result.Timestamps, result.Values = []time.Time{m.at}, []float64{value}
			}
		}
		out.MetricDataResults = append(out.MetricDataResults, result)
	}
	return out, nil
}

func TestFailedConnectionsAreAmongTheRequestsThatWereCounted(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		values           map[string]float64
		requests, errors float64
	}{
		"every connection fails":                  {map[string]float64{"requests": 100, "connections": 100}, 100, 100},
		"some connections fail, some answers":     {map[string]float64{"requests": 100, "connections": 10, "errors": 5}, 100, 15},
		"nothing fails":                           {map[string]float64{"requests": 100}, 100, 0},
		"the requests' value has not arrived yet": {map[string]float64{"connections": 7}, 7, 7},
	} {
		t.Run(name, func(t *testing.T) {
			w := &World{Clients: Clients{CloudWatch: meters{at: at, values: c.values}}, Now: func() time.Time { return at.Add(rollout.Period) }}
			blue, green, err := w.metrics(t.Context(), at)
			require.NoError(t, err)
			assert.Empty(t, blue.Periods)
			require.Len(t, green.Periods, 1)
			assert.Equal(t, c.requests, green.Periods[0].Requests)
			assert.Equal(t, c.errors, green.Periods[0].Errors)
		})
	}
}
