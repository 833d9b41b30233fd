package world

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"github.com/penguinshop/delivery/sandbox/load"
)

// paths are what the steady load asks for: a user's way through the shop.
var paths = []string{"/", "/api/products", "/version"}

// patience is how long one user's request may take.
const patience = 10 * time.Second

// Load sends a steady stream of users' requests to every environment.
type Load struct {
	world   *World
	streams map[string]*load.Load // by environment
}

// StartLoad begins rate requests a second to each environment; observe, where given, sees each answer.
func (w *World) StartLoad(rate int, observe func(environment string, a load.Answer)) *Load {
	l := &Load{world: w, streams: map[string]*load.Load{}}
	client := w.ELB.Client()
	client.Timeout = patience
	for _, e := range w.Environments {
		o := load.Options{URL: e.URL, Paths: paths, Rate: rate, Client: client}
		if observe != nil {
			o.Observe = func(a load.Answer) { observe(e.Name, a) }
		}
		l.streams[e.Name] = load.Start(o)
	}
	return l
}

// Counts are what has ended, by environment.
type Counts map[string]load.Counts

// Counts tells what has ended so far.
func (l *Load) Counts() Counts {
	counts := Counts{}
	for name, stream := range l.streams {
		counts[name] = stream.Counts()
	}
	return counts
}

// Stop ends the streams and waits for their last answers.
func (l *Load) Stop() Counts {
	counts := Counts{}
	for name, stream := range l.streams {
		counts[name] = stream.Stop()
	}
	return counts
}

// FailedDelivery is the error of a delivery whose pipeline ended in anything but success.
type FailedDelivery struct {
	Status types.PipelineExecutionStatus
	// Message is the failed action's, which says where the traffic is.
	Message string
}

func (f *FailedDelivery) Error() string {
	if f.Message == "" {
		return fmt.Sprintf("the pipeline ended as %s", f.Status)
	}
	headline, _, _ := strings.Cut(f.Message, "\n") // what follows is the diagnosis
	return "the delivery failed: " + headline
}

// Start starts the pipeline with the commit that is checked out.
func (w *World) Start(ctx context.Context) (execution string, err error) {
	started, err := w.Pipelines.StartPipelineExecution(ctx, &codepipeline.StartPipelineExecutionInput{Name: &w.Pipeline})
	if err != nil {
		return "", err
	}
	return *started.PipelineExecutionId, nil
}

// Follow waits until the execution has ended and sums it up. The error is a *FailedDelivery when it did not succeed; the summary
// tells then, too, what is live. counts are what the load had counted when the execution began; with a nil load there are none.
func (w *World) Follow(ctx context.Context, execution string, l *Load, before Counts) (Summary, error) {
	began := time.Now()
	ended, err := w.Pipelines.Wait(ctx, w.Pipeline, execution)
	if err != nil {
		return Summary{}, err
	}
	s := Summary{Runtime: w.Engine.Name(), Seconds: time.Since(began).Seconds()}
	for _, revision := range ended.ArtifactRevisions {
		s.Commit = aws.ToString(revision.RevisionId)
	}
	shifts, err := w.shifts(ctx, execution)
	if err != nil {
		return Summary{}, err
	}
	var other error
	for _, e := range w.Environments {
		one, digest, err := w.sum(ctx, e)
		if err != nil {
			return Summary{}, err
		}
		one.ShiftSeconds = shifts[e.Name]
		if l != nil {
			now := l.streams[e.Name].Counts()
			one.Requests, one.Failed = now.Requests-before[e.Name].Requests, now.Failed-before[e.Name].Failed
		}
		s.Environments = append(s.Environments, one)
		if s.Image == "" {
			s.Image = digest
		}
		if digest != s.Image {
			other = errors.Join(other, fmt.Errorf("the pipeline delivered %s, but %s runs %s", s.Image, e.Name, digest))
		}
	}
	if ended.Status != types.PipelineExecutionStatusSucceeded {
		return s, &FailedDelivery{Status: ended.Status, Message: aws.ToString(ended.StatusSummary)}
	}
	return s, other
}

