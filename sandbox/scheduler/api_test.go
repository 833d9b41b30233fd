package scheduler_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/journal"
	local "github.com/penguinshop/delivery/sandbox/scheduler"
	"github.com/penguinshop/delivery/tests/moto"
)

// api is what the SDK's client and the sandbox's service both do.
type api interface {
	CreateScheduleGroup(context.Context, *scheduler.CreateScheduleGroupInput, ...func(*scheduler.Options)) (*scheduler.CreateScheduleGroupOutput, error)
	DeleteScheduleGroup(context.Context, *scheduler.DeleteScheduleGroupInput, ...func(*scheduler.Options)) (*scheduler.DeleteScheduleGroupOutput, error)
	CreateSchedule(context.Context, *scheduler.CreateScheduleInput, ...func(*scheduler.Options)) (*scheduler.CreateScheduleOutput, error)
	GetSchedule(context.Context, *scheduler.GetScheduleInput, ...func(*scheduler.Options)) (*scheduler.GetScheduleOutput, error)
	UpdateSchedule(context.Context, *scheduler.UpdateScheduleInput, ...func(*scheduler.Options)) (*scheduler.UpdateScheduleOutput, error)
	DeleteSchedule(context.Context, *scheduler.DeleteScheduleInput, ...func(*scheduler.Options)) (*scheduler.DeleteScheduleOutput, error)
	ListSchedules(context.Context, *scheduler.ListSchedulesInput, ...func(*scheduler.Options)) (*scheduler.ListSchedulesOutput, error)
}

// TestTheAPIDoesAsMotoDoes holds the sandbox and moto to the same expectations. Moto invokes nothing.
func TestTheAPIDoesAsMotoDoes(t *testing.T) {
	t.Run("sandbox", func(t *testing.T) {
		clock := clockwork.NewFakeClockAt(time.Now())
		s := local.New(local.Options{Region: "eu-central-1", Account: "123456789012", Clock: clock, Journal: journal.New(clock), Invoke: (&calls{}).invoke})
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		schedulesLive(t, s)
	})
	t.Run("moto", func(t *testing.T) { schedulesLive(t, scheduler.NewFromConfig(moto.Config(t))) })
}

func schedulesLive(t *testing.T, a api) {
	ctx := t.Context()
	_, err := a.CreateScheduleGroup(ctx, &scheduler.CreateScheduleGroupInput{Name: new("dev")})
	require.NoError(t, err)
	in := schedule(at(time.Now().Add(time.Hour)), deleted, func(in *scheduler.CreateScheduleInput) { in.GroupName = new("dev") })
	created, err := a.CreateSchedule(ctx, in)
	require.NoError(t, err)
	assert.Equal(t, "arn:aws:scheduler:eu-central-1:123456789012:schedule/dev/retire", *created.ScheduleArn)
	_, err = a.CreateSchedule(ctx, in)
	assert.ErrorAs(t, err, new(*types.ConflictException))

	get := func() *scheduler.GetScheduleOutput {
		out, err := a.GetSchedule(ctx, &scheduler.GetScheduleInput{Name: new("retire"), GroupName: new("dev")})
		require.NoError(t, err)
		return out
	}
	got := get()
	assert.Equal(t, *in.ScheduleExpression, *got.ScheduleExpression)
	assert.Equal(t, "UTC", *got.ScheduleExpressionTimezone)
	assert.Equal(t, types.ScheduleStateEnabled, got.State)
	assert.Equal(t, types.ActionAfterCompletionDelete, got.ActionAfterCompletion)
	assert.Equal(t, `{"command":"retire"}`, *got.Target.Input)
	assert.Equal(t, int32(185), *got.Target.RetryPolicy.MaximumRetryAttempts)
	assert.Equal(t, int32(86400), *got.Target.RetryPolicy.MaximumEventAgeInSeconds)

	later := at(time.Now().Add(2 * time.Hour))
	_, err = a.UpdateSchedule(ctx, &scheduler.UpdateScheduleInput{
		Name: in.Name, GroupName: in.GroupName, ScheduleExpression: later, FlexibleTimeWindow: in.FlexibleTimeWindow, Target: in.Target,
		State: types.ScheduleStateDisabled,
	})
	require.NoError(t, err)
	assert.Equal(t, *later, *get().ScheduleExpression)
	assert.Equal(t, types.ScheduleStateDisabled, get().State)

	_, err = a.CreateSchedule(ctx, schedule(new("rate(1 hour)")))
	require.NoError(t, err)
	listed, err := a.ListSchedules(ctx, &scheduler.ListSchedulesInput{GroupName: new("dev")})
	require.NoError(t, err)
	require.Len(t, listed.Schedules, 1)
	assert.Equal(t, function, *listed.Schedules[0].Target.Arn)

	_, err = a.DeleteSchedule(ctx, &scheduler.DeleteScheduleInput{Name: new("retire"), GroupName: new("dev")})
	require.NoError(t, err)
	_, err = a.GetSchedule(ctx, &scheduler.GetScheduleInput{Name: new("retire"), GroupName: new("dev")})
	assert.ErrorAs(t, err, new(*types.ResourceNotFoundException))
	_, err = a.DeleteSchedule(ctx, &scheduler.DeleteScheduleInput{Name: new("retire"), GroupName: new("dev")})
	assert.ErrorAs(t, err, new(*types.ResourceNotFoundException))
	_, err = a.DeleteScheduleGroup(ctx, &scheduler.DeleteScheduleGroupInput{Name: new("dev")})
	require.NoError(t, err)
}
