package cloudwatch

import (
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// datum is what one period of an alarm's evaluation range says.
type datum int

const (
	missing datum = iota
	within        // the threshold
	breaching
)

// How an alarm treats missing data.
const (
	treatMissing      = "missing"
	treatIgnore       = "ignore"
	treatBreaching    = "breaching"
	treatNotBreaching = "notBreaching"
)

// beyond is how many periods more than its evaluation periods an alarm looks back, for data that stands in for missing data.
// AWS documents an evaluation range of 5 for 3 evaluation periods and leaves the rule open.
const beyond = 2

// judge returns an alarm's next state. data is its evaluation range, oldest first; of its newest existing data points, as
// many as periods are evaluated, and breaching ones that number at least toAlarm raise the alarm. An empty state keeps the
// present one.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
func judge(data []datum, periods, toAlarm int, treat string) types.StateValue {
	var existing, bad int
	oldest := 0 // how far back the oldest breaching one of those lies, 1 for the newest period
	for i := len(data) - 1; i >= 0 && existing < periods; i-- {
		switch data[i] {
		case breaching:
			bad++
			oldest = len(data) - i
			existing++
		case within:
			existing++
		}
	}
	filled := periods - existing
	if treat == treatBreaching {
		bad += filled
	}
	switch {
	case bad >= toAlarm:
		return types.StateValueAlarm
	case filled == 0 || treat == treatBreaching || treat == treatNotBreaching || existing > bad:
		return types.StateValueOk
	case treat == treatMissing && oldest >= toAlarm:
		// Too few data points, all of them breaching, and the oldest is so old that the alarm no longer waits for more.
		return types.StateValueAlarm
	case treat == treatMissing:
		return types.StateValueInsufficientData
	default:
		return ""
	}
}
