package codepipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/google/uuid"
)

// actionRun is what a runner works with.
type actionRun struct {
	*record
	inputs  []artifact
	outputs []artifact // empty folders to fill
}

// artifact is a folder that one action fills and later ones read.
type artifact struct{ name, folder string }

// How long an action may take where it declares no timeout (CodePipeline user guide, quotas).
var timeouts = map[string]time.Duration{
	"Approval": 7 * 24 * time.Hour,
	"Build":    8 * time.Hour,
	"Test":     8 * time.Hour,
	"Deploy":   time.Hour,
	"Invoke":   24 * time.Hour,
	"Source":   time.Hour,
}

// The bounds of timeoutInMinutes (API reference, ActionDeclaration).
const shortestTimeout, longestTimeout = 5, 86_400

func (a action) timeout() time.Duration {
	if a.TimeoutInMinutes > 0 {
		return time.Duration(a.TimeoutInMinutes) * time.Minute
	}
	return timeouts[a.Category]
}

// runAction runs one action to its end and writes down how it went.
func (s *Service) runAction(e *execution, st stage, a action) error {
	now := s.config.Clock.Now()
	r := &record{id: uuid.NewString(), execution: e, stage: st.Name, action: a, started: now, updated: now,
		status: types.ActionExecutionStatusInProgress}
	s.mu.Lock()
	e.pipeline.records = append(e.pipeline.records, r)
	configuration, err := resolve(a.Configuration, e.variables)
	r.configuration = configuration
	run := &actionRun{record: r}
	for _, name := range a.InputArtifacts {
		run.inputs = append(run.inputs, artifact{name, e.artifacts[name]})
	}
	s.tellAction(r, "action", "begins", nil)
	s.mu.Unlock()

	var out outcome
	if err != nil {
		err = &failure{"ConfigurationError", err.Error()}
	} else if run.outputs, err = s.folders(e, a); err == nil {
		ctx, cancel := context.WithCancelCause(e.context)
		timer := s.config.Clock.AfterFunc(a.timeout(), func() { cancel(errTimeout) })
		out, err = s.runners[a.kind()].run(ctx, run)
		timer.Stop()
		if cause := context.Cause(ctx); err != nil && cause != nil {
			err = s.interrupted(a, cause)
		}
		cancel(nil)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	r.updated, r.token = s.config.Clock.Now(), ""
	fields := map[string]any{"seconds": r.updated.Sub(r.started).Seconds()}
	if err != nil {
		r.status, r.code, r.message = types.ActionExecutionStatusFailed, "JobFailed", err.Error()
		if coded := (*failure)(nil); errors.As(err, &coded) {
			r.code = coded.code
		}
		if e.context.Err() != nil {
			r.status = types.ActionExecutionStatusAbandoned
		}
		fields["message"] = r.message
		s.tellAction(r, "action", strings.ToLower(string(r.status))+": "+r.message, fields)
		return err
	}
	r.status, r.variables = types.ActionExecutionStatusSucceeded, out.variables
	if out.summary != "" {
		r.summary = out.summary
	}
	if a.Namespace != "" {
		e.variables[a.Namespace] = out.variables
	}
	for _, o := range run.outputs {
		e.artifacts[o.name] = o.folder
	}
	text := "succeeded"
	if r.summary != "" {
		fields["summary"] = r.summary
		text += ": " + r.summary
	}
	s.tellAction(r, "action", text, fields)
	return nil
}

// interrupted puts the end of an action's context into words.
func (s *Service) interrupted(a action, cause error) error {
	if errors.Is(cause, errTimeout) {
		return &failure{"Timeout", fmt.Sprintf("no result within %s, the action's timeout", a.timeout())}
	}
	return &failure{"Abandoned", cause.Error()}
}

// folders makes the empty folders of an action's output artifacts.
func (s *Service) folders(e *execution, a action) ([]artifact, error) {
	var made []artifact
	for _, name := range a.OutputArtifacts {
		folder := filepath.Join(s.config.Folder, e.id, name)
		if err := os.RemoveAll(folder); err != nil { // of an earlier attempt
			return nil, err
		}
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, err
		}
		made = append(made, artifact{name, folder})
	}
	return made, nil
}

func (s *Service) tellAction(r *record, kind, text string, fields map[string]any) {
	all := map[string]any{"action": r.action.Name, "provider": r.action.Provider, "actionExecution": r.id}
	for key, value := range fields {
		all[key] = value
	}
	s.tell(r.execution, kind, r.stage, string(r.status), text, all)
}

func (r *actionRun) commitID() string {
	for _, source := range r.execution.sources {
		return *source.RevisionId
	}
	return ""
}
