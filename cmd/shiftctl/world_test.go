package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/applicationautoscaling"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	sdkpipeline "github.com/aws/aws-sdk-go-v2/service/codepipeline"
	sdkecr "github.com/aws/aws-sdk-go-v2/service/ecr"
	sdkecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	sdkelb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	sdklambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	sdkscheduler "github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"

	"github.com/penguinshop/delivery/operator"
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
	"github.com/penguinshop/delivery/shiftfn/adapter"
	"github.com/penguinshop/delivery/stacks"
)

const (
	region  = "eu-central-1"
	account = "123456789012"
	images  = account + ".dkr.ecr." + region + ".amazonaws.com/penguinshop-dev"
	// speed is how many times faster than the machine's the world's clock runs.
	speed = 100
)

// world is the sandbox's services holding what the program declares for dev and shared, and served to shiftctl over HTTP. Images
// are not run: the responder that stands in for what cannot be pulled answers in their place.
type world struct {
	t         *testing.T
	ecr       *ecr.Service
	pipelines *codepipeline.Service
	ecs       *ecs.Service
	services  map[string]any
	exports   map[string]map[string]any // by stack
	pipeline  string
	commits   int
}

// loopback is an engine that is never asked to start anything: it only says where the task metadata endpoint is.
type loopback struct{ container.Engine }

func (loopback) Listen(ctx context.Context) (net.Listener, string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	return listener, "127.0.0.1", err
}

