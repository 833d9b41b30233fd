package codepipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/google/uuid"

	"github.com/penguinshop/delivery/sandbox/journal"
)

// execution is one run of a pipeline. Its fields are guarded by the service's mutex, except those set once.
type execution struct {
	id       string
	pipeline *pipeline
	declared declaration // as it was when the execution began
	version  int32
	kind     types.ExecutionType
	trigger  types.ExecutionTrigger
	target   string // the execution that a rollback returns to
	started  time.Time
	inputs   map[string]string // pipeline variables
	wanted   map[string]string // commits by source action; a missing one is the branch's newest

	updated    time.Time
	status     types.PipelineExecutionStatus
	summary    string
	stopReason string
	sources    []types.SourceRevision
	variables  map[string]map[string]string // by namespace
	artifacts  map[string]string            // folders by name
	stages     map[string]*stageRun

	context context.Context
	cancel  context.CancelCauseFunc
	woken   chan struct{}
	done    chan struct{} // closed when it ends; a retry makes a new one
}

// stageRun is how an execution fares in one stage.
type stageRun struct {
	status       types.StageExecutionStatus
	auto, manual int32 // retries
}

// record is one run of one action.
type record struct {
	id                string
	execution         *execution
	stage             string
	action            action
	configuration     map[string]string // resolved
	started, updated  time.Time
	status            types.ActionExecutionStatus
	variables         map[string]string
	summary, external string
	code, message     string // of the failure
	token             string // of a pending approval
	answeredBy        string // the principal that answered an approval
}

// failure is an action's end that has a code of its own.
type failure struct{ code, message string }

func (f *failure) Error() string { return f.message }

var (
	errAbandoned = errors.New("the execution was stopped and its actions abandoned")
	errTimeout   = errors.New("the action ran into its timeout")
)

// keptArtifacts is how many executions' artifacts are kept for retries and rollbacks.
const keptArtifacts = 20

// halted is true once no further action of the execution may start; the caller holds the mutex.
func (e *execution) halted() bool {
	return e.status == types.PipelineExecutionStatusStopping || e.context.Err() != nil
}

// begin makes an execution and lets it run from the given stage on; the caller holds the mutex.
func (s *Service) begin(p *pipeline, e *execution, from int) *execution {
	now := s.config.Clock.Now()
	e.id, e.pipeline, e.declared, e.version = uuid.NewString(), p, p.declared, p.version
	e.started, e.updated, e.status = now, now, types.PipelineExecutionStatusInProgress
	e.stages, e.woken = map[string]*stageRun{}, make(chan struct{}, 1)
	if e.variables == nil {
		e.variables, e.artifacts = map[string]map[string]string{}, map[string]string{}
	}
	e.variables["codepipeline"] = map[string]string{"PipelineExecutionId": e.id}
	e.variables["variables"] = e.inputs
	e.context, e.cancel = context.WithCancelCause(s.context)
	p.executions = append(p.executions, e)
	if old := len(p.executions) - keptArtifacts; old > 0 && p.executions[old-1].ended() {
		_ = os.RemoveAll(filepath.Join(s.config.Folder, p.executions[old-1].id)) // Close removes what stays
	}
	s.emit(e, "STARTED")
	s.tell(e, "execution", "", string(e.status), "begins ("+aws.ToString(e.trigger.TriggerDetail)+")", nil)
	s.launch(e, from, types.StageRetryModeAllActions)
	return e
}

func (e *execution) ended() bool {
	return e.status != types.PipelineExecutionStatusInProgress && e.status != types.PipelineExecutionStatusStopping
}

// launch lets the execution run from the stage with the index; the caller holds the mutex.
func (s *Service) launch(e *execution, from int, mode types.StageRetryMode) {
	e.done = make(chan struct{})
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		s.proceed(e, from, mode)
	}()
}

// proceed takes the execution through its stages. mode says which actions of the first of them are run.
func (s *Service) proceed(e *execution, from int, mode types.StageRetryMode) {
	stages := e.declared.Stages[from:]
	if e.kind == types.ExecutionTypeRollback {
		stages = stages[:1]
	}
	leaving := ""
	for _, st := range stages {
		if !s.enter(e, leaving, st.Name) {
			s.finish(e, "", types.PipelineExecutionStatusStopped)
			return
		}
		status, message := s.runStage(e, st, mode)
		s.mu.Lock()
		e.stages[st.Name].status = status
		s.tell(e, "stage", st.Name, string(status), strings.ToLower(string(status)), nil)
		if status == types.StageExecutionStatusFailed {
			e.summary = message
			s.rollBack(e, st)
		}
		s.mu.Unlock()
		switch status {
		case types.StageExecutionStatusFailed:
			s.finish(e, st.Name, types.PipelineExecutionStatusFailed)
			return
		case types.StageExecutionStatusStopped:
			s.finish(e, st.Name, types.PipelineExecutionStatusStopped)
			return
		}
		leaving, mode = st.Name, types.StageRetryModeAllActions
	}
	s.finish(e, leaving, types.PipelineExecutionStatusSucceeded)
}

// finish ends the execution and frees the stage that it stands in. One that was superseded stays so.
func (s *Service) finish(e *execution, standing string, status types.PipelineExecutionStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release(e, standing)
	if e.status != types.PipelineExecutionStatusSuperseded {
		e.status = status
	}
	e.updated = s.config.Clock.Now()
	s.emit(e, strings.ToUpper(string(e.status)))
	text := strings.ToLower(string(e.status))
	if e.summary != "" {
		text += ": " + e.summary
	}
	s.tell(e, "execution", "", string(e.status), text, map[string]any{"seconds": e.updated.Sub(e.started).Seconds()})
	close(e.done)
}

