package tests

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	container "github.com/aws/aws-sdk-go-v2/service/ecs/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/jonboulle/clockwork"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/clock"
	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/sandbox/wire"
	"github.com/penguinshop/delivery/shiftfn/adapter"
	"github.com/penguinshop/delivery/shiftfn/adapter/adaptertest"
	"github.com/penguinshop/delivery/shiftfn/rollout"
	"github.com/penguinshop/delivery/shiftfn/settings"
	"github.com/penguinshop/delivery/tests/bare"
)

// wired are the clients that adapter.Of makes.
var wired = []wire.Client{
	wire.For[elb.Client](elb.ServiceID), wire.For[ecs.Client](ecs.ServiceID),
	wire.For[applicationautoscaling.Client](applicationautoscaling.ServiceID), wire.For[cloudwatch.Client](cloudwatch.ServiceID),
	wire.For[cloudwatchlogs.Client](cloudwatchlogs.ServiceID), wire.For[codepipeline.Client](codepipeline.ServiceID),
	wire.For[ssm.Client](ssm.ServiceID), wire.For[scheduler.Client](scheduler.ServiceID), wire.For[eventbridge.Client](eventbridge.ServiceID),
}

// onSandbox runs the adapters' suite on the sandbox's services, which hold what a stack declares, and returns what IAM must
// have allowed for it. The sandbox leaves nothing out.
func onSandbox(t *testing.T, g *graph.Graph) []adaptertest.Call {
	return adaptertest.Run(t, nil, func(t *testing.T, watch adaptertest.Watch) *adaptertest.World {
		return raise(t, g, watch)
	})
}

// raise is one environment. Its clock stands still, but for tasks and targets, so that no test depends on how long it takes.
func raise(t *testing.T, g *graph.Graph, watch adaptertest.Watch) *adaptertest.World {
	t.Helper()
	now := time.Now().Truncate(time.Minute).Add(30 * time.Second)
	measuring := clockwork.NewFakeClockAt(now.Add(-10 * time.Minute))
	w := bare.Raise(t, bare.Options{Graphs: []*graph.Graph{g}, Clock: clockwork.NewFakeClockAt(now), Tasks: clock.Scaled(50), Metrics: measuring})
	s := told(t, g)
	maximum, ok := one(t, g, "aws:appautoscaling/target:Target", "app-green").Inputs["maxCapacity"].(float64)
	require.True(t, ok)
	a := &adaptertest.World{
		Settings: s, Clients: adapter.Of(watch(wire.Config(w.Session, bare.Region, wired...), bare.Account)), Balancer: w.ELB,
		Now: func() time.Time { return now }, Maximum: int(maximum),
	}
	a.Clients.HTTP = w.ELB.Client()
	ctx := context.Background()

	update := func(t *testing.T, in ecs.UpdateServiceInput) {
		in.Cluster, in.Service = &s.Cluster, &s.Green.Service
		_, err := w.ECS.UpdateService(ctx, &in)
		require.NoError(t, err)
	}
	a.Register = func(t *testing.T, image, memory string) string { return register(t, w, s, image, memory) }
	a.Deploy = func(t *testing.T, arn string) { update(t, ecs.UpdateServiceInput{TaskDefinition: &arn}) }
	a.Stop = func(t *testing.T) {
		has := func(status container.DesiredStatus) func() bool {
			return func() bool {
				list, err := w.ECS.ListTasks(ctx, &ecs.ListTasksInput{Cluster: &s.Cluster, ServiceName: &s.Green.Service, DesiredStatus: status})
				return err == nil && len(list.TaskArns) == 1
			}
		}
		update(t, ecs.UpdateServiceInput{DesiredCount: aws.Int32(1)})
		require.Eventually(t, has(container.DesiredStatusRunning), time.Minute, 20*time.Millisecond)
		update(t, ecs.UpdateServiceInput{DesiredCount: aws.Int32(0)})
		require.Eventually(t, has(container.DesiredStatusStopped), time.Minute, 20*time.Millisecond)
	}
	a.Measure = func(t *testing.T, c rollout.Colour, metric string, value float64, at time.Time) {
		measuring.Advance(at.Add(time.Second).Sub(measuring.Now()))
		group := map[rollout.Colour]string{rollout.Blue: s.Blue.TargetGroup, rollout.Green: s.Green.TargetGroup}[c]
		w.CloudWatch.Record("AWS/ApplicationELB", metric, map[string]string{
			"LoadBalancer": s.LoadBalancer[strings.Index(s.LoadBalancer, "loadbalancer/")+len("loadbalancer/"):],
			"TargetGroup":  group[strings.Index(group, "targetgroup/"):],
		}, value)
	}
	a.Alarm = alarms(w, measuring)
	a.Log = func(t *testing.T, c rollout.Colour, line string) {
		stream := string(c) + "/" + s.Container + "/0123456789abcdef"
		_, err := w.Logs.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &s.LogGroup, LogStreamName: &stream})
		if err != nil {
			require.ErrorAs(t, err, new(*logs.ResourceAlreadyExistsException))
		}
		_, err = w.Logs.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{LogGroupName: &s.LogGroup, LogStreamName: &stream,
			LogEvents: []logs.InputLogEvent{{Message: &line, Timestamp: aws.Int64(now.UnixMilli())}}})
		require.NoError(t, err)
	}
	return a
}

