// Package codebuild runs the declared CodeBuild projects on this machine: a project's buildspec, phase by phase, in one shell,
// with the environment, the artifacts and the exported variables that CodeBuild would give it. What reaches beyond the build is
// stood in for by two programs that come first on its PATH: docker, by the sandbox's container engine, and aws, which answers
// for the sandbox's registry.
package codebuild

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/penguinshop/delivery/sandbox/codepipeline"
	"github.com/penguinshop/delivery/sandbox/graph"
	"github.com/penguinshop/delivery/sandbox/journal"
	"github.com/penguinshop/delivery/sandbox/wire"
)

// Config is what the service works with.
type Config struct {
	// Journal gets each build's log, a line an entry, of the kind "log" and with the build's identifier in the field "build".
	Journal *journal.Journal
	// Folder is where builds have their temporary folders; empty is the machine's own place for them.
	Folder string
	// Region is the AWS region that builds are told they run in.
	Region string
	// Registry is the ECR that a build's aws answers for.
	Registry Registry
	// InstallDocker writes an executable called docker into a folder: a container engine's InstallCLI.
	InstallDocker func(dir string) error
	// StandIn gives the value that a build finds in a declared variable: another one where the declared value names something
	// beyond this machine, such as a repository or a base image. Nil leaves all as declared.
	StandIn func(ctx context.Context, name, declared string) (string, error)
}

// Service holds the declared projects. Its methods may be called concurrently.
type Service struct {
	config Config

	mu       sync.Mutex
	projects map[string]*project // by name
	builds   map[string]int      // by project name: how many were started
}

var _ codepipeline.Builds = (*Service)(nil)

// New returns a service without projects; the world gives it the declared ones through Providers.
func New(config Config) *Service {
	return &Service{config: config, projects: map[string]*project{}, builds: map[string]int{}}
}

// ErrTimedOut is the error of a build that ran longer than its project's buildTimeout. The limit counts real minutes: an image
// builds no faster because the sandbox's clock does.
var ErrTimedOut = errors.New("the build timed out")

// Failure is the error of a build whose command failed.
type Failure struct {
	// Phase is CodeBuild's name of the phase, such as PRE_BUILD.
	Phase string
	// Command is the command as the buildspec has it.
	Command string
	// Status is its exit status.
	Status int
}

func (f *Failure) Error() string {
	return fmt.Sprintf("phase %s: command %q ended with exit status %d", f.Phase, firstLine(f.Command), f.Status)
}

