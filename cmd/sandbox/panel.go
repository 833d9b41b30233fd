package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/penguinshop/delivery/operator"
	"github.com/penguinshop/delivery/sandbox/cloudwatch"
	"github.com/penguinshop/delivery/sandbox/console"
	"github.com/penguinshop/delivery/sandbox/journal"
	"github.com/penguinshop/delivery/sandbox/world"
)

// panel is what the browser console shows and drives: the running world, by an operator's eyes.
type panel struct {
	world    *world.World
	delivery *operator.Delivery
	previews map[string]string // URLs by environment
	drills   *practice

	mu      sync.Mutex
	weights map[string][]weightsAt // by environment, the oldest first
}

type weightsAt struct {
	at time.Time
	world.Weights
}

// shown is how many seconds of traffic the charts show.
const shown = 180

func newPanel(ctx context.Context, w *world.World) (*panel, error) {
	delivery, err := w.Operator(ctx)
	if err != nil {
		return nil, err
	}
	p := &panel{world: w, delivery: delivery, previews: map[string]string{}, weights: map[string][]weightsAt{}}
	for _, e := range w.Environments {
		now, err := w.Weights(ctx, e)
		if err != nil {
			return nil, err
		}
		p.weights[e.Name] = []weightsAt{{w.Clock.Now(), now}}
	}
	return p, nil
}

// watch keeps the history of the weights until ctx ends.
func (p *panel) watch(ctx context.Context) {
	entries, unsubscribe := p.world.Journal.Subscribe()
	defer unsubscribe()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-entries:
			b, isBlue := e.Fields["blue"].(int)
			g, isGreen := e.Fields["green"].(int)
			if e.Service != "world" || e.Kind != "weights" || !isBlue || !isGreen {
				continue
			}
			p.mu.Lock()
			p.weights[e.Environment] = append(p.weights[e.Environment], weightsAt{e.Time, world.Weights{Blue: b, Green: g}})
			p.mu.Unlock()
		}
	}
}

// Journal is the world's.
func (p *panel) Journal() *journal.Journal { return p.world.Journal }

// State is the present moment.
func (p *panel) State(ctx context.Context) (console.State, error) {
	pipeline, err := p.pipeline(ctx)
	if err != nil {
		return console.State{}, err
	}
	s := console.State{Now: p.world.Clock.Now(), Scale: p.world.Scale(), Runtime: p.world.Engine.Name(), Pipeline: pipeline, Drills: p.drills.list()}
	for _, status := range p.delivery.Look(ctx) {
		i := slices.IndexFunc(p.world.Environments, func(e world.Environment) bool { return e.Name == status.Environment })
		if i < 0 {
			continue
		}
		e, err := p.environment(ctx, p.world.Environments[i], status)
		if err != nil {
			return console.State{}, err
		}
		s.Environments = append(s.Environments, e)
	}
	return s, nil
}

