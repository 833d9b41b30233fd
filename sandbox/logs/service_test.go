package logs_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/sandbox/logs"
)

func started(t *testing.T, streams ...string) (*logs.Service, *clockwork.FakeClock) {
	t.Helper()
	clock := clockwork.NewFakeClock()
	s := logs.New(logs.Options{Region: "eu-central-1", Account: "123456789012", Clock: clock})
	_, err := s.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: new("shop")})
	require.NoError(t, err)
	for _, name := range streams {
		_, err := s.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: new("shop"), LogStreamName: &name})
		require.NoError(t, err)
	}
	return s, clock
}

func put(t *testing.T, s *logs.Service, stream string, at time.Time, messages ...string) *types.RejectedLogEventsInfo {
	t.Helper()
	in := &cloudwatchlogs.PutLogEventsInput{LogGroupName: new("shop"), LogStreamName: &stream}
	for _, message := range messages {
		in.LogEvents = append(in.LogEvents, types.InputLogEvent{Timestamp: new(at.UnixMilli()), Message: &message})
	}
	out, err := s.PutLogEvents(t.Context(), in)
	require.NoError(t, err)
	return out.RejectedLogEventsInfo
}

func filtered(t *testing.T, s *logs.Service, in cloudwatchlogs.FilterLogEventsInput) []string {
	t.Helper()
	in.LogGroupName = new("shop")
	out, err := s.FilterLogEvents(t.Context(), &in)
	require.NoError(t, err)
	messages := []string{}
	for _, e := range out.Events {
		messages = append(messages, *e.Message)
	}
	return messages
}

func TestFilterReadsAllStreamsInTheOrderOfTime(t *testing.T) {
	s, clock := started(t, "app/app/1", "app/app/2", "other")
	put(t, s, "app/app/1", clock.Now(), "first", "second")
	put(t, s, "app/app/2", clock.Now().Add(-time.Second), "earlier")
	put(t, s, "other", clock.Now(), "elsewhere")
	assert.Equal(t, []string{"earlier", "first", "second", "elsewhere"}, filtered(t, s, cloudwatchlogs.FilterLogEventsInput{}))
	assert.Equal(t, []string{"earlier", "first", "second"}, filtered(t, s, cloudwatchlogs.FilterLogEventsInput{LogStreamNamePrefix: new("app/")}))
	assert.Equal(t, []string{"first", "second"}, filtered(t, s, cloudwatchlogs.FilterLogEventsInput{
		LogStreamNames: []string{"app/app/1"}, StartTime: new(clock.Now().UnixMilli()), EndTime: new(clock.Now().UnixMilli()),
	}), "the end time is inclusive")
}

func TestFilterPatternsOfTerms(t *testing.T) {
	s, clock := started(t, "a")
	put(t, s, "a", clock.Now(), "ERROR not found", "WARN not found", "ERROR timeout debug", "Error")
	for pattern, want := range map[string][]string{
		"":                  {"ERROR not found", "WARN not found", "ERROR timeout debug", "Error"},
		"ERROR":             {"ERROR not found", "ERROR timeout debug"},
		`ERROR "not found"`: {"ERROR not found"},
		"?ERROR ?WARN":      {"ERROR not found", "WARN not found", "ERROR timeout debug"},
		"ERROR -debug":      {"ERROR not found"},
		"absent":            {},
	} {
		t.Run(pattern, func(t *testing.T) {
			assert.Equal(t, want, filtered(t, s, cloudwatchlogs.FilterLogEventsInput{FilterPattern: &pattern}))
		})
	}
	for _, pattern := range []string{`{ $.level = "error" }`, `[ip, user]`, `%regex%`, `"open`, "-", "?"} {
		_, err := s.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: new("shop"), FilterPattern: &pattern})
		assert.ErrorAs(t, err, new(*types.InvalidParameterException), pattern)
	}
}

