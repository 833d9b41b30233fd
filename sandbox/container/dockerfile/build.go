// Package dockerfile builds an image from a Dockerfile on a machine that has no container engine.
//
// The language is BuildKit's own parser's. What the instructions do is done in a folder: COPY copies into it, and RUN runs
// the machine's own npm and node in it, which install and build the way they would inside. Any other program would work on the
// machine instead of the image, so that a RUN of one is refused, as is every instruction whose meaning needs an engine.
package dockerfile

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// Build is one image to build.
type Build struct {
	// Context is the folder that COPY copies from. File is the Dockerfile; empty is Context's own.
	Context, File string
	// Args are the build arguments' values, Labels are added to the image's, Target is the stage to stop at (empty: the last).
	Args, Labels map[string]string
	Target       string
	// NoCache runs every instruction again.
	NoCache bool
	// Base gives the configuration of the image that a FROM names, or an error that says why it has none. Its files are not
	// used: the machine's own programs stand in for them.
	Base func(ref string) (v1.Config, error)
	// Cache is the folder of the layers of earlier builds, Work an empty one of this build's.
	Cache, Work string
	// Output gets the progress and what the instructions print.
	Output io.Writer
}

// stage is a stage of the Dockerfile as far as it is built.
type stage struct {
	root    string // the folder of its files
	config  v1.Config
	args    []string // its build arguments, as NAME=value
	layers  []mutate.Addendum
	shell   []string
	number  int
	applied string // what was done so far, as a checksum
}

// Run builds the image. All that it cannot do is refused, with every reason, before it does anything.
func (b Build) Run(ctx context.Context) (v1.Image, error) {
	file := b.File
	if file == "" {
		file = filepath.Join(b.Context, "Dockerfile")
	}
	text, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read the Dockerfile: %w", err)
	}
	defer text.Close()
	parsed, err := parser.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(file), err)
	}
	stages, global, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(file), err)
	}
	if stages, err = upTo(stages, b.Target); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Base(file), err)
	}
	if err := refuse(filepath.Base(file), stages); err != nil {
		return nil, err
	}
	source, err := newSource(b.Context)
	if err != nil {
		return nil, err
	}
	lex := shell.NewLex(parsed.EscapeToken)
	var outer []string
	for i := range global {
		if outer, err = b.declare(&global[i], outer, nil, lex); err != nil {
			return nil, err
		}
	}
	built := map[string]*stage{}
	var last *stage
	for i, s := range stages {
		if last, err = b.from(s, i, outer, built, lex); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", filepath.Base(file), line(s.Location), err)
		}
		for n, command := range s.Commands {
			fmt.Fprintf(b.Output, "[%d/%d] step %d/%d: %s\n", i+1, len(stages), n+1, len(s.Commands), command)
			if err := b.do(ctx, command, last, outer, built, source, lex); err != nil {
				return nil, fmt.Errorf("%s:%d: %s: %w", filepath.Base(file), line(command.Location()), command, err)
			}
		}
		built[strconv.Itoa(i)] = last
		if s.Name != "" {
			built[strings.ToLower(s.Name)] = last
		}
	}
	return b.image(last)
}

func line(at []parser.Range) int {
	if len(at) == 0 {
		return 0
	}
	return at[0].Start.Line
}

// upTo are the stages until the target, which may be a name or a number.
func upTo(stages []instructions.Stage, target string) ([]instructions.Stage, error) {
	if target == "" {
		return stages, nil
	}
	for i, s := range stages {
		if strings.EqualFold(s.Name, target) || strconv.Itoa(i) == target {
			return stages[:i+1], nil
		}
	}
	return nil, fmt.Errorf("it has no stage %q", target)
}

// from begins a stage on an earlier one, or on an image.
func (b Build) from(s instructions.Stage, number int, outer []string, built map[string]*stage, lex *shell.Lex) (*stage, error) {
	base, _, err := lex.ProcessWord(s.BaseName, shell.EnvsFromSlice(outer))
	if err != nil {
		return nil, err
	}
	next := &stage{root: filepath.Join(b.Work, strconv.Itoa(number)), number: number, shell: []string{"/bin/sh", "-c"}}
	if err := os.MkdirAll(next.root, 0o755); err != nil {
		return nil, err
	}
	if before := built[strings.ToLower(base)]; before != nil {
		next.config, next.layers, next.applied = *before.config.DeepCopy(), slices.Clone(before.layers), before.applied
		return next, os.CopyFS(next.root, os.DirFS(before.root))
	}
	if base == "" {
		return nil, fmt.Errorf("FROM %s names no image: give the build argument that it asks for", s.BaseName)
	}
	if base == "scratch" {
		next.applied = checksum("scratch")
		return next, nil
	}
	if next.config, err = b.Base(base); err != nil {
		return nil, err
	}
	config, err := json.Marshal(next.config)
	next.applied = checksum("from", string(config))
	return next, err
}

// declare takes an ARG: the build's value before the Dockerfile's, and outer's for one that the stage only names.
func (b Build) declare(arg *instructions.ArgCommand, args, outer []string, lex *shell.Lex) ([]string, error) {
	for _, a := range arg.Args {
		value, given := b.Args[a.Key]
		if !given && a.Value != nil {
			expanded, _, err := lex.ProcessWord(*a.Value, shell.EnvsFromSlice(args))
			if err != nil {
				return nil, err
			}
			value, given = expanded, true
		}
		if !given {
			value, given = shell.EnvsFromSlice(outer).Get(a.Key)
		}
		if given {
			args = setEnv(args, a.Key, value)
		}
	}
	return args, nil
}