// open raises the world with dev's policy for its releases; without one dev takes them in place.
func open(t *testing.T, policy string) *world {
	w := &world{t: t, exports: map[string]map[string]any{}}
	c := clock.Scaled(speed)
	j := journal.New(c)
	project, err := graph.Load(filepath.Join("..", ".."))
	require.NoError(t, err)
	own, strategy := []graph.Option{graph.WithConfig("dev", map[string]string{"penguinshop:rollout": policy})}, "blueGreen"
	if policy == "" {
		strategy = "rolling"
		own = []graph.Option{graph.WithoutConfig("dev", "penguinshop:rollout"), graph.WithConfig("dev", map[string]string{"penguinshop:strategy": strategy})}
	}
	graphs, err := project.RunAll(t.Context(), stacks.Declare, append(own, graph.WithAccount(account),
		graph.WithConfig("shared", map[string]string{"penguinshop:environments": `[{"name":"dev","approval":true,"strategy":"` + strategy + `"}]`}))...)
	require.NoError(t, err)

	var functions *lambda.Service
	invoke := func(ctx context.Context, _, arn string, payload []byte) error {
		return functions.InvokeAsync(ctx, arn, payload)
	}
	closed := func(closer func() error) { t.Cleanup(func() { require.NoError(t, closer()) }) }
	w.ecr, err = ecr.New(ecr.Options{Region: region, Account: account, Clock: c, Folder: t.TempDir()})
	require.NoError(t, err)
	closed(w.ecr.Close)
	log := logs.New(logs.Options{Region: region, Account: account, Clock: c})
	parameters := ssm.New(ssm.Options{Region: region, Account: account, Clock: c})
	bus := events.New(events.Options{Region: region, Account: account, Clock: c, Journal: j, Invoke: invoke})
	closed(bus.Close)
	metrics := cloudwatch.New(cloudwatch.Options{Region: region, Account: account, Clock: c, Journal: j})
	closed(metrics.Close)
	balancers, err := elb.New(elb.Options{Clock: c, Meter: metrics.Meter(), Journal: j})
	require.NoError(t, err)
	closed(balancers.Close)
	w.ecs = ecs.New(ecs.Options{Region: region, Account: account, Clock: c, Journal: j, Engine: loopback{}, TargetGroups: balancers,
		Parameters: parameters, Logs: log,
		Images: func(_ context.Context, image string) (ecs.Image, error) {
			if strings.Contains(image, "absent") {
				return ecs.Image{}, errors.New("not found")
			}
			return ecs.Image{}, ecs.ErrForeign
		}})
	closed(w.ecs.Close)
	scaling := appautoscaling.New(appautoscaling.Options{Region: region, Account: account, Clock: c, Journal: j, ECS: w.ecs, Metrics: metrics})
	closed(scaling.Close)
	schedules := scheduler.New(scheduler.Options{Region: region, Account: account, Clock: c, Journal: j, Invoke: invoke})
	closed(schedules.Close)
	clients := func() adapter.Clients {
		return adapter.Clients{ELB: balancers, ECS: w.ecs, Scaling: scaling, CloudWatch: metrics, Logs: log, CodePipeline: w.pipelines,
			Parameters: parameters, Scheduler: schedules, EventBridge: bus, HTTP: balancers.Client()}
	}
	functions = lambda.New(lambda.Config{Clock: c, Journal: j, Clients: clients, Log: func(group, stream, line string) { keep(c, log, group, stream, line) }})
	closed(functions.Close)
	w.pipelines = codepipeline.New(codepipeline.Config{Clock: c, Journal: j, Region: region, Account: account, Folder: t.TempDir(),
		Repository: w, Builds: w, Functions: functions, Services: w.ecs})
	closed(w.pipelines.Close)

	providers := map[string]graph.Provider{}
	for _, service := range []interface {
		Providers() map[string]graph.Provider
	}{balancers, w.ecs, w.ecr, scaling, metrics, log, parameters, schedules, bus, functions, w.pipelines} {
		maps.Copy(providers, service.Providers())
	}
	var declared []*graph.Graph
	for _, g := range graphs {
		if g.Stack != "dev" && g.Stack != "shared" {
			continue
		}
		declared = append(declared, g)
		w.exports[g.Stack] = g.Exports
		for _, r := range g.Ordered() {
			if provider := providers[r.Type]; provider != nil && !r.Read {
				require.NoError(t, provider.Create(t.Context(), r), r.URN)
			}
		}
	}
	w.pipeline = w.exports["shared"]["pipelineName"].(string)
	tags := tagging.New()
	require.NoError(t, tags.Declare(declared...))
	w.services = map[string]any{
		sdkelb.ServiceID: balancers, sdkecs.ServiceID: w.ecs, applicationautoscaling.ServiceID: scaling, cloudwatchlogs.ServiceID: log,
		sdkpipeline.ServiceID: w.pipelines, sdkscheduler.ServiceID: schedules, resourcegroupstaggingapi.ServiceID: tags,
		sdklambda.ServiceID: functions, sdkecr.ServiceID: w.ecr,
	}
	w.serve(c)
	w.until("the first side runs", func(s operator.Status) bool {
		side := s.Sides[0]
		return side.Running != nil && *side.Running > 0 && (policy == "" || side.Targets != nil && side.Targets.Healthy > 0)
	})
	return w
}

func keep(c clock.Clock, log *logs.Service, group, stream, line string) {
	ctx := context.Background()
	_, _ = log.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &group, LogStreamName: &stream}) // it may be there
	_, _ = log.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{LogGroupName: &group, LogStreamName: &stream,
		LogEvents: []types.InputLogEvent{{Message: &line, Timestamp: aws.Int64(c.Now().UnixMilli())}}})
}

// serve announces the world as a running sandbox does.
func (w *world) serve(c clock.Clock) {
	w.t.Setenv("XDG_RUNTIME_DIR", w.t.TempDir())
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		wire.Handler("secret", w.services).ServeHTTP(rw, r)
	}))
	w.t.Cleanup(server.Close)
	withdraw, err := wire.Announce(wire.Session{Address: strings.TrimPrefix(server.URL, "http://"), Token: "secret", PID: os.Getpid(), Region: region,
		Started: time.Now(), Clock: c.Now(), Scale: speed,
		Pages: map[string]string{w.exports["dev"]["url"].(string): "http://127.0.0.1:8080"}})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { require.NoError(w.t, withdraw()) })
}

// Head, Commit and Export make the world the source's repository: every release is a commit of its own.
func (w *world) Head(ctx context.Context, _ string) (codepipeline.Commit, error) {
	w.commits++
	return w.Commit(ctx, fmt.Sprintf("%040x", w.commits))
}

