package events_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"
	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/events"
	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/sandbox/journal"
	"github.com/penguinshop/delivery/sandbox/target"
)

const (
	function = "arn:aws:lambda:eu-central-1:123456789012:function:shift"
	ruleARN  = "arn:aws:events:eu-central-1:123456789012:rule/alarms"
)

// calls are the invocations that a target has taken; while it refuses, it takes none.
type calls struct {
	mu      sync.Mutex
	taken   []string
	sources []string
	tries   int
	refuses error
}

func (c *calls) invoke(_ context.Context, source, arn string, payload []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tries++
	if c.refuses != nil {
		return c.refuses
	}
	if arn != function {
		return target.ErrNotFound
	}
	c.taken, c.sources = append(c.taken, string(payload)), append(c.sources, source)
	return nil
}

func (c *calls) got() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.taken)
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
func within(t *testing.T, test func(t *testing.T, s *events.Service, c *calls)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		clock, c := clockwork.NewRealClock(), &calls{}
		s := events.New(events.Options{Region: "eu-central-1", Account: "123456789012", Clock: clock, Journal: journal.New(clock), Invoke: c.invoke})
		defer func() { require.NoError(t, s.Close()) }()
		test(t, s, c)
	})
}

func rule(t *testing.T, s *events.Service, change ...func(*eventbridge.PutRuleInput)) {
	t.Helper()
	in := &eventbridge.PutRuleInput{Name: new("alarms"), EventPattern: new(`{"source": ["penguinshop.shift", "aws.cloudwatch"]}`)}
	for _, c := range change {
		c(in)
	}
	_, err := s.PutRule(t.Context(), in)
	require.NoError(t, err)
}

func targets(t *testing.T, s *events.Service, all ...types.Target) {
	t.Helper()
	_, err := s.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: new("alarms"), Targets: all})
	require.NoError(t, err)
}

func put(t *testing.T, s *events.Service, entries ...types.PutEventsRequestEntry) *eventbridge.PutEventsOutput {
	t.Helper()
	out, err := s.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: entries})
	require.NoError(t, err)
	return out
}

func entry(source, detail string) types.PutEventsRequestEntry {
	return types.PutEventsRequestEntry{Source: &source, DetailType: new("Rolled back"), Detail: &detail, Resources: []string{"arn:x"}}
}

func TestAnEventReachesTheTargetsOfTheRulesThatMatchIt(t *testing.T) {
	within(t, func(t *testing.T, s *events.Service, c *calls) {
		rule(t, s)
		targets(t, s, types.Target{Id: new("function"), Arn: new(function)})
		out := put(t, s, entry("penguinshop.shift", `{"environment": "dev"}`), entry("another", `{}`))
		synctest.Wait()
		require.Len(t, c.got(), 1)
		var event events.Event
		require.NoError(t, json.Unmarshal([]byte(c.got()[0]), &event))
		assert.Equal(t, *out.Entries[0].EventId, event.ID)
		assert.Equal(t, "Rolled back", event.DetailType)
		assert.Equal(t, []string{"arn:x"}, event.Resources)
		assert.JSONEq(t, `{"environment": "dev"}`, string(event.Detail))
		assert.Equal(t, []string{ruleARN}, c.sources)
		assert.Len(t, s.Events(), 2, "both are remembered")
	})
}

func TestAWSsOwnEventsComeByEmitAlone(t *testing.T) {
	within(t, func(t *testing.T, s *events.Service, c *calls) {
		rule(t, s)
		targets(t, s, types.Target{Id: new("function"), Arn: new(function), InputPath: new("$.detail.state")})
		out := put(t, s, entry("aws.cloudwatch", `{}`))
		assert.Equal(t, "NotAuthorizedForSourceException", *out.Entries[0].ErrorCode)
		require.NoError(t, s.Emit("aws.cloudwatch", "CloudWatch Alarm State Change", []string{"arn:alarm"}, map[string]any{"state": map[string]any{"value": "ALARM"}}))
		synctest.Wait()
		assert.Equal(t, []string{`{"value":"ALARM"}`}, c.got())
		assert.Error(t, s.Emit("aws.cloudwatch", "x", nil, func() {}), "a detail that is no JSON")
	})
}

