package operator

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"github.com/penguinshop/delivery/shiftfn/controller"
	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// record is a line of the function's log, of the two kinds that an operator asks for: a tick, and the end of a shift.
type record struct {
	Time    time.Time        `json:"time"`
	Kind    string           `json:"msg"`
	Phase   rollout.Phase    `json:"phase"`
	Verdict string           `json:"verdict"`
	Reason  string           `json:"reason"`
	Outcome rollout.Outcome  `json:"outcome"`
	Event   controller.Event `json:"event"`
	Message string           `json:"message"`
}

// The kinds of records, by the messages that the function logs.
const (
	recordTick  = "tick"
	recordEnded = "shift ended"
)

// How far a reading of the log goes.
const (
	// recently is for how long a tick counts as the last one: the function looks every few seconds, and a log line takes some to appear.
	recently = 2 * time.Minute
	// logPages bounds one reading; a page without events is no end.
	logPages = 20
)

// lastTick is the newest tick of the function, nil when there was none recently.
func (d *Delivery) lastTick(ctx context.Context, e Environment, now time.Time) (*record, error) {
	return d.lastRecord(ctx, e, recordTick, now.Add(-recently), time.Time{})
}

// lastRecord is the newest record of a kind from a moment on.
func (d *Delivery) lastRecord(ctx context.Context, e Environment, kind string, from, until time.Time) (*record, error) {
	if e.LogGroup == "" {
		return nil, errors.New("the function names no log group")
	}
	in := &cloudwatchlogs.FilterLogEventsInput{LogGroupName: aws.String(e.LogGroup), StartTime: aws.Int64(from.UnixMilli()), FilterPattern: aws.String(`"` + kind + `"`)}
	if !until.IsZero() {
		in.EndTime = aws.Int64(until.UnixMilli())
	}
	var newest *record
	for range logPages {
		out, err := d.Clients.World.Logs.FilterLogEvents(ctx, in)
		if err != nil {
			return newest, err
		}
		for _, event := range out.Events {
			var r record
			if json.Unmarshal([]byte(aws.ToString(event.Message)), &r) == nil && r.Kind == kind && (newest == nil || r.Time.After(newest.Time)) {
				newest = &r
			}
		}
		if aws.ToString(out.NextToken) == "" {
			break
		}
		in.NextToken = out.NextToken
	}
	return newest, nil
}
