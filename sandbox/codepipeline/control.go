package codepipeline

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"github.com/penguinshop/delivery/sandbox/journal"
)

// StartPipelineExecution starts the pipeline by hand, with the newest commit of each source unless sourceRevisions names one.
func (s *Service) StartPipelineExecution(_ context.Context, in *codepipeline.StartPipelineExecutionInput, _ ...func(*codepipeline.Options)) (*codepipeline.StartPipelineExecutionOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.find(in.Name)
	if err != nil {
		return nil, err
	}
	variables, err := p.declared.values(in.Variables)
	if err != nil {
		return nil, err
	}
	wanted := map[string]string{}
	for _, revision := range in.SourceRevisions {
		if revision.RevisionType != types.SourceRevisionTypeCommitId || !hasAction(p.declared.Stages[0], aws.ToString(revision.ActionName)) {
			return nil, &types.ValidationException{Message: aws.String(fmt.Sprintf("sourceRevisions: %s of action %q: the sandbox takes a COMMIT_ID for a source action",
				revision.RevisionType, aws.ToString(revision.ActionName)))}
		}
		wanted[*revision.ActionName] = aws.ToString(revision.RevisionValue)
	}
	e := s.begin(p, &execution{inputs: variables, wanted: wanted, kind: types.ExecutionTypeStandard, trigger: types.ExecutionTrigger{
		TriggerType: types.TriggerTypeStartPipelineExecution, TriggerDetail: aws.String("started by hand")}}, 0)
	return &codepipeline.StartPipelineExecutionOutput{PipelineExecutionId: aws.String(e.id)}, nil
}

// values gives each declared pipeline variable its value, and refuses those that are unknown or have none.
func (d declaration) values(given []types.PipelineVariable) (map[string]string, error) {
	values := map[string]string{}
	for _, v := range d.Variables {
		if v.DefaultValue != nil {
			values[v.Name] = *v.DefaultValue
		}
	}
	for _, v := range given {
		known := false
		for _, declared := range d.Variables {
			known = known || declared.Name == aws.ToString(v.Name)
		}
		if !known {
			return nil, &types.ValidationException{Message: aws.String("the pipeline declares no variable " + aws.ToString(v.Name))}
		}
		values[*v.Name] = aws.ToString(v.Value)
	}
	for _, v := range d.Variables {
		if _, ok := values[v.Name]; !ok {
			return nil, &types.ValidationException{Message: aws.String("variable " + v.Name + " has neither a value nor a default")}
		}
	}
	return values, nil
}

// Push starts the pipelines whose triggers the push answers to, and returns the executions' identifiers by pipeline.
func (s *Service) Push(push Push) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	started := map[string]string{}
	for name, p := range s.pipelines {
		source, yes := p.declared.starts(push)
		if !yes {
			continue
		}
		variables, err := p.declared.values(nil)
		if err != nil {
			s.config.Journal.Add(journal.Entry{Service: "codepipeline", Kind: "execution",
				Text: name + " was not started by a push: " + err.Error(), Fields: map[string]any{"pipeline": name}})
			continue
		}
		e := s.begin(p, &execution{inputs: variables, wanted: map[string]string{source: push.Commit}, kind: types.ExecutionTypeStandard,
			trigger: types.ExecutionTrigger{TriggerType: types.TriggerTypeWebhookV2, TriggerDetail: aws.String("push of " + push.Commit)}}, 0)
		started[name] = e.id
	}
	return started
}

// StopPipelineExecution lets the actions that run end and starts no more of them, or abandons them at once.
func (s *Service) StopPipelineExecution(_ context.Context, in *codepipeline.StopPipelineExecutionInput, _ ...func(*codepipeline.Options)) (*codepipeline.StopPipelineExecutionOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.execution(in.PipelineName, in.PipelineExecutionId)
	if err != nil {
		return nil, err
	}
	if e.ended() {
		return nil, &types.PipelineExecutionNotStoppableException{Message: aws.String(fmt.Sprintf("execution %s is %s", e.id, e.status))}
	}
	if e.status == types.PipelineExecutionStatusStopping && !in.Abandon {
		return nil, &types.DuplicatedStopRequestException{Message: aws.String(fmt.Sprintf("execution %s is being stopped", e.id))}
	}
	e.status, e.stopReason, e.summary = types.PipelineExecutionStatusStopping, aws.ToString(in.Reason), aws.ToString(in.Reason)
	s.tell(e, "execution", "", string(e.status), "is being stopped: "+e.stopReason, nil)
	if in.Abandon {
		e.cancel(errAbandoned)
	}
	wake(e)
	return &codepipeline.StopPipelineExecutionOutput{PipelineExecutionId: aws.String(e.id)}, nil
}

// RetryStageExecution runs a failed stage again, with the same artifacts and variables, and goes on from it. Just the
// execution that was in the stage last can be retried.
func (s *Service) RetryStageExecution(_ context.Context, in *codepipeline.RetryStageExecutionInput, _ ...func(*codepipeline.Options)) (*codepipeline.RetryStageExecutionOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.execution(in.PipelineName, in.PipelineExecutionId)
	if err != nil {
		return nil, err
	}
	name := aws.ToString(in.StageName)
	index, ok := e.declared.stage(name)
	if !ok {
		return nil, &types.StageNotFoundException{Message: aws.String("there is no stage " + name)}
	}
	if e.pipeline.latest[name] != e {
		return nil, &types.NotLatestPipelineExecutionException{Message: aws.String("another execution has been in stage " + name + " since")}
	}
	if in.RetryMode != types.StageRetryModeFailedActions && in.RetryMode != types.StageRetryModeAllActions {
		return nil, &types.ValidationException{Message: aws.String("retryMode must be FAILED_ACTIONS or ALL_ACTIONS")}
	}
	if run := e.stages[name]; run.status != types.StageExecutionStatusFailed || !e.ended() || e.context.Err() != nil {
		return nil, &types.StageNotRetryableException{Message: aws.String(fmt.Sprintf("stage %s is %s; just a failed one can be retried", name, run.status))}
	}
	e.status, e.summary = types.PipelineExecutionStatusInProgress, ""
	e.stages[name].manual++
	s.launch(e, index, in.RetryMode)
	return &codepipeline.RetryStageExecutionOutput{PipelineExecutionId: aws.String(e.id)}, nil
}

// Wait returns when the execution has ended, with how it did.
func (s *Service) Wait(ctx context.Context, pipeline, id string) (*types.PipelineExecution, error) {
	s.mu.Lock()
	e, err := s.execution(&pipeline, &id)
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	done := e.done
	s.mu.Unlock()
	select {
	case <-done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	out, err := s.GetPipelineExecution(ctx, &codepipeline.GetPipelineExecutionInput{PipelineName: &pipeline, PipelineExecutionId: &id})
	if err != nil {
		return nil, err
	}
	return out.PipelineExecution, nil
}

// execution finds an execution; the caller holds the mutex.
func (s *Service) execution(pipeline, id *string) (*execution, error) {
	p, err := s.find(pipeline)
	if err != nil {
		return nil, err
	}
	for _, e := range p.executions {
		if e.id == aws.ToString(id) {
			return e, nil
		}
	}
	return nil, &types.PipelineExecutionNotFoundException{Message: aws.String(fmt.Sprintf("%s has no execution %q", p.declared.Name, aws.ToString(id)))}
}