func TestAnEntryThatIsWrongFailsByItself(t *testing.T) {
	within(t, func(t *testing.T, s *events.Service, _ *calls) {
		out := put(t, s, entry("", `{}`), entry("a", ``), entry("a", `[1]`), entry("a", `{`), types.PutEventsRequestEntry{Source: new("a"), Detail: new("{}")}, entry("a", `{}`))
		assert.Equal(t, int32(5), out.FailedEntryCount)
		var codes []string
		for _, e := range out.Entries {
			if e.ErrorCode != nil {
				codes = append(codes, *e.ErrorCode)
			}
		}
		assert.Equal(t, []string{"InvalidArgument", "InvalidArgument", "MalformedDetail", "MalformedDetail", "InvalidArgument"}, codes)
		assert.NotNil(t, out.Entries[5].EventId)
		_, err := s.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: make([]types.PutEventsRequestEntry, 11)})
		assert.Error(t, err)
		_, err = s.PutEvents(t.Context(), &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{entry("a", `{"a":"`+strings.Repeat("x", 1<<20)+`"}`)}})
		assert.Error(t, err)
	})
}

func TestATargetThatRefusesIsTriedAgain(t *testing.T) {
	within(t, func(t *testing.T, s *events.Service, c *calls) {
		rule(t, s)
		targets(t, s, types.Target{Id: new("function"), Arn: new(function), RetryPolicy: &types.RetryPolicy{MaximumRetryAttempts: new(int32(3))}})
		c.refuse(errors.New("throttled"))
		put(t, s, entry("penguinshop.shift", `{}`))
		pass(time.Hour)
		assert.Equal(t, 4, c.tries)
		c.refuse(nil)
		put(t, s, entry("penguinshop.shift", `{}`))
		synctest.Wait()
		assert.Len(t, c.got(), 1)
	})
}

func TestADisabledRuleSendsNothing(t *testing.T) {
	within(t, func(t *testing.T, s *events.Service, c *calls) {
		rule(t, s)
		targets(t, s, types.Target{Id: new("function"), Arn: new(function), Input: new(`{"constant": true}`)})
		_, err := s.DisableRule(t.Context(), &eventbridge.DisableRuleInput{Name: new("alarms")})
		require.NoError(t, err)
		put(t, s, entry("penguinshop.shift", `{}`))
		synctest.Wait()
		assert.Empty(t, c.got())
		_, err = s.EnableRule(t.Context(), &eventbridge.EnableRuleInput{Name: new("alarms")})
		require.NoError(t, err)
		put(t, s, entry("penguinshop.shift", `{}`))
		synctest.Wait()
		assert.Equal(t, []string{`{"constant": true}`}, c.got())
	})
}

func TestAScheduledRuleSendsByItsSchedule(t *testing.T) {
	within(t, func(t *testing.T, s *events.Service, c *calls) {
		rule(t, s, func(in *eventbridge.PutRuleInput) { in.EventPattern, in.ScheduleExpression = nil, new("rate(1 hour)") })
		targets(t, s, types.Target{Id: new("function"), Arn: new(function)})
		synctest.Wait()
		assert.Empty(t, c.got(), "a rate of a rule begins after its first period")
		pass(3*time.Hour + time.Minute)
		require.Len(t, c.got(), 3)
		assert.Contains(t, c.got()[0], `"detail-type":"Scheduled Event"`)
	})
}

func TestABusKeepsItsRulesToItself(t *testing.T) {
	within(t, func(t *testing.T, s *events.Service, c *calls) {
		_, err := s.CreateEventBus(t.Context(), &eventbridge.CreateEventBusInput{Name: new("own")})
		require.NoError(t, err)
		rule(t, s, func(in *eventbridge.PutRuleInput) { in.EventBusName = new("own") })
		_, err = s.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: new("alarms"), EventBusName: new("own"), Targets: []types.Target{{Id: new("f"), Arn: new(function)}}})
		require.NoError(t, err)
		put(t, s, entry("penguinshop.shift", `{}`))
		on := entry("penguinshop.shift", `{}`)
		on.EventBusName = new("arn:aws:events:eu-central-1:123456789012:event-bus/own")
		put(t, s, on)
		synctest.Wait()
		assert.Len(t, c.got(), 1)
		_, err = s.DeleteEventBus(t.Context(), &eventbridge.DeleteEventBusInput{Name: new("own")})
		assert.Error(t, err, "it has rules")
	})
}

