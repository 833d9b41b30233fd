package scheduler_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/smithy-go"
	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/sandbox/journal"
	local "github.com/penguinshop/delivery/sandbox/scheduler"
)

const function = "arn:aws:lambda:eu-central-1:123456789012:function:shift"

// calls are the invocations that a target has taken; while it refuses, it takes none.
type calls struct {
	mu      sync.Mutex
	taken   []string
	at      []time.Time
	tries   int
	refuses error
}

func (c *calls) invoke(_ context.Context, _, arn string, payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tries++
	if c.refuses != nil {
		return c.refuses
	}
	if arn != function {
		return fmt.Errorf("invoked %s", arn)
	}
	c.taken, c.at = append(c.taken, string(payload)), append(c.at, time.Now())
	return nil
}

func (c *calls) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.taken)
}

func (c *calls) refuse(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuses = err
}

// pass lets time pass, and all that happens in it.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// within runs a test in a bubble, where the machine's clock is a manual one.
func within(t *testing.T, test func(t *testing.T, s *local.Service, c *calls)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		clock, c := clockwork.NewRealClock(), &calls{}
		s := local.New(local.Options{Region: "eu-central-1", Account: "123456789012", Clock: clock, Journal: journal.New(clock), Invoke: c.invoke})
		defer func() { require.NoError(t, s.Close()) }()
		test(t, s, c)
	})
}

func at(from time.Time) *string { return new("at(" + from.UTC().Format("2006-01-02T15:04:05") + ")") }

func schedule(expression *string, change ...func(*scheduler.CreateScheduleInput)) *scheduler.CreateScheduleInput {
	in := &scheduler.CreateScheduleInput{
		Name: new("retire"), ScheduleExpression: expression, FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff},
		Target: &types.Target{Arn: new(function), RoleArn: new("arn:aws:iam::123456789012:role/caller"), Input: new(`{"command":"retire"}`)},
	}
	for _, c := range change {
		c(in)
	}
	return in
}

func create(t *testing.T, s *local.Service, in *scheduler.CreateScheduleInput) {
	t.Helper()
	_, err := s.CreateSchedule(t.Context(), in)
	require.NoError(t, err)
}

func deleted(in *scheduler.CreateScheduleInput) {
	in.ActionAfterCompletion = types.ActionAfterCompletionDelete
}

func exists(t *testing.T, s *local.Service) bool {
	t.Helper()
	_, err := s.GetSchedule(t.Context(), &scheduler.GetScheduleInput{Name: new("retire")})
	if err != nil {
		require.ErrorAs(t, err, new(*types.ResourceNotFoundException))
	}
	return err == nil
}

func TestAOneTimeScheduleInvokesOnceAtItsTime(t *testing.T) {
	within(t, func(t *testing.T, s *local.Service, c *calls) {
		due := time.Now().Add(90 * time.Minute)
		create(t, s, schedule(at(due)))
		pass(89 * time.Minute)
		assert.Zero(t, c.count())
		pass(2 * time.Minute)
		require.Equal(t, 1, c.count())
		assert.Equal(t, due.Unix(), c.at[0].Unix())
		assert.Equal(t, `{"command":"retire"}`, c.taken[0])
		pass(48 * time.Hour)
		assert.Equal(t, 1, c.count())
		assert.True(t, exists(t, s), "it stays until somebody deletes it")
	})
}

func TestACompletedScheduleIsDeletedWhereAsked(t *testing.T) {
	within(t, func(t *testing.T, s *local.Service, c *calls) {
		create(t, s, schedule(at(time.Now().Add(time.Minute)), deleted))
		assert.True(t, exists(t, s))
		pass(2 * time.Minute)
		assert.Equal(t, 1, c.count())
		assert.False(t, exists(t, s))
	})
}

func TestAOneTimeScheduleThatIsLateInvokesAtOnce(t *testing.T) {
	within(t, func(t *testing.T, s *local.Service, c *calls) {
		create(t, s, schedule(at(time.Now().Add(-time.Hour))))
		synctest.Wait()
		assert.Equal(t, 1, c.count())
		pass(time.Hour)
		assert.Equal(t, 1, c.count())
	})
}

