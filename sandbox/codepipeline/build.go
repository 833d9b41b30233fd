package codepipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// Builds runs CodeBuild projects.
type Builds interface {
	// Build runs the project to its end. It fails with a sentence that says which phase failed and why.
	Build(ctx context.Context, build Build) (Built, error)
}

// Build is what a pipeline gives to a project's build.
type Build struct {
	Project string
	// Sources are the folders of the input artifacts; the first one is the primary source.
	Sources map[string]string
	Primary string
	// Artifacts are the empty folders of the output artifacts, by name, in the order of Outputs.
	Artifacts map[string]string
	Outputs   []string
	// Environment replaces or adds plain variables of the project's.
	Environment map[string]string
	// Commit is the resolved version of the primary source.
	Commit string
	// Initiator is codepipeline/<pipeline>.
	Initiator string
}

// Built is what a build that succeeded gives.
type Built struct {
	// ID is the build's identifier, <project>:<uuid>.
	ID string
	// Variables are those that the buildspec exports.
	Variables map[string]string
}

// buildAction runs a CodeBuild project, as a build or as a test.
type buildAction struct{ service *Service }

type environmentVariable struct{ Name, Value, Type string } // of the EnvironmentVariables key

func (buildAction) check(a action) []string {
	found := append(counts{1, 5, 0, 5}.check(a), keys(a, []string{"ProjectName"}, "PrimarySource", "EnvironmentVariables")...)
	if primary := a.Configuration["PrimarySource"]; primary != "" && !slices.Contains(a.InputArtifacts, primary) {
		found = append(found, fmt.Sprintf("configuration.PrimarySource: %q is not one of the inputArtifacts", primary))
	}
	if len(a.InputArtifacts) > 1 && a.Configuration["PrimarySource"] == "" {
		found = append(found, "configuration.PrimarySource: it is missing, and there are several inputArtifacts")
	}
	if text := a.Configuration["EnvironmentVariables"]; text != "" {
		var given []environmentVariable
		if err := json.Unmarshal([]byte(text), &given); err != nil {
			found = append(found, "configuration.EnvironmentVariables: not a JSON list of name, value and type: "+err.Error())
		}
		for _, v := range given {
			if v.Type != "" && v.Type != "PLAINTEXT" {
				found = append(found, fmt.Sprintf("configuration.EnvironmentVariables: the sandbox gives PLAINTEXT only, and %s is %s", v.Name, v.Type))
			}
		}
	}
	return found
}

func (b buildAction) run(ctx context.Context, r *actionRun) (outcome, error) {
	build := Build{Project: r.configuration["ProjectName"], Primary: r.configuration["PrimarySource"], Sources: map[string]string{},
		Artifacts: map[string]string{}, Environment: map[string]string{}, Initiator: "codepipeline/" + r.execution.declared.Name}
	b.service.mu.Lock()
	build.Commit = r.commitID()
	b.service.mu.Unlock()
	for _, input := range r.inputs {
		build.Sources[input.name] = input.folder
	}
	if build.Primary == "" {
		build.Primary = r.inputs[0].name
	}
	for _, output := range r.outputs {
		build.Artifacts[output.name] = output.folder
		build.Outputs = append(build.Outputs, output.name)
	}
	if text := r.configuration["EnvironmentVariables"]; text != "" {
		var given []environmentVariable
		if err := json.Unmarshal([]byte(text), &given); err != nil {
			return outcome{}, &failure{"ConfigurationError", "EnvironmentVariables: " + err.Error()}
		}
		for _, v := range given {
			build.Environment[v.Name] = v.Value
		}
	}
	built, err := b.service.config.Builds.Build(ctx, build)
	if err != nil {
		return outcome{}, err
	}
	b.service.mu.Lock()
	r.external = built.ID
	b.service.mu.Unlock()
	return outcome{variables: built.Variables}, nil
}