func (w *World) sum(ctx context.Context, e Environment) (EnvironmentSummary, string, error) {
	weights, err := w.Weights(ctx, e)
	if err != nil {
		return EnvironmentSummary{}, "", err
	}
	digest, err := w.Digest(ctx, e, weights.Live())
	if err != nil {
		return EnvironmentSummary{}, "", err
	}
	version, err := w.Version(ctx, e)
	if err != nil {
		return EnvironmentSummary{}, "", err
	}
	return EnvironmentSummary{Name: e.Name, URL: e.Address, Live: weights.Live(), Weights: weights, Version: version}, digest, nil
}

// shifts tells, by environment, how long the stage's last action took in an execution, in seconds of the machine's clock.
func (w *World) shifts(ctx context.Context, execution string) (map[string]float64, error) {
	listed, err := w.Pipelines.ListActionExecutions(ctx, &codepipeline.ListActionExecutionsInput{PipelineName: &w.Pipeline,
		Filter: &types.ActionExecutionFilter{PipelineExecutionId: &execution}})
	if err != nil {
		return nil, err
	}
	seconds := map[string]float64{}
	for _, a := range listed.ActionExecutionDetails { // the newest first
		if _, known := seconds[*a.StageName]; !known {
			seconds[*a.StageName] = a.LastUpdateTime.Sub(*a.StartTime).Seconds() / w.scale
		}
	}
	return seconds, nil
}

// Question is an approval that waits for a person.
type Question struct {
	Stage, Action, Token string
	// Data is what the pipeline shows the person, URL where the person can look.
	Data, URL string
}

// Questions lists the approvals that wait now.
func (w *World) Questions(ctx context.Context) ([]Question, error) {
	state, err := w.Pipelines.GetPipelineState(ctx, &codepipeline.GetPipelineStateInput{Name: &w.Pipeline})
	if err != nil {
		return nil, err
	}
	var open []Question
	for _, st := range state.StageStates {
		for _, a := range st.ActionStates {
			if a.LatestExecution == nil || a.LatestExecution.Token == nil {
				continue
			}
			q := Question{Stage: *st.StageName, Action: *a.ActionName, Token: *a.LatestExecution.Token}
			configuration, err := w.resolved(ctx, *st.LatestExecution.PipelineExecutionId, *a.LatestExecution.ActionExecutionId)
			if err != nil {
				return nil, err
			}
			q.Data, q.URL = w.Local(configuration["CustomData"]), w.Local(configuration["ExternalEntityLink"])
			open = append(open, q)
		}
	}
	return open, nil
}

// resolved is the configuration of a run of an action, with its variables filled in.
func (w *World) resolved(ctx context.Context, execution, actionExecution string) (map[string]string, error) {
	listed, err := w.Pipelines.ListActionExecutions(ctx, &codepipeline.ListActionExecutionsInput{PipelineName: &w.Pipeline,
		Filter: &types.ActionExecutionFilter{PipelineExecutionId: &execution}})
	if err != nil {
		return nil, err
	}
	for _, a := range listed.ActionExecutionDetails {
		if *a.ActionExecutionId == actionExecution {
			return a.Input.ResolvedConfiguration, nil
		}
	}
	return nil, nil
}

// Answer answers a question; the words are kept with the execution.
func (w *World) Answer(ctx context.Context, q Question, approved bool, words string) error {
	status := types.ApprovalStatusRejected
	if approved {
		status = types.ApprovalStatusApproved
	}
	_, err := w.Pipelines.PutApprovalResult(ctx, &codepipeline.PutApprovalResultInput{PipelineName: &w.Pipeline, StageName: &q.Stage,
		ActionName: &q.Action, Token: &q.Token, Result: &types.ApprovalResult{Status: status, Summary: &words}})
	return err
}
