package operator

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
)

// Approval is a release that waits for a person, with what the answer depends on.
type Approval struct {
	Environment string `json:"environment"`
	Execution   string `json:"execution"`
	// Commit is the release's, Message and Author its own words and writer.
	Commit  string `json:"commit"`
	Message string `json:"message,omitempty"`
	Author  string `json:"author,omitempty"`
	Digest  string `json:"digest"`
	// Tests is the build's result in words.
	Tests string `json:"tests,omitempty"`
	// Plan is how the traffic will be moved, in words.
	Plan string `json:"plan,omitempty"`
	// LookAt is where the same release can be looked at before.
	LookAt string `json:"lookAt,omitempty"`
	// Replaces is the commit that has the traffic now, empty where it is not known.
	Replaces string    `json:"replaces,omitempty"`
	Asked    time.Time `json:"asked"`
	Until    time.Time `json:"until"`
	// Text is what the pipeline shows with the question.
	Text string `json:"text,omitempty"`

	stage, action, token string
}

// commentLimit is the longest answer that CodePipeline takes, in characters.
const commentLimit = 512

// Approvals are the releases that wait for a person in the delivery's environments.
func (d *Delivery) Approvals(ctx context.Context) ([]Approval, error) {
	if d.Pipeline == "" {
		return nil, &NotFoundError{"no pipeline was found: it bears the project's tag in its own account and region; or name the shared stack's outputs with --outputs"}
	}
	p, err := d.pipeline(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the state of the pipeline %s: %w", d.Pipeline, err)
	}
	var waiting []Approval
	for _, e := range d.Environments {
		declared, state, found := p.stage(e)
		if !found || state.LatestExecution == nil {
			continue
		}
		for _, a := range state.ActionStates {
			run := a.LatestExecution
			if run == nil || run.Status != types.ActionExecutionStatusInProgress || aws.ToString(run.Token) == "" {
				continue
			}
			w := Approval{Environment: e.Name, Execution: aws.ToString(state.LatestExecution.PipelineExecutionId), Asked: aws.ToTime(run.LastStatusChange),
				stage: e.Name, action: aws.ToString(a.ActionName), token: aws.ToString(run.Token)}
			w.Until = w.Asked.Add(timeout(declared, w.action))
			if e.Strategy == BlueGreen {
				w.Plan = e.plan.String()
			}
			if err := d.describe(ctx, e, &w); err != nil {
				return nil, err
			}
			waiting = append(waiting, w)
		}
	}
	return waiting, nil
}

func timeout(stage types.StageDeclaration, action string) time.Duration {
	for _, a := range stage.Actions {
		if aws.ToString(a.Name) == action && a.TimeoutInMinutes != nil {
			return time.Duration(*a.TimeoutInMinutes) * time.Minute
		}
	}
	return defaultApproval
}

// describe fills in what the earlier actions of the execution handed on, and what the release would replace.
func (d *Delivery) describe(ctx context.Context, e Environment, w *Approval) error {
	actions, err := d.actions(ctx, w.Execution)
	if err != nil {
		return err
	}
	for _, a := range actions {
		variables := map[string]string{}
		if a.Output != nil {
			variables = a.Output.OutputVariables
		}
		switch typ := typeOf(a); {
		case typ == types.ActionCategorySource:
			w.Commit, w.Message = variables["CommitId"], firstLine(variables["CommitMessage"])
		case typ == types.ActionCategoryBuild && variables[variableDigest] != "":
			w.Digest, w.Tests, w.Author = variables[variableDigest], variables["TEST_RESULT"], variables["AUTHOR"]
		case aws.ToString(a.StageName) == w.stage && aws.ToString(a.ActionName) == w.action && a.Input != nil:
			w.Text, w.LookAt = a.Input.ResolvedConfiguration["CustomData"], a.Input.ResolvedConfiguration["ExternalEntityLink"]
		}
	}
	for _, s := range (&Delivery{Clients: d.Clients, Now: d.Now, Environments: []Environment{e}}).Look(ctx) {
		for _, side := range s.Sides {
			if side.Colour == s.Live {
				w.Replaces = side.Commit
			}
		}
	}
	return nil
}

// variableDigest is the build's output variable that the environments deploy by.
const variableDigest = "IMAGE_DIGEST"

// actions are all action executions of an execution.
func (d *Delivery) actions(ctx context.Context, execution string) ([]types.ActionExecutionDetail, error) {
	var all []types.ActionExecutionDetail
	in := &codepipeline.ListActionExecutionsInput{PipelineName: aws.String(d.Pipeline), Filter: &types.ActionExecutionFilter{PipelineExecutionId: aws.String(execution)}}
	for {
		out, err := d.Clients.Pipelines.ListActionExecutions(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("reading the actions of the execution %s: %w", execution, err)
		}
		all = append(all, out.ActionExecutionDetails...)
		if aws.ToString(out.NextToken) == "" {
			return all, nil
		}
		in.NextToken = out.NextToken
	}
}

func typeOf(a types.ActionExecutionDetail) types.ActionCategory {
	if a.Input == nil || a.Input.ActionTypeId == nil {
		return ""
	}
	return a.Input.ActionTypeId.Category
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

// RefusedError says why something was not done, and what to do instead. Nothing was changed.
type RefusedError struct {
	// What says what is in the way and where traffic is; Do what to do.
	What, Do string
}

func (e *RefusedError) Error() string {
	if e.Do == "" {
		return e.What
	}
	return e.What + ". " + e.Do
}

// Answer approves or rejects a waiting release. A *RefusedError says that it no longer waits.
func (d *Delivery) Answer(ctx context.Context, w Approval, approve bool, comment string) error {
	status, byDefault := types.ApprovalStatusApproved, "approved with shiftctl"
	if !approve {
		status, byDefault = types.ApprovalStatusRejected, "rejected with shiftctl"
	}
	if comment == "" {
		comment = byDefault
	}
	if n := len([]rune(comment)); n > commentLimit {
		return fmt.Errorf("the comment has %d characters; CodePipeline takes %d at most", n, commentLimit)
	}
	_, err := d.Clients.Pipelines.PutApprovalResult(ctx, &codepipeline.PutApprovalResultInput{
		PipelineName: aws.String(d.Pipeline), StageName: aws.String(w.stage), ActionName: aws.String(w.action), Token: aws.String(w.token),
		Result: &types.ApprovalResult{Status: status, Summary: aws.String(comment)},
	})
	switch code(err) {
	case (&types.ApprovalAlreadyCompletedException{}).ErrorCode():
		return &RefusedError{fmt.Sprintf("the approval of %s has been answered by somebody else meanwhile", w.Environment), "`shiftctl history` shows by whom and how."}
	case (&types.InvalidApprovalTokenException{}).ErrorCode():
		return &RefusedError{fmt.Sprintf("the approval of %s is another one by now: it timed out, or a newer commit took its place", w.Environment), "Look at it again with `shiftctl approve`."}
	}
	if err != nil {
		return fmt.Errorf("answering the approval of %s: %w", w.Environment, err)
	}
	return nil
}
