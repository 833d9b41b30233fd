package logs

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/penguinshop/delivery/sandbox/fidelity"
)

// keptEvents bounds the memory of one stream: the oldest events of a longer one are dropped.
const keptEvents = 20_000

type stream struct {
	name, arn string
	created   int64
	ingested  int64
	events    []event // by time, then by arrival
	bytes     int64
}

type event struct {
	id              int64
	time, ingestion int64
	message         string
}

// CreateLogStream adds an empty stream to a group.
func (s *Service) CreateLogStream(_ context.Context, in *cloudwatchlogs.CreateLogStreamInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.CreateLogStreamOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.group(in.LogGroupName, nil)
	if err != nil {
		return nil, err
	}
	name := aws.ToString(in.LogStreamName)
	if name == "" || len(name) > 512 || strings.ContainsAny(name, ":*") {
		return nil, invalid("log stream name %q: 1 to 512 characters without : and * are allowed", name)
	}
	if _, taken := g.streams[name]; taken {
		return nil, exists("stream")
	}
	g.streams[name] = &stream{name: name, arn: g.arn + ":log-stream:" + name, created: s.now()}
	return &cloudwatchlogs.CreateLogStreamOutput{}, nil
}

// DeleteLogStream removes a stream with its events.
func (s *Service) DeleteLogStream(_ context.Context, in *cloudwatchlogs.DeleteLogStreamInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.DeleteLogStreamOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.group(in.LogGroupName, nil)
	if err != nil {
		return nil, err
	}
	if _, err := s.stream(g, in.LogStreamName); err != nil {
		return nil, err
	}
	delete(g.streams, *in.LogStreamName)
	return &cloudwatchlogs.DeleteLogStreamOutput{}, nil
}