// emit puts the event of an execution's change of state; the caller holds the mutex.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/detect-state-changes-cloudwatch-events.html
func (s *Service) emit(e *execution, state string) {
	if s.config.Events == nil {
		return
	}
	err := s.config.Events.Emit("aws.codepipeline", "CodePipeline Pipeline Execution State Change", []string{e.declared.ARN}, map[string]any{
		"pipeline": e.declared.Name, "execution-id": e.id, "state": state, "version": e.version, "start-time": e.started.UTC().Format(time.RFC3339),
	})
	if err != nil {
		s.tell(e, "note", "", string(e.status), "puts no event: "+err.Error(), nil)
	}
}

// runStage runs the stage's actions, and runs them once more where the stage declares a retry.
func (s *Service) runStage(e *execution, st stage, mode types.StageRetryMode) (types.StageExecutionStatus, string) {
	for {
		status, message := s.runActions(e, st, mode)
		s.mu.Lock()
		run := e.stages[st.Name]
		again := status == types.StageExecutionStatusFailed && st.OnFailure != nil && st.OnFailure.Result == "RETRY" &&
			run.auto == 0 && !e.halted()
		if again {
			run.auto++
			mode = types.StageRetryModeFailedActions
			if st.OnFailure.RetryConfiguration.RetryMode == "ALL_ACTIONS" {
				mode = types.StageRetryModeAllActions
			}
			s.tell(e, "stage", st.Name, string(types.StageExecutionStatusInProgress), "is retried once: "+message, nil)
		}
		s.mu.Unlock()
		if !again {
			return status, message
		}
	}
}

func (s *Service) runActions(e *execution, st stage, mode types.StageRetryMode) (types.StageExecutionStatus, string) {
	for _, group := range st.groups() {
		var failures []string
		var mu sync.Mutex
		var wait sync.WaitGroup
		for _, a := range group {
			s.mu.Lock()
			halted := e.halted()
			last := e.pipeline.last(e, st.Name, a.Name)
			s.mu.Unlock()
			if halted {
				wait.Wait()
				return types.StageExecutionStatusStopped, ""
			}
			if mode == types.StageRetryModeFailedActions && last != nil && last.status == types.ActionExecutionStatusSucceeded {
				continue
			}
			wait.Go(func() {
				if err := s.runAction(e, st, a); err != nil {
					mu.Lock()
					defer mu.Unlock()
					failures = append(failures, fmt.Sprintf("%s/%s: %s", st.Name, a.Name, err))
				}
			})
		}
		wait.Wait()
		s.mu.Lock()
		abandoned := e.context.Err() != nil
		s.mu.Unlock()
		switch {
		case abandoned:
			return types.StageExecutionStatusStopped, ""
		case len(failures) > 0:
			return types.StageExecutionStatusFailed, strings.Join(failures, "; ")
		}
	}
	return types.StageExecutionStatusSucceeded, ""
}

// last returns the newest record of an action in an execution, nil where it has not run; the caller holds the mutex.
func (p *pipeline) last(e *execution, stage, action string) *record {
	for i := len(p.records) - 1; i >= 0; i-- {
		if r := p.records[i]; r.execution == e && r.stage == stage && r.action.Name == action {
			return r
		}
	}
	return nil
}

// rollBack starts an execution that runs the failed stage with what succeeded in it last, where the stage declares so; the
// caller holds the mutex.
func (s *Service) rollBack(e *execution, st stage) {
	if st.OnFailure == nil || st.OnFailure.Result != "ROLLBACK" || e.kind == types.ExecutionTypeRollback {
		return
	}
	for i := len(e.pipeline.executions) - 1; i >= 0; i-- {
		target := e.pipeline.executions[i]
		run := target.stages[st.Name]
		if target == e || run == nil || run.status != types.StageExecutionStatusSucceeded {
			continue
		}
		index, _ := e.pipeline.declared.stage(st.Name)
		s.begin(e.pipeline, &execution{
			kind: types.ExecutionTypeRollback, target: target.id, inputs: target.inputs,
			variables: copyOf(target.variables), artifacts: copyOf(target.artifacts), sources: target.sources,
			trigger: types.ExecutionTrigger{TriggerType: types.TriggerTypeAutomatedRollback, TriggerDetail: aws.String(e.id)},
		}, index)
		return
	}
	s.tell(e, "stage", st.Name, string(types.StageExecutionStatusFailed), "has no earlier success to roll back to", nil)
}

func copyOf[K comparable, V any](m map[K]V) map[K]V {
	copied := make(map[K]V, len(m))
	for k, v := range m {
		copied[k] = v
	}
	return copied
}

// tell writes what happened to the journal.
func (s *Service) tell(e *execution, kind, stage, status, text string, fields map[string]any) {
	subject := e.declared.Name
	all := map[string]any{"pipeline": e.declared.Name, "execution": e.id, "status": status}
	if stage != "" {
		subject, all["stage"] = "stage "+stage, stage
	}
	for key, value := range fields {
		all[key] = value
	}
	if name, ok := all["action"]; ok {
		subject = fmt.Sprintf("%s/%s", stage, name)
	}
	s.config.Journal.Add(journal.Entry{Service: "codepipeline", Kind: kind, Text: subject + " " + text, Fields: all})
}