// Build runs a project on copies of its sources, and writes each output artifact into its folder. It leaves nothing else
// behind: when ctx ends, all processes of the build do too. The error of a build that ran and failed is or wraps a *Failure,
// wraps ErrTimedOut, or names the artifact that is missing. A buildspec that the sandbox cannot run is refused before anything
// runs, with every reason.
func (s *Service) Build(ctx context.Context, in codepipeline.Build) (_ codepipeline.Built, err error) {
	project, number, err := s.begin(in.Project)
	if err != nil {
		return codepipeline.Built{}, err
	}
	built := codepipeline.Built{ID: project.name + ":" + uuid.NewString()}
	spec, err := project.readBuildspec(in.Sources[in.Primary])
	if err != nil {
		return built, err
	}
	outputs, err := assign(spec.artifacts, in.Outputs)
	if err := errors.Join(err, checkVariables(in.Environment)); err != nil {
		return built, fmt.Errorf("build of %s: %w", project.name, err)
	}

	temp, err := os.MkdirTemp(s.config.Folder, "codebuild-")
	if err != nil {
		return built, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	session, close, err := s.openRegistry()
	if err != nil {
		return built, err
	}
	defer func() { err = errors.Join(err, close()) }()
	env, err := s.prepare(temp, project, in, session)
	if err != nil {
		return built, err
	}
	maps.Copy(env, environment{
		"CODEBUILD_BUILD_ARN":    strings.TrimSuffix(project.arn, ":project/"+project.name) + ":build/" + built.ID,
		"CODEBUILD_BUILD_ID":     built.ID,
		"CODEBUILD_BUILD_NUMBER": strconv.Itoa(number),
	})
	variables := map[string]string{}
	for _, outranking := range []map[string]string{spec.variables, project.variables, in.Environment} {
		maps.Copy(variables, outranking)
	}
	if err := s.standIn(ctx, variables); err != nil {
		return built, fmt.Errorf("build of %s: %w", project.name, err)
	}
	maps.Copy(env, variables)

	ctx, cancel := context.WithTimeoutCause(ctx, project.timeout, fmt.Errorf("%w after %s, the project's buildTimeout", ErrTimedOut, project.timeout))
	defer cancel()
	log := func(line string) {
		s.config.Journal.Add(journal.Entry{Service: "codebuild", Kind: "log", Text: line, Fields: map[string]any{"build": built.ID}})
	}
	source := filepath.Join(temp, "src")
	r := &run{spec: spec, source: source, log: log, shell: newShell(spec.shell, source, filepath.Join(temp, "state"), env.list(), log)}
	defer r.shell.stop()
	for _, note := range slices.Concat(project.notes, spec.notes) {
		r.say("Note: %s", note)
	}
	if built.Variables, err = r.build(ctx); err == nil {
		err = r.upload(outputs, in.Artifacts)
	}
	if err != nil {
		return built, fmt.Errorf("build of %s: %w", project.name, err)
	}
	return built, nil
}

// begin finds a project and counts its build.
func (s *Service) begin(name string) (*project, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	project, ok := s.projects[name]
	if !ok {
		return nil, 0, fmt.Errorf("there is no CodeBuild project %q; declared are: %s", name, strings.Join(slices.Sorted(maps.Keys(s.projects)), ", "))
	}
	s.builds[name]++
	return project, s.builds[name], nil
}

// prepare lays out a build's folders under temp, and returns the environment that CodeBuild itself would give it, as far as
// it does not name the build.
func (s *Service) prepare(temp string, p *project, in codepipeline.Build, session wire.Session) (environment, error) {
	folder := func(name string) string { return filepath.Join(temp, name) }
	for _, name := range []string{"home", "tmp", "tools", "state"} {
		if err := os.Mkdir(folder(name), 0o700); err != nil {
			return nil, err
		}
	}
	env := machineEnvironment(folder("tools"), folder("home"), folder("tmp"))
	for name, source := range in.Sources {
		variable, to := "CODEBUILD_SRC_DIR_"+name, folder("src-"+name)
		if name == in.Primary {
			variable, to = "CODEBUILD_SRC_DIR", folder("src")
		}
		if err := os.CopyFS(to, os.DirFS(source)); err != nil {
			return nil, fmt.Errorf("copy the source %s: %w", name, err)
		}
		env[variable] = to
	}
	maps.Copy(env, environment{
		"AWS_REGION":                        s.config.Region,
		"AWS_DEFAULT_REGION":                s.config.Region,
		"CODEBUILD_BUILD_IMAGE":             p.image,
		"CODEBUILD_BUILD_SUCCEEDING":        "1",
		"CODEBUILD_CI":                      "true",
		"CODEBUILD_INITIATOR":               in.Initiator,
		"CODEBUILD_RESOLVED_SOURCE_VERSION": in.Commit,
		"CODEBUILD_START_TIME":              strconv.FormatInt(time.Now().UnixMilli(), 10),
	})
	return env, errors.Join(linkNPM(folder("home")), s.installTools(folder("tools"), p.privileged, session))
}

// standIn replaces the values that the sandbox stands in for.
func (s *Service) standIn(ctx context.Context, variables map[string]string) error {
	if s.config.StandIn == nil {
		return nil
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		value, err := s.config.StandIn(ctx, name, variables[name])
		if err != nil {
			problems = append(problems, fmt.Errorf("variable %s: %w", name, err))
		}
		variables[name] = value
	}
	return errors.Join(problems...)
}

// Providers are the resource types that the service stands behind.
func (s *Service) Providers() map[string]graph.Provider {
	return map[string]graph.Provider{ProjectType: projects{s}}
}

// projects takes declared projects in. A build under way keeps the project that it began with.
type projects struct{ service *Service }

func (p projects) Create(_ context.Context, r graph.Resource) error {
	declared, err := readProject(r)
	if err != nil {
		return err
	}
	p.service.mu.Lock()
	defer p.service.mu.Unlock()
	if _, taken := p.service.projects[declared.name]; taken {
		return fmt.Errorf("%s: there is already a CodeBuild project %q", r.URN, declared.name)
	}
	p.service.projects[declared.name] = declared
	return nil
}

func (p projects) Update(_ context.Context, _, next graph.Resource) error {
	declared, err := readProject(next)
	if err != nil {
		return err
	}
	p.service.mu.Lock()
	defer p.service.mu.Unlock()
	p.service.projects[declared.name] = declared
	return nil
}

func (p projects) Delete(_ context.Context, r graph.Resource) error {
	declared, err := graph.Decode[declaredProject](r)
	if err != nil {
		return err
	}
	p.service.mu.Lock()
	defer p.service.mu.Unlock()
	delete(p.service.projects, declared.Name)
	return nil
}
