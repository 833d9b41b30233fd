package operator

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
)

// pipelineState is how the pipeline stands, with its declaration and the commits of its newest executions.
type pipelineState struct {
	stages  []types.StageDeclaration
	states  []types.StageState
	commits map[string]string // by execution
}

// pipeline reads the pipeline's state. Without a pipeline it is empty.
func (d *Delivery) pipeline(ctx context.Context) (pipelineState, error) {
	p := pipelineState{stages: d.stages, commits: map[string]string{}}
	if d.Pipeline == "" {
		return p, nil
	}
	out, err := d.Clients.Pipelines.GetPipelineState(ctx, &codepipeline.GetPipelineStateInput{Name: aws.String(d.Pipeline)})
	if err != nil {
		return p, err
	}
	p.states = out.StageStates
	executions, err := d.Clients.Pipelines.ListPipelineExecutions(ctx, &codepipeline.ListPipelineExecutionsInput{PipelineName: aws.String(d.Pipeline), MaxResults: aws.Int32(50)})
	if err != nil {
		return p, err
	}
	for _, e := range executions.PipelineExecutionSummaries {
		p.commits[aws.ToString(e.PipelineExecutionId)] = revision(e)
	}
	return p, nil
}

// revision is the commit that an execution delivers.
func revision(e types.PipelineExecutionSummary) string {
	for _, source := range e.SourceRevisions {
		return aws.ToString(source.RevisionId)
	}
	return ""
}

// stage is the environment's.
func (p pipelineState) stage(e Environment) (types.StageDeclaration, types.StageState, bool) {
	for i, s := range p.stages {
		if aws.ToString(s.Name) != e.Name {
			continue
		}
		for _, state := range p.states {
			if aws.ToString(state.StageName) == e.Name {
				return p.stages[i], state, true
			}
		}
	}
	return types.StageDeclaration{}, types.StageState{}, false
}

// rollout tells which action of the environment's stage runs, nil when none does.
func (p pipelineState) rollout(e Environment) *Rollout {
	_, state, found := p.stage(e)
	if !found || state.LatestExecution == nil || state.LatestExecution.Status != types.StageExecutionStatusInProgress {
		return nil
	}
	r := &Rollout{Commit: p.commits[aws.ToString(state.LatestExecution.PipelineExecutionId)]}
	for _, a := range state.ActionStates {
		if run := a.LatestExecution; run != nil && run.Status == types.ActionExecutionStatusInProgress {
			r.Action, r.Started, r.Reason = aws.ToString(a.ActionName), aws.ToTime(run.LastStatusChange), aws.ToString(run.Summary)
		}
	}
	return r
}

// ending is how the last delivery of the environment ended that the pipeline knows of, nil when there was none.
func (p pipelineState) ending(e Environment) *Ending {
	declared, state, found := p.stage(e)
	if !found || state.LatestExecution == nil {
		return nil
	}
	last := len(declared.Actions) - 1
	decisive := func(a types.ActionState) bool {
		return aws.ToString(a.ActionName) == aws.ToString(declared.Actions[last].Name)
	}
	commit := ""
	switch state.LatestExecution.Status {
	case types.StageExecutionStatusInProgress: // of the delivery before this one only the last action's end is still to be seen
	case types.StageExecutionStatusSucceeded:
		commit = p.commits[aws.ToString(state.LatestExecution.PipelineExecutionId)]
	default:
		commit = p.commits[aws.ToString(state.LatestExecution.PipelineExecutionId)]
		decisive = func(a types.ActionState) bool {
			return a.LatestExecution.Status == types.ActionExecutionStatusFailed || a.LatestExecution.Status == types.ActionExecutionStatusAbandoned
		}
	}
	var ending *Ending
	for _, a := range state.ActionStates {
		run := a.LatestExecution
		if run == nil || run.Status == types.ActionExecutionStatusInProgress || !decisive(a) {
			continue
		}
		if at := aws.ToTime(run.LastStatusChange); ending == nil || at.After(ending.At) {
			message := aws.ToString(run.Summary)
			if run.ErrorDetails != nil {
				message = cmp.Or(aws.ToString(run.ErrorDetails.Message), message)
			}
			ending = &Ending{Outcome: outcome(category(declared, aws.ToString(a.ActionName)), run.Status, message), At: at, Message: message, Commit: commit}
		}
	}
	if ending == nil && state.LatestExecution.Status == types.StageExecutionStatusStopped {
		ending = &Ending{Outcome: Stopped, Commit: commit, Message: "the pipeline's execution was stopped"}
	}
	if ending != nil && ending.Outcome == Promoted && e.Strategy == Rolling {
		ending.Outcome = Deployed
	}
	return ending
}

func category(stage types.StageDeclaration, action string) types.ActionCategory {
	at := slices.IndexFunc(stage.Actions, func(a types.ActionDeclaration) bool { return aws.ToString(a.Name) == action })
	if at < 0 || stage.Actions[at].ActionTypeId == nil {
		return ""
	}
	return stage.Actions[at].ActionTypeId.Category
}

// outcome of a stage by the action that decided it.
func outcome(category types.ActionCategory, status types.ActionExecutionStatus, message string) Outcome {
	switch {
	case status == types.ActionExecutionStatusInProgress:
		return UnderWay
	case status == types.ActionExecutionStatusAbandoned:
		return Stopped
	case status == types.ActionExecutionStatusSucceeded:
		return Promoted
	case category == types.ActionCategoryApproval:
		return Rejected
	case category == types.ActionCategoryInvoke:
		return failure(message)
	}
	return Failed
}

// defaultApproval is for how long an approval waits where the pipeline declares nothing (AWS).
const defaultApproval = 7 * 24 * time.Hour