func (w *world) Commit(_ context.Context, id string) (codepipeline.Commit, error) {
	return codepipeline.Commit{ID: id, Message: "Sell more penguins\n\nBigger ones.", Author: "Ann", AuthorEmail: "ann@example.com", Date: time.Unix(0, 0)}, nil
}

func (w *world) Export(context.Context, string, string) error { return nil }

// Build pushes an image under the commit's name and hands its digest on, as the buildspec does.
func (w *world) Build(_ context.Context, b codepipeline.Build) (codepipeline.Built, error) {
	image, err := random.Image(64, 1)
	if err != nil {
		return codepipeline.Built{}, err
	}
	ref, err := name.ParseReference(w.ecr.Host()+"/penguinshop-dev:"+b.Commit, name.Insecure)
	if err != nil {
		return codepipeline.Built{}, err
	}
	if err := remote.Write(ref, image); err != nil {
		return codepipeline.Built{}, err
	}
	digest, err := image.Digest()
	if err != nil {
		return codepipeline.Built{}, err
	}
	uri := images + "@" + digest.String()
	for _, folder := range b.Artifacts {
		if err := os.WriteFile(filepath.Join(folder, "imagedefinitions.json"), []byte(`[{"name":"app","imageUri":"`+uri+`"}]`), 0o600); err != nil {
			return codepipeline.Built{}, err
		}
	}
	return codepipeline.Built{ID: b.Project + ":1", Variables: map[string]string{
		"IMAGE_DIGEST": digest.String(), "IMAGE_URI": uri, "COMMIT": b.Commit, "TEST_RESULT": "41 of 41 tests passed"}}, nil
}

// release starts the pipeline and returns the execution.
func (w *world) release() string {
	out, err := w.pipelines.StartPipelineExecution(w.t.Context(), &sdkpipeline.StartPipelineExecutionInput{Name: &w.pipeline})
	require.NoError(w.t, err)
	return aws.ToString(out.PipelineExecutionId)
}

// said is what a command wrote, and its exit code.
type said struct {
	out, err string
	code     int
}

// shiftctl runs the command as main does, with in typed.
func (w *world) shiftctl(in string, args ...string) said {
	w.t.Helper()
	var out, err bytes.Buffer
	c := command()
	c.SetIn(strings.NewReader(in))
	c.SetOut(&out)
	c.SetErr(&err)
	code := execute(w.t.Context(), c, args)
	return said{out.String(), err.String(), code}
}

// sandbox is shiftctl with --sandbox, nothing typed.
func (w *world) sandbox(args ...string) said {
	w.t.Helper()
	return w.shiftctl("", append(args, "--sandbox")...)
}

// status is dev's, as JSON tells it.
func (w *world) status() operator.Status {
	w.t.Helper()
	got := w.sandbox("status", "dev", "--json")
	var all []operator.Status
	require.NoError(w.t, json.Unmarshal([]byte(got.out), &all), "%s%s", got.out, got.err)
	require.Len(w.t, all, 1)
	return all[0]
}

// until waits for a status; one that cannot be read ends the test.
func (w *world) until(what string, wished func(operator.Status) bool) operator.Status {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		s := w.status()
		if wished(s) {
			return s
		}
		if time.Now().After(deadline) {
			text, _ := json.Marshal(s)
			require.FailNow(w.t, "not seen: "+what, string(text))
		}
	}
}

// asked waits for the approval of a release.
func (w *world) asked() {
	w.t.Helper()
	w.until("an approval is asked for", func(s operator.Status) bool { return s.Rollout != nil && s.Rollout.Action == "approve" })
}

// outputs writes a stack's outputs as `pulumi stack output --json` prints them.
func (w *world) outputs(stack string) string {
	text, err := json.Marshal(w.exports[stack])
	require.NoError(w.t, err)
	file := filepath.Join(w.t.TempDir(), stack+".json")
	require.NoError(w.t, os.WriteFile(file, text, 0o600))
	return file
}
