package logs_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/logs"
	"github.com/penguinshop/delivery/tests/moto"
)

// api is what the SDK's client and the sandbox's service both do.
type api interface {
	CreateLogGroup(context.Context, *cloudwatchlogs.CreateLogGroupInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.CreateLogGroupOutput, error)
	DeleteLogGroup(context.Context, *cloudwatchlogs.DeleteLogGroupInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.DeleteLogGroupOutput, error)
	DescribeLogGroups(context.Context, *cloudwatchlogs.DescribeLogGroupsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.DescribeLogGroupsOutput, error)
	PutRetentionPolicy(context.Context, *cloudwatchlogs.PutRetentionPolicyInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.PutRetentionPolicyOutput, error)
	CreateLogStream(context.Context, *cloudwatchlogs.CreateLogStreamInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.CreateLogStreamOutput, error)
	PutLogEvents(context.Context, *cloudwatchlogs.PutLogEventsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.PutLogEventsOutput, error)
	GetLogEvents(context.Context, *cloudwatchlogs.GetLogEventsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetLogEventsOutput, error)
	FilterLogEvents(context.Context, *cloudwatchlogs.FilterLogEventsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error)
}

// TestTheAPIDoesAsMotoDoes holds the sandbox and moto to the same expectations.
func TestTheAPIDoesAsMotoDoes(t *testing.T) {
	t.Run("sandbox", func(t *testing.T) {
		logsLive(t, logs.New(logs.Options{Region: "eu-central-1", Account: "123456789012", Clock: clockwork.NewRealClock()}))
	})
	t.Run("moto", func(t *testing.T) { logsLive(t, cloudwatchlogs.NewFromConfig(moto.Config(t))) })
}

func logsLive(t *testing.T, a api) {
	ctx, group, now := t.Context(), new("shop"), time.Now()
	_, err := a.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group})
	require.NoError(t, err)
	_, err = a.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group})
	assert.ErrorAs(t, err, new(*types.ResourceAlreadyExistsException))
	_, err = a.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: group, RetentionInDays: new(int32(7))})
	require.NoError(t, err)
	groups, err := a.DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: new("sh")})
	require.NoError(t, err)
	require.Len(t, groups.LogGroups, 1)
	assert.Equal(t, int32(7), aws.ToInt32(groups.LogGroups[0].RetentionInDays))
	assert.Equal(t, "arn:aws:logs:eu-central-1:123456789012:log-group:shop:*", aws.ToString(groups.LogGroups[0].Arn))

	for stream, messages := range map[string][]string{"blue/app/1": {"listening", "ERROR not found"}, "green/app/2": {"listening"}} {
		_, err := a.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: group, LogStreamName: &stream})
		require.NoError(t, err)
		_, err = a.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: group, LogStreamName: &stream})
		assert.ErrorAs(t, err, new(*types.ResourceAlreadyExistsException))
		in := &cloudwatchlogs.PutLogEventsInput{LogGroupName: group, LogStreamName: &stream}
		for i, message := range messages {
			in.LogEvents = append(in.LogEvents, types.InputLogEvent{Timestamp: new(now.Add(time.Duration(i) * time.Second).UnixMilli()), Message: &message})
		}
		_, err = a.PutLogEvents(ctx, in)
		require.NoError(t, err)
	}
	filter := func(in cloudwatchlogs.FilterLogEventsInput) []string {
		in.LogGroupName = group
		out, err := a.FilterLogEvents(ctx, &in)
		require.NoError(t, err)
		var found []string
		for _, e := range out.Events {
			found = append(found, *e.LogStreamName+": "+*e.Message)
		}
		return found
	}
	assert.Equal(t, []string{"blue/app/1: listening", "blue/app/1: ERROR not found"}, filter(cloudwatchlogs.FilterLogEventsInput{LogStreamNames: []string{"blue/app/1"}}))
	assert.Equal(t, []string{"blue/app/1: ERROR not found"}, filter(cloudwatchlogs.FilterLogEventsInput{FilterPattern: new("ERROR")}))
	assert.Len(t, filter(cloudwatchlogs.FilterLogEventsInput{EndTime: new(now.UnixMilli())}), 2)

	head, err := a.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: group, LogStreamName: new("blue/app/1"), StartFromHead: new(true)})
	require.NoError(t, err)
	require.Len(t, head.Events, 2)
	assert.Equal(t, "listening", *head.Events[0].Message)

	old := []types.InputLogEvent{{Timestamp: new(now.Add(-20 * 24 * time.Hour).UnixMilli()), Message: new("old")}}
	rejected, err := a.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{LogGroupName: group, LogStreamName: new("blue/app/1"), LogEvents: old})
	require.NoError(t, err)
	assert.NotNil(t, rejected.RejectedLogEventsInfo)

	_, err = a.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: group, LogStreamName: new("none")})
	assert.ErrorAs(t, err, new(*types.ResourceNotFoundException))
	_, err = a.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: group})
	require.NoError(t, err)
	_, err = a.FilterLogEvents(ctx, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: group})
	assert.ErrorAs(t, err, new(*types.ResourceNotFoundException))
}
