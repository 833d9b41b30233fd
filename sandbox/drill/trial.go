package drill

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"github.com/penguinshop/delivery/sandbox/lambda"
	"github.com/penguinshop/delivery/sandbox/world"
)

// trial is one run of a drill.
type trial struct {
	*Ground
	drill Drill
	// stable has the traffic when the drill begins; a release goes to the candidate.
	stable, candidate string
	sequence          int // the journal's, when the drill began
	outcome           Outcome
	problems          []string
	undos             []func()
}

// begin remembers where the world stands.
func (t *trial) begin(ctx context.Context) error {
	weights, err := t.world.Weights(ctx, t.environment())
	if err != nil {
		return err
	}
	t.stable = weights.Live()
	t.candidate = other(t.stable)
	if entries := t.world.Journal.Since(0); len(entries) > 0 {
		t.sequence = entries[len(entries)-1].Sequence
	}
	return nil
}

// after notes what ends with the drill.
func (t *trial) after(undo func()) { t.undos = append(t.undos, undo) }

func (t *trial) undo() {
	for _, undo := range slices.Backward(t.undos) {
		undo()
	}
}

// wrong notes what was not as promised.
func (t *trial) wrong(format string, args ...any) {
	t.problems = append(t.problems, fmt.Sprintf(format, args...))
}

// delivery is one execution of the pipeline.
type delivery struct {
	*trial
	execution, commit string
}

// deliver commits a release with the fault and starts its delivery.
func (t *trial) deliver(ctx context.Context, f fault) (*delivery, error) {
	commit, err := t.checkout.commit(ctx, f)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	t.tally.broken = f != good
	t.mu.Unlock()
	execution, err := t.world.Start(ctx)
	return &delivery{t, execution, commit}, err
}

// reaches waits until the release has at least that share of the traffic. A delivery that ends before is an error.
func (d *delivery) reaches(ctx context.Context, percent int) error {
	return d.until(ctx, fmt.Sprintf("the release has %d %% of the traffic", percent), func() (bool, error) {
		weights, err := d.world.Weights(ctx, d.environment())
		if err != nil || of(weights, d.candidate) >= percent {
			return err == nil, err
		}
		return false, d.running(ctx)
	})
}

// begins waits until an action of the environment's stage runs.
func (d *delivery) begins(ctx context.Context, action string) error {
	return d.until(ctx, action+" begins", func() (bool, error) {
		listed, err := d.world.Pipelines.ListActionExecutions(ctx, &codepipeline.ListActionExecutionsInput{PipelineName: &d.world.Pipeline,
			Filter: &types.ActionExecutionFilter{PipelineExecutionId: &d.execution}})
		if err != nil {
			return false, err
		}
		for _, a := range listed.ActionExecutionDetails {
			if *a.StageName == environmentName && *a.ActionName == action {
				return true, nil
			}
		}
		return false, d.running(ctx)
	})
}

func (d *delivery) running(ctx context.Context) error {
	out, err := d.world.Pipelines.GetPipelineExecution(ctx, &codepipeline.GetPipelineExecutionInput{PipelineName: &d.world.Pipeline, PipelineExecutionId: &d.execution})
	if err == nil && out.PipelineExecution.Status != types.PipelineExecutionStatusInProgress {
		err = fmt.Errorf("the delivery ended too soon, as %s", out.PipelineExecution.Status)
	}
	return err
}

// end waits for the delivery's end and tells what it was.
func (d *delivery) end(ctx context.Context) error {
	_, err := d.world.Follow(ctx, d.execution, nil, nil)
	var failed *world.FailedDelivery
	if err != nil && !errors.As(err, &failed) {
		return err
	}
	weights, err := d.world.Weights(ctx, d.environment())
	if err != nil {
		return err
	}
	share := of(weights, d.candidate)
	switch {
	case failed == nil && share == 100:
		d.outcome = Promoted
	case failed != nil && strings.Contains(failed.Message, "HALTED"):
		d.outcome = Halted
	case failed != nil && share == 0:
		d.outcome = RolledBack
	default:
		d.outcome = Outcome(fmt.Sprintf("ended at blue %d, green %d", weights.Blue, weights.Green))
	}
	if failed != nil {
		d.options.Say(failed.Error())
	}
	if failed != nil && share == 0 && !strings.Contains(failed.Message, fmt.Sprintf("blue %d, green %d", weights.Blue, weights.Green)) {
		d.wrong("the message does not say that traffic is at blue %d, green %d: %s", weights.Blue, weights.Green, failed.Message)
	}
	if d.outcome == Promoted {
		version, err := d.world.Version(ctx, d.environment())
		if err != nil {
			return err
		}
		if version != d.commit {
			d.wrong("users are answered by commit %.9s, not by %.9s", version, d.commit)
		}
	}
	return nil
}

