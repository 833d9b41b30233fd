package cloudwatch

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// kept is how long data points are held. AWS keeps those of a minute for 15 days; the sandbox's clock passes three days
// before anybody asks for more.
const kept = 72 * time.Hour

// store holds every metric's data points, oldest first, one a period. A metric is a namespace, a name and exactly its
// dimensions: CloudWatch adds nothing up over dimensions either.
type store map[metricKey][]point

type metricKey struct{ namespace, name, dimensions string }

// newKey is the key of a metric; the dimensions' order does not matter.
func newKey(namespace, name string, dimensions ...types.Dimension) metricKey {
	var texts []string
	for _, d := range dimensions {
		texts = append(texts, aws.ToString(d.Name)+"\x00"+aws.ToString(d.Value))
	}
	slices.Sort(texts)
	return metricKey{namespace, name, strings.Join(texts, "\x00")}
}

// point is what was measured in one period.
type point struct {
	start time.Time
	samples
}

// samples are measured values, summed up. bars hold how often each value was measured, by value, for percentiles; they are
// nil for counts, of which every sample is the same.
type samples struct {
	count, sum, min, max float64
	bars                 []bar
}

type bar struct {
	value float64
	count float64
}

// sum is what a counter that rose n times holds: each rise is a sample of 1.
func sum(n int64) samples { return samples{count: float64(n), sum: float64(n), min: 1, max: 1} }

// measured is a sample of one value.
func measured(value float64) samples {
	return samples{count: 1, sum: value, min: value, max: value, bars: []bar{{value, 1}}}
}

func (s samples) add(o samples) samples {
	switch {
	case s.count == 0:
		return o
	case o.count == 0:
		return s
	}
	s.count, s.sum, s.min, s.max = s.count+o.count, s.sum+o.sum, min(s.min, o.min), max(s.max, o.max)
	if len(o.bars) > 0 {
		s.bars = append(slices.Clone(s.bars), o.bars...)
		slices.SortFunc(s.bars, func(a, b bar) int { return cmp.Compare(a.value, b.value) })
	}
	return s
}

// percentile is the least measured value that p percent of the samples do not exceed.
func (s samples) percentile(p float64) float64 {
	rank := math.Ceil(s.count * p / 100)
	var seen float64
	for _, b := range s.bars {
		if seen += b.count; seen >= rank {
			return b.value
		}
	}
	return s.max
}

// add appends samples to a metric's period, which must not be before its newest one, and drops what is too old.
func (s store) add(key metricKey, start time.Time, measured samples) {
	points := s[key]
	if n := len(points); n > 0 && points[n-1].start.Equal(start) {
		points[n-1].samples = points[n-1].add(measured)
		return
	}
	points = append(points, point{start, measured})
	oldest, _ := slices.BinarySearchFunc(points, start.Add(-kept), func(p point, t time.Time) int { return p.start.Compare(t) })
	s[key] = slices.Delete(points, 0, oldest)
}

// statistic computes a statistic of samples, of which there is at least one.
type statistic func(samples) float64

// readStatistic reads SampleCount, Sum, Average, Minimum, Maximum or a percentile such as p99 or p99.9. percentile is 0 for
// the others.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html
func readStatistic(name string) (of statistic, percentile float64, err error) {
	switch name {
	case "SampleCount":
		return func(s samples) float64 { return s.count }, 0, nil
	case "Sum":
		return func(s samples) float64 { return s.sum }, 0, nil
	case "Average":
		return func(s samples) float64 { return s.sum / s.count }, 0, nil
	case "Minimum":
		return func(s samples) float64 { return s.min }, 0, nil
	case "Maximum":
		return func(s samples) float64 { return s.max }, 0, nil
	}
	if digits, isPercentile := strings.CutPrefix(name, "p"); isPercentile {
		p, err := strconv.ParseFloat(digits, 64)
		if _, fraction, _ := strings.Cut(digits, "."); err == nil && p > 0 && p <= 100 && len(fraction) <= 10 {
			return func(s samples) float64 { return s.percentile(p) }, p, nil
		}
	}
	return nil, 0, invalid("The statistic '%s' must be SampleCount, Sum, Average, Minimum, Maximum or a percentile such as p99 or p99.9", name)
}

// series sums a metric's data points up into periods of the given length, counted from start, oldest first. Periods
// without data are absent.
func (s store) series(key metricKey, start, end time.Time, period time.Duration) []point {
	points := s[key]
	first, _ := slices.BinarySearchFunc(points, start, func(p point, t time.Time) int { return p.start.Compare(t) })
	var summed []point
	for _, p := range points[first:] {
		if !p.start.Before(end) {
			break
		}
		at := start.Add(p.start.Sub(start).Truncate(period))
		if n := len(summed); n > 0 && summed[n-1].start.Equal(at) {
			summed[n-1].samples = summed[n-1].add(p.samples)
			continue
		}
		summed = append(summed, point{at, p.samples})
	}
	return summed
}