func TestAnUpdateMovesAScheduleAndForgetsWhatItDoesNotSay(t *testing.T) {
	within(t, func(t *testing.T, s *local.Service, c *calls) {
		create(t, s, schedule(at(time.Now().Add(time.Hour)), deleted, func(in *scheduler.CreateScheduleInput) { in.Description = new("first") }))
		in := schedule(at(time.Now().Add(3 * time.Hour)))
		_, err := s.UpdateSchedule(t.Context(), &scheduler.UpdateScheduleInput{
			Name: in.Name, ScheduleExpression: in.ScheduleExpression, FlexibleTimeWindow: in.FlexibleTimeWindow, Target: in.Target,
		})
		require.NoError(t, err)
		got, err := s.GetSchedule(t.Context(), &scheduler.GetScheduleInput{Name: new("retire")})
		require.NoError(t, err)
		assert.Nil(t, got.Description)
		assert.Equal(t, types.ActionAfterCompletionNone, got.ActionAfterCompletion)
		assert.Equal(t, int32(185), *got.Target.RetryPolicy.MaximumRetryAttempts)
		pass(2 * time.Hour)
		assert.Zero(t, c.count())
		pass(2 * time.Hour)
		assert.Equal(t, 1, c.count())
	})
}

func TestADeletedOrDisabledScheduleInvokesNothing(t *testing.T) {
	within(t, func(t *testing.T, s *local.Service, c *calls) {
		create(t, s, schedule(at(time.Now().Add(time.Hour))))
		_, err := s.DeleteSchedule(t.Context(), &scheduler.DeleteScheduleInput{Name: new("retire")})
		require.NoError(t, err)
		create(t, s, schedule(at(time.Now().Add(time.Hour)), func(in *scheduler.CreateScheduleInput) { in.State = types.ScheduleStateDisabled }))
		pass(2 * time.Hour)
		assert.Zero(t, c.count())
		_, err = s.DeleteSchedule(t.Context(), &scheduler.DeleteScheduleInput{Name: new("none")})
		assert.ErrorAs(t, err, new(*types.ResourceNotFoundException))
	})
}

func TestARateBeginsAtOnceAndEndsAtItsEnd(t *testing.T) {
	within(t, func(t *testing.T, s *local.Service, c *calls) {
		create(t, s, schedule(new("rate(10 minutes)"), deleted, func(in *scheduler.CreateScheduleInput) { in.EndDate = new(time.Now().Add(35 * time.Minute)) }))
		synctest.Wait()
		assert.Equal(t, 1, c.count())
		pass(31 * time.Minute)
		assert.Equal(t, 4, c.count())
		pass(time.Hour)
		assert.Equal(t, 4, c.count())
		assert.False(t, exists(t, s))
	})
}

func TestACalendarInvokesInItsTimeZone(t *testing.T) {
	within(t, func(t *testing.T, s *local.Service, c *calls) {
		create(t, s, schedule(new("cron(0 20 ? * * *)"), func(in *scheduler.CreateScheduleInput) { in.ScheduleExpressionTimezone = new("Europe/Berlin") }))
		pass(72 * time.Hour)
		require.Equal(t, 3, c.count())
		assert.Equal(t, "19:00", c.at[0].UTC().Format("15:04"))
	})
}

func TestAFlexibleWindowInvokesWithinIt(t *testing.T) {
	within(t, func(t *testing.T, s *local.Service, c *calls) {
		due := time.Now().Add(time.Hour).Truncate(time.Second)
		create(t, s, schedule(at(due), func(in *scheduler.CreateScheduleInput) {
			in.FlexibleTimeWindow = &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeFlexible, MaximumWindowInMinutes: new(int32(15))}
		}))
		pass(2 * time.Hour)
		require.Equal(t, 1, c.count())
		assert.GreaterOrEqual(t, c.at[0].Sub(due), time.Duration(0))
		assert.Less(t, c.at[0].Sub(due), 15*time.Minute)
	})
}

func TestATargetThatRefusesIsTriedAgainWithinItsPolicy(t *testing.T) {
	within(t, func(t *testing.T, s *local.Service, c *calls) {
		c.refuse(errors.New("throttled"))
		create(t, s, schedule(at(time.Now().Add(time.Minute)), func(in *scheduler.CreateScheduleInput) {
			in.Target.RetryPolicy = &types.RetryPolicy{MaximumRetryAttempts: new(int32(2)), MaximumEventAgeInSeconds: new(int32(3600))}
		}))
		pass(2 * time.Hour)
		assert.Equal(t, 3, c.tries)
	})
}