func TestWhatAWSRefusesIsRefused(t *testing.T) {
	within(t, func(t *testing.T, s *events.Service, _ *calls) {
		rule(t, s)
		targets(t, s, types.Target{Id: new("f"), Arn: new(function)})
		code := func(err error) string {
			var api smithy.APIError
			require.ErrorAs(t, err, &api)
			return api.ErrorCode()
		}
		_, err := s.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: new("x"), EventPattern: new(`{"source": "a"}`)})
		assert.Equal(t, "InvalidEventPatternException", code(err))
		_, err = s.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: new("x")})
		assert.Equal(t, "ValidationException", code(err))
		_, err = s.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: new("x"), ScheduleExpression: new("at(2026-11-25T12:00:00)")})
		assert.Equal(t, "ValidationException", code(err))
		_, err = s.DeleteRule(t.Context(), &eventbridge.DeleteRuleInput{Name: new("alarms")})
		assert.Equal(t, "ValidationException", code(err), "it has targets")
		_, err = s.DescribeRule(t.Context(), &eventbridge.DescribeRuleInput{Name: new("none")})
		assert.Equal(t, "ResourceNotFoundException", code(err))
		for _, wrong := range []types.Target{
			{Id: new("a b"), Arn: new(function)}, {Id: new("g"), Arn: new("function")}, {Id: new("g"), Arn: new(function), Input: new("{")},
			{Id: new("g"), Arn: new(function), InputPath: new("$..x")}, {Id: new("g"), Arn: new(function), SqsParameters: &types.SqsParameters{MessageGroupId: new("x")}},
		} {
			_, err = s.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: new("alarms"), Targets: []types.Target{wrong}})
			assert.Equal(t, "ValidationException", code(err))
		}
		var many []types.Target
		for _, id := range []string{"1", "2", "3", "4", "5"} {
			many = append(many, types.Target{Id: &id, Arn: new(function)})
		}
		_, err = s.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: new("alarms"), Targets: many})
		assert.Equal(t, "LimitExceededException", code(err))
		listed, err := s.ListTargetsByRule(t.Context(), &eventbridge.ListTargetsByRuleInput{Rule: new("alarms")})
		require.NoError(t, err)
		assert.Len(t, listed.Targets, 1, "nothing is half done")
	})
}

func TestDeclaredRulesAndTargets(t *testing.T) {
	within(t, func(t *testing.T, s *events.Service, c *calls) {
		declare := func(typ string, inputs map[string]any) graph.Resource {
			return graph.Resource{URN: "urn:pulumi:dev::penguinshop::" + typ + "::alarms", Type: typ, Inputs: inputs, Outputs: inputs}
		}
		first := declare("aws:cloudwatch/eventRule:EventRule", map[string]any{"name": "alarms", "eventPattern": `{"source": ["a"]}`})
		second := declare("aws:cloudwatch/eventRule:EventRule", map[string]any{"name": "alarms", "eventPattern": `{"source": ["b"]}`})
		to := declare("aws:cloudwatch/eventTarget:EventTarget", map[string]any{"rule": "alarms", "arn": function, "targetId": "f",
			"retryPolicy": map[string]any{"maximumEventAgeInSeconds": 60, "maximumRetryAttempts": 3}})
		rules, places := s.Providers()["aws:cloudwatch/eventRule:EventRule"], s.Providers()["aws:cloudwatch/eventTarget:EventTarget"]
		require.NoError(t, rules.Create(t.Context(), first))
		require.NoError(t, places.Create(t.Context(), to))
		require.NoError(t, rules.Update(t.Context(), first, second))
		put(t, s, entry("a", `{}`), entry("b", `{}`))
		synctest.Wait()
		require.Len(t, c.got(), 1, "the target stays when the rule changes")
		assert.Contains(t, c.got()[0], `"source":"b"`)
		require.NoError(t, places.Delete(t.Context(), to))
		require.NoError(t, rules.Delete(t.Context(), second))
		assert.Error(t, places.Create(t.Context(), to), "its rule is gone")
	})
}
