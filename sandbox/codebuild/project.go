package codebuild

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/penguinshop/delivery/sandbox/graph"
)

// ProjectType is the type token of a CodeBuild project.
const ProjectType = "aws:codebuild/project:Project"

// project is a declared project, taken apart.
type project struct {
	name, arn, image string
	// buildspec is its text, or its path in the primary source.
	buildspec  string
	privileged bool
	// timeout bounds a build: 5 to 2,160 minutes, 60 unless declared.
	timeout   time.Duration
	variables map[string]string
	// notes name what the sandbox leaves out without changing what is built, a sentence each.
	notes []string
}

// declaredProject lists the inputs that the sandbox reads, and, as any, those that have no part in how a build runs.
type declaredProject struct {
	Name   string `json:"name"`
	ARN    string `json:"arn"`
	Source struct {
		Type      string `json:"type"`
		Buildspec string `json:"buildspec"`
	} `json:"source"`
	Artifacts struct {
		Type               string `json:"type"`
		EncryptionDisabled any    `json:"encryptionDisabled"`
	} `json:"artifacts"`
	Environment struct {
		Type                     string `json:"type"`
		Image                    string `json:"image"`
		PrivilegedMode           bool   `json:"privilegedMode"`
		ComputeType              any    `json:"computeType"`
		ImagePullCredentialsType any    `json:"imagePullCredentialsType"`
		EnvironmentVariables     []struct {
			Name  string `json:"name"`
			Value string `json:"value"`
			Type  string `json:"type"`
		} `json:"environmentVariables"`
	} `json:"environment"`
	BuildTimeout *int `json:"buildTimeout"`

	Cache     any `json:"cache"`
	VPCConfig any `json:"vpcConfig"`

	BadgeEnabled         any `json:"badgeEnabled"`
	ConcurrentBuildLimit any `json:"concurrentBuildLimit"`
	Description          any `json:"description"`
	EncryptionKey        any `json:"encryptionKey"`
	LogsConfig           any `json:"logsConfig"`
	ProjectVisibility    any `json:"projectVisibility"`
	QueuedTimeout        any `json:"queuedTimeout"`
	ServiceRole          any `json:"serviceRole"`
	Tags                 any `json:"tags"`
}

// readProject takes a declared project apart. The error names every problem at once.
func readProject(r graph.Resource) (*project, error) {
	_, unknown := graph.Strict[declaredProject](r)
	declared, err := graph.Decode[declaredProject](r)
	if err != nil {
		return nil, err
	}
	p := &project{
		name: declared.Name, arn: declared.ARN, image: declared.Environment.Image, buildspec: declared.Source.Buildspec,
		privileged: declared.Environment.PrivilegedMode, timeout: time.Hour, variables: map[string]string{},
	}
	problems := []error{unknown}
	problem := func(path, format string, args ...any) {
		problems = append(problems, fmt.Errorf("%s: %s: %s", r.URN, path, fmt.Sprintf(format, args...)))
	}
	if p.name == "" {
		problem("name", "is missing")
	}
	if kind := declared.Source.Type; kind != "CODEPIPELINE" {
		problem("source.type", "%q: the sandbox builds what a pipeline hands on (CODEPIPELINE)", kind)
	}
	if kind := declared.Artifacts.Type; kind != "CODEPIPELINE" {
		problem("artifacts.type", "%q: the sandbox hands artifacts to a pipeline (CODEPIPELINE)", kind)
	}
	if strings.HasPrefix(p.buildspec, "arn:") {
		problem("source.buildspec", "%q: the sandbox reads a buildspec from the source or from the project itself", p.buildspec)
	}
	switch kind := declared.Environment.Type; kind {
	case "LINUX_CONTAINER", "ARM_CONTAINER", "LINUX_EC2", "ARM_EC2":
	default:
		problem("environment.type", "%q: the sandbox runs Linux builds, such as ARM_CONTAINER", kind)
	}
	if minutes := declared.BuildTimeout; minutes != nil {
		if p.timeout = time.Duration(*minutes) * time.Minute; *minutes < 5 || *minutes > 2160 {
			problem("buildTimeout", "%d: CodeBuild takes 5 to 2160 minutes", *minutes)
		}
	}
	for i, v := range declared.Environment.EnvironmentVariables {
		path := fmt.Sprintf("environment.environmentVariables[%d]", i)
		if err := checkVariable(v.Name); err != nil {
			problem(path, "%v", err)
		}
		if v.Type != "" && v.Type != "PLAINTEXT" {
			problem(path, "%s is of type %s: the sandbox gives a build plain text only", v.Name, v.Type)
		}
		p.variables[v.Name] = v.Value
	}
	if declared.Cache != nil {
		p.notes = append(p.notes, "the project's cache is left out: this machine keeps image layers and npm's cache by itself")
	}
	if declared.VPCConfig != nil {
		p.notes = append(p.notes, "the project's vpcConfig is left out: the build has this machine's network")
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return p, nil
}

// readBuildspec finds the project's buildspec: in the project itself, where it has several lines, or in the primary source.
func (p *project) readBuildspec(source string) (*buildspec, error) {
	if strings.Contains(p.buildspec, "\n") {
		return parseBuildspec("the buildspec in project "+p.name, []byte(p.buildspec))
	}
	name := p.buildspec
	if name == "" {
		name = "buildspec.yml"
	}
	root, err := os.OpenRoot(source)
	if err != nil {
		return nil, fmt.Errorf("the source of project %s: %w", p.name, err)
	}
	defer root.Close()
	text, err := root.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("the buildspec of project %s cannot be read from the source: %w", p.name, err)
	}
	return parseBuildspec(name, text)
}