// judge compares what was measured with what is promised; reach is the highest share of the traffic that the release had.
func (t *trial) judge(reach int) Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	tally := &t.tally
	r := Result{Drill: t.drill.Name, Expected: t.drill.Expected, Outcome: t.outcome, Requests: tally.requests, Failed: tally.failed,
		BadVersionRequests: tally.bad, SecondsToSafety: tally.last.Sub(tally.first).Seconds()}
	r.Failures = counted(tally.failures)
	if t.outcome != t.drill.Expected {
		t.wrong("it was to be %s, and was %s", t.drill.Expected, t.outcome)
	}
	if reach > t.drill.Reach {
		t.wrong("the release had %d %% of the traffic, and %d %% is the most that it may get", reach, t.drill.Reach)
	}
	if float64(tally.failed) > t.drill.Lost/100*float64(tally.requests) {
		t.wrong("%d of %d users' requests failed, at most %g %% may (%s)", tally.failed, tally.requests, t.drill.Lost, r.Failures)
	}
	if tally.requests == 0 {
		t.wrong("no user's request was counted")
	}
	r.Problems, r.Passed = t.problems, len(t.problems) == 0
	return r
}

func counted(failures map[string]int) string {
	var parts []string
	for _, failure := range slices.Sorted(maps.Keys(failures)) {
		parts = append(parts, fmt.Sprintf("%d × %s", failures[failure], failure))
	}
	return strings.Join(parts, ", ")
}

// reach is the highest share that the candidate had during the drill.
func (t *trial) reach() int {
	highest := 0
	for _, e := range t.world.Journal.Since(t.sequence) {
		if share, weights := e.Fields[t.candidate].(int); weights && e.Service == "world" && e.Kind == "weights" {
			highest = max(highest, share)
		}
	}
	return highest
}

// tasks are the running tasks of a colour.
func (t *trial) tasks(ctx context.Context, colour string) ([]string, error) {
	e := t.environment()
	service := e.BlueServiceName
	if colour == "green" {
		service = e.GreenServiceName
	}
	listed, err := t.world.ECS.ListTasks(ctx, &ecs.ListTasksInput{Cluster: &e.ClusterName, ServiceName: &service})
	if err != nil {
		return nil, err
	}
	return listed.TaskArns, nil
}

// kill ends the containers of up to so many tasks of a colour, as a crash would.
func (t *trial) kill(ctx context.Context, colour string, most int) error {
	tasks, err := t.tasks(ctx, colour)
	if err != nil {
		return err
	}
	killed := 0
	for _, task := range tasks[:min(most, len(tasks))] {
		if t.world.ECS.KillTask(ctx, task) == nil { // a task that has no container yet, or none any more, cannot crash
			killed++
		}
	}
	if killed == 0 {
		return fmt.Errorf("no task of %s runs", colour)
	}
	return nil
}

// healthy counts the healthy targets of a colour.
func (t *trial) healthy(ctx context.Context, colour string) (int, error) {
	group := t.environment().BlueTargetGroupARN
	if colour == "green" {
		group = t.environment().GreenTargetGroupARN
	}
	out, err := t.world.ELB.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &group})
	if err != nil {
		return 0, err
	}
	healthy := 0
	for _, target := range out.TargetHealthDescriptions {
		if target.TargetHealth.State == elbtypes.TargetHealthStateEnumHealthy {
			healthy++
		}
	}
	return healthy, nil
}

// meddle puts b before each call that shiftfn makes from now on, until the drill ends.
func (t *trial) meddle(b before) {
	t.after(t.world.Functions.Wrap(func(next lambda.Program) lambda.Program {
		return func(ctx context.Context, i lambda.Invocation) error {
			i.Clients = meddle(i.Clients, b)
			return next(ctx, i)
		}
	}))
}

// errKilled is what Lambda says of a process that was ended.
var errKilled = errors.New("the process was ended by a drill")

// kills ends an invocation's process before the call for which deadly says so. What that process would still do reaches
// nobody: it is over.
func (t *trial) kills(deadly func(i lambda.Invocation, operation string) bool) {
	t.after(t.world.Functions.Wrap(func(next lambda.Program) lambda.Program {
		return func(ctx context.Context, i lambda.Invocation) error {
			ctx, end := context.WithCancel(ctx)
			defer end()
			var dead atomic.Bool
			killed := make(chan struct{})
			i.Clients = meddle(i.Clients, func(_ context.Context, operation string) error {
				if dead.Load() {
					return errKilled
				}
				if deadly(i, operation) && dead.CompareAndSwap(false, true) {
					close(killed)
					end()
					return errKilled
				}
				return nil
			})
			log := i.Log
			i.Log = func(line string) {
				if !dead.Load() {
					log(line)
				}
			}
			ended := make(chan error, 1)
			go func() { ended <- next(ctx, i) }()
			select {
			case err := <-ended:
				return err
			case <-killed:
				return errKilled
			}
		}
	}))
}
