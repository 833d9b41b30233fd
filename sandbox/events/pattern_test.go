package events_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/events"
)

const alarm = `{
	"version": "0", "id": "1", "detail-type": "CloudWatch Alarm State Change", "source": "aws.cloudwatch", "account": "123456789012",
	"time": "2026-11-25T12:00:00Z", "region": "eu-central-1", "resources": ["arn:aws:cloudwatch:eu-central-1:123456789012:alarm:dev-errors"],
	"detail": {
		"alarmName": "dev-errors", "state": {"value": "ALARM", "count": 5, "ratio": 1.50}, "ip": "10.0.1.7", "empty": [], "nothing": null,
		"containers": [{"name": "app", "exitCode": 1}, {"name": "log", "exitCode": 0}], "tags": ["blue", "live"], "ok": false
	}
}`

func TestWhatPatternsMatch(t *testing.T) {
	cases := map[string]struct {
		pattern string
		want    bool
	}{
		"a source":                          {`{"source": ["aws.cloudwatch"]}`, true},
		"one of several sources":            {`{"source": ["aws.ecs", "aws.cloudwatch"]}`, true},
		"another source":                    {`{"source": ["aws.ecs"]}`, false},
		"all fields together":               {`{"source": ["aws.cloudwatch"], "detail": {"state": {"value": ["OK"]}}}`, false},
		"the guard's pattern":               {`{"source":["aws.cloudwatch"],"detail-type":["CloudWatch Alarm State Change"],"resources":["arn:aws:cloudwatch:eu-central-1:123456789012:alarm:dev-errors"],"detail":{"state":{"value":["ALARM"]}}}`, true},
		"an element of an array":            {`{"detail": {"tags": ["live"]}}`, true},
		"no element of an array":            {`{"detail": {"tags": ["green"]}}`, false},
		"false and null":                    {`{"detail": {"ok": [false], "nothing": [null]}}`, true},
		"null is not absent":                {`{"detail": {"none": [null]}}`, false},
		"a number by its value":             {`{"detail": {"state": {"ratio": [1.5]}}}`, true},
		"a number is no text":               {`{"detail": {"state": {"count": ["5"]}}}`, false},
		"prefix":                            {`{"detail": {"alarmName": [{"prefix": "dev-"}]}}`, true},
		"prefix of another":                 {`{"detail": {"alarmName": [{"prefix": "prod-"}]}}`, false},
		"prefix whatever the case":          {`{"detail": {"alarmName": [{"prefix": {"equals-ignore-case": "DEV-"}}]}}`, true},
		"suffix":                            {`{"detail": {"alarmName": [{"suffix": "-errors"}]}}`, true},
		"suffix whatever the case":          {`{"detail": {"alarmName": [{"suffix": {"equals-ignore-case": "-ERRORS"}}]}}`, true},
		"equals whatever the case":          {`{"detail": {"alarmName": [{"equals-ignore-case": "DEV-Errors"}]}}`, true},
		"wildcard":                          {`{"resources": [{"wildcard": "arn:aws:cloudwatch:*:alarm:*-errors"}]}`, true},
		"wildcard that ends early":          {`{"resources": [{"wildcard": "arn:*:alarm:dev"}]}`, false},
		"wildcard without a star":           {`{"detail": {"alarmName": [{"wildcard": "dev-errors"}]}}`, true},
		"wildcard with an escaped star":     {`{"detail": {"alarmName": [{"wildcard": "dev\\*errors"}]}}`, false},
		"wildcard whose ends overlap":       {`{"detail": {"state": {"value": [{"wildcard": "ALAR*ARM"}]}}}`, false},
		"anything but a value":              {`{"detail": {"state": {"value": [{"anything-but": "OK"}]}}}`, true},
		"anything but its value":            {`{"detail": {"state": {"value": [{"anything-but": "ALARM"}]}}}`, false},
		"anything but a list":               {`{"detail": {"state": {"value": [{"anything-but": ["ALARM", "OK"]}]}}}`, false},
		"anything but numbers":              {`{"detail": {"state": {"count": [{"anything-but": [4, 6]}]}}}`, true},
		"anything but a prefix":             {`{"detail": {"alarmName": [{"anything-but": {"prefix": "dev"}}]}}`, false},
		"anything but a list of suffixes":   {`{"detail": {"alarmName": [{"anything-but": {"suffix": ["-slow", "-full"]}}]}}`, true},
		"anything but a wildcard":           {`{"detail": {"alarmName": [{"anything-but": {"wildcard": "dev-*"}}]}}`, false},
		"anything but needs the field":      {`{"detail": {"none": [{"anything-but": "x"}]}}`, false},
		"exists":                            {`{"detail": {"alarmName": [{"exists": true}]}}`, true},
		"exists in an empty array":          {`{"detail": {"empty": [{"exists": true}]}}`, true},
		"exists only on leaves":             {`{"detail": {"state": [{"exists": true}]}}`, false},
		"does not exist":                    {`{"detail": {"none": [{"exists": false}]}}`, true},
		"does not exist, below what is not": {`{"detail": {"none": {"deeper": [{"exists": false}]}}}`, true},
		"does not exist, and does":          {`{"detail": {"alarmName": [{"exists": false}]}}`, false},
		"a range of numbers":                {`{"detail": {"state": {"count": [{"numeric": [">", 4, "<=", 5]}]}}}`, true},
		"beyond a range":                    {`{"detail": {"state": {"count": [{"numeric": [">", 5]}]}}}`, false},
		"a number that equals":              {`{"detail": {"state": {"ratio": [{"numeric": ["=", 15e-1]}]}}}`, true},
		"no number":                         {`{"detail": {"alarmName": [{"numeric": [">", 0]}]}}`, false},
		"an address in a block":             {`{"detail": {"ip": [{"cidr": "10.0.0.0/16"}]}}`, true},
		"an address outside a block":        {`{"detail": {"ip": [{"cidr": "10.1.0.0/16"}]}}`, false},
		"an object of an array":             {`{"detail": {"containers": {"name": ["app"], "exitCode": [1]}}}`, true},
		"fields of two objects of an array": {`{"detail": {"containers": {"name": ["app"], "exitCode": [0]}}}`, false},
		"either field":                      {`{"detail": {"$or": [{"state": {"value": ["OK"]}}, {"alarmName": [{"prefix": "dev"}]}]}}`, true},
		"neither field":                     {`{"$or": [{"source": ["aws.ecs"]}, {"region": ["us-east-1"]}]}`, false},
		"either field and another one":      {`{"$or": [{"source": ["aws.cloudwatch"]}, {"region": ["x"]}], "account": ["0"]}`, false},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			pattern, err := events.ParsePattern(test.pattern)
			require.NoError(t, err)
			assert.Equal(t, test.want, pattern.Matches([]byte(alarm)))
		})
	}
}

