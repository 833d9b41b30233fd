// Package bare raises the sandbox's services for a test, holding what stacks declare, without a container engine: in the place
// of images that cannot be pulled answers the responder that stands in for them.
package bare

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/sandbox/appautoscaling"
	"github.com/penguinshop/delivery/sandbox/clock"
	"github.com/penguinshop/delivery/sandbox/cloudwatch"
	"github.com/penguinshop/delivery/sandbox/codepipeline"
	"github.com/penguinshop/delivery/sandbox/container"
	"github.com/penguinshop/delivery/sandbox/ecr"
	"github.com/penguinshop/delivery/sandbox/ecs"
	"github.com/penguinshop/delivery/sandbox/elb"
	"github.com/penguinshop/delivery/sandbox/events"
	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/sandbox/journal"
	"github.com/penguinshop/delivery/sandbox/lambda"
	"github.com/penguinshop/delivery/sandbox/logs"
	"github.com/penguinshop/delivery/sandbox/scheduler"
	"github.com/penguinshop/delivery/sandbox/ssm"
	"github.com/penguinshop/delivery/sandbox/tagging"
	"github.com/penguinshop/delivery/sandbox/wire"
	"github.com/penguinshop/delivery/sandbox/world"
)

// The account and region that the services stand for.
const (
	Account = "123456789012"
	Region  = "eu-central-1"
)

// Options say what the services hold and by which clocks they go.
type Options struct {
	Graphs []*graph.Graph
	// Clock is the services' time. Tasks, where it is set, is that of tasks, targets and their scaling, and Metrics that of CloudWatch.
	Clock, Tasks, Metrics clock.Clock
	// Engine runs the images that Images finds. Without them every image is one of another registry.
	Engine container.Engine
	Images ecs.Images
	// Repository and Builds are what a declared pipeline reads and runs; nil where none is started.
	Repository codepipeline.Repository
	Builds     codepipeline.Builds
}

// World is the services of one account and region.
type World struct {
	world.Services
	// Served are the services that Session reaches, by the SDK's names of them.
	Served map[string]any
	// Session reaches the services over HTTP, as those of a running sandbox.
	Session wire.Session
}

// loopback is an engine that is never asked to start anything: it only says where the task metadata endpoint is.
type loopback struct{ container.Engine }

func (loopback) Listen(ctx context.Context) (net.Listener, string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	return listener, "127.0.0.1", err
}

// foreign finds no image but those of other registries.
func foreign(_ context.Context, image string) (ecs.Image, error) {
	if strings.Contains(image, "absent") {
		return ecs.Image{}, errors.New("not found")
	}
	return ecs.Image{}, ecs.ErrForeign
}

// Raise starts the services and creates in them what is declared. They end with the test.
func Raise(t *testing.T, o Options) *World {
	t.Helper()
	w := &World{}
	tasks, measuring, j := cmp.Or(o.Tasks, o.Clock), cmp.Or(o.Metrics, o.Clock), journal.New(o.Clock)
	closed := func(closer func() error) { t.Cleanup(func() { require.NoError(t, closer()) }) }
	invoke := func(ctx context.Context, _, arn string, payload []byte) error {
		return w.Functions.InvokeAsync(ctx, arn, payload)
	}
	var err error
	w.ECR, err = ecr.New(ecr.Options{Region: Region, Account: Account, Clock: o.Clock, Folder: t.TempDir()})
	require.NoError(t, err)
	closed(w.ECR.Close)
	w.Logs = logs.New(logs.Options{Region: Region, Account: Account, Clock: o.Clock})
	w.Parameters = ssm.New(ssm.Options{Region: Region, Account: Account, Clock: o.Clock})
	w.Events = events.New(events.Options{Region: Region, Account: Account, Clock: o.Clock, Journal: j, Invoke: invoke})
	closed(w.Events.Close)
	w.CloudWatch = cloudwatch.New(cloudwatch.Options{Region: Region, Account: Account, Clock: measuring, Journal: j})
	closed(w.CloudWatch.Close)
	w.ELB, err = elb.New(elb.Options{Clock: tasks, Meter: w.CloudWatch.Meter(), Journal: j})
	require.NoError(t, err)
	closed(w.ELB.Close)
	w.Client = w.ELB.Client()
	if o.Engine == nil {
		o.Engine, o.Images = loopback{}, foreign
	}
	w.ECS = ecs.New(ecs.Options{Region: Region, Account: Account, Clock: tasks, Journal: j, Engine: o.Engine, Images: o.Images,
		TargetGroups: w.ELB, Parameters: w.Parameters, Logs: w.Logs})
	closed(w.ECS.Close)
	w.Scaling = appautoscaling.New(appautoscaling.Options{Region: Region, Account: Account, Clock: tasks, Journal: j, ECS: w.ECS, Metrics: w.CloudWatch})
	closed(w.Scaling.Close)
	w.Scheduler = scheduler.New(scheduler.Options{Region: Region, Account: Account, Clock: o.Clock, Journal: j, Invoke: invoke})
	closed(w.Scheduler.Close)
	w.Functions = lambda.New(lambda.Config{Clock: o.Clock, Journal: j, Clients: w.Clients, Log: w.keep(o.Clock)})
	closed(w.Functions.Close)
	w.Pipelines = codepipeline.New(codepipeline.Config{Clock: o.Clock, Journal: j, Region: Region, Account: Account, Folder: t.TempDir(),
		Repository: o.Repository, Builds: o.Builds, Functions: w.Functions, Services: w.ECS})
	closed(w.Pipelines.Close)
	providers := w.Providers()
	for _, g := range o.Graphs {
		for _, r := range g.Ordered() {
			if provider := providers[r.Type]; provider != nil && !r.Read {
				require.NoError(t, provider.Create(t.Context(), r), r.URN)
			}
		}
	}
	w.Tagging = tagging.New()
	require.NoError(t, w.Tagging.Declare(o.Graphs...))
	w.Served = w.API()
	server := httptest.NewServer(wire.Handler("secret", w.Served))
	t.Cleanup(server.Close)
	w.Session = wire.Session{Address: strings.TrimPrefix(server.URL, "http://"), Token: "secret", PID: os.Getpid(), Region: Region,
		Started: time.Now(), Clock: o.Clock.Now()}
	return w
}

// keep puts a function's lines into its log group.
func (w *World) keep(c clock.Clock) func(group, stream, line string) {
	return func(group, stream, line string) {
		ctx := context.Background()
		_, _ = w.Logs.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &group, LogStreamName: &stream}) // it may be there
		_, _ = w.Logs.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{LogGroupName: &group, LogStreamName: &stream,
			LogEvents: []types.InputLogEvent{{Message: &line, Timestamp: aws.Int64(c.Now().UnixMilli())}}})
	}
}
