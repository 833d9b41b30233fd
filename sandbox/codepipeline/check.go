package codepipeline

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// What AWS accepts as the name of a stage or an action, and as a namespace (API reference, ActionDeclaration).
var (
	names      = regexp.MustCompile(`^[A-Za-z0-9.@_-]{1,100}$`)
	namespaces = regexp.MustCompile(`^[A-Za-z0-9@_-]{1,100}$`)
)

// problems gathers everything that is wrong with a declaration, each with its path, so that all is reported at once.
type problems []string

func (p *problems) add(path, format string, args ...any) {
	*p = append(*p, path+": "+fmt.Sprintf(format, args...))
}

// check says what AWS, or the sandbox, would refuse in the declaration. It runs before anything does.
func (s *Service) check(d declaration) problems {
	var p problems
	if d.PipelineType != "" && d.PipelineType != "V1" && d.PipelineType != "V2" {
		p.add("pipelineType", "%q is neither V1 nor V2", d.PipelineType)
	}
	switch d.mode() {
	case "SUPERSEDED":
	case "QUEUED", "PARALLEL":
		if d.PipelineType != "V2" {
			p.add("executionMode", "%s needs pipelineType V2", d.mode())
		}
	default:
		p.add("executionMode", "%q is not SUPERSEDED, QUEUED or PARALLEL", d.ExecutionMode)
	}
	if len(d.ArtifactStores) == 0 {
		p.add("artifactStores", "there is none, so no artifact could be kept; declare one bucket")
	}
	if len(d.Stages) < 2 {
		p.add("stages", "AWS wants at least two, and there are %d", len(d.Stages))
	}
	seen := map[string]bool{}
	visible := references{artifacts: map[string]bool{}, variables: map[string]bool{"codepipeline": true, "variables": true}}
	for i, st := range d.Stages {
		path := fmt.Sprintf("stages[%d] (%s)", i, st.Name)
		if !names.MatchString(st.Name) {
			p.add(path, "the name must be 1 to 100 letters, digits or .@-_")
		}
		if seen[st.Name] {
			p.add(path, "another stage has this name")
		}
		seen[st.Name] = true
		s.checkStage(&p, path, i == 0, d, st, visible)
	}
	s.checkTriggers(&p, d)
	return p
}

// references is what the actions that ran before may be asked for.
type references struct{ artifacts, variables map[string]bool }

func (s *Service) checkStage(p *problems, path string, first bool, d declaration, st stage, visible references) {
	if len(st.Actions) == 0 {
		p.add(path, "it has no action")
	}
	for property, declared := range map[string]json.RawMessage{"beforeEntry": st.BeforeEntry, "onSuccess": st.OnSuccess} {
		if given(declared) {
			p.add(path+"."+property, "the sandbox evaluates no stage conditions")
		}
	}
	if f := st.OnFailure; f != nil {
		switch {
		case given(f.Condition):
			p.add(path+".onFailure.condition", "the sandbox evaluates no stage conditions")
		case !slices.Contains([]string{"", "FAIL", "RETRY", "ROLLBACK"}, f.Result):
			p.add(path+".onFailure.result", "%q is not FAIL, RETRY or ROLLBACK", f.Result)
		case f.Result == "ROLLBACK" && d.mode() == "PARALLEL":
			p.add(path+".onFailure.result", "a pipeline in PARALLEL mode has no stage rollback")
		case f.Result == "ROLLBACK" && first:
			p.add(path+".onFailure.result", "a source stage cannot be rolled back")
		}
		if mode := f.RetryConfiguration.RetryMode; !slices.Contains([]string{"", "FAILED_ACTIONS", "ALL_ACTIONS"}, mode) {
			p.add(path+".onFailure.retryConfiguration.retryMode", "%q is not FAILED_ACTIONS or ALL_ACTIONS", mode)
		}
	}
	seen := map[string]bool{}
	for _, group := range st.groups() {
		for _, a := range group {
			at := path + "." + a.Name
			if !names.MatchString(a.Name) {
				p.add(at, "the name must be 1 to 100 letters, digits or .@-_")
			}
			if seen[a.Name] {
				p.add(at, "another action of this stage has this name")
			}
			seen[a.Name] = true
			s.checkAction(p, at, first, d, a, visible)
		}
		for _, a := range group { // what an action gives is there for later run orders only
			for _, name := range a.OutputArtifacts {
				if visible.artifacts[name] {
					p.add(path+"."+a.Name+".outputArtifacts", "another action already gives an artifact called %q", name)
				}
				visible.artifacts[name] = true
			}
			if a.Namespace != "" {
				if visible.variables[a.Namespace] {
					p.add(path+"."+a.Name+".namespace", "%q is taken", a.Namespace)
				}
				visible.variables[a.Namespace] = true
			}
		}
	}
}

