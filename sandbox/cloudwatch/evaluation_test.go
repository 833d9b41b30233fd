package cloudwatch

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

// data reads the notation of AWS's documentation: 0 is within the threshold, X breaching, - missing, the newest on the right.
func data(text string) []datum {
	var points []datum
	for symbol := range strings.FieldsSeq(text) {
		points = append(points, map[string]datum{"0": within, "X": breaching, "-": missing}[symbol])
	}
	return points
}

// The tables are those of https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html, where
// three periods are evaluated out of a range of five. Keep stands for the present state.
func TestAlarmsTreatMissingDataAsDocumented(t *testing.T) {
	const (
		ok, alarm, keep = types.StateValueOk, types.StateValueAlarm, types.StateValue("")
		insufficient    = types.StateValueInsufficientData
	)
	for _, row := range []struct {
		points                                   string
		toAlarm                                  int
		missing, ignore, breaching, notBreaching types.StateValue
	}{
		{"0 - X - X", 3, ok, ok, ok, ok},
		{"0 - - - -", 3, ok, ok, ok, ok},
		{"- - - - -", 3, insufficient, keep, alarm, ok},
		{"0 X X - X", 3, alarm, alarm, alarm, alarm},
		{"- - X - -", 3, alarm, keep, alarm, ok},
		{"0 - X - X", 2, alarm, alarm, alarm, alarm},
		{"0 0 X 0 X", 2, alarm, alarm, alarm, alarm},
		{"0 - X - -", 2, ok, ok, alarm, ok},
		{"- - - - 0", 2, ok, ok, alarm, ok},
		{"- - - X -", 2, alarm, keep, alarm, ok},
		// "Avoiding premature transitions": the alarm does not go to ALARM at once.
		{"- - - - X", 3, insufficient, keep, alarm, ok},
		{"- - - X -", 3, insufficient, keep, alarm, ok},
	} {
		for treat, want := range map[string]types.StateValue{
			treatMissing: row.missing, treatIgnore: row.ignore, treatBreaching: row.breaching, treatNotBreaching: row.notBreaching,
		} {
			t.Run(fmt.Sprintf("%s with %d to alarm and %s", row.points, row.toAlarm, treat), func(t *testing.T) {
				assert.Equal(t, want, judge(data(row.points), 3, row.toAlarm, treat))
			})
		}
	}
}

func TestWithoutMissingDataAnAlarmCountsTheNewestPeriodsHoweverMissingDataIsTreated(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		periods := rapid.IntRange(1, 6).Draw(t, "periods")
		toAlarm := rapid.IntRange(1, periods).Draw(t, "toAlarm")
		points := rapid.SliceOfN(rapid.SampledFrom([]datum{within, breaching}), periods+beyond, periods+beyond).Draw(t, "points")
		var bad int
		for _, p := range points[beyond:] {
			if p == breaching {
				bad++
			}
		}
		want := types.StateValueOk
		if bad >= toAlarm {
			want = types.StateValueAlarm
		}
		treat := rapid.SampledFrom([]string{treatMissing, treatIgnore, treatBreaching, treatNotBreaching}).Draw(t, "treat")
		assert.Equal(t, want, judge(points, periods, toAlarm, treat))
	})
}