func TestPatternsThatAreRefusedNameThePlace(t *testing.T) {
	for pattern, place := range map[string]string{
		``:                                 "not a JSON object",
		`[]`:                               "not a JSON object",
		`{}`:                               "empty",
		`{"source": ["a"]} {}`:             "follows",
		`{"source": "aws.ecs"}`:            ".source: a value stands in an array",
		`{"source": []}`:                   ".source: the array is empty",
		`{"detail": {}}`:                   ".detail: the object is empty",
		`{"detail": {"a": [["b"]]}}`:       ".detail.a[0]: arrays do not nest",
		`{"detail": {"a": [1, {"x": 1}]}}`: `.detail.a[1]: "x" is no operator`,
		`{"a": [{"prefix": "b", "suffix": "c"}]}`:     ".a[0]: an operator stands alone",
		`{"a": [{"prefix": 1}]}`:                      "prefix takes text",
		`{"a": [{"exists": "yes"}]}`:                  "exists is true or false",
		`{"a": [{"numeric": [">"]}]}`:                 "numeric is a list",
		`{"a": [{"numeric": ["~", 1]}]}`:              "is no comparison",
		`{"a": [{"cidr": "10.0.0.0"}]}`:               "cidr is a block",
		`{"a": [{"wildcard": "a**b"}]}`:               "two asterisks",
		`{"a": [{"anything-but": {"exists": true}}]}`: "anything-but takes prefix",
		`{"a": [{"anything-but": []}]}`:               "anything-but takes a value",
		`{"$or": [{"a": [1]}]}`:                       ".$or: it is an array of two or more",
		`{"a": "x", "b": "y"}`:                        ".b: a value stands in an array",
	} {
		_, err := events.ParsePattern(pattern)
		assert.ErrorContains(t, err, place, pattern)
	}
}

func FuzzPattern(f *testing.F) {
	for _, seed := range []string{
		`{"source": ["aws.cloudwatch"]}`, `{"detail": {"a": [{"numeric": [">", 1e99]}], "$or": [{"b": [{"wildcard": "*a\\**"}]}, {"c": [{"exists": false}]}]}}`,
		`{"a": [{"anything-but": {"suffix": ["x", "y"]}}, {"cidr": "::/0"}, null, 1.0, true]}`,
	} {
		f.Add(seed, alarm)
	}
	f.Fuzz(func(t *testing.T, text, event string) {
		if pattern, err := events.ParsePattern(text); err == nil {
			assert.Equal(t, pattern.Matches([]byte(event)), pattern.Matches([]byte(event)))
		}
	})
}