func TestGetReadsTheNewestEventsFirstAndPagesBothWays(t *testing.T) {
	s, clock := started(t, "a")
	for i := range 5 {
		put(t, s, "a", clock.Now().Add(time.Duration(i)*time.Second), fmt.Sprint(i))
	}
	get := func(token *string, head bool) ([]string, *cloudwatchlogs.GetLogEventsOutput) {
		out, err := s.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{
			LogGroupName: new("shop"), LogStreamName: new("a"), Limit: new(int32(2)), NextToken: token, StartFromHead: &head,
		})
		require.NoError(t, err)
		var messages []string
		for _, e := range out.Events {
			messages = append(messages, aws.ToString(e.Message))
		}
		return messages, out
	}
	newest, page := get(nil, false)
	assert.Equal(t, []string{"3", "4"}, newest)
	older, _ := get(page.NextBackwardToken, false)
	assert.Equal(t, []string{"1", "2"}, older)
	nothing, end := get(page.NextForwardToken, false)
	assert.Empty(t, nothing)
	assert.Equal(t, page.NextForwardToken, end.NextForwardToken, "the end gives back the token that was sent")
	put(t, s, "a", clock.Now().Add(time.Minute), "5")
	later, _ := get(end.NextForwardToken, false)
	assert.Equal(t, []string{"5"}, later, "a reader that has reached the end goes on from there")

	first, page := get(nil, true)
	assert.Equal(t, []string{"0", "1"}, first)
	second, _ := get(page.NextForwardToken, true)
	assert.Equal(t, []string{"2", "3"}, second)
}

func TestEventsOutsideTheAllowedTimesAreReportedAndLeftOut(t *testing.T) {
	s, clock := started(t, "a")
	assert.Equal(t, int32(1), aws.ToInt32(put(t, s, "a", clock.Now().Add(-15*24*time.Hour), "old").TooOldLogEventEndIndex))
	assert.Equal(t, int32(0), aws.ToInt32(put(t, s, "a", clock.Now().Add(3*time.Hour), "new").TooNewLogEventStartIndex))
	assert.Nil(t, put(t, s, "a", clock.Now(), "now"))
	assert.Equal(t, []string{"now"}, filtered(t, s, cloudwatchlogs.FilterLogEventsInput{}))
}

func TestEventsAreGoneAfterTheRetention(t *testing.T) {
	s, clock := started(t, "a")
	_, err := s.PutRetentionPolicy(t.Context(), &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: new("shop"), RetentionInDays: new(int32(3))})
	require.NoError(t, err)
	put(t, s, "a", clock.Now(), "short-lived")
	clock.Advance(2 * 24 * time.Hour)
	assert.Len(t, filtered(t, s, cloudwatchlogs.FilterLogEventsInput{}), 1)
	clock.Advance(2 * 24 * time.Hour)
	assert.Empty(t, filtered(t, s, cloudwatchlogs.FilterLogEventsInput{}))
	_, err = s.PutRetentionPolicy(t.Context(), &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: new("shop"), RetentionInDays: new(int32(2))})
	assert.ErrorAs(t, err, new(*types.InvalidParameterException))
}

func TestErrorsAreTheSDKs(t *testing.T) {
	s, _ := started(t, "a")
	ctx := t.Context()
	_, err := s.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: new("shop")})
	assert.ErrorAs(t, err, new(*types.ResourceAlreadyExistsException))
	_, err = s.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: new("shop"), LogStreamName: new("a")})
	assert.ErrorAs(t, err, new(*types.ResourceAlreadyExistsException))
	_, err = s.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: new("shop"), LogStreamName: new("a:b")})
	assert.ErrorAs(t, err, new(*types.InvalidParameterException))
	_, err = s.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: new("none"), LogStreamName: new("a")})
	assert.ErrorAs(t, err, new(*types.ResourceNotFoundException))
	_, err = s.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{
		LogGroupName: new("shop"), LogStreamName: new("none"), LogEvents: []types.InputLogEvent{{Timestamp: new(int64(1)), Message: new("")}},
	})
	assert.ErrorAs(t, err, new(*types.ResourceNotFoundException))
	_, err = s.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{
		LogGroupName: new("shop"), LogStreamName: new("a"), LogEvents: []types.InputLogEvent{{Timestamp: new(int64(2))}, {Timestamp: new(int64(1))}},
	})
	assert.ErrorAs(t, err, new(*types.InvalidParameterException))
}

