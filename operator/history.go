package operator

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
)

// Entry is one delivery to one environment.
type Entry struct {
	Environment string    `json:"environment"`
	Execution   string    `json:"execution"`
	Commit      string    `json:"commit"`
	Message     string    `json:"message,omitempty"`
	Digest      string    `json:"digest,omitempty"`
	Outcome     Outcome   `json:"outcome"`
	Detail      string    `json:"detail,omitempty"`
	Started     time.Time `json:"started"`
	// Seconds is from the stage's beginning, after any waiting for an approval, to its end, or to now.
	Seconds  int       `json:"seconds"`
	Approval *Approver `json:"approval,omitempty"`
}

// Approver is who answered an approval.
type Approver struct {
	// By is the ARN of the principal, as CodePipeline recorded it; empty where it did not.
	By      string    `json:"by,omitempty"`
	At      time.Time `json:"at"`
	Comment string    `json:"comment,omitempty"`
}

// historyPages bounds how far back a reading goes.
const historyPages = 10

// History lists each environment's last deliveries, at most limit of each, the newest first.
func (d *Delivery) History(ctx context.Context, limit int) ([]Entry, error) {
	if d.Pipeline == "" {
		return nil, &NotFoundError{"no pipeline was found, and it keeps the history: it bears the project's tag in its own account and region; or name the shared stack's outputs with --outputs"}
	}
	executions, err := d.executions(ctx)
	if err != nil {
		return nil, err
	}
	// Actions come newest first; those of one execution lie together, but for actions that run in two executions at once.
	byExecution, order := map[string][]types.ActionExecutionDetail{}, []string(nil)
	in := &codepipeline.ListActionExecutionsInput{PipelineName: aws.String(d.Pipeline)}
	for range historyPages {
		out, err := d.Clients.Pipelines.ListActionExecutions(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("reading the history of the pipeline %s: %w", d.Pipeline, err)
		}
		for _, a := range out.ActionExecutionDetails {
			id := aws.ToString(a.PipelineExecutionId)
			if byExecution[id] == nil {
				order = append(order, id)
			}
			byExecution[id] = append(byExecution[id], a)
		}
		if in.NextToken = out.NextToken; aws.ToString(out.NextToken) == "" || len(order) > 2*limit+2 {
			break
		}
	}
	var all []Entry
	for _, e := range d.Environments {
		var entries []Entry
		for _, id := range order {
			if entry, was := d.entry(e, executions[id], byExecution[id]); was {
				entries = append(entries, entry)
			}
		}
		slices.SortStableFunc(entries, func(a, b Entry) int { return b.Started.Compare(a.Started) })
		all = append(all, entries[:min(limit, len(entries))]...)
	}
	return all, nil
}

func (d *Delivery) executions(ctx context.Context) (map[string]types.PipelineExecutionSummary, error) {
	found := map[string]types.PipelineExecutionSummary{}
	in := &codepipeline.ListPipelineExecutionsInput{PipelineName: aws.String(d.Pipeline)}
	for range historyPages {
		out, err := d.Clients.Pipelines.ListPipelineExecutions(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("reading the executions of the pipeline %s: %w", d.Pipeline, err)
		}
		for _, e := range out.PipelineExecutionSummaries {
			found[aws.ToString(e.PipelineExecutionId)] = e
		}
		if in.NextToken = out.NextToken; aws.ToString(out.NextToken) == "" {
			break
		}
	}
	return found, nil
}

// entry reads one execution's delivery to an environment from its actions, the newest first; false when it never got there.
func (d *Delivery) entry(e Environment, execution types.PipelineExecutionSummary, actions []types.ActionExecutionDetail) (Entry, bool) {
	entry := Entry{Environment: e.Name, Execution: aws.ToString(execution.PipelineExecutionId), Commit: revision(execution)}
	for _, source := range execution.SourceRevisions {
		entry.Message = firstLine(aws.ToString(source.RevisionSummary))
	}
	newest := map[string]bool{}
	var end time.Time
	var decided bool
	for _, a := range actions {
		if typeOf(a) == types.ActionCategoryBuild && a.Output != nil {
			entry.Digest = cmp.Or(entry.Digest, a.Output.OutputVariables[variableDigest])
		}
		name := aws.ToString(a.ActionName)
		if aws.ToString(a.StageName) != e.Name || newest[name] { // an earlier attempt, before a retry
			continue
		}
		newest[name] = true
		approval := typeOf(a) == types.ActionCategoryApproval
		began, ended := aws.ToTime(a.StartTime), aws.ToTime(a.LastUpdateTime)
		if a.Status == types.ActionExecutionStatusInProgress {
			ended = d.Now()
		} else if approval {
			entry.Approval = &Approver{By: aws.ToString(a.UpdatedBy), At: ended, Comment: result(a)}
			began = ended // waiting for a person is not the delivery's time
		}
		if entry.Started.IsZero() || began.Before(entry.Started) {
			entry.Started = began
		}
		if !decided { // the newest action decides
			decided, end = true, ended
			entry.Outcome, entry.Detail = outcome(typeOf(a), a.Status, result(a)), result(a)
			if approval && entry.Outcome == Promoted {
				entry.Outcome = UnderWay
			}
		}
	}
	if !decided {
		return Entry{}, false
	}
	entry.Seconds = int(end.Sub(entry.Started).Seconds())
	d.settle(e, execution, len(newest), &entry)
	return entry, true
}

// settle corrects what the newest action alone cannot tell.
func (d *Delivery) settle(e Environment, execution types.PipelineExecutionSummary, ran int, entry *Entry) {
	declared := 0
	for _, s := range d.stages {
		if aws.ToString(s.Name) == e.Name {
			declared = len(s.Actions)
		}
	}
	switch ended := execution.Status != types.PipelineExecutionStatusInProgress && execution.Status != types.PipelineExecutionStatusStopping; {
	case entry.Outcome == Promoted && ran < declared && ended:
		entry.Outcome, entry.Detail = Stopped, cmp.Or(aws.ToString(execution.StatusSummary), "the pipeline's execution ended before the stage did")
	case entry.Outcome == Promoted && ran < declared:
		entry.Outcome = UnderWay
	case entry.Outcome == Promoted && e.Strategy == Rolling:
		entry.Outcome = Deployed
	}
}

// result is what an action ended with, in words.
func result(a types.ActionExecutionDetail) string {
	if a.Output == nil || a.Output.ExecutionResult == nil {
		return ""
	}
	r := a.Output.ExecutionResult
	if r.ErrorDetails != nil && aws.ToString(r.ErrorDetails.Message) != "" {
		return aws.ToString(r.ErrorDetails.Message)
	}
	return aws.ToString(r.ExternalExecutionSummary)
}