func (p *panel) pipeline(ctx context.Context) (console.Pipeline, error) {
	name := &p.world.Pipeline
	state, err := p.world.Pipelines.GetPipelineState(ctx, &codepipeline.GetPipelineStateInput{Name: name})
	if err != nil {
		return console.Pipeline{}, err
	}
	declared, err := p.world.Pipelines.GetPipeline(ctx, &codepipeline.GetPipelineInput{Name: name})
	if err != nil {
		return console.Pipeline{}, err
	}
	executions, err := p.world.Pipelines.ListPipelineExecutions(ctx, &codepipeline.ListPipelineExecutionsInput{PipelineName: name, MaxResults: aws.Int32(1)})
	if err != nil {
		return console.Pipeline{}, err
	}
	runs, err := p.runs(ctx)
	if err != nil {
		return console.Pipeline{}, err
	}
	out := console.Pipeline{Name: *name}
	if len(executions.PipelineExecutionSummaries) > 0 {
		newest := executions.PipelineExecutionSummaries[0]
		out.Execution, out.Status = *newest.PipelineExecutionId, string(newest.Status)
		for _, run := range runs {
			variables := run.Output.OutputVariables
			if *run.PipelineExecutionId != out.Execution {
				continue
			}
			if commit := variables["CommitId"]; commit != "" {
				out.Commit, out.Message = commit, variables["CommitMessage"]
			}
			if digest := variables["IMAGE_DIGEST"]; digest != "" {
				out.Digest, out.Author = digest, variables["AUTHOR"]
			}
		}
	}
	for i, st := range state.StageStates {
		stage := console.Stage{Name: *st.StageName}
		if st.LatestExecution != nil {
			stage.Status = string(st.LatestExecution.Status)
		}
		for j, a := range st.ActionStates {
			action := console.Action{Name: *a.ActionName, Provider: *declared.Pipeline.Stages[i].Actions[j].ActionTypeId.Provider}
			if latest := a.LatestExecution; latest != nil {
				run := runs[*latest.ActionExecutionId]
				action.Status, action.Summary, action.Token = string(latest.Status), aws.ToString(latest.Summary), aws.ToString(latest.Token)
				end := *run.LastUpdateTime
				if latest.Status == types.ActionExecutionStatusInProgress {
					end = p.world.Clock.Now()
				}
				action.Seconds = end.Sub(*run.StartTime).Seconds()
				if latest.ErrorDetails != nil {
					action.Summary = aws.ToString(latest.ErrorDetails.Message)
				}
				if action.Token != "" {
					action.Question = p.world.Local(run.Input.ResolvedConfiguration["CustomData"])
				}
			}
			stage.Actions = append(stage.Actions, action)
		}
		out.Stages = append(out.Stages, stage)
	}
	return out, nil
}

// runs are the newest runs of actions, by identifier.
func (p *panel) runs(ctx context.Context) (map[string]types.ActionExecutionDetail, error) {
	listed, err := p.world.Pipelines.ListActionExecutions(ctx, &codepipeline.ListActionExecutionsInput{PipelineName: &p.world.Pipeline})
	if err != nil {
		return nil, err
	}
	runs := make(map[string]types.ActionExecutionDetail, len(listed.ActionExecutionDetails))
	for _, run := range listed.ActionExecutionDetails {
		runs[*run.ActionExecutionId] = run
	}
	return runs, nil
}

func (p *panel) environment(ctx context.Context, e world.Environment, status operator.Status) (console.Environment, error) {
	weights, err := p.world.Weights(ctx, e)
	if err != nil {
		return console.Environment{}, err
	}
	out := console.Environment{Name: e.Name, URL: e.Address, Preview: p.previews[e.Name], Live: weights.Live(), Samples: p.samples(e)}
	if r := status.Rollout; r != nil {
		out.Step = strings.TrimSpace(fmt.Sprintf("%s %s", r.Action, r.Phase))
		if r.Step > 0 {
			out.Step = fmt.Sprintf("step %d of %d: %s at %d %%", r.Step, r.Steps, r.Candidate, r.Percent)
		}
		if r.Verdict != "" {
			out.Verdict = r.Verdict + ": " + r.Reason
		}
	}
	if status.Standby != nil {
		out.Standby = status.Standby.Until
	}
	for i, side := range status.Sides {
		to, group, weight := &out.Blue, e.BlueTargetGroupARN, weights.Blue
		if i == 1 {
			to, group, weight = &out.Green, e.GreenTargetGroupARN, weights.Green
		}
		to.Weight, to.Commit, to.Digest = weight, side.Commit, side.Digest
		to.Running, to.Desired = aws.ToInt(side.Running), aws.ToInt(side.Desired)
		health, err := p.world.ELB.DescribeTargetHealth(ctx, &elasticloadbalancingv2.DescribeTargetHealthInput{TargetGroupArn: &group})
		if err != nil {
			return console.Environment{}, err
		}
		for _, t := range health.TargetHealthDescriptions {
			to.Targets = append(to.Targets, console.Target{ID: *t.Target.Id, State: string(t.TargetHealth.State),
				Reason: strings.TrimSpace(string(t.TargetHealth.Reason) + " " + aws.ToString(t.TargetHealth.Description))})
		}
	}
	return out, nil
}