// told is what a stack tells its function.
func told(t *testing.T, g *graph.Graph) settings.Settings {
	t.Helper()
	environment := one(t, g, "aws:lambda/function:Function", "shift-function").Inputs["environment"].(map[string]any)
	s, err := settings.Parse(environment["variables"].(map[string]any)[settings.Variable].(string))
	require.NoError(t, err)
	return s
}

// register clones the declared revision of green, as the pipeline does.
func register(t *testing.T, w *bare.World, s settings.Settings, image, memory string) string {
	t.Helper()
	declared, err := w.ECS.DescribeTaskDefinition(t.Context(), &ecs.DescribeTaskDefinitionInput{TaskDefinition: &s.Green.TaskDefinition})
	require.NoError(t, err)
	d := declared.TaskDefinition
	in := &ecs.RegisterTaskDefinitionInput{Family: d.Family, Cpu: d.Cpu, Memory: d.Memory, NetworkMode: d.NetworkMode, TaskRoleArn: d.TaskRoleArn,
		ExecutionRoleArn: d.ExecutionRoleArn, RequiresCompatibilities: d.RequiresCompatibilities, RuntimePlatform: d.RuntimePlatform,
		Volumes: d.Volumes, ContainerDefinitions: append([]container.ContainerDefinition(nil), d.ContainerDefinitions...)}
	in.ContainerDefinitions[0].Image = &image
	if memory != "" {
		in.Memory = aws.String(map[bool]string{true: "2048", false: memory}[memory == *d.Memory])
	}
	out, err := w.ECS.RegisterTaskDefinition(t.Context(), in)
	require.NoError(t, err)
	return *out.TaskDefinition.TaskDefinitionArn
}

// alarms declares alarms and brings them, with those declared before, into their states.
func alarms(w *bare.World, measuring *clockwork.FakeClock) func(*testing.T, string, rollout.AlarmState) {
	values, states := map[string]float64{}, map[string]rollout.AlarmState{}
	return func(t *testing.T, name string, state rollout.AlarmState) {
		states[name] = state
		switch state {
		case rollout.AlarmRinging:
			values[name] = 9
		case rollout.AlarmOK:
			values[name] = 1
		}
		const typ = "aws:cloudwatch/metricAlarm:MetricAlarm"
		inputs := map[string]any{"name": name, "namespace": "test", "metricName": name, "statistic": "Sum", "period": 60, "evaluationPeriods": 1,
			"threshold": 5, "comparisonOperator": "GreaterThanThreshold"}
		require.NoError(t, w.Providers()[typ].Create(t.Context(), graph.Resource{URN: "urn:pulumi:test::shop::" + typ + "::" + name,
			Type: typ, Name: name, Custom: true, Inputs: inputs, Outputs: inputs}))
		for name, value := range values {
			w.CloudWatch.Record("test", name, nil, value)
		}
		measuring.Advance(time.Minute)
		require.Eventually(t, func() bool {
			out, err := w.CloudWatch.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{})
			reached := 0
			for _, a := range out.MetricAlarms {
				if string(a.StateValue) == string(states[*a.AlarmName]) {
					reached++
				}
			}
			return err == nil && reached == len(states)
		}, time.Minute, 10*time.Millisecond)
	}
}