// DescribeLogStreams lists a group's streams by name or by their last event, at most 50 a page.
func (s *Service) DescribeLogStreams(_ context.Context, in *cloudwatchlogs.DescribeLogStreamsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.DescribeLogStreamsOutput, error) {
	imitated := []string{"LogGroupName", "LogGroupIdentifier", "LogStreamNamePrefix", "OrderBy", "Descending", "Limit", "NextToken"}
	if refusal := fidelity.Refusal(in, imitated...); refusal != "" {
		return nil, invalid("%s", refusal)
	}
	byTime := in.OrderBy == types.OrderByLastEventTime
	if byTime && in.LogStreamNamePrefix != nil {
		return nil, invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.group(in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	var streams []*stream
	for name, stream := range g.streams {
		if strings.HasPrefix(name, aws.ToString(in.LogStreamNamePrefix)) {
			streams = append(streams, stream)
		}
	}
	slices.SortFunc(streams, func(a, b *stream) int {
		order := cmp.Compare(a.name, b.name)
		if byTime {
			order = cmp.Or(cmp.Compare(a.last(), b.last()), order)
		}
		if aws.ToBool(in.Descending) {
			return -order
		}
		return order
	})
	described := make([]types.LogStream, len(streams))
	for i, stream := range streams {
		described[i] = stream.describe()
	}
	page, next, err := paged(described, in.Limit, 50, in.NextToken)
	if err != nil {
		return nil, err
	}
	return &cloudwatchlogs.DescribeLogStreamsOutput{LogStreams: page, NextToken: next}, nil
}

// PutLogEvents appends events, in the order of their times, to a stream. As in AWS, events older than 14 days, older than the
// group keeps, or more than two hours ahead are left out and reported by their index.
func (s *Service) PutLogEvents(ctx context.Context, in *cloudwatchlogs.PutLogEventsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.PutLogEventsOutput, error) {
	if refusal := fidelity.Refusal(in, "LogGroupName", "LogStreamName", "LogEvents", "SequenceToken"); refusal != "" {
		return nil, invalid("%s", refusal)
	}
	if len(in.LogEvents) == 0 || len(in.LogEvents) > 10_000 {
		return nil, invalid("logEvents holds %d events: 1 to 10000 are allowed", len(in.LogEvents))
	}
	if !slices.IsSortedFunc(in.LogEvents, func(a, b types.InputLogEvent) int {
		return cmp.Compare(aws.ToInt64(a.Timestamp), aws.ToInt64(b.Timestamp))
	}) {
		return nil, invalid("Log events in a single PutLogEvents request must be in chronological order.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.group(in.LogGroupName, nil)
	if err != nil {
		return nil, err
	}
	stream, err := s.stream(g, in.LogStreamName)
	if err != nil {
		return nil, err
	}

	now := s.clock.Now()
	tooOld, expired, tooNew := now.Add(-14*day).UnixMilli(), s.oldest(g), now.Add(2*time.Hour).UnixMilli()
	rejected := types.RejectedLogEventsInfo{}
	for i, e := range in.LogEvents {
		switch at := aws.ToInt64(e.Timestamp); {
		case at < expired:
			rejected.ExpiredLogEventEndIndex = new(int32(i + 1))
		case at < tooOld:
			rejected.TooOldLogEventEndIndex = new(int32(i + 1))
		case at > tooNew:
			if rejected.TooNewLogEventStartIndex == nil {
				rejected.TooNewLogEventStartIndex = new(int32(i))
			}
		default:
			s.received++
			stream.add(event{id: s.received, time: at, ingestion: now.UnixMilli(), message: aws.ToString(e.Message)})
			if err := s.measure(ctx, g, aws.ToString(e.Message)); err != nil {
				return nil, err
			}
		}
	}
	out := &cloudwatchlogs.PutLogEventsOutput{}
	if rejected.ExpiredLogEventEndIndex != nil || rejected.TooOldLogEventEndIndex != nil || rejected.TooNewLogEventStartIndex != nil {
		out.RejectedLogEventsInfo = &rejected
	}
	return out, nil
}

func (s *stream) add(e event) {
	at := len(s.events)
	for at > 0 && s.events[at-1].time > e.time {
		at--
	}
	s.events = slices.Insert(s.events, at, e)
	s.bytes += int64(len(e.message))
	s.ingested = e.ingestion
	if surplus := len(s.events) - keptEvents; surplus > keptEvents/10 { // in batches, so that each event is moved rarely
		for _, gone := range s.events[:surplus] {
			s.bytes -= int64(len(gone.message))
		}
		s.events = slices.Delete(s.events, 0, surplus)
	}
}

func (s *stream) last() int64 {
	if len(s.events) == 0 {
		return 0
	}
	return s.events[len(s.events)-1].time
}

func (s *stream) describe() types.LogStream {
	d := types.LogStream{LogStreamName: new(s.name), Arn: new(s.arn), CreationTime: new(s.created)}
	if len(s.events) > 0 {
		d.FirstEventTimestamp, d.LastEventTimestamp = new(s.events[0].time), new(s.last())
		d.LastIngestionTime = new(s.ingested)
	}
	return d
}

func (s *Service) stream(g *group, name *string) (*stream, error) {
	if stream, ok := g.streams[aws.ToString(name)]; ok {
		return stream, nil
	}
	return nil, s.missing("stream", aws.ToString(name))
}

// selected returns the group's streams that a filter names, by name.
func (s *Service) selected(g *group, names []string, prefix string) ([]*stream, error) {
	if len(names) > 0 && prefix != "" {
		return nil, invalid("logStreamNames and logStreamNamePrefix exclude each other")
	}
	if len(names) == 0 {
		names = slices.DeleteFunc(slices.Sorted(maps.Keys(g.streams)), func(name string) bool { return !strings.HasPrefix(name, prefix) })
	}
	streams := make([]*stream, 0, len(names))
	for _, name := range names {
		stream, err := s.stream(g, &name)
		if err != nil {
			return nil, err
		}
		streams = append(streams, stream)
	}
	return streams, nil
}
