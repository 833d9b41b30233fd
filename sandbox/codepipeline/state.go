package codepipeline

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
)

// GetPipelineState tells how each stage and action stands; a pending approval's token is in it.
func (s *Service) GetPipelineState(_ context.Context, in *codepipeline.GetPipelineStateInput, _ ...func(*codepipeline.Options)) (*codepipeline.GetPipelineStateOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.find(in.Name)
	if err != nil {
		return nil, err
	}
	out := &codepipeline.GetPipelineStateOutput{PipelineName: aws.String(p.declared.Name), PipelineVersion: aws.Int32(p.version),
		Created: aws.Time(p.created), Updated: aws.Time(p.updated)}
	for i, st := range p.declared.Stages {
		state := types.StageState{StageName: aws.String(st.Name)}
		if i > 0 {
			state.InboundTransitionState = &types.TransitionState{Enabled: true}
		}
		for _, waiting := range p.gates[st.Name].queue {
			state.InboundExecutions = append(state.InboundExecutions, types.StageExecution{
				PipelineExecutionId: aws.String(waiting.id), Status: types.StageExecutionStatusInProgress, Type: waiting.kind})
		}
		if n := len(state.InboundExecutions); n > 0 {
			state.InboundExecution = &state.InboundExecutions[n-1]
		}
		latest := p.latest[st.Name]
		if latest != nil {
			run := latest.stages[st.Name]
			state.LatestExecution = &types.StageExecution{PipelineExecutionId: aws.String(latest.id), Status: run.status, Type: latest.kind}
			if run.auto+run.manual > 0 {
				state.RetryStageMetadata = &types.RetryStageMetadata{AutoStageRetryAttempt: aws.Int32(run.auto), ManualStageRetryAttempt: aws.Int32(run.manual)}
			}
		}
		for _, a := range st.Actions {
			state.ActionStates = append(state.ActionStates, p.actionState(st.Name, a.Name))
		}
		out.StageStates = append(out.StageStates, state)
	}
	return out, nil
}

func (p *pipeline) actionState(stage, action string) types.ActionState {
	state := types.ActionState{ActionName: aws.String(action)}
	for i := len(p.records) - 1; i >= 0; i-- {
		r := p.records[i]
		if r.stage != stage || r.action.Name != action {
			continue
		}
		state.LatestExecution = &types.ActionExecution{ActionExecutionId: aws.String(r.id), Status: r.status,
			LastStatusChange: aws.Time(r.updated), Summary: optional(r.summary), ExternalExecutionId: optional(r.external),
			Token: optional(r.token), ErrorDetails: r.errorDetails(), LastUpdatedBy: optional(r.answeredBy)}
		if r.action.Category == "Source" && r.external != "" {
			state.CurrentRevision = &types.ActionRevision{RevisionId: aws.String(r.external), RevisionChangeId: aws.String(r.external), Created: aws.Time(r.updated)}
		}
		break
	}
	return state
}