// samples are the last seconds of an environment's traffic, on the machine's clock.
func (p *panel) samples(e world.Environment) []console.Sample {
	blue := p.world.CloudWatch.Series(e.BlueTargetGroupARN, shown)
	var green []cloudwatch.Point
	if e.GreenTargetGroupARN != "" {
		green = p.world.CloudWatch.Series(e.GreenTargetGroupARN, shown)
	}
	p.mu.Lock()
	history := p.weights[e.Name]
	p.mu.Unlock()
	now, sandbox := time.Now(), p.world.Clock.Now()
	byTime := map[time.Time]*console.Sample{}
	var samples []*console.Sample
	add := func(points []cloudwatch.Point, colour func(*console.Sample) *console.Counts, weight func(world.Weights) int) {
		for _, point := range points {
			s := byTime[point.Time]
			if s == nil {
				ago := time.Duration(float64(sandbox.Sub(point.Time)) / p.world.Scale())
				s = &console.Sample{Unix: now.Add(-ago).Unix()}
				byTime[point.Time] = s
				samples = append(samples, s)
			}
			at := history[0].Weights
			for _, h := range history {
				if !h.at.After(point.Time) {
					at = h.Weights
				}
			}
			*colour(s) = console.Counts{Weight: weight(at), Requests: int(point.Requests), Errors: int(point.Errors), P50: point.P50, P99: point.P99}
		}
	}
	add(blue, func(s *console.Sample) *console.Counts { return &s.Blue }, func(w world.Weights) int { return w.Blue })
	add(green, func(s *console.Sample) *console.Counts { return &s.Green }, func(w world.Weights) int { return w.Green })
	slices.SortFunc(samples, func(a, b *console.Sample) int { return int(a.Unix - b.Unix) })
	out := make([]console.Sample, len(samples))
	for i, s := range samples {
		out[i] = *s
	}
	return out
}

// Answer answers a waiting approval.
func (p *panel) Answer(ctx context.Context, a console.Answer) error {
	words := a.Comment
	if words == "" {
		words = "answered in the console"
	}
	return p.world.Answer(ctx, world.Question{Stage: a.Stage, Action: a.Action, Token: a.Token}, a.Approved, words)
}

// Rollback gives the traffic back to the side that stands by.
func (p *panel) Rollback(ctx context.Context, environment string) error {
	move, err := p.delivery.Rollback(ctx, environment, "")
	if err != nil {
		return err
	}
	_, err = p.delivery.Do(ctx, move)
	return err
}

// Drill starts a drill beside the running world.
func (p *panel) Drill(_ context.Context, name string) error { return p.drills.start(name) }

// Preview is how the candidate is reached.
func (p *panel) Preview(ctx context.Context, environment string) (url, header, value string, err error) {
	for _, e := range p.world.Environments {
		if e.Name != environment || e.PreviewHeaderName == "" {
			continue
		}
		secret, err := p.world.Parameters.GetParameter(ctx, &ssm.GetParameterInput{Name: &e.PreviewParameterName, WithDecryption: aws.Bool(true)})
		if err != nil {
			return "", "", "", err
		}
		return e.Address, e.PreviewHeaderName, *secret.Parameter.Value, nil
	}
	return "", "", "", fmt.Errorf("there is no preview of %s", environment)
}

// Log returns what an action's newest run wrote: a build's log, or the function's own.
func (p *panel) Log(ctx context.Context, stage, action string) (string, error) {
	runs, err := p.runs(ctx)
	if err != nil {
		return "", err
	}
	var newest *types.ActionExecutionDetail
	for _, run := range runs {
		if *run.StageName == stage && *run.ActionName == action && (newest == nil || run.StartTime.After(*newest.StartTime)) {
			newest = &run
		}
	}
	if newest == nil {
		return "", fmt.Errorf("%s/%s has not run yet", stage, action)
	}
	end := *newest.LastUpdateTime
	if newest.Status == types.ActionExecutionStatusInProgress {
		end = p.world.Clock.Now()
	}
	function := newest.Input.ResolvedConfiguration["FunctionName"]
	var lines []string
	for _, e := range p.world.Journal.Since(0) {
		group, _ := e.Fields["group"].(string)
		wanted := e.Service == "codebuild" && *newest.Input.ActionTypeId.Provider == "CodeBuild" ||
			e.Service == "lambda" && function != "" && strings.Contains(group, function)
		if wanted && e.Kind == "log" && !e.Time.Before(*newest.StartTime) && !e.Time.After(end) {
			lines = append(lines, e.Text)
		}
	}
	return strings.Join(lines, "\n"), nil
}