func (b Build) do(
	ctx context.Context, command instructions.Command, s *stage, outer []string, built map[string]*stage, source source, lex *shell.Lex,
) error {
	if arg, ok := command.(*instructions.ArgCommand); ok {
		args, err := b.declare(arg, s.args, outer, lex)
		s.args = args
		return err
	}
	if expandable, ok := command.(instructions.SupportsSingleWordExpansion); ok {
		env := shell.EnvsFromSlice(s.env())
		err := expandable.Expand(func(word string) (string, error) {
			expanded, _, err := lex.ProcessWord(word, env)
			return expanded, err
		})
		if err != nil {
			return err
		}
	}
	switch c := command.(type) {
	case *instructions.EnvCommand:
		for _, pair := range c.Env {
			s.config.Env = setEnv(s.config.Env, pair.Key, pair.Value)
		}
	case *instructions.LabelCommand:
		for _, pair := range c.Labels {
			s.label(pair.Key, pair.Value)
		}
	case *instructions.WorkdirCommand:
		if !strings.HasPrefix(c.Path, "/") {
			c.Path = filepath.Join("/", s.config.WorkingDir, c.Path)
		}
		s.config.WorkingDir = filepath.Clean(c.Path)
		return s.makeFolder(b, s.config.WorkingDir)
	case *instructions.UserCommand:
		s.config.User = c.User
	case *instructions.ExposeCommand:
		for _, port := range c.Ports {
			if !strings.Contains(port, "/") {
				port += "/tcp"
			}
			if s.config.ExposedPorts == nil {
				s.config.ExposedPorts = map[string]struct{}{}
			}
			s.config.ExposedPorts[port] = struct{}{}
		}
	case *instructions.CmdCommand:
		s.config.Cmd = s.line(c.ShellDependantCmdLine)
	case *instructions.EntrypointCommand:
		s.config.Entrypoint, s.config.Cmd = s.line(c.ShellDependantCmdLine), nil
	case *instructions.StopSignalCommand:
		s.config.StopSignal = c.Signal
	case *instructions.ShellCommand:
		s.shell = c.Shell
	case *instructions.CopyCommand:
		return b.copy(c, s, built, source)
	case *instructions.RunCommand:
		return b.run(ctx, c, s)
	}
	return nil
}

// line is a command as the image's configuration holds it.
func (s *stage) line(c instructions.ShellDependantCmdLine) []string {
	if c.PrependShell {
		return slices.Concat(s.shell, c.CmdLine)
	}
	return c.CmdLine
}

// env are the variables that an instruction sees: the image's go before build arguments.
func (s *stage) env() []string {
	env := slices.Clone(s.args)
	for _, pair := range s.config.Env {
		name, value, _ := strings.Cut(pair, "=")
		env = setEnv(env, name, value)
	}
	return env
}

func (s *stage) label(name, value string) {
	if s.config.Labels == nil {
		s.config.Labels = map[string]string{}
	}
	s.config.Labels[name] = value
}

func setEnv(env []string, name, value string) []string {
	env = slices.DeleteFunc(slices.Clone(env), func(pair string) bool { return strings.HasPrefix(pair, name+"=") })
	return append(env, name+"="+value)
}

// image puts the stage's layers and configuration together. The same layers and configuration make the same image.
func (b Build) image(s *stage) (v1.Image, error) {
	for _, name := range slices.Sorted(maps.Keys(b.Labels)) {
		s.label(name, b.Labels[name])
	}
	image, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), s.layers...)
	if err != nil {
		return nil, err
	}
	image = mutate.ConfigMediaType(image, types.OCIConfigJSON)
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Config = runtime.GOOS, runtime.GOARCH, s.config
	return mutate.ConfigFile(image, file)
}

// refuse names everything in the stages that cannot be done without an engine.
func refuse(file string, stages []instructions.Stage) error {
	var problems []error
	for _, s := range stages {
		for _, command := range s.Commands {
			if why := beyond(command); why != "" {
				problems = append(problems, fmt.Errorf("%s:%d: %s: %s", file, line(command.Location()), command, why))
			}
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return errors.Join(append(problems, errors.New("install docker or podman to build this Dockerfile as it is"))...)
}

// beyond says why an instruction cannot be done without an engine, empty where it can.
func beyond(command instructions.Command) string {
	switch c := command.(type) {
	case *instructions.CopyCommand:
		switch {
		case len(c.SourceContents) > 0:
			return "without a container engine COPY copies files only, no text of the Dockerfile's own"
		case c.Parents || len(c.ExcludePatterns) > 0:
			return "without a container engine COPY knows --from, --chown, --chmod and --link only"
		}
	case *instructions.RunCommand:
		_, why := hostCommands(c)
		return why
	case *instructions.AddCommand:
		return "without a container engine there is COPY, and no ADD"
	case *instructions.VolumeCommand, *instructions.OnbuildCommand:
		return "it means nothing without a container engine"
	}
	// A HEALTHCHECK is ECS's to ignore: it looks at the task definition's own.
	return ""
}

func checksum(parts ...string) string {
	sum := sha256.New()
	for _, part := range parts {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}
