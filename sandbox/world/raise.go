package world

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/penguinshop/delivery/sandbox/appautoscaling"
	"github.com/penguinshop/delivery/sandbox/cache"
	"github.com/penguinshop/delivery/sandbox/clock"
	"github.com/penguinshop/delivery/sandbox/cloudwatch"
	"github.com/penguinshop/delivery/sandbox/codebuild"
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
	"github.com/penguinshop/delivery/sandbox/scratch"
	"github.com/penguinshop/delivery/sandbox/sns"
	"github.com/penguinshop/delivery/sandbox/ssm"
	"github.com/penguinshop/delivery/sandbox/tagging"
	"github.com/penguinshop/delivery/sandbox/target"
)

// baseImageVariable is the build's variable that names what the Dockerfile builds on. The sandbox replaces it where that
// image cannot be pulled.
const baseImageVariable = "BASE_IMAGE"

// raise starts the services, each with what it needs of the others.
func (w *World) raise(ctx context.Context, o Options, graphs []*graph.Graph) error {
	folder, err := scratch.New()
	if err != nil {
		return err
	}
	w.onClose("the run's folder", folder.Close)
	w.tellColours()
	layers, err := cache.Folder("registry")
	if err != nil {
		return err
	}
	if w.ECR, err = ecr.New(ecr.Options{Region: w.Region, Account: account, Clock: w.Clock, Journal: w.Journal, Folder: layers}); err != nil {
		return err
	}
	w.onClose("the registry", w.ECR.Close)

	engine, notes, err := container.Detect(ctx, container.Options{Engine: o.Engine, Registry: w.ECR.Host(), Progress: o.Say})
	if err != nil {
		return err
	}
	w.Engine = engine
	w.onClose(engine.Name(), engine.Close)
	for _, note := range notes {
		o.Say(note)
	}
	bases, err := w.baseImages(ctx, graphs)
	if err != nil {
		return err
	}

	w.Parameters = ssm.New(ssm.Options{Region: w.Region, Account: account, Clock: w.Clock})
	w.Tagging = tagging.New()
	w.Topics = sns.New(w.Journal)
	w.Events = events.New(events.Options{Region: w.Region, Account: account, Clock: w.Clock, Journal: w.Journal, Invoke: w.invoke("events.amazonaws.com")})
	w.onClose("EventBridge", w.Events.Close)
	w.CloudWatch = cloudwatch.New(cloudwatch.Options{Region: w.Region, Account: account, Clock: w.Clock, Journal: w.Journal,
		Slot: clock.Lasting(w.Clock, time.Second)})
	w.CloudWatch.OnAlarm(w.alarm)
	w.onClose("CloudWatch", w.CloudWatch.Close)
	w.Logs = logs.New(logs.Options{Region: w.Region, Account: account, Clock: w.Clock, Metrics: w.CloudWatch})
	if w.ELB, err = elb.New(elb.Options{Clock: w.Clock, Meter: w.CloudWatch.Meter(), Journal: w.Journal, FirstPort: cmp.Or(o.Port, preferredPort), FixedPorts: o.Port != 0}); err != nil {
		return err
	}
	w.onClose("the load balancers", w.ELB.Close)
	w.Client = w.ELB.Client()
	w.ECS = ecs.New(ecs.Options{Region: w.Region, Account: account, Clock: w.Clock, Journal: w.Journal, Engine: engine,
		Images: (&images{registry: w.ECR, note: w.note}).find, TargetGroups: w.ELB, Parameters: w.Parameters, Logs: w.Logs})
	w.onClose("ECS", w.ECS.Close)
	w.Scaling = appautoscaling.New(appautoscaling.Options{Region: w.Region, Account: account, Clock: w.Clock, Journal: w.Journal, ECS: w.ECS, Metrics: w.CloudWatch})
	w.onClose("Application Auto Scaling", w.Scaling.Close)
	w.Scheduler = scheduler.New(scheduler.Options{Region: w.Region, Account: account, Clock: w.Clock, Journal: w.Journal, Invoke: w.invoke("")})
	w.onClose("EventBridge Scheduler", w.Scheduler.Close)
	w.Functions = lambda.New(lambda.Config{Clock: w.Clock, Journal: w.Journal, Clients: w.Clients, Log: w.functionLog})
	w.onClose("Lambda", w.Functions.Close)
	w.Builds = codebuild.New(codebuild.Config{Journal: w.Journal, Folder: folder.Path, Region: w.Region, Registry: w.ECR,
		InstallDocker: engine.InstallCLI, StandIn: func(_ context.Context, name, declared string) (string, error) {
			if base, replaced := bases[declared]; replaced && name == baseImageVariable {
				return base, nil
			}
			return w.ECR.Local(declared), nil
		}})
	w.Pipelines = codepipeline.New(codepipeline.Config{Clock: w.Clock, Journal: w.Journal, Region: w.Region, Account: account,
		Folder: filepath.Join(folder.Path, "artifacts"), Repository: w.Repository, Builds: w.Builds, Functions: w.Functions,
		Services: deployments{w.ECS, w.ECR}, Events: w.Events, Topics: w.Topics})
	w.onClose("CodePipeline", w.Pipelines.Close)

	w.engine.providers = w.Providers()
	return nil
}