func TestWithoutAnInputTheTargetGetsAnEvent(t *testing.T) {
	within(t, func(t *testing.T, s *local.Service, c *calls) {
		create(t, s, schedule(at(time.Now()), func(in *scheduler.CreateScheduleInput) { in.Target.Input = nil }))
		synctest.Wait()
		require.Equal(t, 1, c.count())
		var event map[string]any
		require.NoError(t, json.Unmarshal([]byte(c.taken[0]), &event))
		assert.Equal(t, "aws.scheduler", event["source"])
		assert.Equal(t, []any{"arn:aws:scheduler:eu-central-1:123456789012:schedule/default/retire"}, event["resources"])
	})
}

func TestContextAttributesAreFilledIn(t *testing.T) {
	within(t, func(t *testing.T, s *local.Service, c *calls) {
		due := time.Now().Add(time.Minute)
		create(t, s, schedule(at(due), func(in *scheduler.CreateScheduleInput) {
			in.Target.Input = new(`{"at":"<aws.scheduler.scheduled-time>","by":"<aws.scheduler.schedule-arn>"}`)
		}))
		pass(2 * time.Minute)
		require.Equal(t, 1, c.count())
		assert.JSONEq(t, fmt.Sprintf(`{"at":%q,"by":"arn:aws:scheduler:eu-central-1:123456789012:schedule/default/retire"}`,
			due.UTC().Truncate(time.Second).Format(time.RFC3339)), c.taken[0])
	})
}

func TestWhatAWSRefusesIsRefused(t *testing.T) {
	within(t, func(t *testing.T, s *local.Service, _ *calls) {
		create(t, s, schedule(new("rate(1 hour)")))
		cases := map[string]struct {
			change func(*scheduler.CreateScheduleInput)
			code   string
		}{
			"a name that is taken":      {func(in *scheduler.CreateScheduleInput) {}, "ConflictException"},
			"a group that is not there": {func(in *scheduler.CreateScheduleInput) { in.GroupName = new("none") }, "ResourceNotFoundException"},
			"a malformed name":          {func(in *scheduler.CreateScheduleInput) { in.Name = new("a b") }, "ValidationException"},
			"a malformed expression":    {func(in *scheduler.CreateScheduleInput) { in.Name, in.ScheduleExpression = new("x"), new("soon") }, "ValidationException"},
			"no target":                 {func(in *scheduler.CreateScheduleInput) { in.Name, in.Target = new("x"), nil }, "ValidationException"},
			"no role":                   {func(in *scheduler.CreateScheduleInput) { in.Name, in.Target.RoleArn = new("x"), nil }, "ValidationException"},
			"no window":                 {func(in *scheduler.CreateScheduleInput) { in.Name, in.FlexibleTimeWindow = new("x"), nil }, "ValidationException"},
			"a flexible window without": {func(in *scheduler.CreateScheduleInput) { in.Name, in.FlexibleTimeWindow.Mode = new("x"), "FLEXIBLE" }, "ValidationException"},
			"a start long ago": {func(in *scheduler.CreateScheduleInput) {
				in.Name, in.StartDate = new("x"), new(time.Now().Add(-time.Hour))
			}, "ValidationException"},
			"an universal target": {func(in *scheduler.CreateScheduleInput) {
				in.Name, in.Target.Arn = new("x"), new("arn:aws:scheduler:::aws-sdk:sqs:sendMessage")
			}, "ValidationException"},
			"what the sandbox has not": {func(in *scheduler.CreateScheduleInput) {
				in.Name, in.Target.SqsParameters = new("x"), &types.SqsParameters{MessageGroupId: new("a")}
			}, "ValidationException"},
			"too many retries": {func(in *scheduler.CreateScheduleInput) {
				in.Name, in.Target.RetryPolicy = new("x"), &types.RetryPolicy{MaximumRetryAttempts: new(int32(186))}
			}, "ValidationException"},
		}
		for name, test := range cases {
			_, err := s.CreateSchedule(t.Context(), schedule(new("rate(1 hour)"), test.change))
			var api smithy.APIError
			require.ErrorAs(t, err, &api, name)
			assert.Equal(t, test.code, api.ErrorCode(), name)
		}
	})
}

