package ecs

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/penguinshop/delivery/sandbox/clock"
)

// The options of the awslogs driver: those that Fargate needs, and those that are taken without effect, since here a log is
// written to memory and never blocks.
const (
	logGroupOption  = "awslogs-group"
	logPrefixOption = "awslogs-stream-prefix"
)

var (
	neededLogOptions   = []string{logGroupOption, "awslogs-region", logPrefixOption}
	acceptedLogOptions = []string{"mode", "max-buffer-size"}
)

// openLog makes the task's log stream, prefix/container/task as the awslogs driver names it. Without a log configuration what
// the container writes is dropped, as in ECS.
func (s *Service) openLog(t *task) (io.WriteCloser, error) {
	configuration := t.shape().LogConfiguration
	if configuration == nil {
		return nowhere{io.Discard}, nil
	}
	group := configuration.Options[logGroupOption]
	stream := configuration.Options[logPrefixOption] + "/" + aws.ToString(t.shape().Name) + "/" + t.id
	_, err := s.Logs.CreateLogStream(t.ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &group, LogStreamName: &stream})
	if err != nil {
		return nil, &startFailure{fmt.Sprintf("ResourceInitializationError: failed to validate logger args: "+
			"create stream has been retried 1 times: failed to create Cloudwatch log stream: %v", err)}
	}
	return &logWriter{ctx: context.WithoutCancel(t.ctx), logs: s.Logs, clock: s.Clock, group: group, stream: stream}, nil
}

type nowhere struct{ io.Writer }

func (nowhere) Close() error { return nil }

// longestLine is where a line without an end is cut.
const longestLine = 256 << 10

// logWriter sends each line that is written to it to a log stream, as one event.
type logWriter struct {
	ctx           context.Context
	logs          Logs
	clock         clock.Clock
	group, stream string
	rest          []byte // a line that has not ended
}

func (w *logWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	var lines [][]byte
	for {
		end := bytes.IndexByte(w.rest, '\n')
		if end < 0 {
			break
		}
		lines, w.rest = append(lines, bytes.TrimSuffix(w.rest[:end], []byte("\r"))), w.rest[end+1:]
	}
	for len(w.rest) >= longestLine {
		lines, w.rest = append(lines, w.rest[:longestLine]), w.rest[longestLine:]
	}
	err := w.put(lines)
	w.rest = bytes.Clone(w.rest) // so that what has been sent is not kept in memory
	return len(p), err
}

// Close sends a last line that has no end.
func (w *logWriter) Close() error {
	if len(w.rest) == 0 {
		return nil
	}
	return w.put([][]byte{w.rest})
}

func (w *logWriter) put(lines [][]byte) error {
	in := &cloudwatchlogs.PutLogEventsInput{LogGroupName: &w.group, LogStreamName: &w.stream}
	now := w.clock.Now().UnixMilli()
	for _, line := range lines {
		if len(line) > 0 { // CloudWatch Logs takes no empty event
			in.LogEvents = append(in.LogEvents, types.InputLogEvent{Timestamp: &now, Message: new(string(line))})
		}
	}
	if len(in.LogEvents) == 0 {
		return nil
	}
	_, err := w.logs.PutLogEvents(w.ctx, in)
	return err
}