func (s *Service) checkAction(p *problems, path string, first bool, d declaration, a action, visible references) {
	if a.order() < 1 || a.order() > 999 {
		p.add(path+".runOrder", "%d is not within 1 to 999", a.RunOrder)
	}
	if n := a.TimeoutInMinutes; n != 0 && (n < shortestTimeout || n > longestTimeout) {
		p.add(path+".timeoutInMinutes", "%d is not within %d to %d", n, shortestTimeout, longestTimeout)
	}
	if first != (a.Category == "Source") {
		p.add(path+".category", "the first stage holds source actions, and no other stage does")
	}
	if a.Namespace != "" && !namespaces.MatchString(a.Namespace) {
		p.add(path+".namespace", "%q must be 1 to 100 letters, digits or @-_", a.Namespace)
	}
	if a.RoleARN != "" && !strings.Contains(a.RoleARN, ":role/") {
		p.add(path+".roleArn", "%q is not the ARN of a role", a.RoleARN)
	}
	if !d.keepsArtifactsIn(a.Region, s.config.Region) {
		p.add(path+".region", "no artifact store is declared for %s", a.Region)
	}
	for _, name := range a.InputArtifacts {
		if !visible.artifacts[name] {
			p.add(path+".inputArtifacts", "no earlier action gives an artifact called %q", name)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(a.Configuration)) {
		for _, ref := range variablesOf(a.Configuration[key]) {
			if !visible.variables[ref.namespace] {
				p.add(path+".configuration."+key, "no earlier action has the namespace %q of %s", ref.namespace, ref)
			}
		}
	}
	runner, known := s.runners[a.kind()]
	if !known {
		p.add(path, "the sandbox has no action type %s; it runs %s", a.kind(),
			strings.Join(slices.Sorted(maps.Keys(s.runners)), ", "))
		return
	}
	for _, problem := range runner.check(a) {
		p.add(path, "%s", problem)
	}
}

// keepsArtifactsIn says whether an action in region finds an artifact store: one without a region stands in the pipeline's.
func (d declaration) keepsArtifactsIn(region, home string) bool {
	return region == "" || region == home || slices.ContainsFunc(d.ArtifactStores, func(a artifactStore) bool { return a.Region == region })
}

// given says whether an optional property was declared at all.
func given(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// counts is how many artifacts an action type takes and gives (CodePipeline user guide, "Valid action types").
type counts struct{ minIn, maxIn, minOut, maxOut int }

func (c counts) check(a action) []string {
	var found []string
	if n := len(a.InputArtifacts); n < c.minIn || n > c.maxIn {
		found = append(found, fmt.Sprintf("inputArtifacts: %s takes %d to %d, and %d are declared", a.kind(), c.minIn, c.maxIn, n))
	}
	if n := len(a.OutputArtifacts); n < c.minOut || n > c.maxOut {
		found = append(found, fmt.Sprintf("outputArtifacts: %s gives %d to %d, and %d are declared", a.kind(), c.minOut, c.maxOut, n))
	}
	return found
}

// keys checks a configuration against the keys that its action type has.
func keys(a action, required []string, optional ...string) []string {
	var found []string
	for _, key := range required {
		if a.Configuration[key] == "" {
			found = append(found, fmt.Sprintf("configuration.%s: it is missing", key))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(a.Configuration)) {
		if !slices.Contains(required, key) && !slices.Contains(optional, key) {
			found = append(found, fmt.Sprintf("configuration.%s: the sandbox knows no such key for %s", key, a.kind()))
		}
	}
	return found
}
