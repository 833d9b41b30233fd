package adapter

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/penguinshop/delivery/shiftfn/controller"
	"github.com/penguinshop/delivery/shiftfn/rollout"
)

// How much a diagnosis holds, and how long it may take: the way back must not wait for it.
const (
	tasksShown   = 3
	linesShown   = 12
	lineLength   = 240
	pagesRead    = 5
	logsBack     = 10 * time.Minute
	diagnoseTime = 10 * time.Second
)

// Diagnose gathers the unhealthy targets, the tasks that stopped last and the last log lines of a side.
func (w *World) Diagnose(ctx context.Context, c rollout.Colour) controller.Diagnosis {
	ctx, cancel := context.WithTimeout(ctx, diagnoseTime)
	defer cancel()
	var d controller.Diagnosis
	trouble := func(what string, err error) {
		if err != nil {
			d.Trouble = append(d.Trouble, clean(what+": "+err.Error()))
		}
	}
	var err error
	d.Targets, err = w.sick(ctx, c)
	trouble("targets", err)
	d.Tasks, err = w.stopped(ctx, c)
	trouble("stopped tasks", err)
	d.Logs, err = w.lines(ctx, c)
	trouble("log "+w.Settings.LogGroup, err)
	return d
}

func clean(text string) string {
	text = strings.Join(strings.Fields(redact(text)), " ")
	if runes := []rune(text); len(runes) > lineLength {
		text = string(runes[:lineLength-1]) + "…"
	}
	return text
}

// sick describes each target that is not healthy.
func (w *World) sick(ctx context.Context, c rollout.Colour) ([]string, error) {
	health, err := w.health(ctx, c)
	if err != nil {
		return nil, err
	}
	var sick []string
	for _, h := range health {
		if h.TargetHealth.State != elb.TargetHealthStateEnumHealthy {
			sick = append(sick, clean(fmt.Sprintf("%s:%d is %s: %s %s", aws.ToString(h.Target.Id), aws.ToInt32(h.Target.Port), h.TargetHealth.State, h.TargetHealth.Reason, aws.ToString(h.TargetHealth.Description))))
		}
	}
	slices.Sort(sick)
	return sick, nil
}

// stopped describes the tasks that stopped last, the newest first.
func (w *World) stopped(ctx context.Context, c rollout.Colour) ([]string, error) {
	list, err := w.Clients.ECS.ListTasks(ctx, &ecs.ListTasksInput{
		Cluster: aws.String(w.Settings.Cluster), ServiceName: aws.String(w.side(c).Service), DesiredStatus: types.DesiredStatusStopped,
	})
	if err != nil || len(list.TaskArns) == 0 {
		return nil, err
	}
	// One call describes at most 100 tasks, and one page lists no more.
	out, err := w.Clients.ECS.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: aws.String(w.Settings.Cluster), Tasks: list.TaskArns})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out.Tasks, func(a, b types.Task) int {
		return cmp.Or(aws.ToTime(b.StoppedAt).Compare(aws.ToTime(a.StoppedAt)), strings.Compare(aws.ToString(a.TaskArn), aws.ToString(b.TaskArn)))
	})
	var stopped []string
	for _, t := range out.Tasks[:min(len(out.Tasks), tasksShown)] {
		text := fmt.Sprintf("%s: %s", after(aws.ToString(t.TaskArn), "/"), or(aws.ToString(t.StoppedReason), string(t.StopCode)))
		for _, container := range t.Containers {
			if container.ExitCode != nil {
				text += fmt.Sprintf("; %s exited with %d", aws.ToString(container.Name), *container.ExitCode)
			}
			if reason := aws.ToString(container.Reason); reason != "" {
				text += fmt.Sprintf("; %s: %s", aws.ToString(container.Name), reason)
			}
		}
		stopped = append(stopped, clean(text))
	}
	return stopped, nil
}

// lines are the last log lines of a side. Its streams are named <prefix>/<container>/<task>, with the prefix that the task
// definition's log configuration gives.
func (w *World) lines(ctx context.Context, c rollout.Colour) ([]string, error) {
	definition, err := w.taskDefinition(ctx, w.side(c).TaskDefinition)
	if err != nil {
		return nil, err
	}
	in := cloudwatchlogs.FilterLogEventsInput{
		LogGroupName: aws.String(w.Settings.LogGroup), StartTime: aws.Int64(w.Now().Add(-logsBack).UnixMilli()),
	}
	for _, container := range definition.ContainerDefinitions {
		if aws.ToString(container.Name) == w.Settings.Container && container.LogConfiguration != nil {
			if prefix := container.LogConfiguration.Options["awslogs-stream-prefix"]; prefix != "" {
				in.LogStreamNamePrefix = aws.String(prefix + "/" + w.Settings.Container + "/")
			}
		}
	}
	// Events come oldest first, so the last ones are on the last page.
	var events []logs.FilteredLogEvent
	for range pagesRead {
		out, err := w.Clients.Logs.FilterLogEvents(ctx, &in)
		if err != nil {
			return nil, err
		}
		events = append(events, out.Events...)
		events = events[max(0, len(events)-linesShown):]
		if aws.ToString(out.NextToken) == "" {
			break
		}
		in.NextToken = out.NextToken
	}
	lines := make([]string, len(events))
	for i, e := range events {
		lines[i] = clean(aws.ToString(e.Message))
	}
	return lines, nil
}