func TestStreamsAreListedByTheirLastEvent(t *testing.T) {
	s, clock := started(t, "a", "b", "c")
	put(t, s, "b", clock.Now(), "older")
	put(t, s, "a", clock.Now().Add(time.Second), "newer")
	out, err := s.DescribeLogStreams(t.Context(), &cloudwatchlogs.DescribeLogStreamsInput{
		LogGroupName: new("shop"), OrderBy: types.OrderByLastEventTime, Descending: new(true), Limit: new(int32(2)),
	})
	require.NoError(t, err)
	require.Len(t, out.LogStreams, 2)
	assert.Equal(t, "a", *out.LogStreams[0].LogStreamName)
	assert.Equal(t, "b", *out.LogStreams[1].LogStreamName)
	assert.NotNil(t, out.NextToken)
}

func TestADeclaredLogGroupIsMadeChangedAndRemoved(t *testing.T) {
	s := logs.New(logs.Options{Region: "eu-central-1", Account: "123456789012", Clock: clockwork.NewFakeClock()})
	provider := s.Providers()["aws:cloudwatch/logGroup:LogGroup"]
	declare := func(days int) graph.Resource {
		inputs := map[string]any{"retentionInDays": days}
		return graph.Resource{URN: "urn:pulumi:dev::penguinshop::aws:cloudwatch/logGroup:LogGroup::logs", Type: "aws:cloudwatch/logGroup:LogGroup",
			Inputs: inputs, Outputs: map[string]any{"retentionInDays": days, "name": "logs-1234567"}}
	}
	retention := func() int32 {
		out, err := s.DescribeLogGroups(t.Context(), &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: new("logs-")})
		require.NoError(t, err)
		require.Len(t, out.LogGroups, 1)
		return aws.ToInt32(out.LogGroups[0].RetentionInDays)
	}
	require.NoError(t, provider.Create(t.Context(), declare(7)))
	assert.Equal(t, int32(7), retention())
	require.NoError(t, provider.Update(t.Context(), declare(7), declare(30)))
	assert.Equal(t, int32(30), retention())
	require.NoError(t, provider.Update(t.Context(), declare(30), declare(0)))
	assert.Zero(t, retention())
	require.NoError(t, provider.Delete(t.Context(), declare(0)))
	assert.ErrorAs(t, provider.Delete(t.Context(), declare(0)), new(*types.ResourceNotFoundException))
}

// Whatever the pages' sizes, reading a stream page by page from its head yields each event once and in order.
func TestPagingLosesAndRepeatsNothing(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s, clock := started(t, "a")
		var want []string
		for i := range rapid.IntRange(0, 40).Draw(r, "events") {
			clock.Advance(time.Duration(rapid.IntRange(0, 2).Draw(r, "gap")) * time.Second)
			put(t, s, "a", clock.Now(), fmt.Sprint(i))
			want = append(want, fmt.Sprint(i))
		}
		limit := int32(rapid.IntRange(1, 10).Draw(r, "limit"))
		var got []string
		in := &cloudwatchlogs.GetLogEventsInput{LogGroupName: new("shop"), LogStreamName: new("a"), Limit: &limit, StartFromHead: new(true)}
		for {
			out, err := s.GetLogEvents(t.Context(), in)
			require.NoError(r, err)
			for _, e := range out.Events {
				got = append(got, *e.Message)
			}
			if aws.ToString(out.NextForwardToken) == aws.ToString(in.NextToken) {
				break
			}
			in.NextToken = out.NextForwardToken
		}
		assert.Equal(r, want, got)
	})
}

func FuzzFilterPattern(f *testing.F) {
	for _, seed := range []string{"", "ERROR", `"a b" -c ?d ?e`, "-", `"`, "{ $.a }"} {
		f.Add(seed, "ERROR a b d")
	}
	f.Fuzz(func(t *testing.T, pattern, message string) {
		s, clock := started(t, "a")
		put(t, s, "a", clock.Now(), message)
		out, err := s.FilterLogEvents(t.Context(), &cloudwatchlogs.FilterLogEventsInput{LogGroupName: new("shop"), FilterPattern: &pattern})
		if err != nil {
			assert.ErrorAs(t, err, new(*types.InvalidParameterException))
			return
		}
		assert.LessOrEqual(t, len(out.Events), 1)
	})
}
