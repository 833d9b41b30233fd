package events_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/events"
	"github.com/penguinshop/delivery/sandbox/journal"
	"github.com/penguinshop/delivery/tests/moto"
)

// api is what the SDK's client and the sandbox's service both do.
type api interface {
	PutRule(context.Context, *eventbridge.PutRuleInput, ...func(*eventbridge.Options)) (*eventbridge.PutRuleOutput, error)
	DescribeRule(context.Context, *eventbridge.DescribeRuleInput, ...func(*eventbridge.Options)) (*eventbridge.DescribeRuleOutput, error)
	DisableRule(context.Context, *eventbridge.DisableRuleInput, ...func(*eventbridge.Options)) (*eventbridge.DisableRuleOutput, error)
	DeleteRule(context.Context, *eventbridge.DeleteRuleInput, ...func(*eventbridge.Options)) (*eventbridge.DeleteRuleOutput, error)
	PutTargets(context.Context, *eventbridge.PutTargetsInput, ...func(*eventbridge.Options)) (*eventbridge.PutTargetsOutput, error)
	RemoveTargets(context.Context, *eventbridge.RemoveTargetsInput, ...func(*eventbridge.Options)) (*eventbridge.RemoveTargetsOutput, error)
	ListTargetsByRule(context.Context, *eventbridge.ListTargetsByRuleInput, ...func(*eventbridge.Options)) (*eventbridge.ListTargetsByRuleOutput, error)
	PutEvents(context.Context, *eventbridge.PutEventsInput, ...func(*eventbridge.Options)) (*eventbridge.PutEventsOutput, error)
}

// TestTheAPIDoesAsMotoDoes holds the sandbox and moto to the same expectations.
func TestTheAPIDoesAsMotoDoes(t *testing.T) {
	t.Run("sandbox", func(t *testing.T) {
		clock := clockwork.NewFakeClock()
		s := events.New(events.Options{Region: "eu-central-1", Account: "123456789012", Clock: clock, Journal: journal.New(clock), Invoke: (&calls{}).invoke})
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		rulesLive(t, s)
	})
	t.Run("moto", func(t *testing.T) { rulesLive(t, eventbridge.NewFromConfig(moto.Config(t))) })
}

func rulesLive(t *testing.T, a api) {
	ctx, name := t.Context(), new("alarms")
	made, err := a.PutRule(ctx, &eventbridge.PutRuleInput{Name: name, EventPattern: new(`{"source":["aws.cloudwatch"]}`)})
	require.NoError(t, err)
	assert.Equal(t, ruleARN, *made.RuleArn)
	_, err = a.PutRule(ctx, &eventbridge.PutRuleInput{Name: new("broken"), EventPattern: new(`{"source":"aws.cloudwatch"}`)})
	assert.ErrorAs(t, err, new(*types.InvalidEventPatternException))
	_, err = a.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: name, Targets: []types.Target{{Id: new("f"), Arn: new(function), RetryPolicy: &types.RetryPolicy{MaximumRetryAttempts: new(int32(3))}}}})
	require.NoError(t, err)
	targets, err := a.ListTargetsByRule(ctx, &eventbridge.ListTargetsByRuleInput{Rule: name})
	require.NoError(t, err)
	require.Len(t, targets.Targets, 1)
	assert.Equal(t, function, *targets.Targets[0].Arn)
	_, err = a.DisableRule(ctx, &eventbridge.DisableRuleInput{Name: name})
	require.NoError(t, err)
	described, err := a.DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: name})
	require.NoError(t, err)
	assert.Equal(t, types.RuleStateDisabled, described.State)
	assert.JSONEq(t, `{"source":["aws.cloudwatch"]}`, *described.EventPattern)

	put, err := a.PutEvents(ctx, &eventbridge.PutEventsInput{Entries: []types.PutEventsRequestEntry{
		{Source: new("shop"), DetailType: new("Rolled back"), Detail: new(`{}`)}, {Source: new("shop"), DetailType: new("Rolled back"), Detail: new(`{`)},
		{DetailType: new("Rolled back"), Detail: new(`{}`)},
	}})
	require.NoError(t, err)
	assert.Equal(t, int32(2), put.FailedEntryCount)
	assert.NotNil(t, put.Entries[0].EventId)
	assert.Equal(t, "MalformedDetail", *put.Entries[1].ErrorCode)
	assert.Equal(t, "InvalidArgument", *put.Entries[2].ErrorCode)

	_, err = a.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: name})
	assert.Error(t, err, "it has targets")
	_, err = a.RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: name, Ids: []string{"f"}})
	require.NoError(t, err)
	_, err = a.DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: name})
	require.NoError(t, err)
	_, err = a.DescribeRule(ctx, &eventbridge.DescribeRuleInput{Name: name})
	assert.ErrorAs(t, err, new(*types.ResourceNotFoundException))
}