func (r *record) errorDetails() *types.ErrorDetails {
	if r.code == "" {
		return nil
	}
	return &types.ErrorDetails{Code: aws.String(r.code), Message: aws.String(r.message)}
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// GetPipeline returns the declaration.
func (s *Service) GetPipeline(_ context.Context, in *codepipeline.GetPipelineInput, _ ...func(*codepipeline.Options)) (*codepipeline.GetPipelineOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.find(in.Name)
	if err != nil {
		return nil, err
	}
	if v := aws.ToInt32(in.Version); v != 0 && v != p.version {
		return nil, &types.PipelineVersionNotFoundException{Message: aws.String("the sandbox keeps the current version only, and that is " + strconv.Itoa(int(p.version)))}
	}
	d := p.declared
	declared := &types.PipelineDeclaration{Name: aws.String(d.Name), RoleArn: aws.String(d.RoleARN), Version: aws.Int32(p.version),
		ExecutionMode: types.ExecutionMode(d.mode()), PipelineType: types.PipelineType(cmp.Or(d.PipelineType, "V1"))}
	if len(d.ArtifactStores) == 1 {
		declared.ArtifactStore = d.ArtifactStores[0].store()
	} else {
		declared.ArtifactStores = map[string]types.ArtifactStore{}
		for _, a := range d.ArtifactStores {
			declared.ArtifactStores[a.Region] = *a.store()
		}
	}
	for _, v := range d.Variables {
		declared.Variables = append(declared.Variables, types.PipelineVariableDeclaration{Name: aws.String(v.Name), DefaultValue: v.DefaultValue, Description: optional(v.Description)})
	}
	for _, st := range d.Stages {
		stage := types.StageDeclaration{Name: aws.String(st.Name)}
		if st.OnFailure != nil {
			stage.OnFailure = &types.FailureConditions{Result: types.Result(st.OnFailure.Result)}
			if mode := st.OnFailure.RetryConfiguration.RetryMode; mode != "" {
				stage.OnFailure.RetryConfiguration = &types.RetryConfiguration{RetryMode: types.StageRetryMode(mode)}
			}
		}
		for _, a := range st.Actions {
			stage.Actions = append(stage.Actions, a.declaration())
		}
		declared.Stages = append(declared.Stages, stage)
	}
	for _, t := range d.Triggers {
		git := &types.GitConfiguration{SourceActionName: aws.String(t.GitConfiguration.SourceActionName)}
		for _, f := range t.GitConfiguration.Pushes {
			var push types.GitPushFilter
			if f.Branches != nil {
				push.Branches = &types.GitBranchFilterCriteria{Includes: f.Branches.Includes, Excludes: f.Branches.Excludes}
			}
			if f.FilePaths != nil {
				push.FilePaths = &types.GitFilePathFilterCriteria{Includes: f.FilePaths.Includes, Excludes: f.FilePaths.Excludes}
			}
			if f.Tags != nil {
				push.Tags = &types.GitTagFilterCriteria{Includes: f.Tags.Includes, Excludes: f.Tags.Excludes}
			}
			git.Push = append(git.Push, push)
		}
		declared.Triggers = append(declared.Triggers, types.PipelineTriggerDeclaration{
			ProviderType: types.PipelineTriggerProviderType(t.ProviderType), GitConfiguration: git})
	}
	return &codepipeline.GetPipelineOutput{Pipeline: declared, Metadata: &types.PipelineMetadata{
		PipelineArn: optional(d.ARN), Created: aws.Time(p.created), Updated: aws.Time(p.updated)}}, nil
}

func (a artifactStore) store() *types.ArtifactStore {
	return &types.ArtifactStore{Location: aws.String(a.Location), Type: types.ArtifactStoreType(cmp.Or(a.Type, "S3"))}
}

func (a action) typeID() *types.ActionTypeId {
	return &types.ActionTypeId{Category: types.ActionCategory(a.Category), Owner: types.ActionOwner(a.Owner),
		Provider: aws.String(a.Provider), Version: aws.String(a.Version)}
}

func (a action) declaration() types.ActionDeclaration {
	declared := types.ActionDeclaration{Name: aws.String(a.Name), ActionTypeId: a.typeID(), Configuration: a.Configuration,
		Namespace: optional(a.Namespace), Region: optional(a.Region), RoleArn: optional(a.RoleARN), RunOrder: aws.Int32(int32(a.order()))}
	if a.TimeoutInMinutes > 0 {
		declared.TimeoutInMinutes = aws.Int32(int32(a.TimeoutInMinutes))
	}
	for _, name := range a.InputArtifacts {
		declared.InputArtifacts = append(declared.InputArtifacts, types.InputArtifact{Name: aws.String(name)})
	}
	for _, name := range a.OutputArtifacts {
		declared.OutputArtifacts = append(declared.OutputArtifacts, types.OutputArtifact{Name: aws.String(name)})
	}
	return declared
}

// ListPipelineExecutions lists the executions, the newest first.
func (s *Service) ListPipelineExecutions(_ context.Context, in *codepipeline.ListPipelineExecutionsInput, _ ...func(*codepipeline.Options)) (*codepipeline.ListPipelineExecutionsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.find(in.PipelineName)
	if err != nil {
		return nil, err
	}
	var all []types.PipelineExecutionSummary
	for _, e := range slices.Backward(p.executions) {
		if f := in.Filter; f != nil && f.SucceededInStage != nil {
			if run := e.stages[aws.ToString(f.SucceededInStage.StageName)]; run == nil || run.status != types.StageExecutionStatusSucceeded {
				continue
			}
		}
		summary := types.PipelineExecutionSummary{PipelineExecutionId: aws.String(e.id), Status: e.status, StatusSummary: optional(e.summary),
			StartTime: aws.Time(e.started), LastUpdateTime: aws.Time(e.updated), ExecutionMode: types.ExecutionMode(e.declared.mode()),
			ExecutionType: e.kind, SourceRevisions: e.sources, Trigger: &e.trigger, RollbackMetadata: e.rollback()}
		if e.stopReason != "" {
			summary.StopTrigger = &types.StopExecutionTrigger{Reason: aws.String(e.stopReason)}
		}
		all = append(all, summary)
	}
	page, next, err := paged(all, in.NextToken, in.MaxResults)
	return &codepipeline.ListPipelineExecutionsOutput{PipelineExecutionSummaries: page, NextToken: next}, err
}

func (e *execution) rollback() *types.PipelineRollbackMetadata {
	if e.target == "" {
		return nil
	}
	return &types.PipelineRollbackMetadata{RollbackTargetPipelineExecutionId: aws.String(e.target)}
}

// GetPipelineExecution tells of one execution.
func (s *Service) GetPipelineExecution(_ context.Context, in *codepipeline.GetPipelineExecutionInput, _ ...func(*codepipeline.Options)) (*codepipeline.GetPipelineExecutionOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, err := s.execution(in.PipelineName, in.PipelineExecutionId)
	if err != nil {
		return nil, err
	}
	out := &types.PipelineExecution{PipelineExecutionId: aws.String(e.id), PipelineName: aws.String(e.declared.Name),
		PipelineVersion: aws.Int32(e.version), Status: e.status, StatusSummary: optional(e.summary), Trigger: &e.trigger,
		ExecutionMode: types.ExecutionMode(e.declared.mode()), ExecutionType: e.kind, RollbackMetadata: e.rollback()}
	for _, source := range e.sources {
		out.ArtifactRevisions = append(out.ArtifactRevisions, types.ArtifactRevision{Name: e.declared.sourceArtifact(*source.ActionName),
			RevisionId: source.RevisionId, RevisionSummary: source.RevisionSummary, Created: aws.Time(e.started)})
	}
	for _, v := range e.declared.Variables {
		out.Variables = append(out.Variables, types.ResolvedPipelineVariable{Name: aws.String(v.Name), ResolvedValue: aws.String(e.inputs[v.Name])})
	}
	return &codepipeline.GetPipelineExecutionOutput{PipelineExecution: out}, nil
}

func (d declaration) sourceArtifact(action string) *string {
	for _, a := range d.Stages[0].Actions {
		if a.Name == action && len(a.OutputArtifacts) > 0 {
			return aws.String(a.OutputArtifacts[0])
		}
	}
	return nil
}

// ListActionExecutions lists the runs of actions, the newest first.
func (s *Service) ListActionExecutions(_ context.Context, in *codepipeline.ListActionExecutionsInput, _ ...func(*codepipeline.Options)) (*codepipeline.ListActionExecutionsOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.find(in.PipelineName)
	if err != nil {
		return nil, err
	}
	wanted := ""
	if f := in.Filter; f != nil {
		wanted = aws.ToString(f.PipelineExecutionId)
		if l := f.LatestInPipelineExecution; l != nil {
			wanted = aws.ToString(l.PipelineExecutionId)
		}
	}
	var all []types.ActionExecutionDetail
	for _, r := range slices.Backward(p.records) {
		if wanted == "" || r.execution.id == wanted {
			all = append(all, r.detail())
		}
	}
	page, next, err := paged(all, in.NextToken, in.MaxResults)
	return &codepipeline.ListActionExecutionsOutput{ActionExecutionDetails: page, NextToken: next}, err
}

func (r *record) detail() types.ActionExecutionDetail {
	located := func(artifacts []string) []types.ArtifactDetail {
		var list []types.ArtifactDetail
		for _, name := range artifacts {
			list = append(list, types.ArtifactDetail{Name: aws.String(name), S3location: &types.S3Location{
				Bucket: aws.String(r.execution.declared.ArtifactStores[0].Location), Key: aws.String(objectKey(r.execution, name))}})
		}
		return list
	}
	return types.ActionExecutionDetail{
		ActionExecutionId: aws.String(r.id), ActionName: aws.String(r.action.Name), StageName: aws.String(r.stage),
		PipelineExecutionId: aws.String(r.execution.id), PipelineVersion: aws.Int32(r.execution.version),
		StartTime: aws.Time(r.started), LastUpdateTime: aws.Time(r.updated), Status: r.status, UpdatedBy: optional(r.answeredBy),
		Input: &types.ActionExecutionInput{ActionTypeId: r.action.typeID(), Configuration: r.action.Configuration,
			ResolvedConfiguration: r.configuration, InputArtifacts: located(r.action.InputArtifacts),
			Namespace: optional(r.action.Namespace), Region: optional(r.action.Region), RoleArn: optional(r.action.RoleARN)},
		Output: &types.ActionExecutionOutput{OutputVariables: r.variables, OutputArtifacts: located(r.action.OutputArtifacts),
			ExecutionResult: &types.ActionExecutionResult{ExternalExecutionId: optional(r.external),
				ExternalExecutionSummary: optional(r.summary), ErrorDetails: r.errorDetails()}},
	}
}

// paged returns one page of a list; a token is the index of the page's first item.
func paged[T any](all []T, token *string, size *int32) ([]T, *string, error) {
	from := 0
	if token != nil {
		var err error
		if from, err = strconv.Atoi(*token); err != nil || from < 0 || from > len(all) {
			return nil, nil, &types.InvalidNextTokenException{Message: aws.String("nextToken is not one that was given out")}
		}
	}
	to := min(len(all), from+int(cmp.Or(aws.ToInt32(size), 100)))
	if to == len(all) {
		return all[from:to], nil, nil
	}
	return all[from:to], aws.String(strconv.Itoa(to)), nil
}