func TestSchedulesAreListedByGroupNameAndState(t *testing.T) {
	within(t, func(t *testing.T, s *local.Service, _ *calls) {
		_, err := s.CreateScheduleGroup(t.Context(), &scheduler.CreateScheduleGroupInput{Name: new("dev")})
		require.NoError(t, err)
		_, err = s.CreateScheduleGroup(t.Context(), &scheduler.CreateScheduleGroupInput{Name: new("dev")})
		assert.ErrorAs(t, err, new(*types.ConflictException))
		for _, name := range []string{"b", "a", "c"} {
			create(t, s, schedule(new("rate(1 hour)"), func(in *scheduler.CreateScheduleInput) { in.Name, in.GroupName = &name, new("dev") }))
		}
		create(t, s, schedule(new("rate(1 hour)")))
		list := func(in *scheduler.ListSchedulesInput) (names []string, next *string) {
			out, err := s.ListSchedules(t.Context(), in)
			require.NoError(t, err)
			for _, found := range out.Schedules {
				names = append(names, *found.Name)
			}
			return names, out.NextToken
		}
		all, _ := list(&scheduler.ListSchedulesInput{})
		assert.Equal(t, []string{"retire", "a", "b", "c"}, all)
		page, next := list(&scheduler.ListSchedulesInput{GroupName: new("dev"), MaxResults: new(int32(2))})
		assert.Equal(t, []string{"a", "b"}, page)
		page, next = list(&scheduler.ListSchedulesInput{GroupName: new("dev"), MaxResults: new(int32(2)), NextToken: next})
		assert.Equal(t, []string{"c"}, page)
		assert.Nil(t, next)
		_, err = s.DeleteScheduleGroup(t.Context(), &scheduler.DeleteScheduleGroupInput{Name: new("dev")})
		require.NoError(t, err)
		all, _ = list(&scheduler.ListSchedulesInput{})
		assert.Equal(t, []string{"retire"}, all)
		_, err = s.DeleteScheduleGroup(t.Context(), &scheduler.DeleteScheduleGroupInput{Name: new("default")})
		assert.ErrorAs(t, err, new(*types.ValidationException))
	})
}

func TestCloseEndsRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock, c := clockwork.NewRealClock(), &calls{refuses: errors.New("busy")}
		s := local.New(local.Options{Clock: clock, Journal: journal.New(clock), Invoke: c.invoke})
		create(t, s, schedule(at(time.Now())))
		pass(time.Minute)
		require.NoError(t, s.Close())
		tries := c.tries
		pass(time.Hour)
		assert.Equal(t, tries, c.tries)
	})
}

func TestDeclaredGroupsAndSchedules(t *testing.T) {
	within(t, func(t *testing.T, s *local.Service, c *calls) {
		group := graph.Resource{URN: "urn:pulumi:dev::penguinshop::aws:scheduler/scheduleGroup:ScheduleGroup::g", Type: "aws:scheduler/scheduleGroup:ScheduleGroup",
			Outputs: map[string]any{"name": "g-1234567"}}
		declare := func(expression string) graph.Resource {
			inputs := map[string]any{
				"name": "night", "groupName": "g-1234567", "scheduleExpression": expression, "flexibleTimeWindow": map[string]any{"mode": "OFF"},
				"target": map[string]any{"arn": function, "roleArn": "arn:aws:iam::123456789012:role/caller", "input": "{}",
					"retryPolicy": map[string]any{"maximumRetryAttempts": 0}},
			}
			return graph.Resource{URN: "urn:pulumi:dev::penguinshop::aws:scheduler/schedule:Schedule::night", Type: "aws:scheduler/schedule:Schedule", Inputs: inputs, Outputs: inputs}
		}
		groups, schedules := s.Providers()["aws:scheduler/scheduleGroup:ScheduleGroup"], s.Providers()["aws:scheduler/schedule:Schedule"]
		require.NoError(t, groups.Create(t.Context(), group))
		require.NoError(t, schedules.Create(t.Context(), declare("cron(0 20 ? * * *)")))
		require.NoError(t, schedules.Update(t.Context(), declare("cron(0 20 ? * * *)"), declare("rate(1 hour)")))
		pass(150 * time.Minute)
		assert.Equal(t, 3, c.count())
		require.NoError(t, schedules.Delete(t.Context(), declare("rate(1 hour)")))
		require.NoError(t, groups.Delete(t.Context(), group))
		assert.Error(t, groups.Delete(t.Context(), group))
	})
}