func TestAlarmRulesAreReadAsDocumented(t *testing.T) {
	// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
	states := map[string]types.StateValue{"a": types.StateValueAlarm, "b": types.StateValueOk, "c": types.StateValueInsufficientData, "with space": types.StateValueAlarm}
	for rule, want := range map[string]bool{
		"ALARM(a)":                         true,
		`ALARM("a")`:                       true,
		`ALARM("with space")`:              true,
		"OK(a)":                            false,
		"INSUFFICIENT_DATA(c)":             true,
		"ALARM(a) AND OK(b)":               true,
		"ALARM(b) OR OK(b)":                true,
		"NOT ALARM(b) AND NOT OK(a)":       true,
		"ALARM(a) OR ALARM(b) AND FALSE":   true, // AND binds closer than OR
		"(ALARM(a) OR ALARM(b)) AND FALSE": false,
		"NOT (ALARM(a) OR TRUE)":           false,
		"ALARM(arn:aws:cloudwatch:eu-central-1:123456789012:alarm:a)": true,
		"alarm(a) and ok(b)": true,
	} {
		parsed, err := parseRule(rule)
		if assert.NoError(t, err, rule) {
			assert.Equal(t, want, parsed.holds(func(name string) types.StateValue { return states[name] }), rule)
		}
	}
	for rule, problem := range map[string]string{
		"":               "expected ALARM",
		"ALARM(a":        "expected )",
		"ALARM a":        "expected (",
		"ALARM(a) OK(b)": "expected AND, OR or the end",
		"ALARM(a) AND":   "expected ALARM",
		"BROKEN(a)":      "expected ALARM",
		"ALARM()":        "expected the name or ARN",
	} {
		_, err := parseRule(rule)
		assert.ErrorContains(t, err, problem, rule)
	}
}

func TestMetricMathComputesOverMomentsThatAllOperandsHave(t *testing.T) {
	// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
	env := environment{moments: []int64{60, 120, 180}, named: map[string]series{
		"e": {at: map[int64]float64{60: 5, 180: 0}},
		"r": {at: map[int64]float64{60: 100, 120: 50, 180: 0}},
	}}
	for text, want := range map[string]map[int64]float64{
		"e / r * 100":                        {60: 5}, // a division by zero gives no data point
		"FILL(e, 0) / r":                     {60: 0.05, 120: 0},
		"FILL(e, REPEAT)":                    {60: 5, 120: 5, 180: 0},
		"IF(r > 60, 1, 0)":                   {60: 1, 120: 0, 180: 0},
		"IF(r > 0, 100 * FILL(e, 0) / r, 0)": {60: 5, 120: 0, 180: 0},
		"SUM([e, r])":                        {60: 105, 120: 50, 180: 0},
		"AVG([e, r])":                        {60: 52.5, 120: 50, 180: 0},
		"MAX([e, r]) - MIN([e, r])":          {60: 95, 120: 0, 180: 0},
		"-r + 2 ^ 3":                         {60: -92, 120: -42, 180: 8},
		"ABS(-r) >= 50 AND r != 100":         {60: 0, 120: 1, 180: 0},
		"CEIL(r / 60) + FLOOR(r / 60)":       {60: 3, 120: 1, 180: 0},
		"(r == 100) || (r <= 0)":             {60: 1, 120: 0, 180: 1},
		"r < 100 && r > 0":                   {60: 0, 120: 1, 180: 0},
		"r * (1 - 0.5)":                      {60: 50, 120: 25, 180: 0},
	} {
		parsed, err := parseExpression(text)
		if assert.NoError(t, err, text) {
			assert.InDeltaMapValues(t, want, parsed.root(env).at, 1e-9, text)
		}
	}
	for text, problem := range map[string]string{
		"":                          "expected a number",
		"e +":                       "expected a number",
		"(e":                        "expected )",
		"e r":                       "expected the end",
		"SUM(e)":                    "expected [",
		"ANOMALY_DETECTION_BAND(e)": "the sandbox does not imitate the function ANOMALY_DETECTION_BAND",
	} {
		_, err := parseExpression(text)
		assert.ErrorContains(t, err, problem, text)
	}
}

func TestPercentilesAreTheLeastValueThatSoManySamplesDoNotExceed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0.001, 100), 1, 200).Draw(t, "values")
		p := rapid.Float64Range(0.1, 100).Draw(t, "p")
		var all samples
		for _, v := range values {
			all = all.add(measured(v))
		}
		got := all.percentile(p)
		var below, upTo int
		for _, v := range values {
			if v < got {
				below++
			}
			if v <= got {
				upTo++
			}
		}
		wanted := float64(len(values)) * p / 100
		assert.GreaterOrEqual(t, float64(upTo)+1e-9, wanted)
		assert.Less(t, float64(below), wanted+1e-9)
	})
}