// baseImages finds what the declared builds build on, by the declared name, and says what stands in for it.
func (w *World) baseImages(ctx context.Context, graphs []*graph.Graph) (map[string]string, error) {
	bases := map[string]string{}
	for _, g := range graphs {
		for _, r := range g.OfType(codebuild.ProjectType) {
			project, err := graph.Decode[struct {
				Environment struct {
					Variables []struct {
						Name  string `json:"name"`
						Value string `json:"value"`
					} `json:"environmentVariables"`
				} `json:"environment"`
			}](r)
			if err != nil {
				return nil, err
			}
			for _, v := range project.Environment.Variables {
				if v.Name != baseImageVariable {
					continue
				}
				base, note, err := w.Engine.BaseImage(ctx, v.Value)
				if err != nil {
					return nil, err
				}
				if note != "" {
					w.say(note)
				}
				bases[v.Value] = base
			}
		}
	}
	return bases, nil
}

// functionLog puts a function's line into its log group.
func (w *World) functionLog(group, stream, line string) {
	ctx := context.Background()
	w.Journal.Add(journal.Entry{Service: "lambda", Kind: "log", Text: line, Fields: map[string]any{"group": group, "stream": stream}})
	_, err := w.Logs.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: &group, LogStreamName: &stream})
	if exists := (*types.ResourceAlreadyExistsException)(nil); err != nil && !errors.As(err, &exists) {
		w.note("the log group " + group + " takes no line: " + err.Error())
		return
	}
	if _, err := w.Logs.PutLogEvents(ctx, &cloudwatchlogs.PutLogEventsInput{LogGroupName: &group, LogStreamName: &stream,
		LogEvents: []types.InputLogEvent{{Message: &line, Timestamp: aws.Int64(w.Clock.Now().UnixMilli())}}}); err != nil {
		w.note("the log group " + group + " takes no line: " + err.Error())
	}
}

// alarm tells EventBridge of an alarm's change of state, and the functions and topics that the alarm names.
func (w *World) alarm(c cloudwatch.AlarmStateChange) {
	err := w.Events.Emit("aws.cloudwatch", "CloudWatch Alarm State Change", []string{c.ARN}, c.Detail())
	for _, action := range c.Actions {
		if strings.Contains(action, ":lambda:") {
			err = errors.Join(err, w.Functions.InvokeFor(context.Background(), "lambda.alarms.cloudwatch.amazonaws.com", c.ARN, action, c.LambdaEvent()))
		}
		if strings.Contains(action, ":sns:") {
			err = errors.Join(err, w.Topics.Publish(action, sns.Message{Subject: fmt.Sprintf("%s: %q", c.State.Value, c.Name), Text: c.State.Reason}))
		}
	}
	if err != nil {
		w.note(fmt.Sprintf("the alarm %s tells nobody: %s", c.Name, err))
	}
}

// invoke hands payloads to functions and topics by their ARN; principal is the service that needs the function's permission, empty for
// one that comes with a role.
func (w *World) invoke(principal string) target.Invoke {
	return func(ctx context.Context, source, arn string, payload []byte) error {
		if strings.Contains(arn, ":sns:") {
			return w.Topics.Publish(arn, sns.Message{Text: string(payload)})
		}
		if !strings.Contains(arn, ":lambda:") {
			return fmt.Errorf("%w: %s", target.ErrNotFound, arn)
		}
		if principal == "" {
			return w.Functions.InvokeAsync(ctx, arn, payload)
		}
		return w.Functions.InvokeFor(ctx, principal, source, arn, payload)
	}
}

// settling is how long the environments may take to answer at first, on the machine's clock.
const settling = 2 * time.Minute

// answering waits until every environment answers a user.
func (w *World) answering(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, settling, errors.New("it does not answer"))
	defer cancel()
	for i := range w.Environments {
		e := &w.Environments[i]
		var err error
		if e.Address, err = w.address(*e); err != nil {
			return err
		}
		for {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.URL+"/", nil)
			if err != nil {
				return err
			}
			answer, err := w.Client.Do(request)
			if err == nil {
				err = answer.Body.Close()
			}
			if err == nil && answer.StatusCode == http.StatusOK {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("environment %s at %s: %w (last: %v)", e.Name, e.URL, context.Cause(ctx), err)
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return nil
}
