package logs

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/penguinshop/delivery/sandbox/fidelity"
)

// mostEvents is the largest page of events, and the page of a request that asks for none.
const mostEvents = 10_000

// GetLogEvents reads one stream, the newest events first unless StartFromHead is set, each page in the order of time. As in
// AWS, the end is reached when the token that comes back is the one that was sent.
func (s *Service) GetLogEvents(_ context.Context, in *cloudwatchlogs.GetLogEventsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.GetLogEventsOutput, error) {
	imitated := []string{"LogGroupName", "LogGroupIdentifier", "LogStreamName", "StartTime", "EndTime", "StartFromHead", "Limit", "NextToken", "Unmask"}
	if refusal := fidelity.Refusal(in, imitated...); refusal != "" {
		return nil, invalid("%s", refusal)
	}
	limit, err := bounded(in.Limit, mostEvents)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.group(in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	stream, err := s.stream(g, in.LogStreamName)
	if err != nil {
		return nil, err
	}
	events := stream.between(max(aws.ToInt64(in.StartTime), s.oldest(g)), end(in.EndTime, false))

	first, last := max(0, len(events)-limit), len(events)
	if aws.ToBool(in.StartFromHead) {
		first, last = 0, min(limit, len(events))
	}
	if in.NextToken != nil {
		// A token is a direction and the number of the event that a page ended before: numbers last when old events go.
		direction, number, _ := strings.Cut(*in.NextToken, "/")
		edge, err := strconv.ParseInt(number, 10, 64)
		if err != nil || direction != "f" && direction != "b" {
			return nil, invalid("The specified nextToken is invalid.")
		}
		at := slices.IndexFunc(events, func(e event) bool { return e.id >= edge })
		if at < 0 {
			at = len(events)
		}
		if direction == "f" {
			first, last = at, min(at+limit, len(events))
		} else {
			first, last = max(0, at-limit), at
		}
	}
	page := make([]types.OutputLogEvent, 0, last-first)
	for _, e := range events[first:last] {
		page = append(page, types.OutputLogEvent{Timestamp: new(e.time), IngestionTime: new(e.ingestion), Message: new(e.message)})
	}
	return &cloudwatchlogs.GetLogEventsOutput{
		Events:            page,
		NextForwardToken:  new("f/" + strconv.FormatInt(edgeAt(events, last, s.received), 10)),
		NextBackwardToken: new("b/" + strconv.FormatInt(edgeAt(events, first, s.received), 10)),
	}, nil
}

// edgeAt is the number of the event at the index, or, at the end, the number that the next one to arrive can at least have.
func edgeAt(events []event, at int, received int64) int64 {
	switch {
	case at < len(events):
		return events[at].id
	case len(events) > 0:
		return events[len(events)-1].id + 1
	default:
		return received + 1
	}
}

// FilterLogEvents reads several streams of a group in the order of time, and of them the events that match the pattern.
func (s *Service) FilterLogEvents(_ context.Context, in *cloudwatchlogs.FilterLogEventsInput, _ ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error) {
	imitated := []string{"LogGroupName", "LogGroupIdentifier", "LogStreamNames", "LogStreamNamePrefix", "StartTime", "EndTime", "FilterPattern",
		"Limit", "NextToken", "Interleaved", "Unmask"}
	if refusal := fidelity.Refusal(in, imitated...); refusal != "" {
		return nil, invalid("%s", refusal)
	}
	matches, err := compile(aws.ToString(in.FilterPattern))
	if err != nil {
		return nil, invalid("%v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.group(in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	streams, err := s.selected(g, in.LogStreamNames, aws.ToString(in.LogStreamNamePrefix))
	if err != nil {
		return nil, err
	}
	type placed struct {
		event
		stream string
	}
	var found []placed
	for _, stream := range streams {
		for _, e := range stream.between(max(aws.ToInt64(in.StartTime), s.oldest(g)), end(in.EndTime, true)) {
			if matches(e.message) {
				found = append(found, placed{e, stream.name})
			}
		}
	}
	slices.SortFunc(found, func(a, b placed) int { return cmp.Or(cmp.Compare(a.time, b.time), cmp.Compare(a.id, b.id)) })
	page, next, err := paged(found, in.Limit, mostEvents, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &cloudwatchlogs.FilterLogEventsOutput{NextToken: next, Events: make([]types.FilteredLogEvent, 0, len(page))}
	for _, e := range page {
		out.Events = append(out.Events, types.FilteredLogEvent{
			EventId: new(strconv.FormatInt(e.id, 10)), LogStreamName: new(e.stream), Message: new(e.message),
			Timestamp: new(e.time), IngestionTime: new(e.ingestion),
		})
	}
	return out, nil
}

// between returns the events from first (inclusive) to last (exclusive), both in milliseconds.
func (s *stream) between(first, last int64) []event {
	at := func(time int64) int {
		i, _ := slices.BinarySearchFunc(s.events, time, func(e event, time int64) int { return cmp.Compare(e.time, time) })
		return i
	}
	from, to := at(first), at(last)
	return s.events[from:max(from, to)]
}

// end is the exclusive end of a request: GetLogEvents leaves out an event at its end time, FilterLogEvents takes it.
func end(time *int64, inclusive bool) int64 {
	switch {
	case time == nil:
		return math.MaxInt64
	case inclusive:
		return *time + 1
	default:
		return *time
	}
}

// paged returns the page of at most limit items that the token asks for, and the token of the next one.
func paged[T any](items []T, limit *int32, most int, token *string) ([]T, *string, error) {
	size, err := bounded(limit, most)
	if err != nil {
		return nil, nil, err
	}
	first := 0
	if token != nil {
		if first, err = strconv.Atoi(*token); err != nil || first < 0 || first > len(items) {
			return nil, nil, invalid("The specified nextToken is invalid.")
		}
	}
	last := min(first+size, len(items))
	if last == len(items) {
		return items[first:last], nil, nil
	}
	return items[first:last], new(strconv.Itoa(last)), nil
}

func bounded(limit *int32, most int) (int, error) {
	switch {
	case limit == nil:
		return most, nil
	case *limit < 1 || int(*limit) > most:
		return 0, invalid("limit %d: 1 to %d is allowed", *limit, most)
	default:
		return int(*limit), nil
	}
}
