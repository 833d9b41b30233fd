package adapter

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/smithy-go"

	"github.com/penguinshop/delivery/shiftfn/controller"
	"github.com/penguinshop/delivery/shiftfn/settings"
)

// wakeUps is how often the schedule of an overdue lease that repeats calls.
const wakeUps = "rate(5 minutes)"

// Leases keeps a lease of the environment in a schedule. It implements controller.Leases.
type Leases struct {
	Settings  settings.Settings
	Scheduler Scheduler
	// Schedule is the schedule's name.
	Schedule string
	Now      func() time.Time
	Log      *slog.Logger
}

var _ controller.Leases = (*Leases)(nil)

// Read returns the kept lease. An input that is no lease counts as none: the world, not the lease, says where traffic is.
func (l *Leases) Read(ctx context.Context) (controller.Lease, error) {
	out, err := l.Scheduler.GetSchedule(ctx, &scheduler.GetScheduleInput{GroupName: aws.String(l.Settings.ScheduleGroup), Name: aws.String(l.Schedule)})
	if missing(err) {
		return controller.Lease{}, controller.ErrNoLease
	}
	if err != nil {
		return controller.Lease{}, err
	}
	input := ""
	if out.Target != nil {
		input = aws.ToString(out.Target.Input)
	}
	lease, err := controller.ParseLease([]byte(input))
	if err != nil {
		l.Log.Warn("the schedule does not hold a lease and is overwritten", "group", l.Settings.ScheduleGroup, "schedule", l.Schedule, "error", err)
		return controller.Lease{}, controller.ErrNoLease
	}
	return lease, nil
}

// Write replaces the lease and sets the schedule to its time.
func (l *Leases) Write(ctx context.Context, lease controller.Lease) error {
	due := lease.Due
	if soonest := l.Now().Add(time.Minute); due.Before(soonest) {
		due = soonest // the scheduler refuses the past
	}
	due = due.Add(time.Second - 1).UTC().Truncate(time.Second) // it knows whole seconds, and must not come early
	update := scheduler.UpdateScheduleInput{
		GroupName: aws.String(l.Settings.ScheduleGroup), Name: aws.String(l.Schedule),
		ScheduleExpression: aws.String("at(" + due.Format("2006-01-02T15:04:05") + ")"), ScheduleExpressionTimezone: aws.String("UTC"),
		FlexibleTimeWindow:    &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff},
		ActionAfterCompletion: types.ActionAfterCompletionNone, // the lease outlives its wake-up
		State:                 types.ScheduleStateEnabled,
		Target: &types.Target{
			Arn: aws.String(l.Settings.Function), RoleArn: aws.String(l.Settings.ScheduleRole), Input: aws.String(lease.String()),
			RetryPolicy: &types.RetryPolicy{MaximumEventAgeInSeconds: aws.Int32(3600), MaximumRetryAttempts: aws.Int32(5)},
		},
	}
	switch {
	case lease.Repeats():
		update.ScheduleExpression, update.StartDate = aws.String(wakeUps), aws.Time(due)
	case lease.Kind == controller.LeaseEnded:
		update.State = types.ScheduleStateDisabled
	}
	_, err := l.Scheduler.UpdateSchedule(ctx, &update)
	if missing(err) {
		_, err = l.Scheduler.CreateSchedule(ctx, &scheduler.CreateScheduleInput{
			GroupName: update.GroupName, Name: update.Name, ScheduleExpression: update.ScheduleExpression,
			ScheduleExpressionTimezone: update.ScheduleExpressionTimezone, FlexibleTimeWindow: update.FlexibleTimeWindow, StartDate: update.StartDate,
			ActionAfterCompletion: update.ActionAfterCompletion, State: update.State, Target: update.Target,
		})
	}
	return err
}

// missing recognises the answer that there is no such schedule.
func missing(err error) bool { return is(err, &types.ResourceNotFoundException{}) }

// is tells an API's error by its code, which reaches a caller from a sandbox too, where the SDK's own type does not.
func is(err error, known smithy.APIError) bool {
	api := smithy.APIError(nil)
	return errors.As(err, &api) && api.ErrorCode() == known.ErrorCode()
}
